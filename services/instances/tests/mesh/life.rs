//! Pauses, resumes and ends: each reason, twice, at once, out of order, and with the parts beside away.

use std::{sync::Arc, time::Duration};

use souk_instances::MIGRATIONS;
use souk_proto::souk::{
    billing::v1::AccountState,
    instances::v1::{
        GetEntitlementsRequest, Instance, ListInstanceEventsRequest, PauseRequest, ResumeRequest, State,
        TerminateRequest,
    },
};
use souk_types::{Clock as _, Reason, Role};

use crate::{
    fakes::{FREE, Fakes, Mood, OFFERING, VERSION},
    town::{
        FOREIGN_ORG, FOREIGN_PROJECT, ORG, PROJECT, Town, activate, condition, create, id, person, reason,
    },
};

pub(crate) fn pause(instance_id: &str, request_id: &str, why: &str) -> PauseRequest {
    PauseRequest { instance_id: instance_id.into(), request_id: request_id.into(), reason: why.into() }
}

pub(crate) fn resume(instance_id: &str, request_id: &str, why: &str) -> ResumeRequest {
    ResumeRequest { instance_id: instance_id.into(), request_id: request_id.into(), reason: why.into() }
}

pub(crate) fn terminate(instance_id: &str, request_id: &str, etag: &str) -> TerminateRequest {
    TerminateRequest { instance_id: instance_id.into(), request_id: request_id.into(), etag: etag.into() }
}

/// Waits until billing holds the account to be so.
pub(crate) async fn until_account(town: &Town, instance: &str, wanted: AccountState) {
    let there = |_: &Instance| town.fakes.account(instance) == Some(wanted);
    town.until(instance, Duration::from_millis(100), there).await;
}

async fn until_held(town: &Town, instance: &str, reasons: &[&str]) -> Instance {
    town.until(instance, Duration::from_millis(100), |found| found.pause_reasons == reasons).await
}

fn told(instance: &Instance, kind: &str) -> usize {
    instance.events.iter().filter(|event| event.r#type == kind).count()
}

#[tokio::test]
async fn a_pause_bites_at_billing_and_a_resume_ends_it() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let town = Town::new(&database, &Fakes::swift());
        let one = town.activate("r-1").await.instance_id;
        town.until_state(&one, State::Active).await;
        let asks = (0..16).map(|place| {
            let (mut admin, ask) = (town.admin(), pause(&one, &format!("p-{}", place % 4), ""));
            async move { admin.pause(ask).await.unwrap().into_inner().instance.unwrap() }
        });
        let answers = futures::future::join_all(asks).await;
        assert!(answers.iter().all(|paused| paused.state() == State::Paused), "{}", database.engine);
        until_account(&town, &one, AccountState::Frozen).await;
        let ask = GetEntitlementsRequest { instance_id: one.clone() };
        let entitled = town.member().get_entitlements(ask).await.unwrap().into_inner().entitlements.unwrap();
        assert_eq!((entitled.state(), entitled.pause_reasons), (State::Paused, vec!["MANUAL".to_owned()]));
        let other = resume(&one, "r-2", "");
        let resumed = town.admin().resume(other.clone()).await.unwrap().into_inner().instance.unwrap();
        assert_eq!((resumed.state(), resumed.pause_reasons.len()), (State::Active, 0));
        until_account(&town, &one, AccountState::Active).await;
        let active = town.until(&one, Duration::ZERO, |found| found.waiting_for.is_empty()).await;
        assert_eq!(condition(&active, "AccountState"), ("STATUS_TRUE".into(), "Active".into()));
        assert_eq!((told(&active, "Paused"), told(&active, "Resumed")), (1, 1), "{}", database.engine);
        // A copy that comes late gets the first answer and changes nothing.
        let late = town.admin().pause(pause(&one, "p-0", "")).await.unwrap().into_inner().instance.unwrap();
        assert_eq!(late, answers[0]);
        assert_eq!(town.admin().resume(other).await.unwrap().into_inner().instance.unwrap(), resumed);
        assert_eq!(reason(town.admin().pause(pause(&one, "p-0", "MANUAL")).await), "REQUEST_ID_REUSED");
        assert_eq!(town.get(&one).await.etag, active.etag);
        {
            let known = town.fakes.known.lock().unwrap();
            let steps: Vec<_> = known.account_states.keys().cloned().collect();
            assert_eq!(steps, [format!("account-state:{one}:1"), format!("account-state:{one}:2")]);
            assert_eq!(known.applied.len(), 1, "a pause is never a commit");
        }
        town.end().await;
    }
}

