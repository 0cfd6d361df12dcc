//! What happens when the parts beside instances are away, refuse, or tell of an empty wallet, and when the
//! process ends in the middle.

use std::{sync::Arc, time::Duration};

use souk_instances::MIGRATIONS;
use souk_kit::Refusal;
use souk_proto::souk::instances::v1::{Instance, State};
use souk_types::{Reason, Role};

use crate::{
    fakes::{FREE, Fakes, Mood, PRO, VERSION},
    town::{FOREIGN_ORG, FOREIGN_PROJECT, ORG, Town, activate, condition, create, id, person},
};

const TENTH: Duration = Duration::from_millis(100);

fn moods(fakes: &Fakes, billing: Mood, delivery: Mood) {
    let mut known = fakes.known.lock().unwrap();
    (known.billing, known.delivery) = (billing, delivery);
}

#[tokio::test]
async fn billing_away_is_seen_and_waited_for() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Fakes::swift();
    moods(&fakes, Mood::Refuses(Reason::Unavailable), Mood::Well);
    let town = Town::new(&database, &fakes);
    let answer = town.activate("r-1").await;
    assert_eq!(answer.state(), State::Requested, "what is known after the wait");
    let away = |instance: &Instance| condition(instance, "AccountOpen").1 == "BillingUnavailable";
    let waiting = town.until(&answer.instance_id, TENTH, away).await;
    assert_eq!(condition(&waiting, "AccountOpen").0, "STATUS_FALSE");
    assert_eq!(waiting.state(), State::Requested);
    moods(&fakes, Mood::Well, Mood::Well);
    let active = town.until_state(&answer.instance_id, State::Active).await;
    assert_eq!(condition(&active, "AccountOpen").0, "STATUS_TRUE");
    assert!(active.events.iter().any(|event| event.r#type == "Delayed"));
    town.end().await;
}

#[tokio::test]
async fn a_repeat_gets_its_answer_while_catalog_is_away() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Fakes::swift();
    let town = Town::new(&database, &fakes);
    let activated = town.activate("r-1").await;
    let created = town.admin().create_instance(create("r-2", FREE)).await.unwrap().into_inner();
    fakes.known.lock().unwrap().catalog = Mood::Refuses(Reason::Unavailable);
    assert_eq!(town.activate("r-1").await.instance_id, activated.instance_id);
    let again = town.admin().create_instance(create("r-2", FREE)).await.unwrap().into_inner();
    assert_eq!(again.instance.unwrap().instance_id, created.instance.unwrap().instance_id);
    let reused = town.admin().create_instance(create("r-2", PRO)).await.unwrap_err();
    assert!(Refusal::read("instances", &reused).is(Reason::RequestIdReused), "{reused:?}");
    let fresh = town.admin().create_instance(create("r-3", FREE)).await.unwrap_err();
    assert!(Refusal::read("instances", &fresh).is(Reason::Unavailable), "{fresh:?}");
    town.end().await;
}

#[tokio::test]
async fn a_refusal_fails_with_the_remedy_and_activating_again_tries_again() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Fakes::swift();
    moods(&fakes, Mood::Refuses(Reason::ScheduleNotFound), Mood::Refuses(Reason::InvalidArgument));
    let town = Town::new(&database, &fakes);
    let answer = town.activate("r-1").await;
    assert_eq!(answer.state(), State::Failed, "nobody waits for what will not come");
    let failed = town.get(&answer.instance_id).await;
    assert_eq!(condition(&failed, "AccountOpen"), ("STATUS_FALSE".into(), "ScheduleNotFound".into()));
    let open = failed.conditions.iter().find(|condition| condition.r#type == "AccountOpen").unwrap();
    assert!(open.message.ends_with(Reason::ScheduleNotFound.remedy()), "{}", open.message);
    moods(&fakes, Mood::Well, Mood::Refuses(Reason::InvalidArgument));
    let again = town.activate("r-2").await;
    assert_eq!((again.instance_id.as_str(), again.state()), (answer.instance_id.as_str(), State::Failed));
    let failed = town.get(&answer.instance_id).await;
    assert_eq!(condition(&failed, "Committed"), ("STATUS_FALSE".into(), "InvalidArgument".into()));
    moods(&fakes, Mood::Well, Mood::Well);
    let third = town.activate("r-3").await;
    assert_eq!(third.instance_id, answer.instance_id);
    town.until_state(&third.instance_id, State::Active).await;
    town.end().await;
}

