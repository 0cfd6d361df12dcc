//! A fault: what went wrong, said so that a program can act on it and a person can mend it.
//!
//! Each service has its own error enum and one `From<Error> for Fault`; the kit alone turns a fault
//! into a gRPC status.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::reason::Reason;

/// What a caller can do about a fault; one gRPC code each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The request alone is wrong (`INVALID_ARGUMENT`).
    Invalid,
    /// No or bad credential (`UNAUTHENTICATED`).
    Unauthenticated,
    /// Absent, or the caller may not know it exists (`NOT_FOUND`).
    NotFound,
    /// Known to exist, right missing (`PERMISSION_DENIED`).
    Denied,
    /// The world is not ready (`FAILED_PRECONDITION`).
    Precondition,
    /// A lost race: redo with fresh state (`ABORTED`).
    Aborted,
    /// A unique thing exists (`ALREADY_EXISTS`).
    Exists,
    /// Rate or quota (`RESOURCE_EXHAUSTED`).
    Exhausted,
    /// Something outside does not answer (`UNAVAILABLE`).
    Unavailable,
    /// Our own deadline passed (`DEADLINE_EXCEEDED`).
    Late,
    /// The caller left (`CANCELLED`).
    Cancelled,
    /// Not built here (`UNIMPLEMENTED`).
    Unimplemented,
    /// An invariant broke (`INTERNAL`); the cause stays inside.
    Bug,
}

/// One thing wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, in proto names: `plans[1].slug`.
    pub field: String,
    /// What is wrong and what would be right.
    pub description: String,
}

impl Violation {
    /// Names a field and what is wrong with it.
    pub fn new(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self { field: field.into(), description: description.into() }
    }
}

/// A fault, on its way to the caller.
#[derive(Debug)]
pub struct Fault {
    /// The stable reason; names the class too.
    pub reason: Reason,
    /// The service whose fault it is (`billing`); becomes `ErrorInfo.domain` `billing.souk`.
    pub domain: &'static str,
    /// One lower-case sentence for a person, without a final period.
    pub message: String,
    /// Everything variable in the message, for programs.
    pub metadata: BTreeMap<&'static str, String>,
    /// Every bad field at once.
    pub violations: Vec<Violation>,
    /// When trying again makes sense.
    pub retry_after: Option<Duration>,
    /// The inner cause: logged where handled, never sent.
    pub cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A fault with its reason, the service it belongs to and one sentence.
    pub fn new(reason: Reason, domain: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            domain,
            message: message.into(),
            metadata: BTreeMap::new(),
            violations: Vec::new(),
            retry_after: None,
            cause: None,
        }
    }

    /// A request with bad fields, all of them named.
    #[must_use]
    pub fn invalid(domain: &'static str, violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [one] => format!("{}: {}", one.field, one.description),
            many => format!("{} fields are wrong", many.len()),
        };
        Self { violations, ..Self::new(Reason::InvalidArgument, domain, message) }
    }

    /// A broken invariant or an unexpected inner failure; the cause is logged, not sent.
    pub fn bug(domain: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..Self::new(Reason::Internal, domain, "internal error") }
    }

    /// Adds one variable of the message for programs.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.metadata.insert(key, value.to_string());
        self
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub const fn retry_in(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Keeps the inner cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What the caller can do about it.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.reason.class()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} ({})", self.message, self.reason.as_str())
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}
