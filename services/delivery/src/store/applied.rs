//! What the reconciler found: applied states with their events, and drift.

use sea_orm::{
    ActiveValue::Set, ExprTrait, IntoActiveModel as _, Iterable as _, QueryOrder as _, QuerySelect as _,
    entity::prelude::*, sea_query::OnConflict,
};
use serde_json::{Value, json};
use souk_db::{Error as DbError, Tx, for_every_tenant, outbox, scoped};
use souk_types::{
    Event,
    id::{EventId, InstanceId, OrgId},
};

use super::{
    DONE, PENDING, Store, TO_COMMIT,
    commit::{locked, update},
    desired_state,
    rows::{applied, desired},
    value,
};
use crate::model::{Applied, DesiredState, Drift};

/// Who causes what the reconciler does.
const ACTOR: &str = "part:delivery";
/// How many files an event of drift names.
const NAMED: usize = 20;

/// What the reconciler found to be as it should.
#[derive(Clone, Debug)]
pub(crate) enum Taken {
    /// The files of an instance.
    Whole(Box<Applied>),
    /// No files of an instance that is to be no more, at the revision that says so.
    Gone(InstanceId, i64),
}

impl Taken {
    const fn names(&self) -> (InstanceId, i64) {
        match self {
            Self::Whole(applied) => (applied.desired.instance_id, applied.desired.revision),
            Self::Gone(instance_id, revision) => (*instance_id, *revision),
        }
    }
}

/// An instance whose files are not what was committed.
#[derive(Clone, Debug)]
pub(crate) struct Drifted {
    pub(crate) instance_id: InstanceId,
    /// The revision that should stand there.
    pub(crate) revision: i64,
    /// Each file that differs.
    pub(crate) files: Vec<Drift>,
    /// The commit in which it was found; `None` when the repository is empty: then it was lost, which is
    /// no drift, and only written anew.
    pub(crate) commit: Option<String>,
}

impl Store {
    /// At most `limit` committed states beyond `after` in the order of ids; `unapplied` for those alone that
    /// the reconciler has not taken over.
    pub(crate) async fn committed(
        &self,
        after: Option<InstanceId>,
        limit: u64,
        unapplied: bool,
    ) -> Result<Vec<DesiredState>, DbError> {
        let mut query = scoped::<desired::Entity>(&for_every_tenant())
            .filter(desired::Column::State.eq(DONE))
            .filter(desired::Column::InstanceId.gt(after.map(|id| id.to_string()).unwrap_or_default()));
        if unapplied {
            let (applied, wanted) = (Expr::col(desired::Column::AppliedRevision), desired::Column::Revision);
            query = query.filter(ExprTrait::ne(applied, Expr::col(wanted)));
        }
        let query = query.order_by_asc(desired::Column::InstanceId).limit(limit);
        query.all(self.db.read()).await?.into_iter().map(desired_state).collect()
    }

    /// Takes over what the repository holds, with an event for each instance whose applied state is another
    /// now. A row that moved on since it was judged is left alone.
    pub(crate) async fn put_applied(&self, found: &[Taken]) -> Result<(), DbError> {
        let mut found: Vec<_> = found.iter().collect();
        found.sort_by_key(|one| one.names());
        let found = &found;
        self.db
            .write("delivery.put_applied", |tx| async move {
                for one in found {
                    put_applied(&tx, one).await?;
                }
                Ok(())
            })
            .await
    }

    /// Reports drift and has the desired states committed again.
    pub(crate) async fn put_drifted(&self, found: &[Drifted]) -> Result<(), DbError> {
        let mut found: Vec<_> = found.iter().collect();
        found.sort_by_key(|one| one.instance_id);
        let found = &found;
        self.db
            .write("delivery.put_drifted", |tx| async move {
                for one in found {
                    put_drifted(&tx, one).await?;
                }
                tx.ring(TO_COMMIT);
                Ok(())
            })
            .await
    }

    /// Reports files that belong to no instance; `root` is the folder of the cell.
    pub(crate) async fn put_strays(&self, root: &str, paths: &[String], commit: &str) -> Result<(), DbError> {
        self.db
            .write("delivery.put_strays", |tx| async move {
                let payload = json!({
                    "commitId": commit,
                    "paths": paths.iter().take(NAMED).collect::<Vec<_>>(),
                    "count": paths.len(),
                });
                // No row stands for the cell: the moment is what grows.
                let noun = (root.to_owned(), tx.now().micros());
                put_event(&tx, "DriftFound", None, noun, payload).await
            })
            .await
    }
}

