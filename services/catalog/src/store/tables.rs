//! Tables and entities.

use souk_db::Migration;

/// The life of the catalogue's schema.
pub const MIGRATIONS: &[Migration] = &[OFFERINGS, LIFE, WARNINGS];

const LIFE: Migration = Migration {
    name: "0002-life",
    up: &[
        "ALTER TABLE offering ADD COLUMN state {text} NOT NULL DEFAULT 'ACTIVE'
            CHECK (state IN ('ACTIVE', 'PAUSED', 'ENDING', 'ENDED'))",
        "ALTER TABLE offering ADD COLUMN end_time {time}",
        "ALTER TABLE offering ADD COLUMN reason {text} NOT NULL DEFAULT ''",
        "CREATE INDEX offering_due ON offering (state, end_time)",
    ],
};

const WARNINGS: Migration = Migration {
    name: "0003-warnings",
    up: &["ALTER TABLE offering_version ADD COLUMN warnings {json} NOT NULL DEFAULT '[]'"],
};

const OFFERINGS: Migration = Migration {
    name: "0001-offerings",
    up: &[
        "CREATE TABLE offering (
            id {id} PRIMARY KEY,
            slug {id} NOT NULL UNIQUE,
            display_name {text} NOT NULL,
            description {text} NOT NULL,
            category {text} NOT NULL,
            value_stream {text} NOT NULL,
            newest_version_id {id},
            create_time {time} NOT NULL,
            version {int} NOT NULL
        )",
        "CREATE TABLE offering_version (
            id {id} PRIMARY KEY,
            offering_id {id} NOT NULL REFERENCES offering (id),
            offering_slug {id} NOT NULL,
            content_hash {id} NOT NULL,
            artifact_hash {id} NOT NULL,
            state {text} NOT NULL CHECK (state IN ('DRAFT', 'PUBLISHED')),
            capabilities {json} NOT NULL,
            connectors {json} NOT NULL,
            config {json} NOT NULL,
            default_plan_id {id} NOT NULL,
            schedule {json} NOT NULL,
            price_schedule_hash {id},
            findings {json} NOT NULL,
            create_time {time} NOT NULL,
            publish_time {time},
            version {int} NOT NULL,
            UNIQUE (offering_id, content_hash),
            CHECK (state = 'DRAFT' OR (price_schedule_hash IS NOT NULL AND publish_time IS NOT NULL))
        )",
        "CREATE INDEX offering_version_newest ON offering_version (offering_id, publish_time, id)",
        "CREATE TABLE plan (
            id {id} PRIMARY KEY,
            offering_version_id {id} NOT NULL REFERENCES offering_version (id),
            place {int} NOT NULL,
            slug {id} NOT NULL,
            display_name {text} NOT NULL,
            self_service {flag} NOT NULL,
            config {json} NOT NULL,
            runs_per_minute {int} NOT NULL,
            input_bytes {int} NOT NULL,
            concurrent_runs {int} NOT NULL,
            included_credits {micros} NOT NULL,
            UNIQUE (offering_version_id, slug)
        )",
    ],
};

pub(super) mod offering {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "offering")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub slug: String,
        pub display_name: String,
        pub description: String,
        pub category: String,
        pub value_stream: String,
        pub newest_version_id: Option<String>,
        pub create_time: i64,
        pub version: i64,
        pub state: String,
        pub end_time: Option<i64>,
        pub reason: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod version {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "offering_version")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub offering_id: String,
        pub offering_slug: String,
        pub content_hash: String,
        pub artifact_hash: String,
        pub state: String,
        pub capabilities: String,
        pub connectors: String,
        pub config: String,
        pub default_plan_id: String,
        pub schedule: String,
        pub price_schedule_hash: Option<String>,
        pub findings: String,
        pub create_time: i64,
        pub publish_time: Option<i64>,
        pub version: i64,
        pub warnings: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod plan {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "plan")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub offering_version_id: String,
        pub place: i64,
        pub slug: String,
        pub display_name: String,
        pub self_service: bool,
        pub config: String,
        pub runs_per_minute: i64,
        pub input_bytes: i64,
        pub concurrent_runs: i64,
        pub included_credits: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
