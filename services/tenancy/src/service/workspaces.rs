//! The write that spans services: a workspace row is taken from step to step, by the call that wants it
//! and by the loop, whichever comes first. Every step may be repeated.

use souk_types::{Call, Credits, Time, Trace};

use super::Service;
use crate::{
    error::Error,
    model::{AutoCreateWorkspace, ReadyWorkspace, Workspace, workspace::State},
    store::{Cause, Wanted},
};

/// Rows one turn of the loop tries.
const BATCH: u64 = 16;

impl Service {
    /// The caller's own workspace, with what its wallet holds now.
    pub(crate) async fn auto_create_workspace(
        &self,
        call: &Call,
        ask: AutoCreateWorkspace,
    ) -> Result<ReadyWorkspace, Error> {
        let rules = self.config.trials();
        let terms = (&rules, self.config.max_orgs_per_user);
        let row = match self.store.want_workspace(call, &ask, terms).await? {
            Wanted::Answered(answer) => return Ok(answer),
            Wanted::Row(row) => row,
        };
        let row = self.complete(row, &Cause::of(call), &call.trace).await?;
        let balance = self.balance(&row, &call.trace).await?;
        let (org_id, project_id, trial_refused) = (row.org_id, row.project_id, row.trial_refused);
        let answer = ReadyWorkspace { org_id, project_id, balance, trial_refused };
        self.store.answer_workspace(call, &ask, &answer).await
    }

    async fn balance(&self, row: &Workspace, trace: &Trace) -> Result<Credits, Error> {
        let (org_id, state) = (row.org_id, row.state.as_str());
        let answer = self.billing.balance(org_id, trace).await;
        let balance = answer.map_err(|refusal| Error::WorkspaceUnfinished { org_id, state, refusal })?;
        balance.ok_or(Error::BadAnswer { part: "billing", what: "GetWallet without a wallet" })
    }

    /// Takes a row through the steps that are left. A step that fails is noted in the row.
    pub(super) async fn complete(
        &self,
        mut row: Workspace,
        cause: &Cause,
        trace: &Trace,
    ) -> Result<Workspace, Error> {
        while row.state != State::Ready {
            let outcome = self.step(&row, trace).await;
            let now = self.store.now();
            match outcome {
                Ok(()) => row = self.store.move_workspace(cause, &row, &row.stepped(now)).await?,
                Err(refusal) => {
                    let failed = row.failed(now, &refusal.reason, refusal.is_transient());
                    let (org_id, state) = (row.org_id, row.state.as_str());
                    self.store.move_workspace(cause, &row, &failed).await?;
                    return Err(Error::WorkspaceUnfinished { org_id, state, refusal });
                }
            }
        }
        Ok(row)
    }

    async fn step(&self, row: &Workspace, trace: &Trace) -> Result<(), souk_kit::Refusal> {
        match (row.state, row.trial_request_id()) {
            (State::OpeningWallet, _) => {
                self.billing.open_wallet(row.org_id, row.wallet_request_id(), trace).await
            }
            (State::GrantingTrial, Some(request_id)) => {
                self.billing.grant_trial(row.org_id, row.trial, request_id, trace).await
            }
            // Without a user there is no trial; the model never gets there.
            (State::GrantingTrial, None) | (State::Ready, _) => Ok(()),
        }
    }

    /// One turn of the loop: tries the rows that are due; says whether there may be more.
    pub(crate) async fn workspaces_turn(&self) -> Result<bool, Error> {
        let due = self.store.due_workspaces(self.store.now(), BATCH).await?;
        let full = u64::try_from(due.len()) == Ok(BATCH);
        let (cause, trace) = (Cause::own(), Trace::start(self.store.random()));
        for row in due {
            match self.complete(row, &cause, &trace).await {
                Ok(_) => {}
                // One org's trouble must not keep the others waiting; its row says when to try again.
                Err(Error::WorkspaceUnfinished { org_id, state, refusal }) => {
                    tracing::warn!(%org_id, state, cause = %refusal, "workspace waits");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(full)
    }

    /// One turn of the sweep: forgets what ended a month ago; says whether there may be more.
    pub(crate) async fn sweep_turn(&self) -> Result<bool, Error> {
        const LIMIT: u64 = 500;
        let before: Time = self.store.now() - souk_db::once::KEPT;
        let ended = self.store.forget_ended(before, LIMIT).await?;
        let invitations = self.store.forget_invitations(before, LIMIT).await?;
        let trail = self.store.forget_audit(self.store.now() - self.config.audit_life(), LIMIT).await?;
        let days = self.store.forget_trial_days(before, LIMIT).await?;
        Ok(ended || invitations || trail || days)
    }
}
