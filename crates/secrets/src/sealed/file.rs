//! Files that only their owner may read, written whole or not at all, and the lock that writers take.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::Error;

/// The largest file that is read: more than all versions of one secret can fill.
const BYTES: u64 = 1024 * 1024;

/// How the name of a file ends that is being written; backups leave such files out.
pub(super) const BESIDE: &str = ".new";

pub(super) fn failed(file: &Path, source: io::Error) -> Error {
    Error::File { file: file.display().to_string(), source }
}

/// Makes a directory (0700) unless it is there.
pub(super) fn private_dir(dir: &Path) -> Result<(), Error> {
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| failed(dir, error))?;
    dir.parent().map_or(Ok(()), flush)
}

/// Waits until nobody else writes; nobody does until it is dropped. Holds between threads and processes.
pub(super) fn alone(path: &Path) -> Result<File, Error> {
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(|error| failed(path, error))?;
    file.lock().map_err(|error| failed(path, error))?;
    Ok(file)
}

/// What a file holds; nothing when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match fs::metadata(path) {
        Ok(known) if known.len() > BYTES => Err(Error::Damaged { file: path.display().to_string() }),
        Ok(_) => match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => Err(failed(path, error)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, error)),
    }
}

/// Writes a file (0600): a new one beside it is flushed and renamed over it, and the directory is flushed.
/// The caller is `alone`: the name of the new one is not its own.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(BESIDE);
    let written = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().map_err(|error| failed(path, error))?;
    path.parent().map_or(Ok(()), flush)
}

fn flush(dir: &Path) -> Result<(), Error> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed(dir, error))
}
