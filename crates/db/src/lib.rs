//! One service's database: pools, transactions, migrations, request log, outbox, cursors and scoped reads.
//!
//! SQLite (embedded) and PostgreSQL (at scale) behind one profile of SQL. Nothing here knows the wire
//! (tonic, prost) or another part of the mesh; what a service stores stays in that service's `store`.
//!
//! ```
//! use sea_orm::{ActiveValue::Set, EntityTrait as _};
//! use souk_db::{Db, Error, Migration, Once, Request, once};
//!
//! // Not `#[sea_orm::model]`: what it derives begins transactions by itself, which is banned.
//! mod note {
//!     use sea_orm::entity::prelude::*;
//!
//!     #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
//!     #[sea_orm(table_name = "note")]
//!     pub struct Model {
//!         #[sea_orm(primary_key, auto_increment = false)]
//!         pub id: String,
//!         pub org_id: String,
//!     }
//!
//!     #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
//!     pub enum Relation {}
//!
//!     impl ActiveModelBehavior for ActiveModel {}
//! }
//!
//! const MIGRATIONS: &[Migration] = &[Migration {
//!     name: "0001-notes",
//!     up: &["CREATE TABLE note (id {id} PRIMARY KEY, org_id {id} NOT NULL)"],
//! }];
//!
//! async fn add(db: &Db, request: &Request, id: &str, org: &str) -> Result<String, Error> {
//!     let written = db.write("notes.add", |tx| async move {
//!         once(&tx, request, || async {
//!             let row = note::ActiveModel { id: Set(id.to_owned()), org_id: Set(org.to_owned()) };
//!             note::Entity::insert(row).exec_without_returning(&tx).await?;
//!             tx.ring(format!("note/{id}"));
//!             Ok(id.to_owned())
//!         })
//!         .await
//!     });
//!     written.await.map(Once::into_answer)
//! }
//! ```

pub mod audit;
pub mod copy;
pub mod cursor;
mod error;
mod gate;
pub mod migrate;
pub mod once;
pub mod outbox;
mod pool;
mod retention;
pub mod scope;
mod tables;
mod tx;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{DatabaseConnection, DbBackend};
use souk_types::{Clock, Random, Secret, Time};
use tokio::sync::{broadcast, watch};

pub use crate::{
    error::Error,
    gate::Hold,
    migrate::Migration,
    once::{Once, Request, once},
    outbox::Outbox,
    scope::{Denial, Tenant, for_every_tenant, one, one_locked, scoped},
    tx::Tx,
};

/// How many rings a slow listener may miss before it is told that it lagged (and must look everywhere).
const BELLS: usize = 1024;

/// Where a service's tables live.
#[derive(Clone, Debug)]
pub enum Target {
    /// One SQLite file in WAL mode, made when absent.
    Sqlite(PathBuf),
    /// A private SQLite database that ends with the handle; for tests and dry runs.
    Memory,
    /// A schema of a PostgreSQL database.
    Postgres {
        /// `postgres://…`, with whatever TLS mode it asks for.
        url: Secret<String>,
        /// The schema: lower-case letters, digits and underscores.
        schema: String,
    },
}

/// Is told of every commit, by the name of its site. Installed by tests only.
pub trait CommitObserver: Send + Sync {
    /// All statements ran, COMMIT was not sent.
    fn before(&self, _site: &'static str) {}
    /// COMMIT was answered, nobody was told.
    fn after(&self, _site: &'static str) {}
}

/// The observer of every process that is not under test: looks away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl CommitObserver for Unobserved {}

/// What a database takes from its surroundings.
#[derive(Clone)]
pub struct Deps {
    /// Tells the time; no time comes from the database.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and spreads retries.
    pub random: Arc<dyn Random>,
    /// Sees commits.
    pub observer: Arc<dyn CommitObserver>,
    /// How long events are kept; `outbox::KEPT` is what is usual.
    pub keep_events: Duration,
}

impl Deps {
    /// The usual surroundings: commits are not observed.
    pub fn new(clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { clock, random, observer: Arc::new(Unobserved), keep_events: outbox::KEPT }
    }
}

/// One service's database. Cheap to clone; all clones share the pools.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    service: &'static str,
    pools: pool::Pools,
    deps: Deps,
    bell: broadcast::Sender<Arc<str>>,
    gate: gate::Gate,
    /// The highest outbox position this process has assigned or seen.
    numbered: watch::Sender<i64>,
}

impl fmt::Debug for Db {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Db").field("service", &self.inner.service).finish_non_exhaustive()
    }
}

