//! The gRPC face: decode, use case, encode. No decision about an instance is taken here.

mod decode;
mod encode;

use std::sync::Arc;

use souk_kit::{House, answer, open, status, watch};
use souk_proto::souk::instances::v1::{
    AutoActivateRequest, AutoActivateResponse, CreateInstanceRequest, CreateInstanceResponse,
    GetEntitlementsRequest, GetEntitlementsResponse, GetInstanceRequest, GetInstanceResponse,
    ListInstanceEventsRequest, ListInstanceEventsResponse, ListInstancesRequest, ListInstancesResponse,
    PauseRequest, PauseResponse, ResumeRequest, ResumeResponse, TerminateRequest, TerminateResponse,
    UpdateConfigRequest, UpdateConfigResponse, WatchInstanceRequest, WatchInstanceResponse,
    instances_service_server::InstancesService,
};
use souk_types::Fault;
use tonic::{Request, Response, Status};

use crate::{error::Error, model::End, service::Service};

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

    async fn pause(&self, request: Request<PauseRequest>) -> Result<Response<PauseResponse>, Status> {
        let (call, ask) = open(request)?;
        let (id, hold) = decode::hold(&ask.instance_id, ask.reason).map_err(status)?;
        let service = Arc::clone(&self.service);
        let paused = self.house.owned(async move { service.pause(&call, id, &hold).await }).await;
        answer(paused.map(|paused| PauseResponse { instance: Some(encode::instance(&paused)) }))
    }

    async fn resume(&self, request: Request<ResumeRequest>) -> Result<Response<ResumeResponse>, Status> {
        let (call, ask) = open(request)?;
        let (id, hold) = decode::hold(&ask.instance_id, ask.reason).map_err(status)?;
        let service = Arc::clone(&self.service);
        let resumed = self.house.owned(async move { service.resume(&call, id, &hold).await }).await;
        answer(resumed.map(|resumed| ResumeResponse { instance: Some(encode::instance(&resumed)) }))
    }

    async fn terminate(
        &self,
        request: Request<TerminateRequest>,
    ) -> Result<Response<TerminateResponse>, Status> {
        let (call, ask) = open(request)?;
        let id = decode::instance_id(&ask.instance_id).map_err(status)?;
        let (service, end) = (Arc::clone(&self.service), End { etag: ask.etag });
        let ending = self.house.owned(async move { service.terminate(&call, id, &end).await }).await;
        answer(ending.map(|ending| TerminateResponse { instance: Some(encode::instance(&ending)) }))
    }

    async fn update_config(
        &self,
        request: Request<UpdateConfigRequest>,
    ) -> Result<Response<UpdateConfigResponse>, Status> {
        let (call, ask) = open(request)?;
        let (id, configure) = decode::update_config(&ask).map_err(status)?;
        let (service, ask) = (Arc::clone(&self.service), (ask.etag, configure));
        let updated = self.house.owned(async move { service.configure(&call, id, &ask).await }).await;
        answer(updated.map(|updated| UpdateConfigResponse { instance: Some(encode::instance(&updated)) }))
    }

    async fn list_instance_events(
        &self,
        request: Request<ListInstanceEventsRequest>,
    ) -> Result<Response<ListInstanceEventsResponse>, Status> {
        let (call, ask) = open(request)?;
        let id = decode::instance_id(&ask.instance_id).map_err(status)?;
        let (pages, list) = (self.house.pages(), format!("events:{id}"));
        let page = pages.open(&list, ask.page_size, &ask.page_token).map_err(status)?;
        let found = self.service.events(&call.scope, id, &page).await.map_err(status)?;
        let (found, next_page_token) = pages.seal(&list, found).map_err(status)?;
        let events = found.iter().map(encode::event).collect();
        Ok(Response::new(ListInstanceEventsResponse { events, next_page_token }))
    }
}
