//! What can go wrong in the catalogue, and how a caller is told.

use souk_kit::Refusal;
use souk_types::{Fault, OfferingId, OfferingVersionId, Reason, Time, Violation};

use crate::model::{Finding, finding::Grounds, life, name::Slug};

/// Why a command had no effect, or a thing is not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No such offering, or none that is published.
    #[error("no such offering, or not published")]
    OfferingNotFound {
        /// Its id or slug, as it was asked for.
        offering: String,
    },
    /// The offering exists and has no published version.
    #[error("the offering has no published version")]
    OfferingNotPublished {
        /// Its slug.
        slug: String,
    },
    /// No such version.
    #[error("no such offering version")]
    VersionNotFound(OfferingVersionId),
    /// The newest published version has no such plan.
    #[error("the newest version has no such plan")]
    PlanNotFound {
        /// The offering's slug.
        offering: String,
        /// The plan's slug.
        plan: String,
    },
    /// Another offering has the slug.
    #[error("the slug {slug:?} is in use")]
    SlugTaken {
        /// The slug.
        slug: String,
        /// Who has it.
        offering_id: OfferingId,
    },
    /// The check found something; the version stays a draft.
    #[error("the version cannot be published: {} finding(s)", .0.len())]
    Refused(Vec<Finding>),
    /// The offering is paused, so nobody takes it.
    #[error("the offering is paused")]
    OfferingPaused {
        /// Its slug.
        slug: Slug,
        /// What the operator said to the tenants.
        why: String,
    },
    /// The offering's life ends or has ended, so nobody takes it.
    #[error("the offering is not sold any more")]
    OfferingEnded {
        /// Its slug.
        slug: Slug,
        /// What the operator said to the tenants.
        why: String,
        /// When it ends, or ended.
        end_time: Option<Time>,
    },
    /// The offering cannot go there, or not to that time.
    #[error(transparent)]
    Life(#[from] life::Refused),
    /// The object store failed.
    #[error(transparent)]
    Objects(#[from] souk_objects::Error),
    /// Another part refused or is away.
    #[error(transparent)]
    Peer(#[from] Refusal),
    /// The database failed, or the request id stands for another command.
    #[error(transparent)]
    Db(#[from] souk_db::Error),
    /// What must hold does not.
    #[error("broken invariant: {0}")]
    Broken(&'static str),
}

impl Error {
    /// The stable reason a caller is told.
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::OfferingNotFound { .. } => Reason::OfferingNotFound,
            Self::OfferingNotPublished { .. } => Reason::OfferingNotPublished,
            Self::VersionNotFound(_) => Reason::OfferingVersionNotFound,
            Self::PlanNotFound { .. } => Reason::PlanNotFound,
            Self::SlugTaken { .. } => Reason::SlugTaken,
            Self::Refused(findings) => gravest(findings),
            Self::OfferingPaused { .. } => Reason::OfferingPaused,
            Self::OfferingEnded { .. } => Reason::OfferingEnded,
            Self::Life(life::Refused::Illegal(_)) => Reason::IllegalTransition,
            Self::Life(life::Refused::Past) => Reason::InvalidArgument,
            Self::Db(souk_db::Error::RequestIdReused { .. }) => Reason::RequestIdReused,
            Self::Peer(refusal) if !refusal.is_transient() => {
                let known = Reason::ALL.iter().find(|reason| refusal.is(**reason));
                known.copied().unwrap_or(Reason::Internal)
            }
            Self::Peer(_) | Self::Objects(_) => Reason::Unavailable,
            Self::Db(_) | Self::Broken(_) => Reason::Internal,
        }
    }
}

/// The service that faults name.
pub(crate) const DOMAIN: &str = "catalog";

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let fault = Self::new(error.reason(), DOMAIN, error.to_string());
        match error {
            Error::OfferingNotFound { offering } => fault.with("offering", excerpt(&offering)),
            Error::OfferingNotPublished { slug } => fault.with("offering_slug", slug),
            Error::VersionNotFound(id) => fault.with("offering_version_id", id),
            Error::PlanNotFound { offering, plan } => {
                fault.with("offering_slug", offering).with("plan_slug", excerpt(&plan))
            }
            // Whoever wants to publish under the slug can go on.
            Error::SlugTaken { slug, offering_id } => {
                fault.with("slug", slug).with("offering_id", offering_id)
            }
            Error::Refused(findings) => {
                let violations = bounded(findings.iter().map(Finding::violation).collect());
                Self { violations, ..fault.with("findings", findings.len()) }
            }
            Error::OfferingPaused { slug, why } => fault.with("offering_slug", slug).with("why", why),
            Error::OfferingEnded { slug, why, end_time } => {
                let fault = fault.with("offering_slug", slug).with("why", why);
                match end_time {
                    Some(time) => fault.with("end_time_micros", time.micros()),
                    None => fault,
                }
            }
            Error::Life(life::Refused::Illegal(state)) => fault.with("state", state.as_str()),
            Error::Life(past @ life::Refused::Past) => {
                Self::invalid(DOMAIN, vec![Violation::new("end_time", past.to_string())])
            }
            Error::Objects(error) => error.into_fault(DOMAIN),
            Error::Peer(refusal) => refusal.into(),
            Error::Db(error) => error.into_fault(DOMAIN),
            broken @ Error::Broken(_) => Self::bug(DOMAIN, broken),
        }
    }
}

