//! The second half of Apply and Remove: which rows wait for a commit, and the outcome of one.

use std::time::Duration;

use sea_orm::{
    ActiveValue::Set, QueryOrder as _, QuerySelect as _, entity::prelude::*, sea_query::ExprTrait as _,
};
use souk_db::{Error as DbError, Request, Tx, for_every_tenant, once::finish, scoped};
use souk_types::id::{InstanceId, OrgId};

use super::{
    COMMITTED, DONE, PENDING, Store, desired_state,
    rows::{desired, route_claim, waiting_request},
    value,
};
use crate::model::{CommitId, Committed, ContentHash, DesiredState};

/// The methods whose requests wait here.
const APPLY: &str = "Apply";
const REMOVE: &str = "Remove";
/// The pause after the first failed attempt; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The doubling ends here; the longest pause is reached before.
const DOUBLINGS: i64 = 10;

/// A revision that a commit holds; without a hash where it took the instance's files away.
#[derive(Clone, Debug)]
pub(crate) struct Landed {
    pub(crate) instance_id: InstanceId,
    pub(crate) revision: i64,
    pub(crate) content_hash: Option<ContentHash>,
}

impl Store {
    /// At most `limit` states that are to be committed now, the longest waiting first, and that of `also`
    /// whenever it waits. A row that cannot be read is put off and left out.
    pub(crate) async fn due(
        &self,
        also: Option<InstanceId>,
        limit: u64,
    ) -> Result<Vec<DesiredState>, DbError> {
        let pending =
            || scoped::<desired::Entity>(&for_every_tenant()).filter(desired::Column::State.eq(PENDING));
        let mut rows = pending()
            .filter(desired::Column::NextAttemptTime.lte(self.db.now().micros()))
            .order_by_asc(desired::Column::NextAttemptTime)
            .limit(limit)
            .all(self.db.read())
            .await?;
        if let Some(id) = also.map(|id| id.to_string())
            && !rows.iter().any(|row| row.instance_id == id)
        {
            rows.extend(pending().filter(desired::Column::InstanceId.eq(id)).one(self.db.read()).await?);
        }
        let mut states = Vec::with_capacity(rows.len());
        for row in rows {
            let id = row.instance_id.clone();
            match desired_state(row) {
                Ok(state) => states.push(state),
                Err(error) => {
                    tracing::error!(instance_id = id, %error, "a desired state cannot be read");
                    self.put_off(&[id], "the row cannot be read").await?;
                }
            }
        }
        Ok(states)
    }

    /// Writes that `commit` holds these revisions, and answers every request that waited for them. Without a
    /// commit there was nothing to take away: the repository is empty.
    pub(crate) async fn land(&self, commit: Option<&CommitId>, landed: &[Landed]) -> Result<(), DbError> {
        let mut landed: Vec<_> = landed.iter().collect();
        // In one order everywhere, so that no two writers wait for each other.
        landed.sort_by_key(|one| one.instance_id);
        let landed = &landed;
        self.db
            .write("delivery.land", |tx| async move {
                for one in landed {
                    land(&tx, commit, one).await?;
                }
                tx.ring(COMMITTED);
                Ok(())
            })
            .await
    }

    /// Notes a failed attempt, and when the next one is due.
    pub(crate) async fn put_off(&self, instances: &[String], problem: &str) -> Result<(), DbError> {
        let mut instances: Vec<_> = instances.iter().collect();
        instances.sort();
        let instances = &instances;
        self.db
            .write("delivery.put_off", |tx| async move {
                for id in instances {
                    put_off(&tx, id, problem).await?;
                }
                Ok(())
            })
            .await
    }
}

/// The row of an instance, held until the write ends.
pub(super) async fn locked(tx: &Tx, instance_id: &str) -> Result<Option<desired::Model>, DbError> {
    let query = scoped::<desired::Entity>(&for_every_tenant());
    let query = query.filter(desired::Column::InstanceId.eq(instance_id)).lock_exclusive();
    Ok(query.one(tx).await?)
}

/// Writes the columns that `change` sets into the row of an instance.
pub(super) async fn update(tx: &Tx, id: &str, change: desired::ActiveModel) -> Result<(), DbError> {
    let change = desired::ActiveModel { update_time: Set(tx.now().micros()), ..change };
    desired::Entity::update_many().set(change).filter(desired::Column::InstanceId.eq(id)).exec(tx).await?;
    Ok(())
}

async fn land(tx: &Tx, commit: Option<&CommitId>, landed: &Landed) -> Result<(), DbError> {
    let id = landed.instance_id.to_string();
    let Some(row) = locked(tx, &id).await? else { return Ok(()) };
    // A newer intent came meanwhile: that one is still to be committed, this one's callers are answered.
    if row.revision == landed.revision && row.state == PENDING {
        let change = desired::ActiveModel {
            content_hash: Set(landed.content_hash.as_ref().map(ToString::to_string).unwrap_or_default()),
            state: Set(DONE.to_owned()),
            commit_id: Set(commit.map(ToString::to_string)),
            attempts: Set(0),
            problem: Set(None),
            version: Set(row.version + 1),
            ..Default::default()
        };
        update(tx, &id, change).await?;
    }
    let answer = Committed {
        commit_id: commit.cloned(),
        content_hash: landed.content_hash.clone(),
        revision: landed.revision,
    };
    // From here on nothing in the repository leads from the older routes to this instance.
    let left = route_claim::Column::InstanceId.eq(&id).and(route_claim::Column::Revision.lt(landed.revision));
    route_claim::Entity::delete_many().filter(left).exec(tx).await?;
    let mine = waiting_request::Column::InstanceId
        .eq(&id)
        .and(waiting_request::Column::Revision.lte(landed.revision));
    let waiting = waiting_request::Entity::find().filter(mine.clone()).all(tx).await?;
    for request in waiting {
        finish(tx, &request_of(request)?, &answer).await?;
    }
    waiting_request::Entity::delete_many().filter(mine).exec(tx).await?;
    Ok(())
}

fn request_of(row: waiting_request::Model) -> Result<Request, DbError> {
    let rpc = [APPLY, REMOVE].into_iter().find(|rpc| *rpc == row.rpc);
    Ok(Request {
        org_id: Some(value("subject", row.subject.parse::<OrgId>().ok())?),
        subject: row.subject,
        rpc: value("rpc", rpc)?,
        request_id: row.request_id,
        digest: row.digest,
        actor: row.actor,
        trace: row.trace,
    })
}

async fn put_off(tx: &Tx, id: &str, problem: &str) -> Result<(), DbError> {
    let Some(row) = locked(tx, id).await?.filter(|row| row.state == PENDING) else { return Ok(()) };
    let doublings = u32::try_from(row.attempts.clamp(0, DOUBLINGS)).unwrap_or(0);
    let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST_PAUSE);
    let change = desired::ActiveModel {
        attempts: Set(row.attempts.saturating_add(1)),
        next_attempt_time: Set((tx.now() + pause).micros()),
        problem: Set(Some(problem.to_owned())),
        ..Default::default()
    };
    update(tx, id, change).await
}
