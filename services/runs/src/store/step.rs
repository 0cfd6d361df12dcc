//! Steps of a run by whoever holds it, and the taking over of runs that nobody holds any more.
//!
//! A step reads the row, checks the hold, lets the model decide and writes what came of it: row, events,
//! the outbox and, at the end, the request log. A task that lost its run changes nothing.

use sea_orm::{
    ColumnTrait as _, Condition, DbBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use souk_db::{
    Error as DbError, Request, Tx, for_every_tenant,
    once::{abandon, finish},
    one_locked, outbox,
};
use souk_types::{EventId, RunId, Time};

use super::{
    Hold, Store, over,
    row::{self, run::Column},
};
use crate::{
    error::Error,
    model::{Delta, Event, Illegal, Run, State, What},
};

/// The method whose request a run answers, as the request log calls it.
const RPC: &str = "CreateRun";

/// What a step makes of a run, given the present moment, and the pieces of output that go with it.
pub(crate) type Made = Result<(Run, Vec<Delta>), Illegal>;

impl Store {
    /// One step of the run that `hold` is on. `site` names the commit.
    pub(crate) async fn step<F>(&self, site: &'static str, hold: Hold, make: F) -> Result<Run, Error>
    where
        F: Fn(Run, Time) -> Made + Send + Sync,
    {
        let make = &make;
        self.db
            .write(site, |tx| async move {
                let before = self.held(&tx, hold).await?;
                let (state, now) = (before.state, tx.now());
                let (mut run, pieces) = make(before, now)?;
                let mut happened: Vec<What> = pieces.into_iter().map(What::Piece).collect();
                if run.state != state {
                    happened.push(What::Came(run.state, run.version));
                    run.next_attempt_time = now + self.lease;
                }
                for what in happened {
                    run.sequence += 1;
                    let event = Event { sequence: run.sequence, occur_time: now, what };
                    let event = row::event_row(&run, event);
                    row::event::Entity::insert(event)
                        .exec_without_returning(&tx)
                        .await
                        .map_err(DbError::from)?;
                }
                row::run::Entity::update(row::changed(&run)?).exec(&tx).await.map_err(DbError::from)?;
                if run.state.is_over() {
                    answer(&tx, &run, now).await?;
                }
                tx.ring(run.run_id.to_string());
                if run.state.is_over() {
                    tx.ring(over(run.run_id));
                }
                Ok(run)
            })
            .await
    }

    async fn held(&self, tx: &Tx, hold: Hold) -> Result<Run, Error> {
        let found = one_locked::<row::run::Entity>(tx, &for_every_tenant(), hold.run_id.to_string()).await;
        let found = found.map_err(|denial| denial.say(|| Error::RunNotFound, || Error::Denied))?;
        let run = row::read(found)?;
        if run.owner == self.boot && run.attempts == hold.attempts { Ok(run) } else { Err(Error::Lost) }
    }

    /// Says that the run's task is alive. Leaves the row's version as it is: nothing happened.
    pub(crate) async fn renew(&self, hold: Hold) -> Result<(), Error> {
        let until = (self.db.now() + self.lease).micros();
        self.db
            .write("runs.renew_lease", |tx| async move {
                let done = row::run::Entity::update_many()
                    .col_expr(Column::NextAttemptTime, Expr::value(until))
                    .filter(Column::RunId.eq(hold.run_id.to_string()))
                    .filter(Column::Owner.eq(&self.boot))
                    .filter(Column::Attempts.eq(hold.attempts))
                    .exec(&tx)
                    .await
                    .map_err(DbError::from)?;
                if done.rows_affected == 1 { Ok(()) } else { Err(Error::Lost) }
            })
            .await
    }

    /// Takes over runs that nobody holds: their lease is over, or, where one process owns the file, they
    /// belonged to an earlier boot. At most `limit`.
    pub(crate) async fn take_over(&self, limit: u64) -> Result<Vec<Run>, Error> {
        let now = self.db.now();
        let mut taken = Vec::new();
        let found: Vec<String> = row::run::Entity::find()
            .select_only()
            .column(Column::RunId)
            .filter(Column::EndTime.is_null())
            .filter(self.abandoned(now))
            .order_by_asc(Column::NextAttemptTime)
            .limit(limit)
            .into_tuple()
            .all(self.db.read())
            .await
            .map_err(DbError::from)?;
        for run_id in found {
            let run_id: RunId = run_id.parse().map_err(|error| DbError::value("run_id", error))?;
            taken.extend(self.take(run_id).await?);
        }
        Ok(taken)
    }

    fn abandoned(&self, now: Time) -> Condition {
        let silent = Condition::any().add(Column::NextAttemptTime.lte(now.micros()));
        if self.db.backend() == DbBackend::Postgres {
            return silent;
        }
        // The lock on the data directory says that whoever else worked on this file is gone.
        silent.add(Column::Owner.ne(&self.boot))
    }

    async fn take(&self, run_id: RunId) -> Result<Option<Run>, Error> {
        self.db
            .write("runs.take_over", |tx| async move {
                let now = tx.now();
                let still = row::run::Entity::find_by_id(run_id.to_string())
                    .filter(Column::EndTime.is_null())
                    .filter(self.abandoned(now))
                    .lock_exclusive()
                    .one(&tx)
                    .await
                    .map_err(DbError::from)?;
                let Some(found) = still else { return Ok(None) };
                let run = row::read(found)?.taken(&self.boot, now + self.lease)?;
                row::run::Entity::update(row::changed(&run)?).exec(&tx).await.map_err(DbError::from)?;
                Ok(Some(run))
            })
            .await
    }
}

/// Closes the request of a run that is over and tells of it. A refusal leaves the request id free: nothing
/// happened.
async fn answer(tx: &Tx, run: &Run, now: Time) -> Result<(), DbError> {
    let request = Request {
        subject: run.org_id.to_string(),
        rpc: RPC,
        request_id: run.origin.request_id.clone(),
        digest: run.origin.digest.clone(),
        actor: run.origin.actor.clone(),
        org_id: Some(run.org_id),
        trace: run.origin.trace.id.clone(),
    };
    if run.state == State::Refused {
        abandon(tx, &request).await?;
    } else {
        finish(tx, &request, &run.run_id).await?;
    }
    outbox::put(tx, &told(tx, run, now)).await
}

fn told(tx: &Tx, run: &Run, now: Time) -> souk_types::Event {
    let verb = match run.state {
        State::Succeeded => "Succeeded",
        State::Refused => "Refused",
        State::Cancelled => "Cancelled",
        State::Queued | State::Running | State::Settling | State::Failed => "Failed",
    };
    let usage: serde_json::Map<_, _> =
        run.usage.iter().map(|(dimension, quantity)| (dimension.to_owned(), quantity.into())).collect();
    souk_types::Event {
        event_id: EventId::new(now, tx.random()),
        kind: format!("souk.runs.v1.Run{verb}"),
        org_id: Some(run.org_id),
        aggregate_id: run.run_id.to_string(),
        aggregate_seq: run.version,
        occur_time: now,
        actor: run.origin.actor.clone(),
        trace: run.origin.trace.id.clone(),
        payload: serde_json::json!({
            "runId": run.run_id,
            "projectId": run.project_id,
            "instanceId": run.instance_id,
            "offeringVersionId": run.offering_version_id,
            "usage": usage,
            "costMicros": run.bill.cost.micros().to_string(),
            "chargedMicros": run.bill.charged.micros().to_string(),
            "receiptId": run.bill.receipt_id,
            "reservationId": run.reservation_id,
            "reason": run.error.as_ref().map(|error| error.reason.as_str()),
        }),
    }
}
