//! Delivery through the mesh, with its loops running: what instances and the gateway get to see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use souk_delivery::{Config, MIGRATIONS, build};
use souk_kit::{
    House, Mesh, Refusal, Surroundings, clock::MachineRandom, dial::PartChannel, keyring::Keyring,
};
use souk_proto::souk::{
    delivery::v1::{
        ApplyRequest, ApplyResponse, Desired, GetAppliedRequest,
        delivery_service_client::DeliveryServiceClient,
    },
    events::v1::{Event, FollowRequest, events_service_client::EventsServiceClient},
};
use souk_testkit::{Database, database::sqlite};
use souk_types::{
    Acting, OrgId, PartName, ProjectId,
    id::{InstanceId, OfferingVersionId},
};
use tonic::{Code, Status};

struct Process {
    mesh: Mesh,
    instances: House,
    gateway: House,
}

impl Process {
    fn start(db: &Database, dir: &tempfile::TempDir) -> Self {
        let surroundings = Surroundings {
            clock: db.clock.clone(),
            random: db.random.clone(),
            keyring: Arc::new(Keyring::generate(&MachineRandom::default())),
            data_dir: dir.path().to_owned(),
            poll: Duration::from_millis(50),
        };
        let here = [PartName::Delivery, PartName::Instances, PartName::Gateway];
        let mut mesh = Mesh::new(surroundings, &here, &BTreeMap::new()).unwrap();
        let house = mesh.house(PartName::Delivery).unwrap();
        let mounted = build(&house, &Config::default(), (**db).clone()).unwrap();
        mesh.serve(&house, mounted).unwrap();
        let (instances, gateway) =
            (mesh.house(PartName::Instances).unwrap(), mesh.house(PartName::Gateway).unwrap());
        Self { mesh, instances, gateway }
    }

    async fn apply(&self, org: OrgId, ask: ApplyRequest) -> Result<ApplyResponse, Status> {
        let answer = client(&self.instances, self.instances.acting_for(org)).apply(ask).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Waits for the applied event of a revision.
    async fn applied(&self, revision: i64) -> Event {
        let channel = self.instances.dial().to(PartName::Delivery, self.instances.acting_for_platform());
        let mut events = EventsServiceClient::new(channel)
            .follow(FollowRequest { after_position: 0 })
            .await
            .unwrap()
            .into_inner();
        loop {
            let Some(event) = events.message().await.unwrap().unwrap().event else { continue };
            let payload: serde_json::Value = serde_json::from_str(&event.payload_json).unwrap();
            if event.r#type == "souk.delivery.v1.InstanceApplied" && payload["revision"] == revision {
                return event;
            }
        }
    }
}

fn client(house: &House, acting: Acting) -> DeliveryServiceClient<PartChannel> {
    DeliveryServiceClient::new(house.dial().to(PartName::Delivery, acting))
}

const fn org(n: u128) -> OrgId {
    OrgId::from_bits(n)
}

fn ask(request_id: &str, revision: i64) -> ApplyRequest {
    let desired = Desired {
        instance_id: InstanceId::from_bits(3).to_string(),
        org_id: org(1).to_string(),
        project_id: ProjectId::from_bits(2).to_string(),
        offering_version_id: OfferingVersionId::from_bits(4).to_string(),
        plan_slug: "starter".to_owned(),
        revision,
        capabilities: vec!["runs.sync".to_owned()],
        runs_per_minute: 60,
        effective_config_json: format!("{{\"change\":{revision}}}"),
        ..Desired::default()
    };
    ApplyRequest { org_id: org(1).to_string(), request_id: request_id.to_owned(), desired: Some(desired) }
}

fn get() -> GetAppliedRequest {
    GetAppliedRequest { instance_id: InstanceId::from_bits(3).to_string() }
}

fn reason(status: &Status) -> (Code, String) {
    (status.code(), Refusal::read("delivery", status).reason)
}

