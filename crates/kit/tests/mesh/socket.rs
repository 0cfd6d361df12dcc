//! The operator's socket: everything of every part, for whoever may open the file and sign a token.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};

use futures::stream;
use souk_kit::{Mesh, Surroundings, clock::MachineRandom};
use souk_proto::souk::{
    catalog::v1::{ResolvePlanRequest, catalog_service_client::CatalogServiceClient},
    events::v1::{FollowRequest, events_service_client::EventsServiceClient},
    runs::v1::{GetRunRequest, runs_service_client::RunsServiceClient},
};
use souk_types::{Clock, PartName};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::bench::{Bench, because, offering, refusal, shown};

fn path(bench: &Bench) -> PathBuf {
    bench.dir.path().join("mesh.sock")
}

fn socket(bench: &Bench) -> Channel {
    bench.mesh.serve_socket(&path(bench)).unwrap();
    Endpoint::from_shared(format!("unix:{}", path(bench).display())).unwrap().connect_lazy()
}

#[tokio::test]
async fn a_token_for_any_part_opens_the_socket_and_never_the_pipe() {
    let bench = Bench::new();
    let channel = socket(&bench);
    let any = bench.own_token(PartName::Commerce, "*");
    let resolved = CatalogServiceClient::new(channel.clone())
        .resolve_plan(shown(&any, ResolvePlanRequest::default()))
        .await;
    assert!(resolved.is_ok(), "MESH methods too: {resolved:?}");
    let invalid = because(Code::Unauthenticated, "TOKEN_INVALID");
    let piped = async || bench.bare().resolve_plan(shown(&any, ResolvePlanRequest::default())).await;
    assert_eq!(refusal(piped().await), invalid);
    assert_eq!(refusal(piped().await), invalid, "nor once it was seen at the socket");
    let named = bench.own_token(PartName::Runs, "catalog");
    let mut catalog = CatalogServiceClient::new(channel.clone());
    assert!(catalog.get_offering(shown(&named, offering("x"))).await.is_ok(), "a named one opens both");
    let missing = because(Code::Unauthenticated, "TOKEN_MISSING");
    assert_eq!(refusal(catalog.get_offering(offering("x")).await), missing);
    let denied = shown(&bench.own_token(PartName::Runs, "*"), ResolvePlanRequest::default());
    let denied = refusal(catalog.resolve_plan(denied).await);
    assert_eq!(denied, because(Code::PermissionDenied, "PERMISSION_DENIED"), "the rules hold here too");
    let absent = RunsServiceClient::new(channel).get_run(shown(&any, GetRunRequest::default())).await;
    assert_eq!(refusal(absent), because(Code::Unavailable, "UNAVAILABLE"), "not served in this process");
}

#[tokio::test]
async fn the_socket_is_its_owners_alone_and_replaces_what_a_dead_process_left() {
    let bench = Bench::new();
    std::fs::write(path(&bench), "left behind").unwrap();
    let channel = socket(&bench);
    let mode = std::fs::metadata(path(&bench)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = bench.own_token(PartName::Runs, "*");
    assert!(CatalogServiceClient::new(channel).get_offering(shown(&token, offering("x"))).await.is_ok());
    assert!(bench.mesh.serve_socket(&bench.dir.path().join("no/such/dir/mesh.sock")).is_err());
}

#[tokio::test]
async fn reflection_lists_every_service_mesh_ones_too() {
    let bench = Bench::new();
    let ask = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut answers = ServerReflectionClient::new(socket(&bench))
        .server_reflection_info(stream::iter([ask]))
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(listed) = answer else { panic!("{answer:?}") };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    for name in ["souk.catalog.v1.CatalogService", "souk.runner.v1.RunnerService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|listed| listed == name), "{name}: {names:?}");
    }
}

#[tokio::test]
async fn health_says_how_each_part_stands_and_the_drain_is_told() {
    let bench = Bench::new();
    let mut health = HealthClient::new(socket(&bench));
    let mut check = async |service: &str| {
        let ask = HealthCheckRequest { service: service.to_owned() };
        health.check(ask).await.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
    };
    assert_eq!(check("souk.catalog.v1.CatalogService").await, Ok(ServingStatus::Serving));
    // It belongs to this process and was never served.
    assert_eq!(check("souk.billing.v1.BillingService").await, Ok(ServingStatus::NotServing));
    assert_eq!(check("").await, Ok(ServingStatus::NotServing), "not all are");
    assert_eq!(check("souk.cellar.v1.CellarService").await, Err(Code::NotFound));
    bench.house(PartName::Catalog).set_ready(false);
    assert_eq!(check("catalog").await, Ok(ServingStatus::NotServing));
    bench.house(PartName::Catalog).set_ready(true);
    let ask = HealthCheckRequest { service: "catalog".to_owned() };
    let mut watch = HealthClient::new(socket(&bench)).watch(ask).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap().status();
    let drained = bench.mesh.drain();
    let told = async { watch.message().await.unwrap().unwrap().status() };
    let (_, last) = futures::join!(drained, told);
    assert_eq!((first, last), (ServingStatus::Serving, ServingStatus::NotServing));
}

#[tokio::test]
async fn events_need_the_name_of_the_part() {
    let bench = Bench::new();
    let channel = socket(&bench);
    let token = bench.own_token(PartName::Runs, "*");
    let follow = async |part: Option<&str>| {
        let mut request = shown(&token, FollowRequest { after_position: 0 });
        if let Some(part) = part {
            request.metadata_mut().insert("souk-part", part.parse().unwrap());
        }
        EventsServiceClient::new(channel.clone()).follow(request).await
    };
    let invalid = because(Code::InvalidArgument, "INVALID_ARGUMENT");
    assert_eq!(refusal(follow(None).await), invalid);
    let absent = because(Code::Unimplemented, "UNIMPLEMENTED");
    assert_eq!(refusal(follow(Some("cellar")).await), absent);
    assert_eq!(refusal(follow(Some("runs")).await), because(Code::Unavailable, "UNAVAILABLE"));
    let mut answers = follow(Some("catalog")).await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().event, None, "a sign of life");
    assert_eq!(follow(Some("runner")).await.unwrap_err().code(), Code::Unimplemented, "it has no log");
}

#[tokio::test]
async fn a_part_in_another_process_follows_the_events_behind_a_socket() {
    let bench = Bench::new();
    drop(socket(&bench));
    let surroundings = Surroundings {
        clock: Arc::clone(&bench.clock) as Arc<dyn Clock>,
        random: Arc::new(MachineRandom::default()),
        keyring: Arc::clone(&bench.keyring),
        data_dir: bench.dir.path().to_owned(),
        poll: Duration::from_millis(200),
    };
    let address = format!("unix:{}", path(&bench).display());
    let apart = Mesh::new(surroundings, &[PartName::Runs], &BTreeMap::from([(PartName::Catalog, address)]));
    let house = apart.unwrap().house(PartName::Runs).unwrap();
    let catalog = house.dial().to(PartName::Catalog, house.acting_for_platform());
    let followed = EventsServiceClient::new(catalog).follow(FollowRequest { after_position: 0 }).await;
    assert_eq!(followed.unwrap().into_inner().message().await.unwrap().unwrap().event, None);
}
