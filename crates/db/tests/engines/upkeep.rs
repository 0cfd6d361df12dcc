//! What is held and what is forgotten: writers wait in their order, followers hear where the log begins.

use std::{sync::Arc, time::Duration};

use souk_db::{Db, Deps, Error, outbox};
use souk_testkit::Database;
use souk_types::{Clock as _, Reason, event::Log as _};
use tokio::sync::mpsc;

use super::{add, all, log::event, notes};

/// Lets everything that can run do so.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

async fn put_one(db: &Db) {
    let told = event(db, "a", 1);
    let done: Result<(), Error> = db
        .write("t.put", |tx| {
            let told = &told;
            async move { outbox::put(&tx, told).await }
        })
        .await;
    done.unwrap();
    db.outbox().number_turn().await.unwrap();
}

/// A write that notes its name, and says so when it is committed.
fn writer(
    db: &Db,
    name: &'static str,
    done: &mpsc::UnboundedSender<&'static str>,
) -> tokio::task::JoinHandle<()> {
    let (db, done) = (db.clone(), done.clone());
    tokio::spawn(async move {
        let wrote: Result<(), Error> = db.write("t.add", |tx| async move { add(&tx, name).await }).await;
        wrote.unwrap();
        done.send(name).unwrap();
    })
}

#[tokio::test]
async fn writers_wait_in_their_order_while_a_holder_holds_and_reads_go_on() {
    for db in all().await {
        let (done, mut heard) = mpsc::unbounded_channel();
        let hold = db.hold_writes().await.unwrap();
        let mut tasks = Vec::new();
        for name in ["a", "b", "c"] {
            tasks.push(writer(&db, name, &done));
            settle().await;
        }
        assert_eq!(notes(&db).await, 0, "{}", db.engine);
        assert!(heard.try_recv().is_err() && tasks.iter().all(|task| !task.is_finished()), "{}", db.engine);
        drop(hold);
        let mut order = Vec::new();
        for _ in 0..3 {
            order.push(heard.recv().await.unwrap());
        }
        if db.engine == "sqlite" {
            assert_eq!(order, ["a", "b", "c"]);
        }
        assert_eq!(notes(&db).await, 3, "{}", db.engine);
    }
}

#[tokio::test]
async fn a_holder_waits_for_the_write_under_way_and_a_second_holder_for_the_first() {
    for db in all().await {
        let (inside, entered) = tokio::sync::oneshot::channel();
        let (inside, go_on) = (std::sync::Mutex::new(Some(inside)), Arc::new(tokio::sync::Notify::new()));
        let (slow, gate) = ((*db).clone(), Arc::clone(&go_on));
        let slow = tokio::spawn(async move {
            let wrote: Result<(), Error> = slow
                .write("t.slow", |tx| {
                    let (inside, gate) = (&inside, &gate);
                    async move {
                        inside.lock().unwrap().take().unwrap().send(()).unwrap();
                        gate.notified().await;
                        add(&tx, "slow").await
                    }
                })
                .await;
            wrote.unwrap();
        });
        entered.await.unwrap();
        let held = {
            let db = (*db).clone();
            tokio::spawn(async move { db.hold_writes().await.unwrap() })
        };
        settle().await;
        assert!(!held.is_finished(), "{}: a write is under way", db.engine);
        go_on.notify_one();
        slow.await.unwrap();
        let first = held.await.unwrap();
        assert_eq!(notes(&db).await, 1, "{}", db.engine);
        let second = {
            let db = (*db).clone();
            tokio::spawn(async move { db.hold_writes().await.unwrap() })
        };
        settle().await;
        assert!(!second.is_finished(), "{}: one holder at a time", db.engine);
        drop(first);
        drop(second.await.unwrap());
        let wrote: Result<(), Error> = db.write("t.add", |tx| async move { add(&tx, "z").await }).await;
        wrote.unwrap();
    }
}

/// A handle of the same database that keeps events for a day only.
async fn short_lived(db: &Database) -> Db {
    let deps =
        Deps { keep_events: Duration::from_secs(86_400), ..Deps::new(db.clock.clone(), db.random.clone()) };
    Db::open("notes", db.target.clone(), deps, super::NOTES).await.unwrap()
}

#[tokio::test]
async fn old_events_go_without_a_gap_and_nobody_misses_them_in_silence() {
    for db in all().await {
        let short = short_lived(&db).await;
        for _ in 0..3 {
            put_one(&db).await;
        }
        db.clock.advance(Duration::from_secs(100_000));
        put_one(&db).await;
        let log = short.outbox();
        assert!(!log.forget().await.unwrap(), "{}: all in one turn", db.engine);
        for behind in [0, 1, 2] {
            let fault = log.after(behind, 10).await.unwrap_err();
            assert_eq!(fault.reason, Reason::EventsForgotten, "{} {behind}", db.engine);
            assert!(fault.metadata.iter().any(|(key, value)| *key == "floor" && value == "3"), "{fault:?}");
        }
        let left = log.after(3, 10).await.unwrap();
        assert_eq!(left.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [4], "{}", db.engine);
        assert!(log.after(4, 10).await.unwrap().is_empty());
        // When all is forgotten the floor still stands, and positions go on where they were.
        db.clock.advance(Duration::from_secs(100_000));
        log.forget().await.unwrap();
        assert_eq!(log.after(3, 10).await.unwrap_err().reason, Reason::EventsForgotten, "{}", db.engine);
        assert!(log.after(4, 10).await.unwrap().is_empty());
        put_one(&db).await;
        assert_eq!(log.after(4, 10).await.unwrap()[0].0, 5, "{}", db.engine);
        let _ = db.clock.now();
    }
}

#[tokio::test]
async fn what_has_no_position_yet_is_never_forgotten() {
    for db in all().await {
        let short = short_lived(&db).await;
        let told = event(&db, "a", 1);
        let done: Result<(), Error> = db
            .write("t.put", |tx| {
                let told = &told;
                async move { outbox::put(&tx, told).await }
            })
            .await;
        done.unwrap();
        db.clock.advance(Duration::from_secs(100_000));
        short.outbox().forget().await.unwrap();
        db.outbox().number_turn().await.unwrap();
        assert_eq!(db.outbox().after(0, 10).await.unwrap().len(), 1, "{}", db.engine);
    }
}
