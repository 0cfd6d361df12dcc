//! What is applied, as callers and watchers read it: one instance, a page of all, and which ones changed.

use std::collections::BTreeSet;

use sea_orm::{QueryOrder as _, QuerySelect as _, entity::prelude::*};
use souk_db::{Error as DbError, one, scoped};
use souk_types::{Call, Fault, Scope, Time, event::Log as _, id::InstanceId};

use super::{Store, optional, rows::applied, value};
use crate::{
    error::Error,
    model::{AppliedState, CommitId, ContentHash, Route, Standing},
};

/// Events read at once by who looks for changes.
const EVENTS: u64 = 1000;
/// The events that tell of another applied state.
const TOLD: [&str; 2] = ["souk.delivery.v1.InstanceApplied", "souk.delivery.v1.InstanceRemoved"];

impl Store {
    /// What is applied for an instance that the call may see.
    pub(crate) async fn applied(&self, call: &Call, instance_id: InstanceId) -> Result<AppliedState, Error> {
        let found = one::<applied::Entity>(self.db.read(), &call.scope, instance_id.to_string()).await;
        let row = found.map_err(|denial| {
            denial.say(|| Error::AppliedStateNotFound { instance_id }, || Error::PermissionDenied)
        })?;
        // A row of an earlier release, which the reconciler is about to fill in.
        if row.removed == 0 && row.project_id.is_empty() {
            return Err(Error::AppliedStateNotFound { instance_id });
        }
        Ok(state(row)?)
    }

    /// At most `limit` of what stands, beyond `after` in the order of ids; what was taken away is left out.
    pub(crate) async fn standing(
        &self,
        scope: &Scope,
        after: Option<InstanceId>,
        limit: u64,
    ) -> Result<Vec<AppliedState>, DbError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let rows = scoped::<applied::Entity>(scope)
            .filter(applied::Column::Removed.eq(0))
            .filter(applied::Column::ProjectId.ne(""))
            .filter(applied::Column::InstanceId.gt(after))
            .order_by_asc(applied::Column::InstanceId)
            .limit(limit)
            .all(self.db.read())
            .await?;
        rows.into_iter().map(state).collect()
    }

    /// What is applied for these instances, taken away or not.
    pub(crate) async fn applied_to(
        &self,
        scope: &Scope,
        instances: &[InstanceId],
    ) -> Result<Vec<AppliedState>, DbError> {
        let ids = instances.iter().map(ToString::to_string);
        let query = scoped::<applied::Entity>(scope).filter(applied::Column::InstanceId.is_in(ids));
        let rows = query.order_by_asc(applied::Column::InstanceId).all(self.db.read()).await?;
        rows.into_iter().map(state).collect()
    }

    /// Where the log of changes ends now.
    pub(crate) async fn changes_head(&self) -> Result<i64, DbError> {
        self.db.outbox().head().await
    }

    /// Waits until the log of changes may go on beyond a place.
    pub(crate) async fn changes_beyond(&self, place: i64) {
        self.db.outbox().wait(place).await;
    }

    /// The instances whose applied state changed beyond a place, and how far the log was read. However many
    /// changes there were, each instance is named once.
    pub(crate) async fn changed_since(&self, mut place: i64) -> Result<(BTreeSet<InstanceId>, i64), Fault> {
        let (log, mut changed) = (self.db.outbox(), BTreeSet::new());
        loop {
            let events = log.after(place, EVENTS).await?;
            let full = u64::try_from(events.len()).is_ok_and(|count| count >= EVENTS);
            for (at, event) in events {
                place = at;
                if TOLD.contains(&event.kind.as_str()) {
                    changed.extend(event.aggregate_id.parse::<InstanceId>());
                }
            }
            if !full {
                return Ok((changed, place));
            }
        }
    }
}

fn state(row: applied::Model) -> Result<AppliedState, DbError> {
    let standing = if row.removed == 0 { Some(standing(&row)?) } else { None };
    Ok(AppliedState {
        instance_id: value("instance_id", row.instance_id.parse().ok())?,
        org_id: value("org_id", row.org_id.parse().ok())?,
        revision: row.revision,
        commit_id: optional("commit_id", &row.commit_id, CommitId::parse)?,
        apply_time: Time::from_micros(row.apply_time),
        standing,
    })
}

fn standing(row: &applied::Model) -> Result<Standing, DbError> {
    let capabilities =
        serde_json::from_str(&row.capabilities).map_err(|error| DbError::value("capabilities", error))?;
    let limit = |value: i64| (value > 0).then_some(value);
    Ok(Standing {
        project_id: value("project_id", row.project_id.parse().ok())?,
        offering_version_id: value("offering_version_id", row.offering_version_id.parse().ok())?,
        content_hash: value("content_hash", ContentHash::parse(&row.content_hash))?,
        route: Route { host: row.host.clone(), path: row.path.clone() },
        capabilities,
        runs_per_minute: limit(row.runs_per_minute),
        input_bytes: limit(row.input_bytes),
    })
}
