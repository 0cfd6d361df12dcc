//! The loops' turns: numbering events, forgetting old requests. Keys are cleaned by the service's own turn.

use souk_db::{Db, once};

use crate::error::Error;

/// How many requests one turn forgets.
const BATCH: u64 = 500;

/// Turns that concern nobody's call.
#[derive(Clone)]
pub(crate) struct Sweeps {
    db: Db,
}

impl Sweeps {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }

    /// Gives positions to committed events; says whether there may be more.
    pub(crate) async fn number(&self) -> Result<bool, Error> {
        Ok(self.db.outbox().number_turn().await? > 0)
    }

    /// Forgets answers that were kept long enough; says whether there may be more.
    pub(crate) async fn forget(&self) -> Result<bool, Error> {
        Ok(once::forget(&self.db, self.db.now() - once::KEPT, BATCH).await? == BATCH)
    }
}
