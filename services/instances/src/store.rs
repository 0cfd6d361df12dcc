//! Instances in tables: the only room that knows them. Every change is one write: the row, its events, the
//! outbox and, where a caller asked for it, the request log.

mod follow;
mod rows;

use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::OnConflict,
};
use serde_json::json;
use souk_db::{Db, Once, Request, Tx, for_every_tenant, once, one, one_locked, outbox, scope};
use souk_types::{
    Call, Event, PartName, Scope, Time,
    id::{EventId, InstanceId, OrgId, ProjectId},
    page::{Page, Paged},
};
use tokio::sync::broadcast;

use self::rows::{depleted, event, fresh, instance, noun, row};
pub(crate) use self::{follow::News, rows::MIGRATIONS};
use crate::{
    error::Error,
    model::{Draft, Illegal, Instance, Patience},
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
                insert(&tx, author, made).await?;
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
                if insert(&tx, author, made).await? {
                    return Ok(made.instance_id);
                }
                let found = standing(&tx, request, made).await?;
                let (id, now) = (found.instance_id, tx.now());
                change(&tx, author, found, |instance| instance.retried(&self.patience, now)).await?;
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

    /// Instances that are due, the longest waiting first.
    pub(crate) async fn due(&self, limit: u64) -> Result<Vec<Instance>, Error> {
        let found = scope::scoped::<instance::Entity>(&for_every_tenant())
            .filter(instance::Column::NextAttemptTime.lte(self.db.now().micros()))
            .order_by_asc(instance::Column::NextAttemptTime)
            .limit(limit)
            .all(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        // A row that cannot be read must not keep the others from being served.
        let readable = found.iter().filter_map(|row| match noun(row) {
            Ok(instance) => Some(instance),
            Err(error) => {
                tracing::error!(instance_id = row.instance_id, %error, "due row cannot be read and is passed over");
                None
            }
        });
        Ok(readable.collect())
    }

    /// Lets something happen to an instance and answers it as it stands then. `site` names the commit.
    pub(crate) async fn let_happen(
        &self,
        site: &'static str,
        id: InstanceId,
        happen: impl Fn(&mut Instance, &Patience, Time) -> Result<(), Illegal> + Send + Sync,
    ) -> Result<Instance, Error> {
        let (happen, author) = (&happen, &Author::own());
        let written = self.db.write(site, |tx| async move {
            let Some(found) = locked(&tx, id).await? else { return Err(Error::InstanceNotFound(id)) };
            let now = tx.now();
            change(&tx, author, found, |instance| happen(instance, &self.patience, now)).await
        });
        written.await
    }

    /// The desired state is applied at `revision`; where the org's wallet is empty the instance is paused.
    pub(crate) async fn applied(&self, id: InstanceId, revision: i64) -> Result<Instance, Error> {
        let author = &Author::own();
        let written = self.db.write("instances.applied", |tx| async move {
            match applied(&tx, author, id, revision).await? {
                Some(instance) => Ok(instance),
                None => Err(Error::InstanceNotFound(id)),
            }
        });
        written.await
    }
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

/// Applies a revision to an instance within a write.
async fn applied(tx: &Tx, author: &Author, id: InstanceId, revision: i64) -> Result<Option<Instance>, Error> {
    let Some(found) = locked(tx, id).await? else { return Ok(None) };
    let empty = depleted::Entity::find_by_id(found.org_id.to_string());
    let empty = empty.one(tx).await.map_err(souk_db::Error::from)?.is_some();
    let now = tx.now();
    change(tx, author, found, |instance| instance.applied(revision, empty, now)).await.map(Some)
}

/// Inserts a new instance with its events; says no when AutoActivate's key is taken.
async fn insert(tx: &Tx, author: &Author, made: &Instance) -> Result<bool, Error> {
    let taken = OnConflict::column(instance::Column::AutoKey).do_nothing().to_owned();
    let inserted = instance::Entity::insert(row(made)?).on_conflict(taken).exec_without_returning(tx).await;
    if inserted.map_err(souk_db::Error::from)? != 1 {
        return Ok(false);
    }
    tell(tx, author, 0, made).await?;
    tx.ring(made.instance_id.to_string());
    tx.ring(DUE);
    Ok(true)
}

/// Lets something happen to a locked instance and keeps what came of it. The version counts what watchers
/// can see; a new time to look again is none of that.
async fn change(
    tx: &Tx,
    author: &Author,
    before: Instance,
    happen: impl FnOnce(&mut Instance) -> Result<(), Illegal> + Send,
) -> Result<Instance, Error> {
    let mut after = before.clone();
    happen(&mut after)?;
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
    let reasons: Vec<_> = instance.state.pause_reasons().iter().map(|reason| reason.as_str()).collect();
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
            "state": instance.state.as_str(),
            "pauseReasons": reasons,
            "revision": instance.revision.to_string(),
            "sourceRef": instance.source_ref,
        }),
    }
}

/// The instances of an org that serve or are paused, held until the write ends, in the order of their ids.
async fn serving(tx: &Tx, org: OrgId) -> Result<Vec<Instance>, Error> {
    let found = instance::Entity::find()
        .filter(instance::Column::OrgId.eq(org.to_string()))
        .filter(instance::Column::State.is_in(["ACTIVE", "PAUSED"]))
        .order_by_asc(instance::Column::InstanceId)
        .lock_exclusive()
        .all(tx)
        .await
        .map_err(souk_db::Error::from)?;
    Ok(found.iter().map(noun).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests;
