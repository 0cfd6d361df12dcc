//! Instances in tables: the only room that knows them. Every change is one write: the row, its events, the
//! outbox and, where a caller asked for it, the request log.

mod follow;
mod rows;

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
    TryIntoModel as _, sea_query::OnConflict,
};
use serde_json::json;
use souk_db::{Db, Once, Request, Tx, for_every_tenant, once, one, one_locked, outbox, scope};
use souk_types::{
    Call, Event, PartName, Scope, Time,
    id::{EventId, InstanceId, OfferingId, OrgId, ProjectId},
    page::{Page, Paged},
};
use tokio::sync::broadcast;

use self::{
    follow::levels,
    rows::{event, fresh, instance, noun, row},
};
pub(crate) use self::{
    follow::{News, SWEEP, Turn},
    rows::MIGRATIONS,
};
use crate::{
    error::Error,
    model::{Draft, Event as Happened, Instance, Patience},
};

/// Rings when an instance became due.
pub(crate) const DUE: &str = "instances/due";

/// The tables.
#[derive(Clone)]
pub(crate) struct Store {
    db: Db,
    patience: Patience,
}

/// Who causes a change, for its events.
#[derive(Clone, Debug)]
struct Author {
    actor: String,
    trace: String,
}

impl Author {
    fn of(call: &Call) -> Self {
        Self { actor: call.caller.actor(), trace: call.trace.id.clone() }
    }

    /// The loops and the followers of this part.
    fn own() -> Self {
        Self { actor: format!("part:{}", PartName::Instances), trace: String::new() }
    }
}

impl Store {
    pub(crate) const fn new(db: Db, patience: Patience) -> Self {
        Self { db, patience }
    }

    /// Hears of changes: the topic is the instance's id.
    pub(crate) fn bell(&self) -> broadcast::Receiver<std::sync::Arc<str>> {
        self.db.bell()
    }

