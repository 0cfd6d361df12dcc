//! What is to be no more is gone, is told once, and nothing older brings it back.

use super::{
    bench::{Bench, call, env, instance, removal, removing, wanted},
    *,
};
use crate::model::Bundle;

#[tokio::test]
async fn a_removed_instance_is_gone_and_told_once() {
    for bench in Bench::all().await {
        bench.service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap();
        bench.service.apply(&call(1, "r-2"), wanted(2, 1)).await.unwrap();
        bench.settle().await;
        // The same request id as an Apply: another method's ids are others.
        let gone = bench.service.remove(&removing(1, "r-1"), removal(1, 2)).await.unwrap();
        assert_eq!(
            (gone.commit_id.clone(), gone.content_hash.clone(), gone.revision),
            (bench.head(), None, 2)
        );
        assert_eq!(bench.service.remove(&removing(1, "r-1"), removal(1, 2)).await.unwrap(), gone);
        assert_eq!(bench.service.remove(&removing(1, "again"), removal(1, 2)).await.unwrap(), gone);
        assert_eq!(bench.service.remove(&removing(1, "older"), removal(1, 1)).await.unwrap(), gone);
        let left = crate::model::render(&env(), &wanted(2, 1)).unwrap();
        assert_eq!((bench.files(), bench.commits()), (left, 3), "{}", bench.db.engine);
        bench.settle().await;
        bench.restarted().settle().await;
        let applied = bench.service.applied(&call(1, ""), instance(1)).await.unwrap();
        assert_eq!(
            (applied.revision, applied.commit_id, applied.standing),
            (2, gone.commit_id.clone(), None)
        );
        let events = bench.events("InstanceRemoved").await;
        let [event] = events.as_slice() else { panic!("one event, not {events:?}") };
        let payload =
            serde_json::json!({"instanceId": instance(1), "revision": 2, "commitId": gone.commit_id});
        assert_eq!(
            (&event.payload, event.aggregate_id.as_str()),
            (&payload, instance(1).to_string().as_str())
        );
        assert!(bench.events("DriftFound").await.is_empty());
    }
}

#[tokio::test]
async fn what_is_older_than_a_removal_never_brings_it_back() {
    for bench in Bench::all().await {
        bench.service.apply(&call(1, "r-1"), wanted(1, 3)).await.unwrap();
        let gone = bench.service.remove(&removing(1, "x"), removal(1, 4)).await.unwrap();
        for (id, revision) in [("late", 2), ("last", 4), ("same", 3)] {
            let answer = bench.service.apply(&call(1, id), wanted(1, revision)).await.unwrap();
            assert_eq!(answer, gone, "{id}");
        }
        bench.settle().await;
        assert_eq!(bench.files(), Bundle::default());
        // Only what is newer does; and it must then be removed anew.
        let back = bench.service.apply(&call(1, "new"), wanted(1, 5)).await.unwrap();
        assert_eq!((back.revision, bench.head()), (5, back.commit_id));
        bench.settle().await;
        assert!(bench.service.applied(&call(1, ""), instance(1)).await.unwrap().standing.is_some());
        assert_eq!(bench.service.remove(&removing(1, "x"), removal(1, 4)).await.unwrap(), gone);
        let stale = bench.service.remove(&removing(1, "y"), removal(1, 5)).await.unwrap_err();
        assert!(matches!(stale, Error::Invalid(_)), "{stale:?}");
        assert!(!bench.files().is_empty());
    }
}

