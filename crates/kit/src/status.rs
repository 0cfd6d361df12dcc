//! Faults on the wire: the one file that makes a `tonic::Status`, and the one that reads one back.

use std::{collections::BTreeMap, time::Duration};

use souk_types::{Class, Fault, Reason};
use tonic::{Code, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Bytes of a message, a field's name, one description and one metadata value at the most. A status travels
/// in headers, and a peer that meets headers beyond its limit drops the connection, not the call.
const MESSAGE: usize = 1024;
const WORDS: usize = 256;
/// Bytes of all violations together at the most.
const VIOLATIONS: usize = 3 * 1024;

/// The gRPC code of a class.
#[must_use]
pub const fn code(class: Class) -> Code {
    match class {
        Class::Invalid => Code::InvalidArgument,
        Class::Unauthenticated => Code::Unauthenticated,
        Class::NotFound => Code::NotFound,
        Class::Denied => Code::PermissionDenied,
        Class::Precondition => Code::FailedPrecondition,
        Class::Aborted => Code::Aborted,
        Class::Exists => Code::AlreadyExists,
        Class::Exhausted => Code::ResourceExhausted,
        Class::Unavailable => Code::Unavailable,
        Class::Late => Code::DeadlineExceeded,
        Class::Cancelled => Code::Cancelled,
        Class::Unimplemented => Code::Unimplemented,
        Class::Bug => Code::Internal,
    }
}

/// Turns a fault into the status that goes out. The inner cause is logged here and goes no further.
#[must_use]
pub fn status(fault: impl Into<Fault>) -> Status {
    let fault = fault.into();
    log(&fault);
    encode(&fault)
}

/// As `status`, for who tells of the cause elsewhere.
pub(crate) fn encode(fault: &Fault) -> Status {
    let mut details = ErrorDetails::new();
    let metadata: BTreeMap<String, String> =
        fault.metadata.iter().map(|(key, value)| ((*key).to_owned(), cut(value, WORDS))).collect();
    let domain = format!("{}.souk", fault.domain);
    details.set_error_info(
        fault.reason.as_str(),
        domain,
        metadata.into_iter().collect::<std::collections::HashMap<_, _>>(),
    );
    let mut room = VIOLATIONS;
    for (at, violation) in fault.violations.iter().enumerate() {
        let (field, text) = (cut(&violation.field, WORDS), cut(&violation.description, WORDS));
        let Some(left) = room.checked_sub(field.len() + text.len()) else {
            let more = format!("and {} more", fault.violations.len() - at);
            details.add_bad_request_violation("", more);
            break;
        };
        room = left;
        details.add_bad_request_violation(field, text);
    }
    if let Some(after) = fault.retry_after {
        details.set_retry_info(Some(after));
    }
    Status::with_error_details(code(fault.class()), cut(&fault.message, MESSAGE), details)
}

/// A text of at most `most` bytes, with a sign where something is missing.
fn cut(text: &str, most: usize) -> String {
    const SIGN: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(SIGN.len()));
    format!("{}{SIGN}", text.get(..end).unwrap_or_default())
}

fn log(fault: &Fault) {
    let cause = fault.cause.as_deref().map(|cause| chain(cause)).unwrap_or_default();
    match fault.class() {
        Class::Bug => {
            tracing::error!(
                domain = fault.domain,
                reason = fault.reason.as_str(),
                cause,
                "an invariant broke"
            );
        }
        Class::Unavailable if !cause.is_empty() => {
            tracing::warn!(
                domain = fault.domain,
                said = fault.message,
                cause,
                "something needed does not answer"
            );
        }
        _ if !cause.is_empty() => {
            tracing::debug!(domain = fault.domain, reason = fault.reason.as_str(), cause, "call refused");
        }
        _ => {}
    }
}

/// An error and its sources on one line. Who repeats their source, or is repeated by it, is said once.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said = vec![error.to_string()];
    for inner in std::iter::successors(error.source(), |error| error.source()) {
        let text = inner.to_string();
        if said.iter().any(|earlier| earlier.contains(&text)) {
            continue;
        }
        said.pop_if(|last| text.contains(last.as_str()));
        said.push(text);
    }
    said.join(": ")
}

/// Encodes the outcome of a use case.
///
/// # Errors
/// The fault, as a status.
pub fn answer<T, E: Into<Fault>>(outcome: Result<T, E>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(status)
}

/// What another part answered when it refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{message}{}", opening(.part, .message), closing(.reason))]
pub struct Refusal {
    /// The part that refused.
    pub part: &'static str,
    /// The gRPC code.
    pub code: Code,
    /// The stable reason; empty when the refusal carries none.
    pub reason: String,
    /// One sentence for people.
    pub message: String,
    /// Everything variable in the message.
    pub metadata: BTreeMap<String, String>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
}

