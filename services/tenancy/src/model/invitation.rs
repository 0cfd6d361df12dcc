//! Invitations into an org, and the mails that carry them.
//!
//! An invitation has two codes. The inviter is shown one; the mail carries the other, which nobody but the
//! owner of the address reads: it alone signs in somebody who was seen before.

use std::{str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use souk_types::{InvitationId, OrgId, Role, Time, UserId};

use super::Email;

/// The pause after the first mail that was not taken; doubled after each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(15);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Tries until a mail is given up: about seven hours.
const TRIES: i64 = 14;
/// The longest text that is kept of what went wrong, in characters.
const ERROR: usize = 200;

/// A text is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state is called {0:?}")]
pub(crate) struct UnknownState(String);

macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$one:meta])* $state:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $name { $($(#[$one])* $state,)+ }

        impl $name {
            /// The name as it stands in tables.
            #[must_use]
            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$state => $text,)+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownState;
            fn from_str(text: &str) -> Result<Self, UnknownState> {
                match text { $($text => Ok(Self::$state),)+ other => Err(UnknownState(other.to_owned())) }
            }
        }
    };
}

states! {
    /// Where an invitation stands.
    State {
        /// May be accepted.
        Open = "OPEN",
        /// Was accepted.
        Accepted = "ACCEPTED",
        /// Was revoked.
        Revoked = "REVOKED",
        /// Ended by itself.
        Expired = "EXPIRED",
    }
}

states! {
    /// How the mail stands.
    MailState {
        /// Waits for its next try.
        Pending = "PENDING",
        /// The mail server took it.
        Sent = "SENT",
        /// Stands in the log: nobody got a mail.
        Logged = "LOGGED",
        /// Given up.
        Failed = "FAILED",
        /// The invitation was closed before.
        Dropped = "DROPPED",
    }
}

/// An invitation into an org, without its codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    /// Its id.
    pub(crate) invitation_id: InvitationId,
    /// The org.
    pub(crate) org_id: OrgId,
    /// Who is invited.
    pub(crate) email: String,
    /// The role they get.
    pub(crate) role: Role,
    /// Where it stands.
    pub(crate) state: State,
    /// Who invited.
    pub(crate) inviter: UserId,
    /// When it was made.
    pub(crate) create_time: Time,
    /// When it ends by itself.
    pub(crate) expire_time: Time,
    /// How its mail stands.
    pub(crate) mail: MailState,
    /// What went wrong with the mail last; empty: nothing.
    pub(crate) mail_error: String,
    /// Row version.
    pub(crate) version: i64,
}

impl State {
    /// The state at `now` of what stands in a row as this: time closes an invitation without a write.
    #[must_use]
    pub(crate) fn at(self, now: Time, expire: Time) -> Self {
        if self == Self::Open && expire <= now { Self::Expired } else { self }
    }
}

/// Invites an address into the scope's org.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct InviteMember {
    /// Who is invited.
    pub(crate) email: Email,
    /// The role they get.
    pub(crate) role: Role,
}

/// Names an invitation to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RevokeInvitation {
    /// The invitation.
    pub(crate) invitation_id: InvitationId,
}

/// Accepts an invitation for the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AcceptInvitation {
    /// The hash of its code; the code itself stands nowhere.
    pub(crate) code_hash: String,
}

/// A mail that waits for its next try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    /// Whose mail it is.
    pub(crate) invitation_id: InvitationId,
    /// The org.
    pub(crate) org_id: OrgId,
    /// Where it goes.
    pub(crate) email: Email,
    /// The code it carries, sealed for the address.
    pub(crate) sealed_code: String,
    /// How it stands.
    pub(crate) state: MailState,
    /// Tries so far.
    pub(crate) attempts: i64,
    /// When it is tried next; `None`: never.
    pub(crate) next_attempt_time: Option<Time>,
    /// What went wrong last.
    pub(crate) last_error: String,
    /// When its invitation ends.
    pub(crate) expire_time: Time,
    /// Row version.
    pub(crate) version: i64,
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The mail server took it.
    Taken,
    /// It stands in the log, and goes nowhere else.
    Logged,
    /// Not this time, and why.
    Later(String),
    /// Never, and why.
    Never(String),
    /// Nobody needs it any more.
    Needless,
}

