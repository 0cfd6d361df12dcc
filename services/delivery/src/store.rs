//! Delivery's tables: desired states as durable intents, requests that wait for a commit, applied states.
//!
//! The only room with sea-orm. Nothing here touches the repository: an intent is written before its commit
//! is made, the outcome after it, each in one transaction.

mod applied;
mod commit;
mod intend;
mod rows;

use sea_orm::{ColumnTrait as _, QueryFilter as _};
use souk_db::{Db, Error as DbError, Migration, for_every_tenant, one, scoped};
use souk_types::{
    Call, Time,
    id::{InstanceId, OrgId},
};

use self::rows::{applied as applied_row, desired};
pub(crate) use self::{applied::Drifted, commit::Landed};
use crate::{
    error::Error,
    model::{AppliedState, CommitId, ContentHash, DesiredState, Route},
};

/// Rings when rows wait for a commit that no caller waits for.
pub(crate) const TO_COMMIT: &str = "to-commit";
/// Rings when a commit was made: the reconciler has something to see.
pub(crate) const COMMITTED: &str = "committed";

/// The state of a row whose commit is still to be made.
const PENDING: &str = "PENDING";
/// The state of a row that stands in the repository.
const DONE: &str = "COMMITTED";

/// The schema.
pub(crate) const MIGRATIONS: &[Migration] = &[Migration {
    name: "0001-desired-and-applied",
    up: &[
        "CREATE TABLE desired (
            instance_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            project_id {id} NOT NULL,
            revision BIGINT NOT NULL,
            desired {json} NOT NULL,
            content_hash {text} NOT NULL,
            state {text} NOT NULL,
            commit_id {text},
            applied_revision BIGINT NOT NULL,
            attempts BIGINT NOT NULL,
            next_attempt_time {time} NOT NULL,
            problem {text},
            update_time {time} NOT NULL,
            version BIGINT NOT NULL
        )",
        "CREATE INDEX desired_pending ON desired (next_attempt_time) WHERE state = 'PENDING'",
        "CREATE INDEX desired_unapplied ON desired (instance_id) WHERE applied_revision <> revision",
        "CREATE TABLE open_request (
            org_id {id} NOT NULL,
            request_id {text} NOT NULL,
            instance_id {id} NOT NULL,
            revision BIGINT NOT NULL,
            digest {text} NOT NULL,
            actor {text} NOT NULL,
            trace {text} NOT NULL,
            PRIMARY KEY (org_id, request_id)
        )",
        "CREATE INDEX open_request_by_instance ON open_request (instance_id)",
        "CREATE TABLE applied (
            instance_id {id} PRIMARY KEY,
            org_id {id} NOT NULL,
            revision BIGINT NOT NULL,
            content_hash {text} NOT NULL,
            commit_id {text} NOT NULL,
            apply_time {time} NOT NULL,
            host {text},
            path {text} NOT NULL
        )",
    ],
}];

/// Delivery's part of the database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    db: Db,
}

impl Store {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The present moment.
    pub(crate) fn now(&self) -> Time {
        self.db.now()
    }

    /// What is applied for an instance that the call may see.
    pub(crate) async fn applied(&self, call: &Call, instance_id: InstanceId) -> Result<AppliedState, Error> {
        let found = one::<applied_row::Entity>(self.db.read(), &call.scope, instance_id.to_string()).await;
        let row = found.map_err(|denial| {
            denial.say(|| Error::AppliedStateNotFound { instance_id }, || Error::PermissionDenied)
        })?;
        Ok(applied_state(row)?)
    }

    /// The desired states of these instances, whoever's they are; what is not kept is left out.
    pub(crate) async fn states(&self, instances: &[InstanceId]) -> Result<Vec<DesiredState>, DbError> {
        let ids = instances.iter().map(ToString::to_string);
        let rows = scoped::<desired::Entity>(&for_every_tenant())
            .filter(desired::Column::InstanceId.is_in(ids))
            .all(self.db.read())
            .await?;
        rows.into_iter().map(desired_state).collect()
    }
}

fn value<T>(what: &'static str, parsed: Option<T>) -> Result<T, DbError> {
    parsed.ok_or_else(|| DbError::value(what, "not of its form"))
}

fn desired_state(row: desired::Model) -> Result<DesiredState, DbError> {
    let commit_id = match row.commit_id.filter(|_| row.state == DONE) {
        Some(text) => Some(value("commit_id", CommitId::parse(&text))?),
        None => None,
    };
    Ok(DesiredState {
        desired: serde_json::from_str(&row.desired).map_err(|error| DbError::value("desired", error))?,
        content_hash: value("content_hash", ContentHash::parse(&row.content_hash))?,
        commit_id,
        applied_revision: row.applied_revision,
    })
}

fn applied_state(row: applied_row::Model) -> Result<AppliedState, DbError> {
    Ok(AppliedState {
        instance_id: value("instance_id", row.instance_id.parse().ok())?,
        org_id: value("org_id", row.org_id.parse::<OrgId>().ok())?,
        revision: row.revision,
        content_hash: value("content_hash", ContentHash::parse(&row.content_hash))?,
        commit_id: value("commit_id", CommitId::parse(&row.commit_id))?,
        apply_time: Time::from_micros(row.apply_time),
        route: Route { host: row.host, path: row.path },
    })
}