impl Db {
    /// Opens the database of `service`.
    ///
    /// SQLite migrates by itself, after copying a file that holds something. PostgreSQL must have been
    /// migrated before (`migrate`).
    ///
    /// # Errors
    /// When the database does not answer, when its schema is not the one of `migrations`, or when a
    /// migration fails; a failed migration leaves the schema as it was.
    pub async fn open(
        service: &'static str,
        target: Target,
        deps: Deps,
        migrations: &'static [Migration],
    ) -> Result<Self, Error> {
        let copies = copy::Copies::of(&target);
        let db = Self::connect(service, &target, deps).await?;
        match db.backend() {
            DbBackend::Postgres => migrate::require_current(&db, migrations).await?,
            _ => migrate::embedded(&db, copies, migrations).await?,
        }
        Ok(db)
    }

    /// Brings the schema up to date under a lock row, then opens the database. Safe to run from many
    /// replicas at the same time: one does the work, the others wait.
    ///
    /// # Errors
    /// As `open`.
    pub async fn migrate(
        service: &'static str,
        target: Target,
        deps: Deps,
        migrations: &'static [Migration],
    ) -> Result<Self, Error> {
        let copies = copy::Copies::of(&target);
        let db = Self::connect(service, &target, deps).await?;
        match &target {
            Target::Postgres { schema, .. } => migrate::at_scale(&db, schema, migrations).await?,
            Target::Sqlite(_) | Target::Memory => migrate::embedded(&db, copies, migrations).await?,
        }
        Ok(db)
    }

    async fn connect(service: &'static str, target: &Target, deps: Deps) -> Result<Self, Error> {
        let pools = pool::open(service, target, deps.random.as_ref()).await?;
        let (bell, numbered) = (broadcast::Sender::new(BELLS), watch::Sender::new(0));
        let gate = gate::Gate::default();
        Ok(Self { inner: Arc::new(Inner { service, pools, deps, bell, gate, numbered }) })
    }

    /// The service whose database this is.
    #[must_use]
    pub fn service(&self) -> &'static str {
        self.inner.service
    }

    /// Connections that only read. What they see is committed; a write in course is not seen.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.inner.pools.reader
    }

    /// Which engine answers.
    #[must_use]
    pub fn backend(&self) -> DbBackend {
        self.inner.pools.writer.get_database_backend()
    }

    /// Hears what committed writes rang (`Tx::ring`). A doorbell only: read the row again. A listener
    /// that lagged must look at everything it waits for; other replicas do not ring here.
    #[must_use]
    pub fn bell(&self) -> broadcast::Receiver<Arc<str>> {
        self.inner.bell.subscribe()
    }

    /// The injected clock's present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.inner.deps.clock.now()
    }

    /// The injected clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.deps.clock
    }

    /// The injected randomness; `InstanceId::new(db.now(), db.random())` makes an id.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        self.inner.deps.random.as_ref()
    }

    /// The events this service published and those that wait for their position.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.clone())
    }

    /// What the engine says it does to keep a commit, read back from it: name and value.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn durability(&self) -> Result<Vec<(String, String)>, Error> {
        pool::durability(&self.inner.pools.writer).await
    }

    /// Closes the pools; waits until connections in use are given back.
    ///
    /// # Errors
    /// When the engine refuses to close.
    pub async fn close(self) -> Result<(), Error> {
        let pool::Pools { writer, reader } = self.inner.pools.clone();
        reader.close().await?;
        Ok(writer.close().await?)
    }
}
