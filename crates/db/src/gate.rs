//! The gate that every write passes: open, it costs a counter; held, writes wait in their order and reads
//! go on. A copy of several databases that is taken while all of them are held is of one moment.

use std::{fmt, sync::Arc, time::Duration};

use sea_orm::DbErr;
use tokio::sync::{OwnedRwLockWriteGuard, RwLock, RwLockReadGuard};

use crate::{Db, Error};

/// How long a holder waits for the writes under way, or for the holder before; writes that come meanwhile
/// wait behind it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Fair: whoever comes first passes first, holders among the writers.
#[derive(Debug, Default)]
pub(crate) struct Gate(Arc<RwLock<()>>);

impl Gate {
    /// Lets one write pass; it is under way until the pass is dropped.
    pub(crate) async fn pass(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().await
    }
}

/// Keeps every write of this process waiting until it is dropped.
pub struct Hold(OwnedRwLockWriteGuard<()>);

impl fmt::Debug for Hold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Hold").field(&*self.0).finish()
    }
}

impl Db {
    /// Waits until no write of this process is under way, and keeps all others waiting. A second holder waits
    /// for the first.
    ///
    /// # Errors
    /// `Error::Unavailable` when that takes longer than it should: writes go on.
    pub async fn hold_writes(&self) -> Result<Hold, Error> {
        let held = tokio::time::timeout(PATIENCE, Arc::clone(&self.inner.gate.0).write_owned()).await;
        let busy = "writes did not end in time, or are held by somebody else";
        held.map(Hold).map_err(|_| Error::Unavailable(DbErr::Custom(busy.to_owned())))
    }
}