#[tokio::test]
async fn each_takes_its_own_reason_only() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let one = town.activate("r-1").await.instance_id;
    town.until_state(&one, State::Active).await;
    for why in ["REFUNDED", "WALLET_DEPLETED", "OFFERING_PAUSED", "BORED"] {
        assert_eq!(reason(town.admin().pause(pause(&one, "p-1", why)).await), "INVALID_ARGUMENT", "{why}");
        assert_eq!(reason(town.admin().resume(resume(&one, "p-1", why)).await), "INVALID_ARGUMENT", "{why}");
    }
    for why in ["", "MANUAL", "WALLET_DEPLETED"] {
        assert_eq!(reason(town.commerce(ORG).pause(pause(&one, "p-1", why)).await), "INVALID_ARGUMENT");
    }
    assert!(town.commerce(ORG).pause(pause(&one, "p-1", "REFUNDED")).await.is_ok());
    let held = town.admin().resume(resume(&one, "r-2", "")).await;
    assert_eq!(reason(held), "INSTANCE_PAUSED", "a person does not take commerce's reason away");
    assert!(town.admin().pause(pause(&one, "p-2", "")).await.is_ok());
    town.fakes.wallet("WalletDepleted", ORG);
    until_held(&town, &one, &["MANUAL", "WALLET_DEPLETED", "REFUNDED"]).await;
    town.fakes.wallet("WalletReplenished", ORG);
    until_held(&town, &one, &["MANUAL", "REFUNDED"]).await;
    let left = town.admin().resume(resume(&one, "r-2", "")).await.unwrap().into_inner().instance.unwrap();
    assert_eq!((left.state(), left.pause_reasons), (State::Paused, vec!["REFUNDED".to_owned()]));
    assert_eq!(town.fakes.account(&one), Some(AccountState::Frozen));
    assert!(town.commerce(ORG).resume(resume(&one, "r-3", "REFUNDED")).await.is_ok());
    town.until_state(&one, State::Active).await;
    until_account(&town, &one, AccountState::Active).await;
    town.end().await;
}

#[tokio::test]
async fn roles_and_foreign_tenants() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let one = town.activate("r-1").await.instance_id;
    town.until_state(&one, State::Active).await;
    let events = || ListInstanceEventsRequest { instance_id: one.clone(), ..Default::default() };
    let foreign = || town.calls(&person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]));
    assert_eq!(reason(foreign().pause(pause(&one, "p", "")).await), "INSTANCE_NOT_FOUND");
    assert_eq!(reason(foreign().resume(resume(&one, "p", "")).await), "INSTANCE_NOT_FOUND");
    assert_eq!(reason(foreign().terminate(terminate(&one, "p", "")).await), "INSTANCE_NOT_FOUND");
    assert_eq!(reason(foreign().list_instance_events(events()).await), "INSTANCE_NOT_FOUND");
    let refunded = town.commerce(FOREIGN_ORG).pause(pause(&one, "p", "REFUNDED")).await;
    assert_eq!(reason(refunded), "INSTANCE_NOT_FOUND");
    for caller in [person(Role::Viewer, ORG, &[PROJECT]), person(Role::Member, ORG, &[PROJECT])] {
        let calls = || town.calls(&caller);
        assert_eq!(reason(calls().pause(pause(&one, "p", "")).await), "PERMISSION_DENIED");
        assert_eq!(reason(calls().resume(resume(&one, "p", "")).await), "PERMISSION_DENIED");
        assert_eq!(reason(calls().terminate(terminate(&one, "p", "")).await), "PERMISSION_DENIED");
        assert!(calls().list_instance_events(events()).await.is_ok(), "readers see what happened");
    }
    assert_eq!(town.get(&one).await.state(), State::Active, "nothing happened");
    town.end().await;
}

#[tokio::test]
async fn a_paused_offering_holds_what_was_sold_and_sells_nothing() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let town = Town::new(&database, &Fakes::swift());
        let one = town.activate("r-1").await.instance_id;
        let foreign = person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]);
        let two = town.calls(&foreign).auto_activate(activate("r-1", VERSION)).await.unwrap().into_inner();
        for instance in [&one, &two.instance_id] {
            town.until_state(instance, State::Active).await;
        }
        town.fakes.sell(Some(Reason::OfferingPaused));
        // Told twice, as by a log that was restored.
        town.fakes.offering("OfferingPaused", None);
        town.fakes.offering("OfferingPaused", None);
        for instance in [&one, &two.instance_id] {
            let held = until_held(&town, instance, &["OFFERING_PAUSED"]).await;
            assert_eq!((held.state(), told(&held, "Paused")), (State::Paused, 1), "{}", database.engine);
            until_account(&town, instance, AccountState::Frozen).await;
        }
        let refused = town.admin().create_instance(create("r-2", FREE)).await;
        assert_eq!(reason(refused), "OFFERING_PAUSED", "{OFFERING}");
        let live = town.activate("r-2").await;
        assert_eq!(live.instance_id, one, "what is there already is not taken anew");
        town.fakes.offering("OfferingResumed", None);
        town.fakes.sell(None);
        for instance in [&one, &two.instance_id] {
            town.until_state(instance, State::Active).await;
            until_account(&town, instance, AccountState::Active).await;
        }
        assert!(
            town.admin().create_instance(create("r-2", FREE)).await.is_ok(),
            "a refusal keeps the id free"
        );
        town.end().await;
    }
}

