//! The whole table of an instance's life, and what holds however it goes.

use proptest::prelude::*;

use super::*;

fn stands() -> Vec<Stand> {
    let sets = || (0_u8..16).map(PauseReasons);
    State::ALL
        .into_iter()
        .flat_map(|state| sets().filter_map(move |set| Stand::read(state, set).ok()))
        .collect()
}

fn triggers() -> Vec<Trigger> {
    let each = |reason: PauseReason| {
        [Trigger::Pause(reason), Trigger::Resume(reason), Trigger::Held(reason), Trigger::Released(reason)]
    };
    let plain = [
        Trigger::Terminate,
        Trigger::Configure,
        Trigger::AccountOpened,
        Trigger::Applied,
        Trigger::Failed,
        Trigger::Retried,
        Trigger::Removed,
    ];
    PauseReason::ALL.iter().flat_map(|reason| each(*reason)).chain(plain).collect()
}

/// How the outcome of a trigger is written in the table below.
fn told(at: Stand, trigger: Trigger) -> &'static str {
    match transition(at, trigger) {
        Err(Refused::Illegal(_)) => "ILLEGAL",
        Err(Refused::Held(_)) => "HELD",
        Ok(next) if next.state() == at.state() => "-",
        Ok(next) => next.state().as_str(),
    }
}

/// Rows: triggers, with MANUAL where they carry a reason. Columns: the states, in their order; those that
/// can be held are so by MANUAL alone, then (after the slash) by WALLET_DEPLETED alone, where it matters.
#[test]
fn the_whole_table() {
    use Trigger::{
        AccountOpened, Applied, Configure, Failed, Held, Pause, Released, Removed, Resume, Retried, Terminate,
    };
    let (manual, depleted) = (PauseReason::Manual, PauseReason::WalletDepleted);
    let columns = |reason| {
        let set = PauseReasons::NONE.with(reason);
        State::ALL
            .map(|state| Stand::read(state, set).or_else(|_| Stand::read(state, PauseReasons::NONE)).unwrap())
    };
    #[rustfmt::skip]
    let table: [(Trigger, PauseReason, [&str; 7]); 14] = [
        //                               REQUESTED       PROVISIONING   ACTIVE         PAUSED         TERMINATING   TERMINATED  FAILED
        (Pause(manual), manual,         ["-",            "-",           "PAUSED",      "-",           "ILLEGAL",    "ILLEGAL",  "-"]),
        (Resume(manual), manual,        ["-",            "-",           "-",           "ACTIVE",      "ILLEGAL",    "ILLEGAL",  "REQUESTED"]),
        (Resume(manual), depleted,      ["HELD",         "HELD",        "-",           "HELD",        "ILLEGAL",    "ILLEGAL",  "REQUESTED"]),
        (Terminate, manual,             ["TERMINATING",  "TERMINATING", "TERMINATING", "TERMINATING", "-",          "-",        "TERMINATING"]),
        (Configure, manual,             ["-",            "-",           "-",           "-",           "ILLEGAL",    "ILLEGAL",  "-"]),
        (Held(manual), manual,          ["-",            "-",           "PAUSED",      "-",           "-",          "-",        "-"]),
        (Released(manual), manual,      ["-",            "-",           "-",           "ACTIVE",      "-",          "-",        "-"]),
        (Released(manual), depleted,    ["-",            "-",           "-",           "-",           "-",          "-",        "-"]),
        (AccountOpened, manual,         ["PROVISIONING", "-",           "-",           "-",           "-",          "-",        "-"]),
        (Applied, manual,               ["-",            "PAUSED",      "-",           "-",           "-",          "-",        "-"]),
        (Failed, manual,                ["FAILED",       "FAILED",      "-",           "-",           "-",          "-",        "-"]),
        (Retried, manual,               ["-",            "-",           "-",           "-",           "-",          "-",        "REQUESTED"]),
        (Removed, manual,               ["-",            "-",           "-",           "-",           "TERMINATED", "-",        "-"]),
        (Held(depleted), manual,        ["-",            "-",           "PAUSED",      "-",           "-",          "-",        "-"]),
    ];
    for (trigger, reason, wanted) in table {
        assert_eq!(columns(reason).map(|at| told(at, trigger)), wanted, "{trigger:?} where {reason:?} holds");
    }
    let free = Stand::read(State::Provisioning, PauseReasons::NONE).unwrap();
    assert_eq!(told(free, Applied), "ACTIVE");
}

