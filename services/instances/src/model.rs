//! The nouns of instances and the commands on them. Pure: no I/O, no clock; every moment is handed in.

pub mod condition;
pub mod effective;
pub mod life;
pub mod state;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use souk_types::{
    Time,
    id::{InstanceId, OfferingId, OfferingVersionId, OrgId, PlanId, ProjectId},
};

pub use condition::{Condition, Conditions, Status, Step};
pub use effective::Layers;
pub use life::{Event, Happening, Patience, Setback};
pub use state::{Illegal, PauseReason, PauseReasons, State, Trigger};

/// A tenant's activation of an offering version.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its id.
    pub instance_id: InstanceId,
    /// The org.
    pub org_id: OrgId,
    /// The project.
    pub project_id: ProjectId,
    /// What it was made from; catalog is not asked again.
    pub pins: Pins,
    /// What caused it, e.g. `saleor:<order>:<line>`; empty when a person did.
    pub source_ref: String,
    /// Whether AutoActivate made it: of these a project has one live one for an offering.
    pub automatic: bool,
    /// Where it stands.
    pub state: State,
    /// Where each step of its provisioning stands.
    pub conditions: Conditions,
    /// The last events, newest last.
    pub events: Vec<Event>,
    /// How many events there were in all.
    pub event_count: i64,
    /// Counts changes of what it should be, from 1.
    pub revision: i64,
    /// When it is looked at next.
    pub agenda: Agenda,
    /// When it was asked for.
    pub create_time: Time,
    /// When it last changed.
    pub update_time: Time,
    /// Row version.
    pub version: i64,
}

impl Instance {
    /// Where it is reached, below the gateway's host.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/i/{}", self.instance_id)
    }

    /// Origins that may embed it.
    #[must_use]
    pub fn allowed_domains(&self) -> Vec<String> {
        effective::allowed_domains(&self.pins.effective_config)
    }
}

/// When an instance is looked at next, and how patient the loop still is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Tries of the present step that came to nothing.
    pub attempts: u32,
    /// How often provisioning failed as a whole.
    pub failures: u32,
    /// When it is due; `None` when nothing is to be done.
    pub next_attempt_time: Option<Time>,
    /// When silence becomes a failure.
    pub deadline_time: Option<Time>,
}

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
    /// Capabilities it has, by name.
    pub capabilities: Vec<String>,
    /// Limits of its plan.
    pub limits: Limits,
    /// The effective configuration, a JSON object by capability.
    pub effective_config: Map<String, Value>,
}

impl Pins {
    /// What an instance of `version` under `plan` takes from them. The plan adds the capabilities that its
    /// configuration names.
    #[must_use]
    pub fn of(version: Version, plan: Plan) -> Self {
        let mut capabilities = version.capabilities;
        for added in plan.config.keys() {
            if !capabilities.contains(added) {
                capabilities.push(added.clone());
            }
        }
        capabilities.sort();
        // Delivery refuses a list that names a thing twice.
        capabilities.dedup();
        let layers = Layers { version: version.config, plan: plan.config, ..Layers::default() };
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
            effective_config: layers.effective(),
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
}
