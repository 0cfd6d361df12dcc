//! Many instances, old rows, and rows that nothing can be done with.

use sea_orm::QueryTrait as _;
use souk_types::id::OfferingId;

use super::*;
use crate::{
    model::{Levels, PauseReason},
    store::{
        follow::{Of, next_of},
        rows::FIRST,
    },
};

const OFFERING: OfferingId = OfferingId::from_bits(51);

async fn in_state(store: &Store, state: State) -> i64 {
    count(store, &format!("instance WHERE state = '{}'", state.as_str())).await
}

/// So many instances that serve, written past the commands.
async fn crowd(store: &Store, size: usize) {
    let (patience, now) = (&PATIENCE, store.now());
    let made: Vec<_> = (0..size)
        .map(|_| {
            let mut made = Instance::requested(draft(store, false), patience, now);
            made.account_opened(patience, now);
            made.applied(1, patience, now);
            row(&made).unwrap()
        })
        .collect();
    for some in made.chunks(500) {
        let write = |tx: Tx| async move {
            let put = instance::Entity::insert_many(some.to_vec()).exec_without_returning(&tx).await;
            put.map(|_| ()).map_err(souk_db::Error::from)
        };
        store.db.write("instances.test", write).await.unwrap();
    }
}

#[tokio::test]
async fn a_sweep_goes_in_batches_and_begins_again_when_the_wind_turns() {
    for database in all().await {
        let store = store(&database);
        crowd(&store, 25).await;
        let wallet = |depleted| News::Wallet { org_id: ORG, depleted };
        store.take("billing", 1, wallet(true)).await.unwrap();
        assert_eq!(in_state(&store, State::Paused).await, 0, "the news itself touches none");
        assert!(store.sweep(10).await.unwrap());
        assert_eq!(in_state(&store, State::Paused).await, 10, "{}: a batch at a time", database.engine);
        store.take("billing", 2, wallet(false)).await.unwrap();
        assert_eq!(swept(&store, 10).await, 3);
        assert_eq!(in_state(&store, State::Active).await, 25);
        assert_eq!(count(&store, "instance_event").await, 20, "ten were paused and resumed");
        store.take("billing", 3, wallet(true)).await.unwrap();
        store.take("catalog", 1, News::Offering { offering_id: OFFERING, turn: Turn::Paused }).await.unwrap();
        swept(&store, 10).await;
        store.take("billing", 4, wallet(false)).await.unwrap();
        swept(&store, 10).await;
        let held = count(&store, "instance WHERE pause_reasons = 'OFFERING_PAUSED'").await;
        assert_eq!(held, 25, "{}: a top-up takes its own reason only", database.engine);
        store
            .take("catalog", 2, News::Offering { offering_id: OFFERING, turn: Turn::Resumed })
            .await
            .unwrap();
        let other = News::Offering { offering_id: OfferingId::from_bits(404), turn: Turn::Ended };
        store.take("catalog", 3, other).await.unwrap();
        swept(&store, 10).await;
        assert_eq!(in_state(&store, State::Active).await, 25);
        assert_eq!(count(&store, "sweep").await, 0);
        store.take("catalog", 4, News::Offering { offering_id: OFFERING, turn: Turn::Ended }).await.unwrap();
        swept(&store, 10).await;
        assert_eq!(in_state(&store, State::Terminating).await, 25);
    }
}

#[tokio::test]
async fn sweeps_of_two_replicas_do_each_batch_once() {
    for database in all().await {
        let store = store(&database);
        crowd(&store, 30).await;
        store.take("billing", 1, News::Wallet { org_id: ORG, depleted: true }).await.unwrap();
        let turns = (0..4).map(|_| async {
            let mut guard = 0;
            while store.sweep(5).await.unwrap() && guard < 50 {
                guard += 1;
            }
        });
        futures::future::join_all(turns).await;
        swept(&store, 5).await;
        assert_eq!(in_state(&store, State::Paused).await, 30, "{}", database.engine);
        assert_eq!(count(&store, "instance_event").await, 30, "each was told once");
    }
}

