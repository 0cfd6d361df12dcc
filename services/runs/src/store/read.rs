//! Reads: one run, a page of runs, the events of a run.

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, sea_query::Expr,
};
use souk_db::{once::digest_of, one, scoped};
use souk_types::{
    Call, InstanceId, ProjectId, RunId, Scope,
    access::Admission,
    page::{Page, Paged},
};

use super::{
    Store,
    row::{self, HEAD},
};
use crate::{
    error::Error,
    model::{CreateRun, Event, Run, State},
};

impl Store {
    /// The run.
    pub(crate) async fn get(&self, scope: &Scope, run_id: RunId) -> Result<Run, Error> {
        let found = one::<row::run::Entity>(self.db.read(), scope, run_id.to_string()).await;
        let found = found.map_err(|denial| denial.say(|| Error::RunNotFound, || Error::Denied))?;
        Ok(row::read(found)?)
    }

    /// The run that an earlier copy of this very command made, unless it was refused: found without
    /// asking anybody else, so that a repeat gets its answer whatever became of the instance since.
    pub(crate) async fn earlier(&self, call: &Call, ask: &CreateRun) -> Result<Option<Run>, Error> {
        let found = scoped::<row::run::Entity>(&call.scope)
            .filter(row::run::Column::RequestId.eq(&call.request_id))
            .filter(row::run::Column::InstanceId.eq(ask.instance_id.to_string()))
            .filter(row::run::Column::Digest.eq(digest_of(ask)?))
            .filter(row::run::Column::State.ne(State::Refused.as_str()))
            .one(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let run = found.map(row::read).transpose()?;
        Ok(run.filter(|run| call.scope.admit(run.org_id) == Admission::Granted))
    }

    /// A project's runs, newest first; texts are cut to their beginning.
    pub(crate) async fn list(
        &self,
        scope: &Scope,
        (project_id, instance_id): (ProjectId, Option<InstanceId>),
        page: &Page,
    ) -> Result<Paged<Run>, Error> {
        use row::run::Column;
        let mut query =
            scoped::<row::run::Entity>(scope).filter(Column::ProjectId.eq(project_id.to_string()));
        if let Some(instance_id) = instance_id {
            query = query.filter(Column::InstanceId.eq(instance_id.to_string()));
        }
        if !page.after.is_empty() {
            query = query.filter(Column::RunId.lt(&page.after));
        }
        let columns = <Column as sea_orm::Iterable>::iter()
            .filter(|column| !matches!(column, Column::Input | Column::Outputs | Column::EffectiveConfig));
        // A thousand whole runs do not fit into one message, or into memory.
        let rows = query
            .select_only()
            .columns(columns)
            .column_as(Expr::cust(format!("substr(input, 1, {HEAD})")), "input")
            .column_as(Expr::cust("'[]'"), "outputs")
            .column_as(Expr::cust("'{}'"), "effective_config")
            .order_by_desc(Column::RunId)
            .limit(page.size + 1)
            .into_model::<row::run::Model>()
            .all(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let runs = rows.into_iter().map(row::read).collect::<Result<_, _>>()?;
        Ok(Paged::cut(runs, page, |run: &Run| run.run_id.to_string()))
    }

    /// At most `limit` events of a run after `sequence`, and the run as it stands, read after them: it is
    /// at least as new as each.
    pub(crate) async fn events(
        &self,
        scope: &Scope,
        (run_id, sequence): (RunId, i64),
        limit: u64,
    ) -> Result<(Run, Vec<Event>), Error> {
        let rows = row::event::Entity::find()
            .filter(row::event::Column::RunId.eq(run_id.to_string()))
            .filter(row::event::Column::Place.gt(sequence))
            .order_by_asc(row::event::Column::Place)
            .limit(limit)
            .all(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let run = self.get(scope, run_id).await?;
        let events = rows.into_iter().map(row::read_event).collect::<Result<_, _>>()?;
        Ok((run, events))
    }
}
