//! Loose objects, written so that one that has its final name is whole and on disk.
//!
//! They are written in a folder aside, flushed, and only then moved to their names. What a killed process
//! left aside is cleared by the next commit, and by `git gc`, which knows such folders by their name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use gix::{ObjectId, objs::Write as _};

use super::{flush, git, storage};
use crate::error::Error;

/// Objects by their id, each with its kind and bytes.
pub(super) type Objects = BTreeMap<ObjectId, (gix::objs::Kind, Vec<u8>)>;

/// Git's own name for a folder of objects that are not yet part of the repository begins so.
const ASIDE: &str = "tmp_objdir-souk";

/// Writes all objects, also those that are there already: an object left by a killed process may have its
/// name and yet not be on disk. The caller holds the writers' lock.
pub(super) fn store(objects_dir: &Path, objects: &Objects) -> Result<(), Error> {
    let aside = objects_dir.join(ASIDE);
    clear(&aside)?;
    fs::create_dir(&aside).map_err(storage("create", &aside))?;
    let (draft, place) = (loose(&aside), loose(objects_dir));
    for (id, (kind, bytes)) in objects {
        draft.write_buf_with_known_id(*kind, bytes, *id).map_err(git("write an object"))?;
    }
    // All are written before the first is flushed: the first flush then carries most of the work.
    for id in objects.keys() {
        flush(&draft.object_path(id))?;
    }
    let mut folders = BTreeSet::new();
    for id in objects.keys() {
        let (from, to) = (draft.object_path(id), place.object_path(id));
        if let Some(folder) = to.parent()
            && folders.insert(folder.to_owned())
        {
            fs::create_dir_all(folder).map_err(storage("create", folder))?;
        }
        fs::rename(&from, &to).map_err(storage("move", &from))?;
    }
    for folder in &folders {
        flush(folder)?;
    }
    flush(objects_dir)?;
    clear(&aside)
}

fn loose(folder: &Path) -> gix::odb::loose::Store {
    gix::odb::loose::Store::at(folder, gix::hash::Kind::Sha1)
}

fn clear(aside: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(storage("clear", aside)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
