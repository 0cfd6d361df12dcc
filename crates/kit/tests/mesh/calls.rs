//! What a call meets on its way: panics, deadlines, sizes, callers that leave, parts that are not there.

use std::{collections::BTreeMap, sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use souk_kit::{Mesh, Refusal, Surroundings};
use souk_proto::souk::runner::v1::{ExecuteRequest, runner_service_client::RunnerServiceClient};
use souk_types::{Acting, PartName, Trace};
use tokio::task::JoinSet;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::bench::{Bench, because, clock, keyring, mesh, offering, refusal};

#[tokio::test]
async fn a_panic_is_internal_says_nothing_and_the_next_call_works() {
    let bench = Bench::new();
    let mut catalog = bench.catalog(PartName::Runs);
    for how in ["panic", "owned panic"] {
        let status = catalog.get_offering(offering(how)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"), "{how}");
        assert!(!format!("{status:?}").contains("own words"), "{status:?}");
        assert!(catalog.get_offering(offering("x")).await.is_ok(), "after {how}");
    }
}

#[tokio::test]
async fn a_deadline_is_deadline_exceeded_however_the_clocks_race() {
    let bench = Bench::new();
    for at in 0..40 {
        let mut request = Request::new(offering("never"));
        request.set_timeout(Duration::from_millis(1 + at % 8));
        let refused = refusal(bench.catalog(PartName::Runs).get_offering(request).await);
        assert_eq!(refused, because(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"), "{at}");
    }
}

#[tokio::test]
async fn a_stream_that_does_not_begin_in_time_is_late_too() {
    // Nobody serves the part yet, so nobody takes the connection.
    let (dir, clock, keyring) = (tempfile::tempdir().unwrap(), clock(), keyring());
    let mesh = mesh(&dir, &clock, &keyring);
    let house = mesh.house(PartName::Runs).unwrap();
    let channel = house.dial().to(PartName::Runner, house.acting_for_platform());
    let mut request = Request::new(ExecuteRequest::default());
    request.set_timeout(Duration::from_millis(10));
    let refused = refusal(RunnerServiceClient::new(channel).execute(request).await.map(drop));
    assert_eq!(refused, because(Code::DeadlineExceeded, "DEADLINE_EXCEEDED"));
}

#[tokio::test]
async fn the_part_itself_holds_the_deadline() {
    // A client of the socket that has no timer of its own.
    let bench = Bench::new();
    let path = bench.dir.path().join("mesh.sock");
    bench.mesh.serve_socket(&path).unwrap();
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    for _ in 0..3 {
        let request = raw(&bench, framed(&offering("never").encode_to_vec()), "200m");
        let answer = sender.send_request(request).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    }
}

/// A message as gRPC frames it.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// A request for GetOffering with a body as it is.
fn raw(bench: &Bench, body: Vec<u8>, timeout: &str) -> http::Request<Full<Bytes>> {
    http::Request::post("http://souk/souk.catalog.v1.CatalogService/GetOffering")
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {}", bench.own_token(PartName::Runs, "*")))
        .header("grpc-timeout", timeout)
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_mistake() {
    let bench = Bench::new();
    let path = bench.dir.path().join("mesh.sock");
    bench.mesh.serve_socket(&path).unwrap();
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    for (what, body) in [
        ("nothing", Vec::new()),
        ("half a frame", vec![0, 0, 0]),
        ("a frame that promises more", vec![0, 0, 0, 1, 0, 1]),
        ("a frame that promises 4 GiB", vec![0, 255, 255, 255, 255, 1]),
        ("an unknown compression", [&[7][..], &framed(b"")[1..]].concat()),
        ("no field at all", framed(&[0xff; 16])),
        ("a text that is not UTF-8", framed(&[0x0a, 2, 0xc3, 0x28])),
        ("a length beyond the end", framed(&[0x0a, 0x7f, b'x'])),
        ("groups without end", framed(&[0x0b; 4096])),
    ] {
        let answer = sender.send_request(raw(&bench, body, "5S")).await.unwrap();
        let status = Status::from_header_map(answer.headers()).unwrap();
        let known = [Code::InvalidArgument, Code::ResourceExhausted, Code::Unimplemented];
        assert!(known.contains(&status.code()), "{what}: {status:?}");
    }
    let answer = sender.send_request(raw(&bench, framed(&offering("x").encode_to_vec()), "5S")).await;
    assert!(answer.unwrap().headers().get("grpc-status").is_none(), "the connection lives on");
}

#[tokio::test]
async fn a_refusal_of_many_words_keeps_its_code_and_reason() {
    let bench = Bench::new();
    let status = bench.catalog(PartName::Runs).get_offering(offering("wordy")).await.unwrap_err();
    let refusal = Refusal::read("catalog", &status);
    assert_eq!((status.code(), refusal.reason.as_str()), (Code::InvalidArgument, "INVALID_ARGUMENT"));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(3)));
    assert!(refusal.metadata["value"].starts_with("x\nx\n"));
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "f[0]");
    assert!(fields[0].description.starts_with("ää"));
    let last = fields.last().unwrap();
    assert!(last.description.contains("more"), "what was left out is said: {last:?}");
    assert!(status.details().len() < 8 * 1024, "fits into headers of any client");
}

#[tokio::test]
async fn a_message_of_more_than_4_mib_is_refused_and_less_passes() {
    let bench = Bench::new();
    let mut catalog = bench.catalog(PartName::Runs);
    let large = refusal(catalog.get_offering(offering(&"x".repeat(5 * 1024 * 1024))).await);
    assert_eq!(large, because(Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
    assert!(catalog.get_offering(offering(&"x".repeat(4 * 1024 * 1024 - 64))).await.is_ok());
}

#[tokio::test]
async fn work_outlives_the_caller_who_left() {
    let Bench { mesh, fake, dir: _dir, .. } = {
        let bench = Bench::new();
        let mut catalog = bench.catalog(PartName::Runs);
        let call = catalog.get_offering(offering("owned"));
        tokio::select! {
            _ = call => panic!("the work waits at the gate"),
            () = bench.fake.entered.notified() => {}
        }
        bench
    };
    fake.gate.notify_one();
    assert!(mesh.drain().await);
    assert!(fake.done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_trace_passes_from_caller_to_handler() {
    let bench = Bench::new();
    let trace = Trace::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    let channel =
        bench.house(PartName::Runs).dial().to(PartName::Catalog, Acting { org: None, trace: trace.clone() });
    let mut catalog =
        souk_proto::souk::catalog::v1::catalog_service_client::CatalogServiceClient::new(channel);
    let seen = catalog.get_offering(offering("x")).await.unwrap().into_inner();
    assert_eq!(seen.offering.unwrap().slug, trace.id);
}

#[tokio::test]
async fn a_part_that_is_not_in_the_mesh_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let surroundings = Surroundings {
        clock: clock(),
        random: std::sync::Arc::new(souk_kit::clock::MachineRandom::default()),
        keyring: keyring(),
        data_dir: dir.path().to_path_buf(),
        poll: Duration::from_millis(5),
    };
    let mesh = Mesh::new(surroundings, &[PartName::Runs], &BTreeMap::new()).unwrap();
    let house = mesh.house(PartName::Runs).unwrap();
    let channel = house.dial().to(PartName::Catalog, house.acting_for_platform());
    let mut catalog =
        souk_proto::souk::catalog::v1::catalog_service_client::CatalogServiceClient::new(channel);
    let away = because(Code::Unavailable, "UNAVAILABLE");
    assert_eq!(refusal(catalog.get_offering(offering("x")).await), away);
    assert!(mesh.house(PartName::Catalog).is_err());
}
