//! The life of an offering: one pure function says which steps there are. Anything else is refused.
//!
//! ACTIVE ⇄ PAUSED, either → ENDING → ENDED. An end that is set stays set: until its moment it only moves.

use serde::{Deserialize, Serialize};
use souk_types::Time;

/// Where an offering stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    /// Is sold.
    #[default]
    Active,
    /// Is not sold, and what was sold of it does not serve.
    Paused,
    /// Is not sold; what was sold of it serves until its end time.
    Ending,
    /// Its end time has passed. Final.
    Ended,
}

impl State {
    /// Every state.
    pub(crate) const ALL: [Self; 4] = [Self::Active, Self::Paused, Self::Ending, Self::Ended];

    /// The word, as it stands in tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Paused => "PAUSED",
            Self::Ending => "ENDING",
            Self::Ended => "ENDED",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("no offering state is called {text:?}"))
    }
}

/// Where an offering stands, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    /// Where.
    pub(crate) state: State,
    /// When it ends, or ended; set in ENDING and ENDED, only there.
    pub(crate) end_time: Option<Time>,
    /// What the operator said of it to the tenants; empty when nothing.
    pub(crate) reason: String,
}

/// What may be done to an offering.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Step {
    /// Stop its sale and what was sold.
    Pause {
        /// Why, for the tenants.
        reason: String,
    },
    /// Go on with both.
    Resume,
    /// Set its end, or move it.
    End {
        /// When.
        end_time: Time,
        /// Why, for the tenants.
        reason: String,
    },
    /// Its end time came.
    Expire,
}

/// What a step was: the event that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// Its end was set or moved.
    Ending,
    /// It ended.
    Ended,
}

impl Told {
    /// The kind of the event.
    pub(crate) const fn kind(self) -> &'static str {
        match self {
            Self::Paused => "souk.catalog.v1.OfferingPaused",
            Self::Resumed => "souk.catalog.v1.OfferingResumed",
            Self::Ending => "souk.catalog.v1.OfferingEnding",
            Self::Ended => "souk.catalog.v1.OfferingEnded",
        }
    }
}

/// Why a step is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// There is no such step from here.
    #[error("the offering is {}: it cannot go there", .0.as_str())]
    Illegal(State),
    /// The new end lies before now.
    #[error("must not be before now")]
    Past,
}

/// Where a step leads from a life, at this moment, and what is told of it, in order.
///
/// # Errors
/// When there is no such step.
pub(crate) fn step(life: &Life, step: &Step, now: Time) -> Result<(Life, Vec<Told>), Refused> {
    use State::{Active, Ended, Ending, Paused};
    let due = life.end_time.is_some_and(|end| end <= now);
    match (life.state, step) {
        (Active, Step::Pause { reason }) => {
            Ok((Life { state: Paused, end_time: None, reason: reason.clone() }, vec![Told::Paused]))
        }
        (Paused, Step::Resume) => Ok((Life::default(), vec![Told::Resumed])),
        (Active | Paused | Ending, Step::End { end_time, reason }) if !due => {
            if *end_time < now {
                return Err(Refused::Past);
            }
            // What was sold serves until the end; with an end that is now it need not begin again.
            let again = life.state == Paused && *end_time > now;
            let told = again.then_some(Told::Resumed).into_iter().chain([Told::Ending]);
            let life = Life { state: Ending, end_time: Some(*end_time), reason: reason.clone() };
            Ok((life, told.collect()))
        }
        (Ending, Step::Expire) if due => Ok((Life { state: Ended, ..life.clone() }, vec![Told::Ended])),
        (Active | Paused | Ending | Ended, _) => Err(Refused::Illegal(life.state)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Time = Time::from_micros(1_000_000);

    fn life(state: State, end: Option<i64>) -> Life {
        Life { state, end_time: end.map(Time::from_micros), reason: String::new() }
    }

    fn end(micros: i64) -> Step {
        Step::End { end_time: Time::from_micros(micros), reason: "r".into() }
    }

    #[test]
    fn every_state_and_step_has_its_outcome() {
        use State::{Active, Ended, Ending, Paused};
        let (soon, past, later) = (2_000_000, 999_999, NOW + Duration::from_secs(9));
        let lives = [
            life(Active, None),
            life(Paused, None),
            life(Ending, Some(soon)),
            life(Ending, Some(past)),
            life(Ended, Some(past)),
        ];
        let steps = [Step::Pause { reason: "r".into() }, Step::Resume, end(later.micros()), Step::Expire];
        let no = |state| Err(Refused::Illegal(state));
        let expected = [
            [Ok((Paused, vec![Told::Paused])), no(Active), Ok((Ending, vec![Told::Ending])), no(Active)],
            [
                no(Paused),
                Ok((Active, vec![Told::Resumed])),
                Ok((Ending, vec![Told::Resumed, Told::Ending])),
                no(Paused),
            ],
            [no(Ending), no(Ending), Ok((Ending, vec![Told::Ending])), no(Ending)],
            [no(Ending), no(Ending), no(Ending), Ok((Ended, vec![Told::Ended]))],
            [no(Ended), no(Ended), no(Ended), no(Ended)],
        ];
        for (life, row) in lives.iter().zip(expected) {
            for (one, outcome) in steps.iter().zip(row) {
                let got = step(life, one, NOW).map(|(life, told)| (life.state, told));
                assert_eq!(got, outcome, "{life:?} {one:?}");
            }
        }
        assert!(State::ALL.iter().all(|state| lives.iter().any(|life| life.state == *state)));
    }

    #[test]
    fn an_end_is_not_before_now_and_due_at_its_moment() {
        for state in [State::Active, State::Paused] {
            assert_eq!(step(&life(state, None), &end(999_999), NOW), Err(Refused::Past));
            let (ending, told) = step(&life(state, None), &end(1_000_000), NOW).unwrap();
            assert_eq!(told, [Told::Ending], "nothing serves again for no time");
            let (ended, _) = step(&ending, &Step::Expire, NOW).unwrap();
            assert_eq!((ended.state, ended.end_time), (State::Ended, Some(NOW)));
            assert_eq!(ended.reason, "r");
        }
        let moved = step(&life(State::Ending, Some(2_000_000)), &end(1_500_000), NOW).unwrap().0;
        assert_eq!(moved.end_time, Some(Time::from_micros(1_500_000)));
    }

    #[test]
    fn words_are_read_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("SOLD".parse::<State>().is_err());
    }

    proptest! {
        #[test]
        fn an_end_time_stands_in_ending_and_ended_only_and_ended_is_final(
            steps in proptest::collection::vec((0_u8..4, 0_i64..20), 0..30)
        ) {
            let mut life = Life::default();
            for (at, (kind, micros)) in (0_i64..).zip(steps) {
                let one = match kind {
                    0 => Step::Pause { reason: String::new() },
                    1 => Step::Resume,
                    2 => end(micros),
                    _ => Step::Expire,
                };
                let before = life.clone();
                if let Ok((next, told)) = step(&life, &one, Time::from_micros(at)) {
                    prop_assert!(before.state != State::Ended && !told.is_empty());
                    life = next;
                }
                let ends = matches!(life.state, State::Ending | State::Ended);
                prop_assert_eq!(life.end_time.is_some(), ends);
            }
        }
    }
}
