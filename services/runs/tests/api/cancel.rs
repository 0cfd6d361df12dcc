//! Runs that are stopped: by a person, or because nobody listens any more. What they used is charged.

use souk_proto::souk::runs::v1::{CancelRunRequest, Run, State, WatchRunRequest};
use souk_types::{OrgId, Role};
use tonic::Code;

use crate::{
    engine::{Act, done, output, piece, used},
    world::{Boot, Client, ORG, World, ask, get, run, soon},
};

async fn cancel(client: &Client, run_id: &str, request_id: &str) -> Result<Run, souk_kit::Refusal> {
    let ask = CancelRunRequest { run_id: run_id.to_owned(), request_id: request_id.to_owned() };
    let answer = client.clone().cancel_run(ask).await;
    let answer = answer.map_err(|status| souk_kit::Refusal::read("runs", &status))?;
    Ok(answer.into_inner().run.unwrap())
}

/// A run whose engine said something, used something and waits.
async fn at_work(world: &World, boot: &Boot) -> (String, tokio::task::JoinHandle<Run>) {
    world.engine.script(vec![piece("half"), used("runs", 1), Act::Wait, output("whole"), done()]);
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await.unwrap() });
    soon("the execution", world.engine.waiting.notified()).await;
    (world.engine.executed()[0].run_id.clone(), task)
}

/// Waits until the run is over.
async fn over(boot: &Boot, run_id: &str) -> Run {
    let over = async {
        loop {
            let run = get(&boot.member(), run_id).await.unwrap();
            if run.end_time.is_some() {
                return run;
            }
            // The question itself takes a turn of the runtime.
        }
    };
    soon("the end", over).await
}

#[tokio::test]
async fn a_cancelled_run_pays_what_it_used_and_keeps_what_it_said() {
    let world = World::new().await;
    let boot = world.boot().await;
    let (run_id, task) = at_work(&world, &boot).await;
    let stopped = cancel(&boot.member(), &run_id, "c").await.unwrap();
    let made = soon("the run", task).await.unwrap();
    assert_eq!(stopped, made, "the answer is the run, over");
    assert_eq!((made.state(), made.error.unwrap().reason.as_str()), (State::Cancelled, "RUN_CANCELLED"));
    assert_eq!((made.charged_micros, made.output.as_str()), (1, "half"));
    assert_eq!(world.bank.charged(), 1);
    soon("the engine's end", world.engine.ended.notified()).await;
    // The same again, and another time, and the run asked for again: all of it is as it was.
    assert_eq!(cancel(&boot.member(), &run_id, "c").await.unwrap(), stopped);
    assert_eq!(cancel(&boot.member(), &run_id, "c2").await.unwrap(), stopped);
    assert_eq!(run(&boot.member(), "r").await.unwrap(), stopped);
    boot.db.outbox().number_turn().await.unwrap();
    let told = souk_types::event::Log::after(&boot.db.outbox(), 0, 50).await.unwrap();
    let told: Vec<_> = told.iter().filter(|(_, event)| event.kind == "souk.runs.v1.RunCancelled").collect();
    assert_eq!((told.len(), told[0].1.payload["reason"].as_str()), (1, Some("RUN_CANCELLED")));
}

#[tokio::test]
async fn a_run_that_is_over_stays_as_it_is() {
    let world = World::new().await;
    let boot = world.boot().await;
    let made = run(&boot.member(), "r").await.unwrap();
    assert_eq!(cancel(&boot.member(), &made.run_id, "c").await.unwrap(), made);
    assert_eq!(get(&boot.member(), &made.run_id).await.unwrap().state(), State::Succeeded);
}