#[tokio::test]
async fn an_instance_is_applied_read_and_still_there_after_a_restart() {
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    let committed = process.apply(org(1), ask("r-1", 1)).await.unwrap();
    assert_eq!((committed.revision, committed.commit_id.len(), committed.content_hash.len()), (1, 40, 64));
    let event = process.applied(1).await;
    assert_eq!((event.org_id, event.aggregate_id), (org(1).to_string(), get().instance_id));
    for acting in [process.gateway.acting_for(org(1)), process.gateway.acting_for_platform()] {
        let got = client(&process.gateway, acting).get_applied(get()).await.unwrap().into_inner();
        let got = got.applied.unwrap();
        assert_eq!((got.revision, &got.commit_id), (1, &committed.commit_id));
        assert_eq!((got.content_hash, got.host), (committed.content_hash.clone(), String::new()));
        assert_eq!(got.path, format!("/i/{}", got.instance_id));
        assert!(got.apply_time.is_some());
    }
    assert!(process.mesh.drain().await);

    let process = Process::start(&db, &dir);
    assert_eq!(process.apply(org(1), ask("r-1", 1)).await.unwrap(), committed);
    process.apply(org(1), ask("r-2", 2)).await.unwrap();
    process.applied(2).await;
    assert!(process.mesh.drain().await);
}

#[tokio::test]
async fn refusals_say_why() {
    let (db, dir) = (sqlite("delivery", MIGRATIONS).await, tempfile::tempdir().unwrap());
    let process = Process::start(&db, &dir);
    let mut early = client(&process.gateway, process.gateway.acting_for(org(1)));
    let absent = early.get_applied(get()).await.unwrap_err();
    assert_eq!(reason(&absent), (Code::NotFound, "APPLIED_STATE_NOT_FOUND".to_owned()));

    let answers = join_all((0..8).map(|_| process.apply(org(1), ask("r-2", 2)))).await;
    let first = answers[0].as_ref().unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first));
    process.applied(2).await;

    let foreign = client(&process.gateway, process.gateway.acting_for(org(2))).get_applied(get()).await;
    assert_eq!(reason(&foreign.unwrap_err()).1, "APPLIED_STATE_NOT_FOUND");
    let other_org = |mut ask: ApplyRequest| {
        ask.org_id = org(2).to_string();
        ask
    };
    let foreign = process.apply(org(2), ask("r-3", 3)).await.unwrap_err();
    assert_eq!(reason(&foreign), (Code::NotFound, "ORG_NOT_FOUND".to_owned()));
    let foreign = process.apply(org(2), other_org(ask("r-3", 3))).await.unwrap_err();
    assert_eq!(reason(&foreign), (Code::InvalidArgument, "INVALID_ARGUMENT".to_owned()));
    let mut taken = other_org(ask("r-3", 3));
    taken.desired.as_mut().unwrap().org_id = org(2).to_string();
    let foreign = process.apply(org(2), taken).await.unwrap_err();
    assert_eq!(reason(&foreign), (Code::NotFound, "INSTANCE_NOT_FOUND".to_owned()));

    let reused = process.apply(org(1), ask("r-2", 3)).await.unwrap_err();
    assert_eq!(reason(&reused), (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned()));
    let nameless = process.apply(org(1), ask("", 3)).await.unwrap_err();
    assert_eq!(reason(&nameless).1, "REQUEST_ID_REQUIRED");
    let empty = ApplyRequest { desired: None, ..ask("r-4", 3) };
    assert_eq!(reason(&process.apply(org(1), empty).await.unwrap_err()).0, Code::InvalidArgument);
    let stale = process.apply(org(1), ask("r-1", 1)).await.unwrap();
    assert_eq!(&stale, first);

    let intruder = client(&process.gateway, process.gateway.acting_for(org(1))).apply(ask("r-5", 3)).await;
    assert_eq!(intruder.unwrap_err().code(), Code::PermissionDenied);
    assert!(process.mesh.drain().await);
}
