//! Conditions: where each step of an instance's provisioning stands, and whether what was committed still does,
//! for people and programs.

use serde::{Deserialize, Serialize};
use souk_types::Time;

/// The type of the condition that is no step: whether the repository holds what was committed.
const SYNCED: &str = "Synced";

/// A step of an instance's life; its name is the condition's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Billing opened the account.
    AccountOpen,
    /// Delivery committed the desired state.
    Committed,
    /// The desired state is applied.
    Applied,
    /// Billing lets the account spend, or keeps it from it, as the instance wants it.
    AccountState,
    /// Delivery took the desired state away.
    Removed,
}

impl Step {
    /// The steps of provisioning.
    pub const FIRST: [Self; 3] = [Self::AccountOpen, Self::Committed, Self::Applied];

    /// The condition's type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountOpen => "AccountOpen",
            Self::Committed => "Committed",
            Self::Applied => "Applied",
            Self::AccountState => "AccountState",
            Self::Removed => "Removed",
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

    /// Says how it stands; the transition time moves only when the status does.
    fn turn(&mut self, status: Status, (reason, message): (&str, String), now: Time) {
        if self.status != status {
            self.transition_time = now;
        }
        self.status = status;
        reason.clone_into(&mut self.reason);
        self.message = message;
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
    /// Whether the repository holds what was committed; known once that was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    synced: Option<Condition>,
    /// The condition of a step that not every instance comes to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_state: Option<Condition>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<Condition>,
}

impl Conditions {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(now: Time) -> Self {
        let waiting = Condition::waiting(now);
        Self {
            account_open: waiting.clone(),
            committed: waiting.clone(),
            applied: waiting,
            synced: None,
            account_state: None,
            removed: None,
        }
    }

    /// Where a step stands; `None` for a step that was never come to.
    #[must_use]
    pub const fn get(&self, step: Step) -> Option<&Condition> {
        match step {
            Step::AccountOpen => Some(&self.account_open),
            Step::Committed => Some(&self.committed),
            Step::Applied => Some(&self.applied),
            Step::AccountState => self.account_state.as_ref(),
            Step::Removed => self.removed.as_ref(),
        }
    }

    /// Whether a step is taken.
    #[must_use]
    pub fn hold(&self, step: Step) -> bool {
        self.get(step).is_some_and(Condition::holds)
    }

    /// Says where a step stands; the transition time moves only when the status does.
    pub fn set(&mut self, step: Step, status: Status, why: (&str, String), now: Time) {
        let condition = match step {
            Step::AccountOpen => &mut self.account_open,
            Step::Committed => &mut self.committed,
            Step::Applied => &mut self.applied,
            Step::AccountState => self.account_state.get_or_insert_with(|| Condition::waiting(now)),
            Step::Removed => self.removed.get_or_insert_with(|| Condition::waiting(now)),
        };
        condition.turn(status, why, now);
    }

    /// Whether the repository holds what was committed; `None` before that was applied.
    #[must_use]
    pub const fn synced(&self) -> Option<&Condition> {
        self.synced.as_ref()
    }

    /// Says whether the repository holds what was committed.
    pub fn set_synced(&mut self, status: Status, why: (&str, String), now: Time) {
        self.synced.get_or_insert_with(|| Condition::waiting(now)).turn(status, why, now);
    }

    /// Each condition by its type, in the order in which an instance comes to them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Condition)> {
        let step = |step: Step| Some((step.as_str(), self.get(step)?));
        let first = Step::FIRST.into_iter().filter_map(step);
        let last = [Step::AccountState, Step::Removed].into_iter().filter_map(step);
        first.chain(self.synced().map(|synced| (SYNCED, synced))).chain(last)
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
        let committed = conditions.get(Step::Committed).unwrap();
        assert_eq!((committed.reason.as_str(), committed.transition_time), ("Busy", second));
        assert_eq!(conditions.get(Step::Applied).unwrap().transition_time, first);
        assert_eq!(conditions.get(Step::Removed), None, "nobody came to it");
        let types = |conditions: &Conditions| conditions.named().map(|(kind, _)| kind).collect::<Vec<_>>();
        assert_eq!(types(&conditions), ["AccountOpen", "Committed", "Applied"]);
        conditions.set(Step::Removed, Status::Unknown, ("Waiting", String::new()), third);
        conditions.set_synced(Status::True, ("Applied", String::new()), third);
        assert_eq!(types(&conditions), ["AccountOpen", "Committed", "Applied", "Synced", "Removed"]);
    }
}
