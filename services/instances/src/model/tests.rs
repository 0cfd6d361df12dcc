//! What may happen to an instance, in the order in which it does, too late, and twice.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use souk_types::{
    Time,
    id::{InstanceId, OfferingId, OfferingVersionId, OrgId, PlanId, ProjectId},
};

use super::{
    life::{LONGEST_REST, RING},
    *,
};

const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(600),
    first_pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(30),
    rest: Duration::from_secs(300),
    look_again: Duration::from_secs(21_600),
};
const START: Time = Time::from_micros(1_000_000);

fn at(seconds: u64) -> Time {
    START + Duration::from_secs(seconds)
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn fresh() -> Instance {
    let pins = Pins {
        offering_id: OfferingId::from_bits(1),
        offering_version_id: OfferingVersionId::from_bits(2),
        plan_id: PlanId::from_bits(3),
        offering_slug: "support-triage".into(),
        plan_slug: "free".into(),
        artifact_hash: "aa".into(),
        price_schedule_hash: "bb".into(),
        capabilities: vec!["run".into()],
        limits: Limits::default(),
        version_config: Map::new(),
        plan_config: Map::new(),
    };
    let draft = Draft {
        instance_id: InstanceId::from_bits(9),
        org_id: OrgId::from_bits(8),
        project_id: ProjectId::from_bits(7),
        pins,
        source_ref: String::new(),
        automatic: true,
        effective: object(json!({ "run": {} })),
    };
    Instance::requested(draft, &PATIENCE, START)
}

fn active() -> Instance {
    let mut instance = fresh();
    instance.account_opened(&PATIENCE, at(1));
    instance.committed(1, &PATIENCE, at(2));
    instance.applied(1, &PATIENCE, at(3));
    instance
}

fn setback(permanent: bool) -> Setback {
    Setback {
        reason: "BillingUnavailable".into(),
        message: "billing does not answer".into(),
        remedy: "",
        permanent,
    }
}

fn happenings(instance: &Instance) -> Vec<Happening> {
    instance.events.iter().map(|event| event.happening).collect()
}

fn reasons(instance: &Instance) -> String {
    instance.stand.reasons().to_string()
}

/// Takes the account's steps until none is left.
fn answered(instance: &mut Instance, now: Time) {
    while !instance.gate.answered {
        instance.account_set(instance.gate.step, &PATIENCE, now);
    }
}

#[test]
fn step_by_step_it_comes_to_serve() {
    let mut instance = fresh();
    assert_eq!((instance.pending(), instance.is_committed()), (vec![Step::AccountOpen], false));
    assert_eq!(instance.waiting(), Some((Step::AccountOpen, at(600))));
    instance.account_opened(&PATIENCE, at(1));
    assert_eq!((instance.state(), instance.pending()), (State::Provisioning, vec![Step::Committed]));
    instance.committed(1, &PATIENCE, at(2));
    assert_eq!((instance.pending(), instance.is_committed()), (vec![Step::Applied], true));
    instance.applied(1, &PATIENCE, at(3));
    assert_eq!((instance.state(), instance.pending()), (State::Active, vec![]));
    let next_attempt_time = Some(at(3) + PATIENCE.look_again);
    assert_eq!(instance.agenda, Agenda { next_attempt_time, ..Agenda::default() }, "looked at now and then");
    assert_eq!((instance.waiting(), instance.served().0), (None, 1));
    assert!(Step::FIRST.iter().all(|step| instance.conditions.hold(*step)));
    let told = [Happening::Requested, Happening::AccountOpened, Happening::Committed, Happening::Activated];
    assert_eq!(happenings(&instance), told);
}

#[test]
fn news_twice_too_late_or_of_another_revision_changes_nothing() {
    let mut instance = active();
    let before = instance.clone();
    instance.account_opened(&PATIENCE, at(4));
    instance.account_set(0, &PATIENCE, at(4));
    instance.committed(1, &PATIENCE, at(4));
    instance.applied(1, &PATIENCE, at(4));
    instance.removed(instance.revision, &PATIENCE, at(4));
    instance.set_back(Step::Applied, &setback(true), &PATIENCE, at(4));
    instance.expired(&PATIENCE, at(10_000));
    instance.retried(&PATIENCE, at(4));
    instance.awaited(&PATIENCE, at(4));
    instance.align(&Levels::default(), &PATIENCE, at(4));
    instance.resume(PauseReason::Manual, "me", &PATIENCE, at(4)).unwrap();
    assert_eq!(instance, before);
    let mut early = fresh();
    let before = early.clone();
    early.applied(1, &PATIENCE, at(1));
    early.committed(1, &PATIENCE, at(1));
    assert_eq!(early, before, "without an account nothing is applied");
    early.account_opened(&PATIENCE, at(1));
    let before = early.clone();
    early.applied(2, &PATIENCE, at(2));
    early.committed(0, &PATIENCE, at(2));
    assert_eq!(early, before);
}

#[test]
fn applied_state_that_overtakes_the_commits_answer_counts() {
    let mut instance = fresh();
    instance.account_opened(&PATIENCE, at(1));
    instance.applied(1, &PATIENCE, at(2));
    assert_eq!(instance.state(), State::Active);
    assert!(instance.conditions.hold(Step::Committed));
}

#[test]
fn setbacks_are_seen_and_tried_again_ever_more_slowly_but_not_beyond_the_deadline() {
    let mut instance = fresh();
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..30 {
        instance.set_back(Step::AccountOpen, &setback(false), &PATIENCE, now);
        let next = instance.agenda.next_attempt_time.unwrap();
        pauses.push(next.since(now));
        now = next;
    }
    assert_eq!(pauses[0], Duration::from_millis(200));
    assert_eq!(pauses[1], Duration::from_millis(400));
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(30)));
    assert_eq!(now, at(600), "the deadline itself is the last look");
    let condition = instance.conditions.get(Step::AccountOpen).unwrap();
    assert_eq!((condition.status, condition.reason.as_str()), (Status::False, "BillingUnavailable"));
    assert_eq!(happenings(&instance), [Happening::Requested, Happening::Delayed], "told once");
    instance.expired(&PATIENCE, now);
    assert_eq!(instance.state(), State::Failed);
    let condition = instance.conditions.get(Step::AccountOpen).unwrap();
    assert_eq!(condition.reason, "DeadlineExceeded");
    assert!(condition.message.contains("billing does not answer"), "{}", condition.message);
}