    /// A fresh id.
    pub(crate) fn fresh_id(&self) -> InstanceId {
        InstanceId::new(self.db.now(), self.db.random())
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Time {
        self.db.now()
    }

    /// What an earlier copy of the command made: found before catalog is asked, which may be away or know
    /// the version no more.
    pub(crate) async fn earlier(
        &self,
        call: &Call,
        org: OrgId,
        command: &(impl serde::Serialize + Sync),
    ) -> Result<Option<InstanceId>, Error> {
        let request = Request::of(call, org, Some(org), command)?;
        Ok(once::peek(&self.db, &request).await?)
    }

    /// Makes an instance, once for the call's request.
    pub(crate) async fn create(
        &self,
        call: &Call,
        command: &(impl serde::Serialize + Sync),
        draft: Draft,
    ) -> Result<InstanceId, Error> {
        let request = Request::of(call, draft.org_id, Some(draft.org_id), command)?;
        let made = Instance::requested(draft, &self.patience, self.db.now());
        let (request, made, author) = (&request, &made, &Author::of(call));
        let written = self.db.write("instances.create_instance", |tx| async move {
            once(&tx, request, || async {
                insert(&tx, author, (made, &self.patience)).await?;
                Ok::<_, Error>(made.instance_id)
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Makes the one live instance of a project and offering, or finds it; a failed one begins anew.
    pub(crate) async fn activate(
        &self,
        call: &Call,
        command: &(impl serde::Serialize + Sync),
        draft: Draft,
    ) -> Result<InstanceId, Error> {
        let request = Request::of(call, draft.org_id, Some(draft.org_id), command)?;
        let made = Instance::requested(draft, &self.patience, self.db.now());
        let (request, made, author) = (&request, &made, &Author::of(call));
        let written = self.db.write("instances.auto_activate", |tx| async move {
            once(&tx, request, || async {
                if insert(&tx, author, (made, &self.patience)).await? {
                    return Ok(made.instance_id);
                }
                let found = standing(&tx, request, made).await?;
                let (id, now) = (found.instance_id, tx.now());
                let retried = |instance: &mut Instance| {
                    instance.retried(&self.patience, now);
                    Ok(())
                };
                change(&tx, author, (found, &self.patience), retried).await?;
                Ok::<_, Error>(id)
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// The instance, when the scope grants it.
    pub(crate) async fn get(&self, scope: &Scope, id: InstanceId) -> Result<Instance, Error> {
        let found = one::<instance::Entity>(self.db.read(), scope, id.to_string()).await;
        let found =
            found.map_err(|denial| denial.say(|| Error::InstanceNotFound(id), || Error::Denied(id)))?;
        Ok(noun(&found)?)
    }

    /// A page of a project's instances, newest first.
    pub(crate) async fn list(
        &self,
        scope: &Scope,
        project: ProjectId,
        page: &Page,
    ) -> Result<Paged<Instance>, Error> {
        let mut query = scope::scoped::<instance::Entity>(scope)
            .filter(instance::Column::ProjectId.eq(project.to_string()))
            .order_by_desc(instance::Column::InstanceId)
            .limit(page.size.saturating_add(1));
        if !page.after.is_empty() {
            query = query.filter(instance::Column::InstanceId.lt(&page.after));
        }
        let found = query.all(self.db.read()).await.map_err(souk_db::Error::from)?;
        let nouns = found.iter().map(noun).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(nouns, page, |instance| instance.instance_id.to_string()))
    }

    /// The live instance that AutoActivate made of an offering in a project.
    pub(crate) async fn live(
        &self,
        scope: &Scope,
        project: ProjectId,
        offering: OfferingId,
    ) -> Result<Option<InstanceId>, Error> {
        let found = scope::scoped::<instance::Entity>(scope)
            .filter(instance::Column::AutoKey.eq(rows::auto_key_of(project, offering)))
            .one(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        Ok(found.map(|found| noun(&found)).transpose()?.map(|found| found.instance_id))
    }

    /// A page of what happened to an instance, newest first.
    pub(crate) async fn events(
        &self,
        scope: &Scope,
        id: InstanceId,
        page: &Page,
    ) -> Result<Paged<Happened>, Error> {
        self.get(scope, id).await?;
        let mut query = event::Entity::find()
            .filter(event::Column::InstanceId.eq(id.to_string()))
            .order_by_desc(event::Column::Seq)
            .limit(page.size.saturating_add(1));
        if !page.after.is_empty() {
            let after: i64 =
                page.after.parse().map_err(|error| souk_db::Error::value("the page's key", error))?;
            query = query.filter(event::Column::Seq.lt(after));
        }
        let found = query.all(self.db.read()).await.map_err(souk_db::Error::from)?;
        let cut = Paged::cut(found, page, |row| row.seq.to_string());
        let next = cut.next;
        let items = cut.items.iter().map(rows::happened).collect::<Result<_, _>>()?;
        Ok(Paged { items, next })
    }

    /// Instances that are due, the longest waiting first.
    pub(crate) async fn due(&self, limit: u64) -> Result<Vec<Instance>, Error> {
        let found = due_at(self.db.now(), limit).all(self.db.read()).await.map_err(souk_db::Error::from)?;
        let mut due = Vec::with_capacity(found.len());
        for row in found {
            match noun(&row) {
                Ok(instance) => due.push(instance),
                // A row that cannot be read must not stand before the others for ever.
                Err(error) => {
                    tracing::error!(instance_id = row.instance_id, %error, "due row cannot be read");
                    self.put_aside(&row.instance_id).await?;
                }
            }
        }
        Ok(due)
    }

    /// The instance, when it is due.
    pub(crate) async fn if_due(&self, id: InstanceId) -> Result<Option<Instance>, Error> {
        let found = instance::Entity::find_by_id(id.to_string()).one(self.db.read()).await;
        let found = found.map_err(souk_db::Error::from)?.map(|row| noun(&row)).transpose()?;
        Ok(found.filter(|instance| instance.is_due(self.db.now())))
    }

    /// An instance that nothing can be done with now is looked at again after a rest.
    pub(crate) async fn put_aside(&self, id: &str) -> Result<(), Error> {
        let written = self.db.write("instances.put_aside", |tx| async move {
            let later = tx.now() + self.patience.rest;
            instance::Entity::update_many()
                .col_expr(instance::Column::NextAttemptTime, later.micros().into())
                .filter(instance::Column::InstanceId.eq(id))
                .exec(&tx)
                .await
                .map_err(souk_db::Error::from)?;
            Ok(())
        });
        written.await
    }

    /// Lets something happen to an instance and answers it as it stands then. `site` names the commit.
    pub(crate) async fn let_happen(
        &self,
        site: &'static str,
        id: InstanceId,
        happen: impl Fn(&mut Instance, &Patience, Time) + Send + Sync,
    ) -> Result<Instance, Error> {
        let (happen, author) = (&happen, &Author::own());
        let written = self.db.write(site, |tx| async move {
            let Some(found) = locked(&tx, id).await? else { return Err(Error::InstanceNotFound(id)) };
            let now = tx.now();
            let happen = |instance: &mut Instance| {
                happen(instance, &self.patience, now);
                Ok(())
            };
            change(&tx, author, (found, &self.patience), happen).await
        });
        written.await
    }

    /// A caller's command to an instance, once for the call's request; copies get the first answer.
    pub(crate) async fn command(
        &self,
        site: &'static str,
        (call, id): (&Call, InstanceId),
        command: &(impl serde::Serialize + Sync),
        act: impl Fn(&mut Instance, &Patience, Time) -> Result<(), Error> + Send + Sync,
    ) -> Result<Instance, Error> {
        let org = self.get(&call.scope, id).await?.org_id;
        let request = &Request::of(call, org, Some(org), &(id, command))?;
        let (act, author) = (&act, &Author::of(call));
        let written = self.db.write(site, |tx| async move {
            once(&tx, request, || async {
                let found = one_locked::<instance::Entity>(&tx, &call.scope, id.to_string()).await;
                let found = found
                    .map_err(|denial| denial.say(|| Error::InstanceNotFound(id), || Error::Denied(id)))?;
                let (found, now) = (noun(&found)?, tx.now());
                let act = |instance: &mut Instance| act(instance, &self.patience, now);
                let after = change(&tx, author, (found, &self.patience), act).await?;
                let kept: instance::Model = row(&after)?.try_into_model().map_err(souk_db::Error::from)?;
                Ok::<_, Error>(kept)
            })
            .await
        });
        let kept = written.await.map(Once::into_answer)?;
        Ok(noun(&kept)?)
    }
}

fn due_at(now: Time, limit: u64) -> Select<instance::Entity> {
    scope::scoped::<instance::Entity>(&for_every_tenant())
        .filter(instance::Column::NextAttemptTime.lte(now.micros()))
        .order_by_asc(instance::Column::NextAttemptTime)
        .limit(limit)
}

/// The instance that AutoActivate made before.
async fn standing(tx: &Tx, request: &Request, wanted: &Instance) -> Result<Instance, Error> {
    let found = instance::Entity::find()
        .filter(instance::Column::AutoKey.eq(rows::auto_key(wanted)))
        .lock_exclusive()
        .one(tx)
        .await
        .map_err(souk_db::Error::from)?;
    // It ended between the insert that found it and this look: the caller asks again.
    let gone =
        || souk_db::Error::RequestInProgress { rpc: request.rpc, request_id: request.request_id.clone() };
    Ok(noun(&found.ok_or_else(gone)?)?)
}

/// The instance, held until the write ends; `None` when there is none.
async fn locked(tx: &Tx, id: InstanceId) -> Result<Option<Instance>, Error> {
    match one_locked::<instance::Entity>(tx, &for_every_tenant(), id.to_string()).await {
        Ok(found) => Ok(Some(noun(&found)?)),
        Err(souk_db::Denial::Failed(error)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Inserts a new instance with its events; says no when AutoActivate's key is taken.
async fn insert(tx: &Tx, author: &Author, (made, patience): (&Instance, &Patience)) -> Result<bool, Error> {
    let mut made = made.clone();
    made.align(&levels(tx, made.org_id, made.pins.offering_id).await?, patience, tx.now());
    let taken = OnConflict::column(instance::Column::AutoKey).do_nothing().to_owned();
    let inserted = instance::Entity::insert(row(&made)?).on_conflict(taken).exec_without_returning(tx).await;
    if inserted.map_err(souk_db::Error::from)? != 1 {
        return Ok(false);
    }
    tell(tx, author, 0, &made).await?;
    tx.ring(made.instance_id.to_string());
    tx.ring(DUE);
    Ok(true)
}

/// Lets something happen to a locked instance, brings it in line with what holds it from outside, and keeps
/// what came of it. The version counts what watchers can see; a new time to look again is none of that.
async fn change(
    tx: &Tx,
    author: &Author,
    (before, patience): (Instance, &Patience),
    happen: impl FnOnce(&mut Instance) -> Result<(), Error> + Send,
) -> Result<Instance, Error> {
    let mut after = before.clone();
    happen(&mut after)?;
    if after.state().is_live() {
        after.align(&levels(tx, after.org_id, after.pins.offering_id).await?, patience, tx.now());
    }
    if after == before {
        return Ok(after);
    }
    let seen = Instance { agenda: after.agenda.clone(), ..before.clone() } != after;
    if seen {
        after.version += 1;
        after.update_time = tx.now();
    }
    let id = after.instance_id.to_string();
    instance::Entity::update_many()
        .set(row(&after)?)
        .filter(instance::Column::InstanceId.eq(&id))
        .exec(tx)
        .await
        .map_err(souk_db::Error::from)?;
    tell(tx, author, before.event_count, &after).await?;
    if seen {
        tx.ring(id);
    }
    if after.agenda.next_attempt_time.is_some_and(|next| next <= tx.now()) {
        tx.ring(DUE);
    }
    Ok(after)
}

/// Writes the events since `before` to their table, and to the outbox those that other parts hear.
async fn tell(tx: &Tx, author: &Author, before: i64, after: &Instance) -> Result<(), Error> {
    for (seq, happened) in fresh(before, after) {
        let told = event::ActiveModel {
            instance_id: sea_orm::Set(after.instance_id.to_string()),
            seq: sea_orm::Set(seq),
            org_id: sea_orm::Set(after.org_id.to_string()),
            happening: sea_orm::Set(happened.happening.as_str().to_owned()),
            message: sea_orm::Set(happened.message.clone()),
            occur_time: sea_orm::Set(happened.occur_time.micros()),
        };
        event::Entity::insert(told).exec_without_returning(tx).await.map_err(souk_db::Error::from)?;
        if let Some(kind) = happened.happening.kind() {
            outbox::put(tx, &fact(tx, author, kind, after)).await?;
        }
    }
    Ok(())
}

fn fact(tx: &Tx, author: &Author, kind: &str, instance: &Instance) -> Event {
    let reasons: Vec<_> = instance.stand.reasons().iter().map(|reason| reason.as_str()).collect();
    Event {
        event_id: EventId::new(tx.now(), tx.random()),
        kind: kind.to_owned(),
        org_id: Some(instance.org_id),
        aggregate_id: instance.instance_id.to_string(),
        aggregate_seq: instance.version,
        occur_time: tx.now(),
        actor: author.actor.clone(),
        trace: author.trace.clone(),
        payload: json!({
            "instanceId": instance.instance_id,
            "projectId": instance.project_id,
            "offeringId": instance.pins.offering_id,
            "offeringVersionId": instance.pins.offering_version_id,
            "planId": instance.pins.plan_id,
            "state": instance.state().as_str(),
            "pauseReasons": reasons,
            "revision": instance.revision.to_string(),
            "sourceRef": instance.source_ref,
        }),
    }
}

#[cfg(test)]
mod tests;