/// Names the part, where its message does not begin with it.
fn opening(part: &str, message: &str) -> String {
    let named = message.strip_prefix(part).is_some_and(|rest| rest.starts_with(':'));
    if named { String::new() } else { format!("{part}: ") }
}

fn closing(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

impl Refusal {
    /// Reads a status that `part` answered.
    #[must_use]
    pub fn read(part: &'static str, status: &Status) -> Self {
        let info = status.get_details_error_info();
        let retry = status.get_details_retry_info().and_then(|info| info.retry_delay);
        let (reason, metadata) =
            info.map_or_else(Default::default, |info| (info.reason, info.metadata.into_iter().collect()));
        Self {
            part,
            code: status.code(),
            reason,
            message: status.message().to_owned(),
            metadata,
            retry_after: retry,
        }
    }

    /// Whether the refusal has this reason.
    #[must_use]
    pub fn is(&self, reason: Reason) -> bool {
        self.reason == reason.as_str()
    }

    /// Whether the same call may succeed later without anybody acting.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self.code,
            Code::Unavailable
                | Code::Aborted
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::ResourceExhausted
        )
    }
}

impl From<Refusal> for Fault {
    /// A refusal with a reason of the registry passes through under its own part's name; a refusal
    /// that says the other part is away is UNAVAILABLE; anything else is a bug here.
    fn from(refusal: Refusal) -> Self {
        let known = Reason::ALL.iter().find(|reason| refusal.is(**reason) && **reason != Reason::Internal);
        let mut fault = match known {
            Some(reason) => Self::new(*reason, refusal.part, refusal.message.clone()),
            None if refusal.is_transient() => {
                Self::new(Reason::Unavailable, refusal.part, format!("{} does not answer", refusal.part))
                    .retry_in(refusal.retry_after.unwrap_or(Duration::from_secs(1)))
            }
            None => Self::bug(refusal.part, refusal.to_string()),
        };
        fault.retry_after = fault.retry_after.or(refusal.retry_after);
        fault.because(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_keeps_its_reason_details_and_retry_over_the_wire() {
        let fault = Fault::new(Reason::RequestInProgress, "billing", "still at work")
            .with("request_id", "r-1")
            .retry_in(Duration::from_secs(2))
            .because("inner secret text");
        let status = status(fault);
        assert_eq!(status.code(), Code::Aborted);
        assert!(!format!("{status:?}").contains("inner secret text"));
        let refusal = Refusal::read("billing", &status);
        assert_eq!(refusal.reason, "REQUEST_IN_PROGRESS");
        assert_eq!(refusal.metadata.get("request_id").unwrap(), "r-1");
        let again = Fault::from(refusal);
        assert_eq!(
            (again.reason, again.retry_after),
            (Reason::RequestInProgress, Some(Duration::from_secs(2)))
        );
    }

    #[test]
    fn a_status_stays_small_whatever_went_wrong() {
        let violations =
            (0..500).map(|n| souk_types::Violation::new(format!("f{n}"), "é".repeat(100))).collect();
        let fault = Fault::invalid("catalog", violations).with("what", "x".repeat(100_000));
        let status = status(Fault { message: "é".repeat(100_000), ..fault });
        assert!(status.message().len() <= MESSAGE && status.details().len() < 16 * 1024);
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields.last().unwrap().description, format!("and {} more", 500 - (fields.len() - 1)));
    }

    #[test]
    fn a_chain_of_causes_says_nothing_twice() {
        let refused = |message: &str| {
            let fault = Fault::new(Reason::Unavailable, "catalog", message);
            Fault::from(Refusal::read("catalog", &status(fault)))
        };
        let away = refused("catalog: the part does not answer");
        assert_eq!(chain(&away), "catalog: the part does not answer (UNAVAILABLE)");
        assert_eq!(chain(&refused("too busy")), "catalog: too busy (UNAVAILABLE)");
        let outer = Fault::bug("runs", std::io::Error::other(away));
        assert_eq!(
            chain(&outer),
            "internal error (INTERNAL): catalog: the part does not answer (UNAVAILABLE)"
        );
        let known = Refusal::read("catalog", &status(Fault::new(Reason::Unavailable, "catalog", "gone")));
        assert_eq!(Refusal { reason: String::new(), ..known }.to_string(), "catalog: gone");
    }

    #[test]
    fn a_bug_says_nothing_of_its_cause() {
        let status = status(Fault::bug("runs", "row 7 has no owner"));
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
        assert!(!format!("{status:?}").contains("row 7"));
    }
}
