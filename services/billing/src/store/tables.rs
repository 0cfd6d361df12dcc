//! The tables as they are: texts and numbers. What they mean is said in `convert`.

/// An org's credits; the row whose lock guards everything of the org.
pub(super) mod wallets {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "wallets")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub wallet_id: String,
        pub org_id: String,
        pub state: String,
        pub available_micros: i64,
        pub reserved_micros: i64,
        pub create_time: i64,
        pub version: i64,
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

/// Credits that came in together.
pub(super) mod lots {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "lots")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub lot_id: String,
        pub org_id: String,
        pub wallet_id: String,
        pub source: String,
        pub source_ref: String,
        pub priority: i64,
        pub expire_time: Option<i64>,
        pub original_micros: i64,
        pub available_micros: i64,
        pub reserved_micros: i64,
        pub reversed_micros: i64,
        pub pending_micros: i64,
        pub reversal_ref: String,
        pub create_time: i64,
        pub version: i64,
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

/// An instance's spending right.
pub(super) mod accounts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "accounts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub instance_id: String,
        pub org_id: String,
        pub wallet_id: String,
        pub schedule_hash: String,
        pub state: String,
        pub create_time: i64,
        pub version: i64,
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

/// Credits authorized for one piece of work.
pub(super) mod reservations {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "reservations")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub reservation_id: String,
        pub org_id: String,
        pub wallet_id: String,
        pub instance_id: String,
        pub schedule_hash: String,
        pub source_ref: String,
        pub budget_micros: i64,
        pub allocations: String,
        pub state: String,
        pub create_time: i64,
        pub expire_time: i64,
        pub close_time: Option<i64>,
        pub version: i64,
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

/// One line of a ledger entry; line 0 is the wallet's.
pub(super) mod entries {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "entries")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub ledger_entry_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub line: i64,
        pub org_id: String,
        pub wallet_id: String,
        pub book: String,
        pub amount_micros: i64,
        pub kind: String,
        pub lot_id: Option<String>,
        pub reservation_id: Option<String>,
        pub instance_id: Option<String>,
        pub source_ref: String,
        pub balance_micros: i64,
        pub create_time: i64,
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

/// What one settled reservation cost.
pub(super) mod receipts {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "receipts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub receipt_id: String,
        pub reservation_id: String,
        pub org_id: String,
        pub wallet_id: String,
        pub instance_id: String,
        pub ledger_entry_id: String,
        pub schedule_hash: String,
        pub usage: String,
        pub cost_micros: i64,
        pub charged_micros: i64,
        pub overrun_micros: i64,
        pub charges: String,
        pub balance_micros: i64,
        pub late: bool,
        pub create_time: i64,
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

/// A price schedule under the hash of its content.
pub(super) mod schedules {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "schedules")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub schedule_hash: String,
        pub content: String,
        pub create_time: i64,
    }

    #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
