//! The desired-state repository: a bare Git repository, written without a worktree.
//!
//! What is promised: the branch never names an object that is not wholly on disk, whatever kills the
//! process; a commit lands on the head it was made for or is made again; an equal tree makes no commit.
//! Everything here blocks: call it where blocking is allowed. No type of the Git library leaves this room.
//!
//! The library flushes nothing to disk by itself, so objects and the branch are written here in the order
//! objects → their folders → branch, each flushed before the next (`objects`, `branch`).

mod branch;
mod build;
mod list;
mod lock;
mod objects;
mod read;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use gix::{ObjectId, ThreadSafeRepository};
use souk_types::Time;

use crate::{
    error::Error,
    model::{Change, CommitId},
};

pub use list::Instances;
pub use read::{Entry, Snapshot};

/// How often a commit is made anew when somebody else moved the branch meanwhile.
const ATTEMPTS: u32 = 8;

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The branch names this commit now, and it is on disk.
    Committed(CommitId),
    /// The files were as wanted already, at this head.
    Unchanged(Option<CommitId>),
}

impl Outcome {
    /// The commit that holds what was wanted; `None` when nothing was wanted of an empty repository.
    #[must_use]
    pub const fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Committed(commit) => Some(commit),
            Self::Unchanged(head) => head.as_ref(),
        }
    }
}

/// The desired-state repository. Handles are cheap to share and see each other's commits.
///
/// It may be taken away while it is open. Then it reads as empty, and the next commit makes it anew.
pub struct Repository {
    opened: RwLock<Opened>,
    path: PathBuf,
    lock: PathBuf,
}

/// A handle of the library, and which folder of the disk it is of: one that is gone is remembered in part.
struct Opened {
    inner: ThreadSafeRepository,
    folder: Option<(u64, u64)>,
}

impl Repository {
    /// Opens the repository at `path`, or creates an empty one there.
    ///
    /// # Errors
    /// [`Error::Storage`] when the disk refuses, [`Error::Repository`] when what stands there is no
    /// repository.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let lock = path.with_extension("lock");
        let held = hold(path, &lock, !path.try_exists().map_err(storage("look at", path))?)?;
        let opened = Opened { folder: branch::identity(path)?, inner: open(path)? };
        drop(held);
        Ok(Self { opened: RwLock::new(opened), path: path.to_owned(), lock })
    }

    /// The library's handle, of the repository that stands there now.
    fn local(&self) -> Result<gix::Repository, Error> {
        let whole = branch::identity(&self.path.join("HEAD"))?.is_some();
        let folder = if whole { branch::identity(&self.path)? } else { None };
        {
            let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
            // While there is none the old handle finds no branch: the repository reads as empty.
            if folder.is_none() || opened.folder == folder {
                return Ok(opened.inner.to_thread_local());
            }
        }
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        *opened = Opened { inner: open(&self.path)?, folder };
        Ok(opened.inner.to_thread_local())
    }

    /// Makes one commit of all the changes, on top of whatever the branch names.
    ///
    /// Changes act in their order. The commit's author and committer are souk itself at `time`.
    ///
    /// # Errors
    /// [`Error::PathRefused`] before anything is written; [`Error::DesiredStateConflict`] when foreign
    /// writers moved the branch on every attempt; [`Error::Storage`] and [`Error::Repository`].
    pub fn commit(&self, changes: &[Change], message: &str, time: Time) -> Result<Outcome, Error> {
        self.commit_observed(changes, message, time, &mut |_| {})
    }

    /// [`Repository::commit`] that tells `between`, on each attempt, that the commit is built and the
    /// branch not yet moved.
    fn commit_observed(
        &self,
        changes: &[Change],
        message: &str,
        time: Time,
        between: &mut dyn FnMut(u32),
    ) -> Result<Outcome, Error> {
        for change in changes {
            change.check()?;
        }
        // Writers of ours wait for each other here; only a foreign writer can win the race below.
        let _held = hold(&self.path, &self.lock, true)?;
        let git_dir = self.path.as_path();
        for attempt in 1..=ATTEMPTS {
            let repository = self.local()?;
            let head = branch::head(&repository)?;
            let Some(built) = build::build(&repository, head, changes, &build::Note { message, time })?
            else {
                return Ok(Outcome::Unchanged(head.map(commit_id).transpose()?));
            };
            objects::store(&git_dir.join("objects"), &built.objects)?;
            between(attempt);
            if branch::swap(git_dir, &repository, head, built.commit)? {
                return Ok(Outcome::Committed(commit_id(built.commit)?));
            }
        }
        Err(Error::DesiredStateConflict { attempts: ATTEMPTS })
    }

    /// The commit that the branch names; `None` while there is none.
    ///
    /// # Errors
    /// [`Error::Repository`].
    pub fn head(&self) -> Result<Option<CommitId>, Error> {
        branch::head(&self.local()?)?.map(commit_id).transpose()
    }
}

