//! CreateRun, GetRun and ListRuns, and how each can end.

use std::time::Duration;

use souk_proto::souk::runs::v1::{ListRunsRequest, State};
use souk_types::{Fault, OrgId, PartName, Reason, Role};
use tonic::Code;

use crate::{
    engine::{Act, done, failed, output, piece, used},
    world::{PROJECT, World, ask, get, run, send, soon},
};

#[tokio::test]
async fn a_run_is_reserved_executed_settled_and_told() {
    let world = World::new().await;
    let boot = world.boot().await;
    let made = run(&boot.member(), "r").await.unwrap();
    assert_eq!((made.state(), made.output.as_str(), made.outputs.len()), (State::Succeeded, "hello", 1));
    assert_eq!((made.cost_micros, made.charged_micros, made.balance_micros), (3, 3, 997));
    let usage: Vec<_> = made.usage.iter().map(|used| (used.dimension.as_str(), used.quantity)).collect();
    assert_eq!(usage, [("input_tokens", 2), ("runs", 1)]);
    for (field, prefix) in
        [(&made.receipt_id, "rcp_"), (&made.ledger_entry_id, "ent_"), (&made.reservation_id, "rsv_")]
    {
        assert!(field.starts_with(prefix), "{made:?}");
    }
    assert_eq!((made.trace_id.len(), made.session_id.as_str()), (32, made.run_id.as_str()));
    assert!(made.end_time.is_some() && made.error.is_none());
    let executed = world.engine.executed();
    assert_eq!(
        (executed[0].input.as_deref(), executed[0].run_id.as_str()),
        (Some("hello"), made.run_id.as_str())
    );
    assert_eq!(executed[0].artifact_hash, "ab".repeat(32));
    assert_eq!(get(&boot.person(crate::world::ORG, Role::Viewer), &made.run_id).await.unwrap(), made);
    assert_eq!(world.bank.charged(), 3);
    let list = ListRunsRequest { page_size: 10, ..Default::default() };
    let listed = boot.member().list_runs(list).await.unwrap().into_inner();
    assert_eq!((listed.runs.len(), listed.runs[0].output.as_str()), (1, "hello"));
    boot.db.outbox().number_turn().await.unwrap();
    let told = souk_types::event::Log::after(&boot.db.outbox(), 0, 10).await.unwrap();
    let told = told.iter().find(|(_, event)| event.kind == "souk.runs.v1.RunSucceeded").unwrap();
    assert_eq!(
        (told.1.payload["costMicros"].as_str(), told.1.payload["usage"]["runs"].as_i64()),
        (Some("3"), Some(1))
    );
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_whatever_became_of_the_instance() {
    let world = World::new().await;
    let boot = world.boot().await;
    let first = run(&boot.member(), "r").await.unwrap();
    world.shelf.say(vec![crate::shelf::entitlements(souk_proto::souk::instances::v1::State::Terminated)]);
    assert_eq!(run(&boot.member(), "r").await.unwrap(), first);
    world.shelf.say(vec![crate::shelf::entitlements(souk_proto::souk::instances::v1::State::Active)]);
    let other = send(&boot.member(), ask("r", "another input")).await.unwrap_err();
    assert_eq!((other.code, other.reason.as_str()), (Code::AlreadyExists, "REQUEST_ID_REUSED"));
    assert_eq!((world.bank.reservations(), world.engine.executed().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_come_together_attach_to_one_run() {
    let world = World::new().await;
    world.engine.script(vec![Act::Wait, output("once"), used("runs", 1), done()]);
    let boot = world.boot().await;
    let mut copies = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let client = boot.member();
        copies.spawn(async move { run(&client, "r").await.unwrap() });
    }
    soon("the execution", world.engine.waiting.notified()).await;
    // One that comes while the run is at work attaches as well.
    let client = boot.member();
    copies.spawn(async move { run(&client, "r").await.unwrap() });
    world.engine.gate.add_permits(1);
    let answers = soon("the answers", copies.join_all()).await;
    assert_eq!(answers.len(), 17);
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.output == "once"));
    assert_eq!((world.bank.reservations(), world.engine.executed().len()), (1, 1));
    assert_eq!((world.bank.different("settle"), world.bank.charged()), (1, 1));
}

#[tokio::test]
async fn a_caller_that_stops_waiting_leaves_the_run_at_work() {
    let world = World::new().await;
    world.engine.script(vec![Act::Wait, output("late"), used("runs", 1), done()]);
    let boot = world.boot().await;
    let mut request = tonic::Request::new(ask("r", "hello"));
    request.set_timeout(Duration::from_millis(300));
    let late = boot.member().create_run(request).await.unwrap_err();
    assert!(matches!(late.code(), Code::DeadlineExceeded | Code::Cancelled), "{late:?}");
    soon("the execution", world.engine.waiting.notified()).await;
    world.engine.gate.add_permits(1);
    let made = soon("the run", run(&boot.member(), "r")).await.unwrap();
    assert_eq!((made.output.as_str(), world.engine.executed().len()), ("late", 1));
}

#[tokio::test]
async fn who_may_not_run_learns_no_more_than_they_may_know() {
    let world = World::new().await;
    let boot = world.boot().await;
    let viewer = run(&boot.person(crate::world::ORG, Role::Viewer), "r").await.unwrap_err();
    assert_eq!((viewer.code, viewer.reason.as_str()), (Code::PermissionDenied, "PERMISSION_DENIED"));
    let foreign = run(&boot.person(OrgId::from_bits(77), Role::Admin), "r").await.unwrap_err();
    let unknown = send(
        &boot.member(),
        souk_proto::souk::runs::v1::CreateRunRequest {
            instance_id: souk_types::InstanceId::from_bits(99).to_string(),
            ..ask("r", "hello")
        },
    )
    .await
    .unwrap_err();
    assert_eq!((foreign.code, foreign.reason.as_str()), (Code::NotFound, "INSTANCE_NOT_FOUND"));
    assert_eq!(format!("{foreign:?}"), format!("{unknown:?}"), "a foreign instance is like none");
    assert_eq!((world.bank.reservations(), world.engine.executed().len()), (0, 0));
    let made = run(&boot.operator(), "r").await.unwrap();
    for client in [boot.person(OrgId::from_bits(77), Role::Admin)] {
        let hidden = get(&client, &made.run_id).await.unwrap_err();
        assert_eq!(hidden.reason, "RUN_NOT_FOUND");
        let list = ListRunsRequest { project_id: PROJECT.to_string(), ..Default::default() };
        let listed = client.clone().list_runs(list).await.unwrap().into_inner();
        assert!(listed.runs.is_empty(), "a project that the token names wrongly shows nothing");
    }
}

#[tokio::test]
async fn without_credit_nothing_runs_and_the_request_id_stays_free() {
    let world = World::new().await;
    let boot = world.boot().await;
    for reason in ["INSUFFICIENT_CREDITS", "ACCOUNT_FROZEN"] {
        world.bank.refuse(Some(reason));
        let refused = run(&boot.member(), "r").await.unwrap_err();
        assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, reason));
        let stands = get(&boot.member(), &refused.metadata["run_id"]).await.unwrap();
        assert_eq!((stands.state(), stands.error.unwrap().reason.as_str()), (State::Refused, reason));
    }
    assert!(world.engine.executed().is_empty());
    world.bank.refuse(None);
    assert_eq!(run(&boot.member(), "r").await.unwrap().state(), State::Succeeded);
    assert_eq!(world.bank.charged(), 3);
}

