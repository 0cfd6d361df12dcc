//! Use cases: what should be is kept, committed, and read back as what is applied.
//!
//! A call keeps its intent in the database, then one commit is made of everything that waits (`commit`). The
//! reconciler (`reconcile`) takes over what the repository holds. Whatever is killed in between is found
//! again by its row. No wire and no SQL here.

mod commit;
mod reconcile;

use std::sync::Arc;

use souk_db::Request;
use souk_types::{Call, Violation, id::InstanceId};
use tokio::sync::Mutex;

use self::reconcile::Seen;
use crate::{
    error::Error,
    model::{AppliedState, Committed, Desired, Env, content_hash},
    outside::git::Repository,
    store::Store,
};

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
        match self.store.intend(call, &request, &asked, &hash).await? {
            Some(committed) => Ok(committed),
            None => self.commit_for(&request, asked.instance_id).await,
        }
    }

    /// What is applied for an instance.
    pub(crate) async fn applied(&self, call: &Call, instance_id: InstanceId) -> Result<AppliedState, Error> {
        self.store.applied(call, instance_id).await
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
