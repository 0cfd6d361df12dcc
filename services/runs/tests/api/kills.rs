//! The process dies at every step of a run and another boot goes on: nothing is lost, nothing is charged
//! twice, nothing is executed twice. A death is the end of a runtime with all of its tasks.

use std::time::Duration;

use souk_proto::souk::runs::v1::{Run, State};
use tokio::runtime::Runtime;

use crate::{
    bank::Point,
    engine::{Act, done, failed, output, piece, used},
    world::{World, run, soon},
};

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Where the process dies.
enum Death {
    /// While billing is silent at this point.
    Billing(Point),
    /// While the engine waits, after what it used was written down, or with nothing to write down.
    Engine,
}

/// Runs once, dies, boots again, and repeats the call.
fn die_and_recover(script: Vec<Act>, death: &Death) -> (World, Run) {
    recover_after(Duration::ZERO, script, death)
}

/// The same, with a long time between the two boots.
fn recover_after(span: Duration, script: Vec<Act>, death: &Death) -> (World, Run) {
    let maker = runtime();
    let world = maker.block_on(World::new());
    world.engine.script(script.clone());
    let first = runtime();
    if let Death::Billing(point) = death {
        world.bank.silence(Some(*point));
    }
    let boot = first.block_on(async {
        let boot = world.boot().await;
        let client = boot.member();
        tokio::spawn(async move { run(&client, "r").await });
        match death {
            Death::Billing(_) => soon("the silence", world.bank.reached.notified()).await,
            Death::Engine => {
                soon("the execution", world.engine.waiting.notified()).await;
                let run_id = world.engine.executed()[0].run_id.clone();
                let written = async {
                    let used = script.iter().any(|act| matches!(act, Act::Say(_)));
                    while used && crate::world::get(&boot.member(), &run_id).await.unwrap().usage.is_empty() {
                        tokio::task::yield_now().await;
                    }
                };
                soon("the record", written).await;
            }
        }
        boot
    });
    first.shutdown_background();
    std::mem::forget(boot);
    world.bank.silence(None);
    world.database.clock.advance(span);
    let second = runtime();
    let made = second.block_on(async {
        let boot = world.boot().await;
        let made = soon("the run", run(&boot.member(), "r")).await.unwrap();
        assert_eq!(run(&boot.member(), "r").await.unwrap(), made);
        made
    });
    second.shutdown_background();
    maker.shutdown_background();
    assert_eq!(world.bank.reservations(), 1, "one reservation for one run");
    assert_eq!(world.bank.charged(), made.charged_micros, "what the run says is what was charged");
    assert_eq!(made.balance_micros, crate::bank::START - made.charged_micros);
    (world, made)
}

fn good() -> Vec<Act> {
    vec![piece("hi"), output("hi"), used("runs", 1), done()]
}

#[test]
fn a_queued_run_is_authorized_by_the_same_id_and_executed() {
    for point in [Point::BeforeAuthorize, Point::AfterAuthorize] {
        let (world, made) = die_and_recover(good(), &Death::Billing(point));
        assert_eq!((made.state(), made.output.as_str(), made.charged_micros), (State::Succeeded, "hi", 1));
        assert_eq!((world.engine.executed().len(), world.bank.different("authorize")), (1, 1), "{point:?}");
    }
}

#[test]
fn a_running_run_fails_and_pays_what_was_written_down() {
    let (world, made) = die_and_recover(vec![used("runs", 1), piece("a"), Act::Wait, done()], &Death::Engine);
    let error = made.error.clone().unwrap();
    assert_eq!(
        (made.state(), error.reason.as_str(), made.charged_micros),
        (State::Failed, "RUN_INTERRUPTED", 1)
    );
    assert_eq!(world.engine.executed().len(), 1, "never executed twice");
    let (world, made) = die_and_recover(vec![Act::Wait], &Death::Engine);
    assert_eq!((made.state(), made.charged_micros, made.receipt_id.as_str()), (State::Failed, 0, ""));
    assert_eq!((world.engine.executed().len(), world.bank.different("settle")), (1, 0));
}

