//! Use cases and turns over genuine databases and a genuine repository; restarts are services built anew.

mod bench;
mod drift;
mod heal;
mod kills;
mod removals;
mod routes;

use futures::future::join_all;
use souk_types::{Fault, Reason};

use self::bench::{Bench, call, instance, wanted};
use super::*;

#[tokio::test]
async fn what_is_applied_is_what_was_asked_and_is_told_once() {
    for bench in Bench::all().await {
        let asked = wanted(1, 1);
        let id = asked.instance_id;
        let committed = bench.service.apply(&call(1, "r-1"), asked.clone()).await.unwrap();
        assert_eq!(committed.commit_id, bench.head(), "{}", bench.db.engine);
        assert_eq!(committed.content_hash, Some(content_hash(&bench::env(), &asked)));

        let early = bench.service.applied(&call(1, ""), id).await;
        assert!(matches!(early, Err(Error::AppliedStateNotFound { .. })));
        bench.service.reconcile_turn().await.unwrap();
        let applied = bench.service.applied(&call(1, ""), id).await.unwrap();
        assert_eq!((applied.revision, applied.commit_id), (1, committed.commit_id.clone()));
        let standing = applied.standing.unwrap();
        assert_eq!(
            (Some(standing.content_hash), standing.route),
            (committed.content_hash.clone(), asked.route)
        );

        bench.settle().await;
        bench.restarted().settle().await;
        let events = bench.events("InstanceApplied").await;
        let [event] = events.as_slice() else { panic!("one event, not {events:?}") };
        assert_eq!((event.org_id, &event.aggregate_id), (Some(asked.org_id), &id.to_string()));
        let payload = serde_json::json!({
            "instanceId": id,
            "revision": 1,
            "contentHash": committed.content_hash.as_ref().unwrap().hex(),
            "commitId": committed.commit_id,
            "path": format!("/i/{id}"),
            "host": "",
        });
        assert_eq!(event.payload, payload);
    }
}

#[tokio::test]
async fn each_revision_is_applied_and_told_in_order() {
    for bench in Bench::all().await {
        for revision in 1..=3 {
            bench.service.apply(&call(1, &format!("r-{revision}")), wanted(1, revision)).await.unwrap();
            bench.settle().await;
        }
        let events = bench.events("InstanceApplied").await;
        let revisions: Vec<_> = events.iter().map(|event| event.payload["revision"].clone()).collect();
        assert_eq!(revisions, [1, 2, 3]);
        assert!(events.is_sorted_by(|a, b| a.aggregate_seq < b.aggregate_seq), "{events:?}");
        assert_eq!(bench.commits(), 3);
    }
}

#[tokio::test]
async fn copies_together_make_one_commit_and_get_one_answer() {
    for bench in Bench::all().await {
        // Half of them are the same request, half are other requests for the same thing.
        let calls: Vec<_> = (0..16).map(|n| call(1, &format!("r-{}", n % 8 * (n % 2)))).collect();
        let answers = join_all(calls.iter().map(|call| bench.service.apply(call, wanted(1, 1)))).await;
        let first = answers[0].as_ref().unwrap();
        assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
        assert_eq!(bench.commits(), 1, "{}", bench.db.engine);
    }
}

#[tokio::test]
async fn whatever_waits_goes_into_one_commit() {
    for bench in Bench::all().await {
        for n in 1..=20 {
            bench.intend(&call(1, &format!("r-{n}")), &wanted(n, 1)).await;
        }
        let last = bench.service.apply(&call(1, "r-21"), wanted(21, 1)).await.unwrap();
        for n in 1..=20 {
            let answer = bench.service.apply(&call(1, &format!("r-{n}")), wanted(n, 1)).await.unwrap();
            assert_eq!(answer.commit_id, last.commit_id);
        }
        assert_eq!(bench.commits(), 1);
    }
}

#[tokio::test]
async fn instances_applied_together_stand_each_in_its_own_folder() {
    for bench in Bench::all().await {
        let calls: Vec<_> = (0..40).map(|n| (call(1, &format!("r-{n}")), wanted(n + 1, 1))).collect();
        let answers =
            join_all(calls.iter().map(|(call, asked)| bench.service.apply(call, asked.clone()))).await;
        assert!(answers.iter().all(Result::is_ok));
        bench.settle().await;
        assert_eq!(bench.events("InstanceApplied").await.len(), 40);
        assert!(bench.events("DriftFound").await.is_empty());
    }
}

#[tokio::test]
async fn an_older_revision_is_answered_with_the_committed_one() {
    for bench in Bench::all().await {
        let newer = bench.service.apply(&call(1, "r-5"), wanted(1, 5)).await.unwrap();
        let stale = bench.service.apply(&call(1, "r-4"), wanted(1, 4)).await.unwrap();
        assert_eq!((stale.revision, &stale), (5, &newer));
        let again = bench.service.apply(&call(1, "another id"), wanted(1, 5)).await.unwrap();
        assert_eq!((again, bench.commits()), (newer, 1));
    }
}

