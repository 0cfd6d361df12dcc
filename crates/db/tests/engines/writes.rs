//! Commit, rollback, retry, bells, observers, full disks and kills.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use souk_db::{CommitObserver, Error, Target, Tx};
use tokio::sync::Barrier;

use super::{add, all, bump, notes, number};

#[tokio::test]
async fn ok_commits_and_an_error_leaves_nothing() {
    for db in all().await {
        let stood: Result<i64, Error> =
            db.write("t.ok", |tx| async move { add(&tx, "a").await.map(|()| 7) }).await;
        assert_eq!(stood.unwrap(), 7, "{}", db.engine);
        let failed: Result<(), Error> = db
            .write("t.error", |tx| async move {
                add(&tx, "b").await?;
                Err(Error::Target("no".to_owned()))
            })
            .await;
        assert!(matches!(failed, Err(Error::Target(_))), "{}", db.engine);
        assert_eq!(notes(&db).await, 1, "{}", db.engine);
    }
}

#[tokio::test]
async fn a_second_row_with_the_same_key_is_told_apart() {
    for db in all().await {
        let twice: Result<(), Error> = db
            .write("t.twice", |tx| async move {
                add(&tx, "a").await?;
                add(&tx, "a").await
            })
            .await;
        assert!(matches!(twice, Err(Error::Duplicate(_))), "{} {twice:?}", db.engine);
        assert_eq!(notes(&db).await, 0, "{}", db.engine);
    }
}

#[tokio::test]
async fn a_swallowed_failure_does_not_commit() {
    for db in all().await {
        let swallowed: Result<(), Error> = db
            .write("t.swallow", |tx| async move {
                add(&tx, "a").await?;
                let _ignored = add(&tx, "a").await;
                Ok(())
            })
            .await;
        assert!(matches!(swallowed, Err(Error::TransactionSpoiled { site: "t.swallow" })), "{}", db.engine);
        assert_eq!(notes(&db).await, 0, "{}", db.engine);
    }
}

#[tokio::test]
async fn a_handle_that_outlives_its_write_fails_it_and_is_dead() {
    for db in all().await {
        let kept: Arc<Mutex<Option<Tx>>> = Arc::default();
        let leaked: Result<(), Error> = db
            .write("t.leak", |tx| {
                let kept = kept.clone();
                async move {
                    add(&tx, "a").await?;
                    *kept.lock().unwrap() = Some(tx);
                    Ok(())
                }
            })
            .await;
        assert!(matches!(leaked, Err(Error::TransactionLeaked { .. })), "{}", db.engine);
        let tx = kept.lock().unwrap().take().unwrap();
        assert!(add(&tx, "b").await.is_err());
        let next: Result<(), Error> = db.write("t.next", |tx| async move { add(&tx, "c").await }).await;
        next.unwrap();
        assert_eq!(notes(&db).await, 1, "{}", db.engine);
    }
}

