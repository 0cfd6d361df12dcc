//! What can go wrong when a flow runs, and how it is told to a caller.
//!
//! Causes are ours or the flow author's; no error carries a traceback or the text of a run.

use std::time::Duration;

use souk_types::{Fault, Reason, Violation};

use crate::model::Finding;

/// The service's name in faults.
pub const DOMAIN: &str = "runner";
/// When trying again makes sense.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a flow did not run, or did not finish.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The flow is not one that may run; nothing was executed.
    #[error("the flow has {} finding(s), the first: {}", .0.len(), .0.first().map_or_else(String::new, ToString::to_string))]
    Refused(Vec<Finding>),
    /// `input_value` and a tweak both set the text of the same input component.
    #[error("the tweak {key} sets an input that input_value sets too")]
    InputConflict {
        /// The tweak's key, as sent.
        key: String,
    },
    /// Tweaks of fields that no caller may change.
    #[error("the tweaks set protected fields: {}", .fields.join(", "))]
    TweaksRefused {
        /// Names of the fields, sorted, each once.
        fields: Vec<String>,
    },
    /// A component failed; the run is over and its results are dropped.
    #[error("component {display_name} failed: {cause}")]
    ComponentFailed {
        /// Id of the node.
        component_id: String,
        /// Its name for a person.
        display_name: String,
        /// What went wrong.
        cause: String,
    },
    /// The flow names a model endpoint that there is not.
    #[error("no model endpoint is called {endpoint}: souk model add {endpoint} --url URL --key-file FILE")]
    EndpointMissing {
        /// Id of the node.
        component_id: String,
        /// The endpoint's name.
        endpoint: String,
    },
    /// A model endpoint said no: asking again changes nothing.
    #[error("the model endpoint {endpoint} {why}")]
    ModelRefused {
        /// Id of the node.
        component_id: String,
        /// The endpoint's name.
        endpoint: String,
        /// What it said, bounded and without the key.
        why: String,
        /// The HTTP status, where there was one.
        status: Option<u16>,
    },
    /// A model endpoint does not answer, or its answer broke off.
    #[error("the model endpoint {endpoint} {why}")]
    ModelAway {
        /// Id of the node.
        component_id: String,
        /// The endpoint's name.
        endpoint: String,
        /// What happened, bounded and without the key.
        why: String,
        /// The HTTP status, where there was one.
        status: Option<u16>,
    },
    /// A text of the run is larger than allowed.
    #[error("the {what} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// Which text.
        what: &'static str,
        /// The limit, in bytes.
        limit_bytes: usize,
    },
    /// Nobody waits for the run any more.
    #[error("the run was left by its caller")]
    Cancelled,
    /// No artifact has the hash.
    #[error("no artifact {hash}")]
    ArtifactMissing {
        /// The hash.
        hash: String,
    },
    /// The artifact is not what its hash says; it must not be run.
    #[error("artifact {hash} does not have the content that its name says")]
    ArtifactCorrupt {
        /// The hash.
        hash: String,
    },
    /// The object store does not answer; the cause is for the log.
    #[error("the object store does not answer")]
    ObjectsAway {
        /// What the store said.
        cause: String,
    },
    /// Every engine is at work and stayed so for as long as a call waits.
    #[error("all {engines} engines are at work")]
    Busy {
        /// How many there are.
        engines: usize,
    },
    /// The engine was driven wrongly.
    #[error("the engine lost its way: {0}")]
    Broken(&'static str),
}

impl Error {
    /// The gravest of the findings decides: a credential, then a missing component, then the rest.
    fn reason(findings: &[Finding]) -> Reason {
        [Reason::CredentialInFlow, Reason::UnsupportedComponent]
            .into_iter()
            .find(|reason| findings.iter().any(|finding| finding.code == *reason))
            .unwrap_or(Reason::FlowInvalid)
    }
}

