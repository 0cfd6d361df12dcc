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
    proof_time: Option<i64>,
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
    trial_refused: String,
});

table!(invitations = "invitations" {
    #[sea_orm(primary_key, auto_increment = false)]
    invitation_id: String,
    org_id: String,
    email: String,
    role: String,
    state: String,
    inviter_user_id: String,
    code_hash: String,
    mail_hash: String,
    create_time: i64,
    expire_time: i64,
    version: i64,
});

table!(mails = "mails" {
    #[sea_orm(primary_key, auto_increment = false)]
    invitation_id: String,
    org_id: String,
    email: String,
    sealed_code: String,
    state: String,
    attempts: i64,
    next_attempt_time: Option<i64>,
    last_error: String,
    create_time: i64,
    expire_time: i64,
    version: i64,
});

table!(teams = "teams" {
    #[sea_orm(primary_key, auto_increment = false)]
    team_id: String,
    org_id: String,
    slug: String,
    display_name: String,
    create_time: i64,
    version: i64,
});

table!(team_members = "team_members" {
    #[sea_orm(primary_key, auto_increment = false)]
    team_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    user_id: String,
    org_id: String,
    create_time: i64,
});

table!(audit_entries = "audit_entries" {
    #[sea_orm(primary_key, auto_increment = false)]
    audit_entry_id: String,
    org_id: String,
    occur_time: i64,
    actor: String,
    method: String,
    request_id: String,
    outcome: String,
    resource_id: String,
    trace_id: String,
});

table!(trials = "trials" {
    #[sea_orm(primary_key, auto_increment = false)]
    address: String,
    user_id: String,
    org_id: String,
    create_time: i64,
});

table!(trial_days = "trial_days" {
    #[sea_orm(primary_key, auto_increment = false)]
    day: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    mail_domain: String,
    given: i64,
});

tenants!(orgs, projects, members, workspaces, invitations, mails, teams, team_members, audit_entries);

impl Tenant for api_keys::Entity {
    fn org_column() -> api_keys::Column {
        api_keys::Column::OrgId
    }

    /// A platform key belongs to no org; only a scope of every tenant reaches it.
    fn org_of(model: &api_keys::Model) -> &str {
        model.org_id.as_deref().unwrap_or_default()
    }
}
