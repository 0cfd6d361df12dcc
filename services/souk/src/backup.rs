//! A copy of the whole platform of one moment, and its way back into an empty directory.
//!
//! Writes of every part are held while the tables are copied, so that what one part says of another holds in
//! the copy too. Whatever lies beside the tables is copied after them: it is at least as new as the rows that
//! name it. A backup has its final name only when all of it is on the disk.

mod files;
mod hold;
mod manifest;
mod postgres;
mod restore;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use souk_billing::store::sums;
pub(crate) use souk_billing::store::sums::Wallet;
use souk_db::{Db, Deps, copy};
use souk_kit::clock::{MachineClock, MachineRandom};
use souk_types::{Clock as _, PartName, Random as _, Secret};

use self::{
    files::{Found, Stage},
    hold::Held,
};
pub(crate) use self::{manifest::Manifest, restore::restore};
use crate::{cli::Failure, parts::migrations, process::KEYRING, settings::Settings};

/// What became of a backup.
pub(crate) struct Taken {
    pub(crate) manifest: Manifest,
    /// For how long writes were held.
    pub(crate) held: Duration,
}

/// Backs the directory up to `to`: a directory that does not exist yet, or a file when it ends in `.tar`.
pub(crate) async fn take(data: &Path, settings: &Settings, to: &Path) -> Result<Taken, Failure> {
    if !data.join(KEYRING).exists() {
        let text = format!("there is no platform in {}", data.display());
        return Err(Failure::new(text).hint("name its directory: --data DIR"));
    }
    if to.exists() {
        let text = format!("{} exists already: a backup is never written over another", to.display());
        return Err(Failure::new(text).hint("name a path that does not exist"));
    }
    let postgres = settings.postgres_url().map_err(|mistakes| Failure::new(mistakes.to_string()))?;
    if postgres.is_some() {
        postgres::require_dump()?;
    }
    let stage = Stage::make(to, data)?;
    let outcome = fill(data, settings, postgres.as_ref(), &stage).await;
    let outcome = match outcome {
        Ok(taken) => stage.finish(to).map(|()| taken),
        Err(failure) => Err(failure),
    };
    // A stage that did not become the backup goes, whatever went wrong.
    outcome
        .map_err(|failure| failure.hint_if_none("nothing was kept of this backup; mend that and try again"))
}

async fn fill(
    data: &Path,
    settings: &Settings,
    postgres: Option<&Secret<String>>,
    stage: &Stage,
) -> Result<Taken, Failure> {
    let (mut held, start) = (Held::all(data).await?, MachineClock.now());
    let mut found = files::survey(data)?;
    let tables = match postgres {
        None => copy_tables(data, &found, stage).await?,
        Some(url) => {
            found.databases.clear();
            postgres::dump(url.expose(), stage.path()).await?;
            at_scale(settings, data).await?
        }
    };
    let (dir, here) = (stage.path().to_owned(), data.to_owned());
    let Found { at_once, later, dirs, .. } = found;
    let copied = blocking(move || {
        files::make_dirs(&dir, &dirs)?;
        files::copy_all(&here, &dir, &at_once)
    });
    copied.await?;
    held.still()?;
    drop(held);
    let span = MachineClock.now().since(start);
    let (dir, here) = (stage.path().to_owned(), data.to_owned());
    blocking(move || files::copy_all(&here, &dir, &later)).await?;
    let mut manifest = Manifest::new(MachineClock.now(), tables, outside(data, settings));
    manifest.wallets.sort_by(|one, other| one.wallet_id.cmp(&other.wallet_id));
    let dir = stage.path().to_owned();
    let manifest = blocking(move || manifest.seal(&dir)).await?;
    Ok(Taken { manifest, held: span })
}

/// What was read out of the tables that were copied.
#[derive(Default)]
pub(crate) struct Tables {
    /// The migrations of each part, in order.
    migrations: std::collections::BTreeMap<String, Vec<String>>,
    wallets: Vec<Wallet>,
    postgres: bool,
}

