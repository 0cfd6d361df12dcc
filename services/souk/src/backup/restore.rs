//! The way back: into an empty directory, and only when everything is as it was.

use std::{
    fs,
    path::{Component, Path},
};

use souk_billing::store::sums;
use souk_db::copy;

use super::{Manifest, at, blocking, failed, files, files::Stage, sync_dir};
use crate::cli::{Failure, OPERATOR, Saved};

/// Restores a backup, a directory or a `.tar`, into `data`, which must be absent or empty. The directory has its
/// name only when all of it was held against the manifest.
pub(crate) async fn restore(from: &Path, data: &Path) -> Result<Manifest, Failure> {
    if data.exists() && fs::read_dir(data).map_err(at(data))?.next().is_some() {
        let text = format!("{} is not empty: nothing is restored over what is there", data.display());
        return Err(Failure::new(text).hint("name another directory: --data DIR"));
    }
    let stage = Stage::make(data, from)?;
    let (source, dir) = (from.to_owned(), stage.path().to_owned());
    let manifest = blocking(move || {
        bring(&source, &dir)?;
        Manifest::verify(&dir)
    })
    .await?;
    if !manifest.postgres {
        compare(&manifest, stage.path()).await?;
    }
    Manifest::strip(stage.path())?;
    forget_server(&stage.path().join(OPERATOR))?;
    if data.exists() {
        fs::remove_dir(data).map_err(at(data))?;
    }
    let (_, dirs) = files::listing(stage.path())?;
    dirs.iter().try_for_each(|dir| sync_dir(&stage.path().join(dir)))?;
    sync_dir(stage.path())?;
    fs::rename(stage.path(), data).map_err(at(data))?;
    Ok(manifest)
}

/// The original may still run where the backup says: a command in the restored directory must not reach it.
fn forget_server(operator: &Path) -> Result<(), Failure> {
    match Saved::read(operator)? {
        Some(saved) => Saved { server: None, ..saved }.write(operator),
        None => Ok(()),
    }
}

/// Puts every file of a backup into `dir`.
fn bring(from: &Path, dir: &Path) -> Result<(), Failure> {
    if from.is_dir() {
        let (paths, dirs) = files::listing(from)?;
        files::make_dirs(dir, &dirs)?;
        return files::copy_all(from, dir, &paths);
    }
    let mut archive = tar::Archive::new(fs::File::open(from).map_err(at(from))?);
    for entry in archive.entries().map_err(at(from))? {
        let mut entry = entry.map_err(at(from))?;
        let path = entry.path().map_err(at(from))?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !plain || !entry.header().entry_type().is_file() {
            return Err(Failure::new(format!("this is no whole backup: {} is odd", path.display())));
        }
        files::write(&mut entry, &dir.join(&path))?;
    }
    Ok(())
}

/// Holds the ledger of the restored tables against the moment of the backup.
async fn compare(manifest: &Manifest, dir: &Path) -> Result<(), Failure> {
    for part in manifest.migrations.keys() {
        let path = Path::new(part).join(format!("{part}.db"));
        let conn = copy::open(&dir.join(&path)).await.map_err(|error| failed(&path, &error))?;
        if part == "billing" {
            let wallets = sums::wallets(&conn).await.map_err(|error| failed(&path, &error))?;
            if wallets != manifest.wallets {
                let text = "the ledger is not what it was at the moment of the backup";
                return Err(Failure::new(text).hint("nothing was restored; take another backup"));
            }
        }
        conn.close().await.map_err(|error| failed(&path, &error.into()))?;
    }
    Ok(())
}