#[tokio::test]
async fn what_is_made_while_something_holds_it_is_held_from_the_start() {
    for database in all().await {
        let store = store(&database);
        store.take("billing", 1, News::Wallet { org_id: ORG, depleted: true }).await.unwrap();
        let end = store.now() + Duration::from_secs(60);
        let ending = News::Offering { offering_id: OFFERING, turn: Turn::Ending(end) };
        store.take("catalog", 1, ending).await.unwrap();
        let id = store.create(&call("r"), &"c", draft(&store, false)).await.unwrap();
        let made = store.get(&for_every_tenant(), id).await.unwrap();
        assert!(made.stand.reasons().contains(PauseReason::WalletDepleted), "{}", database.engine);
        assert_eq!(made.end_time, Some(end));
        database.clock.advance(Duration::from_secs(60));
        assert!(
            store.due(10).await.unwrap().iter().any(|due| due.instance_id == id && due.is_over(store.now()))
        );
    }
}

/// Ten thousand in one org: a turn reads and writes a batch, by an index.
#[tokio::test]
async fn a_turn_is_bounded_however_many_there_are() {
    let database = souk_testkit::database::sqlite("instances", MIGRATIONS).await;
    let store = store(&database);
    crowd(&store, 10_000).await;
    assert!(store.due(64).await.unwrap().is_empty(), "what is as it should be is not looked at");
    store.take("billing", 1, News::Wallet { org_id: ORG, depleted: true }).await.unwrap();
    assert!(store.sweep(100).await.unwrap());
    assert_eq!(in_state(&store, State::Paused).await, 100);
    database.clock.advance(PATIENCE.look_again);
    assert_eq!(store.due(64).await.unwrap().len(), 64);
    let (org, offering) = (ORG.to_string(), OFFERING.to_string());
    for (query, index) in [
        (due_at(store.now(), 64), "instance_due"),
        (next_of((Of::Org.as_str(), &org), "", 100), "instance_of_org"),
        (next_of((Of::Offering.as_str(), &offering), "", 100), "instance_of_offering"),
    ] {
        let built = query.build(store.db.backend());
        let sql = format!("EXPLAIN QUERY PLAN {}", built.sql);
        let explain = Statement::from_sql_and_values(store.db.backend(), sql, built.values.unwrap().0);
        let plan: Vec<String> = store
            .db
            .read()
            .query_all_raw(explain)
            .await
            .unwrap()
            .iter()
            .map(|row| row.try_get("", "detail").unwrap())
            .collect();
        assert!(plan.len() == 1 && plan[0].contains(index), "{index}: {plan:?}");
    }
}

#[tokio::test]
async fn rows_that_nothing_can_be_done_with_do_not_stand_before_the_others() {
    for database in all().await {
        let store = store(&database);
        for place in 0..3 {
            let bent = store.create(&call(&format!("r-{place}")), &"c", draft(&store, false)).await.unwrap();
            let bend = |tx: Tx| async move {
                let sql = "UPDATE instance SET pins = '{' WHERE instance_id = $1";
                let bend =
                    Statement::from_sql_and_values(tx.get_database_backend(), sql, [bent.to_string().into()]);
                tx.execute_raw(bend).await.map_err(souk_db::Error::from).map(|_| ())
            };
            store.db.write("instances.test", bend).await.unwrap();
        }
        database.clock.advance(Duration::from_millis(1));
        let good = store.create(&call("r-9"), &"c", draft(&store, false)).await.unwrap();
        assert!(store.due(3).await.unwrap().is_empty(), "{}", database.engine);
        let due: Vec<_> = store.due(3).await.unwrap().iter().map(|due| due.instance_id).collect();
        assert_eq!(due, [good], "they rest meanwhile");
        store.take("billing", 1, News::Wallet { org_id: ORG, depleted: true }).await.unwrap();
        swept(&store, 2).await;
        let held = store.get(&for_every_tenant(), good).await.unwrap();
        assert!(held.stand.reasons().contains(PauseReason::WalletDepleted), "swept over, not stuck at");
    }
}

