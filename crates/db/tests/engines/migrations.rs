//! Once, whoever else tries; never against what is there; never without a copy.

use std::sync::atomic::{AtomicU64, Ordering};

use souk_db::{Db, Deps, Error, Migration, Target, migrate::Refusal};
use souk_testkit::{Postgres, SeededRandom, StoppedClock};

use super::{NOTES, add, notes, number};

const MORE: &[Migration] = &[
    NOTES[0],
    Migration {
        name: "0002-more",
        up: &["CREATE TABLE more (id {id} PRIMARY KEY)", "INSERT INTO more (id) VALUES ('x')"],
    },
];

const BROKEN: &[Migration] = &[
    NOTES[0],
    Migration {
        name: "0002-broken",
        up: &["CREATE TABLE half (id {id} PRIMARY KEY)", "INSERT INTO nowhere (id) VALUES (1)"],
    },
];

const CHANGED: &[Migration] = &[Migration { name: "0001-notes", up: &["CREATE TABLE other (id {id})"] }];

/// The surroundings of another process each time.
fn deps() -> Deps {
    static SEED: AtomicU64 = AtomicU64::new(1);
    Deps::new(StoppedClock::new(), SeededRandom::new(SEED.fetch_add(1, Ordering::Relaxed)))
}

/// One place for each engine, holding nothing.
fn places() -> (tempfile::TempDir, Vec<Target>) {
    let dir = tempfile::tempdir().unwrap();
    let mut places = vec![Target::Sqlite(dir.path().join("deep/notes.db"))];
    places.extend(Postgres::shared().map(|server| server.schema("migrations")));
    (dir, places)
}

#[tokio::test]
async fn twice_is_once_and_later_ones_follow() {
    let (_dir, places) = places();
    for place in places {
        drop(Db::migrate("notes", place.clone(), deps(), NOTES).await.unwrap());
        drop(Db::migrate("notes", place.clone(), deps(), NOTES).await.unwrap());
        let db = Db::migrate("notes", place, deps(), MORE).await.unwrap();
        assert_eq!(number(&db, "SELECT COUNT(*) FROM more").await, 1);
        assert_eq!(number(&db, "SELECT COUNT(*) FROM migration").await, 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_the_same_time_are_once() {
    let (_dir, places) = places();
    for place in places {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let place = place.clone();
            tasks.spawn(async move { Db::migrate("notes", place, deps(), MORE).await });
        }
        let dbs: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
        assert_eq!(number(&dbs[0], "SELECT COUNT(*) FROM more").await, 1);
    }
}

#[tokio::test]
async fn a_migration_that_fails_leaves_the_schema_as_it_was() {
    let (_dir, places) = places();
    for place in places {
        drop(Db::migrate("notes", place.clone(), deps(), NOTES).await.unwrap());
        let broken = Db::migrate("notes", place.clone(), deps(), BROKEN).await;
        match (broken.unwrap_err(), &place) {
            (Error::MigrationFailed { copy, cause }, Target::Sqlite(_)) => {
                assert!(matches!(*cause, Error::Statement(_)), "{cause:?}");
                let told = Error::MigrationFailed { copy: copy.clone(), cause }.to_string();
                assert!(told.contains(copy.to_str().unwrap()), "{told}");
                let kept = souk_db::copy::open(&copy).await.unwrap();
                assert!(
                    sea_orm::ConnectionTrait::execute_unprepared(&kept, "SELECT * FROM note").await.is_ok()
                );
            }
            (Error::Statement(_), Target::Postgres { .. }) => {}
            (other, _) => panic!("{other:?}"),
        }
        let db = Db::open("notes", place, deps(), NOTES).await.unwrap();
        let half = db.read();
        assert!(sea_orm::ConnectionTrait::execute_unprepared(half, "SELECT * FROM half").await.is_err());
    }
}

#[tokio::test]
async fn another_text_and_a_newer_schema_are_refused() {
    let (_dir, places) = places();
    for place in places {
        drop(Db::migrate("notes", place.clone(), deps(), MORE).await.unwrap());
        let changed = Db::open("notes", place.clone(), deps(), CHANGED).await;
        assert!(matches!(changed, Err(Error::Migration(Refusal::Changed { .. }))), "{changed:?}");
        let older = Db::open("notes", place, deps(), NOTES).await;
        assert!(matches!(older, Err(Error::Migration(Refusal::Newer { .. }))), "{older:?}");
    }
}

#[tokio::test]
async fn at_scale_a_part_does_not_start_on_a_schema_that_waits() {
    let Some(server) = Postgres::shared() else { return };
    let place = server.schema("waits");
    let refused = Db::open("notes", place.clone(), deps(), NOTES).await;
    assert!(matches!(refused, Err(Error::Migration(Refusal::Pending { .. }))), "{refused:?}");
    drop(Db::migrate("notes", place.clone(), deps(), NOTES).await.unwrap());
    assert!(Db::open("notes", place, deps(), NOTES).await.is_ok());
}

#[tokio::test]
async fn a_file_that_holds_something_is_copied_before_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("notes.db");
    let open = |migrations| Db::open("notes", Target::Sqlite(file.clone()), deps(), migrations);
    let kept = dir.path().join("before-migration");
    let listing = || -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&kept) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let copies = || listing().len();
    let db = open(NOTES).await.unwrap();
    db.write("t.add", |tx| async move { add(&tx, "a").await }).await.unwrap();
    db.close().await.unwrap();
    assert_eq!(copies(), 0, "a new file has nothing to keep");
    open(NOTES).await.unwrap().close().await.unwrap();
    assert_eq!(copies(), 0, "nothing was pending");
    open(MORE).await.unwrap().close().await.unwrap();
    let names = listing();
    assert!(names.len() == 1 && names[0].starts_with("notes-0001-notes-"), "{names:?}");
    let copy = Target::Sqlite(kept.join(&names[0]));
    let old = Db::open("notes", copy, deps(), NOTES).await.unwrap();
    assert_eq!(notes(&old).await, 1);
}

#[tokio::test]
async fn targets_that_name_no_database_are_refused_without_their_secrets() {
    for (url, schema) in [("not a url canary", "a"), ("postgres://u:canary@127.0.0.1:1/x", "Bad;Name")] {
        let target =
            Target::Postgres { url: souk_types::Secret::new(url.to_owned()), schema: schema.to_owned() };
        let refused = Db::open("notes", target, deps(), NOTES).await.unwrap_err();
        assert!(matches!(refused, Error::Target(_)), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("canary"));
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("postgres://u:canary@localhost/x?host={}", dir.path().display());
    let target = Target::Postgres { url: souk_types::Secret::new(url), schema: "a".to_owned() };
    let gone = Db::open("notes", target, deps(), NOTES).await.unwrap_err();
    assert!(matches!(gone, Error::Unavailable(_)), "{gone:?}");
    assert!(!format!("{gone:?}").contains("canary"));
}
