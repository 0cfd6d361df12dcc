//! The gRPC face: decode, use case, encode. No decision about an instance is taken here.

mod decode;
mod encode;

use std::sync::Arc;

use souk_kit::{House, answer, open, status, watch};
use souk_proto::souk::instances::v1::{
    self as pb, AutoActivateRequest, AutoActivateResponse, CreateInstanceRequest, CreateInstanceResponse,
    GetEntitlementsRequest, GetEntitlementsResponse, GetInstanceRequest, GetInstanceResponse,
    ListInstancesRequest, ListInstancesResponse, WatchInstanceRequest, WatchInstanceResponse,
    instances_service_server::InstancesService,
};
use souk_types::Fault;
use tonic::{Request, Response, Status};

use crate::{error::Error, service::Service};

/// The service on the wire.
pub(crate) struct Api {
    house: House,
    service: Arc<Service>,
}

impl Api {
    pub(crate) const fn new(house: House, service: Arc<Service>) -> Self {
        Self { house, service }
    }
}

#[tonic::async_trait]
impl InstancesService for Api {
    type WatchInstanceStream = watch::Messages<WatchInstanceResponse>;

    async fn create_instance(
        &self,
        request: Request<CreateInstanceRequest>,
    ) -> Result<Response<CreateInstanceResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::create_instance(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let made = self.house.owned(async move { service.create_instance(&call, ask).await }).await;
        answer(made.map(|made| CreateInstanceResponse { instance: Some(encode::instance(&made)) }))
    }

    async fn auto_activate(
        &self,
        request: Request<AutoActivateRequest>,
    ) -> Result<Response<AutoActivateResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::auto_activate(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let live = self.house.owned(async move { service.auto_activate(&call, ask).await }).await;
        answer(live.map(|live| encode::activated(&live)))
    }

    async fn get_instance(
        &self,
        request: Request<GetInstanceRequest>,
    ) -> Result<Response<GetInstanceResponse>, Status> {
        let (call, ask) = open(request)?;
        let id = decode::instance_id(&ask.instance_id).map_err(status)?;
        let found = self.service.instance(&call.scope, id).await;
        answer(found.map(|found| GetInstanceResponse { instance: Some(encode::instance(&found)) }))
    }

    async fn list_instances(
        &self,
        request: Request<ListInstancesRequest>,
    ) -> Result<Response<ListInstancesResponse>, Status> {
        let (call, ask) = open(request)?;
        let project = call.project_id.ok_or(Error::ProjectRequired).map_err(status)?;
        let (pages, list) = (self.house.pages(), format!("instances:{project}"));
        let page = pages.open(&list, ask.page_size, &ask.page_token).map_err(status)?;
        let found = self.service.instances(&call, &page).await.map_err(status)?;
        let (found, next_page_token) = pages.seal(&list, found).map_err(status)?;
        let instances = found.iter().map(encode::instance).collect();
        Ok(Response::new(ListInstancesResponse { instances, next_page_token }))
    }

    async fn get_entitlements(
        &self,
        request: Request<GetEntitlementsRequest>,
    ) -> Result<Response<GetEntitlementsResponse>, Status> {
        let (call, ask) = open(request)?;
        let id = decode::instance_id(&ask.instance_id).map_err(status)?;
        let found = self.service.instance(&call.scope, id).await;
        answer(
            found.map(|found| GetEntitlementsResponse { entitlements: Some(encode::entitlements(&found)) }),
        )
    }

    async fn watch_instance(
        &self,
        request: Request<WatchInstanceRequest>,
    ) -> Result<Response<Self::WatchInstanceStream>, Status> {
        let (call, ask) = open(request)?;
        let id = decode::instance_id(&ask.instance_id).map_err(status)?;
        let (service, scope) = (Arc::clone(&self.service), call.scope);
        let subject = watch::Subject {
            bell: self.service.store.bell(),
            topic: id.to_string(),
            read: move || {
                let (service, scope) = (Arc::clone(&service), scope.clone());
                async move {
                    let found = service.instance(&scope, id).await.map_err(Fault::from)?;
                    Ok(encode::watched(&found))
                }
            },
            beat: encode::heartbeat,
        };
        answer(watch::watch(&self.house, subject).await)
    }

    async fn pause(&self, _: Request<pb::PauseRequest>) -> Result<Response<pb::PauseResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn resume(&self, _: Request<pb::ResumeRequest>) -> Result<Response<pb::ResumeResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn terminate(
        &self,
        _: Request<pb::TerminateRequest>,
    ) -> Result<Response<pb::TerminateResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn update_config(
        &self,
        _: Request<pb::UpdateConfigRequest>,
    ) -> Result<Response<pb::UpdateConfigResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }

    async fn list_instance_events(
        &self,
        _: Request<pb::ListInstanceEventsRequest>,
    ) -> Result<Response<pb::ListInstanceEventsResponse>, Status> {
        Err(Status::unimplemented("not built yet"))
    }
}
