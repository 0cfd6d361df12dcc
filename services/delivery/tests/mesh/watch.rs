//! WatchApplied: all that stands, its end, then what changes, and a sign of life every second.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use souk_delivery::MIGRATIONS;
use souk_proto::souk::delivery::v1::{Applied, RemoveRequest, WatchAppliedRequest, WatchAppliedResponse};
use souk_testkit::database::sqlite;
use souk_types::{Acting, id::InstanceId};
use tonic::{Code, Streaming};

use crate::process::{Process, ask, client, get, of, org, reason};

type Stream = Streaming<WatchAppliedResponse>;

async fn watch(process: &Process, acting: Acting) -> Stream {
    client(&process.gateway, acting).watch_applied(WatchAppliedRequest {}).await.unwrap().into_inner()
}

async fn next(stream: &mut Stream) -> WatchAppliedResponse {
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, stream.message()).await.expect("a message").unwrap().unwrap()
}

/// All that stands, up to the mark.
async fn first(stream: &mut Stream) -> Vec<Applied> {
    let mut all = Vec::new();
    loop {
        let said = next(stream).await;
        assert!(said.heartbeat_time.is_none() && said.complete == said.applied.is_none(), "{said:?}");
        match said.applied {
            Some(applied) => all.push(applied),
            None => return all,
        }
    }
}

/// What changed next.
async fn change(stream: &mut Stream) -> Applied {
    loop {
        let said = next(stream).await;
        assert!(!said.complete, "the mark comes once");
        if let Some(applied) = said.applied {
            return applied;
        }
    }
}

#[tokio::test]
async fn what_stands_comes_first_and_then_each_change_whole() {
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    let mut early = watch(&process, process.gateway.acting_for_platform()).await;
    assert_eq!(first(&mut early).await, []);
    let committed = process.apply(org(1), ask("r-1", 1)).await.unwrap();
    let told = change(&mut early).await;
    assert_eq!((told.revision, told.commit_id.as_str()), (1, committed.commit_id.as_str()));
    assert_eq!((told.org_id.as_str(), told.runs_per_minute, told.removed), (&*org(1).to_string(), 60, false));
    assert_eq!((told.capabilities.clone(), told.input_bytes), (vec!["runs.sync".to_owned()], 0));
    assert!(told.project_id.starts_with("prj_") && told.offering_version_id.starts_with("ofv_"));
    assert_eq!(told.path, format!("/i/{}", told.instance_id));
    let got =
        client(&process.gateway, process.gateway.acting_for_platform()).get_applied(get()).await.unwrap();
    assert_eq!(got.into_inner().applied.as_ref(), Some(&told));
    let mut late = watch(&process, process.gateway.acting_for_platform()).await;
    assert_eq!(first(&mut late).await, [told]);
    let mut quiet = watch(&process, process.gateway.acting_for_platform()).await;
    assert_eq!(first(&mut quiet).await.len(), 1);
    let remove = RemoveRequest {
        org_id: org(1).to_string(),
        request_id: "x".to_owned(),
        instance_id: get().instance_id,
        revision: 2,
    };
    let mut instances = client(&process.instances, process.instances.acting_for(org(1)));
    instances.remove(remove).await.unwrap();
    for stream in [&mut early, &mut late, &mut quiet] {
        let gone = change(stream).await;
        assert_eq!((gone.revision, gone.removed, gone.path.as_str()), (2, true, ""));
    }
    let mut after = watch(&process, process.gateway.acting_for_platform()).await;
    assert_eq!(first(&mut after).await, [], "what was taken away does not stand");
    db.clock.advance(Duration::from_secs(1));
    for stream in [&mut early, &mut quiet] {
        let beat = next(stream).await;
        assert!(beat.heartbeat_time.is_some() && beat.applied.is_none() && !beat.complete, "{beat:?}");
    }
    db.clock.advance(Duration::from_secs(600));
    let over = loop {
        if let Err(over) = tokio::time::timeout(Duration::from_secs(60), early.message()).await.unwrap() {
            break over;
        }
    };
    assert_eq!(over.code(), Code::Unavailable);
    let mut intruder = client(&process.instances, process.instances.acting_for(org(1)));
    assert!(intruder.watch_applied(WatchAppliedRequest {}).await.is_ok(), "instances may watch");
    assert!(process.mesh.drain().await);
    let ended = loop {
        if let Err(ended) = late.message().await {
            break ended;
        }
    };
    assert_eq!(reason(&ended), (Code::Unavailable, "UNAVAILABLE".to_owned()));
}

#[tokio::test]
async fn many_come_by_pages_and_a_slow_reader_gets_the_newest() {
    const MANY: u128 = 600;
    const CHANGES: i64 = 40;
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    let asks = (1..=MANY).map(|n| process.apply(org(1), of(n, &format!("r-{n}"), 1)));
    assert!(join_all(asks).await.iter().all(Result::is_ok));
    let mut slow = watch(&process, process.gateway.acting_for_platform()).await;
    let mut known: BTreeMap<_, _> = BTreeMap::new();
    let mut take = |applied: Applied| {
        known.insert(applied.instance_id, applied.revision);
    };
    first(&mut slow).await.into_iter().for_each(&mut take);
    let last = InstanceId::from_bits(MANY);
    // Nobody reads meanwhile.
    for revision in 2..=CHANGES {
        let of = of(MANY, &format!("c-{revision}"), revision);
        process.apply(org(1), of).await.unwrap();
        process.told("InstanceApplied", revision).await;
    }
    let mut told = 0;
    loop {
        let applied = change(&mut slow).await;
        let (id, revision) = (applied.instance_id.clone(), applied.revision);
        take(applied);
        if id == last.to_string() {
            told += 1;
            if revision == CHANGES {
                break;
            }
        }
    }
    assert_eq!((known.len(), known[&last.to_string()]), (usize::try_from(MANY).unwrap(), CHANGES));
    assert!(told < CHANGES, "what was passed over is not told any more");
    let mut again = watch(&process, process.gateway.acting_for_platform()).await;
    let all = first(&mut again).await;
    assert!(all.is_sorted_by(|a, b| a.instance_id < b.instance_id), "each once, page by page");
    assert_eq!(all.len(), usize::try_from(MANY).unwrap());
    assert!(process.mesh.drain().await);
}
