//! The wire: opens a call, decodes, lets the service work, encodes. Nothing is decided here.

mod decode;
mod encode;
mod watch;

use std::{pin::Pin, sync::Arc};

use futures::Stream;
use souk_kit::{House, answer, open, status};
use souk_proto::souk::runs::v1::{self as pb, runs_service_server::RunsService};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

use crate::{model::CancelRun, service::Service};

type Events = Pin<Box<dyn Stream<Item = Result<pb::WatchRunResponse, Status>> + Send>>;

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
impl RunsService for Api {
    type WatchRunStream = Events;

    async fn create_run(
        &self,
        request: Request<pb::CreateRunRequest>,
    ) -> Result<Response<pb::CreateRunResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::create_run(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        // Dropped with this handler: a caller that goes away listens no more.
        let (_here, gone) = oneshot::channel();
        let outcome = self.house.owned(async move { service.create_run(&call, ask, gone).await }).await;
        answer(outcome.map(|run| pb::CreateRunResponse { run: Some(encode::run(run)) }))
    }

    async fn get_run(
        &self,
        request: Request<pb::GetRunRequest>,
    ) -> Result<Response<pb::GetRunResponse>, Status> {
        let (call, ask) = open(request)?;
        let run_id = decode::run_id(&ask.run_id).map_err(status)?;
        let outcome = self.service.get_run(&call, run_id).await;
        answer(outcome.map(|run| pb::GetRunResponse { run: Some(encode::run(run)) }))
    }

    async fn list_runs(
        &self,
        request: Request<pb::ListRunsRequest>,
    ) -> Result<Response<pb::ListRunsResponse>, Status> {
        let (call, ask) = open(request)?;
        let (project_id, instance_id) = decode::list(call.project_id, &ask.instance_id).map_err(status)?;
        let list = format!("runs:{project_id}:{}", ask.instance_id);
        let page = self.house.pages().open(&list, ask.page_size, &ask.page_token).map_err(status)?;
        let runs = self.service.list_runs(&call.scope, (project_id, instance_id), &page).await;
        let (runs, next_page_token) =
            self.house.pages().seal(&list, runs.map_err(status)?.map(encode::run)).map_err(status)?;
        Ok(Response::new(pb::ListRunsResponse { runs, next_page_token }))
    }

    async fn watch_run(&self, request: Request<pb::WatchRunRequest>) -> Result<Response<Events>, Status> {
        let (call, ask) = open(request)?;
        let from = decode::watch(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        answer(watch::watch(&self.house, service, call.scope, from).await)
    }

    async fn cancel_run(
        &self,
        request: Request<pb::CancelRunRequest>,
    ) -> Result<Response<pb::CancelRunResponse>, Status> {
        let (call, ask) = open(request)?;
        let run_id = decode::run_id(&ask.run_id).map_err(status)?;
        let service = Arc::clone(&self.service);
        let stop = async move { service.cancel_run(&call, CancelRun { run_id }).await };
        let outcome = self.house.owned(stop).await;
        answer(outcome.map(|run| pb::CancelRunResponse { run: Some(encode::run(run)) }))
    }
}
