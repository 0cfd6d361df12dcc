//! Where an instance stands, and the one function that says where it may go.
//!
//! Pure and total: every pair of a stand and a trigger has an answer. No state is set in any other way.

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
    /// Would serve, but for its pause reasons.
    Paused,
    /// Is being taken down.
    Terminating,
    /// Gone for good.
    Terminated,
    /// Could not be provisioned; tried again later, or when somebody asks.
    Failed,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Requested,
        Self::Provisioning,
        Self::Active,
        Self::Paused,
        Self::Terminating,
        Self::Terminated,
        Self::Failed,
    ];

    /// The name as it stands in tables and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Provisioning => "PROVISIONING",
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Terminating => "TERMINATING",
            Self::Terminated => "TERMINATED",
            Self::Failed => "FAILED",
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

    /// Whether it serves, or would if it were not paused.
    #[must_use]
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

impl FromStr for State {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| Unknown(text.to_owned()))
    }
}

/// A state with the reasons that hold the instance. What is still on its way may be held too: it is paused
/// the moment it would serve. PAUSED has a reason, ACTIVE has none, what ends has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stand {
    state: State,
    reasons: PauseReasons,
}

impl Stand {
    /// Where every instance begins.
    pub const REQUESTED: Self = Self { state: State::Requested, reasons: PauseReasons::NONE };

    /// A stand as a table tells of it.
    ///
    /// # Errors
    /// When the reasons do not fit the state.
    pub fn read(state: State, reasons: PauseReasons) -> Result<Self, Unknown> {
        let fits = match state {
            State::Requested | State::Provisioning | State::Failed => true,
            State::Paused => !reasons.is_empty(),
            State::Active | State::Terminating | State::Terminated => reasons.is_empty(),
        };
        let stand = Self { state, reasons };
        if fits { Ok(stand) } else { Err(Unknown(format!("{} with {reasons:?}", state.as_str()))) }
    }

    /// The state.
    #[must_use]
    pub const fn state(self) -> State {
        self.state
    }

    /// What holds it.
    #[must_use]
    pub const fn reasons(self) -> PauseReasons {
        self.reasons
    }

    const fn to(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// The same place with other reasons; what would serve is PAUSED with some, ACTIVE without.
    const fn held(self, reasons: PauseReasons) -> Self {
        let state = match self.state {
            State::Active | State::Paused if reasons.is_empty() => State::Active,
            State::Active | State::Paused => State::Paused,
            other => other,
        };
        Self { state, reasons }
    }
}

/// What moves an instance. The first four are commands, which may be refused; the others are news, which
/// come late, twice and out of order, and then change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// Somebody pauses it for this reason.
    Pause(PauseReason),
    /// Somebody takes this reason away; what failed is tried again.
    Resume(PauseReason),
    /// Somebody, or its end of life, takes it down.
    Terminate,
    /// Somebody gives it another configuration.
    Configure,
    /// A reason to pause came up.
    Held(PauseReason),
    /// A reason to pause is gone.
    Released(PauseReason),
    /// Billing opened its account.
    AccountOpened,
    /// Its desired state is applied at its revision.
    Applied,
    /// A step of its provisioning was refused for good, or took too long.
    Failed,
    /// Provisioning begins anew.
    Retried,
    /// Nothing is left of it.
    Removed,
}

/// A command that an instance does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot go there.
    #[error("an instance that is {} does not take this", .0.as_str())]
    Illegal(State),
    /// It is held by other reasons than the one to take away.
    #[error("the instance is held by {0}, which this does not take away")]
    Held(PauseReasons),
}

/// Where a trigger takes an instance. The whole life of instances stands here.
///
/// # Errors
/// `Refused`, for commands only.
pub const fn transition(at: Stand, trigger: Trigger) -> Result<Stand, Refused> {
    use State::{Active, Failed, Paused, Provisioning, Requested, Terminated, Terminating};
    let live = at.state.is_live();
    match trigger {
        Trigger::Pause(_) | Trigger::Resume(_) | Trigger::Configure if !live => {
            Err(Refused::Illegal(at.state))
        }
        Trigger::Pause(reason) => Ok(at.held(at.reasons.with(reason))),
        Trigger::Resume(reason) => match at.state {
            Failed => Ok(at.held(at.reasons.without(reason)).to(Requested)),
            _ if at.reasons.contains(reason) || at.reasons.is_empty() => {
                Ok(at.held(at.reasons.without(reason)))
            }
            _ => Err(Refused::Held(at.reasons)),
        },
        Trigger::Configure => Ok(at),
        Trigger::Terminate if live => Ok(Stand { state: Terminating, reasons: PauseReasons::NONE }),
        Trigger::Held(reason) if live => Ok(at.held(at.reasons.with(reason))),
        Trigger::Released(reason) if live => Ok(at.held(at.reasons.without(reason))),
        Trigger::Terminate | Trigger::Held(_) | Trigger::Released(_) => Ok(at),
        Trigger::AccountOpened => match at.state {
            Requested => Ok(at.to(Provisioning)),
            Provisioning | Active | Paused | Terminating | Terminated | Failed => Ok(at),
        },
        Trigger::Applied => match at.state {
            Provisioning => Ok(at.to(Active).held(at.reasons)),
            Requested | Active | Paused | Terminating | Terminated | Failed => Ok(at),
        },
        Trigger::Failed => match at.state {
            Requested | Provisioning => Ok(at.to(Failed)),
            Active | Paused | Terminating | Terminated | Failed => Ok(at),
        },
        Trigger::Retried => match at.state {
            Failed => Ok(at.to(Requested)),
            Requested | Provisioning | Active | Paused | Terminating | Terminated => Ok(at),
        },
        Trigger::Removed => match at.state {
            Terminating => Ok(at.to(Terminated)),
            Requested | Provisioning | Active | Paused | Terminated | Failed => Ok(at),
        },
    }
}

#[cfg(test)]
mod tests;