#[test]
fn a_permanent_refusal_fails_with_its_remedy_and_rests_longer_each_time() {
    let mut instance = fresh();
    let refusal = Setback { remedy: "publish the version first", ..setback(true) };
    let mut rests = Vec::new();
    for round in 0..12 {
        let now = at(round);
        instance.set_back(Step::AccountOpen, &refusal, &PATIENCE, now);
        assert_eq!(instance.state(), State::Failed);
        assert!(instance.is_committed(), "nobody waits for it");
        rests.push(instance.agenda.next_attempt_time.unwrap().since(now));
        instance.retried(&PATIENCE, now);
        assert_eq!((instance.state(), instance.pending()), (State::Requested, vec![Step::AccountOpen]));
        assert_eq!(instance.agenda.deadline_time, Some(now + PATIENCE.deadline));
    }
    assert_eq!((rests[0], rests[1]), (Duration::from_secs(300), Duration::from_secs(600)));
    assert_eq!(rests.last(), Some(&LONGEST_REST));
    assert!(instance.events.iter().any(|event| event.message.contains("publish the version first")));
    assert_eq!((instance.events.len(), instance.event_count), (RING, 25));
}

#[test]
fn a_pause_is_told_to_billing_and_a_resume_after_it() {
    let mut instance = active();
    instance.pause(PauseReason::Manual, "user:me", &PATIENCE, at(4)).unwrap();
    assert_eq!((instance.state(), reasons(&instance)), (State::Paused, "MANUAL".into()));
    assert_eq!(instance.gate, Gate { step: 1, asked: AccountState::Frozen, answered: false });
    assert_eq!((instance.pending(), instance.is_due(at(4))), (vec![Step::AccountState], true));
    assert_eq!(instance.waiting(), Some((Step::AccountState, at(604))));
    let again = instance.clone();
    instance.pause(PauseReason::Manual, "user:me", &PATIENCE, at(5)).unwrap();
    assert_eq!(instance, again, "twice is once");
    instance.resume(PauseReason::Manual, "user:me", &PATIENCE, at(5)).unwrap();
    assert_eq!(instance.state(), State::Active);
    assert_eq!(instance.gate.asked, AccountState::Frozen, "the first step is finished first");
    instance.account_set(1, &PATIENCE, at(6));
    assert_eq!(instance.gate, Gate { step: 2, asked: AccountState::Active, answered: false });
    instance.account_set(1, &PATIENCE, at(7));
    assert!(!instance.gate.answered, "an old answer is no answer");
    instance.account_set(2, &PATIENCE, at(7));
    assert_eq!((instance.gate.answered, instance.waiting()), (true, None));
    let condition = instance.conditions.get(Step::AccountState).unwrap();
    assert_eq!((condition.status, condition.reason.as_str()), (Status::True, "Active"));
}

