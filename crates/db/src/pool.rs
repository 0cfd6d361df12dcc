//! The pools of both engines and the settings that make a commit durable.
//!
//! SQLite: one writer connection, a few that only read. PostgreSQL: the same split, by a server setting.
//! No statement of a service lives here.

use std::{path::Path, str::FromStr as _, time::Duration};

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector,
    Statement,
};
use souk_types::Random;
use sqlx::{
    Connection as _, SqliteConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Error, Target};

/// How long a caller waits for a free connection, the one SQLite writer included.
const ACQUIRE: Duration = Duration::from_secs(10);
/// How long SQLite waits for a lock that another process holds.
const BUSY: Duration = Duration::from_secs(5);
/// How long between two tries to open a file that another process just opens or closes.
const REOPEN: Duration = Duration::from_millis(25);
const SQLITE_READERS: u32 = 4;
const POSTGRES_WRITERS: u32 = 8;
const POSTGRES_READERS: u32 = 8;

#[derive(Clone)]
pub(crate) struct Pools {
    pub(crate) writer: DatabaseConnection,
    pub(crate) reader: DatabaseConnection,
}

pub(crate) async fn open(
    service: &'static str,
    target: &Target,
    random: &dyn Random,
) -> Result<Pools, Error> {
    match target {
        Target::Sqlite(path) => {
            if let Some(parent) = path.parent() {
                tokio::fs::create_dir_all(parent).await.map_err(sqlx::Error::Io)?;
            }
            sqlite(sqlite_options(path)).await
        }
        Target::Memory => {
            let mut name = [0_u8; 16];
            random.fill(&mut name);
            // The memdb file system shares one database among the connections of a process by name.
            let options = sqlite_options(Path::new(&format!("/{service}-{}", hex::encode(name))));
            sqlite(options.vfs("memdb")).await
        }
        Target::Postgres { url, schema } => {
            check_schema(schema)?;
            // The message of a URL that cannot be parsed may quote it, password included.
            let options = PgConnectOptions::from_str(url.expose())
                .map_err(|_| Error::Target("the PostgreSQL URL cannot be read".to_owned()))?;
            postgres(service, options, schema).await
        }
    }
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("trusted_schema", "OFF")
}

async fn sqlite(options: SqliteConnectOptions) -> Result<Pools, Error> {
    let keep = || {
        SqlitePoolOptions::new()
            .acquire_timeout(ACQUIRE)
            // A burst queues for the one writer: that is no news, a line for each who waited even less so.
            .acquire_slow_threshold(ACQUIRE)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
    };
    let writer = || {
        let writer = keep().max_connections(1).min_connections(1);
        writer.after_release(|connection, _| Box::pin(outside_of_a_transaction(connection)))
    };
    let writer = first(|| writer().connect_with(options.clone())).await?;
    // query_only rather than a read-only open: a read-only connection cannot recover a WAL.
    let reader =
        keep().max_connections(SQLITE_READERS).connect_with(options.pragma("query_only", "ON")).await?;
    Ok(Pools {
        writer: SqlxSqliteConnector::from_sqlx_sqlite_pool(writer),
        reader: SqlxSqliteConnector::from_sqlx_sqlite_pool(reader),
    })
}

/// Whether a writer that comes back may be used again.
///
/// SQLite takes a transaction back by itself when the disk is full or does not answer. The rollback that
/// follows is refused, and the driver goes on counting a transaction: what is written next would be a part
/// of it that is answered and never committed. Such a connection is closed, and a fresh one takes its place.
async fn outside_of_a_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The rollback of a write that was dropped is queued before this.
    connection.ping().await?;
    let outside = !connection.is_in_transaction();
    if !outside {
        tracing::warn!("the writer came back within a transaction and is closed");
    }
    Ok(outside)
}

/// Opens the first connection. Whoever else opens or closes the same file at this moment holds it in a way
/// that SQLite does not wait for (the switch to WAL), so the waiting is done here.
async fn first<T, Fut>(open: impl Fn() -> Fut) -> Result<T, Error>
where
    Fut: Future<Output = Result<T, sqlx::Error>>,
{
    let mut waited = Duration::ZERO;
    loop {
        match open().await.map_err(Error::from) {
            Err(Error::Unavailable(_)) if waited < BUSY => {
                tokio::time::sleep(REOPEN).await;
                waited += REOPEN;
            }
            outcome => return outcome,
        }
    }
}

async fn postgres(service: &str, options: PgConnectOptions, schema: &str) -> Result<Pools, Error> {
    let options = options.application_name(&format!("souk-{service}")).options([
        ("search_path", schema),
        ("statement_timeout", "10000"),
        ("lock_timeout", "8000"),
        ("idle_in_transaction_session_timeout", "30000"),
        ("client_min_messages", "warning"),
    ]);
    let pool = |most| PgPoolOptions::new().acquire_timeout(ACQUIRE).max_connections(most);
    let writer = pool(POSTGRES_WRITERS).connect_with(options.clone()).await?;
    let reader = pool(POSTGRES_READERS)
        .connect_with(options.options([("default_transaction_read_only", "on")]))
        .await?;
    Ok(Pools {
        writer: SqlxPostgresConnector::from_sqlx_postgres_pool(writer),
        reader: SqlxPostgresConnector::from_sqlx_postgres_pool(reader),
    })
}

/// A schema name goes into statements and settings unquoted, so it must be plain.
fn check_schema(schema: &str) -> Result<(), Error> {
    let plain = schema.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let lead = schema.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    if plain && lead && schema.len() <= 63 {
        return Ok(());
    }
    Err(Error::Target(format!(
        "{schema:?} is no schema name: use a-z, 0-9 and _, at most 63, a letter first"
    )))
}

pub(crate) async fn durability(writer: &DatabaseConnection) -> Result<Vec<(String, String)>, Error> {
    let backend = writer.get_database_backend();
    let (word, names): (_, &[&str]) = match backend {
        DbBackend::Postgres => ("SHOW", &["fsync", "synchronous_commit", "full_page_writes"]),
        _ => ("PRAGMA", &["journal_mode", "synchronous", "foreign_keys"]),
    };
    let mut settings = Vec::with_capacity(names.len());
    for name in names {
        let row = writer.query_one_raw(Statement::from_string(backend, format!("{word} {name}"))).await?;
        let value = match row {
            None => String::new(),
            Some(row) => match row.try_get_by_index::<String>(0) {
                Ok(text) => text,
                Err(_) => row.try_get_by_index::<i64>(0)?.to_string(),
            },
        };
        let value = match (*name, value.as_str()) {
            ("synchronous", "2") => "FULL".to_owned(),
            _ => value,
        };
        settings.push(((*name).to_owned(), value));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_names_are_plain() {
        assert!(check_schema("billing_1").is_ok());
        for bad in ["", "1a", "a;drop", "A", "a-b", "a b", &"a".repeat(64)] {
            assert!(check_schema(bad).is_err(), "{bad}");
        }
    }
}
