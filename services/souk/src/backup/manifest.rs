//! What a backup says of itself: which build made it when, which files it has, and what the ledger held.

use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use souk_types::{PartName, Time};

use super::{Tables, Wallet, at, files};
use crate::{cli::Failure, parts::migrations};

/// The form of a manifest that this build writes and reads.
const FORMAT: u32 = 1;
const FILE: &str = "manifest.json";
/// The manifest's own SHA-256: a manifest that was bent describes nothing.
const SEAL: &str = "manifest.sha256";

/// A backup's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Manifest {
    format: u32,
    /// The build that made it.
    pub(crate) souk: String,
    /// When, in microseconds since 1970.
    pub(crate) time_micros: i64,
    /// Whether the tables are a dump of PostgreSQL.
    pub(crate) postgres: bool,
    /// What the settings keep outside of the directory, and this backup does not hold.
    pub(crate) outside: Vec<String>,
    /// The migrations of each part's tables.
    pub(crate) migrations: BTreeMap<String, Vec<String>>,
    pub(crate) wallets: Vec<Wallet>,
    dirs: Vec<PathBuf>,
    pub(crate) files: Vec<File>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    path: PathBuf,
    pub(crate) bytes: u64,
    sha256: String,
}

fn odd(text: impl std::fmt::Display) -> Failure {
    Failure::new(format!("this is no whole backup: {text}")).hint("nothing was restored; take another backup")
}

impl Manifest {
    pub(super) fn new(now: Time, tables: Tables, outside: Vec<String>) -> Self {
        let Tables { migrations, wallets, postgres } = tables;
        Self {
            format: FORMAT,
            souk: env!("CARGO_PKG_VERSION").to_owned(),
            time_micros: now.micros(),
            postgres,
            outside,
            migrations,
            wallets,
            dirs: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Whether a path is the manifest or its seal.
    pub(super) fn is_part(path: &Path) -> bool {
        path == Path::new(FILE) || path == Path::new(SEAL)
    }

    /// Weighs what lies in `dir` and writes the manifest there, last of all.
    pub(super) fn seal(mut self, dir: &Path) -> Result<Self, Failure> {
        let (paths, dirs) = files::listing(dir)?;
        self.dirs = dirs;
        for path in paths {
            let (bytes, sha256) = files::weigh(&dir.join(&path))?;
            self.files.push(File { path, bytes, sha256 });
        }
        let text = serde_json::to_vec_pretty(&self).map_err(|error| Failure::broken(&error))?;
        files::write(&mut text.as_slice(), &dir.join(FILE))?;
        let (_, digest) = files::weigh(&dir.join(FILE))?;
        files::write(&mut format!("{digest}\n").as_bytes(), &dir.join(SEAL))?;
        Ok(self)
    }

    /// Reads the manifest of what lies in `dir` and holds every file against it.
    pub(super) fn verify(dir: &Path) -> Result<Self, Failure> {
        let manifest = Self::read(dir)?;
        let (mut paths, _) = files::listing(dir)?;
        paths.retain(|path| !Self::is_part(path));
        let listed: BTreeMap<_, _> = manifest.files.iter().map(|file| (&file.path, file)).collect();
        if let Some(path) = paths.iter().find(|path| !listed.contains_key(path)) {
            return Err(odd(format!("{} is not in its manifest", path.display())));
        }
        for file in &manifest.files {
            let path = dir.join(&file.path);
            if !paths.contains(&file.path) {
                return Err(odd(format!("{} is missing", file.path.display())));
            }
            if files::weigh(&path)? != (file.bytes, file.sha256.clone()) {
                return Err(odd(format!("{} is not what was backed up", file.path.display())));
            }
        }
        files::make_dirs(dir, &manifest.dirs)?;
        Ok(manifest)
    }

    fn read(dir: &Path) -> Result<Self, Failure> {
        let missing = |name: &str| odd(format!("it has no {name}"));
        let seal = fs::read_to_string(dir.join(SEAL)).map_err(|_| missing(SEAL))?;
        if !dir.join(FILE).exists() {
            return Err(missing(FILE));
        }
        if files::weigh(&dir.join(FILE))?.1 != seal.trim() {
            return Err(odd("its manifest is not what was written"));
        }
        let text = fs::read(dir.join(FILE)).map_err(at(Path::new(FILE)))?;
        let format = serde_json::from_slice::<serde_json::Value>(&text);
        let format = format.ok().and_then(|value| value.get("format")?.as_u64());
        if format.is_some_and(|format| format > u64::from(FORMAT)) {
            return Err(
                odd("a newer build made it").hint("restore it with the build that made it, or a newer one")
            );
        }
        let manifest: Self =
            serde_json::from_slice(&text).map_err(|error| odd(format!("its manifest: {error}")))?;
        let inside = |path: &PathBuf| path.components().all(|part| matches!(part, Component::Normal(_)));
        let paths = manifest.files.iter().map(|file| &file.path).chain(&manifest.dirs);
        if let Some(path) = paths.into_iter().find(|path| !inside(path)) {
            return Err(odd(format!("{} leads out of it", path.display())));
        }
        manifest.known()?;
        Ok(manifest)
    }

    /// Refuses tables that this build cannot read.
    fn known(&self) -> Result<(), Failure> {
        for (part, applied) in &self.migrations {
            let steps = part.parse::<PartName>().ok().and_then(migrations);
            let known = steps.map(souk_db::migrate::names).unwrap_or_default();
            if let Some(newer) = applied.iter().find(|name| !known.contains(&name.as_str())) {
                let text = format!("{part} has the migration {newer}, which this build does not know");
                return Err(Failure::new(text).hint("restore it with the build that made it, or a newer one"));
            }
        }
        Ok(())
    }

    /// Takes the description away from what is restored.
    pub(super) fn strip(dir: &Path) -> Result<(), Failure> {
        [FILE, SEAL].iter().try_for_each(|name| fs::remove_file(dir.join(name)).map_err(at(Path::new(name))))
    }
}
