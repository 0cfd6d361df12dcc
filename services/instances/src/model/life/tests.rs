//! What may happen to an instance, in the order in which it does, too late, and twice.

use proptest::prelude::*;
use serde_json::Map;
use souk_types::id::{InstanceId, OfferingId, OfferingVersionId, OrgId, PlanId, ProjectId};

use super::*;
use crate::model::{Limits, Pins};

const PATIENCE: Patience = Patience {
    deadline: Duration::from_secs(600),
    first_pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(30),
    rest: Duration::from_secs(300),
};
const START: Time = Time::from_micros(1_000_000);

fn at(seconds: u64) -> Time {
    START + Duration::from_secs(seconds)
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
        effective_config: Map::new(),
    };
    let draft = Draft {
        instance_id: InstanceId::from_bits(9),
        org_id: OrgId::from_bits(8),
        project_id: ProjectId::from_bits(7),
        pins,
        source_ref: String::new(),
        automatic: true,
    };
    Instance::requested(draft, &PATIENCE, START)
}

fn active() -> Instance {
    let mut instance = fresh();
    instance.account_opened(at(1)).unwrap();
    instance.committed(1, at(2));
    instance.applied(1, false, at(3)).unwrap();
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

#[test]
fn step_by_step_it_comes_to_serve() {
    let mut instance = fresh();
    assert_eq!((instance.next_step(), instance.is_committed()), (Some(Step::AccountOpen), false));
    instance.account_opened(at(1)).unwrap();
    assert_eq!((instance.state, instance.next_step()), (State::Provisioning, Some(Step::Committed)));
    instance.committed(1, at(2));
    assert_eq!((instance.next_step(), instance.is_committed()), (Some(Step::Applied), true));
    instance.applied(1, false, at(3)).unwrap();
    assert_eq!((instance.state, instance.next_step()), (State::Active, None));
    assert_eq!(instance.agenda, Agenda::default(), "nothing is due any more");
    assert!(Step::ALL.iter().all(|step| instance.conditions.of(*step).holds()));
    let told = [Happening::Requested, Happening::AccountOpened, Happening::Committed, Happening::Activated];
    assert_eq!(happenings(&instance), told);
}

#[test]
fn news_twice_too_late_or_of_another_revision_changes_nothing() {
    let mut instance = active();
    let before = instance.clone();
    instance.account_opened(at(4)).unwrap();
    instance.committed(1, at(4));
    instance.applied(1, true, at(4)).unwrap();
    instance.set_back(Step::Applied, &setback(true), &PATIENCE, at(4)).unwrap();
    instance.expired(&PATIENCE, at(10_000)).unwrap();
    instance.retried(&PATIENCE, at(4)).unwrap();
    instance.awaited(&PATIENCE, at(4));
    instance.wallet_refilled(at(4)).unwrap();
    assert_eq!(instance, before);
    let mut early = fresh();
    let before = early.clone();
    early.applied(1, false, at(1)).unwrap();
    early.committed(1, at(1));
    early.wallet_depleted(at(1)).unwrap();
    assert_eq!(early, before, "without an account nothing is applied");
    early.account_opened(at(1)).unwrap();
    let before = early.clone();
    early.applied(2, false, at(2)).unwrap();
    early.committed(0, at(2));
    assert_eq!(early, before);
}

#[test]
fn applied_state_that_overtakes_the_commits_answer_counts() {
    let mut instance = fresh();
    instance.account_opened(at(1)).unwrap();
    instance.applied(1, false, at(2)).unwrap();
    assert_eq!(instance.state, State::Active);
    assert!(instance.conditions.of(Step::Committed).holds());
}

#[test]
fn setbacks_are_seen_and_tried_again_ever_more_slowly_but_not_beyond_the_deadline() {
    let mut instance = fresh();
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..30 {
        instance.set_back(Step::AccountOpen, &setback(false), &PATIENCE, now).unwrap();
        let next = instance.agenda.next_attempt_time.unwrap();
        pauses.push(next.since(now));
        now = next;
    }
    assert_eq!(pauses[0], Duration::from_millis(200));
    assert_eq!(pauses[1], Duration::from_millis(400));
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(30)));
    assert_eq!(now, at(600), "the deadline itself is the last look");
    let condition = instance.conditions.of(Step::AccountOpen);
    assert_eq!((condition.status, condition.reason.as_str()), (Status::False, "BillingUnavailable"));
    assert_eq!(happenings(&instance), [Happening::Requested, Happening::Delayed], "told once");
    instance.expired(&PATIENCE, now).unwrap();
    assert_eq!(instance.state, State::Failed);
    let condition = instance.conditions.of(Step::AccountOpen);
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
        instance.set_back(Step::AccountOpen, &refusal, &PATIENCE, now).unwrap();
        assert_eq!(instance.state, State::Failed);
        assert!(instance.is_committed(), "nobody waits for it");
        rests.push(instance.agenda.next_attempt_time.unwrap().since(now));
        instance.retried(&PATIENCE, now).unwrap();
        assert_eq!((instance.state, instance.next_step()), (State::Requested, Some(Step::AccountOpen)));
        assert_eq!(instance.agenda.deadline_time, Some(now + PATIENCE.deadline));
    }
    assert_eq!((rests[0], rests[1]), (Duration::from_secs(300), Duration::from_secs(600)));
    assert_eq!(rests.last(), Some(&LONGEST_REST));
    assert!(instance.events.iter().any(|event| event.message.contains("publish the version first")));
    assert_eq!((instance.events.len(), instance.event_count), (RING, 25));
}

