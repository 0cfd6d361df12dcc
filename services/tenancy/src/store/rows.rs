//! The rows as they stand in the tables: texts and whole numbers only.

use souk_db::Tenant;

/// Declares one table's entity; the first columns are its key.
macro_rules! table {
    ($name:ident = $table:literal { $($(#[$column:meta])* $field:ident: $of:ty,)+ }) => {
        pub(super) mod $name {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub(crate) struct Model { $($(#[$column])* pub $field: $of,)+ }

            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub(crate) enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

/// Says which column holds the org.
macro_rules! tenants {
    ($($name:ident),+) => {$(
        impl Tenant for $name::Entity {
            fn org_column() -> $name::Column {
                $name::Column::OrgId
            }
            fn org_of(model: &$name::Model) -> &str {
                &model.org_id
            }
        }
    )+};
}

table!(orgs = "orgs" {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: String,
    display_name: String,
    create_time: i64,
    version: i64,
});

table!(users = "users" {
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: String,
    email: String,
    display_name: String,
    platform_role: Option<String>,
    create_time: i64,
    version: i64,
});

table!(projects = "projects" {
    #[sea_orm(primary_key, auto_increment = false)]
    project_id: String,
    org_id: String,
    slug: String,
    display_name: String,
    create_time: i64,
    version: i64,
});

table!(members = "members" {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: String,
    role: String,
    create_time: i64,
    version: i64,
});

table!(api_keys = "api_keys" {
    #[sea_orm(primary_key, auto_increment = false)]
    api_key_id: String,
    org_id: Option<String>,
    user_id: String,
    display_name: String,
    hint: String,
    secret_hash: String,
    create_time: i64,
    expire_time: Option<i64>,
    revoke_time: Option<i64>,
    version: i64,
    scopes: String,
});

table!(sign_in_links = "sign_in_links" {
    #[sea_orm(primary_key, auto_increment = false)]
    code_hash: String,
    user_id: String,
    create_time: i64,
    expire_time: i64,
    redeem_time: Option<i64>,
});

table!(sessions = "sessions" {
    #[sea_orm(primary_key, auto_increment = false)]
    session_id: String,
    user_id: String,
    secret_hash: String,
    create_time: i64,
    expire_time: i64,
    end_time: Option<i64>,
    version: i64,
});

table!(workspaces = "workspaces" {
    #[sea_orm(primary_key, auto_increment = false)]
    org_id: String,
    project_id: String,
    trial_user_id: Option<String>,
    trial_micros: i64,
    state: String,
    attempts: i64,
    next_attempt_time: Option<i64>,
    last_reason: String,
    create_time: i64,
    version: i64,
});

tenants!(orgs, projects, members, workspaces);

impl Tenant for api_keys::Entity {
    fn org_column() -> api_keys::Column {
        api_keys::Column::OrgId
    }

    /// A platform key belongs to no org; only a scope of every tenant reaches it.
    fn org_of(model: &api_keys::Model) -> &str {
        model.org_id.as_deref().unwrap_or_default()
    }
}