#[tokio::test]
async fn what_never_was_can_be_removed_before_it_comes() {
    for bench in Bench::all().await {
        let gone = bench.service.remove(&removing(1, "x"), removal(1, 2)).await.unwrap();
        assert_eq!((gone.commit_id.clone(), gone.revision, bench.head()), (None, 2, None));
        let late = bench.service.apply(&call(1, "late"), wanted(1, 1)).await.unwrap();
        assert_eq!((late, bench.head()), (gone, None));
        bench.settle().await;
        assert_eq!(bench.events("InstanceRemoved").await.len(), 1);
        assert!(bench.service.applied(&call(1, ""), instance(1)).await.unwrap().standing.is_none());
        let again = bench.service.remove(&removing(1, "z"), removal(1, 3)).await.unwrap();
        assert_eq!((again.commit_id, again.revision), (None, 3));
        bench.settle().await;
        bench.service.apply(&call(1, "new"), wanted(1, 4)).await.unwrap();
        bench.settle().await;
        assert!(bench.service.applied(&call(1, ""), instance(1)).await.unwrap().standing.is_some());
    }
}

#[tokio::test]
async fn removals_and_applies_that_wait_go_into_one_commit() {
    for bench in Bench::all().await {
        for n in 1..=10 {
            bench.service.apply(&call(1, &format!("r-{n}")), wanted(n, 1)).await.unwrap();
        }
        let before = bench.commits();
        let removes: Vec<_> = (1..=10).map(|n| (removing(1, &format!("x-{n}")), removal(n, 2))).collect();
        let applies: Vec<_> = (11..=20).map(|n| (call(1, &format!("r-{n}")), wanted(n, 1))).collect();
        // Intents first, as calls that wait for their turn leave them.
        for (call, removal) in &removes {
            let request = Request::of(call, removal.org_id, Some(removal.org_id), removal).unwrap();
            let kept = bench.service.store.intend(call, &request, Ask::Remove(*removal)).await.unwrap();
            assert_eq!(kept, None);
        }
        for (call, wanted) in &applies {
            bench.intend(call, wanted).await;
        }
        bench.service.commit_turn().await.unwrap();
        assert_eq!(bench.commits(), before + 1, "{}", bench.db.engine);
        let removed =
            join_all(removes.iter().map(|(call, removal)| bench.service.remove(call, *removal))).await;
        let applied =
            join_all(applies.iter().map(|(call, wanted)| bench.service.apply(call, wanted.clone()))).await;
        for answer in removed.into_iter().chain(applied) {
            assert_eq!(answer.unwrap().commit_id, bench.head());
        }
        bench.settle().await;
        assert_eq!(bench.events("InstanceRemoved").await.len(), 10);
        assert_eq!(bench.commits(), before + 1);
    }
}

#[tokio::test]
async fn files_put_back_after_a_removal_are_drift() {
    for after_restart in [false, true] {
        for bench in Bench::all().await {
            bench.service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap();
            bench.settle().await;
            let files = bench.files();
            bench.service.remove(&removing(1, "x"), removal(1, 2)).await.unwrap();
            bench.settle().await;
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let back: Vec<_> = files.iter().map(|(path, bytes)| (path.to_owned(), text(bytes))).collect();
            let back: Vec<_> = back.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
            bench.foreign(&back);
            if after_restart {
                bench.restarted().settle().await;
            }
            bench.settle().await;
            assert_eq!(bench.files(), Bundle::default());
            assert_eq!(bench.events("InstanceRemoved").await.len(), 1, "told once");
            assert_eq!(bench.events("DriftFound").await.len(), 1);
            assert_eq!(bench.events("DriftMended").await.len(), 1);
        }
    }
}

#[tokio::test]
async fn nobody_removes_what_is_somebody_elses() {
    for bench in Bench::all().await {
        let own = bench.service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap();
        let theirs = crate::model::Removal { org_id: souk_types::OrgId::from_bits(2), ..removal(1, 9) };
        let hidden = bench.service.remove(&removing(2, "x"), theirs).await.unwrap_err();
        assert_eq!(Fault::from(hidden).reason, Reason::InstanceNotFound);
        let zero = bench.service.remove(&removing(1, "z"), removal(1, 0)).await.unwrap_err();
        assert!(matches!(zero, Error::Invalid(_)));
        assert_eq!(bench.head(), own.commit_id);
    }
}
