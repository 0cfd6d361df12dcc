//! Tables and entities.

use souk_db::Migration;

/// The life of commerce's schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001-shops",
    up: &[
        "CREATE TABLE shop (
            id {id} PRIMARY KEY,
            api_url {text} NOT NULL,
            jwks {json},
            app_id {text},
            fallback_org_id {id},
            fallback_project_id {id},
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE UNIQUE INDEX shop_by_api_url ON shop (api_url)",
        "CREATE TABLE inbox (
            shop_id {id} NOT NULL,
            body_hash {text} NOT NULL,
            event {text} NOT NULL,
            body {bytes} NOT NULL,
            state {text} NOT NULL,
            external_id {text},
            outcome {text},
            reason {text},
            detail {text},
            attempts BIGINT NOT NULL,
            receive_time {time} NOT NULL,
            next_attempt_time {time} NOT NULL,
            end_time {time},
            PRIMARY KEY (shop_id, body_hash)
        )",
        "CREATE INDEX inbox_due ON inbox (next_attempt_time) WHERE state = 'RECEIVED'",
        "CREATE TABLE shop_order (
            id {id} PRIMARY KEY,
            shop_id {id} NOT NULL,
            external_id {text} NOT NULL,
            number {text} NOT NULL,
            status {text} NOT NULL,
            charge_status {text} NOT NULL,
            updated_at {time},
            issued_at {time},
            digest {text},
            settled {flag} NOT NULL,
            snapshot {json},
            buyer_org_ref {text},
            buyer_external {text},
            buyer_user {text},
            parked_reason {text},
            judge_time {time},
            judge_attempts BIGINT NOT NULL,
            create_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE UNIQUE INDEX shop_order_by_external_id ON shop_order (shop_id, external_id)",
        "CREATE INDEX shop_order_to_judge ON shop_order (judge_time) WHERE judge_time IS NOT NULL",
        "CREATE TABLE order_line (
            order_id {id} NOT NULL,
            line_id {text} NOT NULL,
            shop_id {id} NOT NULL,
            org_id {id} NOT NULL,
            project_id {id} NOT NULL,
            variant_id {text},
            sku {text} NOT NULL,
            product_name {text} NOT NULL,
            units BIGINT NOT NULL,
            judged {text} NOT NULL,
            state {text} NOT NULL,
            wait {text},
            target {json},
            credits {micros} NOT NULL,
            parked_reason {text},
            parked_detail {text} NOT NULL,
            request_key {text} NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time},
            version BIGINT NOT NULL,
            PRIMARY KEY (order_id, line_id)
        )",
        "CREATE INDEX order_line_due ON order_line (next_attempt_time) WHERE state = 'WORKING'",
        "CREATE INDEX order_line_parked ON order_line (shop_id, parked_reason) WHERE state = 'PARKED'",
        "CREATE TABLE line_effect (
            order_id {id} NOT NULL,
            line_id {text} NOT NULL,
            unit BIGINT NOT NULL,
            org_id {id} NOT NULL,
            request_id {text} NOT NULL,
            result {text} NOT NULL,
            done_time {time} NOT NULL,
            PRIMARY KEY (order_id, line_id, unit)
        )",
        "CREATE TABLE mapping (
            shop_id {id} NOT NULL,
            variant_id {text} NOT NULL,
            source {text} NOT NULL,
            target {json} NOT NULL,
            update_time {time} NOT NULL,
            PRIMARY KEY (shop_id, variant_id)
        )",
        "CREATE TABLE buyer_link (
            shop_id {id} NOT NULL,
            kind {text} NOT NULL,
            value {text} NOT NULL,
            org_id {id} NOT NULL,
            project_id {id} NOT NULL,
            update_time {time} NOT NULL,
            PRIMARY KEY (shop_id, kind, value)
        )",
    ],
}];

macro_rules! table {
    ($module:ident = $table:literal { $($(#[$key:meta])* $field:ident: $type:ty,)+ }) => {
        pub(super) mod $module {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub(crate) struct Model { $($(#[$key])* pub $field: $type,)+ }

            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub(crate) enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

table!(shop = "shop" {
    #[sea_orm(primary_key, auto_increment = false)]
    id: String,
    api_url: String,
    jwks: Option<String>,
    app_id: Option<String>,
    fallback_org_id: Option<String>,
    fallback_project_id: Option<String>,
    create_time: i64,
    version: i64,
});

table!(inbox = "inbox" {
    #[sea_orm(primary_key, auto_increment = false)]
    shop_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    body_hash: String,
    event: String,
    body: Vec<u8>,
    state: String,
    external_id: Option<String>,
    outcome: Option<String>,
    reason: Option<String>,
    detail: Option<String>,
    attempts: i64,
    receive_time: i64,
    next_attempt_time: i64,
    end_time: Option<i64>,
});

table!(order = "shop_order" {
    #[sea_orm(primary_key, auto_increment = false)]
    id: String,
    shop_id: String,
    external_id: String,
    number: String,
    status: String,
    charge_status: String,
    updated_at: Option<i64>,
    issued_at: Option<i64>,
    digest: Option<String>,
    settled: bool,
    snapshot: Option<String>,
    buyer_org_ref: Option<String>,
    buyer_external: Option<String>,
    buyer_user: Option<String>,
    parked_reason: Option<String>,
    judge_time: Option<i64>,
    judge_attempts: i64,
    create_time: i64,
    version: i64,
});

table!(line = "order_line" {
    #[sea_orm(primary_key, auto_increment = false)]
    order_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    line_id: String,
    shop_id: String,
    org_id: String,
    project_id: String,
    variant_id: Option<String>,
    sku: String,
    product_name: String,
    units: i64,
    judged: String,
    state: String,
    wait: Option<String>,
    target: Option<String>,
    credits: i64,
    parked_reason: Option<String>,
    parked_detail: String,
    request_key: String,
    attempts: i64,
    next_attempt_time: Option<i64>,
    version: i64,
});

impl souk_db::Tenant for line::Entity {
    fn org_column() -> line::Column {
        line::Column::OrgId
    }

    /// Empty until the line is pinned: then it belongs to the platform.
    fn org_of(model: &line::Model) -> &str {
        &model.org_id
    }
}

table!(effect = "line_effect" {
    #[sea_orm(primary_key, auto_increment = false)]
    order_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    line_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    unit: i64,
    org_id: String,
    request_id: String,
    result: String,
    done_time: i64,
});

impl souk_db::Tenant for effect::Entity {
    fn org_column() -> effect::Column {
        effect::Column::OrgId
    }

    fn org_of(model: &effect::Model) -> &str {
        &model.org_id
    }
}

table!(mapping = "mapping" {
    #[sea_orm(primary_key, auto_increment = false)]
    shop_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    variant_id: String,
    source: String,
    target: String,
    update_time: i64,
});

table!(link = "buyer_link" {
    #[sea_orm(primary_key, auto_increment = false)]
    shop_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    value: String,
    org_id: String,
    project_id: String,
    update_time: i64,
});
