//! Where an instance stands, and the one function that says where it may go.
//!
//! Pure and total: every pair of a state and a trigger has an answer. No state is set in any other way.

use std::{fmt, str::FromStr};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $bit:literal;)+) => {
        /// Why an instance is paused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PauseReason { $($(#[$doc])* $name,)+ }

        impl PauseReason {
            /// Every reason, in the order in which they are told.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The name as it stands on the wire and in tables.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            const fn bit(self) -> u8 {
                match self { $(Self::$name => $bit,)+ }
            }
        }
    };
}

reasons! {
    /// A person asked for it.
    Manual = "MANUAL", 1;
    /// The org's wallet holds nothing; a top-up takes this reason away, and no other.
    WalletDepleted = "WALLET_DEPLETED", 2;
    /// The operator paused the offering.
    OfferingPaused = "OFFERING_PAUSED", 4;
    /// What paid for it was given back.
    Refunded = "REFUNDED", 8;
}

/// A set of pause reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PauseReasons(u8);

impl PauseReasons {
    /// The set without a reason.
    pub const NONE: Self = Self(0);

    /// Whether the set holds no reason.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the set holds this reason.
    #[must_use]
    pub const fn contains(self, reason: PauseReason) -> bool {
        self.0 & reason.bit() != 0
    }

    /// The set with this reason.
    #[must_use]
    pub const fn with(self, reason: PauseReason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// The set without this reason.
    #[must_use]
    pub const fn without(self, reason: PauseReason) -> Self {
        Self(self.0 & !reason.bit())
    }

    /// The reasons, in their order.
    pub fn iter(self) -> impl Iterator<Item = PauseReason> {
        PauseReason::ALL.iter().copied().filter(move |reason| self.contains(*reason))
    }
}

impl fmt::Display for PauseReasons {
    /// The names with commas between them, as they stand in tables.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, reason) in self.iter().enumerate() {
            if place > 0 {
                out.write_str(",")?;
            }
            out.write_str(reason.as_str())?;
        }
        Ok(())
    }
}

/// A text that names no state or no pause reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a word of an instance's life")]
pub struct Unknown(pub String);

impl FromStr for PauseReasons {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        text.split(',').filter(|name| !name.is_empty()).try_fold(Self::NONE, |set, name| {
            let known = PauseReason::ALL.iter().find(|reason| reason.as_str() == name);
            known.map(|reason| set.with(*reason)).ok_or_else(|| Unknown(name.to_owned()))
        })
    }
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Asked for; it has no account yet.
    Requested,
    /// Its account is open; its desired state is not applied yet.
    Provisioning,
    /// Serves.
    Active,
    /// Does not serve until the set is empty, which it never is in this state.
    Paused(PauseReasons),
    /// Is being taken down.
    Terminating,
    /// Gone for good.
    Terminated,
    /// Could not be provisioned; tried again later, or when somebody asks.
    Failed,
}

impl State {
    /// The state that a name and a set of pause reasons stand for in a table.
    ///
    /// # Errors
    /// When the name is none, or PAUSED stands without a reason.
    pub fn parse(name: &str, reasons: PauseReasons) -> Result<Self, Unknown> {
        match name {
            "REQUESTED" => Ok(Self::Requested),
            "PROVISIONING" => Ok(Self::Provisioning),
            "ACTIVE" => Ok(Self::Active),
            "PAUSED" if !reasons.is_empty() => Ok(Self::Paused(reasons)),
            "TERMINATING" => Ok(Self::Terminating),
            "TERMINATED" => Ok(Self::Terminated),
            "FAILED" => Ok(Self::Failed),
            other => Err(Unknown(other.to_owned())),
        }
    }

    /// The name as it stands in tables and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Provisioning => "PROVISIONING",
            Self::Active => "ACTIVE",
            Self::Paused(_) => "PAUSED",
            Self::Terminating => "TERMINATING",
            Self::Terminated => "TERMINATED",
            Self::Failed => "FAILED",
        }
    }

    /// Why it is paused; the empty set where it is not.
    #[must_use]
    pub const fn pause_reasons(self) -> PauseReasons {
        match self {
            Self::Paused(reasons) => reasons,
            Self::Requested
            | Self::Provisioning
            | Self::Active
            | Self::Terminating
            | Self::Terminated
            | Self::Failed => PauseReasons::NONE,
        }
    }

    /// Whether it is not on its way out: what AutoActivate answers again.
    #[must_use]
    pub const fn is_live(self) -> bool {
        !matches!(self, Self::Terminating | Self::Terminated)
    }

    /// Whether it is on its way to serve for the first time.
    #[must_use]
    pub const fn is_coming(self) -> bool {
        matches!(self, Self::Requested | Self::Provisioning)
    }
}

