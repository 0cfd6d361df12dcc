//! The committer: everything that waits becomes one commit.
//!
//! The rows are the queue. Callers take turns: who gets one commits for all that wait, so the others find
//! themselves answered. A loop takes the same turns for what nobody waits for any more. A kill before the
//! commit leaves a pending row, one after it leaves a pending row whose files stand already: both end in
//! the next turn, the second without a new commit.

use souk_db::Request;
use souk_types::id::InstanceId;

use super::Service;
use crate::{
    error::Error,
    model::{Bundle, Change, CommitId, Committed, DesiredState, content_hash, render, replace},
    store::Landed,
};

/// How many instances one commit changes at the most.
const GROUP: u64 = 256;

impl Service {
    /// Commits an open request's instance, unless somebody did it meanwhile, and gives the answer.
    pub(super) async fn commit_for(
        &self,
        request: &Request,
        instance_id: InstanceId,
    ) -> Result<Committed, Error> {
        let _turn = self.turn.lock().await;
        if let Some(answer) = self.store.answer(request).await? {
            return Ok(answer);
        }
        self.commit_due(Some(instance_id)).await?;
        self.store.answer(request).await?.ok_or(Error::StillCommitting { instance_id })
    }

    /// One turn of the committer; says whether more may wait.
    pub(crate) async fn commit_turn(&self) -> Result<bool, Error> {
        let _turn = self.turn.lock().await;
        self.commit_due(None).await
    }

    async fn commit_due(&self, also: Option<InstanceId>) -> Result<bool, Error> {
        let due = self.store.due(also, GROUP).await?;
        let more = u64::try_from(due.len()).is_ok_and(|count| count >= GROUP);
        let (mut changes, mut landed) = (Vec::new(), Vec::new());
        for state in &due {
            match self.changes(state) {
                Ok((files, one)) => {
                    changes.extend(files);
                    landed.push(one);
                }
                // It was checked before it was kept: one such row must not keep the others from Git.
                Err(error) => {
                    let id = state.instance_id.to_string();
                    tracing::error!(instance_id = id, %error, "a desired state cannot be rendered");
                    self.store.put_off(&[id], "it cannot be rendered").await?;
                }
            }
        }
        if landed.is_empty() {
            return Ok(more);
        }
        let puts = changes.iter().any(|change| matches!(change, Change::Put { .. }));
        let (message, time) = (message(&landed), self.store.now());
        let outcome = self.git(move |repository| repository.commit(&changes, &message, time)).await;
        let commit = outcome.map(|outcome| outcome.commit().cloned());
        match commit {
            Ok(None) if puts => Err(Error::BrokenOff("files were written and no commit holds them".into())),
            Ok(commit) => {
                self.store.land(commit.as_ref(), &landed).await?;
                let commit = commit.as_ref().map(CommitId::as_str);
                tracing::debug!(commit, instances = landed.len(), "committed desired state");
                Ok(more)
            }
            Err(error) => {
                let ids: Vec<_> = landed.iter().map(|one| one.instance_id.to_string()).collect();
                self.store.put_off(&ids, problem(&error)).await?;
                Err(error)
            }
        }
    }

    /// The changes that make an instance's folder hold its desired state, or that take it away.
    pub(super) fn changes(&self, state: &DesiredState) -> Result<(Vec<Change>, Landed), Error> {
        let folder = state.folder(&self.env);
        let mut landed =
            Landed { instance_id: state.instance_id, revision: state.revision, content_hash: None };
        let Some(wanted) = &state.desired else {
            let gone = folder.map(|folder| replace(&folder, &Bundle::default()));
            return Ok((gone.unwrap_or_default(), landed));
        };
        let bundle = render(&self.env, wanted)?;
        landed.content_hash = Some(content_hash(&self.env, wanted));
        Ok((replace(&wanted.folder(&self.env), &bundle), landed))
    }
}

/// What a row says of a failed attempt; the error itself goes to the log and to the callers.
const fn problem(error: &Error) -> &'static str {
    match error {
        Error::DesiredStateConflict { .. } => "another writer kept moving the repository",
        Error::Storage { .. } => "the disk refused",
        _ => "the repository cannot be written",
    }
}

fn message(landed: &[Landed]) -> String {
    let line = |one: &Landed| {
        let verb = if one.content_hash.is_some() { "apply" } else { "remove" };
        format!("{verb} {} at revision {}", one.instance_id, one.revision)
    };
    match landed {
        [one] => format!("{}\n", line(one)),
        many => {
            let lines: Vec<_> = many.iter().map(line).collect();
            format!("apply {} changes\n\n{}\n", many.len(), lines.join("\n"))
        }
    }
}
