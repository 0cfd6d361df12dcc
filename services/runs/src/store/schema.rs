//! The tables, as they came to be. A migration that shipped is never changed.

use souk_db::Migration;

/// The schema.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
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
    },
    Migration {
        name: "0002-cancelled-and-heard",
        up: &[
            "ALTER TABLE run ADD COLUMN cancel {text} NOT NULL DEFAULT ''",
            // When somebody was last seen to listen at a process that does not own the run.
            "ALTER TABLE run ADD COLUMN heard_time {time} NOT NULL DEFAULT 0",
        ],
    },
    Migration {
        name: "0003-share-of-an-org",
        up: &["CREATE INDEX run_at_work_by_org ON run (org_id) WHERE end_time IS NULL"],
    },
];