#[test]
fn an_empty_wallet_pauses_what_serves_and_what_comes_to_serve() {
    let mut instance = active();
    instance.wallet_depleted(at(4)).unwrap();
    let paused = State::Paused(crate::model::PauseReasons::NONE.with(PauseReason::WalletDepleted));
    assert_eq!(instance.state, paused);
    let once = instance.clone();
    instance.wallet_depleted(at(5)).unwrap();
    assert_eq!(instance, once);
    instance.wallet_refilled(at(6)).unwrap();
    assert_eq!(instance.state, State::Active);

    let mut held = active();
    held.state = transition(held.state, Trigger::Paused(PauseReason::Manual)).unwrap();
    held.wallet_depleted(at(4)).unwrap();
    held.wallet_refilled(at(5)).unwrap();
    assert!(held.state.pause_reasons().contains(PauseReason::Manual), "a top-up removes its own reason only");

    let mut late = fresh();
    late.account_opened(at(1)).unwrap();
    late.applied(1, true, at(2)).unwrap();
    assert_eq!(late.state, paused);
}

proptest! {
    /// Whatever comes in whatever order, nothing is illegal, the ring is bounded, the events are counted,
    /// and what is on its way has a time to be looked at.
    #[test]
    fn any_news_in_any_order_is_taken(news in proptest::collection::vec(0..11_u8, 0..80)) {
        let mut instance = fresh();
        for (step, what) in (1..).zip(news) {
            let now = at(step * 37);
            let counted = instance.event_count;
            let taken = match what {
                0 => instance.account_opened(now),
                1 => { instance.committed(1, now); Ok(()) }
                2 => instance.applied(1, false, now),
                3 => instance.applied(1, true, now),
                4 => instance.set_back(Step::AccountOpen, &setback(false), &PATIENCE, now),
                5 => instance.set_back(Step::Committed, &setback(true), &PATIENCE, now),
                6 => instance.expired(&PATIENCE, now),
                7 => instance.retried(&PATIENCE, now),
                8 => instance.wallet_depleted(now),
                9 => instance.wallet_refilled(now),
                _ => { instance.awaited(&PATIENCE, now); Ok(()) }
            };
            prop_assert!(taken.is_ok());
            prop_assert!(instance.events.len() <= RING);
            prop_assert!(instance.event_count >= counted);
            let due = instance.agenda.next_attempt_time.is_some();
            prop_assert_eq!(due, instance.state.is_coming() || instance.state == State::Failed);
            let serves = matches!(instance.state, State::Active | State::Paused(_));
            prop_assert!(!serves || instance.conditions.of(Step::Applied).holds());
        }
    }
}
