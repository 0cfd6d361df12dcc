//! Events and those who follow them: nothing lost below a cursor, nothing twice.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use souk_db::{Db, Error, cursor, outbox};
use souk_types::{
    Event,
    event::Log as _,
    id::{EventId, OrgId},
};
use tokio::sync::Barrier;

use super::{add, all, notes};

pub(crate) fn event(db: &Db, noun: &str, seq: i64) -> Event {
    Event {
        event_id: EventId::new(db.now(), db.random()),
        kind: "souk.notes.v1.NoteAdded".to_owned(),
        org_id: Some(OrgId::from_bits(7)),
        aggregate_id: noun.to_owned(),
        aggregate_seq: seq,
        occur_time: db.now(),
        actor: "user:1".to_owned(),
        trace: "t".to_owned(),
        payload: serde_json::json!({"text": "ü 🎉", "n": 9_007_199_254_740_993_i64}),
    }
}

async fn put(db: &Db, events: &[Event]) {
    let done: Result<(), Error> = db
        .write("t.put", |tx| async move {
            for event in events {
                outbox::put(&tx, event).await?;
            }
            Ok(())
        })
        .await;
    done.unwrap();
}

#[tokio::test]
async fn an_event_comes_back_as_it_was_put_and_only_once_numbered() {
    for db in all().await {
        let told = event(&db, "a", 1);
        let mut bell = db.bell();
        put(&db, std::slice::from_ref(&told)).await;
        assert_eq!(&*bell.try_recv().unwrap(), outbox::TOPIC, "the numberer is woken");
        assert!(db.outbox().after(0, 10).await.unwrap().is_empty(), "{}", db.engine);
        assert_eq!(db.outbox().number_turn().await.unwrap(), 1);
        assert_eq!(db.outbox().after(0, 10).await.unwrap(), [(1, told)], "{}", db.engine);
        assert_eq!(db.outbox().number_turn().await.unwrap(), 0);
        assert_eq!(db.outbox().head().await.unwrap(), 1);
        assert!(db.outbox().after(1, 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn events_put_together_keep_the_order_in_which_they_were_put() {
    for db in all().await {
        // More than one statement carries, all of one version of one noun.
        let told: Vec<Event> = (0..1_203).map(|_| event(&db, "a", 1)).rev().collect();
        let done: Result<(), Error> = db
            .write("t.put_all", |tx| {
                let told = &told;
                async move { outbox::put_all(&tx, told).await }
            })
            .await;
        done.unwrap();
        while db.outbox().number_turn().await.unwrap() > 0 {}
        let log = db.outbox().after(0, 2_000).await.unwrap();
        let order: Vec<_> = log.into_iter().map(|(_, event)| event.event_id).collect();
        assert_eq!(order, told.iter().map(|event| event.event_id).collect::<Vec<_>>(), "{}", db.engine);
    }
}

#[tokio::test]
async fn a_follower_of_a_newer_log_than_this_one_is_told() {
    for db in all().await {
        put(&db, &[event(&db, "a", 1)]).await;
        db.outbox().number_turn().await.unwrap();
        assert!(db.outbox().after(1, 10).await.unwrap().is_empty(), "{}", db.engine);
        let fault = db.outbox().after(2, 10).await.unwrap_err();
        assert!(chain(&fault).contains("stands at 2, the log ends at 1"), "{}", chain(&fault));
    }
}

/// What the log of the process says of a fault.
fn chain(fault: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(fault), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn a_nouns_events_are_numbered_in_its_order_also_across_full_turns() {
    for db in all().await {
        // All in one millisecond: the ids alone are in random order.
        let events: Vec<_> = (0..600).map(|n| event(&db, &format!("noun-{}", n % 3), n / 3)).collect();
        put(&db, &events).await;
        let mut numbered = 0;
        while numbered < 600 {
            let turn = db.outbox().number_turn().await.unwrap();
            assert!(turn > 0, "{}", db.engine);
            numbered += turn;
        }
        let log = db.outbox().after(0, 1000).await.unwrap();
        let positions: Vec<_> = log.iter().map(|(position, _)| *position).collect();
        assert_eq!(positions, (1..=600).collect::<Vec<_>>(), "{}", db.engine);
        let mut lives: BTreeMap<&str, i64> = BTreeMap::new();
        for (_, event) in &log {
            let next = lives.entry(&event.aggregate_id).or_default();
            assert_eq!(event.aggregate_seq, *next, "{} {}", db.engine, event.aggregate_id);
            *next += 1;
        }
    }
}

#[tokio::test]
async fn events_of_one_write_and_noun_keep_the_order_in_which_they_were_put() {
    for db in all().await {
        let events: Vec<_> = (0..20).map(|_| event(&db, "a", 1)).collect();
        put(&db, &events).await;
        db.outbox().number_turn().await.unwrap();
        let log: Vec<_> =
            db.outbox().after(0, 100).await.unwrap().into_iter().map(|(_, event)| event).collect();
        assert_eq!(log, events, "{}", db.engine);
    }
}

/// PostgreSQL alone has two writers at once: one puts, and commits only after the numberer went by.
#[tokio::test]
async fn a_late_commit_gets_a_late_position() {
    let Some(db) = souk_testkit::database::postgres("notes", super::NOTES).await else { return };
    let (early, late) = (event(&db, "early", 1), event(&db, "late", 1));
    let (put_late, go_on) = (Barrier::new(2), Barrier::new(2));
    let slow = db.write("t.late", |tx| {
        let (late, put_late, go_on) = (&late, &put_late, &go_on);
        async move {
            outbox::put(&tx, late).await?;
            put_late.wait().await;
            go_on.wait().await;
            Ok::<_, Error>(())
        }
    });
    let meanwhile = async {
        put_late.wait().await;
        put(&db, std::slice::from_ref(&early)).await;
        assert_eq!(db.outbox().number_turn().await.unwrap(), 1);
        let seen = db.outbox().after(0, 10).await.unwrap();
        go_on.wait().await;
        seen
    };
    let (committed, seen) = tokio::join!(slow, meanwhile);
    committed.unwrap();
    assert_eq!(seen, [(1, early)]);
    assert_eq!(db.outbox().number_turn().await.unwrap(), 1);
    assert_eq!(db.outbox().after(1, 10).await.unwrap(), [(2, late)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_misses_nothing_while_many_write_and_two_number() {
    const WRITERS: i64 = 8;
    const EACH: i64 = 15;
    for db in all().await {
        let over = Arc::new(AtomicBool::new(false));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let db = (*db).clone();
            writers.spawn(async move {
                for seq in 0..EACH {
                    put(&db, &[event(&db, &format!("w{writer}"), seq)]).await;
                }
            });
        }
        let mut numberers = tokio::task::JoinSet::new();
        for handle in [(*db).clone(), db.again().await.unwrap()] {
            let over = over.clone();
            numberers.spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    handle.outbox().number_turn().await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        let (mut at, mut lives) = (0, BTreeMap::<String, i64>::new());
        while at < WRITERS * EACH {
            db.outbox().wait(at).await;
            for (position, event) in db.outbox().after(at, 7).await.unwrap() {
                assert_eq!(position, at + 1, "{}: no gap", db.engine);
                at = position;
                let next = lives.entry(event.aggregate_id).or_default();
                assert_eq!(event.aggregate_seq, *next, "{}", db.engine);
                *next += 1;
            }
        }
        over.store(true, Ordering::SeqCst);
        writers.join_all().await;
        numberers.join_all().await;
    }
}

#[tokio::test]
async fn waiting_ends_when_another_process_numbers() {
    for db in all().await {
        put(&db, &[event(&db, "a", 1)]).await;
        let other = db.again().await.unwrap();
        let (outbox, elsewhere) = (db.outbox(), other.outbox());
        let ((), numbered) = tokio::join!(outbox.wait(0), elsewhere.number_turn());
        assert_eq!(numbered.unwrap(), 1, "{}", db.engine);
    }
}

#[tokio::test]
async fn a_cursor_moves_with_its_effect_and_a_second_consumer_finds_it_gone() {
    for db in all().await {
        assert_eq!(cursor::get(db.read(), "catalog").await.unwrap(), 0);
        let take = |note: &'static str, from: i64, to: i64| {
            db.write("t.take", move |tx| async move {
                add(&tx, note).await?;
                cursor::advance(&tx, "catalog", from, to).await
            })
        };
        let first: Result<(), Error> = take("a", 0, 5).await;
        first.unwrap();
        for (from, to) in [(0, 5), (0, 9), (3, 9), (5, 4)] {
            let second: Result<(), Error> = take("b", from, to).await;
            assert!(matches!(second, Err(Error::CursorMoved { .. })), "{} {from} {second:?}", db.engine);
        }
        let next: Result<(), Error> = take("c", 5, 6).await;
        next.unwrap();
        assert_eq!(cursor::get(db.read(), "catalog").await.unwrap(), 6);
        assert_eq!(cursor::get(db.read(), "tenancy").await.unwrap(), 0);
        assert_eq!(notes(&db).await, 2, "{}", db.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_consumers_that_race_for_a_batch_one_wins() {
    for db in all().await {
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..6 {
            let db = (*db).clone();
            tasks.spawn(async move {
                let id = &task.to_string();
                let taken: Result<(), Error> = db
                    .write("t.race", |tx| async move {
                        add(&tx, id).await?;
                        cursor::advance(&tx, "catalog", 0, 3).await
                    })
                    .await;
                taken.is_ok()
            });
        }
        let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!((won, notes(&db).await), (1, 1), "{}", db.engine);
    }
}

#[tokio::test]
async fn the_numberers_loop_takes_all_there_is_and_wakes_for_more() {
    for db in all().await {
        let mut numberer = db.outbox().numberer();
        for round in 0..3 {
            put(&db, &[event(&db, "a", 2 * round), event(&db, "a", 2 * round + 1)]).await;
            assert_eq!(numberer.turn().await.unwrap(), 2, "{}", db.engine);
        }
        assert_eq!(db.outbox().head().await.unwrap(), 6, "{}", db.engine);
    }
}
