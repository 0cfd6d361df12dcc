//! Brings a schema up to date, once, in one transaction, whoever else tries at the same moment.
//!
//! Migrations are append only: a name and text that were released never change.

mod ddl;

use std::collections::BTreeMap;

use aws_lc_rs::digest;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{Db, Error, Tx, copy::Copies, tables};

/// How often the first tables are tried while another replica makes them.
const BOOTSTRAP_TRIES: u32 = 10;

/// One step in the life of a schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Unique within the service and stable: `0001-wallets`.
    pub name: &'static str,
    /// Statements in order; see `ddl` for the tokens of column types.
    pub up: &'static [&'static str],
}

impl Migration {
    fn digest(&self) -> String {
        let mut hash = digest::Context::new(&digest::SHA256);
        for step in self.up {
            hash.update(step.as_bytes());
            hash.update(&[0]);
        }
        hex::encode(hash.finish())
    }
}

/// Why a schema is not brought up to date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// At scale a schema is migrated by its own command, before the parts start.
    #[error("the schema waits for migration {name}: run souk migrate")]
    Pending {
        /// The first migration that is missing.
        name: String,
    },
    /// The text of a migration is not what was applied under its name.
    #[error("migration {name} was applied with another text")]
    Changed {
        /// The migration.
        name: String,
    },
    /// A newer build was here.
    #[error("the schema has migration {name}, which this build does not know: use a newer build")]
    Newer {
        /// The unknown migration.
        name: String,
    },
    /// A migration is not written in the SQL profile.
    #[error("migration {name}: {what}")]
    Text {
        /// The migration.
        name: String,
        /// What is wrong.
        what: String,
    },
}

