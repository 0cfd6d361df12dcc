//! The tables as the database sees them: texts and whole numbers. Nothing here knows the model.

/// What is wanted of each instance; a row in state PENDING is an intent without an outcome.
pub(super) mod desired {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "desired")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub instance_id: String,
        pub org_id: String,
        pub project_id: String,
        pub revision: i64,
        pub desired: String,
        pub content_hash: String,
        pub state: String,
        pub commit_id: Option<String>,
        pub applied_revision: i64,
        pub attempts: i64,
        pub next_attempt_time: i64,
        pub problem: Option<String>,
        pub update_time: i64,
        pub version: i64,
        pub drifted: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    impl souk_db::Tenant for Entity {
        fn org_column() -> Column {
            Column::OrgId
        }
        fn org_of(model: &Model) -> &str {
            &model.org_id
        }
    }
}

/// Requests whose answer is the next commit of their instance.
pub(super) mod waiting_request {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "waiting_request")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub subject: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub rpc: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: String,
        pub instance_id: String,
        pub revision: i64,
        pub digest: String,
        pub actor: String,
        pub trace: String,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Who is reached where; instances at their default route claim nothing.
pub(super) mod route_claim {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "route_claim")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub host: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub path: String,
        pub instance_id: String,
        pub revision: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What the reconciler took over from the repository.
pub(super) mod applied {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "applied")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub instance_id: String,
        pub org_id: String,
        pub revision: i64,
        pub content_hash: String,
        pub commit_id: String,
        pub apply_time: i64,
        pub host: Option<String>,
        pub path: String,
        pub project_id: String,
        pub offering_version_id: String,
        pub capabilities: String,
        pub runs_per_minute: i64,
        pub input_bytes: i64,
        pub removed: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}

    impl souk_db::Tenant for Entity {
        fn org_column() -> Column {
            Column::OrgId
        }
        fn org_of(model: &Model) -> &str {
            &model.org_id
        }
    }
}