#[test]
fn each_reason_has_its_own_hand() {
    let mut instance = active();
    let levels = Levels { wallet_depleted: true, ..Levels::default() };
    instance.align(&levels, &PATIENCE, at(4));
    assert_eq!((instance.state(), reasons(&instance)), (State::Paused, "WALLET_DEPLETED".into()));
    assert!(instance.gate.answered, "an empty wallet refuses by itself");
    let held = instance.resume(PauseReason::Manual, "me", &PATIENCE, at(4)).unwrap_err();
    assert!(matches!(held, Refused::Held(_)), "a person does not take it away");
    instance.pause(PauseReason::Refunded, "part:commerce", &PATIENCE, at(5)).unwrap();
    instance.align(&Levels { offering_paused: true, ..levels }, &PATIENCE, at(5));
    instance.pause(PauseReason::Manual, "me", &PATIENCE, at(5)).unwrap();
    assert_eq!(reasons(&instance), "MANUAL,WALLET_DEPLETED,OFFERING_PAUSED,REFUNDED");
    instance.align(&Levels { offering_paused: true, ..Levels::default() }, &PATIENCE, at(6));
    assert_eq!(reasons(&instance), "MANUAL,OFFERING_PAUSED,REFUNDED", "a top-up takes its own away");
    instance.resume(PauseReason::Manual, "me", &PATIENCE, at(6)).unwrap();
    instance.align(&Levels::default(), &PATIENCE, at(6));
    assert_eq!((instance.state(), reasons(&instance)), (State::Paused, "REFUNDED".into()));
    assert_eq!(instance.gate.asked, AccountState::Frozen);
    instance.resume(PauseReason::Refunded, "part:commerce", &PATIENCE, at(7)).unwrap();
    assert_eq!(instance.state(), State::Active);
    answered(&mut instance, at(8));
    assert_eq!(instance.gate.asked, AccountState::Active);
}

#[test]
fn what_is_on_its_way_is_paused_the_moment_it_would_serve() {
    let mut instance = fresh();
    instance.pause(PauseReason::Manual, "me", &PATIENCE, at(1)).unwrap();
    assert_eq!((instance.state(), instance.pending()), (State::Requested, vec![Step::AccountOpen]));
    assert!(instance.gate.answered, "there is no account to freeze");
    instance.account_opened(&PATIENCE, at(2));
    assert_eq!(instance.pending(), [Step::AccountState, Step::Committed], "none waits for the other");
    instance.applied(1, &PATIENCE, at(3));
    assert_eq!((instance.state(), instance.pending()), (State::Paused, vec![Step::AccountState]));
    assert_eq!(happenings(&instance).last(), Some(&Happening::Paused));
}