/// What moves an instance from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Billing opened its account.
    AccountOpened,
    /// Its desired state is applied at its revision.
    Applied,
    /// A step of its provisioning was refused for good, or took too long.
    Failed,
    /// Provisioning begins anew.
    Retried,
    /// A reason to pause came up.
    Paused(PauseReason),
    /// A reason to pause is gone.
    Resumed(PauseReason),
    /// It is to be taken down.
    TerminationBegun,
    /// Nothing is left of it.
    Removed,
}

/// A move that an instance cannot make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instance that is {} does not take {trigger:?}", .state.as_str())]
pub struct Illegal {
    /// Where it stands.
    pub state: State,
    /// What was to move it.
    pub trigger: Trigger,
}

/// Where a trigger takes an instance.
///
/// # Errors
/// `Illegal` for every move that is not drawn here.
pub const fn transition(state: State, trigger: Trigger) -> Result<State, Illegal> {
    match (state, trigger) {
        (State::Requested, Trigger::AccountOpened) => Ok(State::Provisioning),
        (State::Provisioning, Trigger::Applied) => Ok(State::Active),
        (State::Requested | State::Provisioning, Trigger::Failed) => Ok(State::Failed),
        (State::Failed, Trigger::Retried) => Ok(State::Requested),
        (State::Active, Trigger::Paused(reason)) => Ok(State::Paused(PauseReasons::NONE.with(reason))),
        (State::Paused(reasons), Trigger::Paused(reason)) => Ok(State::Paused(reasons.with(reason))),
        (State::Paused(reasons), Trigger::Resumed(reason)) if reasons.contains(reason) => {
            let left = reasons.without(reason);
            Ok(if left.is_empty() { State::Active } else { State::Paused(left) })
        }
        (
            State::Requested | State::Provisioning | State::Active | State::Paused(_) | State::Failed,
            Trigger::TerminationBegun,
        ) => Ok(State::Terminating),
        (State::Terminating, Trigger::Removed) => Ok(State::Terminated),
        (state, trigger) => Err(Illegal { state, trigger }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLAIN: [State; 6] = [
        State::Requested,
        State::Provisioning,
        State::Active,
        State::Terminating,
        State::Terminated,
        State::Failed,
    ];

    fn states() -> Vec<State> {
        let paused = (1_u8..16).map(|bits| State::Paused(PauseReasons(bits)));
        PLAIN.into_iter().chain(paused).collect()
    }

    fn triggers() -> Vec<Trigger> {
        let reasons = PauseReason::ALL.iter();
        let mut all: Vec<Trigger> =
            reasons.flat_map(|reason| [Trigger::Paused(*reason), Trigger::Resumed(*reason)]).collect();
        all.extend([
            Trigger::AccountOpened,
            Trigger::Applied,
            Trigger::Failed,
            Trigger::Retried,
            Trigger::TerminationBegun,
            Trigger::Removed,
        ]);
        all
    }

    #[test]
    fn exactly_the_drawn_moves_are_possible() {
        let legal = states()
            .iter()
            .flat_map(|state| triggers().into_iter().map(|trigger| transition(*state, trigger)))
            .filter(Result::is_ok)
            .count();
        // Each paused set takes every reason, gives back those it holds (32 in all 15 sets), and ends.
        let paused = 15 * PauseReason::ALL.len() + 32 + 15;
        let others = 1 + 1 + 2 + 1 + PauseReason::ALL.len() + 4 + 1;
        assert_eq!(legal, paused + others);
    }

    #[test]
    fn every_state_is_read_back_as_it_was_written() {
        for state in states() {
            let reasons = state.pause_reasons().to_string().parse().unwrap();
            assert_eq!(State::parse(state.as_str(), reasons), Ok(state));
        }
        for (name, reasons) in [("PAUSED", ""), ("", ""), ("active", ""), ("LOST", "MANUAL")] {
            assert!(State::parse(name, reasons.parse().unwrap()).is_err(), "{name}");
        }
        assert!("MANUAL,BORED".parse::<PauseReasons>().is_err());
    }

    proptest! {
        /// However its life goes, a paused instance has a reason, a terminated one stays so, and only
        /// reasons that came up and did not go hold it.
        #[test]
        fn any_life_keeps_the_rules(steps in proptest::collection::vec(0..triggers().len(), 0..60)) {
            let (mut state, mut held) = (State::Requested, PauseReasons::NONE);
            for step in steps {
                let trigger = triggers()[step];
                let next = transition(state, trigger);
                if state == State::Terminated {
                    prop_assert!(next.is_err());
                }
                let Ok(next) = next else { continue };
                match trigger {
                    Trigger::Paused(reason) => held = held.with(reason),
                    Trigger::Resumed(reason) => held = held.without(reason),
                    Trigger::TerminationBegun => held = PauseReasons::NONE,
                    _ => {}
                }
                prop_assert_eq!(next.pause_reasons(), held);
                prop_assert!(!matches!(next, State::Paused(reasons) if reasons.is_empty()));
                prop_assert!(matches!(next, State::Paused(_)) || held.is_empty());
                state = next;
            }
        }
    }
}