#[tokio::test]
async fn a_flow_that_fails_pays_for_what_it_used_and_no_more() {
    let world = World::new().await;
    let boot = world.boot().await;
    let cut = "RUN_INTERRUPTED";
    let cases = [
        ("used", vec![used("runs", 1), failed()], "FLOW_FAILED", 1),
        ("nothing", vec![failed()], "FLOW_FAILED", 0),
        ("cut", vec![used("runs", 1), output("half")], cut, 1),
        ("broken", vec![used("runs", 1), Act::Break(Reason::Unavailable)], "UNAVAILABLE", 1),
        ("corrupt", vec![Act::Break(Reason::ArtifactCorrupt)], "ARTIFACT_CORRUPT", 0),
        ("wild", vec![used("runs", -5), done()], "INTERNAL", 0),
        ("large", vec![output(&"x".repeat(1024 * 1024 + 1)), done()], "FLOW_FAILED", 0),
    ];
    let mut charged = 0;
    for (name, script, reason, cost) in cases {
        world.engine.script(script);
        let made = run(&boot.member(), name).await.unwrap();
        let error = made.error.clone().unwrap();
        assert_eq!((made.state(), error.reason.as_str()), (State::Failed, reason), "{name}");
        assert_eq!((made.cost_micros, made.charged_micros), (cost, cost), "{name}");
        assert_eq!(made.receipt_id.is_empty(), cost == 0, "{name}");
        charged += cost;
        assert_eq!(world.bank.charged(), charged, "{name}");
        assert_eq!(made.balance_micros, crate::bank::START - charged, "{name}");
        if name == "used" {
            assert_eq!(error.component_id, "Prompt-1");
        }
        assert_eq!(run(&boot.member(), name).await.unwrap(), made, "{name}: a repeat");
    }
}

