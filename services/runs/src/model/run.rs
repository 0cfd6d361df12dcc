//! A run and its events.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use souk_types::{
    Credits, InstanceId, LedgerEntryId, OfferingVersionId, OrgId, ProjectId, Reason, ReceiptId,
    ReservationId, RunId, Time, Trace,
};

use super::{Entitlements, Usage};

/// How much of a text stands in a list of runs, in characters.
const MESSAGE_CHARS: usize = 512;

/// The command: its JSON is what repeats are compared by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CreateRun {
    /// The instance.
    pub(crate) instance_id: InstanceId,
    /// What is asked.
    pub(crate) input: String,
    /// The conversation; empty for one of its own.
    pub(crate) session_id: String,
}

/// The command that a run be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct CancelRun {
    /// The run.
    pub(crate) run_id: RunId,
}

/// Why a run is to be stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// A person said so.
    Asked,
    /// Nobody listened any more.
    Unheard,
}

impl Cancel {
    /// The name as it stands in the table.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "ASKED",
            Self::Unheard => "UNHEARD",
        }
    }

    /// What a run that was stopped says of itself.
    #[must_use]
    pub(crate) fn error(self) -> Error {
        let text = match self {
            Self::Asked => "the run was cancelled",
            Self::Unheard => "the run was cancelled: nobody listened to it any more",
        };
        Error::new(Reason::RunCancelled.as_str(), text)
    }
}

impl FromStr for Cancel {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let found = [Self::Asked, Self::Unheard].into_iter().find(|cancel| cancel.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Written down; credits not yet reserved.
    Queued,
    /// Credits are reserved; the engine is at work.
    Running,
    /// The engine is done; the settle is on its way.
    Settling,
    /// Over, with an output.
    Succeeded,
    /// Over, without one.
    Failed,
    /// Refused before it started.
    Refused,
    /// Stopped before its end.
    Cancelled,
}

impl State {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Settling,
        Self::Succeeded,
        Self::Failed,
        Self::Refused,
        Self::Cancelled,
    ];

    /// The name as it stands in tables and events.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Running => "RUNNING",
            Self::Settling => "SETTLING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Refused => "REFUSED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Refused | Self::Cancelled)
    }
}

/// No state has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state is called {0:?}")]
pub(crate) struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;
    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    /// The component that gave it.
    pub(crate) component_id: String,
    /// The component's name for people.
    pub(crate) display_name: String,
    /// The text.
    pub(crate) text: String,
}

/// A piece of an output's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delta {
    /// The component that gives it.
    pub(crate) component_id: String,
    /// The piece.
    pub(crate) text: String,
}

/// Why a run has no output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Error {
    /// Stable reason.
    pub(crate) reason: String,
    /// One sentence for people.
    pub(crate) message: String,
    /// The component that failed; empty when none did.
    pub(crate) component_id: String,
}

impl Error {
    /// Says why, in bounded words.
    pub(crate) fn new(reason: impl Into<String>, message: &str) -> Self {
        let message = message.chars().take(MESSAGE_CHARS).collect();
        Self { reason: reason.into(), message, component_id: String::new() }
    }

    /// Names the component that failed.
    #[must_use]
    pub(crate) fn at(mut self, component_id: &str) -> Self {
        self.component_id = component_id.chars().take(MESSAGE_CHARS).collect();
        self
    }
}

/// What the run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bill {
    /// What the usage costs.
    pub(crate) cost: Credits,
    /// What the wallet paid.
    pub(crate) charged: Credits,
    /// What the wallet could reserve afterwards.
    pub(crate) balance: Credits,
    /// The receipt; none when nothing was settled.
    pub(crate) receipt_id: Option<ReceiptId>,
    /// The wallet's ledger entry; none when nothing was charged.
    pub(crate) ledger_entry_id: Option<LedgerEntryId>,
}

/// Whose command a run came of; enough to close its row in the request log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// What the caller's repeats have in common.
    pub(crate) request_id: String,
    /// Names the decoded command.
    pub(crate) digest: String,
    /// Who asked.
    pub(crate) actor: String,
    /// In whose course.
    pub(crate) trace: Trace,
}