/// Every pair there is, against the rules in their own words.
#[test]
fn every_pair_keeps_the_rules() {
    let mut pairs = 0;
    for at in stands() {
        for trigger in triggers() {
            pairs += 1;
            let live = at.state().is_live();
            let next = match transition(at, trigger) {
                Ok(next) => next,
                Err(Refused::Illegal(state)) => {
                    assert!(!live && state == at.state(), "{at:?} {trigger:?}");
                    assert!(matches!(trigger, Trigger::Pause(_) | Trigger::Resume(_) | Trigger::Configure));
                    continue;
                }
                Err(Refused::Held(reasons)) => {
                    let Trigger::Resume(reason) = trigger else { panic!("{at:?} {trigger:?}") };
                    assert!(!reasons.contains(reason) && !reasons.is_empty() && at.state() != State::Failed);
                    continue;
                }
            };
            assert_eq!(Stand::read(next.state(), next.reasons()), Ok(next), "{at:?} {trigger:?} fits");
            assert_eq!(transition(next, trigger).unwrap_or(next), next, "{at:?} {trigger:?} twice is once");
            if !live {
                assert!(!next.state().is_live(), "{at:?} {trigger:?}: what ends never comes back");
            }
            if at.state() == State::Terminated {
                assert_eq!(next, at);
            }
            let wanted = match trigger {
                _ if !next.state().is_live() => PauseReasons::NONE,
                Trigger::Pause(reason) | Trigger::Held(reason) => at.reasons().with(reason),
                Trigger::Resume(reason) | Trigger::Released(reason) => at.reasons().without(reason),
                _ => at.reasons(),
            };
            assert_eq!(next.reasons(), wanted, "{at:?} {trigger:?} touches its own reason only");
        }
    }
    assert_eq!((stands().len(), pairs), (16 * 3 + 15 + 1 + 2, 66 * 23));
}

#[test]
fn every_stand_is_read_back_as_it_was_written() {
    for stand in stands() {
        let state = stand.state().as_str().parse().unwrap();
        let reasons = stand.reasons().to_string().parse().unwrap();
        assert_eq!(Stand::read(state, reasons), Ok(stand));
    }
    for name in ["", "active", "LOST"] {
        assert!(name.parse::<State>().is_err(), "{name}");
    }
    for (state, reasons) in [(State::Paused, ""), (State::Active, "MANUAL"), (State::Terminated, "REFUNDED")]
    {
        assert!(Stand::read(state, reasons.parse().unwrap()).is_err(), "{state:?}");
    }
    assert!("MANUAL,BORED".parse::<PauseReasons>().is_err());
}

proptest! {
    /// However its life goes: only reasons that came up and did not go hold it, and it ends once.
    #[test]
    fn any_life_keeps_the_rules(steps in proptest::collection::vec(0..triggers().len(), 0..80)) {
        let (mut at, mut held) = (Stand::REQUESTED, PauseReasons::NONE);
        for step in steps {
            let trigger = triggers()[step];
            let Ok(next) = transition(at, trigger) else { continue };
            match trigger {
                Trigger::Pause(reason) | Trigger::Held(reason) => held = held.with(reason),
                Trigger::Resume(reason) | Trigger::Released(reason) => held = held.without(reason),
                _ => {}
            }
            if !next.state().is_live() {
                held = PauseReasons::NONE;
            }
            prop_assert_eq!(next.reasons(), held);
            prop_assert_eq!(next.state() == State::Paused, next.state().is_there() && !held.is_empty());
            at = next;
        }
    }
}