impl From<souk_objects::Error> for Error {
    fn from(error: souk_objects::Error) -> Self {
        match error {
            souk_objects::Error::Missing(hash) => Self::ArtifactMissing { hash: hash.to_string() },
            souk_objects::Error::Corrupt(hash) => Self::ArtifactCorrupt { hash: hash.to_string() },
            error @ souk_objects::Error::Store(_) => {
                Self::ObjectsAway { cause: souk_kit::status::chain(&error) }
            }
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Refused(findings) => {
                let mut fault = Self::new(Error::reason(&findings), DOMAIN, message);
                fault.violations = findings
                    .into_iter()
                    .map(|found| {
                        let at = match (found.node_id.as_str(), found.field.as_str()) {
                            ("", field) => field.to_owned(),
                            (node, "") => node.to_owned(),
                            (node, field) => format!("{node}.{field}"),
                        };
                        Violation::new(at, format!("{}: {}", found.code.as_str(), found.message))
                    })
                    .collect();
                fault
            }
            Error::InputConflict { key } => {
                Self::new(Reason::InvalidArgument, DOMAIN, message).with("tweak", key)
            }
            Error::TweaksRefused { fields } => {
                Self::new(Reason::InvalidArgument, DOMAIN, message).with("fields", fields.join(","))
            }
            Error::ComponentFailed { component_id, display_name, cause } => {
                Self::new(Reason::FlowFailed, DOMAIN, message)
                    .with("component_id", component_id)
                    .with("component", display_name)
                    .with("cause", cause)
            }
            Error::EndpointMissing { component_id, endpoint } => {
                Self::new(Reason::ModelEndpointNotFound, DOMAIN, message)
                    .with("component_id", component_id)
                    .with("endpoint", endpoint)
            }
            Error::ModelRefused { component_id, endpoint, status, .. } => {
                let fault = Self::new(Reason::ModelRefused, DOMAIN, message);
                of_endpoint(fault, component_id, endpoint, status)
            }
            Error::ModelAway { component_id, endpoint, status, .. } => {
                let fault = Self::new(Reason::ModelUnavailable, DOMAIN, message).retry_in(AGAIN);
                of_endpoint(fault, component_id, endpoint, status)
            }
            Error::TooLarge { what, limit_bytes } => Self::new(Reason::FlowFailed, DOMAIN, message)
                .with("what", what)
                .with("limit_bytes", limit_bytes),
            Error::Cancelled => Self::new(Reason::Cancelled, DOMAIN, message),
            Error::ArtifactMissing { hash } => {
                Self::new(Reason::ArtifactNotFound, DOMAIN, message).with("hash", hash)
            }
            Error::ArtifactCorrupt { hash } => {
                Self::new(Reason::ArtifactCorrupt, DOMAIN, message).with("hash", hash)
            }
            Error::ObjectsAway { cause } => {
                Self::new(Reason::Unavailable, DOMAIN, message).retry_in(AGAIN).because(cause)
            }
            Error::Busy { engines } => {
                Self::new(Reason::TooManyRequests, DOMAIN, message).with("engines", engines).retry_in(AGAIN)
            }
            Error::Broken(what) => Self::bug(DOMAIN, what),
        }
    }
}

fn of_endpoint(fault: Fault, component_id: String, endpoint: String, status: Option<u16>) -> Fault {
    let fault = fault.with("component_id", component_id).with("endpoint", endpoint);
    match status {
        Some(status) => fault.with("status", status),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_outweighs_other_findings_and_all_are_told() {
        let findings = vec![
            Finding::invalid("", "data.edges[0]", "x"),
            Finding::unsupported("A-1", "", "y"),
            Finding {
                code: Reason::CredentialInFlow,
                node_id: "A-1".into(),
                field: "f".into(),
                message: "z".into(),
            },
        ];
        let fault = Fault::from(Error::Refused(findings));
        assert_eq!(fault.reason, Reason::CredentialInFlow);
        let fields: Vec<_> = fault.violations.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["data.edges[0]", "A-1", "A-1.f"]);
    }
}