#[tokio::test]
async fn a_runner_that_is_away_costs_nothing() {
    let world = World::new().await;
    let boot = world.boot_without(&[PartName::Runner]).await;
    let made = run(&boot.member(), "r").await.unwrap();
    assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "UNAVAILABLE"));
    assert_eq!((world.bank.charged(), world.bank.reservations()), (0, 1));
}

#[tokio::test]
async fn billing_that_stumbles_is_asked_again_with_the_same_id() {
    let world = World::new().await;
    let boot = world.boot().await;
    let away = || Fault::new(Reason::Unavailable, "billing", "away");
    world.bank.fail((0..5).map(|_| away()).collect());
    let made = soon("the run", run(&boot.member(), "r")).await.unwrap();
    assert_eq!(made.state(), State::Succeeded);
    world.engine.script(vec![Act::Wait, used("runs", 1), output("x"), done()]);
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r2").await });
    soon("the execution", world.engine.waiting.notified()).await;
    world.bank.fail((0..7).map(|_| away()).collect());
    world.engine.gate.add_permits(1);
    assert_eq!(soon("the run", task).await.unwrap().unwrap().state(), State::Succeeded);
    assert_eq!((world.bank.reservations(), world.bank.different("settle")), (2, 2));
    assert_eq!(world.bank.charged(), 4);
}

#[tokio::test]
async fn what_has_no_price_is_left_out() {
    let world = World::new().await;
    world.bank.unprice("input_tokens");
    let boot = world.boot().await;
    let made = run(&boot.member(), "r").await.unwrap();
    assert_eq!((made.state(), made.cost_micros, made.usage.len()), (State::Succeeded, 1, 1));
    world.engine.script(vec![piece("a"), used("input_tokens", 4), failed()]);
    let made = run(&boot.member(), "r2").await.unwrap();
    assert_eq!((made.state(), made.cost_micros), (State::Failed, 0));
    assert_eq!(world.bank.charged(), 1);
}

#[tokio::test]
async fn billing_that_stays_away_ends_the_wait() {
    let world = World::new().await;
    let boot = world.boot_without(&[PartName::Billing]).await;
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await });
    let stands = async {
        loop {
            let listed = boot.member().list_runs(ListRunsRequest::default()).await.unwrap().into_inner();
            match listed.runs.first() {
                Some(run) => return run.state(),
                None => tokio::task::yield_now().await,
            }
        }
    };
    assert_eq!(soon("the row", stands).await, State::Queued);
    world.database.clock.advance(Duration::from_secs(2));
    let made = soon("the run", task).await.unwrap().unwrap();
    assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "UNAVAILABLE"));
    assert!(world.engine.executed().is_empty());
}

#[tokio::test]
async fn a_flow_that_takes_too_long_is_cut_and_pays_what_it_used() {
    let mut world = World::new().await;
    world.config.execute_seconds = 1;
    world.engine.script(vec![used("runs", 1), output("half"), Act::Wait, done()]);
    let boot = world.boot().await;
    let made = soon("the run", run(&boot.member(), "r")).await.unwrap();
    assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "DEADLINE_EXCEEDED"));
    assert_eq!((made.output.as_str(), world.bank.charged()), ("half", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_drains_lets_its_runs_end() {
    let world = World::new().await;
    world.engine.script(vec![Act::Wait, output("done"), used("runs", 1), done()]);
    let boot = world.boot().await;
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await });
    soon("the execution", world.engine.waiting.notified()).await;
    let stop = boot.mesh.stop();
    let drain = tokio::spawn(boot.mesh.drain());
    stop.cancelled().await;
    world.engine.gate.add_permits(1);
    assert_eq!(soon("the run", task).await.unwrap().unwrap().state(), State::Succeeded);
    assert!(soon("the drain", drain).await.unwrap(), "everything ended in time");
    assert_eq!(world.bank.charged(), 1);
}
