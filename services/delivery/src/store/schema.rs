//! The tables, as they came to be. A migration that shipped is never changed.

use souk_db::Migration;

/// The schema.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "0001-desired-and-applied",
        up: &[
            "CREATE TABLE desired (
            instance_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            project_id {id} NOT NULL,
            revision BIGINT NOT NULL,
            desired {json} NOT NULL,
            content_hash {text} NOT NULL,
            state {text} NOT NULL,
            commit_id {text},
            applied_revision BIGINT NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time} NOT NULL,
            problem {text},
            update_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
            "CREATE INDEX desired_pending ON desired (next_attempt_time) WHERE state = 'PENDING'",
            "CREATE INDEX desired_unapplied ON desired (instance_id) WHERE applied_revision <> revision",
            "CREATE TABLE open_request (
            org_id {id} NOT NULL,
            request_id {text} NOT NULL,
            instance_id {id} NOT NULL,
            revision BIGINT NOT NULL,
            digest {text} NOT NULL,
            actor {text} NOT NULL,
            trace {text} NOT NULL,
            PRIMARY KEY (org_id, request_id)
        )",
            "CREATE INDEX open_request_by_instance ON open_request (instance_id)",
            "CREATE TABLE applied (
            instance_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            revision BIGINT NOT NULL,
            content_hash {text} NOT NULL,
            commit_id {text} NOT NULL,
            apply_time {time} NOT NULL,
            host {text},
            path {text} NOT NULL
        )",
        ],
    },
    Migration {
        name: "0002-removals-routes-and-watches",
        up: &[
            // One row a route that leads elsewhere than the default one: the first to claim it has it.
            "CREATE TABLE route_claim (
                host {text} NOT NULL,
                path {text} NOT NULL,
                instance_id {id} NOT NULL,
                revision BIGINT NOT NULL,
                PRIMARY KEY (host, path)
            )",
            "CREATE INDEX route_claim_by_instance ON route_claim (instance_id)",
            "INSERT INTO route_claim (host, path, instance_id, revision)
             SELECT COALESCE(host, ''), path, instance_id, revision FROM applied
             WHERE host IS NOT NULL OR path NOT LIKE '/i/%' ORDER BY instance_id
             ON CONFLICT DO NOTHING",
            // Requests of more than one method wait now.
            "CREATE TABLE waiting_request (
                subject {id} NOT NULL,
                rpc {text} NOT NULL,
                request_id {text} NOT NULL,
                instance_id {id} NOT NULL,
                revision BIGINT NOT NULL,
                digest {text} NOT NULL,
                actor {text} NOT NULL,
                trace {text} NOT NULL,
                PRIMARY KEY (subject, rpc, request_id)
            )",
            "CREATE INDEX waiting_request_by_instance ON waiting_request (instance_id)",
            "INSERT INTO waiting_request
             (subject, rpc, request_id, instance_id, revision, digest, actor, trace)
             SELECT org_id, 'Apply', request_id, instance_id, revision, digest, actor, trace
             FROM open_request",
            "DROP TABLE open_request",
            "ALTER TABLE applied ADD COLUMN project_id {id} NOT NULL DEFAULT ''",
            "ALTER TABLE applied ADD COLUMN offering_version_id {id} NOT NULL DEFAULT ''",
            "ALTER TABLE applied ADD COLUMN capabilities {json} NOT NULL DEFAULT '[]'",
            "ALTER TABLE applied ADD COLUMN runs_per_minute BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE applied ADD COLUMN input_bytes BIGINT NOT NULL DEFAULT 0",
            "ALTER TABLE applied ADD COLUMN removed BIGINT NOT NULL DEFAULT 0",
            // 1 from the moment drift was found until it is mended.
            "ALTER TABLE desired ADD COLUMN drifted BIGINT NOT NULL DEFAULT 0",
            // The reconciler takes everything over again, and fills the new columns with it.
            "UPDATE desired SET applied_revision = 0",
        ],
    },
];
