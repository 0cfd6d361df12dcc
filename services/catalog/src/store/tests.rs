//! The life of offerings in tables, on both engines, by a clock that the test turns.

use std::time::Duration;

use souk_db::for_every_tenant;
use souk_testkit::{Database, databases};
use souk_types::{Call, Caller, OfferingId, PlatformRole, Reason, Time, Trace, UserId, event::Log as _};

use super::*;
use crate::{
    error::Error,
    model::{
        ChangeLife, CreateOffering, Offering, Profile,
        life::{State, Step},
    },
};

const MINUTE: Duration = Duration::from_secs(60);

fn call(rpc: &'static str, request_id: &str) -> Call {
    let (user_id, platform) = (UserId::from_bits(7), Some(PlatformRole::Operator));
    Call {
        rpc,
        caller: Caller::User { user_id, memberships: Vec::new(), platform },
        scope: for_every_tenant(),
        project_id: None,
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

async fn offering(store: &Store, slug: &str) -> OfferingId {
    let profile = Profile {
        display_name: slug.into(),
        description: String::new(),
        category: String::new(),
        value_stream: String::new(),
    };
    let ask = CreateOffering { slug: slug.parse().unwrap(), profile };
    store.create_offering(&call("/c/CreateOffering", slug), &ask).await.unwrap().offering_id
}

async fn end(store: &Store, request_id: &str, id: OfferingId, end_time: Time) -> Result<Offering, Error> {
    let ask = ChangeLife { offering_id: id, step: Step::End { end_time, reason: "old".into() } };
    store.change_life(&call("/c/EndOfferingLife", request_id), &ask).await
}

async fn pause(store: &Store, request_id: &str, id: OfferingId) -> Result<Offering, Error> {
    let ask = ChangeLife { offering_id: id, step: Step::Pause { reason: "fire".into() } };
    store.change_life(&call("/c/PauseOffering", request_id), &ask).await
}

async fn state(store: &Store, id: OfferingId) -> State {
    store.offering_by_id(&for_every_tenant(), id).await.unwrap().unwrap().life.state
}

/// Kind, sequence, actor and payload of what was told of an offering's life.
async fn told(db: &Database, id: OfferingId) -> Vec<(String, i64, String, serde_json::Value)> {
    while db.outbox().number_turn().await.unwrap() > 0 {}
    let all = db.outbox().after(0, 1000).await.unwrap();
    let own = all.into_iter().map(|(_, event)| event).filter(|event| {
        event.aggregate_id == id.to_string() && event.kind.starts_with("souk.catalog.v1.Offering")
    });
    let short = |kind: &str| kind.trim_start_matches("souk.catalog.v1.Offering").to_owned();
    own.map(|event| (short(&event.kind), event.aggregate_seq, event.actor, event.payload))
        .filter(|(kind, ..)| kind != "Created")
        .collect()
}

#[tokio::test]
async fn an_offering_ends_at_its_moment_and_once() {
    for db in databases("catalog", MIGRATIONS).await {
        let store = Store::new((*db).clone());
        let (id, other) = (offering(&store, "one").await, offering(&store, "two").await);
        let deadline = db.clock.advance(MINUTE) + MINUTE;
        let ending = end(&store, "e", id, deadline).await.unwrap();
        assert_eq!(
            (ending.life.state, ending.life.end_time, ending.version),
            (State::Ending, Some(deadline), 2)
        );
        assert!(!store.end_due().await.unwrap());
        db.clock.set(deadline - Duration::from_micros(1));
        store.end_due().await.unwrap();
        assert_eq!(state(&store, id).await, State::Ending, "not a moment before");

        // Another process, begun after the deadline, and this one, at the same time.
        db.clock.set(deadline);
        let again = Store::new(db.again().await.unwrap());
        let turns = [again.clone(), store.clone(), again.clone(), store.clone()];
        let mut tasks = tokio::task::JoinSet::new();
        for store in turns {
            tasks.spawn(async move { store.end_due().await });
        }
        assert!(tasks.join_all().await.into_iter().all(|turn| turn.is_ok()));
        assert_eq!(state(&again, id).await, State::Ended, "{}", db.engine);
        assert_eq!(state(&again, other).await, State::Active);
        let told = told(&db, id).await;
        let kinds: Vec<_> = told.iter().map(|(kind, seq, ..)| (kind.as_str(), *seq)).collect();
        assert_eq!(kinds, [("Ending", 2), ("Ended", 3)], "{}", db.engine);
        assert_eq!((told[0].2.starts_with("user:"), told[1].2.as_str()), (true, "part:catalog"));
        for (.., payload) in &told {
            assert_eq!(payload["offeringId"], id.to_string());
            assert_eq!(payload["slug"], "one");
            assert_eq!(payload["endTime"], deadline.micros());
            assert_eq!(payload["reason"], "old");
        }
    }
}

#[tokio::test]
async fn a_deadline_moves_until_it_has_passed() {
    for db in databases("catalog", MIGRATIONS).await {
        let store = Store::new((*db).clone());
        let id = offering(&store, "one").await;
        let start = db.clock.advance(MINUTE);
        let past = end(&store, "e0", id, start - MINUTE).await.unwrap_err();
        assert_eq!(past.reason(), Reason::InvalidArgument);
        end(&store, "e1", id, start + MINUTE).await.unwrap();
        end(&store, "e2", id, start + MINUTE * 3).await.unwrap();
        db.clock.set(start + MINUTE * 2);
        store.end_due().await.unwrap();
        assert_eq!(state(&store, id).await, State::Ending);
        // The first answer again, whatever the clock says of its deadline now.
        let first = end(&store, "e1", id, start + MINUTE).await.unwrap();
        assert_eq!((first.life.end_time, first.version), (Some(start + MINUTE), 2));
        end(&store, "e3", id, start + MINUTE * 2).await.unwrap();
        // Due at this very moment, and no turn has come yet.
        let late = end(&store, "e4", id, start + MINUTE * 9).await.unwrap_err();
        assert_eq!(late.reason(), Reason::IllegalTransition);
        store.end_due().await.unwrap();
        assert_eq!(state(&store, id).await, State::Ended);
        for step in [
            end(&store, "e5", id, start + MINUTE * 9).await.unwrap_err(),
            pause(&store, "p", id).await.unwrap_err(),
        ] {
            assert_eq!(step.reason(), Reason::IllegalTransition);
        }
        let told = told(&db, id).await;
        let kinds: Vec<_> = told.iter().map(|(kind, seq, ..)| (kind.as_str(), *seq)).collect();
        assert_eq!(kinds, [("Ending", 2), ("Ending", 3), ("Ending", 4), ("Ended", 5)], "{}", db.engine);
    }
}

#[tokio::test]
async fn what_was_paused_serves_again_until_its_end() {
    for db in databases("catalog", MIGRATIONS).await {
        let store = Store::new((*db).clone());
        let (long, short) = (offering(&store, "long").await, offering(&store, "short").await);
        let now = db.clock.advance(MINUTE);
        for (id, name) in [(long, "l"), (short, "s")] {
            pause(&store, name, id).await.unwrap();
        }
        let ending = end(&store, "l", long, now + MINUTE).await.unwrap();
        assert_eq!(ending.version, 4, "two events, two numbers");
        end(&store, "s", short, now).await.unwrap();
        store.end_due().await.unwrap();
        let kinds = |told: Vec<(String, i64, _, _)>| -> Vec<_> {
            told.into_iter().map(|(kind, seq, ..)| format!("{kind} {seq}")).collect()
        };
        assert_eq!(kinds(told(&db, long).await), ["Paused 2", "Resumed 3", "Ending 4"]);
        assert_eq!(kinds(told(&db, short).await), ["Paused 2", "Ending 3", "Ended 4"]);
        let paused = &told(&db, long).await[0].3;
        assert_eq!(paused["reason"], "fire");
        assert!(paused.get("endTime").is_none());
    }
}

#[tokio::test]
async fn many_ends_come_in_turns() {
    for db in databases("catalog", MIGRATIONS).await {
        let store = Store::new((*db).clone());
        let deadline = db.clock.advance(MINUTE) + MINUTE;
        let mut all = Vec::new();
        for number in 0..25 {
            let slug = format!("o-{number}");
            let id = offering(&store, &slug).await;
            end(&store, &slug, id, deadline).await.unwrap();
            all.push(id);
        }
        db.clock.set(deadline + MINUTE);
        let mut turns = 1;
        while store.end_due().await.unwrap() {
            turns += 1;
        }
        assert_eq!(turns, 2, "{}", db.engine);
        for id in all {
            assert_eq!(state(&store, id).await, State::Ended);
            assert_eq!(told(&db, id).await.len(), 2);
        }
    }
}
