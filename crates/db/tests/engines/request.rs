//! A command with a `request_id`: once, whatever comes twice, late or together.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sea_orm::{ConnectionTrait as _, Statement};
use souk_db::{
    Db, Error, Once, Request, Tx, audit, once,
    once::{
        Answered, Begun, abandon, begin, begin_all, digest_of, finish, finish_all, forget, peek, refused,
    },
    outbox,
};
use souk_types::{
    Clock as _, Event,
    event::Log as _,
    id::{EventId, OrgId},
};

use super::{add, all, notes, number};

fn request(id: &str, command: &str) -> Request {
    Request {
        subject: "org_1".to_owned(),
        rpc: "AddNote",
        request_id: id.to_owned(),
        digest: digest_of(&command).unwrap(),
        actor: "user:1".to_owned(),
        org_id: None,
        trace: String::new(),
    }
}

async fn add_once(db: &Db, request: &Request) -> Result<Once<String>, Error> {
    db.write("t.once", |tx| async move {
        once(&tx, request, || async {
            add(&tx, &request.digest).await?;
            Ok("first".to_owned())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_copy_gets_the_first_answer_and_another_command_is_refused() {
    for db in all().await {
        let command = request("r", "one");
        assert_eq!(add_once(&db, &command).await.unwrap(), Once::Fresh("first".to_owned()));
        assert_eq!(add_once(&db, &command).await.unwrap(), Once::Replayed("first".to_owned()));
        let other = add_once(&db, &request("r", "two")).await;
        assert!(matches!(other, Err(Error::RequestIdReused { .. })), "{} {other:?}", db.engine);
        let subject = Request { subject: "org_2".to_owned(), ..request("r", "three") };
        let rpc = Request { rpc: "Other", ..request("r", "four") };
        assert!(!add_once(&db, &subject).await.unwrap().is_replay(), "ids of another subject are its own");
        assert!(!add_once(&db, &rpc).await.unwrap().is_replay(), "and of another method");
        let part = Request { actor: "part:commerce".to_owned(), ..request("r", "five") };
        assert!(!add_once(&db, &part).await.unwrap().is_replay(), "nobody uses up the id of a part");
        assert_eq!(notes(&db).await, 4, "{}", db.engine);
        assert_eq!(number(&db, "SELECT COUNT(*) FROM outbox").await, 3, "a person's request is told once");
    }
}

#[tokio::test]
async fn an_error_does_not_consume_the_id() {
    for db in all().await {
        let command = request("r", "one");
        let failed: Result<Once<()>, Error> = db
            .write("t.fails", |tx| {
                let command = &command;
                async move {
                    once(&tx, command, || async {
                        add(&tx, "half").await?;
                        Err(Error::TransactionOver)
                    })
                    .await
                }
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(notes(&db).await, 0, "{}", db.engine);
        assert!(!add_once(&db, &command).await.unwrap().is_replay(), "{}", db.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_arrive_together_have_one_effect() {
    for db in all().await {
        let effects = std::sync::Arc::new(AtomicU32::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..16 {
            let (db, effects) = ((*db).clone(), effects.clone());
            tasks.spawn(async move {
                let answer = add_once(&db, &request("r", "one")).await.unwrap();
                effects.fetch_add(u32::from(!answer.is_replay()), Ordering::SeqCst);
                assert_eq!(answer.into_answer(), "first");
            });
        }
        tasks.join_all().await;
        assert_eq!(effects.load(Ordering::SeqCst), 1, "{}", db.engine);
        assert_eq!(notes(&db).await, 1, "{}", db.engine);
    }
}

#[tokio::test]
async fn an_intent_without_outcome_is_in_progress_until_it_is_finished() {
    for db in all().await {
        let command = &request("r", "one");
        let intend = || db.write("t.begin", move |tx| async move { begin::<String>(&tx, command).await });
        let found: Result<_, Error> = intend().await;
        assert_eq!(found.unwrap(), Begun::Fresh);
        let again: Result<_, Error> = intend().await;
        assert!(matches!(again, Err(Error::RequestInProgress { .. })), "{} {again:?}", db.engine);
        let end = || db.write("t.finish", move |tx| async move { finish(&tx, command, &"done").await });
        let done: Result<(), Error> = end().await;
        done.unwrap();
        let twice: Result<(), Error> = end().await;
        assert!(matches!(twice, Err(Error::RequestNotOpen { .. })), "{}", db.engine);
        let found: Result<_, Error> = intend().await;
        assert_eq!(found.unwrap(), Begun::Replayed("done".to_owned()), "{}", db.engine);
    }
}

#[tokio::test]
async fn a_look_finds_the_first_answer_and_consumes_nothing() {
    for db in all().await {
        let command = request("r", "one");
        assert_eq!(peek::<String>(&db, &command).await.unwrap(), None);
        add_once(&db, &command).await.unwrap();
        assert_eq!(peek(&db, &command).await.unwrap(), Some("first".to_owned()));
        let other = peek::<String>(&db, &request("r", "two")).await;
        assert!(matches!(other, Err(Error::RequestIdReused { .. })), "{} {other:?}", db.engine);
        let open = request("open", "one");
        db.write("t.begin", |tx| {
            let open = &open;
            async move { begin::<String>(&tx, open).await.map(|_| ()) }
        })
        .await
        .unwrap();
        assert_eq!(peek::<String>(&db, &open).await.unwrap(), None, "{}: still at work", db.engine);
    }
}

#[tokio::test]
async fn an_abandoned_intent_frees_its_id_and_an_answer_is_never_abandoned() {
    for db in all().await {
        let command = &request("r", "one");
        let intend = || db.write("t.begin", move |tx| async move { begin::<String>(&tx, command).await });
        let drop_it = || db.write("t.abandon", move |tx| async move { abandon(&tx, command).await });
        let first: Result<_, Error> = intend().await;
        first.unwrap();
        let gone: Result<(), Error> = drop_it().await;
        gone.unwrap();
        assert!(!add_once(&db, command).await.unwrap().is_replay(), "{}", db.engine);
        let answered: Result<(), Error> = drop_it().await;
        assert!(matches!(answered, Err(Error::RequestNotOpen { .. })), "{}", db.engine);
    }
}

#[tokio::test]
async fn old_answers_are_forgotten_in_bounded_steps_and_open_intents_never() {
    for db in all().await {
        for id in ["a", "b", "c"] {
            add_once(&db, &request(id, id)).await.unwrap();
        }
        let open = &request("open", "open");
        db.write("t.begin", |tx| async move { begin::<String>(&tx, open).await }).await.unwrap();
        let line = db.clock.advance(Duration::from_secs(1));
        add_once(&db, &request("new", "new")).await.unwrap();
        assert_eq!(forget(&db, line, 2).await.unwrap(), 2, "{}", db.engine);
        assert_eq!(forget(&db, line, 2).await.unwrap(), 1, "{}", db.engine);
        assert_eq!(forget(&db, db.clock.now(), 2).await.unwrap(), 0, "{}", db.engine);
        assert!(add_once(&db, &request("new", "new")).await.unwrap().is_replay());
    }
}

#[tokio::test]
async fn a_refusal_is_told_and_leaves_the_id_free() {
    for db in all().await {
        let command = request("r", "one");
        refused(&db, &command, "WALLET_FROZEN").await.unwrap();
        assert!(!add_once(&db, &command).await.unwrap().is_replay(), "{}", db.engine);
        let told = "SELECT COUNT(*) FROM outbox WHERE payload LIKE '%\"WALLET_FROZEN\"%'";
        assert_eq!(number(&db, told).await, 1, "{}", db.engine);
        let part = Request { actor: "part:runs".to_owned(), ..request("p", "one") };
        refused(&db, &part, "WALLET_FROZEN").await.unwrap();
        assert_eq!(number(&db, told).await, 1, "{}: parts are not told of", db.engine);
    }
}

#[tokio::test]
async fn the_audit_trail_hears_what_a_person_did_to_what_within_the_answers_transaction() {
    for db in all().await {
        let ann = Request { org_id: Some(OrgId::from_bits(7)), trace: "t1".into(), ..request("r", "one") };
        let bob = Request { actor: "user:2".into(), trace: "t2".into(), ..request("s", "two") };
        let part = Request { actor: "part:runs".into(), ..request("r", "one") };
        let noun = |about: &str, by: &Request| Event {
            event_id: EventId::new(db.now(), db.random()),
            kind: "souk.notes.v1.NoteAdded".to_owned(),
            org_id: None,
            aggregate_id: about.to_owned(),
            aggregate_seq: 1,
            occur_time: db.now(),
            actor: by.actor.clone(),
            trace: by.trace.clone(),
            payload: serde_json::Value::Null,
        };
        let events = [noun("note-b", &bob), noun("note-a", &ann), noun("more", &ann)];
        // As a group commit does it: all are begun, then all events put, then all are answered.
        let done: Result<(), Error> = db
            .write("t.group", |tx| {
                let (requests, events) = ([&ann, &bob, &part], &events);
                async move {
                    for request in requests {
                        begin::<String>(&tx, request).await?;
                    }
                    for event in events {
                        outbox::put(&tx, event).await?;
                    }
                    for request in requests {
                        finish(&tx, request, &"done").await?;
                    }
                    Ok(())
                }
            })
            .await;
        done.unwrap();
        add_once(&db, &ann).await.unwrap();
        while db.outbox().number_turn().await.unwrap() > 0 {}
        let log = db.outbox().after(0, 100).await.unwrap();
        let mut told: Vec<_> =
            log.into_iter().map(|(_, event)| event).filter(|event| event.kind == audit::KIND).collect();
        told.sort_by(|one, other| one.actor.cmp(&other.actor));
        let words = |event: &Event, name: &str| event.payload[name].as_str().unwrap().to_owned();
        let whole = told.iter().map(|event| (words(event, "resourceId"), event.aggregate_id.clone()));
        let org = OrgId::from_bits(7).to_string();
        let wanted = [("note-a".to_owned(), org), ("note-b".to_owned(), "org_1".to_owned())];
        assert_eq!(whole.collect::<Vec<_>>(), wanted, "{}", db.engine);
        assert_eq!(words(&told[0], "method"), "souk.notes.v1.NotesService/AddNote");
        assert_eq!((words(&told[0], "outcome"), words(&told[0], "requestId")), ("OK".into(), "r".into()));
    }
}

fn answered<'a, A>(request: &'a Request, answer: &'a A) -> Answered<'a, A> {
    Answered { request, answer, noun: &request.request_id }
}

/// Begins a group in one write and answers `answers` of it in the same one.
async fn group(db: &Db, asked: &[Request], answers: &[(usize, &str)]) -> Result<Vec<String>, Error> {
    db.write("t.group", |tx| async move {
        let begun = begin_all::<String>(&tx, &asked.iter().collect::<Vec<_>>()).await?;
        let answers: Vec<_> =
            answers.iter().map(|(place, text)| (&asked[*place], (*text).to_owned())).collect();
        finish_all(&tx, &answers.iter().map(|(request, text)| answered(request, text)).collect::<Vec<_>>())
            .await?;
        let word = |one: Result<Begun<String>, Error>| match one {
            Ok(Begun::Fresh) => "fresh".to_owned(),
            Ok(Begun::Replayed(answer)) => answer,
            Err(Error::RequestIdReused { .. }) => "reused".to_owned(),
            Err(Error::RequestInProgress { .. }) => "in progress".to_owned(),
            Err(other) => other.to_string(),
        };
        Ok(begun.into_iter().map(word).collect())
    })
    .await
}

#[tokio::test]
async fn a_group_is_begun_and_finished_as_its_requests_would_be_one_by_one() {
    for db in all().await {
        let one = |id: &str| request(id, id);
        let part = Request { actor: "part:runs".to_owned(), ..one("a") };
        let other = Request { rpc: "Other", ..one("a") };
        assert!(group(&db, &[], &[]).await.unwrap().is_empty());
        let first = [one("c"), one("a"), part.clone(), other.clone(), one("b")];
        let found = group(&db, &first, &[(4, "B"), (1, "A"), (2, "part"), (3, "other")]).await.unwrap();
        assert_eq!(found, ["fresh"; 5], "{}", db.engine);
        assert_eq!(number(&db, "SELECT COUNT(*) FROM outbox").await, 3, "people are told of, in one go");
        db.outbox().number_turn().await.unwrap();
        let told = db.outbox().after(0, 10).await.unwrap();
        let told = told.iter().map(|(_, event)| (&event.payload["requestId"], &event.payload["resourceId"]));
        assert!(
            told.clone().all(|(request, noun)| request == noun),
            "{}: {:?}",
            db.engine,
            told.collect::<Vec<_>>()
        );
        let again = [one("new"), part, other, one("b"), request("a", "else"), one("a"), one("c"), one("new")];
        let found = group(&db, &again, &[(0, "N")]).await.unwrap();
        let wanted = ["fresh", "part", "other", "B", "reused", "A", "in progress", "in progress"];
        assert_eq!(found, wanted, "{}", db.engine);
        for (place, closed) in [(3, "an answer"), (4, "another command"), (7, "an answer")] {
            let twice = db
                .write("t.finish", |tx| {
                    let both = [answered(&again[6], &"C"), answered(&again[place], &"no")];
                    async move { finish_all(&tx, &both).await }
                })
                .await;
            assert!(matches!(twice, Err(Error::RequestNotOpen { .. })), "{}: {closed}", db.engine);
        }
        assert_eq!(group(&db, &[one("c")], &[]).await.unwrap(), ["in progress"], "and nothing was kept");
    }
}

#[tokio::test]
async fn a_group_has_no_largest_size() {
    for db in all().await {
        let asked: Vec<_> = (0..1_203).map(|n| request(&n.to_string(), "same")).collect();
        let answers: Vec<_> = (0..asked.len()).map(|place| (place, "done")).collect();
        assert_eq!(group(&db, &asked, &answers).await.unwrap(), vec!["fresh"; 1_203], "{}", db.engine);
        assert_eq!(group(&db, &asked, &[]).await.unwrap(), vec!["done"; 1_203], "{}", db.engine);
        assert_eq!(number(&db, "SELECT COUNT(*) FROM outbox").await, 1_203, "{}", db.engine);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_that_share_requests_do_each_once() {
    for db in all().await {
        let effects = std::sync::Arc::new(AtomicU32::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for nth in 0..8_usize {
            let (db, effects) = ((*db).clone(), effects.clone());
            tasks.spawn(async move {
                let mut asked: Vec<_> = (0..12).map(|n| request(&n.to_string(), "same")).collect();
                asked.rotate_left(nth);
                let done: Result<u32, Error> = db
                    .write("t.group", |tx| {
                        let asked: Vec<&Request> = asked.iter().collect();
                        async move {
                            let begun = begin_all::<String>(&tx, &asked).await?;
                            let mut fresh = Vec::new();
                            for (request, begun) in asked.into_iter().zip(begun) {
                                match begun? {
                                    Begun::Fresh => fresh.push(answered(request, &"done")),
                                    Begun::Replayed(answer) => assert_eq!(answer, "done"),
                                }
                            }
                            finish_all(&tx, &fresh).await?;
                            Ok(u32::try_from(fresh.len()).unwrap())
                        }
                    })
                    .await;
                effects.fetch_add(done.unwrap(), Ordering::SeqCst);
            });
        }
        tasks.join_all().await;
        assert_eq!(effects.load(Ordering::SeqCst), 12, "{}", db.engine);
    }
}

/// How many wait for a lock that this write holds.
async fn waiting(tx: &Tx) -> i64 {
    let sql = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted
        AND pg_backend_pid() = ANY(pg_blocking_pids(pid))";
    let row = tx.query_one_raw(Statement::from_string(tx.get_database_backend(), sql)).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn what_is_asked_anew_while_two_replicas_forget_is_kept() {
    // One writer at a time is no place for this.
    let Some(db) = souk_testkit::database::postgres("notes", super::NOTES).await else { return };
    let (old, anew) = (request("old", "one"), request("anew", "two"));
    for request in [&old, &anew] {
        add_once(&db, request).await.unwrap();
        db.clock.advance(Duration::from_secs(1));
    }
    let before = db.clock.now();
    let (locked, go) = tokio::sync::oneshot::channel();
    let locked = Mutex::new(Some(locked));
    // The other replica has forgotten both, and the second is asked anew.
    let other = db.write("t.other", |tx| {
        let (locked, anew) = (&locked, &anew);
        async move {
            tx.execute_unprepared("DELETE FROM request_log").await?;
            assert_eq!(begin::<String>(&tx, anew).await?, Begun::Fresh);
            finish(&tx, anew, &"again").await?;
            let locked = locked.lock().unwrap().take();
            locked.unwrap().send(()).unwrap();
            for _ in 0..50_000 {
                if waiting(&tx).await > 0 {
                    return Ok::<_, Error>(());
                }
            }
            panic!("the other never waits")
        }
    });
    let this = async {
        go.await.unwrap();
        forget(&db, before, 10).await
    };
    let (other, forgotten) = tokio::join!(other, this);
    other.unwrap();
    assert_eq!(forgotten.unwrap(), 0, "both were gone");
    let kept: Option<String> = peek(&db, &anew).await.unwrap();
    assert_eq!(kept.as_deref(), Some("again"), "else a repeat takes effect twice");
}
