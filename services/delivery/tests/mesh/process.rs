//! A mesh of delivery and two of its callers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use souk_delivery::{Config, build};
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
use souk_testkit::Database;
use souk_types::{
    Acting, OrgId, PartName, ProjectId,
    id::{InstanceId, OfferingVersionId},
};
use tonic::{Code, Status};

pub(crate) struct Process {
    pub(crate) mesh: Mesh,
    pub(crate) instances: House,
    pub(crate) gateway: House,
}

impl Process {
    pub(crate) fn start(db: &Database, dir: &tempfile::TempDir) -> Self {
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

    pub(crate) async fn apply(&self, org: OrgId, ask: ApplyRequest) -> Result<ApplyResponse, Status> {
        let answer = client(&self.instances, self.instances.acting_for(org)).apply(ask).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Waits for the applied event of a revision.
    pub(crate) async fn applied(&self, revision: i64) -> Event {
        self.told("InstanceApplied", revision).await
    }

    /// Waits for the event of this kind of a revision.
    pub(crate) async fn told(&self, kind: &str, revision: i64) -> Event {
        let kind = format!("souk.delivery.v1.{kind}");
        let channel = self.instances.dial().to(PartName::Delivery, self.instances.acting_for_platform());
        let mut events = EventsServiceClient::new(channel)
            .follow(FollowRequest { after_position: 0 })
            .await
            .unwrap()
            .into_inner();
        loop {
            let Some(event) = events.message().await.unwrap().unwrap().event else { continue };
            let payload: serde_json::Value = serde_json::from_str(&event.payload_json).unwrap();
            if event.r#type == kind && payload["revision"] == revision {
                return event;
            }
        }
    }
}

pub(crate) fn client(house: &House, acting: Acting) -> DeliveryServiceClient<PartChannel> {
    DeliveryServiceClient::new(house.dial().to(PartName::Delivery, acting))
}

pub(crate) const fn org(n: u128) -> OrgId {
    OrgId::from_bits(n)
}

pub(crate) fn ask(request_id: &str, revision: i64) -> ApplyRequest {
    of(3, request_id, revision)
}

pub(crate) fn of(instance: u128, request_id: &str, revision: i64) -> ApplyRequest {
    let desired = Desired {
        instance_id: InstanceId::from_bits(instance).to_string(),
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

pub(crate) fn get() -> GetAppliedRequest {
    GetAppliedRequest { instance_id: InstanceId::from_bits(3).to_string() }
}

pub(crate) fn reason(status: &Status) -> (Code, String) {
    (status.code(), Refusal::read("delivery", status).reason)
}
