//! WatchRun: every event once and in order, from any place.

use souk_proto::souk::runs::v1::{RunEvent, State, WatchRunRequest, run_event::Event};
use souk_types::{OrgId, Role};
use tonic::Streaming;

use crate::{
    engine::{Act, done, output, piece, used},
    world::{Client, World, get, run, soon},
};

type Stream = Streaming<souk_proto::souk::runs::v1::WatchRunResponse>;

async fn watch(client: &Client, run_id: &str, after_sequence: i64) -> Result<Stream, tonic::Status> {
    let ask = WatchRunRequest { run_id: run_id.to_owned(), after_sequence };
    client.clone().watch_run(ask).await.map(tonic::Response::into_inner)
}

async fn next(stream: &mut Stream) -> Option<RunEvent> {
    loop {
        let said = soon("an event", stream.message()).await.unwrap()?;
        if let Some(event) = said.event {
            return Some(event);
        }
    }
}

async fn rest(mut stream: Stream) -> Vec<RunEvent> {
    let mut events = Vec::new();
    while let Some(event) = next(&mut stream).await {
        events.push(event);
    }
    events
}

fn short(events: &[RunEvent]) -> Vec<String> {
    let said = |event: &RunEvent| match event.event.as_ref().unwrap() {
        Event::Run(run) => run.state().as_str_name().trim_start_matches("STATE_").to_owned(),
        Event::Delta(delta) => format!("+{}", delta.text),
    };
    events.iter().map(|event| format!("{}:{}", event.sequence, said(event))).collect()
}

#[tokio::test]
async fn a_run_that_is_over_tells_its_whole_life_and_any_rest_of_it() {
    let world = World::new().await;
    let boot = world.boot().await;
    let made = run(&boot.member(), "r").await.unwrap();
    let all = rest(watch(&boot.member(), &made.run_id, 0).await.unwrap()).await;
    let told: String = all
        .iter()
        .filter_map(|event| match event.event.as_ref().unwrap() {
            Event::Delta(delta) => Some(delta.text.as_str()),
            Event::Run(_) => None,
        })
        .collect();
    assert_eq!(told, "hello");
    let states: Vec<_> = short(&all).into_iter().filter(|event| !event.contains('+')).collect();
    assert!(states[0].ends_with("QUEUED") && states[1].ends_with("RUNNING"), "{states:?}");
    assert!(states[2].ends_with("SETTLING") && states[3].ends_with("SUCCEEDED"), "{states:?}");
    let Some(Event::Run(last)) = all.last().unwrap().event.clone() else { panic!("the last is no run") };
    assert_eq!(last, made);
    let Some(Event::Run(first)) = all[0].event.clone() else { panic!("the first is no run") };
    assert_eq!((first.output.as_str(), first.reservation_id.as_str(), first.cost_micros), ("", "", 0));
    for after in 0..=i64::try_from(all.len()).unwrap() {
        let some = rest(watch(&boot.member(), &made.run_id, after).await.unwrap()).await;
        assert_eq!(some, all[usize::try_from(after).unwrap()..], "after {after}");
    }
}

#[tokio::test]
async fn a_run_at_work_is_told_as_it_goes_and_resumed() {
    let world = World::new().await;
    let acts = vec![piece("one"), Act::Wait, piece("two"), output("onetwo"), used("runs", 1), done()];
    world.engine.script(acts);
    let boot = world.boot().await;
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await });
    soon("the execution", world.engine.waiting.notified()).await;
    let run_id = world.engine.executed()[0].run_id.clone();
    let mut stream = watch(&boot.member(), &run_id, 0).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(next(&mut stream).await.unwrap());
    }
    assert_eq!(short(&seen), ["1:QUEUED", "2:RUNNING", "3:+one"]);
    drop(stream);
    assert_eq!(get(&boot.member(), &run_id).await.unwrap().state(), State::Running);
    let resumed = watch(&boot.member(), &run_id, 3).await.unwrap();
    world.engine.gate.add_permits(1);
    let later = rest(resumed).await;
    assert_eq!(short(&later), ["4:+two", "5:SETTLING", "6:SUCCEEDED"]);
    assert_eq!(soon("the run", task).await.unwrap().unwrap().output, "onetwo");
}

#[tokio::test]
async fn who_may_not_see_the_run_hears_so() {
    let world = World::new().await;
    let boot = world.boot().await;
    let made = run(&boot.member(), "r").await.unwrap();
    let hidden = watch(&boot.person(OrgId::from_bits(77), Role::Admin), &made.run_id, 0).await.unwrap_err();
    assert_eq!(souk_kit::Refusal::read("runs", &hidden).reason, "RUN_NOT_FOUND");
    let negative = watch(&boot.member(), &made.run_id, -1).await.unwrap_err();
    assert_eq!(negative.code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_quiet_run_sends_heartbeats() {
    let world = World::new().await;
    world.engine.script(vec![Act::Wait, done()]);
    let boot = world.boot().await;
    let client = boot.member();
    let task = tokio::spawn(async move { run(&client, "r").await });
    soon("the execution", world.engine.waiting.notified()).await;
    let run_id = world.engine.executed()[0].run_id.clone();
    let mut stream = watch(&boot.member(), &run_id, 2).await.unwrap();
    world.database.clock.advance(std::time::Duration::from_secs(16));
    let said = soon("a heartbeat", stream.message()).await.unwrap().unwrap();
    assert!(said.event.is_none() && said.heartbeat_time.is_some(), "{said:?}");
    world.engine.gate.add_permits(1);
    assert_eq!(short(&rest(stream).await), ["3:SETTLING", "4:SUCCEEDED"]);
    assert_eq!(soon("the run", task).await.unwrap().unwrap().output, "");
}
