//! Who is let through to a handler, and who is not.

use std::{sync::Arc, time::Duration};

use souk_kit::token::{LIFETIME, Tokens};
use souk_proto::souk::{
    billing::v1::AuthorizeRequest,
    catalog::v1::{CreateOfferingRequest, ListOfferingsRequest, ResolvePlanRequest},
};
use souk_types::{Caller, Clock, Membership, OrgId, PartName, ProjectId, Role, UserId};
use tonic::{Code, Request, client::Grpc, transport::Channel};
use tower::{Service as _, ServiceExt as _};

use crate::bench::{Bench, Smuggled, because, keyring, offering, refusal, shown};

fn person(orgs: u64, projects: u64) -> Caller {
    let memberships = (0..orgs)
        .map(|org| Membership {
            org_id: OrgId::from_bits(u128::from(org)),
            role: Role::Member,
            projects: (0..projects).map(|at| ProjectId::from_bits(u128::from(org * 1000 + at))).collect(),
        })
        .collect();
    Caller::User { user_id: UserId::from_bits(7), memberships, platform: None }
}

#[tokio::test]
async fn a_call_without_a_token_is_refused_on_every_method() {
    let bench = Bench::new();
    let missing = because(Code::Unauthenticated, "TOKEN_MISSING");
    assert_eq!(refusal(bench.bare().resolve_plan(ResolvePlanRequest::default()).await), missing);
    assert_eq!(refusal(bench.bare().get_offering(offering("x")).await), missing, "nor an anonymous one");
    let mut basic = Request::new(offering("x"));
    basic.metadata_mut().insert("authorization", "Basic abc".parse().unwrap());
    assert_eq!(refusal(bench.bare().get_offering(basic).await), missing);
}

#[tokio::test]
async fn a_token_of_another_audience_time_or_house_is_refused() {
    let bench = Bench::new();
    let invalid = because(Code::Unauthenticated, "TOKEN_INVALID");
    let foreign = Tokens::new(PartName::Runs, keyring(), Arc::clone(&bench.clock) as Arc<dyn Clock>);
    let runs = Caller::Part { part: PartName::Runs, org: None };
    let own = bench.own_token(PartName::Runs, "catalog");
    for token in [
        bench.own_token(PartName::Runs, "billing"),
        bench.own_token(PartName::Runs, "*"),
        foreign.sign(&runs, "catalog", bench.clock.now() + LIFETIME).unwrap(),
        bench.token(PartName::Runs, &person(1, 1), "catalog"),
        bench.token(PartName::Billing, &runs, "catalog"),
        "runs.x.y".into(),
        own.replacen("runs", "commerce", 1),
    ] {
        assert_eq!(refusal(bench.bare().get_offering(shown(&token, offering("x"))).await), invalid);
    }
    assert!(bench.bare().get_offering(shown(&own, offering("x"))).await.is_ok());
    bench.clock.advance(Duration::from_secs(60));
    let expired = because(Code::Unauthenticated, "TOKEN_EXPIRED");
    assert_eq!(refusal(bench.bare().get_offering(shown(&own, offering("x"))).await), expired);
}

/// A call whose headers are all that ever comes of it.
async fn headers_alone(bench: &Bench, method: &str, token: Option<&str>) -> (Code, String) {
    let mut call = http::Request::post(format!("http://souk/souk.catalog.v1.CatalogService/{method}"))
        .header("content-type", "application/grpc");
    if let Some(token) = token {
        call = call.header("authorization", format!("Bearer {token}"));
    }
    let (_open, receiver) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
    let body = axum::body::Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let call = call.body(tonic::body::Body::new(body)).unwrap();
    let mut channel = bench.house(PartName::Runs).dial().raw(PartName::Catalog).unwrap();
    let answer = channel.ready().await.unwrap().call(call).await.unwrap();
    refusal::<()>(Err(tonic::Status::from_header_map(answer.headers()).unwrap()))
}