async fn put_applied(tx: &Tx, found: &Taken) -> Result<(), DbError> {
    let (instance_id, revision) = found.names();
    let id = instance_id.to_string();
    let Some(row) = locked(tx, &id).await? else { return Ok(()) };
    if row.state != DONE || row.revision != revision || row.applied_revision == row.revision {
        return Ok(());
    }
    let version = row.version + 1;
    let change = desired::ActiveModel {
        applied_revision: Set(row.revision),
        drifted: Set(0),
        version: Set(version),
        ..Default::default()
    };
    update(tx, &id, change).await?;
    let org_id = value("org_id", row.org_id.parse::<OrgId>().ok())?;
    let commit_id = row.commit_id.unwrap_or_default();
    let noun = (id.clone(), version);
    if row.drifted != 0 {
        let payload = json!({"instanceId": id, "revision": revision, "commitId": commit_id});
        put_event(tx, "DriftMended", Some(org_id), noun.clone(), payload).await?;
    }
    let next = next(found, &row.org_id, &commit_id)?;
    let known = scoped::<applied::Entity>(&for_every_tenant())
        .filter(applied::Column::InstanceId.eq(&id))
        .one(tx)
        .await?;
    let same = |known: &applied::Model| {
        known.revision == revision
            && known.content_hash == next.content_hash
            && (known.removed, &known.project_id) == (next.removed, &next.project_id)
    };
    // Written again after drift or loss: nothing new is applied, so nobody is told.
    let known = known.filter(same);
    let apply_time = known.as_ref().map_or(tx.now().micros(), |known| known.apply_time);
    let payload = json!({
        "instanceId": id,
        "revision": revision,
        "contentHash": next.content_hash.rsplit(':').next(),
        "commitId": commit_id,
        "path": next.path,
        "host": next.host.as_deref().unwrap_or_default(),
    });
    upsert(tx, applied::Model { apply_time, ..next }).await?;
    match (known, found) {
        (Some(_), _) => Ok(()),
        (None, Taken::Whole(_)) => put_event(tx, "InstanceApplied", Some(org_id), noun, payload).await,
        (None, Taken::Gone(..)) => {
            let payload = json!({"instanceId": id, "revision": revision, "commitId": commit_id});
            put_event(tx, "InstanceRemoved", Some(org_id), noun, payload).await
        }
    }
}

/// The row of what is applied now; the moment is still to be filled in.
fn next(found: &Taken, org_id: &str, commit_id: &str) -> Result<applied::Model, DbError> {
    let (instance_id, revision) = found.names();
    let gone = applied::Model {
        instance_id: instance_id.to_string(),
        org_id: org_id.to_owned(),
        revision,
        content_hash: String::new(),
        commit_id: commit_id.to_owned(),
        apply_time: 0,
        host: None,
        path: String::new(),
        project_id: String::new(),
        offering_version_id: String::new(),
        capabilities: "[]".to_owned(),
        runs_per_minute: 0,
        input_bytes: 0,
        removed: 1,
    };
    let Taken::Whole(found) = found else { return Ok(gone) };
    let wanted = &found.desired;
    let capabilities = serde_json::to_string(&wanted.capabilities);
    Ok(applied::Model {
        content_hash: found.content_hash.to_string(),
        host: wanted.route.host.clone(),
        path: wanted.route.path.clone(),
        project_id: wanted.project_id.to_string(),
        offering_version_id: wanted.offering_version_id.to_string(),
        capabilities: capabilities.map_err(|error| DbError::value("capabilities", error))?,
        runs_per_minute: wanted.rate_limits.requests_per_minute.unwrap_or(0),
        input_bytes: wanted.payload_caps.request_bytes.unwrap_or(0),
        removed: 0,
        ..gone
    })
}

async fn upsert(tx: &Tx, next: applied::Model) -> Result<(), DbError> {
    let own =
        |column: &applied::Column| !matches!(column, applied::Column::InstanceId | applied::Column::OrgId);
    let columns = applied::Column::iter().filter(own);
    let again = OnConflict::column(applied::Column::InstanceId).update_columns(columns).to_owned();
    let row = next.into_active_model().reset_all();
    applied::Entity::insert(row).on_conflict(again).exec_without_returning(tx).await?;
    Ok(())
}

async fn put_drifted(tx: &Tx, found: &Drifted) -> Result<(), DbError> {
    let id = found.instance_id.to_string();
    let Some(row) = locked(tx, &id).await? else { return Ok(()) };
    if row.state != DONE || row.revision != found.revision {
        return Ok(());
    }
    let version = row.version + 1;
    let change = desired::ActiveModel {
        state: Set(PENDING.to_owned()),
        commit_id: Set(None),
        applied_revision: Set(0),
        drifted: Set(i64::from(found.commit.is_some())),
        next_attempt_time: Set(tx.now().micros()),
        version: Set(version),
        ..Default::default()
    };
    update(tx, &id, change).await?;
    let Some(commit) = &found.commit else { return Ok(()) };
    let files: Vec<_> = found.files.iter().take(NAMED).map(ToString::to_string).collect();
    let payload = json!({
        "instanceId": id,
        "revision": found.revision,
        "commitId": commit,
        "files": files,
        "count": found.files.len(),
    });
    let org_id = value("org_id", row.org_id.parse::<OrgId>().ok())?;
    put_event(tx, "DriftFound", Some(org_id), (id, version), payload).await
}

async fn put_event(
    tx: &Tx,
    what: &str,
    org_id: Option<OrgId>,
    (aggregate_id, aggregate_seq): (String, i64),
    payload: Value,
) -> Result<(), DbError> {
    let now = tx.now();
    let event = Event {
        event_id: EventId::new(now, tx.random()),
        kind: format!("souk.delivery.v1.{what}"),
        org_id,
        aggregate_id,
        aggregate_seq,
        occur_time: now,
        actor: ACTOR.to_owned(),
        trace: String::new(),
        payload,
    };
    outbox::put(tx, &event).await
}
