//! What lies in a data directory, and how it is copied: readable by its owner alone, and on the disk when done.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{Context, SHA256};
use souk_db::copy::BEFORE_MIGRATION;

use super::{at, beside, manifest::Manifest, sync_dir};
use crate::cli::Failure;

/// The directory of artifacts: what lies there never changes, so it is copied while writes go on.
const OBJECTS: &str = "objects";

/// What there is to copy; paths are within the data directory.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) databases: Vec<PathBuf>,
    /// What is copied while writes are held.
    pub(super) at_once: Vec<PathBuf>,
    /// What may be copied after that.
    pub(super) later: Vec<PathBuf>,
    /// Every directory: a repository is none without its empty ones.
    pub(super) dirs: Vec<PathBuf>,
}

/// Looks what there is. Locks, sockets, what SQLite keeps beside its files and what is not whole yet are of no
/// use in a copy.
pub(super) fn survey(data: &Path) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut open = vec![PathBuf::new()];
    while let Some(dir) = open.pop() {
        let here = data.join(&dir);
        let mut names = Vec::new();
        for entry in fs::read_dir(&here).map_err(at(&here))? {
            let entry = entry.map_err(at(&here))?;
            names.push((entry.file_name(), entry.file_type().map_err(at(&here))?));
        }
        names.sort_by(|one, other| one.0.cmp(&other.0));
        for (name, kind) in names {
            let path = dir.join(&name);
            let name = name.to_string_lossy();
            if kind.is_socket() || is_passing(&name) || path == Path::new(BEFORE_MIGRATION) {
                continue;
            }
            if kind.is_dir() {
                found.dirs.push(path.clone());
                open.push(path);
            } else if !kind.is_file() {
                let text = format!("{} is neither a file nor a directory", data.join(&path).display());
                return Err(
                    Failure::new(text).hint("a backup copies files alone: put the thing itself there")
                );
            } else if name.ends_with(".db") {
                found.databases.push(path);
            } else if path.starts_with(OBJECTS) {
                found.later.push(path);
            } else {
                found.at_once.push(path);
            }
        }
    }
    // A repository's references before its objects: what a copied reference names is then there.
    found
        .at_once
        .sort_by_key(|path| (path.components().any(|part| part.as_os_str() == OBJECTS), path.clone()));
    Ok(found)
}

fn is_passing(name: &str) -> bool {
    let ends = ["-wal", "-shm", "-journal", ".lock", ".new", ".tmp"];
    name == "lock" || ends.iter().any(|end| name.ends_with(end)) || name.contains(".part-")
}

/// Makes a directory and those above it that are missing.
pub(super) fn make_dir(path: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(at(path))
}

/// Makes directories within `to`.
pub(super) fn make_dirs(to: &Path, dirs: &[PathBuf]) -> Result<(), Failure> {
    dirs.iter().try_for_each(|dir| make_dir(&to.join(dir)))
}

/// Copies files from one directory to another.
pub(super) fn copy_all(from: &Path, to: &Path, paths: &[PathBuf]) -> Result<(), Failure> {
    for path in paths {
        let (source, target) = (from.join(path), to.join(path));
        let mut source = match fs::File::open(&source) {
            Ok(file) => file,
            // It was passing after all: renamed to what it was to become.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(at(&source)(error)),
        };
        write(&mut source, &target)?;
    }
    Ok(())
}

/// Writes a new file, readable by its owner alone.
pub(super) fn write(source: &mut impl io::Read, target: &Path) -> Result<(), Failure> {
    if let Some(dir) = target.parent() {
        make_dir(dir)?;
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target);
    let mut file = made.map_err(at(target))?;
    io::copy(source, &mut file).map_err(at(target))?;
    file.sync_all().map_err(at(target))
}

/// How many bytes a file has, and their SHA-256 in hex.
pub(super) fn weigh(path: &Path) -> Result<(u64, String), Failure> {
    let mut file = fs::File::open(path).map_err(at(path))?;
    let mut hash = Hash(Context::new(&SHA256));
    let bytes = io::copy(&mut file, &mut hash).map_err(at(path))?;
    Ok((bytes, hex::encode(hash.0.finish())))
}

struct Hash(Context);

impl io::Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every file and directory below `dir`, sorted; anything else is refused.
pub(super) fn listing(dir: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Failure> {
    let (mut files, mut dirs) = (Vec::new(), vec![PathBuf::new()]);
    let mut next = 0;
    while let Some(inner) = dirs.get(next).cloned() {
        next += 1;
        let here = dir.join(&inner);
        for entry in fs::read_dir(&here).map_err(at(&here))? {
            let entry = entry.map_err(at(&here))?;
            let (path, kind) = (inner.join(entry.file_name()), entry.file_type().map_err(at(&here))?);
            if kind.is_dir() {
                dirs.push(path);
            } else if kind.is_file() {
                files.push(path);
            } else {
                return Err(Failure::new(format!("{} is neither a file nor a directory", path.display())));
            }
        }
    }
    dirs.remove(0);
    files.sort();
    dirs.sort();
    Ok((files, dirs))
}

/// Where a backup or a restored directory grows until it is whole. Dropping it removes it.
pub(super) struct Stage(PathBuf);

impl Stage {
    /// Makes an empty one beside `to`, which must not lie in the directory that is backed up.
    pub(super) fn make(to: &Path, data: &Path) -> Result<Self, Failure> {
        let path = beside(to)?;
        make_dir(&path)?;
        let stage = Self(path);
        let (own, data) = (fs::canonicalize(&stage.0).map_err(at(&stage.0))?, fs::canonicalize(data));
        if data.is_ok_and(|data| own.starts_with(data)) {
            let text = format!("{} lies within the directory that is backed up", to.display());
            return Err(Failure::new(text).hint("name a place outside of it, best on another disk"));
        }
        Ok(stage)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Gives a whole backup its name: as a directory, or packed into one file.
    pub(super) fn finish(&self, to: &Path) -> Result<(), Failure> {
        let dir = to.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if to.extension().is_some_and(|end| end == "tar") {
            let packed = beside(to)?;
            let outcome = self.pack(&packed).and_then(|()| fs::rename(&packed, to).map_err(at(to)));
            if outcome.is_err() {
                fs::remove_file(&packed).ok();
            }
            outcome?;
        } else {
            let (_, dirs) = listing(&self.0)?;
            dirs.iter().try_for_each(|dir| sync_dir(&self.0.join(dir)))?;
            sync_dir(&self.0)?;
            fs::rename(&self.0, to).map_err(at(to))?;
        }
        sync_dir(dir)
    }

    fn pack(&self, to: &Path) -> Result<(), Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(at(to))?;
        let mut archive = tar::Builder::new(file);
        let (mut files, _) = listing(&self.0)?;
        // What describes the rest goes first, so that a look at the beginning tells what it is.
        files.sort_by_key(|path| (!Manifest::is_part(path), path.clone()));
        for path in files {
            let mut file = fs::File::open(self.0.join(&path)).map_err(at(&path))?;
            let mut header = tar::Header::new_gnu();
            header.set_size(file.metadata().map_err(at(&path))?.len());
            header.set_mode(0o600);
            header.set_entry_type(tar::EntryType::Regular);
            archive.append_data(&mut header, &path, &mut file).map_err(at(to))?;
        }
        archive.into_inner().and_then(|file| file.sync_all()).map_err(at(to))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Gone already when it became the backup.
        fs::remove_dir_all(&self.0).ok();
    }
}
