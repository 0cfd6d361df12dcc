//! The branch: read, and moved by compare-and-swap under Git's own lock file.
//!
//! The protocol is Git's (`main.lock` made exclusively, renamed over `main`), so foreign writers are fenced
//! too. The lock file is a hard link to a file of ours: after a kill it is known for ours and cleared,
//! while a lock that a foreign writer holds is never touched.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use gix::ObjectId;

use super::{flush, git, storage};
use crate::error::Error;

/// The one branch.
pub(super) const BRANCH: &str = "refs/heads/main";

/// The commit that the branch names. One whose object is gone is none: the objects were taken away, and all
/// there was is to be written again.
pub(super) fn head(repository: &gix::Repository) -> Result<Option<ObjectId>, Error> {
    // Without it Git takes the folder for no repository, whatever else is left in it.
    if identity(&repository.git_dir().join("HEAD"))?.is_none() {
        return Ok(None);
    }
    let found = repository.try_find_reference(BRANCH).map_err(git("read the branch"))?;
    let Some(mut branch) = found else { return Ok(None) };
    let named = branch.target().try_id().map(ToOwned::to_owned);
    if let Some(id) = named
        && repository.try_find_header(id).map_err(git("look for the branch's commit"))?.is_none()
    {
        tracing::warn!(commit = %id, "the branch names a commit that is gone");
        return Ok(None);
    }
    Ok(Some(branch.peel_to_commit().map_err(git("read the branch's commit"))?.id))
}

/// Moves the branch from `expected` to `new`; `false` when it stands elsewhere or a foreign writer holds its
/// lock. The caller holds the writers' lock, and `new` is on disk.
pub(super) fn swap(
    git_dir: &Path,
    repository: &gix::Repository,
    expected: Option<ObjectId>,
    new: ObjectId,
) -> Result<bool, Error> {
    let files = Files::new(git_dir);
    files.clear()?;
    write(&files.next, new)?;
    match fs::hard_link(&files.next, &files.lock) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            files.clear()?;
            return Ok(false);
        }
        Err(error) => return Err(storage("make the lock", &files.lock)(error)),
    }
    // Read under the lock: from here on nobody who keeps to Git's protocol moves it.
    if head(repository)? != expected {
        files.clear()?;
        return Ok(false);
    }
    fs::rename(&files.lock, &files.branch).map_err(storage("move the branch", &files.branch))?;
    flush(&files.heads)?;
    files.clear()?;
    Ok(true)
}

fn write(path: &Path, id: ObjectId) -> Result<(), Error> {
    let mut file = fs::File::create_new(path).map_err(storage("create", path))?;
    writeln!(file, "{id}").and_then(|()| file.sync_all()).map_err(storage("write", path))
}

struct Files {
    /// The branch's next content, ours alone.
    next: PathBuf,
    heads: PathBuf,
    branch: PathBuf,
    lock: PathBuf,
}

impl Files {
    fn new(git_dir: &Path) -> Self {
        let branch = git_dir.join(BRANCH);
        Self {
            next: git_dir.join("souk-next"),
            heads: git_dir.join("refs/heads"),
            lock: branch.with_extension("lock"),
            branch,
        }
    }

    /// Removes what an earlier holder of the writers' lock left, and nothing else.
    fn clear(&self) -> Result<(), Error> {
        let Some(ours) = identity(&self.next)? else { return Ok(()) };
        if identity(&self.lock)? == Some(ours) {
            fs::remove_file(&self.lock).map_err(storage("remove", &self.lock))?;
        }
        // Never written to again: after the rename the branch itself is the same file.
        fs::remove_file(&self.next).map_err(storage("remove", &self.next))
    }
}

/// What tells a file from all others on the machine, whatever its name.
pub(super) fn identity(path: &Path) -> Result<Option<(u64, u64)>, Error> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(storage("look at", path)(error)),
    }
}
