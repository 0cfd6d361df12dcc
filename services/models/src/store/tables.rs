//! Tables and entities. No column can hold a key.

use souk_db::Migration;

/// The life of the schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001-endpoints",
    up: &[
        "CREATE TABLE endpoint (
            name {id} PRIMARY KEY,
            url {text} NOT NULL,
            models {json} NOT NULL,
            default_model {text} NOT NULL,
            secret_version {int},
            create_time {time} NOT NULL,
            update_time {time} NOT NULL,
            version {int} NOT NULL
        )",
        "CREATE TABLE leftover (
            id {id} PRIMARY KEY,
            name {id} NOT NULL,
            from_version {int} NOT NULL,
            to_version {int} NOT NULL,
            due_time {time} NOT NULL,
            claimed {flag} NOT NULL
        )",
        "CREATE INDEX leftover_due ON leftover (due_time, id)",
    ],
}];

pub(super) mod endpoint {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "endpoint")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub url: String,
        pub models: String,
        pub default_model: String,
        pub secret_version: Option<i64>,
        pub create_time: i64,
        pub update_time: i64,
        pub version: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub(super) mod leftover {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "leftover")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub name: String,
        pub from_version: i64,
        pub to_version: i64,
        pub due_time: i64,
        pub claimed: bool,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
