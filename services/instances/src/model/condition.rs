//! Conditions: where each step of an instance's provisioning stands, for people and programs.

use serde::{Deserialize, Serialize};
use souk_types::Time;

/// A step of provisioning; its name is the condition's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Billing opened the account.
    AccountOpen,
    /// Delivery committed the desired state.
    Committed,
    /// The desired state is applied.
    Applied,
}

impl Step {
    /// Every step, in the order in which they are taken.
    pub const ALL: [Self; 3] = [Self::AccountOpen, Self::Committed, Self::Applied];

    /// The condition's type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountOpen => "AccountOpen",
            Self::Committed => "Committed",
            Self::Applied => "Applied",
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Not known yet.
    Unknown,
}

/// Where one step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Whether it holds.
    pub status: Status,
    /// One word for programs: `BillingUnavailable`.
    pub reason: String,
    /// One sentence for people.
    pub message: String,
    /// When the status last changed.
    pub transition_time: Time,
}

impl Condition {
    fn waiting(now: Time) -> Self {
        Self {
            status: Status::Unknown,
            reason: "Waiting".to_owned(),
            message: "not begun yet".to_owned(),
            transition_time: now,
        }
    }

    /// Whether it holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.status == Status::True
    }
}

/// The conditions of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conditions {
    account_open: Condition,
    committed: Condition,
    applied: Condition,
}

impl Conditions {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(now: Time) -> Self {
        let waiting = Condition::waiting(now);
        Self { account_open: waiting.clone(), committed: waiting.clone(), applied: waiting }
    }

    /// Where a step stands.
    #[must_use]
    pub const fn of(&self, step: Step) -> &Condition {
        match step {
            Step::AccountOpen => &self.account_open,
            Step::Committed => &self.committed,
            Step::Applied => &self.applied,
        }
    }

    /// Says where a step stands; the transition time moves only when the status does.
    pub fn set(&mut self, step: Step, status: Status, (reason, message): (&str, String), now: Time) {
        let condition = match step {
            Step::AccountOpen => &mut self.account_open,
            Step::Committed => &mut self.committed,
            Step::Applied => &mut self.applied,
        };
        if condition.status != status {
            condition.transition_time = now;
        }
        condition.status = status;
        reason.clone_into(&mut condition.reason);
        condition.message = message;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transition_time_moves_with_the_status_only() {
        let (first, second, third) = (Time::from_micros(1), Time::from_micros(2), Time::from_micros(3));
        let mut conditions = Conditions::new(first);
        conditions.set(Step::Committed, Status::False, ("Away", "away".into()), second);
        conditions.set(Step::Committed, Status::False, ("Busy", "busy".into()), third);
        let committed = conditions.of(Step::Committed);
        assert_eq!((committed.reason.as_str(), committed.transition_time), ("Busy", second));
        assert_eq!(conditions.of(Step::Applied).transition_time, first);
    }
}