fn plan(migrations: &'static [Migration]) -> impl Iterator<Item = &'static Migration> + Clone {
    tables::OWN.iter().chain(migrations)
}

/// Migrates the one file of an embedded part, after copying it.
pub(crate) async fn embedded(db: &Db, copies: Copies, migrations: &'static [Migration]) -> Result<(), Error> {
    check_names(migrations)?;
    let pending = pending(&db.inner.pools.writer, migrations).await?;
    let Some(first) = pending.first() else { return Ok(()) };
    let before = plan(migrations).take_while(|migration| migration.name != first.name).last();
    let copy = copies.take(db, before.map_or("empty", |migration| migration.name)).await?;
    let changed = async {
        bootstrap(db).await?;
        apply(db, migrations).await
    };
    match (changed.await, copy) {
        // Others are at work, or there is no room: trying again helps, a copy does not.
        (Err(error @ (Error::Unavailable(_) | Error::Full(_) | Error::Migration(_))), _) => Err(error),
        (Err(cause), Some(copy)) => Err(Error::MigrationFailed { copy, cause: Box::new(cause) }),
        (outcome, _) => outcome,
    }
}

/// The migrations that a service's tables went through, in their order.
///
/// # Errors
/// When the tables cannot be read.
pub async fn history(conn: &impl ConnectionTrait) -> Result<Vec<String>, Error> {
    let sql = "SELECT name FROM migration ORDER BY apply_time, name";
    let rows = conn.query_all_raw(Statement::from_string(conn.get_database_backend(), sql)).await?;
    rows.iter().map(|row| Ok(row.try_get("", "name")?)).collect()
}

/// The names of all migrations of a part, its own and those of this crate, in the order they are applied.
#[must_use]
pub fn names(migrations: &'static [Migration]) -> Vec<&'static str> {
    plan(migrations).map(|migration| migration.name).collect()
}

/// Migrates a schema that many replicas share, under a lock row.
pub(crate) async fn at_scale(db: &Db, schema: &str, migrations: &'static [Migration]) -> Result<(), Error> {
    check_names(migrations)?;
    let writer = &db.inner.pools.writer;
    let sql = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    let found = Statement::from_sql_and_values(DbBackend::Postgres, sql, [schema.into()]);
    if writer.query_one_raw(found).await?.is_none() {
        let made = writer.execute_unprepared(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await;
        // IF NOT EXISTS does not keep two replicas from racing for the same name.
        match made.map_err(Error::from) {
            Ok(_) | Err(Error::Duplicate(_)) => {}
            Err(error) => return Err(error),
        }
    }
    bootstrap(db).await?;
    apply(db, migrations).await
}

/// Refuses a schema that is not exactly what `migrations` make.
pub(crate) async fn require_current(db: &Db, migrations: &'static [Migration]) -> Result<(), Error> {
    check_names(migrations)?;
    match pending(&db.inner.pools.writer, migrations).await?.first() {
        Some(first) => Err(Refusal::Pending { name: first.name.to_owned() }.into()),
        None => Ok(()),
    }
}

fn check_names(migrations: &'static [Migration]) -> Result<(), Refusal> {
    let mut seen = std::collections::BTreeSet::new();
    for migration in plan(migrations) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if migration.name.is_empty() || !migration.name.bytes().all(plain) || !seen.insert(migration.name) {
            let what = "a name is a-z, 0-9, - and _, and stands once".to_owned();
            return Err(Refusal::Text { name: migration.name.to_owned(), what });
        }
    }
    Ok(())
}

/// What is not applied yet, in order.
async fn pending(
    conn: &impl ConnectionTrait,
    migrations: &'static [Migration],
) -> Result<Vec<&'static Migration>, Error> {
    let mut applied = applied(conn).await?;
    let mut missing = Vec::new();
    for migration in plan(migrations) {
        match applied.remove(migration.name) {
            None => missing.push(migration),
            Some(digest) if digest == migration.digest() => {}
            Some(_) => return Err(Refusal::Changed { name: migration.name.to_owned() }.into()),
        }
    }
    match applied.into_keys().next() {
        Some(name) => Err(Refusal::Newer { name }.into()),
        None => Ok(missing),
    }
}

async fn applied(conn: &impl ConnectionTrait) -> Result<BTreeMap<String, String>, Error> {
    let backend = conn.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => {
            "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.relname = 'migration' AND n.nspname = current_schema()"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'migration'",
    };
    if conn.query_one_raw(Statement::from_string(backend, exists)).await?.is_none() {
        return Ok(BTreeMap::new());
    }
    let rows = conn.query_all_raw(Statement::from_string(backend, "SELECT name, digest FROM migration"));
    rows.await?.iter().map(|row| Ok((row.try_get("", "name")?, row.try_get("", "digest")?))).collect()
}

/// Makes the tables that the lock itself stands in.
async fn bootstrap(db: &Db) -> Result<(), Error> {
    let mut tries = 0;
    loop {
        let made = db.write("db.bootstrap", |tx| async move {
            for step in tables::BOOTSTRAP {
                tx.execute_unprepared(&ddl::render("bootstrap", step, tx.get_database_backend())?).await?;
            }
            Ok(())
        });
        match made.await {
            // Two replicas that make the same table collide inside of PostgreSQL's own catalogue.
            Err(Error::Duplicate(_) | Error::Statement(_)) if tries < BOOTSTRAP_TRIES => tries += 1,
            outcome => return outcome,
        }
    }
}

async fn apply(db: &Db, migrations: &'static [Migration]) -> Result<(), Error> {
    db.write("db.migrate", |tx| async move {
        lock(&tx).await?;
        let backend = tx.get_database_backend();
        for migration in pending(&tx, migrations).await? {
            tracing::info!(service = tx.service(), migration = migration.name, "migrating");
            for step in migration.up {
                tx.execute_unprepared(&ddl::render(migration.name, step, backend)?).await?;
            }
            let sql = "INSERT INTO migration (name, digest, apply_time) VALUES ($1, $2, $3)";
            let row = [migration.name.into(), migration.digest().into(), tx.now().micros().into()];
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, row)).await?;
        }
        Ok(())
    })
    .await
}

async fn lock(tx: &Tx) -> Result<(), Error> {
    if tx.get_database_backend() == DbBackend::Postgres {
        // Another replica may be at work for long; waiting for it is the point.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        tx.execute_unprepared("SET LOCAL lock_timeout = 0").await?;
        tx.execute_unprepared("SELECT id FROM migration_lock WHERE id = 1 FOR UPDATE").await?;
    }
    Ok(())
}