#[tokio::test]
async fn who_may_not_cancel_hears_so_and_the_run_goes_on() {
    let world = World::new().await;
    let boot = world.boot().await;
    let (run_id, task) = at_work(&world, &boot).await;
    let viewer = cancel(&boot.person(ORG, Role::Viewer), &run_id, "c").await.unwrap_err();
    assert_eq!(viewer.code, Code::PermissionDenied);
    let foreign = cancel(&boot.person(OrgId::from_bits(77), Role::Admin), &run_id, "c").await.unwrap_err();
    let unknown =
        cancel(&boot.member(), &souk_types::RunId::from_bits(9).to_string(), "c").await.unwrap_err();
    assert_eq!((foreign.code, foreign.reason.as_str()), (Code::NotFound, "RUN_NOT_FOUND"));
    assert_eq!(format!("{foreign:?}"), format!("{unknown:?}"));
    let nameless = cancel(&boot.member(), "run_1", "c").await.unwrap_err();
    assert_eq!(nameless.code, Code::InvalidArgument);
    assert_eq!(cancel(&boot.member(), &run_id, "").await.unwrap_err().reason, "REQUEST_ID_REQUIRED");
    world.engine.gate.add_permits(1);
    assert_eq!(soon("the run", task).await.unwrap().state(), State::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_cancel_together_cancel_once() {
    let world = World::new().await;
    let boot = world.boot().await;
    let (run_id, task) = at_work(&world, &boot).await;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..16 {
        let (client, run_id) = (boot.member(), run_id.clone());
        all.spawn(async move { cancel(&client, &run_id, &format!("c{}", n % 4)).await.unwrap() });
    }
    let answers = soon("the answers", all.join_all()).await;
    let made = soon("the run", task).await.unwrap();
    assert!(answers.iter().all(|answer| *answer == made));
    assert_eq!((world.bank.different("settle"), world.bank.charged()), (1, 1));
}

#[tokio::test]
async fn a_run_to_which_nobody_listens_is_stopped() {
    let mut world = World::new().await;
    world.config.unheard_ms = 300;
    let boot = world.boot().await;
    let (run_id, task) = at_work(&world, &boot).await;
    task.abort();
    let made = over(&boot, &run_id).await;
    assert_eq!((made.state(), made.charged_micros), (State::Cancelled, 1));
    assert_eq!((made.output.as_str(), world.bank.charged()), ("half", 1));
    assert!(made.error.as_ref().unwrap().message.contains("nobody listened"));
    assert_eq!(run(&boot.member(), "r").await.unwrap(), made, "a repeat gets what it came to");
}

#[tokio::test]
async fn who_comes_back_in_time_or_watches_keeps_it_at_work() {
    let mut world = World::new().await;
    world.config.unheard_ms = 1500;
    let boot = world.boot().await;
    let (run_id, task) = at_work(&world, &boot).await;
    let watch = WatchRunRequest { run_id: run_id.clone(), after_sequence: 0 };
    let watched = boot.member().watch_run(watch).await.unwrap();
    task.abort();
    outlasted(&world, &boot, "first").await;
    assert_eq!(get(&boot.member(), &run_id).await.unwrap().state(), State::Running, "it is watched");
    let client = boot.member();
    let again = tokio::spawn(async move { run(&client, "r").await.unwrap() });
    // It is heard within the time that a run may go unheard.
    drop(watched);
    outlasted(&world, &boot, "second").await;
    assert_eq!(get(&boot.member(), &run_id).await.unwrap().state(), State::Running, "somebody waits");
    world.engine.gate.add_permits(1);
    assert_eq!(soon("the run", again).await.unwrap().output, "whole");
    assert_eq!(world.engine.executed().len(), 3, "the run once, and the two that nobody heard");
}

/// Waits for as long as it takes until another run, left alone just now, is stopped as unheard.
async fn outlasted(world: &World, boot: &Boot, request_id: &'static str) {
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, request_id).await });
    soon("the execution", world.engine.waiting.notified()).await;
    task.abort();
    let run_id = world.engine.executed().last().unwrap().run_id.clone();
    assert_eq!(over(boot, &run_id).await.state(), State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_at_once_each_get_their_own_answer() {
    const MANY: usize = 100;
    let world = World::new().await;
    world.engine.script(vec![Act::Wait, piece("z"), output("z"), used("runs", 1), done()]);
    world.bank.price(&[("runs", 0)]);
    world.bank.give(i64::try_from(MANY).unwrap() * crate::bank::BUDGET);
    let boot = world.boot().await;
    let mut all = tokio::task::JoinSet::new();
    for n in 0..MANY {
        let client = boot.member();
        let input = format!("input {n}");
        all.spawn(async move {
            let made = crate::world::send(&client, ask(&format!("r{n}"), &input)).await.unwrap();
            assert_eq!((made.state(), made.input), (State::Succeeded, input));
            made.run_id
        });
    }
    world.engine.gate.add_permits(MANY);
    let mut ids = soon("the answers", all.join_all()).await;
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), world.bank.reservations()), (MANY, MANY));
}