/// The folder that a path stands in.
fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn options() -> gix::open::Options {
    // Nothing but the repository's own configuration counts: not the user's, not the environment's. The
    // directory is souk's own, also where a container's user differs from its owner.
    gix::open::Options::isolated().with(gix::sec::Trust::Full).open_path_as_is(true)
}

fn open(path: &Path) -> Result<ThreadSafeRepository, Error> {
    options().open(path).map_err(git("open"))
}

/// Takes the writers' lock, and where the place is ours sees to it that there is a repository to write to.
fn hold(path: &Path, lock: &Path, ours: bool) -> Result<lock::Held, Error> {
    let parent = above(path);
    if !parent.try_exists().map_err(storage("look at", parent))? {
        fs::create_dir_all(parent).map_err(storage("create", parent))?;
        flush(above(parent))?;
    }
    let held = lock::take(lock)?;
    if !ours {
        return Ok(held);
    }
    let head = path.join("HEAD");
    if !head.try_exists().map_err(storage("look at", &head))? {
        create(path, parent)?;
    }
    for folder in ["objects", "refs/heads"].map(|name| path.join(name)) {
        if !folder.try_exists().map_err(storage("look at", &folder))? {
            fs::create_dir_all(&folder).map_err(storage("create", &folder))?;
            flush(above(&folder))?;
        }
    }
    Ok(held)
}

/// Creates an empty repository beside its place and moves it there, so that it is never seen half made.
fn create(path: &Path, parent: &Path) -> Result<(), Error> {
    let fresh = path.with_extension("new");
    match fs::remove_dir_all(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(storage("clear", &fresh)(error)),
        Ok(()) | Err(_) => {}
    }
    let kind = gix::create::Kind::Bare;
    ThreadSafeRepository::init_opts(&fresh, kind, gix::create::Options::default(), options())
        .map_err(git("create"))?;
    flush_tree(&fresh)?;
    // Remains of a repository that lost its head: nothing can be read of them, but they are not ours to delete.
    if fs::read_dir(path).is_ok_and(|mut names| names.next().is_some()) {
        let remains = path.with_extension("remains");
        match fs::remove_dir_all(&remains) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(storage("clear", &remains)(error));
            }
            Ok(()) | Err(_) => {}
        }
        fs::rename(path, &remains).map_err(storage("move", path))?;
    }
    fs::rename(&fresh, path).map_err(storage("move", &fresh))?;
    flush(parent)
}

fn flush_tree(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(storage("list", folder))? {
        let entry = entry.map_err(storage("list", folder))?;
        let path = entry.path();
        if entry.file_type().map_err(storage("look at", &path))?.is_dir() {
            flush_tree(&path)?;
        } else {
            flush(&path)?;
        }
    }
    flush(folder)
}

/// Brings a file's content, or a folder's list of names, to disk.
fn flush(path: &Path) -> Result<(), Error> {
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(storage("flush", path))
}

fn commit_id(id: ObjectId) -> Result<CommitId, Error> {
    let text = id.to_hex().to_string();
    CommitId::parse(&text).ok_or_else(|| git("name a commit")(io::Error::other("not a SHA-1 repository")))
}

fn object_id(commit: &CommitId) -> Result<ObjectId, Error> {
    ObjectId::from_hex(commit.as_str().as_bytes()).map_err(git("read a commit's name"))
}

/// Turns an error of the file system into ours.
fn storage(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::Storage { doing, path: path.to_owned(), cause }
}

/// Turns an error of the Git library into ours.
fn git<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl FnOnce(E) -> Error {
    move |cause| Error::Repository { doing, cause: Box::new(cause) }
}

#[cfg(test)]
mod tests;
