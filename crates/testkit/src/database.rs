//! One empty database for each engine, so that a store's suite runs on every one of them.

use std::{ops::Deref, sync::Arc};

use souk_db::{CommitObserver, Db, Deps, Error, Migration, Target};

use crate::{
    clock::{SeededRandom, StoppedClock},
    postgres::Postgres,
};

/// A migrated database of one test, with the surroundings it was given.
#[derive(Debug)]
pub struct Database {
    /// `sqlite` or `postgres`, for messages.
    pub engine: &'static str,
    /// What the database believes the time to be.
    pub clock: Arc<StoppedClock>,
    /// Where ids come from.
    pub random: Arc<SeededRandom>,
    /// Where it lives, for further handles.
    pub target: Target,
    db: Db,
    service: &'static str,
    migrations: &'static [Migration],
    _dir: Option<tempfile::TempDir>,
}

impl Deref for Database {
    type Target = Db;
    fn deref(&self) -> &Db {
        &self.db
    }
}

impl Database {
    /// Another handle of the same database, as another process would have it.
    ///
    /// # Errors
    /// As `Db::open`.
    pub async fn again(&self) -> Result<Db, Error> {
        let deps = Deps::new(self.clock.clone(), self.random.clone());
        Db::open(self.service, self.target.clone(), deps, self.migrations).await
    }

    /// Another handle, whose commits `observer` sees.
    ///
    /// # Errors
    /// As `Db::open`.
    pub async fn observed(&self, observer: Arc<dyn CommitObserver>) -> Result<Db, Error> {
        let deps = Deps { observer, ..Deps::new(self.clock.clone(), self.random.clone()) };
        Db::open(self.service, self.target.clone(), deps, self.migrations).await
    }
}

/// An empty migrated database on SQLite (a file) and one on PostgreSQL, where that is installed.
///
/// # Panics
/// When one cannot be made.
pub async fn databases(service: &'static str, migrations: &'static [Migration]) -> Vec<Database> {
    let mut all = vec![sqlite(service, migrations).await];
    all.extend(postgres(service, migrations).await);
    all
}

/// An empty migrated SQLite file in a directory of its own.
///
/// # Panics
/// When it cannot be made.
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub async fn sqlite(service: &'static str, migrations: &'static [Migration]) -> Database {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let target = Target::Sqlite(dir.path().join(format!("{service}.db")));
    made("sqlite", service, migrations, (target, Some(dir))).await
}

/// An empty migrated schema on PostgreSQL, where that is installed.
///
/// # Panics
/// When it cannot be made.
pub async fn postgres(service: &'static str, migrations: &'static [Migration]) -> Option<Database> {
    let target = Postgres::shared()?.schema(service);
    Some(made("postgres", service, migrations, (target, None)).await)
}

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
async fn made(
    engine: &'static str,
    service: &'static str,
    migrations: &'static [Migration],
    (target, dir): (Target, Option<tempfile::TempDir>),
) -> Database {
    let (clock, random) = (StoppedClock::new(), SeededRandom::new(1));
    let deps = Deps::new(clock.clone(), random.clone());
    let db = Db::migrate(service, target.clone(), deps, migrations).await.expect("the database is made");
    Database { engine, clock, random, target, db, service, migrations, _dir: dir }
}
