//! The loop's turn: ending offerings whose time came. Publishing has no loop: an error answer means that
//! nothing was published, so only the caller's next try goes on.

use crate::{error::Error, store::Store};

/// Turns that concern nobody's call.
#[derive(Clone)]
pub(crate) struct Sweeps {
    store: Store,
}

impl Sweeps {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Ends offerings whose end time came; says whether there may be more.
    pub(crate) async fn end_due(&self) -> Result<bool, Error> {
        self.store.end_due().await
    }
}
