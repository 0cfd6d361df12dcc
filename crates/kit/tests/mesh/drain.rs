//! How a process ends: what was begun is finished, what only watches is told to come back.

use std::time::Duration;

use souk_kit::Refusal;
use souk_proto::souk::runner::v1::{ExecuteRequest, runner_service_client::RunnerServiceClient};
use souk_types::PartName;
use tonic::Code;

use crate::bench::{Bench, message, offering};

#[tokio::test]
async fn a_call_at_work_finishes_and_the_mesh_is_gone_after_it() {
    let bench = Bench::new();
    let mut catalog = bench.catalog(PartName::Runs);
    let mut later = catalog.clone();
    let (stop, fake) = (bench.mesh.stop(), bench.fake.clone());
    let Bench { mesh, dir: _dir, .. } = bench;
    let call = catalog.get_offering(offering("wait"));
    let drained = async {
        fake.entered.notified().await;
        let release = async {
            stop.cancelled().await;
            fake.gate.notify_one();
        };
        futures::join!(mesh.drain(), release).0
    };
    let (answer, drained) = futures::join!(call, drained);
    assert!(answer.is_ok() && drained, "{answer:?}");
    let after = later.get_offering(offering("x")).await.unwrap_err();
    assert_eq!(after.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_watch_ends_with_unavailable_and_when_to_come_back() {
    for unread in [false, true] {
        let bench = Bench::new();
        let house = bench.house(PartName::Runs);
        let channel = house.dial().to(PartName::Runner, house.acting_for_platform());
        let mut watch =
            RunnerServiceClient::new(channel).execute(ExecuteRequest::default()).await.unwrap().into_inner();
        if !unread {
            assert_eq!(watch.message().await.unwrap(), Some(message("one")));
        }
        let drained = bench.mesh.drain();
        let told = async {
            if unread {
                assert_eq!(watch.message().await.unwrap(), Some(message("one")), "what was sent is not lost");
            }
            watch.message().await.unwrap_err()
        };
        let (drained, told) = futures::join!(drained, told);
        let refusal = Refusal::read("runner", &told);
        assert_eq!((told.code(), refusal.retry_after), (Code::Unavailable, Some(Duration::from_secs(1))));
        assert!(drained);
    }
}
