//! Use cases: what should be is kept, committed, and read back as what is applied.
//!
//! A call keeps its intent in the database, then one commit is made of everything that waits (`commit`). The
//! reconciler (`reconcile`) takes over what the repository holds. Whatever is killed in between is found
//! again by its row. No wire and no SQL here.

mod commit;
mod reconcile;

use std::{collections::BTreeSet, sync::Arc};

use souk_db::Request;
use souk_types::{Call, Fault, Scope, Violation, id::InstanceId};
use tokio::sync::Mutex;

use self::reconcile::Seen;
use crate::{
    error::Error,
    model::{AppliedState, Committed, Desired, Env, Removal, content_hash},
    outside::git::Repository,
    store::{Ask, Store},
};

/// How much of what is applied is read at once: what a watch holds in memory does not grow with the table.
const PAGE: u64 = 256;

/// Delivery's use cases and the turns of its loops.
pub(crate) struct Service {
    store: Store,
    repository: Arc<Repository>,
    env: Env,
    /// One committer of this process at a time. Who waits here usually finds its commit made.
    turn: Mutex<()>,
    /// What the reconciler saw last; `None` until its first turn.
    seen: Mutex<Option<Seen>>,
}

impl Service {
    pub(crate) fn new(store: Store, repository: Repository, env: Env) -> Self {
        let repository = Arc::new(repository);
        Self { store, repository, env, turn: Mutex::default(), seen: Mutex::default() }
    }

    /// Keeps and commits what an instance should be; answers with the commit that holds it, or with the one
    /// of a newer revision.
    pub(crate) async fn apply(&self, call: &Call, asked: Desired) -> Result<Committed, Error> {
        let mut violations = asked.violations();
        if call.scope.org() != Some(asked.org_id) {
            violations.push(Violation::new("desired.org_id", "must be the org of the call"));
        }
        if !violations.is_empty() {
            return Err(Error::Invalid(violations));
        }
        let request = Request::of(call, asked.org_id, Some(asked.org_id), &asked)?;
        let hash = content_hash(&self.env, &asked);
        match self.store.intend(call, &request, Ask::Apply(&asked, &hash)).await? {
            Some(committed) => Ok(committed),
            None => self.commit_for(&request, asked.instance_id).await,
        }
    }

    /// Keeps and commits that an instance should be no more; answers with the commit that took it away.
    pub(crate) async fn remove(&self, call: &Call, asked: Removal) -> Result<Committed, Error> {
        if asked.revision < 1 {
            return Err(Error::Invalid(vec![Violation::new("revision", "must be 1 or more")]));
        }
        let request = Request::of(call, asked.org_id, Some(asked.org_id), &asked)?;
        match self.store.intend(call, &request, Ask::Remove(asked)).await? {
            Some(committed) => Ok(committed),
            None => self.commit_for(&request, asked.instance_id).await,
        }
    }

    /// What is applied for an instance.
    pub(crate) async fn applied(&self, call: &Call, instance_id: InstanceId) -> Result<AppliedState, Error> {
        self.store.applied(call, instance_id).await
    }

    /// A page of what stands, beyond `after`; whether it is the last one.
    pub(crate) async fn standing(
        &self,
        scope: &Scope,
        after: Option<InstanceId>,
    ) -> Result<(Vec<AppliedState>, bool), Error> {
        let page = self.store.standing(scope, after, PAGE).await?;
        let last = u64::try_from(page.len()).map_or(true, |count| count < PAGE);
        Ok((page, last))
    }

    /// Where the log of changes ends: what changes from now on is told beyond it.
    pub(crate) async fn changes_head(&self) -> Result<i64, Error> {
        Ok(self.store.changes_head().await?)
    }

    /// Waits until something may have changed beyond a place of that log.
    pub(crate) async fn changes_beyond(&self, place: i64) {
        self.store.changes_beyond(place).await;
    }

    /// Which instances changed beyond a place, each named once, and where the log ends now.
    pub(crate) async fn changed_since(&self, place: i64) -> Result<(BTreeSet<InstanceId>, i64), Fault> {
        self.store.changed_since(place).await
    }

    /// What is applied for some of the instances, as it stands now, and which ones are left to be read.
    pub(crate) async fn applied_to(
        &self,
        scope: &Scope,
        mut instances: BTreeSet<InstanceId>,
    ) -> Result<(Vec<AppliedState>, BTreeSet<InstanceId>), Error> {
        let mut now = Vec::new();
        while now.len() < usize::try_from(PAGE).unwrap_or(usize::MAX)
            && let Some(next) = instances.pop_first()
        {
            now.push(next);
        }
        Ok((self.store.applied_to(scope, &now).await?, instances))
    }

    /// Works on the repository where blocking is allowed.
    async fn git<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Repository) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let repository = Arc::clone(&self.repository);
        let done = tokio::task::spawn_blocking(move || work(&repository)).await;
        done.map_err(|broken| Error::BrokenOff(Box::new(broken)))?
    }
}

#[cfg(test)]
mod tests;
