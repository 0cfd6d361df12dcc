//! Usage is priced as it arrives: more is reserved near the end of the budget, and where it cannot be had the
//! engine is stopped within one thing that it says.

use std::time::Duration;

use souk_proto::souk::{runner::v1::execute_response::Event, runs::v1::State};
use souk_types::{Fault, Reason};

use crate::{
    bank::{BUDGET, START},
    engine::{Act, done, output, piece, used},
    world::{World, ask, get, run, send, soon},
};

/// Says a word and uses tokens for it, without end.
fn endless(tokens: i64) -> Vec<Act> {
    let event = |act: Act| match act {
        Act::Say(event) => event,
        _ => panic!("nothing said"),
    };
    let events: Vec<Event> = vec![event(piece("x")), event(used("output_tokens", tokens))];
    vec![used("runs", 1), Act::Forever(events.into())]
}

#[tokio::test]
async fn an_engine_without_end_spends_what_the_wallet_holds_and_not_one_chunk_more() {
    for tokens in [1, 7, 60, BUDGET + 1, START * 3] {
        let world = World::new().await;
        world.bank.price(&[("output_tokens", 1)]);
        world.engine.script(endless(tokens));
        let boot = world.boot().await;
        let made = soon("the run", run(&boot.member(), "r")).await.unwrap();
        assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "BUDGET_EXHAUSTED"));
        assert!(made.cost_micros <= START + tokens, "{tokens}: {} of {START}", made.cost_micros);
        assert_eq!(made.charged_micros, made.cost_micros.min(START), "{tokens}: what was used is charged");
        assert_eq!(world.bank.charged(), made.charged_micros);
        // A word came with each report.
        let said = i64::try_from(made.output.len()).unwrap();
        assert_eq!(said * tokens, made.cost_micros, "{tokens}: the partial output is kept");
        assert_eq!(run(&boot.member(), "r").await.unwrap().cost_micros, made.cost_micros);
        soon("the engine's end", world.engine.ended.notified()).await;
    }
}

#[tokio::test]
async fn a_run_that_needs_more_gets_it_while_the_wallet_holds_it() {
    let world = World::new().await;
    world.bank.price(&[("output_tokens", 1)]);
    let step = || [piece("y"), used("output_tokens", 50)];
    let mut script: Vec<_> = (0..8).flat_map(|_| step()).collect();
    script.extend([output("y"), done()]);
    world.engine.script(script);
    let boot = world.boot().await;
    let made = run(&boot.member(), "r").await.unwrap();
    assert_eq!((made.state(), made.cost_micros, made.charged_micros), (State::Succeeded, 400, 400));
    assert!(world.bank.extensions() >= 2, "reserved before it was used");
    assert_eq!(world.bank.charged(), 400);
}

#[tokio::test]
async fn a_run_within_its_budget_asks_for_nothing_more() {
    let world = World::new().await;
    world.bank.price(&[("runs", BUDGET)]);
    let boot = world.boot().await;
    assert_eq!(run(&boot.member(), "r").await.unwrap().cost_micros, BUDGET);
    world.bank.price(&[("output_tokens", 1)]);
    world.engine.script(vec![piece("a"), used("output_tokens", BUDGET), output("a"), done()]);
    assert_eq!(run(&boot.member(), "r2").await.unwrap().cost_micros, BUDGET);
    assert_eq!(world.bank.extensions(), 0);
}

#[tokio::test]
async fn billing_that_stumbles_over_more_is_asked_again_with_the_same_id() {
    let world = World::new().await;
    world.bank.price(&[("output_tokens", 1)]);
    let script = vec![Act::Wait, piece("a"), used("output_tokens", BUDGET + 1), output("a"), done()];
    world.engine.script(script);
    let boot = world.boot().await;
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await });
    soon("the execution", world.engine.waiting.notified()).await;
    world.bank.fail((0..2).map(|_| Fault::new(Reason::Unavailable, "billing", "away")).collect());
    world.engine.gate.add_permits(1);
    let made = soon("the run", task).await.unwrap().unwrap();
    assert_eq!((made.state(), made.charged_micros), (State::Succeeded, BUDGET + 1));
    assert_eq!((world.bank.extensions(), world.bank.different("extend:0")), (1, 1));
}

#[tokio::test]
async fn a_large_input_is_reserved_for_before_an_engine_sees_it() {
    let world = World::new().await;
    world.bank.price(&[("input_tokens", 1), ("runs", 1)]);
    let boot = world.boot().await;
    let bytes = |tokens: i64| "x".repeat(usize::try_from(tokens * 3).unwrap());
    let held = send(&boot.member(), ask("small", &bytes(BUDGET - 1))).await.unwrap();
    assert_eq!((held.state(), world.bank.extensions()), (State::Succeeded, 0));
    let held = send(&boot.member(), ask("large", &bytes(BUDGET * 3))).await.unwrap();
    assert_eq!((held.state(), world.bank.extensions()), (State::Succeeded, 1));
    let executed = world.engine.executed().len();
    let refused = send(&boot.member(), ask("huge", &bytes(START))).await.unwrap_err();
    assert_eq!(refused.reason, "INSUFFICIENT_CREDITS");
    let stands = get(&boot.member(), &refused.metadata["run_id"]).await.unwrap();
    assert_eq!((stands.state(), stands.charged_micros), (State::Refused, 0));
    assert_eq!(world.engine.executed().len(), executed, "no engine saw it");
    assert_eq!(world.bank.charged(), 3 + 3, "what was reserved for it is free again");
    // Where no input is priced, its size is no matter.
    world.bank.price(&[("runs", 1)]);
    assert!(send(&boot.member(), ask("free", &bytes(START))).await.is_ok());
}

#[tokio::test]
async fn a_long_run_holds_its_reservation_longer() {
    let world = World::new().await;
    world.bank.lifetime(Duration::from_secs(120));
    world.engine.script(vec![Act::Wait, output("x"), used("runs", 1), done()]);
    let boot = world.boot().await;
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await });
    soon("the execution", world.engine.waiting.notified()).await;
    let held = async {
        while world.bank.different("hold:0") == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the extension", held).await;
    world.database.clock.advance(Duration::from_secs(700));
    let held = async {
        while world.bank.different("hold:1") == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the next one", held).await;
    world.engine.gate.add_permits(1);
    assert_eq!(soon("the run", task).await.unwrap().unwrap().state(), State::Succeeded);
}

#[tokio::test]
async fn an_engine_cannot_say_that_the_budget_is_used_or_the_run_cancelled() {
    let world = World::new().await;
    let boot = world.boot().await;
    for (id, reason) in [("a", "BUDGET_EXHAUSTED"), ("b", "RUN_CANCELLED"), ("c", "NO_SUCH_REASON")] {
        let failed = souk_proto::souk::runner::v1::Failed { reason: reason.into(), ..Default::default() };
        world.engine.script(vec![used("runs", 1), Act::Say(Event::Failed(failed))]);
        let made = run(&boot.member(), id).await.unwrap();
        assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "FLOW_FAILED"));
    }
}
