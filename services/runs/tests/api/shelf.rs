//! An instances that knows one instance, in whatever state a test wants.

use std::{pin::Pin, sync::Mutex};

use futures::Stream;
use souk_kit::{open, status};
use souk_proto::souk::instances::v1::{self as pb, instances_service_server::InstancesService};
use souk_types::{Fault, OfferingVersionId, Reason};
use tonic::{Request, Response, Status};

use crate::world::{INSTANCE, ORG, PROJECT};

pub(crate) struct Shelf {
    /// Answered one after the other, the last for ever.
    said: Mutex<Vec<pb::Entitlements>>,
}

pub(crate) fn entitlements(state: pb::State) -> pb::Entitlements {
    pb::Entitlements {
        instance_id: INSTANCE.to_string(),
        state: state.into(),
        org_id: ORG.to_string(),
        project_id: PROJECT.to_string(),
        offering_version_id: OfferingVersionId::from_bits(4).to_string(),
        limits: Some(pb::Limits::default()),
        effective_config_json: "{}".to_owned(),
        artifact_hash: "ab".repeat(32),
        ..Default::default()
    }
}

impl Default for Shelf {
    fn default() -> Self {
        Self { said: Mutex::new(vec![entitlements(pb::State::Active)]) }
    }
}

impl Shelf {
    pub(crate) fn say(&self, mut said: Vec<pb::Entitlements>) {
        said.reverse();
        *self.said.lock().unwrap() = said;
    }
}

type Nothing = Pin<Box<dyn Stream<Item = Result<pb::WatchInstanceResponse, Status>> + Send>>;

#[tonic::async_trait]
impl InstancesService for Shelf {
    type WatchInstanceStream = Nothing;

    async fn get_entitlements(
        &self,
        request: Request<pb::GetEntitlementsRequest>,
    ) -> Result<Response<pb::GetEntitlementsResponse>, Status> {
        let (_, ask) = open(request)?;
        if ask.instance_id != INSTANCE.to_string() {
            return Err(status(Fault::new(Reason::InstanceNotFound, "instances", "no such instance")));
        }
        let mut said = self.said.lock().unwrap();
        let entitlements = if said.len() > 1 { said.pop() } else { said.last().cloned() };
        Ok(Response::new(pb::GetEntitlementsResponse { entitlements }))
    }

    async fn create_instance(
        &self,
        _: Request<pb::CreateInstanceRequest>,
    ) -> Result<Response<pb::CreateInstanceResponse>, Status> {
        panic!("runs creates no instance")
    }

    async fn auto_activate(
        &self,
        _: Request<pb::AutoActivateRequest>,
    ) -> Result<Response<pb::AutoActivateResponse>, Status> {
        panic!("runs activates nothing")
    }

    async fn get_instance(
        &self,
        _: Request<pb::GetInstanceRequest>,
    ) -> Result<Response<pb::GetInstanceResponse>, Status> {
        panic!("runs reads entitlements only")
    }

    async fn list_instances(
        &self,
        _: Request<pb::ListInstancesRequest>,
    ) -> Result<Response<pb::ListInstancesResponse>, Status> {
        panic!("runs lists no instances")
    }

    async fn watch_instance(
        &self,
        _: Request<pb::WatchInstanceRequest>,
    ) -> Result<Response<Nothing>, Status> {
        panic!("runs watches no instance")
    }

    async fn pause(&self, _: Request<pb::PauseRequest>) -> Result<Response<pb::PauseResponse>, Status> {
        panic!("runs changes no instance")
    }

    async fn resume(&self, _: Request<pb::ResumeRequest>) -> Result<Response<pb::ResumeResponse>, Status> {
        panic!("runs changes no instance")
    }

    async fn terminate(
        &self,
        _: Request<pb::TerminateRequest>,
    ) -> Result<Response<pb::TerminateResponse>, Status> {
        panic!("runs changes no instance")
    }

    async fn update_config(
        &self,
        _: Request<pb::UpdateConfigRequest>,
    ) -> Result<Response<pb::UpdateConfigResponse>, Status> {
        panic!("runs changes no instance")
    }

    async fn list_instance_events(
        &self,
        _: Request<pb::ListInstanceEventsRequest>,
    ) -> Result<Response<pb::ListInstanceEventsResponse>, Status> {
        panic!("runs lists no events")
    }
}
