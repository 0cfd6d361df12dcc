//! The first half of Apply: the intent and its request, in one transaction.

use sea_orm::{ActiveValue::Set, entity::prelude::*, sea_query::OnConflict};
use souk_db::{
    Error as DbError, Request, Tx,
    once::{Begun, begin, finish},
    one_locked,
};
use souk_types::Call;

use super::{
    PENDING, Store, desired_state,
    rows::{desired, open_request},
};
use crate::{
    error::Error,
    model::{Committed, ContentHash, Desired, Verdict, weigh},
};

impl Store {
    /// Keeps what is wanted; answers at once when a commit holds it (or something newer) already. After
    /// `None` the request is open, and the instance's next commit answers it, whoever makes that.
    pub(crate) async fn intend(
        &self,
        call: &Call,
        request: &Request,
        asked: &Desired,
        hash: &ContentHash,
    ) -> Result<Option<Committed>, Error> {
        self.db
            .write("delivery.intend", |tx| async move {
                match begin::<Committed>(&tx, request).await {
                    Ok(Begun::Replayed(first)) => return Ok(Some(first)),
                    // A copy of a call that is still to be answered: it waits for the same commit.
                    Err(DbError::RequestInProgress { .. }) => return Ok(None),
                    Err(error) => return Err(Error::from(error)),
                    Ok(Begun::Fresh) => {}
                }
                let committed = keep(&tx, call, asked, hash).await?;
                match &committed {
                    Some(committed) => finish(&tx, request, committed).await?,
                    None => leave_open(&tx, request, asked).await?,
                }
                Ok(committed)
            })
            .await
    }

    /// The answer of a request, once it has one.
    pub(crate) async fn answer(&self, request: &Request) -> Result<Option<Committed>, Error> {
        let key = (request.subject.clone(), request.request_id.clone());
        let open = open_request::Entity::find_by_id(key).one(self.db.read()).await;
        if open.map_err(DbError::from)?.is_some() {
            return Ok(None);
        }
        self.db
            .write("delivery.read_answer", |tx| async move {
                match begin::<Committed>(&tx, request).await? {
                    Begun::Replayed(answer) => Ok(Some(answer)),
                    // Only what has its intent is asked for here; the error takes the new row back.
                    Begun::Fresh => Err(DbError::RequestNotOpen {
                        rpc: request.rpc,
                        request_id: request.request_id.clone(),
                    }
                    .into()),
                }
            })
            .await
    }
}

/// Puts the wanted state into the instance's row, unless that holds the same or something newer.
async fn keep(tx: &Tx, call: &Call, asked: &Desired, hash: &ContentHash) -> Result<Option<Committed>, Error> {
    if insert(tx, asked, hash).await? {
        return Ok(None);
    }
    let instance_id = asked.instance_id;
    let row = one_locked::<desired::Entity>(tx, &call.scope, instance_id.to_string()).await;
    let row = row.map_err(|denial| {
        denial.say(|| Error::InstanceNotFound { instance_id }, || Error::PermissionDenied)
    })?;
    let version = row.version;
    let kept = desired_state(row)?;
    match weigh(&kept.desired, asked)? {
        Verdict::Kept => Ok(kept.committed()),
        Verdict::Newer => {
            replace(tx, asked, hash, version).await?;
            Ok(None)
        }
    }
}

fn json(asked: &Desired) -> Result<String, DbError> {
    serde_json::to_string(asked).map_err(|error| DbError::value("desired", error))
}

/// Says whether there was no row of the instance.
async fn insert(tx: &Tx, asked: &Desired, hash: &ContentHash) -> Result<bool, DbError> {
    let now = tx.now().micros();
    let row = desired::ActiveModel {
        instance_id: Set(asked.instance_id.to_string()),
        org_id: Set(asked.org_id.to_string()),
        project_id: Set(asked.project_id.to_string()),
        revision: Set(asked.revision),
        desired: Set(json(asked)?),
        content_hash: Set(hash.to_string()),
        state: Set(PENDING.to_owned()),
        commit_id: Set(None),
        applied_revision: Set(0),
        attempts: Set(0),
        next_attempt_time: Set(now),
        problem: Set(None),
        update_time: Set(now),
        version: Set(1),
    };
    let inserted = desired::Entity::insert(row)
        .on_conflict(OnConflict::column(desired::Column::InstanceId).do_nothing().to_owned())
        .exec_without_returning(tx)
        .await?;
    Ok(inserted == 1)
}

async fn replace(tx: &Tx, asked: &Desired, hash: &ContentHash, version: i64) -> Result<(), DbError> {
    let now = tx.now().micros();
    let row = desired::ActiveModel {
        revision: Set(asked.revision),
        desired: Set(json(asked)?),
        content_hash: Set(hash.to_string()),
        state: Set(PENDING.to_owned()),
        commit_id: Set(None),
        attempts: Set(0),
        next_attempt_time: Set(now),
        problem: Set(None),
        update_time: Set(now),
        version: Set(version + 1),
        ..Default::default()
    };
    desired::Entity::update_many()
        .set(row)
        .filter(desired::Column::InstanceId.eq(asked.instance_id.to_string()))
        .exec(tx)
        .await?;
    Ok(())
}

async fn leave_open(tx: &Tx, request: &Request, asked: &Desired) -> Result<(), DbError> {
    let row = open_request::ActiveModel {
        org_id: Set(request.subject.clone()),
        request_id: Set(request.request_id.clone()),
        instance_id: Set(asked.instance_id.to_string()),
        revision: Set(asked.revision),
        digest: Set(request.digest.clone()),
        actor: Set(request.actor.clone()),
        trace: Set(request.trace.clone()),
    };
    open_request::Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
