//! What instances can refuse, named by what the caller can do about it.

use souk_kit::Refusal;
use souk_types::{
    Fault, Reason, Violation,
    id::{InstanceId, OfferingVersionId, PlanId, ProjectId},
};

use crate::model::Illegal;

/// The domain that the faults of instances carry.
pub(crate) const DOMAIN: &str = "instances";

/// Everything that instances refuse or fail at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It does not exist, or the caller may not know that it does.
    #[error("no such instance, or not for this caller to see")]
    InstanceNotFound(InstanceId),
    /// The caller sees it and lacks the permission.
    #[error("the caller sees the instance but may not do this")]
    Denied(InstanceId),
    /// Catalog knows no such published version.
    #[error("no such offering version")]
    OfferingVersionNotFound(OfferingVersionId),
    /// The version has no such plan.
    #[error("the offering version has no such plan")]
    PlanNotFound {
        /// The version.
        offering_version_id: OfferingVersionId,
        /// The plan that was asked for.
        plan_id: PlanId,
    },
    /// The plan is sold in a shop only.
    #[error("the plan is not self-service")]
    PlanNeedsPurchase(PlanId),
    /// No project is named, and the caller has no single one.
    #[error("name the project: the caller has no single one")]
    ProjectRequired,
    /// Tenancy knows no such project.
    #[error("no such project, or not for this caller to see")]
    ProjectNotFound(ProjectId),
    /// Fields of the request are wrong.
    #[error("{} fields are wrong", .0.len())]
    Invalid(Vec<Violation>),
    /// The instance cannot go there.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// Another part refused or does not answer.
    #[error("{}", .0.message)]
    Refused(#[from] Refusal),
    /// Another part answered what cannot be read.
    #[error("{part} answered without a readable {field}")]
    Garbled {
        /// The part.
        part: &'static str,
        /// What is missing or wrong.
        field: &'static str,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] souk_db::Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = |reason| Self::new(reason, DOMAIN, error.to_string());
        match error {
            Error::InstanceNotFound(id) => fault(Reason::InstanceNotFound).with("instance_id", id),
            Error::Denied(id) => fault(Reason::PermissionDenied).with("instance_id", id),
            Error::OfferingVersionNotFound(id) => {
                fault(Reason::OfferingVersionNotFound).with("offering_version_id", id)
            }
            Error::PlanNotFound { offering_version_id, plan_id } => fault(Reason::PlanNotFound)
                .with("offering_version_id", offering_version_id)
                .with("plan_id", plan_id),
            Error::PlanNeedsPurchase(plan_id) => fault(Reason::PlanNeedsPurchase).with("plan_id", plan_id),
            Error::ProjectRequired => fault(Reason::ProjectRequired),
            Error::ProjectNotFound(id) => fault(Reason::ProjectNotFound).with("project_id", id),
            Error::Invalid(violations) => Self::invalid(DOMAIN, violations),
            Error::Illegal(illegal) => fault(Reason::IllegalTransition).with("state", illegal.state.as_str()),
            Error::Refused(refusal) => refusal.into(),
            garbled @ Error::Garbled { .. } => Self::bug(DOMAIN, garbled),
            Error::Db(error) => error.into_fault(DOMAIN),
        }
    }
}
