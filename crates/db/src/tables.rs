//! The tables that this crate brings to every service's database.

use crate::migrate::Migration;

/// What bookkeeping of migrations itself needs; made before anything else.
pub(crate) const BOOTSTRAP: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS migration (
        name {id} PRIMARY KEY,
        digest {text} NOT NULL,
        apply_time {time} NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS migration_lock (id BIGINT PRIMARY KEY)",
    "INSERT INTO migration_lock (id) VALUES (1) ON CONFLICT DO NOTHING",
];

pub(crate) const OWN: &[Migration] = &[FIRST, FLOOR];

/// Where the log begins: the position of the last event that was forgotten.
const FLOOR: Migration = Migration {
    name: "db-0002-floor",
    up: &["ALTER TABLE outbox_head ADD COLUMN floor BIGINT NOT NULL DEFAULT 0"],
};

const FIRST: Migration = Migration {
    name: "db-0001-first",
    up: &[
        "CREATE TABLE request_log (
            subject {id} NOT NULL,
            rpc {text} NOT NULL,
            request_id {text} NOT NULL,
            org_id {id},
            digest {text} NOT NULL,
            actor {text} NOT NULL,
            trace {text} NOT NULL,
            begin_time {time} NOT NULL,
            end_time {time},
            answer {json},
            PRIMARY KEY (subject, rpc, request_id)
        )",
        "CREATE INDEX request_log_by_time ON request_log (begin_time)",
        "CREATE TABLE outbox (
            event_id {id} PRIMARY KEY,
            position BIGINT,
            put_order BIGINT NOT NULL,
            kind {text} NOT NULL,
            org_id {id},
            aggregate_id {id} NOT NULL,
            aggregate_seq BIGINT NOT NULL,
            occur_time {time} NOT NULL,
            actor {text} NOT NULL,
            trace {text} NOT NULL,
            payload {json} NOT NULL
        )",
        "CREATE UNIQUE INDEX outbox_by_position ON outbox (position) WHERE position IS NOT NULL",
        "CREATE INDEX outbox_unnumbered ON outbox (event_id) WHERE position IS NULL",
        "CREATE INDEX outbox_unnumbered_by_aggregate ON outbox (aggregate_id) WHERE position IS NULL",
        "CREATE TABLE outbox_head (id BIGINT PRIMARY KEY, position BIGINT NOT NULL)",
        "INSERT INTO outbox_head (id, position) VALUES (1, 0)",
        "CREATE TABLE event_cursor (
            source {id} PRIMARY KEY,
            position BIGINT NOT NULL,
            move_time {time} NOT NULL
        )",
    ],
};