impl Mail {
    /// The mail while somebody tries to send it: should they die, others try again at `until`.
    #[must_use]
    pub(crate) fn tried(&self, until: Time) -> Self {
        let attempts = self.attempts.saturating_add(1);
        Self {
            attempts,
            next_attempt_time: Some(until),
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }

    /// The mail after a try that ended so. What is over keeps no code.
    #[must_use]
    pub(crate) fn after(&self, now: Time, delivery: &Delivery) -> Self {
        let next = now + pause(self.attempts);
        let (state, error) = match delivery {
            Delivery::Taken => (MailState::Sent, ""),
            Delivery::Logged => (MailState::Logged, ""),
            Delivery::Needless => (MailState::Dropped, ""),
            Delivery::Never(why) => (MailState::Failed, why.as_str()),
            Delivery::Later(why) if self.attempts >= TRIES || next >= self.expire_time => {
                (MailState::Failed, why.as_str())
            }
            Delivery::Later(why) => (MailState::Pending, why.as_str()),
        };
        let waits = state == MailState::Pending;
        Self {
            state,
            next_attempt_time: waits.then_some(next),
            sealed_code: if waits { self.sealed_code.clone() } else { String::new() },
            last_error: error.chars().filter(|letter| !letter.is_control()).take(ERROR).collect(),
            version: self.version.saturating_add(1),
            ..self.clone()
        }
    }
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(10);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);

    fn mail(attempts: i64) -> Mail {
        Mail {
            invitation_id: InvitationId::from_bits(1),
            org_id: OrgId::from_bits(2),
            email: "ann@example.org".parse().unwrap(),
            sealed_code: "sealed".into(),
            state: MailState::Pending,
            attempts,
            next_attempt_time: Some(NOW),
            last_error: String::new(),
            expire_time: NOW + Duration::from_secs(7 * 24 * 3600),
            version: 3,
        }
    }

    #[test]
    fn a_mail_is_tried_until_it_is_taken_or_given_up() {
        let later = Delivery::Later("421 busy\r\nX: y".into());
        let mut row = mail(0);
        let mut tries = 0;
        while row.state == MailState::Pending {
            row = row.tried(NOW + Duration::from_secs(60)).after(NOW, &later);
            tries += 1;
            let pause = row.next_attempt_time.map(|next| next.since(NOW)).unwrap_or_default();
            assert!(pause <= LONGEST_PAUSE && tries <= TRIES);
        }
        assert_eq!((row.state, tries, row.last_error.as_str()), (MailState::Failed, TRIES, "421 busyX: y"));
        for (delivery, state) in [
            (Delivery::Taken, MailState::Sent),
            (Delivery::Logged, MailState::Logged),
            (Delivery::Needless, MailState::Dropped),
            (Delivery::Never("550 nobody here".into()), MailState::Failed),
        ] {
            let over = mail(1).after(NOW, &delivery);
            assert_eq!((over.state, over.next_attempt_time), (state, None));
            assert!(over.sealed_code.is_empty(), "what is over keeps no code");
        }
        let late = Mail { expire_time: NOW + Duration::from_secs(10), ..mail(1) };
        assert_eq!(late.after(NOW, &later).state, MailState::Failed, "nobody could use it");
    }

    #[test]
    fn time_closes_an_open_invitation_and_changes_no_other() {
        assert_eq!(State::Open.at(NOW, NOW + Duration::from_secs(1)), State::Open);
        assert_eq!(State::Open.at(NOW, NOW), State::Expired);
        for state in [State::Accepted, State::Revoked, State::Expired] {
            assert_eq!(state.at(NOW, NOW), state);
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("open".parse::<State>().is_err());
    }
}
