//! The store on both engines: once for each request, holds that are lost, runs that nobody holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, EntityTrait as _};
use souk_testkit::{Database, databases};
use souk_types::{
    Call, Caller, Credits, InstanceId, OfferingVersionId, OrgId, PartName, ProjectId, ReservationId, Scope,
    Trace, access::Reach, page::Page,
};
use tokio::sync::Notify;

use super::*;
use crate::{
    error::Error,
    model::{self, Bill, CreateRun, Delta, Entitlements, InstanceState, Limits, Progress, State, What},
};

const ORG: OrgId = OrgId::from_bits(1);
const PROJECT: ProjectId = ProjectId::from_bits(2);
const INSTANCE: InstanceId = InstanceId::from_bits(3);
const LEASE: Duration = Duration::from_secs(15);
const ORG_RUNS: u32 = 8;

#[expect(clippy::disallowed_methods, reason = "a test makes its own scopes")]
const fn scope(org: OrgId) -> Scope {
    Scope::grant(Reach::Org(org))
}

fn call(request_id: &str) -> Call {
    Call {
        rpc: "/souk.runs.v1.RunsService/CreateRun",
        caller: Caller::Anonymous,
        scope: scope(ORG),
        project_id: None,
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

fn to(limits: Limits) -> Entitlements {
    Entitlements {
        instance_id: INSTANCE,
        org_id: ORG,
        project_id: PROJECT,
        offering_version_id: OfferingVersionId::from_bits(4),
        state: InstanceState::Active,
        pause_reasons: Vec::new(),
        limits,
        effective_config: "{}".into(),
        artifact_hash: "00".into(),
    }
}

fn ask(input: &str) -> CreateRun {
    CreateRun { instance_id: INSTANCE, input: input.to_owned(), session_id: String::new() }
}

async fn stores() -> Vec<(Database, Store)> {
    let all = databases("runs", MIGRATIONS).await;
    all.into_iter()
        .map(|db| (Store::new((*db).clone(), LEASE, ORG_RUNS), db))
        .map(|(store, db)| (db, store))
        .collect()
}

async fn fresh(store: &Store, request_id: &str) -> Run {
    match store.create(&call(request_id), &to(Limits::default()), ask("hi")).await.unwrap() {
        Created::Fresh(run) => *run,
        Created::Earlier(run_id) => panic!("{run_id} was there before"),
    }
}

async fn start(store: &Store, run: &Run) -> Run {
    let step =
        |run: Run, _| Ok((run.started(ReservationId::from_bits(9), Credits::from_micros(7))?, Vec::new()));
    store.step("t.start", Hold::on(run), step).await.unwrap()
}

async fn end(store: &Store, run: &Run) -> Run {
    let step = |run: Run, now| {
        let mut progress = Progress::default();
        progress.usage.add("runs", 1).unwrap();
        let run = run.progressed(&progress)?.concluded(None)?;
        Ok((run.closed(Bill::default(), now)?, Vec::new()))
    };
    store.step("t.end", Hold::on(run), step).await.unwrap()
}

async fn refuse(store: &Store, run: &Run) -> Run {
    let no = || model::Error::new("INSUFFICIENT_CREDITS", "no");
    store.step("t.refuse", Hold::on(run), |run, now| Ok((run.refused(no(), now)?, Vec::new()))).await.unwrap()
}

async fn told(db: &Database) -> Vec<String> {
    db.outbox().number_turn().await.unwrap();
    let events = souk_types::event::Log::after(&db.outbox(), 0, 100).await.unwrap();
    let runs = events.into_iter().filter(|(_, event)| event.kind.starts_with("souk.runs.v1.Run"));
    runs.map(|(_, event)| event.kind.trim_start_matches("souk.runs.v1.").to_owned()).collect()
}

#[tokio::test]
async fn a_copy_finds_the_first_run_while_it_works_and_when_it_is_over() {
    for (db, store) in stores().await {
        let run = fresh(&store, "r").await;
        let again = || async { store.create(&call("r"), &to(Limits::default()), ask("hi")).await.unwrap() };
        assert_eq!(again().await, Created::Earlier(run.run_id), "{}", db.engine);
        let other = store.create(&call("r"), &to(Limits::default()), ask("other")).await;
        assert!(matches!(other, Err(Error::Db(souk_db::Error::RequestIdReused { .. }))), "{other:?}");
        let over = end(&store, &start(&store, &run).await).await;
        assert_eq!(again().await, Created::Earlier(run.run_id), "{}", db.engine);
        assert_eq!(store.earlier(&call("r"), &ask("hi")).await.unwrap(), Some(over.clone()));
        assert_eq!(store.earlier(&call("r"), &ask("other")).await.unwrap(), None);
        assert_eq!(store.get(&scope(ORG), run.run_id).await.unwrap(), over);
        assert!(told(&db).await.contains(&"RunSucceeded".to_owned()), "{}", db.engine);
    }
}

#[tokio::test]
async fn a_copy_finds_its_own_run_where_a_part_chose_the_same_id() {
    for (db, store) in stores().await {
        let person = fresh(&store, "r").await;
        let part = Call { caller: Caller::Part { part: PartName::Commerce, org: Some(ORG) }, ..call("r") };
        let other = || async { store.create(&part, &to(Limits::default()), ask("ho")).await.unwrap() };
        let Created::Fresh(run) = other().await else { panic!("a part's ids are its own") };
        assert_eq!(other().await, Created::Earlier(run.run_id), "{}", db.engine);
        let again = store.create(&call("r"), &to(Limits::default()), ask("hi")).await.unwrap();
        assert_eq!(again, Created::Earlier(person.run_id), "{}", db.engine);
    }
}

#[tokio::test]
async fn a_refusal_leaves_the_request_id_free() {
    for (db, store) in stores().await {
        let refused = refuse(&store, &fresh(&store, "r").await).await;
        assert_eq!(store.earlier(&call("r"), &ask("hi")).await.unwrap(), None);
        let second = fresh(&store, "r").await;
        assert_ne!(second.run_id, refused.run_id, "{}", db.engine);
        assert_eq!(store.get(&scope(ORG), refused.run_id).await.unwrap().state, State::Refused);
        assert_eq!(told(&db).await, ["RunRefused"], "{}", db.engine);
    }
}

#[tokio::test]
async fn who_lost_a_run_changes_nothing() {
    for (db, store) in stores().await {
        let run = start(&store, &fresh(&store, "r").await).await;
        assert!(store.take_over(10).await.unwrap().is_empty(), "{}: it is held", db.engine);
        db.clock.advance(LEASE / 2);
        store.renew(Hold::on(&run)).await.unwrap();
        db.clock.advance(LEASE / 2);
        assert!(store.take_over(10).await.unwrap().is_empty(), "{}: it is held still", db.engine);
        db.clock.advance(LEASE);
        let other = Store::new((*db).clone(), LEASE, ORG_RUNS);
        let taken = other.take_over(10).await.unwrap();
        assert_eq!(taken.len(), 1, "{}", db.engine);
        assert!(other.take_over(10).await.unwrap().is_empty(), "{}: once", db.engine);
        let late =
            store.step("t.late", Hold::on(&run), |run, _| Ok((run.concluded(None)?, Vec::new()))).await;
        assert!(matches!(late, Err(Error::Lost)), "{} {late:?}", db.engine);
        assert!(matches!(store.renew(Hold::on(&run)).await, Err(Error::Lost)));
        assert_eq!(store.get(&scope(ORG), run.run_id).await.unwrap(), taken[0]);
        assert_eq!(end(&other, &taken[0]).await.state, State::Succeeded);
        db.clock.advance(LEASE * 9);
        assert!(other.take_over(10).await.unwrap().is_empty(), "{}: it is over", db.engine);
    }
}

#[tokio::test]
async fn a_new_boot_takes_at_once_where_one_process_owns_the_file() {
    for (db, store) in stores().await {
        let run = fresh(&store, "r").await;
        let boot = Store::new((*db).clone(), LEASE, ORG_RUNS);
        let at_once = boot.take_over(10).await.unwrap().len();
        assert_eq!(at_once, usize::from(db.engine == "sqlite"), "{}", db.engine);
        if at_once == 0 {
            db.clock.advance(LEASE);
            assert_eq!(boot.take_over(10).await.unwrap().len(), 1, "{}", db.engine);
        }
        assert_eq!(store.get(&scope(ORG), run.run_id).await.unwrap().attempts, 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plans_limits_hold_for_runs_that_come_together() {
    for (db, store) in stores().await {
        let limits = Limits { concurrent_runs: 3, runs_per_minute: 5, input_bytes: 0 };
        let mut tasks = tokio::task::JoinSet::new();
        for place in 0..12 {
            let store = store.clone();
            tasks.spawn(
                async move { store.create(&call(&format!("r{place}")), &to(limits), ask("hi")).await },
            );
        }
        let mut made = Vec::new();
        for outcome in tasks.join_all().await {
            match outcome {
                Ok(Created::Fresh(run)) => made.push(*run),
                Err(Error::TooManyRuns { limit, .. }) => assert_eq!(limit, "concurrent_runs"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(made.len(), 3, "{}", db.engine);
        for run in &made {
            end(&store, &start(&store, run).await).await;
        }
        let one = |id: &'static str| {
            let store = store.clone();
            async move { store.create(&call(id), &to(limits), ask("hi")).await }
        };
        for id in ["a", "b"] {
            let Created::Fresh(run) = one(id).await.unwrap() else { panic!("not fresh") };
            end(&store, &start(&store, &run).await).await;
        }
        let over = one("c").await;
        assert!(matches!(over, Err(Error::TooManyRuns { limit: "runs_per_minute", .. })), "{over:?}");
        db.clock.advance(Duration::from_secs(61));
        assert!(one("c").await.is_ok(), "{}: a refused command's id is free", db.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_org_has_more_runs_at_work_than_its_share() {
    for (db, store) in stores().await {
        let mut made = Vec::new();
        for place in 0..ORG_RUNS {
            made.push(fresh(&store, &format!("r{place}")).await);
        }
        let one = |id: &'static str, org_id| {
            let store = store.clone();
            let call = Call { scope: scope(org_id), ..call(id) };
            async move { store.create(&call, &Entitlements { org_id, ..to(Limits::default()) }, ask("hi")).await }
        };
        let over = one("over", ORG).await;
        assert!(matches!(over, Err(Error::OrgBusy { allowed: ORG_RUNS })), "{over:?}");
        let again = store.create(&call("r0"), &to(Limits::default()), ask("hi")).await;
        assert_eq!(again.unwrap(), Created::Earlier(made[0].run_id), "a repeat takes no further place");
        let other = one("other", OrgId::from_bits(77)).await;
        assert!(matches!(other, Ok(Created::Fresh(_))), "{}: the others have theirs: {other:?}", db.engine);
        end(&store, &start(&store, &made[0]).await).await;
        assert!(matches!(one("over", ORG).await, Ok(Created::Fresh(_))), "{}", db.engine);
    }
}

/// Counts runs that were written down.
#[derive(Default)]
struct Written(AtomicUsize);

impl souk_db::CommitObserver for Written {
    fn after(&self, site: &'static str) {
        self.0.fetch_add(usize::from(site == "runs.create_run"), Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_a_limited_instance_are_counted_one_after_the_other() {
    for db in databases("runs", MIGRATIONS).await {
        let written = Arc::new(Written::default());
        let store = Store::new(db.observed(written.clone()).await.unwrap(), LEASE, ORG_RUNS);
        let limits = Limits { concurrent_runs: 1, ..Limits::default() };
        let (held, release) = (&Notify::new(), &Notify::new());
        // Stands where a run that is being counted stands.
        let holder = db.write("t.hold", |tx| async move {
            let gate = format!("INSERT INTO run_gate (instance_id) VALUES ('{INSTANCE}')");
            tx.execute_unprepared(&gate).await?;
            held.notify_one();
            release.notified().await;
            Ok::<_, souk_db::Error>(())
        });
        let meanwhile = async {
            held.notified().await;
            let other = store.clone();
            let mut create = tokio::task::JoinSet::new();
            create.spawn(async move { other.create(&call("r"), &to(limits), ask("hi")).await });
            // Time enough for a create that waits for nobody.
            for _ in 0..100 {
                store.list(&scope(ORG), (PROJECT, None), &Page::first()).await.unwrap();
            }
            assert_eq!(written.0.load(Ordering::SeqCst), 0, "{}", db.engine);
            release.notify_one();
            create.join_next().await.unwrap().unwrap().unwrap();
        };
        tokio::join!(async { holder.await.unwrap() }, meanwhile);
        assert_eq!(written.0.load(Ordering::SeqCst), 1, "{}", db.engine);
    }
}

#[tokio::test]
async fn every_step_renews_the_hold_and_a_hold_that_ran_out_is_lost_to_the_same_boot_too() {
    for (db, store) in stores().await {
        let run = fresh(&store, "r").await;
        db.clock.advance(LEASE * 2 / 3);
        let run = start(&store, &run).await;
        db.clock.advance(LEASE * 2 / 3);
        assert!(store.take_over(10).await.unwrap().is_empty(), "{}", db.engine);
        db.clock.advance(LEASE);
        assert_eq!(store.take_over(10).await.unwrap().len(), 1, "{}", db.engine);
        let late =
            store.step("t.late", Hold::on(&run), |run, _| Ok((run.concluded(None)?, Vec::new()))).await;
        assert!(matches!(late, Err(Error::Lost)), "{} {late:?}", db.engine);
        assert!(matches!(store.renew(Hold::on(&run)).await, Err(Error::Lost)), "{}", db.engine);
    }
}

#[tokio::test]
async fn events_come_in_order_and_lists_are_cut() {
    for (db, store) in stores().await {
        let run = start(&store, &fresh(&store, "r").await).await;
        let long = "x".repeat(3000);
        let mut progress = Progress::default();
        for text in ["a", "b"] {
            progress.add(Delta { component_id: "c".into(), text: text.into() });
        }
        progress.outputs.push(model::Output {
            component_id: "c".into(),
            display_name: "C".into(),
            text: long.clone(),
        });
        let step = |run: Run, _| Ok((run.progressed(&progress)?, progress.pieces.clone()));
        store.step("t.record", Hold::on(&run), step).await.unwrap();
        let (now, events) = store.events(&scope(ORG), (run.run_id, 0), 10).await.unwrap();
        assert_eq!(now.sequence, 3, "{}", db.engine);
        assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [1, 2, 3]);
        let piece = Delta { component_id: "c".into(), text: "ab".into() };
        assert_eq!(events[2].what, What::Piece(piece));
        assert_eq!(store.events(&scope(ORG), (run.run_id, 1), 1).await.unwrap().1, events[1..2]);
        db.clock.advance(Duration::from_millis(5));
        let newer = fresh(&store, "r2").await;
        let page = Page { size: 1, after: String::new() };
        let listed = store.list(&scope(ORG), (PROJECT, Some(INSTANCE)), &page).await.unwrap();
        assert_eq!(listed.items[0].run_id, newer.run_id, "{}: newest first", db.engine);
        let page = Page { size: 9, after: listed.next.unwrap() };
        let listed = store.list(&scope(ORG), (PROJECT, None), &page).await.unwrap();
        assert_eq!((listed.items.len(), listed.next), (1, None));
        assert_eq!((listed.items[0].output.len(), listed.items[0].outputs.len()), (512, 0));
        assert_eq!(store.get(&scope(ORG), run.run_id).await.unwrap().output, long);
    }
}

#[tokio::test]
async fn another_org_sees_nothing() {
    for (db, store) in stores().await {
        let run = fresh(&store, "r").await;
        let foreign = scope(OrgId::from_bits(99));
        assert!(matches!(store.get(&foreign, run.run_id).await, Err(Error::RunNotFound)), "{}", db.engine);
        assert!(matches!(store.events(&foreign, (run.run_id, 0), 9).await, Err(Error::RunNotFound)));
        let page = Page::first();
        assert!(store.list(&foreign, (PROJECT, None), &page).await.unwrap().items.is_empty());
        let call = Call { scope: foreign, ..call("r") };
        assert_eq!(store.earlier(&call, &ask("hi")).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_an_error() {
    for (db, store) in stores().await {
        let run = fresh(&store, "r").await;
        let spoil = row::run::ActiveModel {
            run_id: sea_orm::ActiveValue::Set(run.run_id.to_string()),
            state: sea_orm::ActiveValue::Set("DREAMING".to_owned()),
            ..Default::default()
        };
        let done = db
            .write("t.spoil", |tx| {
                let spoil = spoil.clone();
                async move {
                    row::run::Entity::update(spoil).exec(&tx).await?;
                    Ok::<_, souk_db::Error>(())
                }
            })
            .await;
        done.unwrap();
        let read = store.get(&scope(ORG), run.run_id).await;
        assert!(matches!(read, Err(Error::Db(souk_db::Error::Value { what: "state", .. }))), "{read:?}");
    }
}