#[test]
fn a_settling_run_is_settled_once() {
    for point in [Point::BeforeSettle, Point::AfterSettle] {
        let (world, made) = die_and_recover(good(), &Death::Billing(point));
        assert_eq!((made.state(), made.output.as_str(), made.charged_micros), (State::Succeeded, "hi", 1));
        assert_eq!((world.engine.executed().len(), world.bank.different("settle")), (1, 1), "{point:?}");
    }
}

#[test]
fn a_failed_run_is_released_once() {
    for point in [Point::BeforeRelease, Point::AfterRelease] {
        let (world, made) = die_and_recover(vec![failed()], &Death::Billing(point));
        assert_eq!((made.state(), made.charged_micros), (State::Failed, 0), "{point:?}");
        assert_eq!(made.error.unwrap().reason, "FLOW_FAILED");
        assert_eq!((world.bank.different("release"), world.bank.different("settle")), (1, 0));
    }
}

#[test]
fn a_queued_run_whose_reservation_is_long_expired_is_not_executed() {
    let death = Death::Billing(Point::AfterAuthorize);
    let (world, made) = recover_after(Duration::from_secs(901), good(), &death);
    assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "RUN_INTERRUPTED"));
    assert_eq!((world.engine.executed().len(), made.charged_micros), (0, 0));
}

#[test]
fn a_run_that_was_to_be_stopped_is_stopped_by_whoever_comes_next() {
    let maker = runtime();
    let world = maker.block_on(World::new());
    world.engine.script(vec![used("runs", 1), Act::Wait, done()]);
    // Billing falls silent when the run that was cancelled is to be settled.
    world.bank.silence(Some(Point::BeforeSettle));
    let first = runtime();
    let boot = first.block_on(async {
        let boot = world.boot().await;
        let client = boot.member();
        tokio::spawn(async move { run(&client, "r").await });
        soon("the execution", world.engine.waiting.notified()).await;
        let ask = souk_proto::souk::runs::v1::CancelRunRequest {
            run_id: world.engine.executed()[0].run_id.clone(),
            request_id: "c".to_owned(),
        };
        let client = boot.member();
        tokio::spawn(async move { client.clone().cancel_run(ask).await });
        soon("the silence", world.bank.reached.notified()).await;
        boot
    });
    first.shutdown_background();
    std::mem::forget(boot);
    world.bank.silence(None);
    let second = runtime();
    let made = second.block_on(async {
        let boot = world.boot().await;
        soon("the run", run(&boot.member(), "r")).await.unwrap()
    });
    second.shutdown_background();
    maker.shutdown_background();
    assert_eq!((made.state(), made.charged_micros), (State::Cancelled, 1));
    assert_eq!((world.bank.charged(), world.bank.different("settle")), (1, 1));
}

#[test]
fn a_run_killed_while_it_asks_for_more_pays_what_was_written_down() {
    for point in [Point::BeforeExtend, Point::AfterExtend] {
        let (world, made) =
            die_and_recover_priced(vec![used("output_tokens", 101), piece("a"), Act::Wait], &point);
        assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Failed, "RUN_INTERRUPTED"));
        // Usage that was heard and not yet written down is lost with the process, never charged twice.
        assert!(made.charged_micros == 0 || made.charged_micros == 101, "{point:?}");
        assert_eq!(world.bank.charged(), made.charged_micros, "{point:?}");
    }
}

fn die_and_recover_priced(script: Vec<Act>, point: &Point) -> (World, Run) {
    let maker = runtime();
    let world = maker.block_on(World::new());
    world.bank.price(&[("output_tokens", 1)]);
    world.engine.script(script);
    world.bank.silence(Some(*point));
    let first = runtime();
    let boot = first.block_on(async {
        let boot = world.boot().await;
        let client = boot.member();
        tokio::spawn(async move { run(&client, "r").await });
        soon("the silence", world.bank.reached.notified()).await;
        boot
    });
    first.shutdown_background();
    std::mem::forget(boot);
    world.bank.silence(None);
    let second = runtime();
    let made = second.block_on(async {
        let boot = world.boot().await;
        soon("the run", run(&boot.member(), "r")).await.unwrap()
    });
    second.shutdown_background();
    maker.shutdown_background();
    (world, made)
}
