//! The local reconciler: what the repository's head holds becomes applied state; what nobody of ours wrote
//! there is drift, reported and overwritten.
//!
//! The order of looking makes it right without a lock: rows whose folder must be there are read before the
//! head, rows that a found folder is judged by after it, and before anything is called drift the head is
//! asked again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use souk_types::id::InstanceId;

use super::Service;
use crate::{
    error::Error,
    model::{Bundle, Change, CommitId, DesiredState, Drift, Finding, Folder, judge},
    outside::git::{Instances, Repository},
    store::{Drifted, Taken},
};

/// Rows or folders worked on at once.
const BATCH: u64 = 128;
/// The same, for slices.
const CHUNK: usize = 128;

/// What the reconciler saw in its last turn.
#[derive(Debug)]
pub(super) struct Seen {
    /// What the repository listed.
    listed: Arc<Instances>,
    /// The folders of it that could not be judged yet.
    unsettled: BTreeSet<Folder>,
}

/// What a chunk of folders was found to be.
#[derive(Default)]
struct Findings {
    taken: Vec<Taken>,
    drifted: Vec<(Folder, Drifted)>,
    foreign: Vec<Folder>,
    unsettled: Vec<Folder>,
}

impl Seen {
    /// The folders that are not what they were when they were judged.
    fn news<'a>(&'a self, found: &'a Instances) -> impl Iterator<Item = Folder> + 'a {
        let judged =
            |folder: &Folder| self.listed.folders.get(folder).filter(|_| !self.unsettled.contains(folder));
        let changed = found.folders.iter().filter(move |(folder, name)| judged(folder) != Some(*name));
        let changed = changed.map(|(folder, _)| folder);
        let gone = self.listed.folders.keys().filter(|folder| !found.folders.contains_key(*folder));
        changed.chain(gone).chain(&self.unsettled).cloned()
    }
}

impl Service {
    /// One turn of the reconciler; says whether more may wait.
    pub(crate) async fn reconcile_turn(&self) -> Result<bool, Error> {
        let mut seen = self.seen.lock().await;
        let unapplied = self.store.committed(None, BATCH, true).await?;
        let more = u64::try_from(unapplied.len()).is_ok_and(|count| count >= BATCH);
        let head = self.git(Repository::head).await?;
        let quiet = |seen: &Seen| seen.unsettled.is_empty() && seen.listed.commit == head;
        if seen.as_ref().is_some_and(quiet) && unapplied.is_empty() {
            return Ok(false);
        }
        self.take_folderless(&unapplied).await?;
        let mut examine: BTreeSet<Folder> = self.folders(&unapplied).collect();
        let (env, known) = (self.env.clone(), seen.as_ref().map(|seen| Arc::clone(&seen.listed)));
        let found = self.git(move |repository| repository.instances_after(&env, known.as_deref())).await?;
        match seen.as_ref() {
            Some(seen) => examine.extend(seen.news(&found)),
            None => {
                examine.extend(found.folders.keys().cloned());
                let missing = self.every_folder().await?.into_iter();
                examine.extend(missing.filter(|folder| !found.folders.contains_key(folder)));
            }
        }
        let unsettled = self.examine(&found, examine.into_iter().collect()).await?;
        *seen = Some(Seen { listed: Arc::new(found), unsettled });
        Ok(more)
    }

    fn folders(&self, states: &[DesiredState]) -> impl Iterator<Item = Folder> {
        states.iter().filter_map(|state| state.folder(&self.env))
    }

    /// What was taken away before it ever was has no folder to look at.
    async fn take_folderless(&self, unapplied: &[DesiredState]) -> Result<(), Error> {
        let gone = unapplied.iter().filter(|state| state.project.is_none());
        let gone: Vec<_> = gone.map(|state| Taken::Gone(state.instance_id, state.revision)).collect();
        if gone.is_empty() { Ok(()) } else { Ok(self.store.put_applied(&gone).await?) }
    }

    /// The folders of everything that was committed and should be there, for the first look after a start.
    async fn every_folder(&self) -> Result<Vec<Folder>, Error> {
        let (mut folders, mut after) = (Vec::new(), None);
        loop {
            let mut page = self.store.committed(after, BATCH, false).await?;
            let Some(last) = page.last() else { return Ok(folders) };
            after = Some(last.instance_id);
            page.retain(|state| state.desired.is_some());
            folders.extend(self.folders(&page));
        }
    }