#[tokio::test]
async fn what_comes_to_serve_while_it_is_held_is_held() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let fakes = Arc::new(Fakes::default());
    let town = Town::new(&database, &fakes);
    let one = town.activate("r-1").await.instance_id;
    fakes.offering("OfferingPaused", None);
    let held = until_held(&town, &one, &["OFFERING_PAUSED"]).await;
    assert_eq!(held.state(), State::Provisioning);
    fakes.apply(id(&one), 1);
    let paused = town.until(&one, Duration::ZERO, |found| found.state() == State::Paused).await;
    assert_eq!(paused.pause_reasons, ["OFFERING_PAUSED"]);
    until_account(&town, &one, AccountState::Frozen).await;
    town.end().await;
}

#[tokio::test]
async fn an_end_of_life_is_announced_and_kept_even_if_nobody_tells_that_it_came() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let town = Town::new(&database, &Fakes::swift());
        let one = town.activate("r-1").await.instance_id;
        town.until_state(&one, State::Active).await;
        town.fakes.sell(Some(Reason::OfferingEnded));
        let end = town.clock.now() + Duration::from_secs(3600);
        town.fakes.offering("OfferingEnding", Some(end));
        let noticed = town.until(&one, Duration::ZERO, |found| found.end_time.is_some()).await;
        assert_eq!((noticed.state(), told(&noticed, "EndAnnounced")), (State::Active, 1));
        assert_eq!(souk_kit::wire::time(noticed.end_time.unwrap()), Some(end), "{}", database.engine);
        assert_eq!(reason(town.admin().create_instance(create("r-2", FREE)).await), "OFFERING_ENDED");
        town.clock.advance(Duration::from_secs(3600));
        let gone = town.until_state(&one, State::Terminated).await;
        assert_eq!(town.fakes.account(&one), Some(AccountState::Closed));
        // Late news of what is done.
        town.fakes.offering("OfferingEnded", Some(end));
        town.fakes.offering("OfferingPaused", None);
        let marker = town.calls(&person(Role::Admin, FOREIGN_ORG, &[FOREIGN_PROJECT]));
        town.fakes.sell(None);
        let late = { marker }.auto_activate(activate("r-1", VERSION)).await.unwrap().into_inner();
        town.until_state(&late.instance_id, State::Terminated).await;
        assert_eq!(town.get(&one).await, gone, "{}", database.engine);
        town.end().await;
    }
}

#[tokio::test]
async fn an_end_closes_removes_and_frees_the_place() {
    for database in souk_testkit::databases("instances", MIGRATIONS).await {
        let town = Town::new(&database, &Fakes::swift());
        let one = town.activate("r-1").await.instance_id;
        let before = town.until_state(&one, State::Active).await;
        assert!(town.admin().pause(pause(&one, "p-1", "")).await.is_ok());
        assert_eq!(
            reason(town.admin().terminate(terminate(&one, "t-1", &before.etag)).await),
            "ETAG_MISMATCH"
        );
        let asks = (0..8).map(|place| {
            let (mut admin, ask) = (town.admin(), terminate(&one, &format!("t-{}", place % 2), ""));
            async move { admin.terminate(ask).await.unwrap().into_inner().instance.unwrap() }
        });
        for ending in futures::future::join_all(asks).await {
            assert!(matches!(ending.state(), State::Terminating | State::Terminated));
            assert!(ending.pause_reasons.is_empty());
        }
        let gone = town.until_state(&one, State::Terminated).await;
        assert_eq!((told(&gone, "Terminating"), told(&gone, "Terminated")), (1, 1), "{}", database.engine);
        assert_eq!(condition(&gone, "Removed").0, "STATUS_TRUE");
        assert_eq!((gone.waiting_for.as_str(), gone.deadline_time), ("", None));
        {
            let known = town.fakes.known.lock().unwrap();
            assert_eq!(known.account_now[&one], AccountState::Closed);
            assert_eq!(known.removed.len(), 1, "{}", database.engine);
            assert!(known.removed.values().all(|ask| ask.revision > 1 && ask.org_id == ORG.to_string()));
            assert_eq!((known.revisions.len(), known.reused.len()), (0, 0));
        }
        for refused in [
            reason(town.admin().pause(pause(&one, "p-2", "")).await),
            reason(town.admin().resume(resume(&one, "p-2", "")).await),
        ] {
            assert_eq!(refused, "ILLEGAL_TRANSITION");
        }
        assert!(town.commerce(ORG).terminate(terminate(&one, "t-9", "")).await.is_ok(), "again is well");
        assert_eq!(town.get(&one).await.etag, gone.etag);
        let next = town.activate("r-2").await.instance_id;
        assert_ne!(next, one);
        town.until_state(&next, State::Active).await;
        town.end().await;
    }
}

