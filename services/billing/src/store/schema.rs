//! Migrations. What was released never changes; a change is a new one.

use souk_db::Migration;

/// Every step of billing's schema, in order.
pub const MIGRATIONS: &[Migration] = &[CREDITS, REVERSALS];

const CREDITS: Migration = Migration {
    name: "0001-credits",
    up: &[
        "CREATE TABLE wallets (
            wallet_id {id} PRIMARY KEY,
            org_id {id} NOT NULL UNIQUE,
            state {text} NOT NULL,
            available_micros {micros} NOT NULL CHECK (available_micros >= 0),
            reserved_micros {micros} NOT NULL CHECK (reserved_micros >= 0),
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE TABLE lots (
            lot_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            wallet_id {id} NOT NULL,
            source {text} NOT NULL,
            source_ref {text} NOT NULL,
            priority BIGINT NOT NULL,
            expire_time {time},
            original_micros {micros} NOT NULL,
            available_micros {micros} NOT NULL CHECK (available_micros >= 0),
            reserved_micros {micros} NOT NULL CHECK (reserved_micros >= 0),
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        // Lots that are used up stay for ever and are never read to decide.
        "CREATE INDEX lots_unused ON lots (wallet_id) WHERE available_micros > 0 OR reserved_micros > 0",
        "CREATE TABLE accounts (
            instance_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            wallet_id {id} NOT NULL,
            schedule_hash {id} NOT NULL,
            state {text} NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE TABLE reservations (
            reservation_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            wallet_id {id} NOT NULL,
            instance_id {id} NOT NULL,
            schedule_hash {id} NOT NULL,
            source_ref {text} NOT NULL,
            budget_micros {micros} NOT NULL CHECK (budget_micros >= 0),
            allocations {json} NOT NULL,
            state {text} NOT NULL,
            create_time {time} NOT NULL,
            expire_time {time} NOT NULL,
            close_time {time},
            version BIGINT NOT NULL
        )",
        "CREATE INDEX reservations_open ON reservations (expire_time) WHERE state = 'OPEN'",
        "CREATE TABLE entries (
            ledger_entry_id {id} NOT NULL,
            line BIGINT NOT NULL,
            org_id {id} NOT NULL,
            wallet_id {id} NOT NULL,
            book {id} NOT NULL,
            amount_micros {micros} NOT NULL,
            kind {text} NOT NULL,
            lot_id {id},
            reservation_id {id},
            instance_id {id},
            source_ref {text} NOT NULL,
            balance_micros {micros} NOT NULL,
            create_time {time} NOT NULL,
            PRIMARY KEY (ledger_entry_id, line)
        )",
        // An entry's id is its time: the order of the listing.
        "CREATE INDEX entries_of_org ON entries (org_id, line, ledger_entry_id)",
        "CREATE INDEX entries_of_instance ON entries (instance_id, line, ledger_entry_id)",
        "CREATE TABLE receipts (
            receipt_id {id} PRIMARY KEY,
            reservation_id {id} NOT NULL UNIQUE,
            org_id {id} NOT NULL,
            wallet_id {id} NOT NULL,
            instance_id {id} NOT NULL,
            ledger_entry_id {id} NOT NULL,
            schedule_hash {id} NOT NULL,
            usage {json} NOT NULL,
            cost_micros {micros} NOT NULL CHECK (cost_micros >= 0),
            charged_micros {micros} NOT NULL CHECK (charged_micros >= 0),
            overrun_micros {micros} NOT NULL CHECK (overrun_micros >= 0),
            charges {json} NOT NULL,
            balance_micros {micros} NOT NULL,
            late {flag} NOT NULL,
            create_time {time} NOT NULL
        )",
        "CREATE TABLE schedules (
            schedule_hash {id} PRIMARY KEY,
            content {json} NOT NULL,
            create_time {time} NOT NULL
        )",
    ],
};

const REVERSALS: Migration = Migration {
    name: "0002-reversals",
    up: &[
        "ALTER TABLE lots ADD COLUMN reversed_micros {micros} NOT NULL DEFAULT 0 CHECK (reversed_micros >= 0)",
        "ALTER TABLE lots ADD COLUMN pending_micros {micros} NOT NULL DEFAULT 0 CHECK (pending_micros >= 0)",
        "ALTER TABLE lots ADD COLUMN reversal_ref {text} NOT NULL DEFAULT ''",
        // For the sweep of lots, and for reversals, which name a lot by what it came from.
        "CREATE INDEX lots_expiring ON lots (expire_time) WHERE available_micros > 0",
        "CREATE INDEX lots_by_source_ref ON lots (wallet_id, source_ref)",
    ],
};
