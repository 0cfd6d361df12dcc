//! A models part that knows what a test told it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use souk_kit::status;
use souk_proto::souk::models::v1::{self as pb, models_service_server::ModelsService};
use souk_secrets::{Path, Secrets, Value};
use souk_types::{Fault, Reason};
use tonic::{Request, Response, Status};

/// What is resolved, by name.
#[derive(Clone, Default)]
pub(crate) struct Endpoints(Arc<Mutex<BTreeMap<String, pb::ResolveModelEndpointResponse>>>);

impl Endpoints {
    /// Adds an endpoint whose key stands in the secret store.
    pub(crate) async fn add(&self, secrets: &Secrets, name: &str, url: &str, key: &str) {
        let path = Path::model_endpoint(name).unwrap();
        let version = match Value::new(key.to_owned()) {
            Ok(key) => secrets.put(&path, &key, None).await.unwrap(),
            Err(_) => 0,
        };
        let secret_path = if version > 0 { path.to_string() } else { String::new() };
        let endpoint = pb::ModelEndpoint { name: name.into(), url: url.into(), ..Default::default() };
        let resolved = pb::ResolveModelEndpointResponse {
            model_endpoint: Some(endpoint),
            secret_path,
            secret_version: version.try_into().unwrap(),
        };
        self.0.lock().unwrap().insert(name.to_owned(), resolved);
    }

    /// Bends an endpoint.
    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut pb::ResolveModelEndpointResponse)) {
        change(self.0.lock().unwrap().get_mut(name).unwrap());
    }
}

fn nobody_asks() -> Status {
    status(Fault::new(Reason::Unimplemented, "models", "nobody asks for this"))
}

#[tonic::async_trait]
impl ModelsService for Endpoints {
    async fn put_model_endpoint(
        &self,
        _: Request<pb::PutModelEndpointRequest>,
    ) -> Result<Response<pb::PutModelEndpointResponse>, Status> {
        Err(nobody_asks())
    }

    async fn get_model_endpoint(
        &self,
        _: Request<pb::GetModelEndpointRequest>,
    ) -> Result<Response<pb::GetModelEndpointResponse>, Status> {
        Err(nobody_asks())
    }

    async fn list_model_endpoints(
        &self,
        _: Request<pb::ListModelEndpointsRequest>,
    ) -> Result<Response<pb::ListModelEndpointsResponse>, Status> {
        Err(nobody_asks())
    }

    async fn delete_model_endpoint(
        &self,
        _: Request<pb::DeleteModelEndpointRequest>,
    ) -> Result<Response<pb::DeleteModelEndpointResponse>, Status> {
        Err(nobody_asks())
    }

    async fn resolve_model_endpoint(
        &self,
        request: Request<pb::ResolveModelEndpointRequest>,
    ) -> Result<Response<pb::ResolveModelEndpointResponse>, Status> {
        let name = request.into_inner().name;
        let found = self.0.lock().unwrap().get(&name).cloned();
        let absent = || status(Fault::new(Reason::ModelEndpointNotFound, "models", "no such endpoint"));
        found.map(Response::new).ok_or_else(absent)
    }
}
