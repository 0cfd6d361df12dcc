//! The wire.

use souk_kit::status;
use souk_proto::souk::models::v1::{self as pb, models_service_server::ModelsService};
use souk_types::{Fault, Reason};
use tonic::{Request, Response, Status};

pub(crate) struct Api;

fn not_yet() -> Status {
    status(Fault::new(Reason::Unimplemented, "models", "not yet"))
}

#[tonic::async_trait]
impl ModelsService for Api {
    async fn put_model_endpoint(
        &self,
        _: Request<pb::PutModelEndpointRequest>,
    ) -> Result<Response<pb::PutModelEndpointResponse>, Status> {
        Err(not_yet())
    }
    async fn get_model_endpoint(
        &self,
        _: Request<pb::GetModelEndpointRequest>,
    ) -> Result<Response<pb::GetModelEndpointResponse>, Status> {
        Err(not_yet())
    }
    async fn list_model_endpoints(
        &self,
        _: Request<pb::ListModelEndpointsRequest>,
    ) -> Result<Response<pb::ListModelEndpointsResponse>, Status> {
        Err(not_yet())
    }
    async fn delete_model_endpoint(
        &self,
        _: Request<pb::DeleteModelEndpointRequest>,
    ) -> Result<Response<pb::DeleteModelEndpointResponse>, Status> {
        Err(not_yet())
    }
    async fn resolve_model_endpoint(
        &self,
        _: Request<pb::ResolveModelEndpointRequest>,
    ) -> Result<Response<pb::ResolveModelEndpointResponse>, Status> {
        Err(not_yet())
    }
}
