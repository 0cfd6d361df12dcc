//! The instances' folders at the head, and what became of them since an earlier look: a tree whose name is
//! the same holds the same, so only what changed is read.

use std::{collections::BTreeMap, str::FromStr as _};

use gix::{ObjectId, objs::tree::EntryKind};
use souk_types::id::{InstanceId, OrgId, ProjectId};

use super::{
    Repository, branch, commit_id,
    read::{children, find},
};
use crate::{
    error::Error,
    model::{CommitId, Env, Folder},
};

/// The instances of a cell at one commit, without their files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// The commit; `None` while there is none.
    pub commit: Option<CommitId>,
    /// Each instance's folder with a name for its content: equal names, equal files.
    pub folders: BTreeMap<Folder, String>,
    /// Paths of the cell that lead into no instance's folder: nobody of ours wrote them.
    pub strays: Vec<String>,
    /// The folders above, orgs and projects, with a name for the content of each.
    above: BTreeMap<String, ObjectId>,
    /// How many folders' contents were read to answer.
    pub read: usize,
}

impl Repository {
    /// The instances of a cell at the head.
    ///
    /// # Errors
    /// [`Error::Repository`].
    pub fn instances(&self, env: &Env) -> Result<Instances, Error> {
        self.instances_after(env, None)
    }

    /// The instances of a cell at the head, when it is known what they were before: no file is read, and no
    /// folder of an org or project that is still the same.
    ///
    /// # Errors
    /// [`Error::Repository`].
    pub fn instances_after(&self, env: &Env, known: Option<&Instances>) -> Result<Instances, Error> {
        let repository = self.local()?;
        let Some(head) = branch::head(&repository)? else { return Ok(Instances::default()) };
        let mut found = Instances { commit: Some(commit_id(head)?), ..Instances::default() };
        let root = env.instances();
        match find(&repository, head, &root)? {
            Some((id, EntryKind::Tree)) => {
                let listing = Listing { repository: &repository, env, known };
                for (path, id) in found.step(listing.repository, &root, id)? {
                    listing.org(&mut found, path, id)?;
                }
            }
            Some(_) => found.strays.push(root),
            None => {}
        }
        Ok(found)
    }
}

impl Instances {
    /// The folders of a folder; what is none is a stray.
    fn step(
        &mut self,
        repository: &gix::Repository,
        path: &str,
        id: ObjectId,
    ) -> Result<Vec<(String, ObjectId)>, Error> {
        self.read += 1;
        let mut folders = Vec::new();
        for (name, id, kind) in children(repository, id)? {
            let path = format!("{path}/{name}");
            if kind == EntryKind::Tree {
                folders.push((path, id));
            } else {
                self.strays.push(path);
            }
        }
        Ok(folders)
    }
}

struct Listing<'a> {
    repository: &'a gix::Repository,
    env: &'a Env,
    known: Option<&'a Instances>,
}

impl Listing<'_> {
    fn org(&self, found: &mut Instances, path: String, id: ObjectId) -> Result<(), Error> {
        if !self.kept(found, &path, id) {
            for (path, id) in found.step(self.repository, &path, id)? {
                self.project(found, path, id)?;
            }
        }
        found.above.insert(path, id);
        Ok(())
    }

    fn project(&self, found: &mut Instances, path: String, id: ObjectId) -> Result<(), Error> {
        if !self.kept(found, &path, id) {
            for (path, id) in found.step(self.repository, &path, id)? {
                match Folder::of_path(&path) {
                    Some((folder, "")) => {
                        found.folders.insert(folder, id.to_hex().to_string());
                    }
                    _ => found.strays.push(path),
                }
            }
        }
        found.above.insert(path, id);
        Ok(())
    }

    /// Takes over what is known below a path, when that is still the same.
    fn kept(&self, found: &mut Instances, path: &str, id: ObjectId) -> bool {
        let Some(known) = self.known.filter(|known| known.above.get(path) == Some(&id)) else { return false };
        let below = format!("{path}/");
        let above = known.above.range(below.clone()..).take_while(|(path, _)| path.starts_with(&below));
        found.above.extend(above.map(|(path, id)| (path.clone(), *id)));
        found.strays.extend(known.strays.iter().filter(|stray| stray.starts_with(&below)).cloned());
        let mut names = path[self.env.instances().len()..].split('/').skip(1);
        let (Some(Ok(org_id)), project) = (names.next().map(OrgId::from_str), names.next()) else {
            return true;
        };
        let project_id = project.map(ProjectId::from_str);
        // What does not name a project holds no folders: all of it is strays.
        let Ok(project_id) = project_id.transpose() else { return true };
        let first = Folder {
            env: self.env.clone(),
            org_id,
            project_id: project_id.unwrap_or(ProjectId::from_bits(0)),
            instance_id: InstanceId::from_bits(0),
        };
        let same = |folder: &Folder| {
            folder.org_id == org_id && project_id.is_none_or(|project_id| folder.project_id == project_id)
        };
        let folders = known.folders.range(first..).take_while(|(folder, _)| same(folder));
        found.folders.extend(folders.map(|(folder, name)| (folder.clone(), name.clone())));
        true
    }
}