#[test]
fn an_end_closes_the_account_first_and_then_removes() {
    let mut instance = active();
    instance.pause(PauseReason::Manual, "me", &PATIENCE, at(4)).unwrap();
    instance.terminate("by me", &PATIENCE, at(5));
    assert_eq!((instance.state(), instance.revision), (State::Terminating, 2));
    assert_eq!(reasons(&instance), "", "what ends is not paused");
    let closed = Gate { step: 2, asked: AccountState::Closed, answered: false };
    assert_eq!((instance.gate, instance.pending()), (closed, vec![Step::AccountState]));
    let once = instance.clone();
    instance.terminate("by me", &PATIENCE, at(6));
    instance.removed(instance.revision, &PATIENCE, at(6));
    instance.align(&Levels { wallet_depleted: true, ..Levels::default() }, &PATIENCE, at(6));
    assert_eq!(instance, once);
    instance.set_back(Step::AccountState, &setback(true), &PATIENCE, at(6));
    assert_eq!(instance.state(), State::Terminating, "nothing keeps it from ending");
    instance.account_set(2, &PATIENCE, at(7));
    assert_eq!(instance.pending(), [Step::Removed]);
    instance.removed(6, &PATIENCE, at(7));
    assert_eq!(
        (instance.revision, instance.pending()),
        (7, vec![Step::Removed]),
        "a newer state stood there"
    );
    instance.removed(7, &PATIENCE, at(8));
    assert_eq!((instance.state(), instance.agenda.clone()), (State::Terminated, Agenda::default()));
    for refused in [
        instance.pause(PauseReason::Manual, "me", &PATIENCE, at(9)),
        instance.resume(PauseReason::Manual, "me", &PATIENCE, at(9)),
        instance.configure(Map::new(), Map::new(), &PATIENCE, at(9)),
    ] {
        assert_eq!(refused, Err(Refused::Illegal(State::Terminated)));
    }
}

#[test]
fn an_account_that_was_opened_behind_an_end_is_closed_again() {
    let mut instance = fresh();
    instance.terminate("by me", &PATIENCE, at(1));
    answered(&mut instance, at(2));
    instance.removed(instance.revision, &PATIENCE, at(3));
    assert_eq!((instance.state(), instance.pending()), (State::Terminated, vec![]));
    instance.account_opened(&PATIENCE, at(4));
    assert_eq!(instance.gate, Gate { step: 2, asked: AccountState::Closed, answered: false });
    assert_eq!((instance.pending(), instance.is_due(at(4))), (vec![Step::AccountState], true));
    answered(&mut instance, at(5));
    assert_eq!((instance.state(), instance.agenda.clone()), (State::Terminated, Agenda::default()));
}

#[test]
fn the_old_configuration_is_served_until_the_new_one_is_applied() {
    let mut instance = active();
    let (overrides, new) =
        (object(json!({ "run": { "x": 1 } })), object(json!({ "run": { "x": 1, "y": 2 } })));
    instance.configure(overrides.clone(), new.clone(), &PATIENCE, at(4)).unwrap();
    assert_eq!((instance.state(), instance.revision, instance.served().0), (State::Active, 2, 1));
    assert_eq!(Value::Object(instance.served().1.clone()), json!({ "run": {} }));
    assert_eq!(instance.pending(), [Step::Committed]);
    instance.configure(overrides.clone(), new.clone(), &PATIENCE, at(5)).unwrap();
    assert_eq!(instance.revision, 2, "the same again is no revision");
    instance.set_back(Step::Committed, &setback(true), &PATIENCE, at(5));
    assert_eq!(instance.state(), State::Active, "it serves whatever becomes of the new revision");
    instance.applied(1, &PATIENCE, at(6));
    assert_eq!(instance.served().0, 1, "news of the old revision");
    instance.expired(&PATIENCE, at(604));
    let condition = instance.conditions.get(Step::Committed).unwrap();
    assert_eq!((instance.state(), condition.reason.as_str()), (State::Active, "DeadlineExceeded"));
    assert_eq!(instance.agenda.deadline_time, Some(at(604) + PATIENCE.deadline * 2), "and goes on");
    instance.committed(2, &PATIENCE, at(605));
    instance.applied(2, &PATIENCE, at(606));
    assert_eq!((instance.served(), instance.waiting()), ((2, &new), None));
    assert_eq!(happenings(&instance).last(), Some(&Happening::ConfigApplied));
    assert_eq!(instance.agenda.failures, 0, "patience is whole again");
}