#[tokio::test]
async fn silence_ends_in_a_stated_cause_and_a_failed_instance_mends_by_itself() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Arc::new(Fakes::default());
    let town = Town::new(&database, &fakes);
    let answer = town.activate("r-1").await;
    assert_eq!(answer.state(), State::Provisioning);
    town.clock.advance(Duration::from_secs(600));
    let failed = town.until(&answer.instance_id, Duration::ZERO, |one| one.state() == State::Failed).await;
    assert_eq!(condition(&failed, "Applied"), ("STATUS_FALSE".into(), "DeadlineExceeded".into()));
    fakes.known.lock().unwrap().revisions.insert(answer.instance_id.clone(), 1);
    town.clock.advance(Duration::from_secs(300));
    town.until_state(&answer.instance_id, State::Active).await;
    town.end().await;
}

#[tokio::test]
async fn applied_state_that_nobody_told_of_is_found() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Arc::new(Fakes::default());
    let town = Town::new(&database, &fakes);
    let answer = town.activate("r-1").await;
    fakes.delivery_log.tell("souk.delivery.v1.InstanceApplied", None, serde_json::json!({ "odd": true }));
    fakes.known.lock().unwrap().revisions.insert(answer.instance_id.clone(), 1);
    town.until_state(&answer.instance_id, State::Active).await;
    town.end().await;
}

#[tokio::test]
async fn another_revision_is_not_this_one() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Arc::new(Fakes::default());
    let town = Town::new(&database, &fakes);
    let answer = town.activate("r-1").await;
    fakes.apply(id(&answer.instance_id), 2);
    fakes.apply(souk_types::InstanceId::from_bits(404), 1);
    fakes.known.lock().unwrap().revisions.clear();
    // Events are taken in order: once a later one acted, the ones before it have been looked at.
    let other = town.admin().create_instance(create("r-2", FREE)).await.unwrap();
    let other = other.into_inner().instance.unwrap();
    fakes.apply(id(&other.instance_id), 1);
    town.until(&other.instance_id, Duration::ZERO, |one| one.state() == State::Active).await;
    assert_eq!(town.get(&answer.instance_id).await.state(), State::Provisioning);
    town.end().await;
}

#[tokio::test]
async fn an_empty_wallet_pauses_the_org_until_it_is_refilled() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let fakes = Fakes::swift();
        let town = Town::new(&database, &fakes);
        let first = town.activate("r-1").await.instance_id;
        let second = town.admin().create_instance(create("r-2", FREE)).await.unwrap();
        let second = second.into_inner().instance.unwrap().instance_id;
        let foreign = person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]);
        let third = town.calls(&foreign).auto_activate(activate("r-1", VERSION)).await.unwrap();
        let third = third.into_inner().instance_id;
        for one in [&first, &second, &third] {
            town.until_state(one, State::Active).await;
        }
        fakes.wallet("WalletDepleted", ORG);
        for one in [&first, &second] {
            let paused = town.until_state(one, State::Paused).await;
            assert_eq!(paused.pause_reasons, ["WALLET_DEPLETED"], "{}", database.engine);
        }
        let late = town.admin().create_instance(create("r-3", FREE)).await.unwrap();
        let late = late.into_inner().instance.unwrap().instance_id;
        town.until_state(&late, State::Paused).await;
        fakes.wallet("WalletRefilled", ORG);
        for one in [&first, &second, &late] {
            let active = town.until_state(one, State::Active).await;
            assert!(active.pause_reasons.is_empty());
        }
        let third = town.until_state(&third, State::Active).await;
        assert!(third.events.iter().all(|event| event.r#type != "Paused"), "another org's wallet");
        town.end().await;
    }
}

#[tokio::test]
async fn a_restart_in_the_middle_loses_nothing_and_doubles_nothing() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Arc::new(Fakes::default());
    let before = Town::new(&database, &fakes);
    let committed = before.activate("r-1").await;
    assert_eq!(committed.state(), State::Provisioning);
    moods(&fakes, Mood::Refuses(Reason::Unavailable), Mood::Well);
    let asked = before.admin().create_instance(create("r-2", FREE)).await.unwrap();
    let asked = asked.into_inner().instance.unwrap();
    assert_eq!(asked.state(), State::Requested);
    before.end().await;
    moods(&fakes, Mood::Well, Mood::Well);
    fakes.known.lock().unwrap().swift = true;
    // Told while nobody listened: the log is followed on from its cursor.
    fakes.apply(id(&committed.instance_id), 1);
    let after = Town::on(database.again().await.unwrap(), Arc::clone(&database.clock), &fakes);
    after.until_state(&committed.instance_id, State::Active).await;
    after.until_state(&asked.instance_id, State::Active).await;
    let again = after.activate("r-1").await;
    assert_eq!(again.instance_id, committed.instance_id, "the request was answered before the restart");
    after.end().await;
    let known = fakes.known.lock().unwrap();
    assert_eq!((known.accounts.len(), known.applied.len()), (2, 2));
}
