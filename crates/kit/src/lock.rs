//! One process a part and directory: a lock file that names its holder.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

/// Why a directory could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process works there.
    #[error("{path} is held by {holder}: stop it first, or choose another directory with --data")]
    Held {
        /// The lock file.
        path: String,
        /// What the holder wrote of itself.
        holder: String,
    },
    /// The file could not be made or locked.
    #[error("{path}: {source}")]
    File {
        /// The lock file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Holds a part's directory until dropped; the system lets go of it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes `dir/lock`, making the directory when it is absent. Nobody but its owner may look into it: the
/// rows and files of every tenant lie there, whatever the directory around it lets others see.
///
/// # Errors
/// `Held` with what the holder wrote of itself, or what the system says.
pub fn take(dir: &Path) -> Result<Lock, Error> {
    let path = dir.join("lock");
    let name = path.display().to_string();
    let failed = |source| Error::File { path: name.clone(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(failed)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(&path).unwrap_or_default();
            let holder = if holder.trim().is_empty() { "another process" } else { holder.trim() };
            return Err(Error::Held { path: name, holder: holder.to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "process {}", std::process::id()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_hears_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let held = take(&dir.path().join("billing")).unwrap();
        let error = take(&dir.path().join("billing")).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        take(&dir.path().join("billing")).unwrap();
    }

    #[test]
    fn others_may_not_look_into_what_is_taken_new_or_old() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let old = dir.path().join("tenancy");
        fs::create_dir(&old).unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o755)).unwrap();
        for taken in [old, dir.path().join("billing")] {
            take(&taken).unwrap();
            assert_eq!(fs::metadata(&taken).unwrap().permissions().mode() & 0o777, 0o700, "{taken:?}");
        }
    }
}
