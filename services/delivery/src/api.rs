//! The gRPC service: decode, use case, encode. Nothing is decided here.

mod decode;
mod encode;
mod watch;

use std::sync::Arc;

use souk_kit::{House, answer, open, status, watch::Messages};
use souk_proto::souk::delivery::v1::{
    ApplyRequest, ApplyResponse, GetAppliedRequest, GetAppliedResponse, RemoveRequest, RemoveResponse,
    WatchAppliedRequest, WatchAppliedResponse, delivery_service_server::DeliveryService,
};
use tonic::{Request, Response, Status};

use crate::service::Service;

/// Serves `souk.delivery.v1.DeliveryService`.
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
impl DeliveryService for Api {
    type WatchAppliedStream = Messages<WatchAppliedResponse>;

    async fn apply(&self, request: Request<ApplyRequest>) -> Result<Response<ApplyResponse>, Status> {
        let (call, ask) = open(request)?;
        let desired = decode::desired(ask.desired.unwrap_or_default()).map_err(status)?;
        let service = Arc::clone(&self.service);
        answer(
            self.house.owned(async move { service.apply(&call, desired).await }).await.map(encode::committed),
        )
    }

    async fn get_applied(
        &self,
        request: Request<GetAppliedRequest>,
    ) -> Result<Response<GetAppliedResponse>, Status> {
        let (call, ask) = open(request)?;
        let instance_id = decode::instance_id(&ask.instance_id).map_err(status)?;
        answer(self.service.applied(&call, instance_id).await.map(encode::applied))
    }

    async fn remove(&self, request: Request<RemoveRequest>) -> Result<Response<RemoveResponse>, Status> {
        let (call, ask) = open(request)?;
        let removal = decode::removal(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        answer(
            self.house.owned(async move { service.remove(&call, removal).await }).await.map(encode::removed),
        )
    }

    async fn watch_applied(
        &self,
        request: Request<WatchAppliedRequest>,
    ) -> Result<Response<Self::WatchAppliedStream>, Status> {
        let (call, _) = open(request)?;
        answer(watch::watch(&self.house, Arc::clone(&self.service), call.scope).await)
    }
}
