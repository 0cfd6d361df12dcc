//! What the reconciler found: applied states with their events, and drift.

use sea_orm::{
    ActiveValue::Set, ExprTrait, QueryOrder as _, QuerySelect as _, entity::prelude::*, sea_query::OnConflict,
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
    pub(crate) async fn put_applied(&self, found: &[Applied]) -> Result<(), DbError> {
        let mut found: Vec<_> = found.iter().collect();
        found.sort_by_key(|one| one.desired.instance_id);
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

async fn put_applied(tx: &Tx, found: &Applied) -> Result<(), DbError> {
    let wanted = &found.desired;
    let id = wanted.instance_id.to_string();
    let Some(row) = locked(tx, &id).await? else { return Ok(()) };
    let (DONE, Some(commit_id)) = (row.state.as_str(), row.commit_id) else { return Ok(()) };
    if row.revision != wanted.revision || row.applied_revision == row.revision {
        return Ok(());
    }
    let version = row.version + 1;
    let change = desired::ActiveModel {
        applied_revision: Set(row.revision),
        version: Set(version),
        ..Default::default()
    };
    update(tx, &id, change).await?;
    let known = scoped::<applied::Entity>(&for_every_tenant())
        .filter(applied::Column::InstanceId.eq(&id))
        .one(tx)
        .await?;
    let known = known.filter(|known| {
        (known.revision, known.content_hash.as_str()) == (wanted.revision, found.content_hash.as_str())
    });
    let payload = json!({
        "instanceId": id,
        "revision": wanted.revision,
        "contentHash": found.content_hash.hex(),
        "commitId": commit_id,
        "path": wanted.route.path,
        "host": wanted.route.host.as_deref().unwrap_or_default(),
    });
    let next = applied::ActiveModel {
        instance_id: Set(id.clone()),
        org_id: Set(row.org_id),
        revision: Set(wanted.revision),
        content_hash: Set(found.content_hash.to_string()),
        commit_id: Set(commit_id),
        apply_time: Set(known.as_ref().map_or(tx.now().micros(), |known| known.apply_time)),
        host: Set(wanted.route.host.clone()),
        path: Set(wanted.route.path.clone()),
    };
    upsert(tx, next).await?;
    // Written again after drift or loss: nothing new is applied, so nobody is told.
    if known.is_some() {
        return Ok(());
    }
    put_event(tx, "InstanceApplied", Some(wanted.org_id), (id, version), payload).await
}

async fn upsert(tx: &Tx, next: applied::ActiveModel) -> Result<(), DbError> {
    let columns = [
        applied::Column::Revision,
        applied::Column::ContentHash,
        applied::Column::CommitId,
        applied::Column::ApplyTime,
        applied::Column::Host,
        applied::Column::Path,
    ];
    let again = OnConflict::column(applied::Column::InstanceId).update_columns(columns).to_owned();
    applied::Entity::insert(next).on_conflict(again).exec_without_returning(tx).await?;
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
