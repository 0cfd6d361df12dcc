//! Where runs are kept: the only room that knows the tables.
//!
//! A run's task and its recovery work for no caller, so they reach the row by its id and prove themselves
//! by the hold they have on it; everything else goes through the caller's scope.

mod create;
mod read;
mod row;
mod step;

use std::time::Duration;

use souk_db::{Db, Migration};
use souk_types::RunId;

pub(crate) use self::create::Created;
use crate::model::Run;

/// The tables.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001-runs",
    up: &[
        "CREATE TABLE run (
            run_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            project_id {id} NOT NULL,
            instance_id {id} NOT NULL,
            offering_version_id {id} NOT NULL,
            artifact_hash {text} NOT NULL,
            effective_config {json} NOT NULL,
            request_id {text} NOT NULL,
            digest {text} NOT NULL,
            actor {text} NOT NULL,
            trace {text} NOT NULL,
            trace_parent {text} NOT NULL,
            state {text} NOT NULL,
            input {text} NOT NULL,
            session_id {text} NOT NULL,
            output_head {text} NOT NULL,
            outputs {json} NOT NULL,
            usage {json} NOT NULL,
            reservation_id {id},
            budget {micros} NOT NULL,
            cost {micros} NOT NULL,
            charged {micros} NOT NULL,
            balance {micros} NOT NULL,
            receipt_id {id},
            ledger_entry_id {id},
            error_reason {text},
            error_message {text} NOT NULL,
            error_component {text} NOT NULL,
            create_time {time} NOT NULL,
            end_time {time},
            owner {text} NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time} NOT NULL,
            last_place BIGINT NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX run_by_project ON run (project_id, run_id)",
        "CREATE INDEX run_by_instance ON run (instance_id, create_time)",
        "CREATE INDEX run_by_request ON run (request_id, instance_id)",
        "CREATE INDEX run_at_work ON run (next_attempt_time) WHERE end_time IS NULL",
        "CREATE TABLE run_event (
            run_id {id} NOT NULL,
            place BIGINT NOT NULL,
            occur_time {time} NOT NULL,
            state {text},
            row_version BIGINT NOT NULL,
            component_id {text} NOT NULL,
            body {text} NOT NULL,
            PRIMARY KEY (run_id, place)
        )",
        "CREATE TABLE run_gate (instance_id {id} PRIMARY KEY)",
    ],
}];

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
}

impl Store {
    pub(crate) fn new(db: Db, lease: Duration) -> Self {
        let mut bytes = [0_u8; 8];
        db.random().fill(&mut bytes);
        let boot = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self { db, boot, lease }
    }

    pub(crate) const fn db(&self) -> &Db {
        &self.db
    }
}

#[cfg(test)]
mod tests;
