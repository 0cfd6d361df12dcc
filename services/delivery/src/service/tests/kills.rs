//! A kill before or after any commit of the database, and two processes at once: all of it converges.

use std::{
    panic::AssertUnwindSafe,
    sync::atomic::{AtomicUsize, Ordering},
};

use futures::{
    FutureExt as _,
    future::{join, join_all},
};
use souk_db::CommitObserver;

use super::{
    bench::{Bench, call, env, instance, removal, removing, wanted},
    *,
};
use crate::model::{Bundle, CONNECTOR_POLICY, Committed, render};

/// Panics at one commit, before or after it: what was going on is dropped, as a kill drops it.
struct Kill {
    at: usize,
    before: bool,
    count: AtomicUsize,
}

impl CommitObserver for Kill {
    fn before(&self, site: &'static str) {
        let here = self.count.fetch_add(1, Ordering::SeqCst) == self.at;
        assert!(!(here && self.before), "killed before {site}");
    }

    fn after(&self, site: &'static str) {
        let here = self.count.load(Ordering::SeqCst) == self.at + 1;
        assert!(!here || self.before, "killed after {site}");
    }
}

/// A life with everything in it: two revisions, a foreign commit and its end, and the instance's own end.
async fn life(bench: &Bench, service: &Service) -> Result<Committed, Error> {
    service.apply(&call(1, "r-1"), wanted(1, 1)).await?;
    service.reconcile_turn().await?;
    bench.foreign(&[
        (&wanted(1, 1).folder(&env()).file(CONNECTOR_POLICY), None),
        (&format!("{}/junk", env().instances()), Some("x")),
    ]);
    for _ in 0..3 {
        service.reconcile_turn().await?;
        service.commit_turn().await?;
    }
    service.reconcile_turn().await?;
    service.apply(&call(1, "r-2"), wanted(1, 2)).await?;
    service.reconcile_turn().await?;
    let last = service.remove(&removing(1, "r-3"), removal(1, 3)).await?;
    service.reconcile_turn().await?;
    Ok(last)
}

/// Kills at the given commit and lives on; says whether there was such a commit.
async fn kill(bench: &Bench, at: usize, before: bool) -> bool {
    let observer = Arc::new(Kill { at, before, count: AtomicUsize::new(0) });
    let service = bench.observed(observer).await;
    let killed = AssertUnwindSafe(life(bench, &service)).catch_unwind().await.is_err();
    drop(service);
    let what = format!("{} at {at}, before: {before}", bench.db.engine);

    // Nobody asks again for the first revision: what was kept of it is finished by the loops.
    bench.restarted().settle().await;
    assert_eq!(bench.anew().store.due(None, 9).await.unwrap(), [], "{what}");
    let service = bench.anew();
    let first = service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap();
    let second = service.apply(&call(1, "r-2"), wanted(1, 2)).await.unwrap();
    let files = bench.files();
    // The removal's intent may have been kept: then it was done before anybody asked for it again.
    assert!(files.is_empty() || files == render(&env(), &wanted(1, 2)).unwrap(), "{what}");
    bench.restarted().settle().await;
    let last = service.remove(&removing(1, "r-3"), removal(1, 3)).await.unwrap();
    assert_eq!(service.apply(&call(1, "r-1"), wanted(1, 1)).await.unwrap(), first, "{what}");
    assert_eq!(service.apply(&call(1, "r-2"), wanted(1, 2)).await.unwrap(), second, "{what}");
    assert_eq!(service.remove(&removing(1, "r-3"), removal(1, 3)).await.unwrap(), last, "{what}");
    bench.restarted().settle().await;
    let applied = service.applied(&call(1, ""), instance(1)).await.unwrap();
    assert_eq!((applied.revision, applied.commit_id), (3, last.commit_id), "{what}");
    assert_eq!((applied.standing, bench.files()), (None, Bundle::default()), "{what}");
    let events = bench.events("InstanceApplied").await;
    let revisions: Vec<_> = events.iter().filter_map(|event| event.payload["revision"].as_i64()).collect();
    assert!([vec![1, 2], vec![2], vec![1]].contains(&revisions), "{what}: {revisions:?}");
    assert_eq!(bench.events("InstanceRemoved").await.len(), 1, "{what}");
    assert!(bench.events("DriftFound").await.len() <= 3, "{what}");
    killed
}

#[tokio::test]
async fn a_kill_at_any_commit_loses_nothing_and_doubles_nothing() {
    for at in 0.. {
        let (befores, afters) = (Bench::all().await, Bench::all().await);
        let before = befores.iter().map(|bench| (bench, true));
        let lives = before.chain(afters.iter().map(|bench| (bench, false)));
        let killed = join_all(lives.map(|(bench, before)| kill(bench, at, before))).await;
        if killed.iter().all(|killed| !killed) {
            assert!(at >= 12, "only {at} commits were killed at");
            break;
        }
    }
}

#[tokio::test]
async fn two_processes_at_once_double_nothing() {
    for bench in Bench::all().await {
        let (one, other) = (bench.anew(), bench.anew());
        for revision in 1..=5 {
            let id = format!("r-{revision}");
            let call = call(1, &id);
            let (a, b) =
                join(one.apply(&call, wanted(1, revision)), other.apply(&call, wanted(1, revision))).await;
            assert_eq!(a.unwrap(), b.unwrap());
            let (a, b) = join(one.reconcile_turn(), other.reconcile_turn()).await;
            assert!(a.is_ok() && b.is_ok());
        }
        bench.settle().await;
        assert_eq!(bench.events("InstanceApplied").await.len(), 5, "{}", bench.db.engine);
        assert!(bench.events("DriftFound").await.is_empty());
        assert_eq!(bench.commits(), 5);
    }
}