async fn copy_tables(data: &Path, found: &Found, stage: &Stage) -> Result<Tables, Failure> {
    let mut tables = Tables::default();
    for path in &found.databases {
        let to = stage.path().join(path);
        if let Some(dir) = to.parent() {
            files::make_dir(dir)?;
        }
        copy::sqlite(&data.join(path), &to).await.map_err(|error| failed(path, &error))?;
        read(path, &to, &mut tables).await?;
    }
    Ok(tables)
}

fn failed(path: &Path, error: &souk_db::Error) -> Failure {
    Failure::new(format!("{}: {}", path.display(), souk_kit::status::chain(error)))
}

/// The part whose tables a file of the directory holds.
fn part_of(path: &Path) -> Option<PartName> {
    PartName::ALL.iter().copied().find(|part| path == Path::new(part.as_str()).join(format!("{part}.db")))
}

async fn read(path: &Path, copy: &Path, tables: &mut Tables) -> Result<(), Failure> {
    let conn = copy::open(copy).await.map_err(|error| failed(path, &error))?;
    let Some(part) = part_of(path) else { return Ok(()) };
    let applied = souk_db::migrate::history(&conn).await.map_err(|error| failed(path, &error))?;
    tables.migrations.insert(part.to_string(), applied);
    if part == PartName::Billing {
        tables.wallets = sums::wallets(&conn).await.map_err(|error| failed(path, &error))?;
    }
    conn.close().await.map_err(|error| failed(path, &error.into()))
}

/// As `copy_tables`, for tables that `pg_dump` wrote out.
async fn at_scale(settings: &Settings, data: &Path) -> Result<Tables, Failure> {
    let mut tables = Tables { postgres: true, ..Tables::default() };
    for part in PartName::ALL {
        let Some(steps) = migrations(*part) else { continue };
        let path = PathBuf::from(part.as_str());
        let target = settings.target(data, *part).map_err(|mistakes| Failure::new(mistakes.to_string()))?;
        let deps = Deps::new(Arc::new(MachineClock), Arc::new(MachineRandom::default()));
        let db = Db::open(part.as_str(), target, deps, steps).await.map_err(|error| failed(&path, &error))?;
        let applied = souk_db::migrate::history(db.read()).await.map_err(|error| failed(&path, &error))?;
        tables.migrations.insert(part.to_string(), applied);
        if *part == PartName::Billing {
            tables.wallets = sums::wallets(db.read()).await.map_err(|error| failed(&path, &error))?;
        }
        db.close().await.map_err(|error| failed(&path, &error))?;
    }
    Ok(tables)
}

/// What the settings keep outside of the directory, and a backup does not reach.
fn outside(data: &Path, settings: &Settings) -> Vec<String> {
    let repository = &settings.delivery.repository;
    let inside = repository.as_os_str().is_empty() || repository.starts_with(data);
    if inside { Vec::new() } else { vec![repository.display().to_string()] }
}

/// Runs work on files where it stops nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::broken(&error))?
}

/// What to say of a file that the system refused.
fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Failure + '_ {
    move |error| Failure::new(format!("{}: {error}", path.display()))
}

/// A name beside `path` that nobody else has: what is not whole yet lies there.
fn beside(path: &Path) -> Result<PathBuf, Failure> {
    let mut salt = [0_u8; 6];
    MachineRandom::default().fill(&mut salt);
    let name = path.file_name().ok_or_else(|| Failure::new(format!("{} names no file", path.display())))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(dir).map_err(at(dir))?;
    Ok(dir.join(format!(".{}.part-{}", name.to_string_lossy(), hex::encode(salt))))
}

/// Sees to it that a name is on the disk.
fn sync_dir(dir: &Path) -> Result<(), Failure> {
    fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(at(dir))
}

#[cfg(test)]
mod tests;
