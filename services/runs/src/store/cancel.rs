//! Runs that are to be stopped, and whether anybody still listens to them. The row says it, whoever owns the
//! run acts on it.

use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _, sea_query::Expr};
use souk_db::{Error as DbError, Request, Tx, for_every_tenant, once::once, one_locked};
use souk_types::{Call, OrgId, RunId, Scope, Time};

use super::{
    Store,
    row::{self, run::Column},
    to_stop,
};
use crate::{
    error::Error,
    model::{Cancel, CancelRun, State},
};

impl Store {
    /// Writes down, once for each request id, that the run is to be stopped. One that no engine works on any
    /// more stays as it is.
    pub(crate) async fn cancel(&self, call: &Call, org_id: OrgId, ask: CancelRun) -> Result<(), Error> {
        let request = &Request::of(call, org_id, Some(org_id), &ask)?;
        self.db
            .write("runs.cancel_run", |tx| async move {
                let effect = || async {
                    stop(&tx, &call.scope, ask.run_id, Cancel::Asked).await?;
                    Ok::<_, Error>(ask.run_id)
                };
                once(&tx, request, effect).await?;
                Ok(())
            })
            .await
    }

    /// Writes down that the run is to be stopped because nobody listens.
    pub(crate) async fn unheard(&self, run_id: RunId) -> Result<(), Error> {
        let stop = |tx: Tx| async move { stop(&tx, &for_every_tenant(), run_id, Cancel::Unheard).await };
        self.db.write("runs.cancel_unheard", stop).await
    }

    /// Says that somebody listens here to a run that another process owns.
    pub(crate) async fn heard(&self, run_id: RunId) -> Result<(), Error> {
        self.db
            .write("runs.hear_run", |tx| async move {
                row::run::Entity::update_many()
                    .col_expr(Column::HeardTime, Expr::value(tx.now().micros()))
                    .filter(Column::RunId.eq(run_id.to_string()))
                    .filter(Column::EndTime.is_null())
                    .exec(&tx)
                    .await
                    .map_err(DbError::from)?;
                Ok(())
            })
            .await
    }

    /// Why the run is to be stopped, if it is, and when somebody was last seen to listen elsewhere.
    pub(crate) async fn standing(&self, run_id: RunId) -> Result<(Option<Cancel>, Time), Error> {
        let found: Option<(String, i64)> = row::run::Entity::find_by_id(run_id.to_string())
            .select_only()
            .columns([Column::Cancel, Column::HeardTime])
            .into_tuple()
            .one(self.db.read())
            .await
            .map_err(DbError::from)?;
        let (cancel, heard) = found.ok_or(Error::RunNotFound)?;
        let cancel = if cancel.is_empty() { None } else { Some(cancel.parse()) };
        let cancel = cancel.transpose().map_err(|error| DbError::value("cancel", error))?;
        Ok((cancel, Time::from_micros(heard)))
    }
}

async fn stop(tx: &Tx, scope: &Scope, run_id: RunId, why: Cancel) -> Result<(), Error> {
    let found = one_locked::<row::run::Entity>(tx, scope, run_id.to_string()).await;
    let found = found.map_err(|denial| denial.say(|| Error::RunNotFound, || Error::Denied))?;
    let run = row::read(found)?;
    if !matches!(run.state, State::Queued | State::Running) || run.cancel.is_some() {
        return Ok(());
    }
    let run = run.stopping(why)?;
    row::run::Entity::update(row::changed(&run)?).exec(tx).await.map_err(DbError::from)?;
    tx.ring(to_stop(run_id));
    Ok(())
}