#[test]
fn a_failed_instance_takes_a_configuration_and_a_resume_tries_again() {
    let mut instance = fresh();
    instance.account_opened(&PATIENCE, at(1));
    instance.set_back(Step::Committed, &setback(true), &PATIENCE, at(2));
    assert_eq!(instance.state(), State::Failed);
    instance.configure(object(json!({ "run": {} })), Map::new(), &PATIENCE, at(3)).unwrap();
    instance.pause(PauseReason::Refunded, "part:commerce", &PATIENCE, at(3)).unwrap();
    assert_eq!((instance.state(), instance.revision), (State::Failed, 2));
    assert!(!instance.is_due(at(4)), "a pause is no reason to try again");
    instance.resume(PauseReason::Manual, "me", &PATIENCE, at(4)).unwrap();
    assert_eq!((instance.state(), instance.pending()), (State::Requested, vec![Step::AccountOpen]));
    instance.account_opened(&PATIENCE, at(5));
    assert_eq!(instance.pending(), [Step::AccountState, Step::Committed]);
    instance.applied(2, &PATIENCE, at(6));
    assert_eq!((instance.state(), reasons(&instance)), (State::Paused, "REFUNDED".into()));
}

#[test]
fn the_end_of_life_is_announced_and_comes_by_its_own_clock() {
    let mut instance = active();
    let end = Some(at(1000));
    instance.align(&Levels { end_time: end, ..Levels::default() }, &PATIENCE, at(4));
    assert_eq!((instance.end_time, instance.agenda.next_attempt_time), (end, end));
    assert_eq!(happenings(&instance).last(), Some(&Happening::EndAnnounced));
    let once = instance.clone();
    instance.align(&Levels { end_time: end, ..Levels::default() }, &PATIENCE, at(5));
    assert_eq!(instance, once, "told once");
    instance.align(&Levels::default(), &PATIENCE, at(999));
    assert_eq!((instance.state(), instance.is_over(at(999))), (State::Active, false));
    assert!(instance.is_over(at(1000)));
    instance.align(&Levels::default(), &PATIENCE, at(1000));
    assert_eq!(instance.state(), State::Terminating, "nobody has told it that the life ended");
    let mut told = active();
    told.align(&Levels { offering_ended: true, ..Levels::default() }, &PATIENCE, at(4));
    assert_eq!(told.state(), State::Terminating);
}

#[test]
fn what_is_applied_is_looked_at_and_drift_is_committed_again() {
    let mut instance = active();
    let later = at(3) + PATIENCE.look_again;
    instance.looked_at(Some(1), &PATIENCE, later);
    assert_eq!(
        (instance.revision, instance.agenda.next_attempt_time),
        (1, Some(later + PATIENCE.look_again))
    );
    instance.looked_at(None, &PATIENCE, later);
    assert_eq!((instance.state(), instance.revision), (State::Active, 2));
    assert_eq!(instance.pending(), [Step::Committed]);
    instance.committed(7, &PATIENCE, later);
    assert_eq!(
        (instance.revision, instance.pending()),
        (8, vec![Step::Committed]),
        "beyond what delivery has"
    );
    instance.committed(8, &PATIENCE, later);
    instance.applied(8, &PATIENCE, later);
    assert_eq!((instance.served().0, instance.waiting()), (8, None));
}

#[test]
fn drift_is_a_condition_until_it_is_mended() {
    let synced = |instance: &Instance| {
        instance.conditions.synced().map(|condition| (condition.status, condition.reason.clone()))
    };
    let mut instance = active();
    assert_eq!(synced(&instance), Some((Status::True, "Applied".to_owned())));
    let drift = |revision| Drift {
        revision,
        files: 2,
        first: "route.yaml is changed".to_owned(),
        commit_id: "c0ffee".to_owned(),
    };
    let quiet = instance.clone();
    instance.drift_mended(1, &PATIENCE, at(4));
    instance.drift_found(&drift(7), &PATIENCE, at(4));
    assert_eq!(instance, quiet, "nothing to mend; and of another revision than is served nothing is said");
    instance.drift_found(&drift(1), &PATIENCE, at(5));
    assert_eq!(synced(&instance), Some((Status::False, "DriftFound".to_owned())));
    let message = &instance.conditions.synced().unwrap().message;
    assert!(message.contains("c0ffee") && message.contains("route.yaml is changed"), "{message}");
    assert_eq!((instance.state(), instance.served().0, instance.pending()), (State::Active, 1, vec![]));
    instance.drift_mended(1, &PATIENCE, at(6));
    assert_eq!(synced(&instance), Some((Status::True, "Mended".to_owned())));
    let mended = instance.clone();
    instance.drift_mended(1, &PATIENCE, at(7));
    assert_eq!(instance, mended, "told once");
    assert!(happenings(&instance).ends_with(&[Happening::Drifted, Happening::Mended]));
    instance.drift_found(&drift(1), &PATIENCE, at(8));
    instance.looked_at(None, &PATIENCE, at(9));
    assert_eq!(synced(&instance), Some((Status::False, "DriftFound".to_owned())));
    instance.committed(2, &PATIENCE, at(10));
    instance.applied(2, &PATIENCE, at(10));
    assert_eq!(
        synced(&instance),
        Some((Status::True, "Applied".to_owned())),
        "a newer revision overwrites it"
    );
    let mut coming = fresh();
    coming.drift_found(&drift(1), &PATIENCE, at(4));
    assert_eq!(synced(&coming), None, "before it is applied the other conditions say where it stands");
}

