//! Changes + head → the objects of the next commit, in memory. Writes nothing.

use gix::{
    ObjectId,
    bstr::BStr,
    objs::{Kind, WriteTo, tree::EntryKind},
};
use souk_types::Time;

use super::{git, objects::Objects};
use crate::{error::Error, model::Change};

/// Author and committer of every commit.
const NAME: &str = "souk";
/// `.invalid` never resolves: nobody else's address is claimed.
const EMAIL: &str = "delivery@souk.invalid";

/// What a commit says of itself.
pub(super) struct Note<'a> {
    pub(super) message: &'a str,
    pub(super) time: Time,
}

/// A commit with all that is new in it.
pub(super) struct Built {
    pub(super) commit: ObjectId,
    pub(super) objects: Objects,
}

/// Builds the commit that puts the changes on top of `head`; `None` when they change nothing.
pub(super) fn build(
    repository: &gix::Repository,
    head: Option<ObjectId>,
    changes: &[Change],
    note: &Note<'_>,
) -> Result<Option<Built>, Error> {
    let empty = ObjectId::empty_tree(repository.object_hash());
    let before = match head {
        Some(head) => {
            let commit = repository.find_commit(head).map_err(git("read the head"))?;
            commit.tree_id().map_err(git("read the head's tree"))?.detach()
        }
        None => empty,
    };
    let mut objects = Objects::new();
    let after = edit(repository, before, changes, &mut objects)?;
    if after == before {
        return Ok(None);
    }
    if after == empty {
        // The library does not write the empty tree; Git wants it there all the same.
        add(&mut objects, &gix::objs::Tree::empty())?;
    }
    let actor = gix::actor::Signature {
        name: NAME.into(),
        email: EMAIL.into(),
        time: gix::date::Time::new(note.time.seconds().max(0), 0),
    };
    let commit = gix::objs::Commit {
        tree: after,
        parents: head.into_iter().collect(),
        author: actor.clone(),
        committer: actor,
        encoding: None,
        message: message(note.message).into(),
        extra_headers: Vec::new(),
    };
    let commit = add(&mut objects, &commit)?;
    Ok(Some(Built { commit, objects }))
}

fn edit(
    repository: &gix::Repository,
    before: ObjectId,
    changes: &[Change],
    objects: &mut Objects,
) -> Result<ObjectId, Error> {
    let root = repository.find_tree(before).map_err(git("read the head's tree"))?;
    // Detached, so that every tree comes to `objects`, also one that an earlier attempt wrote. The paths
    // were checked by a stricter rule than the library's.
    let mut editor = root.edit().map_err(git("edit the tree"))?.detach();
    for change in changes {
        let names = change.path().split('/').map(<&BStr>::from);
        match change {
            Change::Put { content, .. } => {
                let id = add(objects, &gix::objs::Blob { data: content.clone() })?;
                editor.upsert(names, EntryKind::Blob, id).map_err(git("put a file into the tree"))?;
            }
            Change::Remove { .. } => {
                editor.remove(names).map_err(git("remove a file from the tree"))?;
            }
        }
    }
    editor.write(|tree| add(objects, tree).map_err(Wrapped)).map_err(git("write the tree"))
}

/// Lets our error pass through the library.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Wrapped(Error);

fn add(objects: &mut Objects, object: &dyn WriteTo) -> Result<ObjectId, Error> {
    let mut bytes = Vec::new();
    object.write_to(&mut bytes).map_err(git("encode an object"))?;
    let kind: Kind = object.kind();
    let id = gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, &bytes).map_err(git("name an object"))?;
    objects.insert(id, (kind, bytes));
    Ok(id)
}

/// The message as Git stores it: no NUL, which would end it, and a line break at its end.
fn message(text: &str) -> String {
    let mut message = text.trim_end().replace('\0', "\u{fffd}");
    message.push('\n');
    message
}