#[tokio::test]
async fn a_command_acts_once_and_is_answered_as_the_first_time() {
    for database in all().await {
        let store = store(&database);
        let one = served(&store).await;
        let id = one.instance_id;
        let pause = |instance: &mut Instance, patience: &Patience, now| {
            Ok(instance.pause(PauseReason::Manual, "me", patience, now)?)
        };
        let (first, second) = (call("p-1"), call("p-2"));
        let asks = (0..8).map(|_| store.command("instances.pause", (&first, id), &"pause", pause));
        let answers: Vec<_> =
            futures::future::join_all(asks).await.into_iter().map(|answer| answer.unwrap()).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{}", database.engine);
        let resume = |instance: &mut Instance, patience: &Patience, now| {
            Ok(instance.resume(PauseReason::Manual, "me", patience, now)?)
        };
        store.command("instances.resume", (&second, id), &"resume", resume).await.unwrap();
        let late = store.command("instances.pause", (&first, id), &"pause", pause).await.unwrap();
        assert_eq!(late, answers[0], "the first answer");
        assert_eq!(store.get(&for_every_tenant(), id).await.unwrap().state(), State::Active);
        let other = store.command("instances.pause", (&first, id), &"other", pause).await;
        assert!(matches!(other, Err(Error::Db(souk_db::Error::RequestIdReused { .. }))));
        let refuse = |_: &mut Instance, _: &Patience, _| Err(Error::Held(Default::default()));
        let third = call("p-3");
        assert!(store.command("instances.pause", (&third, id), &"c", refuse).await.is_err());
        assert!(store.command("instances.pause", (&third, id), &"d", pause).await.is_ok(), "the id was free");
        let events = store.events(&for_every_tenant(), id, &Page::first()).await.unwrap();
        let kinds: Vec<_> = events.items.iter().map(|event| event.happening.as_str()).collect();
        assert_eq!(kinds[..3], ["Paused", "Resumed", "Paused"], "{}: newest first", database.engine);
    }
}

#[tokio::test]
async fn rows_of_before_serve_on_and_are_looked_at_again() {
    for database in souk_testkit::databases("instances", &[FIRST]).await {
        let (db, id) = (&*database, InstanceId::new(database.now(), database.random()));
        let pins = r#"{"offeringId":"@off","offeringVersionId":"@ofv","planId":"@pln","offeringSlug":"s",
            "planSlug":"free","artifactHash":"aa","priceScheduleHash":"bb","capabilities":["chat","rag"],
            "limits":{"runsPerMinute":1,"inputBytes":2,"concurrentRuns":3},
            "effectiveConfig":{"rag":{"top_k":5}}}"#;
        let pins = pins.replace("@off", &OFFERING.to_string());
        let pins = pins.replace("@ofv", &OfferingVersionId::from_bits(52).to_string());
        let pins = pins.replace("@pln", &PlanId::from_bits(61).to_string());
        let holds = r#"{"status":"True","reason":"Done","message":"done","transitionTime":1}"#;
        let conditions = format!(r#"{{"accountOpen":{holds},"committed":{holds},"applied":{holds}}}"#);
        let write = |tx: Tx| {
            let values = [
                id.to_string().into(),
                ORG.to_string().into(),
                PROJECT.to_string().into(),
                OFFERING.to_string().into(),
                pins.clone().into(),
                conditions.clone().into(),
            ];
            let sql =
                "INSERT INTO instance (instance_id, org_id, project_id, offering_id, offering_version_id,
                plan_id, pins, source_ref, automatic, state, pause_reasons, conditions, events, event_count,
                revision, attempts, failures, create_time, update_time, version) VALUES
                ($1, $2, $3, $4, 'ofv', 'pln', $5, '', TRUE, 'ACTIVE', '', $6, '[]', 0, 1, 0, 0, 5, 6, 4)";
            async move {
                let put = Statement::from_sql_and_values(tx.get_database_backend(), sql, values);
                tx.execute_raw(put).await.map_err(souk_db::Error::from).map(|_| ())
            }
        };
        db.write("instances.test", write).await.unwrap();
        let deps = souk_db::Deps::new(database.clock.clone(), database.random.clone());
        let db = Db::migrate("instances", database.target.clone(), deps, MIGRATIONS).await.unwrap();
        let store = Store::new(db, PATIENCE);
        let found = store.get(&for_every_tenant(), id).await.unwrap();
        assert_eq!((found.state(), found.served().0, found.pending()), (State::Active, 1, vec![]));
        assert_eq!(found.capabilities(), ["chat", "rag"], "{}", database.engine);
        assert_eq!(found.served().1["rag"]["top_k"], 5);
        assert_eq!(store.due(10).await.unwrap(), [found], "it is looked at once");
        let align = |instance: &mut Instance, patience: &Patience, now| {
            instance.align(&Levels::default(), patience, now);
            instance.pause(PauseReason::Manual, "me", patience, now).unwrap();
        };
        let paused = store.let_happen("instances.test", id, align).await.unwrap();
        assert_eq!((paused.state(), paused.gate.step), (State::Paused, 1));
        assert_eq!(store.get(&for_every_tenant(), id).await.unwrap(), paused);
    }
}
