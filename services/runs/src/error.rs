//! What can go wrong with a run before it starts. What goes wrong later stands in the run itself.

use std::time::Duration;

use souk_kit::Refusal;
use souk_types::{Fault, Reason, RunId, Violation};

use crate::model::{self, Illegal, NotServing};

const PART: &str = "runs";
/// When asking for an instance that is on its way makes sense again.
const COMING: Duration = Duration::from_secs(2);
/// When a caller should come back for a run that is at work.
const AT_WORK: Duration = Duration::from_secs(1);

/// Why a call is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No such instance, or not for the caller to see.
    #[error("no such instance, or not for this caller to see")]
    InstanceNotFound,
    /// No such run, or not for the caller to see.
    #[error("no such run, or not for this caller to see")]
    RunNotFound,
    /// The caller sees the instance, but may not run it.
    #[error("the caller may see this instance but not run it")]
    Denied,
    /// The instance does not serve.
    #[error("{}", said(.0))]
    NotServing(NotServing),
    /// The input is larger than the plan allows.
    #[error("the input has {bytes} bytes, at most {limit} are allowed")]
    InputTooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        limit: i64,
    },
    /// The plan allows no further run now.
    #[error("the plan allows {allowed} {limit} of this instance")]
    TooManyRuns {
        /// Which limit of the plan.
        limit: &'static str,
        /// What it allows.
        allowed: i64,
    },
    /// The org has as many runs at work as it may.
    #[error("the org has {allowed} runs at work, as many as one org may")]
    OrgBusy {
        /// How many it may have.
        allowed: u32,
    },
    /// Billing refused the run; it stands as REFUSED and charged nothing.
    #[error("{}", .error.message)]
    Refused {
        /// The run that stands for it.
        run_id: RunId,
        /// What billing said.
        error: model::Error,
    },
    /// The run is at work, and the caller stops waiting.
    #[error("the run is still at work: read it, or repeat the call with the same request_id")]
    AtWork {
        /// The run.
        run_id: RunId,
        /// Whether the process is about to stop.
        stopping: bool,
    },
    /// The run has another owner; this one must leave it alone.
    #[error("the run has another owner")]
    Lost,
    /// A step that the run cannot take.
    #[error(transparent)]
    Illegal(#[from] Illegal),
    /// Another part refused or is away.
    #[error(transparent)]
    Peer(#[from] Refusal),
    /// Another part's answer cannot be read.
    #[error("the answer of {part} has no usable {what}")]
    Unreadable {
        /// Which part.
        part: &'static str,
        /// Which field.
        what: &'static str,
    },
    /// The database.
    #[error(transparent)]
    Db(#[from] souk_db::Error),
}

fn said(not: &NotServing) -> String {
    match not {
        NotServing::Coming => "the instance is still being provisioned".to_owned(),
        NotServing::Depleted => "the instance is paused because the wallet is empty".to_owned(),
        NotServing::Paused(reasons) => format!("the instance is paused: {}", reasons.join(", ")),
        NotServing::Terminated => "the instance was terminated".to_owned(),
        NotServing::Failed => "the instance could not be provisioned".to_owned(),
    }
}

impl Error {
    /// Why the caller was refused before anything happened, for the audit trail; `None` for what is no
    /// refusal.
    pub(crate) fn refusal(&self) -> Option<Reason> {
        Some(match self {
            Self::NotServing(NotServing::Coming) => Reason::InstanceNotReady,
            Self::NotServing(NotServing::Depleted) => Reason::InsufficientCredits,
            Self::NotServing(NotServing::Paused(_)) => Reason::InstancePaused,
            Self::NotServing(NotServing::Terminated) => Reason::InstanceTerminated,
            Self::NotServing(NotServing::Failed) => Reason::InstanceFailed,
            Self::InputTooLarge { .. } => Reason::InvalidArgument,
            Self::TooManyRuns { .. } | Self::OrgBusy { .. } => Reason::TooManyRequests,
            Self::Refused { error, .. } => reason(&error.reason).unwrap_or(Reason::InsufficientCredits),
            _ => return None,
        })
    }
}

/// The reason of the registry with this name.
pub(crate) fn reason(name: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|reason| reason.as_str() == name)
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let fault = |reason| Self::new(reason, PART, text.clone());
        let refusal = error.refusal().unwrap_or(Reason::Internal);
        match error {
            Error::InstanceNotFound => fault(Reason::InstanceNotFound),
            Error::RunNotFound => fault(Reason::RunNotFound),
            Error::Denied => fault(Reason::PermissionDenied).with("permission", "runs.use"),
            Error::NotServing(NotServing::Coming) => fault(refusal).retry_in(COMING),
            Error::NotServing(NotServing::Paused(reasons)) => {
                fault(refusal).with("pause_reasons", reasons.join(","))
            }
            Error::NotServing(_) => fault(refusal),
            Error::InputTooLarge { limit, .. } => {
                let problem = format!("at most {limit} bytes are allowed");
                Self::invalid(PART, vec![Violation::new("input", problem)]).with("limit", limit)
            }
            Error::TooManyRuns { limit, allowed } => {
                fault(refusal).with("limit", limit).with("allowed", allowed).retry_in(AT_WORK)
            }
            Error::OrgBusy { allowed } => {
                fault(refusal).with("limit", "org_runs").with("allowed", allowed).retry_in(AT_WORK)
            }
            Error::Refused { run_id, .. } => fault(refusal).with("run_id", run_id),
            Error::AtWork { run_id, stopping } => {
                let reason = if stopping { Reason::Unavailable } else { Reason::DeadlineExceeded };
                fault(reason).with("run_id", run_id).retry_in(AT_WORK)
            }
            Error::Peer(refusal) => refusal.into(),
            Error::Db(error) => error.into_fault(PART),
            Error::Lost | Error::Illegal(_) | Error::Unreadable { .. } => Self::bug(PART, error),
        }
    }
}
