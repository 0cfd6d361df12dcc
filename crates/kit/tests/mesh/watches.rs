//! Watches, over the wire: the present state, changes, the sign of life, the end.

use std::time::Duration;

use futures::StreamExt;
use souk_kit::watch::{Subject, watch};
use souk_proto::souk::runner::v1::{
    ExecuteRequest, ExecuteResponse, execute_response::Event, runner_service_client::RunnerServiceClient,
};
use souk_types::{Fault, PartName};
use tonic::{Code, Status, Streaming};

use crate::bench::{Bench, because, message, refusal};

async fn begin(bench: &Bench) -> Result<Streaming<ExecuteResponse>, Status> {
    let house = bench.house(PartName::Runs);
    let channel = house.dial().to(PartName::Runner, house.acting_for_platform());
    Ok(RunnerServiceClient::new(channel).execute(ExecuteRequest::default()).await?.into_inner())
}

fn change(bench: &Bench, etag: &str, text: &str) {
    *bench.fake.noun.lock().unwrap() = (etag.into(), text.into());
}

async fn next(watch: &mut Streaming<ExecuteResponse>) -> String {
    match watch.message().await.unwrap().unwrap().event {
        Some(Event::Delta(delta)) => delta.text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_first_message_is_the_present_state_and_changes_follow() {
    let bench = Bench::new();
    let mut watch = begin(&bench).await.unwrap();
    assert_eq!(watch.message().await.unwrap(), Some(message("one")));
    change(&bench, "v2", "two");
    bench.fake.bell.send("noun".into()).unwrap();
    assert_eq!(next(&mut watch).await, "two");
    change(&bench, "v3", "three");
    assert_eq!(next(&mut watch).await, "three", "a change that nobody rang for is seen by the poll");
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_and_never_an_older_state() {
    let bench = Bench::new();
    let mut watch = begin(&bench).await.unwrap();
    for at in 2..=200 {
        change(&bench, &format!("v{at}"), &at.to_string());
        bench.fake.bell.send("noun".into()).unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&mut watch).await, "one");
    let (mut seen, mut last) = (0, 0);
    while last != 200 {
        let now: i32 = next(&mut watch).await.parse().unwrap();
        assert!(now > last, "{now} after {last}");
        (seen, last) = (seen + 1, now);
    }
    assert!(seen <= 12, "{seen} messages: a noun that changes fast is sent ten times a second");
}

#[tokio::test]
async fn a_ring_without_a_change_sends_nothing_but_time_sends_a_sign_of_life() {
    let bench = Bench::new();
    let mut watch = begin(&bench).await.unwrap();
    assert_eq!(next(&mut watch).await, "one");
    for _ in 0..5 {
        bench.fake.bell.send("noun".into()).unwrap();
    }
    bench.clock.advance(Duration::from_secs(15));
    assert_eq!(next(&mut watch).await, "beat");
    change(&bench, "v2", "two");
    assert_eq!(next(&mut watch).await, "two", "one beat a span");
}

#[tokio::test]
async fn a_watch_has_a_greatest_age() {
    let bench = Bench::new();
    let mut watch = begin(&bench).await.unwrap();
    assert_eq!(next(&mut watch).await, "one");
    bench.clock.advance(Duration::from_secs(601));
    assert_eq!(refusal(watch.message().await), because(Code::Unavailable, "UNAVAILABLE"));
}

#[tokio::test]
async fn a_noun_that_is_not_there_or_goes_away_is_an_error() {
    let bench = Bench::new();
    let gone = because(Code::NotFound, "RUN_NOT_FOUND");
    let mut watch = begin(&bench).await.unwrap();
    assert_eq!(next(&mut watch).await, "one");
    change(&bench, "", "");
    assert_eq!(refusal(watch.message().await), gone);
    assert_eq!(refusal(begin(&bench).await.map(drop)), gone, "an error, not an empty stream");
}

#[tokio::test]
async fn a_reader_who_read_nothing_is_told_of_the_end_all_the_same() {
    for _ in 0..20 {
        let bench = Bench::new();
        let subject = Subject {
            bell: bench.fake.bell.subscribe(),
            topic: "noun".into(),
            read: || async { Ok::<_, Fault>(("v1".to_owned(), "one")) },
            beat: |_| "beat",
        };
        let stream = watch(&bench.house(PartName::Runner), subject).await.unwrap();
        tokio::task::yield_now().await;
        assert!(bench.mesh.drain().await, "nobody waits for a reader who stands still");
        let mut told: Vec<_> = stream.collect().await;
        let end = refusal(told.pop().unwrap());
        assert_eq!(end, because(Code::Unavailable, "UNAVAILABLE"));
        assert!(told.len() <= 1 && told.iter().all(|first| matches!(first, Ok("one"))));
    }
}
