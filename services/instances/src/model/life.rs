//! The words of an instance's life: what happened, what came to nothing, and how long is waited.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_types::Time;

/// How many events an instance carries with it; the table has all.
pub const RING: usize = 15;
/// The longest pause before a failed instance is tried again by itself.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(6 * 3600);

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For what is on its way: from the request, or the retry, to ACTIVE; from a pause, a configuration or an
    /// end to its last step.
    pub deadline: Duration,
    /// Before the second try of a step; doubled for each further one.
    pub first_pause: Duration,
    /// Between two tries of a step at the most.
    pub longest_pause: Duration,
    /// Before a failed instance is tried again; doubled for each further failure, up to six hours.
    pub rest: Duration,
    /// Before what is as it should be is looked at again.
    pub look_again: Duration,
}

impl Patience {
    pub(super) fn pause(&self, attempts: u32) -> Duration {
        self.first_pause.saturating_mul(2_u32.saturating_pow(attempts.min(20))).min(self.longest_pause)
    }

    pub(super) fn rest(&self, failures: u32) -> Duration {
        self.rest.saturating_mul(2_u32.saturating_pow(failures.min(20))).min(LONGEST_REST.max(self.rest))
    }

    /// The next deadline of something that passed some and goes on.
    pub(super) fn extension(&self, failures: u32) -> Duration {
        let longer = self.deadline.saturating_mul(2_u32.saturating_pow(failures.min(20)));
        longer.min(LONGEST_REST.max(self.deadline))
    }
}

/// Why a step came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// One word for programs: `BillingUnavailable`, `ScheduleNotFound`.
    pub reason: String,
    /// One clause for people.
    pub message: String,
    /// What to do about it; empty when waiting is enough.
    pub remedy: &'static str,
    /// Whether trying again is of no use until somebody acts.
    pub permanent: bool,
}

impl Setback {
    pub(super) fn told(&self) -> String {
        if self.remedy.is_empty() {
            self.message.clone()
        } else {
            format!("{}; {}", self.message, self.remedy)
        }
    }
}

/// What somebody else changed of an instance in the repository, as delivery found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The revision that should stand there.
    pub revision: i64,
    /// How many files differ.
    pub files: i64,
    /// The first of them, and how.
    pub first: String,
    /// The commit in which it was found.
    pub commit_id: String,
}

impl Drift {
    pub(super) fn told(&self) -> String {
        let Self { revision, files, first, commit_id } = self;
        let what = format!("is not what the repository holds at commit {commit_id}");
        format!(
            "revision {revision} {what} (files that differ: {files}; the first: {first}); it is written again"
        )
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Happening {
    /// It was asked for.
    Requested,
    /// Its account was opened.
    AccountOpened,
    /// Its desired state was committed.
    Committed,
    /// Its desired state was applied: it serves.
    Activated,
    /// A step came to nothing and is tried again.
    Delayed,
    /// Provisioning failed.
    Failed,
    /// Provisioning began anew.
    Retried,
    /// It does not serve, or has one more reason not to.
    Paused,
    /// A reason to pause is gone.
    Resumed,
    /// Billing keeps its account from spending.
    AccountFrozen,
    /// Billing lets its account spend again.
    AccountActive,
    /// Billing closed its account.
    AccountClosed,
    /// Its tenant gave it another configuration.
    ConfigUpdated,
    /// A new configuration is served.
    ConfigApplied,
    /// What is applied is not what should be; it is committed again.
    Drifted,
    /// What should be is committed again, over what somebody else had changed.
    Mended,
    /// Its offering's life ends.
    EndAnnounced,
    /// It is being taken down.
    Terminating,
    /// Nothing is left of it.
    Terminated,
}

impl Happening {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "Requested",
            Self::AccountOpened => "AccountOpened",
            Self::Committed => "Committed",
            Self::Activated => "Activated",
            Self::Delayed => "Delayed",
            Self::Failed => "Failed",
            Self::Retried => "Retried",
            Self::Paused => "Paused",
            Self::Resumed => "Resumed",
            Self::AccountFrozen => "AccountFrozen",
            Self::AccountActive => "AccountActive",
            Self::AccountClosed => "AccountClosed",
            Self::ConfigUpdated => "ConfigUpdated",
            Self::ConfigApplied => "ConfigApplied",
            Self::Drifted => "Drifted",
            Self::Mended => "Mended",
            Self::EndAnnounced => "EndAnnounced",
            Self::Terminating => "Terminating",
            Self::Terminated => "Terminated",
        }
    }

    /// The kind of the event that other parts hear; `None` for what concerns nobody else.
    #[must_use]
    pub const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Requested => Some("souk.instances.v1.InstanceRequested"),
            Self::AccountOpened => Some("souk.instances.v1.InstanceProvisioning"),
            Self::Activated => Some("souk.instances.v1.InstanceActivated"),
            Self::Failed => Some("souk.instances.v1.InstanceFailed"),
            Self::Retried => Some("souk.instances.v1.InstanceRetried"),
            Self::Paused => Some("souk.instances.v1.InstancePaused"),
            Self::Resumed => Some("souk.instances.v1.InstanceResumed"),
            Self::ConfigApplied => Some("souk.instances.v1.InstanceConfigured"),
            Self::EndAnnounced => Some("souk.instances.v1.InstanceEndAnnounced"),
            Self::Terminating => Some("souk.instances.v1.InstanceTerminating"),
            Self::Terminated => Some("souk.instances.v1.InstanceTerminated"),
            Self::Committed
            | Self::Delayed
            | Self::AccountFrozen
            | Self::AccountActive
            | Self::AccountClosed
            | Self::ConfigUpdated
            | Self::Drifted
            | Self::Mended => None,
        }
    }
}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub occur_time: Time,
    /// What, for programs.
    pub happening: Happening,
    /// What, for people.
    pub message: String,
}
