//! Writes a run down, once for each request id, within the limits of its plan.

use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    Statement,
};
use souk_db::{
    Error as DbError, Request, Tx,
    once::{Begun, begin},
};
use souk_types::{Call, RunId};

use super::{
    Store,
    row::{self, run::Column},
};
use crate::{
    error::Error,
    model::{CreateRun, Entitlements, Event, Limits, Origin, Run, State, What},
};

/// What a CreateRun found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Created {
    /// The run is written down and belongs to this boot.
    Fresh(Box<Run>),
    /// An earlier copy of the command made this run, which may be over.
    Earlier(RunId),
}

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

impl Store {
    /// The command as the request log sees it.
    pub(crate) fn request(call: &Call, to: &Entitlements, ask: &CreateRun) -> Result<Request, Error> {
        Ok(Request::of(call, to.org_id, Some(to.org_id), ask)?)
    }

    /// Writes the run down unless a copy of the command did before.
    pub(crate) async fn create(
        &self,
        call: &Call,
        to: &Entitlements,
        ask: CreateRun,
    ) -> Result<Created, Error> {
        let now = self.db.now();
        let request = &Self::request(call, to, &ask)?;
        let origin = Origin {
            request_id: request.request_id.clone(),
            digest: request.digest.clone(),
            actor: request.actor.clone(),
            trace: call.trace.clone(),
        };
        let run = Run::queued(RunId::new(now, self.db.random()), ask, to, origin, now);
        let run = &run.taken(&self.boot, now + self.lease)?;
        self.db
            .write("runs.create_run", |tx| async move {
                match begin::<RunId>(&tx, request).await {
                    Ok(Begun::Replayed(first)) => return Ok(Created::Earlier(first)),
                    Ok(Begun::Fresh) => {}
                    Err(busy @ DbError::RequestInProgress { .. }) => {
                        return Ok(Created::Earlier(at_work(&tx, request).await?.ok_or(busy)?));
                    }
                    Err(error) => return Err(error.into()),
                }
                within(&tx, run, to.limits).await?;
                share(&tx, run, self.org_runs).await?;
                row::run::Entity::insert(row::whole(run)?)
                    .exec_without_returning(&tx)
                    .await
                    .map_err(DbError::from)?;
                let what = What::Came(State::Queued, run.version);
                let event = Event { sequence: run.sequence, occur_time: now, what };
                let event = row::event_row(run, event);
                row::event::Entity::insert(event).exec_without_returning(&tx).await.map_err(DbError::from)?;
                tx.ring(run.run_id.to_string());
                Ok(Created::Fresh(Box::new(run.clone())))
            })
            .await
    }
}

/// The run of an open request. A part and a person may have chosen the same id for different commands.
async fn at_work(tx: &Tx, request: &Request) -> Result<Option<RunId>, DbError> {
    let found = row::run::Entity::find()
        .filter(Column::OrgId.eq(&request.subject))
        .filter(Column::RequestId.eq(&request.request_id))
        .filter(Column::Digest.eq(&request.digest))
        .filter(Column::EndTime.is_null())
        .one(tx)
        .await?;
    found.map(|row| row.run_id.parse().map_err(|error| DbError::value("run_id", error))).transpose()
}

/// Whether the org may have one more run at work. Runs that come at the very same moment are not held up for
/// each other: there may be a few more for a moment, but not every place of the engines.
async fn share(tx: &Tx, run: &Run, allowed: u32) -> Result<(), Error> {
    let of_org = row::run::Entity::find().filter(Column::OrgId.eq(run.org_id.to_string()));
    let at_work = of_org.filter(Column::EndTime.is_null()).count(tx).await.map_err(DbError::from)?;
    if at_work >= u64::from(allowed) { Err(Error::OrgBusy { allowed }) } else { Ok(()) }
}

/// Whether the plan allows one more run; holds the instance's gate until the write ends, so that runs
/// which come together are counted one after the other.
async fn within(tx: &Tx, run: &Run, limits: Limits) -> Result<(), Error> {
    if limits.concurrent_runs <= 0 && limits.runs_per_minute <= 0 {
        return Ok(());
    }
    let (backend, instance) = (tx.get_database_backend(), run.instance_id.to_string());
    let gate = "INSERT INTO run_gate (instance_id) VALUES ($1)
                ON CONFLICT (instance_id) DO UPDATE SET instance_id = excluded.instance_id";
    let gate = Statement::from_sql_and_values(backend, gate, [instance.clone().into()]);
    tx.execute_raw(gate).await.map_err(DbError::from)?;
    let of_instance = || row::run::Entity::find().filter(Column::InstanceId.eq(&instance));
    if limits.concurrent_runs > 0 {
        let at_work = of_instance().filter(Column::EndTime.is_null()).count(tx).await;
        over("concurrent_runs", at_work.map_err(DbError::from)?, limits.concurrent_runs)?;
    }
    if limits.runs_per_minute > 0 {
        let lately = of_instance()
            .filter(Column::CreateTime.gt((run.create_time - MINUTE).micros()))
            .filter(Column::State.ne(State::Refused.as_str()))
            .count(tx)
            .await;
        over("runs_per_minute", lately.map_err(DbError::from)?, limits.runs_per_minute)?;
    }
    Ok(())
}

fn over(limit: &'static str, count: u64, allowed: i64) -> Result<(), Error> {
    if count >= allowed.unsigned_abs() { Err(Error::TooManyRuns { limit, allowed }) } else { Ok(()) }
}
