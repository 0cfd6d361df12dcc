//! What keeps a run from starting: the instance's state, its plan's limits, a bad request.

use souk_proto::souk::{
    instances::v1::{Entitlements, Limits, State as Stands},
    runs::v1::{CreateRunRequest, ListRunsRequest, State},
};
use tonic::Code;

use crate::{
    engine::{Act, done, output, used},
    shelf::entitlements,
    world::{World, ask, run, send, soon},
};

#[tokio::test]
async fn an_instance_that_comes_is_waited_for() {
    let world = World::new().await;
    let boot = world.boot().await;
    world.shelf.say(vec![
        entitlements(Stands::Requested),
        entitlements(Stands::Provisioning),
        entitlements(Stands::Active),
    ]);
    assert_eq!(run(&boot.member(), "r").await.unwrap().state(), State::Succeeded);
    world.shelf.say(vec![entitlements(Stands::Provisioning)]);
    let refused = run(&boot.member(), "r2").await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "INSTANCE_NOT_READY"));
    assert!(refused.retry_after.is_some());
}

#[tokio::test]
async fn an_instance_that_does_not_serve_is_refused_with_its_reason() {
    let world = World::new().await;
    let boot = world.boot().await;
    let paused = |reasons: &[&str]| Entitlements {
        pause_reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        ..entitlements(Stands::Paused)
    };
    for (stands, reason) in [
        (paused(&["MANUAL", "WALLET_DEPLETED"]), "INSTANCE_PAUSED"),
        (paused(&["WALLET_DEPLETED"]), "INSUFFICIENT_CREDITS"),
        (entitlements(Stands::Terminating), "INSTANCE_TERMINATED"),
        (entitlements(Stands::Terminated), "INSTANCE_TERMINATED"),
        (entitlements(Stands::Failed), "INSTANCE_FAILED"),
    ] {
        world.shelf.say(vec![stands]);
        let refused = run(&boot.member(), "r").await.unwrap_err();
        assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, reason));
        if reason == "INSTANCE_PAUSED" {
            assert_eq!(refused.metadata["pause_reasons"], "MANUAL,WALLET_DEPLETED");
        }
    }
    world.shelf.say(vec![entitlements(Stands::Active)]);
    assert_eq!(run(&boot.member(), "r").await.unwrap().state(), State::Succeeded, "the id was free");
    assert_eq!(world.bank.reservations(), 1);
}

#[tokio::test]
async fn the_plans_limits_hold() {
    let world = World::new().await;
    world.engine.script(vec![Act::Wait, output("x"), used("runs", 1), done()]);
    let limits = Limits { runs_per_minute: 2, input_bytes: 5, concurrent_runs: 1 };
    world.shelf.say(vec![Entitlements { limits: Some(limits), ..entitlements(Stands::Active) }]);
    let boot = world.boot().await;
    let large = send(&boot.member(), ask("r", "123456")).await.unwrap_err();
    assert_eq!((large.code, large.metadata["limit"].as_str()), (Code::InvalidArgument, "5"));
    let client = boot.member();
    let first = tokio::spawn(async move { run(&client, "r").await });
    soon("the execution", world.engine.waiting.notified()).await;
    let second = run(&boot.member(), "r2").await.unwrap_err();
    assert_eq!(second.metadata["limit"], "concurrent_runs");
    assert_eq!((second.code, second.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_REQUESTS"));
    world.engine.gate.add_permits(9);
    assert_eq!(soon("the run", first).await.unwrap().unwrap().state(), State::Succeeded);
    run(&boot.member(), "r2").await.unwrap();
    let third = run(&boot.member(), "r3").await.unwrap_err();
    assert_eq!(third.metadata["limit"], "runs_per_minute");
    assert!(third.retry_after.is_some());
    assert_eq!(run(&boot.member(), "r2").await.unwrap().state(), State::Succeeded, "a repeat is no new run");
}

#[tokio::test]
async fn the_default_input_limit_holds_without_a_plans() {
    let world = World::new().await;
    let boot = world.boot().await;
    let at_most = 256 * 1024;
    assert!(send(&boot.member(), ask("r", &"x".repeat(at_most))).await.is_ok());
    let large = send(&boot.member(), ask("r2", &"x".repeat(at_most + 1))).await.unwrap_err();
    assert_eq!((large.code, large.metadata["limit"].as_str()), (Code::InvalidArgument, "262144"));
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let world = World::new().await;
    let boot = world.boot().await;
    for (request, reason) in [
        (CreateRunRequest { instance_id: "ins_1".into(), ..ask("r", "x") }, "INVALID_ARGUMENT"),
        (CreateRunRequest { session_id: "a\u{7f}".into(), ..ask("r", "x") }, "INVALID_ARGUMENT"),
        (CreateRunRequest { session_id: "a".repeat(256), ..ask("r", "x") }, "INVALID_ARGUMENT"),
        (ask("r", "a\0b"), "INVALID_ARGUMENT"),
        (ask("", "x"), "REQUEST_ID_REQUIRED"),
        (ask("a\u{e9}", "x"), "REQUEST_ID_REQUIRED"),
    ] {
        let refused = send(&boot.member(), request).await.unwrap_err();
        assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, reason));
    }
    let list = ListRunsRequest { page_token: "made-up".into(), ..Default::default() };
    let status = boot.member().list_runs(list).await.unwrap_err();
    assert_eq!(souk_kit::Refusal::read("runs", &status).reason, "PAGE_TOKEN_INVALID");
}