/// The one reason of several findings: the one that matters most first.
fn gravest(findings: &[Finding]) -> Reason {
    match findings.iter().map(Finding::grounds).min() {
        Some(Grounds::Credential) => Reason::CredentialInFlow,
        Some(Grounds::Unsupported) => Reason::UnsupportedComponent,
        Some(Grounds::Capability) => Reason::CapabilityUnknown,
        Some(Grounds::Config) => Reason::ConfigInvalid,
        Some(Grounds::Invalid) | None => Reason::FlowInvalid,
    }
}

/// Details travel in the trailers, of which common clients take 8 KiB in base64, everything included. Less
/// than the kit lets through: what it cuts again would miscount what is left out.
const DETAILS: usize = 2 * 1024 + 512;
/// The longest field or description of one violation, in characters.
const EXCERPT: usize = 300;

/// As many violations as an answer can carry; the last one says how many more there are.
pub(crate) fn bounded(violations: Vec<Violation>) -> Vec<Violation> {
    let (count, mut room, mut kept) = (violations.len(), DETAILS, Vec::new());
    for violation in violations {
        let violation = Violation::new(excerpt(&violation.field), excerpt(&violation.description));
        let size = violation.field.len() + violation.description.len() + 8;
        if size > room {
            let more = count - kept.len();
            let field = violation.field.split(['.', '[']).next().unwrap_or_default();
            kept.push(Violation::new(field, format!("and {more} more; mend these first")));
            break;
        }
        room -= size;
        kept.push(violation);
    }
    kept
}

fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().take(EXCERPT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use souk_types::Class;

    use super::*;

    fn finding(code: &str) -> Finding {
        let (node_id, field) = ("ChatInput-1".to_owned(), "value".to_owned());
        Finding { code: code.to_owned(), node_id, field, message: "is wrong".to_owned() }
    }

    #[test]
    fn the_gravest_finding_names_the_reason_and_each_is_told() {
        for (codes, reason) in [
            (vec!["FLOW_INVALID"], Reason::FlowInvalid),
            (vec!["SOMETHING_NEW"], Reason::FlowInvalid),
            (vec!["UNSUPPORTED_COMPONENT", "UNSUPPORTED_COMPONENT"], Reason::UnsupportedComponent),
            (vec!["UNSUPPORTED_COMPONENT", "FLOW_INVALID"], Reason::FlowInvalid),
            (vec!["FLOW_INVALID", "CREDENTIAL_IN_FLOW"], Reason::CredentialInFlow),
            (vec!["UNSUPPORTED_COMPONENT", "S3"], Reason::CredentialInFlow),
        ] {
            let fault = Fault::from(Error::Refused(codes.iter().map(|code| finding(code)).collect()));
            assert_eq!((fault.reason, fault.class()), (reason, Class::Invalid), "{codes:?}");
            assert_eq!(fault.violations.len(), codes.len());
            let told = fault.violations.first().unwrap();
            assert_eq!(told.field, "flow_json.nodes[ChatInput-1].value");
            assert_eq!(told.description, format!("{}: is wrong", codes.first().unwrap()));
        }
    }

    #[test]
    fn an_answer_never_outgrows_its_trailers() {
        let long = Violation::new("plans[1].slug", "ü".repeat(10_000));
        let told = bounded(vec![long; 1000]);
        let size: usize = told.iter().map(|told| told.field.len() + told.description.len()).sum();
        assert!(size < DETAILS + 100, "{size}");
        let last = told.last().unwrap();
        assert_eq!(last.field, "plans");
        assert_eq!(last.description, format!("and {} more; mend these first", 1000 - (told.len() - 1)));
    }
}
