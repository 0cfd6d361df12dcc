//! Copies of SQLite files: made as one consistent whole while others write, and read where they lie.
//!
//! Never a raw copy of a live file: what stands in the write-ahead log would be missing or torn.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, SqlxSqliteConnector, Statement};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::{Db, Error, Target};

/// The directory beside the parts' own in which copies from before a migration are kept.
pub const BEFORE_MIGRATION: &str = "before-migration";
/// How many of them are kept for each part.
const KEPT: usize = 5;

/// Copies the SQLite file `from`, which others may be writing, to `to`, which must not exist. The copy is on
/// the disk when this returns; a copy that fails leaves nothing that could pass for one.
///
/// # Errors
/// When the file is no database or cannot be read, `Error::Full` when there is no room.
pub async fn sqlite(from: &Path, to: &Path) -> Result<(), Error> {
    let options = SqliteConnectOptions::new().filename(from).create_if_missing(false);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let conn = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    let copied = vacuum(&conn, to).await;
    conn.close().await?;
    copied
}

/// Opens a copy for reading; makes no file beside it.
///
/// # Errors
/// When it is no database, or not a whole one.
pub async fn open(path: &Path) -> Result<DatabaseConnection, Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    let conn = SqlxSqliteConnector::from_sqlx_sqlite_pool(pool);
    let sql = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check(1)");
    let told = conn.query_one_raw(sql).await?.map(|row| row.try_get_by_index::<String>(0)).transpose()?;
    if told.as_deref() == Some("ok") {
        return Ok(conn);
    }
    Err(Error::value("the copy", told.unwrap_or_default()))
}

async fn vacuum(conn: &DatabaseConnection, to: &Path) -> Result<(), Error> {
    let text = to.to_str().ok_or_else(|| Error::Target("the copy's path is no UTF-8".to_owned()))?;
    let sql = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [text.into()]);
    let made = conn.execute_raw(sql).await.map(drop).map_err(Error::from);
    let to = to.to_owned();
    blocking(move || match made {
        Ok(()) => private(&to).map_err(io),
        Err(error) => {
            // What is left of it is no copy.
            fs::remove_file(&to).ok();
            Err(error)
        }
    })
    .await
}

/// Only its owner reads a copy, as the file itself; and it is on the disk.
fn private(path: &Path) -> std::io::Result<()> {
    let only_owner = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(path, only_owner)?;
    fs::File::open(path)?.sync_all()
}

fn io(error: std::io::Error) -> Error {
    sqlx::Error::Io(error).into()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::value("the copy", error))?
}

/// Where a file is copied to before it is changed.
pub(crate) struct Copies(Option<PathBuf>);

impl Copies {
    /// Looks whether there is something to copy; to be asked before the file is opened, which makes it.
    pub(crate) fn of(target: &Target) -> Self {
        match target {
            Target::Sqlite(path) if path.exists() => Self(Some(path.clone())),
            Target::Sqlite(_) | Target::Memory | Target::Postgres { .. } => Self(None),
        }
    }

    /// Copies the file as it stands at the migration `from`; says where the copy lies. The oldest copies of the
    /// part beyond what is kept go.
    pub(crate) async fn take(self, db: &Db, from: &str) -> Result<Option<PathBuf>, Error> {
        let Self(Some(file)) = self else { return Ok(None) };
        let (dir, service) = (home(&file, db.service()), db.service());
        let whole = dir.join(format!("{service}-{from}-{}.db", db.now().seconds()));
        let made = dir.clone();
        let ready = move || {
            std::os::unix::fs::DirBuilderExt::mode(fs::DirBuilder::new().recursive(true), 0o700)
                .create(made)
                .map_err(io)
        };
        blocking(ready).await?;
        let mut salt = [0_u8; 8];
        db.random().fill(&mut salt);
        // A copy that a kill cut short must not pass for a whole one: another name until it is.
        let part = dir.join(format!(".part-{}", hex::encode(salt)));
        vacuum(&db.inner.pools.writer, &part).await?;
        let there = whole.clone();
        blocking(move || {
            fs::rename(&part, &there).map_err(io)?;
            fs::File::open(&dir).and_then(|dir| dir.sync_all()).map_err(io)?;
            thin_out(&dir, service).map_err(io)
        })
        .await?;
        tracing::info!(service, copy = %whole.display(), "copied the database before migrating it");
        Ok(Some(whole))
    }
}

/// Beside the part's directory; beside the file itself where that lies in no directory of its part.
fn home(file: &Path, service: &str) -> PathBuf {
    let dir = file.parent().unwrap_or(Path::new(""));
    let own = dir.file_name().is_some_and(|name| name == service);
    let around = if own { dir.parent().unwrap_or(dir) } else { dir };
    around.join(BEFORE_MIGRATION)
}

fn thin_out(dir: &Path, service: &str) -> std::io::Result<()> {
    let mut copies = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.strip_prefix(service).is_some_and(|rest| rest.starts_with('-'));
        let time = name.strip_suffix(".db").and_then(|name| name.rsplit('-').next()?.parse::<i64>().ok());
        if let (true, Some(time)) = (ours, time) {
            copies.push((time, entry.path()));
        }
    }
    copies.sort();
    let surplus = copies.len().saturating_sub(KEPT);
    copies.into_iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_copies_of_each_part_stay() {
        let dir = tempfile::tempdir().unwrap();
        let names = |service: &str| {
            let all = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
            let mut all: Vec<_> = all.map(|name| name.into_string().unwrap()).collect();
            all.retain(|name| name.starts_with(service));
            all.sort();
            all
        };
        for time in 1..=8 {
            fs::write(dir.path().join(format!("runs-0001-first-{time}.db")), "").unwrap();
        }
        fs::write(dir.path().join("runner-0001-first-1.db"), "").unwrap();
        thin_out(dir.path(), "runs").unwrap();
        assert_eq!(names("runs-").len(), KEPT);
        assert_eq!(names("runs-")[0], "runs-0001-first-4.db");
        assert_eq!(names("runner-").len(), 1);
        assert_eq!(home(Path::new("d/runs/runs.db"), "runs"), Path::new("d/before-migration"));
        assert_eq!(home(Path::new("d/x/runs.db"), "runs"), Path::new("d/x/before-migration"));
    }
}