#[tokio::test]
async fn billing_away_delays_a_pause_with_a_stated_cause_and_no_longer() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let one = town.activate("r-1").await.instance_id;
    town.until_state(&one, State::Active).await;
    let billing = |mood| town.fakes.known.lock().unwrap().billing = mood;
    billing(Mood::Refuses(Reason::Unavailable));
    let paused = town.admin().pause(pause(&one, "p-1", "")).await.unwrap().into_inner().instance.unwrap();
    assert_eq!((paused.state(), paused.waiting_for.as_str()), (State::Paused, "AccountState"));
    assert!(paused.deadline_time.is_some());
    let cause = |word: &'static str| move |found: &Instance| condition(found, "AccountState").1 == word;
    town.until(&one, Duration::ZERO, cause("BillingUnavailable")).await;
    town.clock.advance(Duration::from_secs(600));
    let late = town.until(&one, Duration::ZERO, |found| told(found, "Delayed") > 1).await;
    let stated = late.events.iter().rfind(|event| event.r#type == "Delayed").unwrap();
    assert!(stated.message.contains("not done in time"), "{}", stated.message);
    assert!(late.deadline_time.unwrap().seconds > paused.deadline_time.unwrap().seconds);
    assert_eq!(late.state(), State::Paused);
    billing(Mood::Refuses(Reason::AccountNotFound));
    town.until(&one, Duration::from_secs(1), cause("AccountNotFound")).await;
    billing(Mood::Well);
    until_account(&town, &one, AccountState::Frozen).await;
    let quiet = town.until(&one, Duration::ZERO, |found| found.waiting_for.is_empty()).await;
    assert_eq!((quiet.deadline_time, quiet.state()), (None, State::Paused));
    town.end().await;
}

#[tokio::test]
async fn one_that_never_gets_an_answer_keeps_no_other_waiting() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let stuck = town.activate("r-1").await.instance_id;
    town.until_state(&stuck, State::Active).await;
    town.fakes.known.lock().unwrap().silent.insert(stuck.clone());
    assert!(town.admin().pause(pause(&stuck, "p-1", "")).await.is_ok());
    for place in 0..5 {
        let ask = create(&format!("r-{place}"), FREE);
        let other = town.admin().create_instance(ask).await.unwrap().into_inner().instance.unwrap();
        town.until(&other.instance_id, Duration::ZERO, |found| found.state() == State::Active).await;
    }
    let waits = town.get(&stuck).await;
    assert_eq!((waits.state(), waits.waiting_for.as_str()), (State::Paused, "AccountState"));
    town.fakes.known.lock().unwrap().silent.clear();
    town.end().await;
}

#[tokio::test]
async fn everything_that_happened_is_listed_newest_first() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let town = Town::new(&database, &Fakes::swift());
    let one = town.activate("r-1").await.instance_id;
    town.until_state(&one, State::Active).await;
    for round in 0..6 {
        assert!(town.admin().pause(pause(&one, &format!("p-{round}"), "")).await.is_ok());
        until_account(&town, &one, AccountState::Frozen).await;
        assert!(town.admin().resume(resume(&one, &format!("p-{round}"), "")).await.is_ok());
        until_account(&town, &one, AccountState::Active).await;
    }
    let quiet = town.until(&one, Duration::ZERO, |found| found.waiting_for.is_empty()).await;
    assert_eq!(quiet.events.len(), 15, "the last ones stand in the status");
    let (mut all, mut page_token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let ask = ListInstanceEventsRequest { instance_id: one.clone(), page_size: 10, page_token };
        let page = town.member().list_instance_events(ask).await.unwrap().into_inner();
        all.extend(page.events);
        pages += 1;
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!((all.len(), pages), (4 + 6 * 4, 3));
    all.reverse();
    assert_eq!(all[0].r#type, "Requested");
    assert_eq!(all[all.len() - 15..], quiet.events);
    town.end().await;
}