proptest! {
    /// Whatever comes in whatever order: the ring is bounded, the events are counted, what is not gone has a
    /// time to be looked at, what waits has a deadline, and what ended stays so.
    #[test]
    fn any_news_in_any_order_is_taken(news in proptest::collection::vec(0..24_u8, 0..120)) {
        let mut instance = fresh();
        let mut levels = Levels::default();
        for (step, what) in (1..).zip(news) {
            let now = at(step * 37);
            let (counted, live) = (instance.event_count, instance.state().is_live());
            let (gate, revision) = (instance.gate, instance.revision);
            match what {
                0 => instance.account_opened(&PATIENCE, now),
                1 => instance.committed(revision, &PATIENCE, now),
                2 | 3 => instance.applied(revision, &PATIENCE, now),
                4 => instance.set_back(Step::AccountOpen, &setback(false), &PATIENCE, now),
                5 => instance.set_back(Step::Committed, &setback(true), &PATIENCE, now),
                6 => instance.set_back(Step::AccountState, &setback(true), &PATIENCE, now),
                7 => instance.expired(&PATIENCE, now),
                8 => instance.retried(&PATIENCE, now),
                9 => levels.wallet_depleted = !levels.wallet_depleted,
                10 => levels.offering_paused = !levels.offering_paused,
                11 => levels.end_time = Some(at(step * 37 + 5000)),
                12 => instance.awaited(&PATIENCE, now),
                13 | 14 => instance.account_set(gate.step, &PATIENCE, now),
                15 => instance.pause(PauseReason::Manual, "me", &PATIENCE, now).unwrap_or_default(),
                16 => instance.resume(PauseReason::Manual, "me", &PATIENCE, now).unwrap_or_default(),
                17 => {
                    let overrides = object(json!({ "run": { "x": step } }));
                    instance.configure(overrides.clone(), overrides, &PATIENCE, now).unwrap_or_default();
                }
                18 => instance.looked_at(Some(revision), &PATIENCE, now),
                19 => instance.not_looked_at(&PATIENCE, now),
                20 => instance.removed(instance.revision, &PATIENCE, now),
                21 => {
                    let (first, commit_id) = (String::new(), String::new());
                    let drift = Drift { revision: instance.served().0, files: 1, first, commit_id };
                    instance.drift_found(&drift, &PATIENCE, now);
                }
                22 => instance.drift_mended(revision, &PATIENCE, now),
                _ if step % 5 == 0 => instance.terminate("by me", &PATIENCE, now),
                _ => {}
            }
            instance.align(&levels, &PATIENCE, now);
            let settled = instance.clone();
            instance.align(&levels, &PATIENCE, now);
            prop_assert_eq!(&instance, &settled, "to bring in line twice is once");
            prop_assert!(instance.events.len() <= RING && instance.event_count >= counted);
            prop_assert!(live || !instance.state().is_live());
            prop_assert!(instance.gate.step <= gate.step + 1 && instance.revision >= revision);
            let waits = !instance.pending().is_empty();
            prop_assert_eq!(instance.agenda.deadline_time.is_some(), waits);
            let due = instance.agenda.next_attempt_time.is_some();
            prop_assert_eq!(due, waits || instance.state() != State::Terminated);
            prop_assert!(!instance.state().is_there() || instance.config.served.is_some());
            if let Some(end) = instance.end_time.filter(|_| instance.state().is_live()) {
                prop_assert!(instance.agenda.next_attempt_time.is_some_and(|next| next <= end));
            }
        }
    }
}
