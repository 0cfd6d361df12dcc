//! Where runs are kept: the only room that knows the tables.
//!
//! A run's task and its recovery work for no caller, so they reach the row by its id and prove themselves
//! by the hold they have on it; everything else goes through the caller's scope.

mod cancel;
mod create;
mod read;
mod row;
mod schema;
mod step;

use std::time::Duration;

use souk_db::{Db, Migration};
use souk_types::RunId;

pub(crate) use self::{create::Created, step::Made};
use crate::model::Run;

/// The tables.
pub(crate) const MIGRATIONS: &[Migration] = schema::MIGRATIONS;

/// Rings when a run is over: who waits for that only is not woken by each of its steps.
pub(crate) fn over(run_id: RunId) -> String {
    format!("over:{run_id}")
}

/// Rings when a run is to be stopped.
pub(crate) fn to_stop(run_id: RunId) -> String {
    format!("stop:{run_id}")
}

/// A task's hold on a run: good while the row says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) run_id: RunId,
    pub(crate) attempts: i64,
}

impl Hold {
    pub(crate) const fn on(run: &Run) -> Self {
        Self { run_id: run.run_id, attempts: run.attempts }
    }
}

/// The runs of one database, as one boot of one process works on them.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: Db,
    /// Names this boot: rows with another owner were somebody else's.
    boot: String,
    lease: Duration,
    /// Runs of one org that may be at work at once.
    org_runs: u32,
}

impl Store {
    pub(crate) fn new(db: Db, lease: Duration, org_runs: u32) -> Self {
        let mut bytes = [0_u8; 8];
        db.random().fill(&mut bytes);
        let boot = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { db, boot, lease, org_runs }
    }

    /// Whether this process alone works on the runs of this database.
    pub(crate) fn is_alone(&self) -> bool {
        self.db.backend() != sea_orm::DbBackend::Postgres
    }

    /// Names this boot of this process.
    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    pub(crate) const fn db(&self) -> &Db {
        &self.db
    }
}

#[cfg(test)]
mod tests;