#[tokio::test]
async fn nobody_waits_for_the_message_of_a_caller_who_is_not_let_through() {
    let bench = Bench::new();
    let nobody = bench.token(PartName::Gateway, &Caller::Anonymous, "catalog");
    let elsewhere = bench.own_token(PartName::Runs, "billing");
    let missing = because(Code::Unauthenticated, "TOKEN_MISSING");
    let invalid = because(Code::Unauthenticated, "TOKEN_INVALID");
    assert_eq!(headers_alone(&bench, "GetOffering", None).await, missing);
    for token in ["gateway.a.b", "runs.a.b", &elsewhere] {
        assert_eq!(headers_alone(&bench, "GetOffering", Some(token)).await, invalid, "{token}");
    }
    assert_eq!(headers_alone(&bench, "CreateOffering", Some(&nobody)).await, missing);
    let denied = because(Code::PermissionDenied, "PERMISSION_DENIED");
    let runs = bench.own_token(PartName::Runs, "catalog");
    for token in [&nobody, &runs] {
        assert_eq!(headers_alone(&bench, "ResolvePlan", Some(token)).await, denied, "not their method");
    }
}

#[tokio::test]
async fn only_the_parts_that_the_rule_names_may_call() {
    let bench = Bench::new();
    let resolve = async |part| bench.catalog(part).resolve_plan(ResolvePlanRequest::default()).await;
    assert!(resolve(PartName::Commerce).await.is_ok());
    let denied = because(Code::PermissionDenied, "PERMISSION_DENIED");
    for part in [PartName::Runs, PartName::Gateway, PartName::Catalog] {
        assert_eq!(refusal(resolve(part).await), denied, "{part}");
    }
    let created = bench.catalog(PartName::Gateway).create_offering(CreateOfferingRequest::default()).await;
    assert_eq!(refusal(created), denied, "no part speaks for a person");
}

#[tokio::test]
async fn nobody_and_people_reach_what_the_rule_opens_to_them() {
    let bench = Bench::new();
    let nobody = bench.token(PartName::Gateway, &Caller::Anonymous, "catalog");
    let someone = bench.token(PartName::Gateway, &person(1, 1), "catalog");
    let listed = bench.bare().list_offerings(shown(&nobody, ListOfferingsRequest::default())).await;
    assert!(listed.is_ok());
    let created = bench.bare().create_offering(shown(&nobody, CreateOfferingRequest::default())).await;
    assert_eq!(refusal(created), because(Code::Unauthenticated, "TOKEN_MISSING"));
    for token in [&nobody, &someone] {
        let resolved = bench.bare().resolve_plan(shown(token, ResolvePlanRequest::default())).await;
        assert_eq!(refusal(resolved), because(Code::PermissionDenied, "PERMISSION_DENIED"), "MESH only");
    }
    let seen = bench.bare().get_offering(shown(&someone, offering("x"))).await.unwrap().into_inner();
    assert!(seen.offering.unwrap().display_name.starts_with("user:usr_"));
}

#[tokio::test]
async fn a_person_of_many_orgs_and_projects_has_a_token_that_fits() {
    let bench = Bench::new();
    let token = bench.token(PartName::Gateway, &person(100, 20), "catalog");
    assert!(token.len() > 64 * 1024, "{}", token.len());
    bench.bare().get_offering(shown(&token, offering("x"))).await.unwrap();
}

#[tokio::test]
async fn what_a_client_puts_into_its_request_does_not_reach_the_handler() {
    let bench = Bench::new();
    let mut request = Request::new(offering("x"));
    request.extensions_mut().insert(Smuggled);
    let seen = bench.catalog(PartName::Runs).get_offering(request).await.unwrap().into_inner();
    assert_eq!(seen.offering.unwrap().display_name, "part:runs");
}

async fn unary<T: prost::Message + Default + 'static>(
    bench: &Bench,
    path: &'static str,
    ask: T,
) -> Result<tonic::Response<()>, tonic::Status> {
    let channel: Channel = bench.house(PartName::Runs).dial().raw(PartName::Catalog).unwrap();
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    let token = bench.own_token(PartName::Runs, "catalog");
    let codec = tonic_prost::ProstCodec::<T, ()>::default();
    grpc.unary(shown(&token, ask), http::uri::PathAndQuery::from_static(path), codec).await
}

#[tokio::test]
async fn a_method_that_is_not_there_is_unimplemented() {
    let bench = Bench::new();
    for path in ["/souk.catalog.v1.CatalogService/Nope", "/x.Y/Z", "/"] {
        let refused = refusal(unary(&bench, path, ()).await);
        assert_eq!(refused, because(Code::Unimplemented, "UNIMPLEMENTED"), "{path}");
    }
    // A method of another part, whose rule lets the caller through.
    let ask = AuthorizeRequest::default();
    let refused = unary(&bench, "/souk.billing.v1.BillingService/Authorize", ask).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
}