/// One execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Its id.
    pub(crate) run_id: RunId,
    /// The org.
    pub(crate) org_id: OrgId,
    /// The project.
    pub(crate) project_id: ProjectId,
    /// The instance that runs.
    pub(crate) instance_id: InstanceId,
    /// The version that runs.
    pub(crate) offering_version_id: OfferingVersionId,
    /// The flow that runs.
    pub(crate) artifact_hash: String,
    /// The configuration it runs with.
    pub(crate) effective_config: String,
    /// Whose command it came of.
    pub(crate) origin: Origin,
    /// Where it stands.
    pub(crate) state: State,
    /// What was asked.
    pub(crate) input: String,
    /// The conversation.
    pub(crate) session_id: String,
    /// The first output's text, or its beginning in a list.
    pub(crate) output: String,
    /// What came out so far.
    pub(crate) outputs: Vec<Output>,
    /// What was used so far.
    pub(crate) usage: Usage,
    /// The reservation it draws on.
    pub(crate) reservation_id: Option<ReservationId>,
    /// What may be spent.
    pub(crate) budget: Credits,
    /// What it came to.
    pub(crate) bill: Bill,
    /// Why it has no output.
    pub(crate) error: Option<Error>,
    /// Why it is to be stopped; its owner does that.
    pub(crate) cancel: Option<Cancel>,
    /// When it was asked for.
    pub(crate) create_time: Time,
    /// When it was over.
    pub(crate) end_time: Option<Time>,
    /// The boot of the process whose task works on it.
    pub(crate) owner: String,
    /// Counts its owners; a task whose count is not the row's has lost it.
    pub(crate) attempts: i64,
    /// When it may be taken over.
    pub(crate) next_attempt_time: Time,
    /// The last event's sequence.
    pub(crate) sequence: i64,
    /// Row version.
    pub(crate) version: i64,
}

impl Run {
    /// A run as it is written down first.
    #[must_use]
    pub(crate) fn queued(
        run_id: RunId,
        ask: CreateRun,
        to: &Entitlements,
        origin: Origin,
        now: Time,
    ) -> Self {
        let session_id = if ask.session_id.is_empty() { run_id.to_string() } else { ask.session_id };
        Self {
            run_id,
            org_id: to.org_id,
            project_id: to.project_id,
            instance_id: to.instance_id,
            offering_version_id: to.offering_version_id,
            artifact_hash: to.artifact_hash.clone(),
            effective_config: to.effective_config.clone(),
            origin,
            state: State::Queued,
            input: ask.input,
            session_id,
            output: String::new(),
            outputs: Vec::new(),
            usage: Usage::default(),
            reservation_id: None,
            budget: Credits::ZERO,
            bill: Bill::default(),
            error: None,
            cancel: None,
            create_time: now,
            end_time: None,
            owner: String::new(),
            attempts: 0,
            next_attempt_time: now,
            sequence: 1,
            version: 1,
        }
    }

    /// The run as it stood when it came into `state`: what was not known then is taken out. A run passes
    /// each state once at the most, so the row as it stands now tells all of its past.
    #[must_use]
    pub(crate) fn when_it_came(mut self, state: State, version: i64) -> Self {
        if state < State::Settling {
            (self.outputs, self.output, self.usage) = (Vec::new(), String::new(), Usage::default());
            self.error = None;
        }
        if state == State::Queued {
            (self.reservation_id, self.budget) = (None, Credits::ZERO);
        }
        if !state.is_over() {
            (self.bill, self.end_time) = (Bill::default(), None);
        }
        (self.state, self.version) = (state, version);
        self
    }

    /// Whether it waited for its start longer than `patience`.
    #[must_use]
    pub(crate) fn waited(&self, now: Time, patience: Duration) -> bool {
        now.since(self.create_time) >= patience
    }
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Counts from 1 within the run.
    pub(crate) sequence: i64,
    /// When.
    pub(crate) occur_time: Time,
    /// What happened.
    pub(crate) what: What,
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It came into a state, at this row version.
    Came(State, i64),
    /// A piece of an output.
    Piece(Delta),
}

/// What an engine says while it works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A piece of an output.
    Piece(Delta),
    /// An output, whole.
    Output(Output),
    /// So much was used since the last report.
    Used(Vec<(String, i64)>),
    /// The flow ended well.
    Done,
    /// The flow ended badly.
    Failed(Error),
    /// Something of no interest here.
    Other,
}
