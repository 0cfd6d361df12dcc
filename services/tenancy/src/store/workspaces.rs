//! Workspace rows: asked for, moved from step to step, picked by the loop, answered.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use souk_db::{
    Once, Request, for_every_tenant, once,
    once::{Begun, abandon, begin},
    one, scoped,
};
use souk_types::{Call, OrgId, Time};

use super::{
    Store, denied,
    events::{Cause, Fact},
    orgs::{Birth, bear, lock_user},
    person, read,
    rows::workspaces,
    trials,
};
use crate::{
    error::Error,
    model::{
        AutoCreateWorkspace, DisplayName, Email, ReadyWorkspace, Workspace, trial::Rules, workspace::State,
    },
};

/// What a request for a workspace found.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The answer it had before.
    Answered(ReadyWorkspace),
    /// The user's row, made just now or earlier.
    Row(Workspace),
}

impl Store {
    /// The caller's own workspace row, made when there is none. The answer follows with
    /// `answer_workspace` once the row is READY; until then the request's id stays free.
    pub(crate) async fn want_workspace(
        &self,
        call: &Call,
        ask: &AutoCreateWorkspace,
        (rules, limit): (&Rules, u64),
    ) -> Result<Wanted, Error> {
        let user_id = person(call)?;
        let request = &Request::of(call, user_id, None, ask)?;
        let cause = &Cause::of(call);
        let written = self.0.write("tenancy.want_workspace", |tx| async move {
            match begin(&tx, request).await? {
                Begun::Replayed(answer) => return Ok(Wanted::Answered(answer)),
                // Billing is asked after this commit, so the intent must not look like a call at work.
                Begun::Fresh => abandon(&tx, request).await?,
            }
            let user = lock_user(&tx, user_id).await?;
            let own = workspaces::Column::TrialUserId.eq(user_id.to_string());
            if let Some(row) = workspaces::Entity::find().filter(own).one(&tx).await? {
                let row = trials::anew(&tx, &user, read::workspace(row)?, rules).await?;
                return Ok(Wanted::Row(row));
            }
            let email: Email = read::parse("email", &user.email)?;
            let name = ask.display_name.as_ref().map_or(email.local(), DisplayName::as_str);
            let birth = Birth { user, name, trial: Some(rules), limit };
            let (_, workspace) = bear(&tx, cause, birth).await?;
            Ok(Wanted::Row(workspace))
        });
        written.await
    }

    /// Gives the answer to a request for a workspace; a copy that was answered meanwhile keeps its answer.
    pub(crate) async fn answer_workspace(
        &self,
        call: &Call,
        ask: &AutoCreateWorkspace,
        answer: &ReadyWorkspace,
    ) -> Result<ReadyWorkspace, Error> {
        let request = &Request::of(call, person(call)?, Some(answer.org_id), ask)?;
        let written = self.0.write("tenancy.answer_workspace", |tx| async move {
            once(&tx, request, || async { Ok::<_, Error>(answer.clone()) }).await
        });
        written.await.map(Once::into_answer)
    }

    /// The row of one org.
    pub(crate) async fn workspace(&self, org_id: OrgId) -> Result<Workspace, Error> {
        let row = one::<workspaces::Entity>(self.0.read(), &for_every_tenant(), org_id.to_string()).await;
        let row = row.map_err(|denial| denied(denial, "tenancy.read", || Error::OrgNotFound(org_id)))?;
        Ok(read::workspace(row)?)
    }

    /// Moves a row on, unless somebody else did meanwhile; answers the row as it stands afterwards.
    pub(crate) async fn move_workspace(
        &self,
        cause: &Cause,
        from: &Workspace,
        to: &Workspace,
    ) -> Result<Workspace, Error> {
        self.0
            .write("tenancy.move_workspace", |tx| async move {
                let moved = workspaces::Entity::update_many()
                    .col_expr(workspaces::Column::State, Expr::value(to.state.as_str()))
                    .col_expr(workspaces::Column::Attempts, Expr::value(to.attempts))
                    .col_expr(
                        workspaces::Column::NextAttemptTime,
                        Expr::value(to.next_attempt_time.map(Time::micros)),
                    )
                    .col_expr(workspaces::Column::LastReason, Expr::value(to.last_reason.as_str()))
                    .col_expr(workspaces::Column::Version, Expr::value(to.version))
                    .filter(workspaces::Column::OrgId.eq(from.org_id.to_string()))
                    .filter(workspaces::Column::Version.eq(from.version))
                    .exec(&tx)
                    .await?;
                if moved.rows_affected == 1 {
                    if to.state == State::Ready && from.state != State::Ready {
                        Fact::workspace_completed(to).tell(&tx, cause).await?;
                    }
                    return Ok(to.clone());
                }
                let row = workspaces::Entity::find_by_id(from.org_id.to_string()).one(&tx).await?;
                Ok(read::workspace(row.ok_or(Error::OrgNotFound(from.org_id))?)?)
            })
            .await
    }

    /// Rows whose next try is due, the longest waiting first.
    pub(crate) async fn due_workspaces(&self, now: Time, limit: u64) -> Result<Vec<Workspace>, Error> {
        let rows = scoped::<workspaces::Entity>(&for_every_tenant())
            .filter(workspaces::Column::NextAttemptTime.lte(now.micros()))
            .order_by_asc(workspaces::Column::NextAttemptTime)
            .limit(limit)
            .all(self.0.read())
            .await?;
        Ok(rows.into_iter().map(read::workspace).collect::<Result<_, _>>()?)
    }
}