/// Two writers that take two rows in opposite order: PostgreSQL ends one of them, which tries again.
#[tokio::test]
async fn the_loser_of_a_deadlock_tries_again() {
    let Some(db) = souk_testkit::database::postgres("notes", super::NOTES).await else { return };
    db.write("t.seed", |tx| async move {
        add(&tx, "a").await?;
        add(&tx, "b").await
    })
    .await
    .unwrap();
    let (both, tries) = (Barrier::new(2), AtomicU32::new(0));
    let (both, tries, db) = (&both, &tries, &db);
    let cross = |first: &'static str, second: &'static str| {
        let round = AtomicU32::new(0);
        async move {
            let round = &round;
            db.write("t.cross", |tx| async move {
                tries.fetch_add(1, Ordering::SeqCst);
                bump(&tx, first).await?;
                if round.fetch_add(1, Ordering::SeqCst) == 0 {
                    both.wait().await;
                }
                bump(&tx, second).await
            })
            .await
        }
    };
    let (left, right): (Result<(), Error>, Result<(), Error>) =
        tokio::join!(cross("a", "b"), cross("b", "a"));
    left.unwrap();
    right.unwrap();
    assert!(tries.load(Ordering::SeqCst) >= 3, "one of them lost");
    assert_eq!(number(db, "SELECT CAST(SUM(count) AS BIGINT) FROM note").await, 2 + 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_lose_no_update() {
    for db in all().await {
        db.write("t.seed", |tx| async move { add(&tx, "a").await }).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let db = (*db).clone();
            tasks.spawn(async move { db.write("t.bump", |tx| async move { bump(&tx, "a").await }).await });
        }
        for done in tasks.join_all().await {
            let done: Result<(), Error> = done;
            done.unwrap();
        }
        assert_eq!(number(&db, "SELECT count FROM note").await, 21, "{}", db.engine);
    }
}

#[tokio::test]
async fn bells_ring_after_the_commit_and_never_for_a_rollback() {
    for db in all().await {
        let mut bell = db.bell();
        let failed: Result<(), Error> = db
            .write("t.error", |tx| async move {
                tx.ring("lost");
                Err(Error::TransactionOver)
            })
            .await;
        assert!(failed.is_err());
        db.write("t.ring", |tx| async move {
            tx.ring("note/a");
            tx.ring("note/a");
            add(&tx, "a").await
        })
        .await
        .unwrap();
        assert_eq!(&*bell.try_recv().unwrap(), "note/a", "{}", db.engine);
        assert!(bell.try_recv().is_err(), "one ring a topic and write");
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl CommitObserver for Seen {
    fn before(&self, site: &'static str) {
        self.0.lock().unwrap().push(format!("before {site}"));
    }
    fn after(&self, site: &'static str) {
        self.0.lock().unwrap().push(format!("after {site}"));
    }
}

#[tokio::test]
async fn the_observer_sees_commits_only() {
    for db in all().await {
        let seen = Arc::new(Seen::default());
        let watched = db.observed(seen.clone()).await.unwrap();
        watched.write("t.one", |tx| async move { add(&tx, "a").await }).await.unwrap();
        let twice: Result<(), Error> = watched.write("t.two", |tx| async move { add(&tx, "a").await }).await;
        assert!(twice.is_err());
        assert_eq!(*seen.0.lock().unwrap(), ["before t.one", "after t.one"], "{}", db.engine);
    }
}

#[tokio::test]
async fn what_keeps_a_commit_is_read_back() {
    for db in all().await {
        let settings = db.durability().await.unwrap();
        let value =
            |name: &str| settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match db.backend() {
            DbBackend::Postgres => {
                assert_eq!(value("fsync"), Some("on"));
                assert_eq!(value("synchronous_commit"), Some("on"));
            }
            _ => {
                assert_eq!(value("journal_mode"), Some("wal"));
                assert_eq!(value("synchronous"), Some("FULL"));
                assert_eq!(value("foreign_keys"), Some("1"));
            }
        }
    }
}

#[tokio::test]
async fn the_read_side_cannot_write() {
    for db in all().await {
        let sql = "INSERT INTO note (id, org_id, count, body) VALUES ('x', 'o', 1, '')";
        assert!(db.read().execute_unprepared(sql).await.is_err(), "{}", db.engine);
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_the_next_write_works() {
    let db = souk_testkit::database::sqlite("notes", super::NOTES).await;
    let fill = |size: i64| {
        db.write("t.fill", move |tx| async move {
            let backend = tx.get_database_backend();
            let pages: i64 = tx
                .query_one_raw(Statement::from_string(backend, "PRAGMA page_count"))
                .await?
                .unwrap()
                .try_get_by_index(0)?;
            tx.execute_unprepared(&format!("PRAGMA max_page_count = {}", pages + 4)).await?;
            let sql = "INSERT INTO note (id, org_id, count, body) VALUES ('big', 'o', 1, hex(zeroblob($1)))";
            tx.execute_raw(Statement::from_sql_and_values(backend, sql, [size.into()])).await?;
            Ok(())
        })
    };
    let full: Result<(), Error> = fill(1_000_000).await;
    assert!(matches!(full, Err(Error::Full(_))), "{full:?}");
    assert_eq!(notes(&db).await, 0);
    let fault = full.unwrap_err().into_fault("notes");
    assert_eq!(fault.class(), souk_types::Class::Unavailable);
    assert!(fault.retry_after.is_some());
    fill(10).await.unwrap();
    assert_eq!(notes(&db).await, 1);
}

/// SQLite rolls back by itself then, which the driver does not hear of: whatever follows must be committed
/// for everybody, not kept within a transaction that nobody ends.
#[tokio::test]
async fn what_is_answered_after_a_full_disk_is_committed() {
    let db = souk_testkit::database::sqlite("notes", super::NOTES).await;
    let full: Result<(), Error> = db
        .write("t.full", |tx| async move {
            // Never less than what is used already: the next page is one too many.
            tx.execute_unprepared("PRAGMA max_page_count = 1").await?;
            let big =
                "INSERT INTO note (id, org_id, count, body) VALUES ('big', 'o', 1, hex(zeroblob(99999)))";
            tx.execute_unprepared(big).await?;
            Ok(())
        })
        .await;
    assert!(matches!(full, Err(Error::Full(_))), "{full:?}");
    let refused: Result<(), Error> = db
        .write("t.refused", |tx| async move {
            add(&tx, "refused").await?;
            Err(Error::Target("no".to_owned()))
        })
        .await;
    assert!(matches!(refused, Err(Error::Target(_))), "{refused:?}");
    db.write("t.kept", |tx| async move { add(&tx, "kept").await }).await.unwrap();
    assert_eq!(notes(&db).await, 1);
    let deps = souk_db::Deps::new(db.clock.clone(), db.random.clone());
    let other = souk_db::Db::open("notes", db.target.clone(), deps, super::NOTES).await.unwrap();
    other.write("t.other", |tx| async move { add(&tx, "other").await }).await.unwrap();
    assert_eq!(notes(&db).await, 2);
}

/// A kill as the file sees it: the bytes as they lie there in the middle of a write, opened elsewhere.
#[tokio::test]
async fn what_was_committed_survives_a_kill_and_what_was_not_does_not() {
    let db = souk_testkit::database::sqlite("notes", super::NOTES).await;
    db.write("t.kept", |tx| async move { add(&tx, "kept").await }).await.unwrap();
    let Target::Sqlite(file) = &db.target else { panic!("a file") };
    let grave = tempfile::tempdir().unwrap();
    let (from, to) = (file.parent().unwrap(), grave.path());
    db.write("t.lost", |tx| async move {
        add(&tx, "lost").await?;
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            // The shared-memory index dies with the machine.
            if !entry.file_name().to_string_lossy().ends_with("-shm") {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
        Ok::<_, Error>(())
    })
    .await
    .unwrap();
    let copy = Target::Sqlite(to.join(file.file_name().unwrap()));
    let deps = souk_db::Deps::new(db.clock.clone(), db.random.clone());
    let risen = souk_db::Db::open("notes", copy, deps, super::NOTES).await.unwrap();
    assert_eq!(notes(&risen).await, 1);
}

#[tokio::test]
async fn a_write_whose_caller_goes_away_rolls_back_and_frees_the_writer() {
    for db in all().await {
        let (reached, wait) = (Barrier::new(2), Barrier::new(2));
        let work = db.write("t.gone", |tx| {
            let (reached, wait) = (&reached, &wait);
            async move {
                add(&tx, "a").await?;
                reached.wait().await;
                wait.wait().await;
                Ok::<_, Error>(())
            }
        });
        tokio::select! {
            _ = work => panic!("it waits for ever"),
            _ = reached.wait() => {}
        }
        db.write("t.next", |tx| async move { add(&tx, "b").await }).await.unwrap();
        assert_eq!(notes(&db).await, 1, "{}", db.engine);
    }
}

#[tokio::test]
async fn a_memory_database_reads_what_it_wrote() {
    let deps = || souk_db::Deps::new(souk_testkit::StoppedClock::new(), souk_testkit::SeededRandom::new(9));
    let db = souk_db::Db::open("notes", Target::Memory, deps(), super::NOTES).await.unwrap();
    db.write("t.add", |tx| async move { add(&tx, "a").await }).await.unwrap();
    assert_eq!(notes(&db).await, 1);
}