#[tokio::test]
async fn a_revision_has_one_content_and_an_instance_one_project() {
    for bench in Bench::all().await {
        bench.service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap();
        let other = Desired { plan: "pro".to_owned(), ..wanted(1, 1) };
        let refused = bench.service.apply(&call(1, "r-2"), other.clone()).await.unwrap_err();
        let Error::Invalid(violations) = refused else { panic!("{refused:?}") };
        assert_eq!(violations[0].field, "desired.revision");
        let moved = Desired { project_id: souk_types::ProjectId::from_bits(9), ..wanted(1, 2) };
        let refused = bench.service.apply(&call(1, "r-3"), moved).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)));
        // A refusal consumes no id; an answer does.
        bench.service.apply(&call(1, "r-2"), Desired { revision: 2, ..other }).await.unwrap();
        let reused = bench.service.apply(&call(1, "r-2"), wanted(1, 3)).await.unwrap_err();
        assert_eq!(Fault::from(reused).reason, Reason::RequestIdReused);
    }
}

#[tokio::test]
async fn another_org_neither_sees_nor_touches_an_instance() {
    for bench in Bench::all().await {
        let own = bench.service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap();
        bench.settle().await;
        let theirs = Desired { org_id: souk_types::OrgId::from_bits(2), ..wanted(1, 2) };
        let refused = bench.service.apply(&call(2, "r-1"), theirs.clone()).await.unwrap_err();
        assert_eq!(Fault::from(refused).reason, Reason::InstanceNotFound);
        let refused = bench.service.apply(&call(1, "r-2"), theirs).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "the row's org is the call's");
        let hidden = bench.service.applied(&call(2, ""), instance(1)).await.unwrap_err();
        assert_eq!(Fault::from(hidden).reason, Reason::AppliedStateNotFound);
        assert_eq!(bench.head(), own.commit_id);
    }
}

#[tokio::test]
async fn an_intent_without_outcome_is_committed_by_the_loop_or_by_a_copy_of_its_call() {
    for bench in Bench::all().await {
        for (n, by_loop) in [(1, true), (2, false)] {
            let (call, asked) = (call(1, &format!("r-{n}")), wanted(n, 1));
            bench.intend(&call, &asked).await;
            let service = bench.anew();
            if by_loop {
                service.commit_turn().await.unwrap();
            }
            let answer = service.apply(&call, asked.clone()).await.unwrap();
            assert_eq!(bench.head(), answer.commit_id);
            assert_eq!(service.apply(&call, asked).await.unwrap(), answer);
            assert_eq!(service.store.due(None, 9).await.unwrap(), []);
        }
        assert_eq!(bench.commits(), 2);
    }
}

#[tokio::test]
async fn a_commit_whose_outcome_was_lost_is_found_and_not_made_again() {
    for bench in Bench::all().await {
        let (call, asked) = (call(1, "r-1"), wanted(1, 1));
        bench.intend(&call, &asked).await;
        let due = bench.service.store.due(None, 9).await.unwrap();
        let (changes, _) = bench.service.changes(&due[0]).unwrap();
        bench.service.repository.commit(&changes, "killed here", bench.service.store.now()).unwrap();
        // What stands in the repository without an outcome is not applied yet, and no drift.
        let service = bench.anew();
        service.reconcile_turn().await.unwrap();
        assert!(bench.events("InstanceApplied").await.is_empty());
        let answer = service.apply(&call, asked).await.unwrap();
        assert_eq!((bench.commits(), bench.head()), (1, answer.commit_id));
        service.reconcile_turn().await.unwrap();
        assert_eq!(bench.events("InstanceApplied").await.len(), 1);
        assert!(bench.events("DriftFound").await.is_empty());
    }
}

#[tokio::test]
async fn a_newer_intent_answers_the_older_ones_too() {
    for bench in Bench::all().await {
        bench.intend(&call(1, "old"), &wanted(1, 1)).await;
        bench.intend(&call(1, "stale"), &wanted(1, 0x7)).await;
        let newest = bench.service.apply(&call(1, "new"), wanted(1, 8)).await.unwrap();
        for (id, revision) in [("old", 1), ("stale", 7)] {
            let answer = bench.service.apply(&call(1, id), wanted(1, revision)).await.unwrap();
            assert_eq!(answer, newest, "{id}");
        }
        assert_eq!(bench.commits(), 1);
    }
}

#[tokio::test]
async fn a_repository_that_refuses_puts_the_intent_off_and_loses_nothing() {
    for bench in Bench::all().await {
        bench.service.apply(&call(1, "r-0"), wanted(9, 1)).await.unwrap();
        let lock = bench.path().join("refs/heads/main.lock");
        std::fs::write(&lock, "held by somebody else").unwrap();
        let (call, asked) = (call(1, "r-1"), wanted(1, 1));
        for _ in 0..2 {
            let refused = bench.service.apply(&call, asked.clone()).await.unwrap_err();
            assert_eq!(Fault::from(refused).reason, Reason::DesiredStateConflict);
        }
        assert!(!bench.service.commit_turn().await.unwrap(), "it waits for its next attempt");
        std::fs::remove_file(&lock).unwrap();
        bench.db.clock.advance(std::time::Duration::from_secs(1));
        bench.service.commit_turn().await.unwrap();
        assert_eq!(bench.commits(), 2, "the loop finished what the callers could not");
        let answer = bench.service.apply(&call, asked).await.unwrap();
        assert_eq!(bench.head(), answer.commit_id);
    }
}
