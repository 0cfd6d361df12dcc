//! The run's state machine: total, and never back.

use proptest::prelude::*;
use souk_types::{InstanceId, OfferingVersionId, OrgId, ProjectId, RunId, Trace};

use super::*;
use crate::model::{CreateRun, Entitlements, InstanceState, Limits, Origin};

const NOW: Time = Time::from_micros(1_000_000);
const RESERVATION: ReservationId = ReservationId::from_bits(7);

pub(crate) fn queued() -> Run {
    let to = Entitlements {
        instance_id: InstanceId::from_bits(1),
        org_id: OrgId::from_bits(1),
        project_id: ProjectId::from_bits(1),
        offering_version_id: OfferingVersionId::from_bits(1),
        state: InstanceState::Active,
        pause_reasons: Vec::new(),
        limits: Limits::default(),
        effective_config: "{}".into(),
        artifact_hash: "00".into(),
    };
    let origin =
        Origin { request_id: "r".into(), digest: "d".into(), actor: "a".into(), trace: Trace::default() };
    let ask = CreateRun { instance_id: to.instance_id, input: "hello".into(), session_id: String::new() };
    Run::queued(RunId::from_bits(1), ask, &to, origin, NOW)
}

fn failure() -> Error {
    Error::new("FLOW_FAILED", "it broke")
}

fn heard(runs: i64) -> Progress {
    let mut progress = Progress::default();
    progress.usage.add("runs", runs).unwrap();
    progress.outputs.push(Output {
        component_id: "out".into(),
        display_name: "Out".into(),
        text: "there".into(),
    });
    progress
}

/// Every step there is, by number.
fn step(run: Run, which: u8) -> Result<Run, Illegal> {
    match which {
        0 => run.started(RESERVATION, Credits::from_micros(5)),
        1 => run.refused(failure(), NOW),
        2 => run.not_started(failure(), NOW),
        3 => run.progressed(&heard(1)),
        4 => run.concluded(None),
        5 => run.concluded(Some(failure())),
        6 => run.closed(Bill::default(), NOW),
        7 => run.unsettled(failure(), NOW),
        8 => run.unpriced("runs"),
        10 => run.stopping(Cancel::Asked),
        11 => run.stopping(Cancel::Unheard),
        12 => run.stopped(NOW),
        13 => run.cut(failure()),
        _ => run.taken("other", NOW),
    }
}

#[test]
fn the_good_path_goes_through_every_state() {
    let run = queued();
    assert_eq!(run.next(false), Next::Authorize);
    let run = step(run, 0).unwrap();
    assert_eq!((run.next(true), run.next(false)), (Next::Execute, Next::Interrupt));
    let run = step(step(run, 3).unwrap(), 4).unwrap();
    assert_eq!((run.state, run.next(true)), (State::Settling, Next::Settle(RESERVATION)));
    assert_eq!(run.output, "there");
    let run = step(run, 6).unwrap();
    assert_eq!((run.state, run.end_time, run.next(true)), (State::Succeeded, Some(NOW), Next::Rest));
    assert_eq!(run.version, 5);
}

#[test]
fn a_failed_run_settles_what_it_used_and_releases_when_it_used_nothing() {
    let failed = step(step(queued(), 0).unwrap(), 5).unwrap();
    assert_eq!(failed.next(false), Next::Release(RESERVATION));
    let used = step(step(step(queued(), 0).unwrap(), 3).unwrap(), 5).unwrap();
    assert_eq!(used.next(false), Next::Settle(RESERVATION));
    let unpriced = step(used, 8).unwrap();
    assert_eq!(unpriced.next(false), Next::Release(RESERVATION));
    assert_eq!(step(unpriced.clone(), 8).unwrap_err().step, "drop a dimension");
    assert_eq!(step(unpriced, 6).unwrap().state, State::Failed);
}

#[test]
fn a_run_is_cancelled_where_an_engine_may_still_be_stopped() {
    let queued = step(queued(), 10).unwrap();
    assert_eq!(queued.next(true), Next::Stop);
    let over = step(queued.clone(), 12).unwrap();
    assert_eq!((over.state, over.error.unwrap().reason.as_str()), (State::Cancelled, "RUN_CANCELLED"));
    // The first reason stays; with credits reserved they are given back, or what was used is settled.
    let running = step(step(queued, 0).unwrap(), 11).unwrap();
    assert_eq!((running.cancel, running.next(true)), (Some(Cancel::Asked), Next::Interrupt));
    let unused = step(running.clone(), 13).unwrap();
    assert_eq!(unused.next(false), Next::Release(RESERVATION));
    assert_eq!(step(unused, 6).unwrap().state, State::Cancelled);
    let used = step(step(running.clone(), 3).unwrap(), 13).unwrap();
    assert_eq!(used.next(false), Next::Settle(RESERVATION));
    // Whoever came to an end of its own before it was stopped has that end.
    assert_eq!(step(step(running.clone(), 4).unwrap(), 6).unwrap().state, State::Succeeded);
    assert_eq!(step(step(running.clone(), 5).unwrap(), 6).unwrap().state, State::Failed);
    let settling = step(running, 4).unwrap();
    assert_eq!(step(settling, 10).unwrap_err().step, "be cancelled");
}

#[test]
fn the_past_is_told_without_what_came_later() {
    let over = step(step(step(step(queued(), 0).unwrap(), 3).unwrap(), 4).unwrap(), 6).unwrap();
    let then = |state| over.clone().when_it_came(state, 1);
    assert_eq!(then(State::Queued).reservation_id, None);
    let running = then(State::Running);
    assert_eq!((running.reservation_id, running.outputs.len()), (Some(RESERVATION), 0));
    assert!(running.usage.is_nothing() && running.output.is_empty());
    let settling = then(State::Settling);
    assert_eq!((settling.output.as_str(), settling.end_time), ("there", None));
    assert_eq!(over.clone().when_it_came(State::Succeeded, over.version), over);
}

proptest! {
    #[test]
    fn a_run_only_goes_forward_and_every_change_is_a_new_version(steps in proptest::collection::vec(0_u8..14, 0..24)) {
        let mut run = queued();
        for which in steps {
            let before = run.clone();
            match step(run.clone(), which) {
                Err(illegal) => prop_assert_eq!(illegal.from, before.state),
                Ok(after) => {
                    prop_assert!(!before.state.is_over(), "nothing follows {}", before.state);
                    prop_assert!(after.state >= before.state);
                    prop_assert_eq!(after.end_time.is_some(), after.state.is_over());
                    prop_assert_eq!(after.state == State::Succeeded, after.state.is_over() && after.error.is_none());
                    if which == 9 {
                        prop_assert_eq!(after.attempts, before.attempts + 1);
                    } else {
                        prop_assert_eq!(after.version, before.version + 1);
                    }
                    // Whatever reserved credits gives them back before it rests.
                    if after.reservation_id.is_some() && !after.state.is_over() {
                        prop_assert_ne!(after.next(false), Next::Rest);
                    }
                    run = after;
                }
            }
        }
    }
}