    /// Judges folders and acts on it; gives those that could not be judged yet.
    pub(super) async fn examine(
        &self,
        found: &Instances,
        folders: Vec<Folder>,
    ) -> Result<BTreeSet<Folder>, Error> {
        let mut unsettled = BTreeSet::new();
        for chunk in folders.chunks(CHUNK) {
            let mut findings = self.judge(found.commit.as_ref(), chunk).await?;
            let suspects = !findings.drifted.is_empty() || !findings.foreign.is_empty();
            if suspects && self.git(Repository::head).await? != found.commit {
                // Rows and files are of different moments: the next turn judges these.
                let drifted = findings.drifted.drain(..).map(|(folder, _)| folder);
                unsettled.extend(drifted.chain(findings.foreign.drain(..)));
            }
            unsettled.append(&mut findings.unsettled.into_iter().collect());
            if !findings.taken.is_empty() {
                self.store.put_applied(&findings.taken).await?;
            }
            self.mend(findings.drifted).await?;
            let paths = findings.foreign.iter().map(ToString::to_string).collect();
            if !self.sweep(found, paths).await? {
                unsettled.extend(findings.foreign);
            }
        }
        // Left alone by a head that moved: the next turn lists them again.
        self.sweep(found, found.strays.clone()).await?;
        Ok(unsettled)
    }

    async fn judge(&self, commit: Option<&CommitId>, folders: &[Folder]) -> Result<Findings, Error> {
        let bundles = self.bundles(commit.cloned(), folders.to_vec()).await?;
        let ids: Vec<_> = folders.iter().map(|folder| folder.instance_id).collect();
        let kept = self.store.states(&ids).await?.into_iter().map(|kept| (kept.instance_id, kept));
        let kept: BTreeMap<InstanceId, DesiredState> = kept.collect();
        let mut findings = Findings::default();
        for (folder, bundle) in bundles {
            let kept = kept.get(&folder.instance_id);
            let taken_over = kept.is_some_and(|kept| kept.applied_revision == kept.revision);
            let revision = kept.map_or(0, |kept| kept.revision);
            match judge(&self.env, &folder, kept, &bundle)? {
                Finding::Whole(_) | Finding::Gone if taken_over => {}
                Finding::Whole(applied) => findings.taken.push(Taken::Whole(applied)),
                Finding::Gone => findings.taken.push(Taken::Gone(folder.instance_id, revision)),
                Finding::Unsettled => findings.unsettled.push(folder),
                // A folder that is gone again and that nobody misses.
                Finding::Foreign if bundle.is_empty() => {}
                Finding::Foreign => findings.foreign.push(folder),
                Finding::Drifted(files) => {
                    let one = drifted(&folder, revision, files, commit);
                    findings.drifted.push((folder, one));
                }
            }
        }
        Ok(findings)
    }

    async fn bundles(
        &self,
        commit: Option<CommitId>,
        folders: Vec<Folder>,
    ) -> Result<Vec<(Folder, Bundle)>, Error> {
        self.git(move |repository| {
            let read = |folder: Folder| match &commit {
                Some(commit) => {
                    let files = repository.read_at(commit, &folder.to_string())?.files;
                    Ok((folder, files))
                }
                None => Ok((folder, Bundle::default())),
            };
            folders.into_iter().map(read).collect()
        })
        .await
    }

    /// Reports folders that drifted and has them written anew.
    async fn mend(&self, drifted: Vec<(Folder, Drifted)>) -> Result<(), Error> {
        if drifted.is_empty() {
            return Ok(());
        }
        for (folder, one) in &drifted {
            let first = one.files.first().map(ToString::to_string).unwrap_or_default();
            let (commit, files) = (one.commit.as_deref().unwrap_or_default(), one.files.len());
            tracing::warn!(%folder, commit, files, first, "desired state drifted, writing it again");
        }
        let drifted: Vec<_> = drifted.into_iter().map(|(_, one)| one).collect();
        Ok(self.store.put_drifted(&drifted).await?)
    }

    /// Reports and removes what belongs to no instance of ours; `false` when the head moved, so that the
    /// paths must be judged again.
    pub(super) async fn sweep(&self, found: &Instances, paths: Vec<String>) -> Result<bool, Error> {
        let (Some(commit), false) = (&found.commit, paths.is_empty()) else { return Ok(true) };
        // With the turn held and the head unmoved, no folder of ours can come into being below us.
        let _turn = self.turn.lock().await;
        if self.git(Repository::head).await?.as_ref() != Some(commit) {
            return Ok(false);
        }
        let first = paths.first().map(String::as_str).unwrap_or_default();
        tracing::warn!(%commit, count = paths.len(), first, "foreign files among the instances, removing them");
        self.store.put_strays(&self.env.instances(), &paths, commit.as_str()).await?;
        let time = self.store.now();
        self.git(move |repository| {
            let changes: Vec<_> = paths.into_iter().map(|path| Change::Remove { path }).collect();
            repository.commit(&changes, "remove what belongs to no instance\n", time)
        })
        .await?;
        Ok(true)
    }
}

fn drifted(folder: &Folder, revision: i64, files: Vec<Drift>, commit: Option<&CommitId>) -> Drifted {
    let commit = commit.map(ToString::to_string);
    Drifted { instance_id: folder.instance_id, revision, files, commit }
}
