//! What instances can refuse, named by what the caller can do about it.

use souk_kit::Refusal;
use souk_types::{
    Fault, Reason, Time, Violation,
    id::{InstanceId, OfferingVersionId, PlanId, ProjectId},
};

use crate::model::{PauseReasons, Refused, State};

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
    /// The instance cannot go there from where it stands.
    #[error("an instance that is {} does not take this", .0.as_str())]
    Illegal(State),
    /// It is held by other reasons than the one to take away.
    #[error("the instance is held by {0}, which this does not take away")]
    Held(PauseReasons),
    /// It changed since it was read.
    #[error("the instance changed since it was read")]
    EtagMismatch {
        /// The etag that was sent.
        sent: String,
        /// The etag it has.
        present: String,
    },
    /// A configuration does not fit the schemas of its capabilities.
    #[error("{} fields of the configuration are wrong", .0.len())]
    ConfigInvalid(Vec<Violation>),
    /// The operator paused the offering.
    #[error("the operator paused the offering {slug:?}")]
    OfferingPaused {
        /// The offering's slug.
        slug: String,
    },
    /// The offering is not sold any more.
    #[error("the offering {slug:?} is not sold any more")]
    OfferingEnded {
        /// The offering's slug.
        slug: String,
        /// When it ends, or ended.
        end_time: Option<Time>,
    },
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

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Illegal(state) => Self::Illegal(state),
            Refused::Held(reasons) => Self::Held(reasons),
        }
    }
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
            Error::Illegal(state) => fault(Reason::IllegalTransition).with("state", state.as_str()),
            Error::Held(reasons) => fault(Reason::InstancePaused).with("pause_reasons", reasons),
            Error::EtagMismatch { ref sent, ref present } => {
                fault(Reason::EtagMismatch).with("etag", sent).with("present_etag", present)
            }
            Error::ConfigInvalid(violations) => {
                let mut invalid = Self::invalid(DOMAIN, violations);
                invalid.reason = Reason::ConfigInvalid;
                invalid
            }
            Error::OfferingPaused { ref slug } => fault(Reason::OfferingPaused).with("offering_slug", slug),
            Error::OfferingEnded { ref slug, end_time } => {
                let fault = fault(Reason::OfferingEnded).with("offering_slug", slug);
                match end_time {
                    Some(end) => fault.with("end_time_micros", end.micros()),
                    None => fault,
                }
            }
            Error::Refused(refusal) => refusal.into(),
            garbled @ Error::Garbled { .. } => Self::bug(DOMAIN, garbled),
            Error::Db(error) => error.into_fault(DOMAIN),
        }
    }
}
