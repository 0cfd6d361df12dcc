//! What is tried again, how often, and until when: counted at the far side.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{Router, body::Body, response::Response, routing::any};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use souk_kit::{House, Mounted};
use souk_proto::souk::{
    billing::v1::{AuthorizeRequest, billing_service_client::BillingServiceClient},
    catalog::v1::catalog_service_client::CatalogServiceClient,
    tenancy::v1::{RedeemSignInLinkRequest, tenancy_service_client::TenancyServiceClient},
};
use souk_types::PartName;
use tonic::{Code, Status, service::Routes};

use crate::bench::{clock, keyring, mesh, offering};

/// How often the fake refuses before it answers, and how.
struct Plan {
    code: Code,
    refusals: AtomicUsize,
    calls: AtomicUsize,
}

impl Plan {
    fn set(&self, refusals: usize) {
        self.refusals.store(refusals, Ordering::SeqCst);
        self.calls.store(0, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }

    fn answer(&self) -> Response {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let left = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            let head = http::Response::builder()
                .header("content-type", "application/grpc")
                .header("grpc-status", i32::from(self.code).to_string());
            return head.body(Body::empty()).unwrap();
        }
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Frame::data(Bytes::from_static(&[0; 5])), Frame::trailers(trailers)];
        let frames = futures::stream::iter(frames.map(Ok::<_, Infallible>));
        let head = http::Response::builder().header("content-type", "application/grpc");
        head.body(Body::new(StreamBody::new(frames))).unwrap()
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    _mesh: souk_kit::Mesh,
    runs: House,
    gateway: House,
    plan: Arc<Plan>,
}

fn bench(code: Code) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let mut mesh = mesh(&dir, &clock(), &keyring());
    let plan = Arc::new(Plan { code, refusals: AtomicUsize::new(0), calls: AtomicUsize::new(0) });
    for (part, path) in [
        (PartName::Catalog, "/souk.catalog.v1.CatalogService/GetOffering"),
        (PartName::Billing, "/souk.billing.v1.BillingService/Authorize"),
        (PartName::Tenancy, "/souk.tenancy.v1.TenancyService/RedeemSignInLink"),
    ] {
        let own = Arc::clone(&plan);
        let router = Router::new().route(path, any(move || std::future::ready(own.answer())));
        mesh.serve(&mesh.house(part).unwrap(), Mounted::new(Routes::from(router))).unwrap();
    }
    let (runs, gateway) = (mesh.house(PartName::Runs).unwrap(), mesh.house(PartName::Gateway).unwrap());
    Bench { _dir: dir, _mesh: mesh, runs, gateway, plan }
}

fn code<T>(outcome: Result<T, Status>) -> Code {
    outcome.map_or_else(|status| status.code(), |_| Code::Ok)
}

impl Bench {
    /// A call marked READ.
    async fn read(&self) -> Code {
        let channel = self.runs.dial().to(PartName::Catalog, self.runs.acting_for_platform());
        code(CatalogServiceClient::new(channel).get_offering(offering("x")).await)
    }

    /// A call that carries a request_id.
    async fn identified(&self) -> Code {
        let channel = self.runs.dial().to(PartName::Billing, self.runs.acting_for_platform());
        let ask = AuthorizeRequest { request_id: "r".into(), ..AuthorizeRequest::default() };
        code(BillingServiceClient::new(channel).authorize(ask).await)
    }

    /// A call marked ONCE.
    async fn once(&self) -> Code {
        let channel = self.gateway.dial().to(PartName::Tenancy, self.gateway.acting_for_platform());
        let ask = RedeemSignInLinkRequest::default();
        code(TenancyServiceClient::new(channel).redeem_sign_in_link(ask).await)
    }
}

#[tokio::test]
async fn reads_and_identified_calls_are_tried_thrice_and_once_means_once() {
    let bench = bench(Code::Unavailable);
    bench.plan.set(2);
    assert_eq!((bench.read().await, bench.plan.calls()), (Code::Ok, 3));
    bench.plan.set(2);
    assert_eq!((bench.identified().await, bench.plan.calls()), (Code::Ok, 3));
    bench.plan.set(usize::MAX);
    assert_eq!((bench.read().await, bench.plan.calls()), (Code::Unavailable, 3));
    assert_eq!((bench.identified().await, bench.plan.calls()), (Code::Unavailable, 3));
    assert_eq!((bench.once().await, bench.plan.calls()), (Code::Unavailable, 1));
    bench.plan.set(0);
    assert_eq!((bench.once().await, bench.plan.calls()), (Code::Ok, 1));
}

#[tokio::test]
async fn nothing_but_unavailable_is_tried_again() {
    for refused in [Code::Aborted, Code::Internal, Code::ResourceExhausted, Code::DeadlineExceeded] {
        let bench = bench(refused);
        bench.plan.set(usize::MAX);
        assert_eq!((bench.read().await, bench.plan.calls()), (refused, 1));
        assert_eq!((bench.identified().await, bench.plan.calls()), (refused, 1));
    }
}

#[tokio::test]
async fn retries_end_with_their_budget_and_come_back_with_success() {
    let bench = bench(Code::Unavailable);
    bench.plan.set(usize::MAX);
    for _ in 0..8 {
        assert_eq!(bench.read().await, Code::Unavailable);
    }
    assert_eq!(bench.plan.calls(), 8 + 10, "ten retries, however many calls fail");
    assert_eq!((bench.identified().await, bench.plan.calls()), (Code::Unavailable, 1), "one budget a part");
    bench.plan.set(0);
    for _ in 0..10 {
        assert_eq!(bench.read().await, Code::Ok);
    }
    bench.plan.set(usize::MAX);
    assert_eq!((bench.read().await, bench.plan.calls()), (Code::Unavailable, 2), "ten successes earn one");
}
