//! Reading the repository: files and history.
//!
//! Each answer is of one commit and names it. What foreign writers may have put there is bounded and never
//! fails the reading of the rest.

use gix::{ObjectId, objs::tree::EntryKind};
use souk_types::Time;

use super::{Repository, branch, commit_id, git, object_id};
use crate::{
    error::Error,
    model::{Bundle, CommitId},
};

/// The largest file that is read; delivery writes none as large.
const FILE_BYTES: u64 = 1024 * 1024;
/// How deep folders are followed; delivery's own files stand six deep.
const DEPTH: usize = 16;

/// Files as they stood at one commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit; `None` while there is none.
    pub commit: Option<CommitId>,
    /// The files below the prefix, by their whole path. An entry that is no plain file, or one larger than
    /// 1 MiB, stands with a content that delivery never writes (it begins with NUL).
    pub files: Bundle,
}

/// One commit of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The commit.
    pub commit: CommitId,
    /// Its message.
    pub message: String,
    /// Its author: `name <address>`.
    pub author: String,
    /// When it was made, as its author says, to the second.
    pub time: Time,
}

impl Repository {
    /// The files below a folder (or the one file) at the head; all files for an empty prefix.
    ///
    /// # Errors
    /// [`Error::Repository`].
    pub fn read(&self, prefix: &str) -> Result<Snapshot, Error> {
        match self.head()? {
            Some(head) => self.read_at(&head, prefix),
            None => Ok(Snapshot::default()),
        }
    }

    /// The files below a folder (or the one file) at a commit; all files for an empty prefix.
    ///
    /// # Errors
    /// [`Error::Repository`], also when there is no such commit.
    pub fn read_at(&self, commit: &CommitId, prefix: &str) -> Result<Snapshot, Error> {
        let repository = self.local()?;
        let mut files = Bundle::default();
        if let Some((id, kind)) = find(&repository, object_id(commit)?, prefix)? {
            collect(&repository, (id, kind), prefix.to_owned(), &mut files)?;
        }
        Ok(Snapshot { commit: Some(commit.clone()), files })
    }

    /// The newest commits first, along first parents, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Repository`].
    pub fn log(&self, limit: usize) -> Result<Vec<Entry>, Error> {
        let repository = self.local()?;
        let mut next = branch::head(&repository)?;
        let mut entries = Vec::new();
        while let Some(id) = next
            && entries.len() < limit
        {
            let commit = repository.find_commit(id).map_err(git("read a commit"))?;
            let author = commit.author().map_err(git("read a commit's author"))?;
            // A foreign commit may carry a time that cannot be read.
            let seconds = author.time().map_or(0, |time| time.seconds);
            entries.push(Entry {
                commit: commit_id(id)?,
                message: commit.message_raw_sloppy().to_string(),
                author: format!("{} <{}>", author.name, author.email),
                time: Time::from_micros(seconds.saturating_mul(1_000_000)),
            });
            next = commit.parent_ids().next().map(gix::Id::detach);
        }
        Ok(entries)
    }
}

/// What stands at a path in a commit.
pub(super) fn find(
    repository: &gix::Repository,
    commit: ObjectId,
    path: &str,
) -> Result<Option<(ObjectId, EntryKind)>, Error> {
    let commit = repository.find_commit(commit).map_err(git("read a commit"))?;
    let tree = commit.tree().map_err(git("read a commit's tree"))?;
    if path.is_empty() {
        return Ok(Some((tree.id, EntryKind::Tree)));
    }
    let names = path.split('/').map(str::as_bytes);
    let entry = tree.lookup_entry(names).map_err(git("read a tree"))?;
    Ok(entry.map(|entry| (entry.object_id(), entry.mode().kind())))
}

pub(super) type Child = (String, ObjectId, EntryKind);

pub(super) fn children(repository: &gix::Repository, tree: ObjectId) -> Result<Vec<Child>, Error> {
    let tree = repository.find_tree(tree).map_err(git("read a tree"))?;
    tree.iter()
        .map(|entry| {
            let entry = entry.map_err(git("read a tree"))?;
            Ok((entry.filename().to_string(), entry.object_id(), entry.kind()))
        })
        .collect()
}

fn collect(
    repository: &gix::Repository,
    (id, kind): (ObjectId, EntryKind),
    path: String,
    files: &mut Bundle,
) -> Result<(), Error> {
    match kind {
        EntryKind::Tree if path.split('/').count() > DEPTH => {
            files.insert(path, b"\0nested too deep".to_vec());
        }
        EntryKind::Tree => {
            for (name, id, kind) in children(repository, id)? {
                let inner = if path.is_empty() { name } else { format!("{path}/{name}") };
                collect(repository, (id, kind), inner, files)?;
            }
        }
        EntryKind::Blob => {
            let size = repository.find_header(id).map_err(git("read a file's size"))?.size();
            if size > FILE_BYTES {
                files.insert(path, format!("\0{size} bytes: {id}").into_bytes());
            } else {
                let mut blob = repository.find_blob(id).map_err(git("read a file"))?;
                files.insert(path, blob.take_data());
            }
        }
        EntryKind::BlobExecutable | EntryKind::Link | EntryKind::Commit => {
            files.insert(path, format!("\0{kind:?}: {id}").into_bytes());
        }
    }
    Ok(())
}
