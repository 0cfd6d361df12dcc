//! Holding the writes of a part: for as long as the stream is open, and no longer than a minute.

use std::{sync::atomic::Ordering, time::Duration};

use souk_kit::{dial::PartChannel, wire};
use souk_proto::souk::operations::v1::{
    HoldWritesRequest, HoldWritesResponse, operations_service_client::OperationsServiceClient,
};
use souk_types::PartName;
use tonic::{Code, Streaming};

use crate::bench::Bench;

fn operations(bench: &Bench, part: PartName) -> OperationsServiceClient<PartChannel> {
    let house = bench.house(PartName::Gateway);
    OperationsServiceClient::new(house.dial().to(part, house.acting_for_platform()))
}

async fn held(bench: &Bench) -> Streaming<HoldWritesResponse> {
    operations(bench, PartName::Catalog).hold_writes(HoldWritesRequest {}).await.unwrap().into_inner()
}

/// Waits until so many hold.
async fn holders(bench: &Bench, count: usize) {
    while bench.log.holders.load(Ordering::SeqCst) != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_dropped_stream_lets_go_and_an_open_one_says_until_when() {
    let bench = Bench::new();
    let mut stream = held(&bench).await;
    holders(&bench, 1).await;
    let first = stream.message().await.unwrap().unwrap();
    let moment = |at: Option<prost_types::Timestamp>| at.and_then(wire::time).unwrap();
    let span = moment(first.expire_time).since(moment(first.hold_time));
    assert_eq!(span, Duration::from_secs(60));
    drop(stream);
    holders(&bench, 0).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_holds_for_longer_than_a_minute() {
    let bench = Bench::new();
    let mut stream = held(&bench).await;
    let mut beats = 0;
    let ended = loop {
        match stream.message().await {
            Ok(Some(_)) => beats += 1,
            Ok(None) => panic!("a hold that was lost must be told"),
            Err(status) => break status,
        }
    };
    assert_eq!(ended.code(), Code::DeadlineExceeded);
    assert!(beats > 30, "{beats} signs of life");
    holders(&bench, 0).await;
}

#[tokio::test]
async fn the_drain_lets_go() {
    let bench = Bench::new();
    let mut stream = held(&bench).await;
    holders(&bench, 1).await;
    let log = bench.log.clone();
    let drained = bench.mesh.drain();
    let read = async { while let Ok(Some(_)) = stream.message().await {} };
    let (drained, ()) = futures::join!(drained, read);
    assert!(drained);
    assert_eq!(log.holders.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_part_without_tables_has_nothing_to_hold() {
    let bench = Bench::new();
    let refused = operations(&bench, PartName::Runner).hold_writes(HoldWritesRequest {}).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
}
