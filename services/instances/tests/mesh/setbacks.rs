//! What happens when the parts beside instances are away, refuse, or tell of an empty wallet, and when the
//! process ends in the middle.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use souk_instances::MIGRATIONS;
use souk_kit::Refusal;
use souk_proto::souk::instances::v1::{Instance, State};
use souk_types::{Reason, Role};

use crate::{
    config::update,
    fakes::{FREE, Fakes, Mood, PRO, VERSION},
    life::resume,
    town::{FOREIGN_ORG, FOREIGN_PROJECT, ORG, Town, activate, condition, create, id, person, seen},
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
async fn an_address_that_another_instance_has_is_stated_at_once_and_tried_again_when_asked() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Fakes::swift();
    moods(&fakes, Mood::Well, Mood::Refuses(Reason::RouteTaken));
    let town = Town::new(&database, &fakes);
    let answer = town.activate("r-1").await;
    let one = answer.instance_id.as_str();
    assert_eq!(answer.state(), State::Failed, "waiting frees no address");
    let stated = |instance: &Instance| {
        let committed = instance.conditions.iter().find(|condition| condition.r#type == "Committed");
        let committed = committed.unwrap();
        assert!(committed.message.ends_with(Reason::RouteTaken.remedy()), "{}", committed.message);
        (condition(instance, "Committed").0, committed.reason.clone())
    };
    assert_eq!(stated(&town.get(one).await), ("STATUS_FALSE".into(), "RouteTaken".into()));
    moods(&fakes, Mood::Well, Mood::Well);
    town.admin().resume(resume(one, "r-2", "")).await.unwrap();
    town.until_state(one, State::Active).await;
    // What serves goes on with what it serves, and says the same of what is new.
    moods(&fakes, Mood::Well, Mood::Refuses(Reason::RouteTaken));
    let branded = |name: &str| json!({ "web_widget.branding": { "brand_name": name } });
    town.admin().update_config(update(one, "c-1", &branded("A"))).await.unwrap();
    let refused = |instance: &Instance| condition(instance, "Committed").1 == "RouteTaken";
    let active = town.until(one, Duration::ZERO, refused).await;
    assert_eq!(stated(&active).0, "STATUS_FALSE");
    assert_eq!((active.state(), active.waiting_for.as_str()), (State::Active, "Committed"));
    moods(&fakes, Mood::Well, Mood::Well);
    town.admin().update_config(update(one, "c-2", &branded("B"))).await.unwrap();
    let there = |instance: &Instance| instance.waiting_for.is_empty();
    assert_eq!(town.until(one, Duration::ZERO, there).await.revision, 3);
    town.end().await;
}

#[tokio::test]
async fn drift_is_a_condition_until_it_is_mended_and_watchers_see_it() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let fakes = Fakes::swift();
        let town = Town::new(&database, &fakes);
        let one = town.activate("r-1").await.instance_id;
        let active = town.until_state(&one, State::Active).await;
        assert_eq!(condition(&active, "Synced"), ("STATUS_TRUE".into(), "Applied".into()));
        let mut watch = town.watch(&one).await;
        let stray = json!({ "paths": ["clusters/x/junk"], "count": 1, "commitId": "c0ffee" });
        fakes.delivery_log.tell("souk.delivery.v1.DriftFound", None, stray);
        let files = json!(["route.yaml is changed", "policy.yaml is missing"]);
        let found =
            json!({ "instanceId": one, "revision": 1, "commitId": "c0ffee", "files": files, "count": 2 });
        fakes.delivery_log.tell("souk.delivery.v1.DriftFound", Some(ORG), found);
        let drifted = seen(&mut watch, |found| condition(found, "Synced").0 == "STATUS_FALSE").await;
        assert_eq!(drifted.state(), State::Active, "{}: what is applied is served", database.engine);
        let synced = drifted.conditions.iter().find(|condition| condition.r#type == "Synced").unwrap();
        assert_eq!(synced.reason, "DriftFound");
        assert!(synced.message.contains("c0ffee") && synced.message.contains("route.yaml is changed"));
        let mended = json!({ "instanceId": one, "revision": 1, "commitId": "c0de" });
        fakes.delivery_log.tell("souk.delivery.v1.DriftMended", Some(ORG), mended);
        let mended = seen(&mut watch, |found| condition(found, "Synced").1 == "Mended").await;
        assert_eq!(condition(&mended, "Synced").0, "STATUS_TRUE");
        let told: Vec<_> = mended.events.iter().rev().take(2).map(|event| event.r#type.as_str()).collect();
        assert_eq!(told, ["Mended", "Drifted"]);
        town.end().await;
    }
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
