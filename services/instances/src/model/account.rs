//! The account as an instance wants it: what makes a pause bite. Billing is told step by step, each step
//! under a number of its own; a step is told until it is answered, and only then comes the next.
//!
//! Why one at a time: billing answers a request it knows from its log, without effect. So once a step is
//! answered, whatever copy of it still travels (of a caller that died, of another replica) changes nothing.
//! Were the next step told before, an old "active" that arrives late would undo a newer "frozen".
//! CLOSED alone waits for nothing: billing opens no account again that was closed.

use serde::{Deserialize, Serialize};

/// What an account may do, in billing's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccountState {
    /// Spends.
    Active,
    /// Spends nothing until active again.
    Frozen,
    /// Spends nothing any more.
    Closed,
}

impl AccountState {
    /// The word for conditions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Frozen => "Frozen",
            Self::Closed => "Closed",
        }
    }
}

/// The last step that billing was told, or is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gate {
    /// Counts the steps; the request id of a step is made of it.
    pub step: i64,
    /// What the account is to be.
    pub asked: AccountState,
    /// Whether billing answered.
    pub answered: bool,
}

impl Default for Gate {
    /// An account is opened active.
    fn default() -> Self {
        Self { step: 0, asked: AccountState::Active, answered: true }
    }
}

impl Gate {
    /// The gate on its way to `wanted`; unchanged where that must wait for an answer.
    #[must_use]
    pub fn towards(self, wanted: AccountState) -> Self {
        if self.asked == wanted || !(self.answered || wanted == AccountState::Closed) {
            return self;
        }
        Self { step: self.step + 1, asked: wanted, answered: false }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Billing as it is: an answered request is known for good, and CLOSED is for ever.
    struct Billing {
        known: BTreeSet<i64>,
        state: AccountState,
    }

    impl Billing {
        fn hear(&mut self, step: i64, state: AccountState) -> bool {
            if self.state == AccountState::Closed && state != AccountState::Closed {
                return false;
            }
            if self.known.insert(step) {
                self.state = state;
            }
            true
        }
    }

    proptest! {
        /// Whatever is wanted when, however often messages are sent, lost, repeated and delayed: when the
        /// gate rests, billing is as wanted, and every copy that arrives afterwards changes nothing.
        #[test]
        fn late_copies_undo_nothing(acts in proptest::collection::vec((0..5_u8, any::<prop::sample::Index>()), 0..60)) {
            let (mut gate, mut wanted) = (Gate::default(), AccountState::Active);
            let mut billing = Billing { known: BTreeSet::new(), state: AccountState::Active };
            let mut travelling: Vec<(i64, AccountState)> = Vec::new();
            for (act, which) in acts {
                match act {
                    0 if wanted != AccountState::Closed => wanted = AccountState::Frozen,
                    1 if wanted != AccountState::Closed => wanted = AccountState::Active,
                    2 if which.index(8) == 0 => wanted = AccountState::Closed,
                    3 if !gate.answered => travelling.push((gate.step, gate.asked)),
                    _ if !travelling.is_empty() => {
                        // Sometimes the message stays on its way too: a copy.
                        let at = which.index(travelling.len());
                        let (step, state) = travelling[at];
                        if act == 4 {
                            travelling.swap_remove(at);
                        }
                        if billing.hear(step, state) && step == gate.step {
                            gate.answered = true;
                        }
                    }
                    _ => {}
                }
                gate = gate.towards(wanted);
            }
            while !gate.answered || gate.asked != wanted {
                prop_assert!(!gate.answered, "it never rests on something else");
                let taken = billing.hear(gate.step, gate.asked);
                prop_assert!(taken);
                gate.answered = true;
                gate = gate.towards(wanted);
            }
            prop_assert_eq!(billing.state, wanted);
            for (step, state) in travelling {
                billing.hear(step, state);
                prop_assert_eq!(billing.state, wanted);
            }
        }
    }
}
