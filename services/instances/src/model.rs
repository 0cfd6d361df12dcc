//! The nouns of instances and the commands on them. Pure: no I/O, no clock; every moment is handed in.

pub mod account;
mod commands;
pub mod condition;
pub mod config;
pub mod effective;
mod instance;
pub mod life;
pub mod state;
mod steps;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use souk_types::{
    Time,
    id::{InstanceId, OfferingId, OfferingVersionId, OrgId, PlanId, ProjectId},
};

pub use account::{AccountState, Gate};
pub use commands::Levels;
pub use condition::{Condition, Conditions, Status, Step};
pub use config::{Config, Configure, Served};
pub use instance::{Agenda, Instance};
pub use life::{Drift, Event, Happening, Patience, Setback};
pub use state::{PauseReason, PauseReasons, Refused, Stand, State, Trigger};

/// What an instance takes from its version and plan, for good: a later change of the catalogue moves nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pins {
    /// The offering.
    pub offering_id: OfferingId,
    /// The version it runs.
    pub offering_version_id: OfferingVersionId,
    /// The plan it runs under.
    pub plan_id: PlanId,
    /// The offering's slug.
    pub offering_slug: String,
    /// The plan's slug.
    pub plan_slug: String,
    /// SHA-256 of the flow artifact, lower-case hex.
    pub artifact_hash: String,
    /// The prices its account spends at.
    pub price_schedule_hash: String,
    /// Capabilities that the version asks for, by name; those in force are the effective configuration's.
    pub capabilities: Vec<String>,
    /// Limits of its plan.
    pub limits: Limits,
    /// What the version says of its capabilities. Rows of before the layers were kept apart hold the whole
    /// effective configuration here: that of the version under the plan.
    #[serde(alias = "effectiveConfig")]
    pub version_config: Map<String, Value>,
    /// What the plan says of them.
    #[serde(default)]
    pub plan_config: Map<String, Value>,
}

impl Pins {
    /// What an instance of `version` under `plan` takes from them.
    #[must_use]
    pub fn of(version: Version, plan: Plan) -> Self {
        let mut capabilities = version.capabilities;
        capabilities.sort();
        capabilities.dedup();
        Self {
            offering_id: version.offering_id,
            offering_version_id: version.offering_version_id,
            plan_id: plan.plan_id,
            offering_slug: version.offering_slug,
            plan_slug: plan.slug,
            artifact_hash: version.artifact_hash,
            price_schedule_hash: version.price_schedule_hash,
            capabilities,
            limits: plan.limits,
            version_config: version.config,
            plan_config: plan.config,
        }
    }
}

/// Limits in force. Zero means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Runs that may start within a minute.
    pub runs_per_minute: i32,
    /// Size of one run's input, in bytes.
    pub input_bytes: i64,
    /// Runs at work at the same time.
    pub concurrent_runs: i32,
}

/// A published version, as catalog tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its id.
    pub offering_version_id: OfferingVersionId,
    /// The offering.
    pub offering_id: OfferingId,
    /// The offering's slug.
    pub offering_slug: String,
    /// SHA-256 of the flow artifact, lower-case hex.
    pub artifact_hash: String,
    /// The prices it is run at.
    pub price_schedule_hash: String,
    /// Capabilities it asks for.
    pub capabilities: Vec<String>,
    /// Its configuration by capability.
    pub config: Map<String, Value>,
    /// Its plans.
    pub plans: Vec<Plan>,
    /// The plan of AutoActivate; `None` where the version was published without one.
    pub default_plan_id: Option<PlanId>,
}

impl Version {
    /// The plan with this id, where it has one.
    #[must_use]
    pub fn plan(&self, plan_id: PlanId) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.plan_id == plan_id)
    }
}

/// A plan of a version.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its id.
    pub plan_id: PlanId,
    /// Its slug.
    pub slug: String,
    /// Whether a tenant may take it without buying it in a shop.
    pub self_service: bool,
    /// Its configuration by capability.
    pub config: Map<String, Value>,
    /// Its limits.
    pub limits: Limits,
}

/// Whether an offering may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sale {
    /// It may.
    Open,
    /// Not until the operator resumes it.
    Paused,
    /// Never again.
    Ended {
        /// When it ends, or ended.
        end_time: Option<Time>,
    },
}

/// Asks for an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CreateInstance {
    /// The version.
    pub offering_version_id: OfferingVersionId,
    /// The plan.
    pub plan_id: PlanId,
    /// What caused it; empty when a person does.
    pub source_ref: String,
}

/// Asks for a version to be activated under its default plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutoActivate {
    /// The version.
    pub offering_version_id: OfferingVersionId,
}

/// Asks to pause or resume an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// The reason as it was sent; empty: what the caller's kind says.
    pub reason: String,
}

/// Asks for an instance to be taken down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// The row version it was read at; empty: whatever it is.
    pub etag: String,
}

/// What a new instance is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its id.
    pub instance_id: InstanceId,
    /// The org.
    pub org_id: OrgId,
    /// The project.
    pub project_id: ProjectId,
    /// What it takes from its version and plan.
    pub pins: Pins,
    /// What caused it; empty when a person did.
    pub source_ref: String,
    /// Whether AutoActivate makes it.
    pub automatic: bool,
    /// The effective configuration of its first revision.
    pub effective: Map<String, Value>,
}

#[cfg(test)]
mod tests;
