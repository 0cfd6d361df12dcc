//! Delivery through the mesh, with its loops running: what instances and the gateway get to see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod process;
mod watch;

use futures::future::join_all;
use souk_proto::souk::delivery::v1::{ApplyRequest, RemoveRequest};
use souk_testkit::database::sqlite;
use tonic::Code;

use crate::process::{Process, ask, client, get, org, reason};
use souk_delivery::MIGRATIONS;

#[tokio::test]
async fn an_instance_is_applied_read_and_still_there_after_a_restart() {
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    let committed = process.apply(org(1), ask("r-1", 1)).await.unwrap();
    assert_eq!((committed.revision, committed.commit_id.len(), committed.content_hash.len()), (1, 40, 64));
    let event = process.applied(1).await;
    assert_eq!((event.org_id, event.aggregate_id), (org(1).to_string(), get().instance_id));
    for acting in [process.gateway.acting_for(org(1)), process.gateway.acting_for_platform()] {
        let got = client(&process.gateway, acting).get_applied(get()).await.unwrap().into_inner();
        let got = got.applied.unwrap();
        assert_eq!((got.revision, &got.commit_id), (1, &committed.commit_id));
        assert_eq!((got.content_hash, got.host), (committed.content_hash.clone(), String::new()));
        assert_eq!(got.path, format!("/i/{}", got.instance_id));
        assert!(got.apply_time.is_some());
    }
    assert!(process.mesh.drain().await);

    let process = Process::start(&db, &dir);
    assert_eq!(process.apply(org(1), ask("r-1", 1)).await.unwrap(), committed);
    process.apply(org(1), ask("r-2", 2)).await.unwrap();
    process.applied(2).await;
    assert!(process.mesh.drain().await);
}

#[tokio::test]
async fn refusals_say_why() {
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    let mut early = client(&process.gateway, process.gateway.acting_for(org(1)));
    let absent = early.get_applied(get()).await.unwrap_err();
    assert_eq!(reason(&absent), (Code::NotFound, "APPLIED_STATE_NOT_FOUND".to_owned()));

    let answers = join_all((0..8).map(|_| process.apply(org(1), ask("r-2", 2)))).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    process.applied(2).await;

    let foreign = client(&process.gateway, process.gateway.acting_for(org(2))).get_applied(get()).await;
    assert_eq!(reason(&foreign.unwrap_err()).1, "APPLIED_STATE_NOT_FOUND");
    let other_org = |mut ask: ApplyRequest| {
        ask.org_id = org(2).to_string();
        ask
    };
    let foreign = process.apply(org(2), ask("r-3", 3)).await.unwrap_err();
    assert_eq!(reason(&foreign), (Code::NotFound, "ORG_NOT_FOUND".to_owned()));
    let foreign = process.apply(org(2), other_org(ask("r-3", 3))).await.unwrap_err();
    assert_eq!(reason(&foreign), (Code::InvalidArgument, "INVALID_ARGUMENT".to_owned()));
    let mut taken = other_org(ask("r-3", 3));
    taken.desired.as_mut().unwrap().org_id = org(2).to_string();
    let foreign = process.apply(org(2), taken).await.unwrap_err();
    assert_eq!(reason(&foreign), (Code::NotFound, "INSTANCE_NOT_FOUND".to_owned()));

    let reused = process.apply(org(1), ask("r-2", 3)).await.unwrap_err();
    assert_eq!(reason(&reused), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
    let nameless = process.apply(org(1), ask("", 3)).await.unwrap_err();
    assert_eq!(reason(&nameless).1, "REQUEST_ID_REQUIRED");
    let empty = ApplyRequest { desired: None, ..ask("r-4", 3) };
    assert_eq!(reason(&process.apply(org(1), empty).await.unwrap_err()).0, Code::InvalidArgument);
    let stale = process.apply(org(1), ask("r-1", 1)).await.unwrap();
    assert_eq!(&stale, first);

    let intruder = client(&process.gateway, process.gateway.acting_for(org(1))).apply(ask("r-5", 3)).await;
    assert_eq!(intruder.unwrap_err().code(), Code::PermissionDenied);
    assert!(process.mesh.drain().await);
}

#[tokio::test]
async fn an_instance_is_removed_and_stays_so() {
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    process.apply(org(1), ask("r-1", 1)).await.unwrap();
    process.told("InstanceApplied", 1).await;
    let remove = |request_id: &str, revision| RemoveRequest {
        org_id: org(1).to_string(),
        request_id: request_id.to_owned(),
        instance_id: get().instance_id,
        revision,
    };
    let mut instances = client(&process.instances, process.instances.acting_for(org(1)));
    let stale = instances.remove(remove("x", 1)).await.unwrap_err();
    assert_eq!(reason(&stale), (Code::InvalidArgument, "INVALID_ARGUMENT".to_owned()));
    let gone = instances.remove(remove("x", 2)).await.unwrap().into_inner();
    assert_eq!((gone.revision, gone.commit_id.len()), (2, 40));
    process.told("InstanceRemoved", 2).await;
    assert_eq!(instances.remove(remove("x", 2)).await.unwrap().into_inner(), gone);
    let late = process.apply(org(1), ask("r-2", 2)).await.unwrap();
    assert_eq!((late.revision, late.commit_id, late.content_hash), (2, gone.commit_id, String::new()));
    let got = instances.get_applied(get()).await.unwrap().into_inner().applied.unwrap();
    assert!(got.removed && got.path.is_empty() && got.revision == 2, "{got:?}");
    let foreign = RemoveRequest { org_id: org(2).to_string(), ..remove("y", 3) };
    let mut others = client(&process.instances, process.instances.acting_for(org(2)));
    assert_eq!(reason(&others.remove(foreign).await.unwrap_err()).1, "INSTANCE_NOT_FOUND");
    let empty = others.remove(RemoveRequest { org_id: org(2).to_string(), ..Default::default() }).await;
    assert_eq!(empty.unwrap_err().code(), Code::InvalidArgument);
    let mut gateway = client(&process.gateway, process.gateway.acting_for(org(1)));
    assert_eq!(gateway.remove(remove("z", 3)).await.unwrap_err().code(), Code::PermissionDenied);
    assert!(process.mesh.drain().await);
}
