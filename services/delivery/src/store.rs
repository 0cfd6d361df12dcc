//! Delivery's tables: desired states as durable intents, requests that wait for a commit, applied states.
//!
//! The only room with sea-orm. Nothing here touches the repository: an intent is written before its commit
//! is made, the outcome after it, each in one transaction.

mod applied;
mod commit;
mod intend;
mod read;
mod rows;
mod schema;

use sea_orm::{ColumnTrait as _, QueryFilter as _};
use souk_db::{Db, Error as DbError, Migration, for_every_tenant, scoped};
use souk_types::{
    Time,
    id::{InstanceId, OrgId},
};

use self::rows::desired;
pub(crate) use self::{
    applied::{Drifted, Taken},
    commit::Landed,
    intend::Ask,
};
use crate::model::{CommitId, ContentHash, Desired, DesiredState};

/// Rings when rows wait for a commit that no caller waits for.
pub(crate) const TO_COMMIT: &str = "to-commit";
/// Rings when a commit was made: the reconciler has something to see.
pub(crate) const COMMITTED: &str = "committed";

/// The state of a row whose commit is still to be made.
const PENDING: &str = "PENDING";
/// The state of a row that stands in the repository.
const DONE: &str = "COMMITTED";

/// The schema.
pub(crate) const MIGRATIONS: &[Migration] = schema::MIGRATIONS;

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

/// An optional column that is empty where there is nothing.
fn optional<T>(
    what: &'static str,
    text: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, DbError> {
    if text.is_empty() { Ok(None) } else { value(what, parse(text)).map(Some) }
}

fn desired_state(row: desired::Model) -> Result<DesiredState, DbError> {
    let pending = row.state != DONE;
    let commit = row.commit_id.filter(|_| !pending).unwrap_or_default();
    let desired: Option<Desired> =
        serde_json::from_str(&row.desired).map_err(|error| DbError::value("desired", error))?;
    let org_id = value("org_id", row.org_id.parse::<OrgId>().ok())?;
    let project_id = optional("project_id", &row.project_id, |text| text.parse().ok())?;
    Ok(DesiredState {
        instance_id: value("instance_id", row.instance_id.parse().ok())?,
        project: project_id.map(|project_id| (org_id, project_id)),
        revision: row.revision,
        desired,
        content_hash: optional("content_hash", &row.content_hash, ContentHash::parse)?,
        pending,
        commit_id: optional("commit_id", &commit, CommitId::parse)?,
        applied_revision: row.applied_revision,
    })
}
