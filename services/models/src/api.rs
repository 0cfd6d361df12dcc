//! The service on the wire: decode, use case, encode. A key goes in and never comes out.

use std::sync::Arc;

use souk_kit::{House, answer, open, status, wire, wire::Check};
use souk_proto::souk::models::v1::{self as pb, models_service_server::ModelsService};
use souk_secrets::Value;
use souk_types::Fault;
use tonic::{Request, Response, Status};

use crate::{
    error::{DOMAIN, Error},
    model::{self, Delete, Endpoint, Name, Put, secret_path},
    service::Service,
};

/// What page tokens of the list are bound to.
const LIST: &str = "model_endpoints";

/// The handlers.
pub(crate) struct Api {
    pub(crate) house: House,
    pub(crate) service: Arc<Service>,
}

#[tonic::async_trait]
impl ModelsService for Api {
    async fn put_model_endpoint(
        &self,
        request: Request<pb::PutModelEndpointRequest>,
    ) -> Result<Response<pb::PutModelEndpointResponse>, Status> {
        let (call, ask) = open(request)?;
        let (put, key) = decode(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let put = self.house.owned(async move { service.put(&call, put, key).await }).await;
        answer(put.map(|put| pb::PutModelEndpointResponse { model_endpoint: Some(encode(put)) }))
    }

    async fn get_model_endpoint(
        &self,
        request: Request<pb::GetModelEndpointRequest>,
    ) -> Result<Response<pb::GetModelEndpointResponse>, Status> {
        let (call, ask) = open(request)?;
        let found = self.service.get(&call, &name(&ask.name).map_err(status)?).await;
        answer(found.map(|found| pb::GetModelEndpointResponse { model_endpoint: Some(encode(found)) }))
    }

    async fn list_model_endpoints(
        &self,
        request: Request<pb::ListModelEndpointsRequest>,
    ) -> Result<Response<pb::ListModelEndpointsResponse>, Status> {
        let (call, ask) = open(request)?;
        let pages = self.house.pages();
        let page = pages.open(LIST, ask.page_size, &ask.page_token).map_err(status)?;
        let listed = self.service.list(&call, &page).await.map_err(Fault::from);
        let sealed = listed.and_then(|listed| pages.seal(LIST, listed.map(encode)));
        answer(sealed.map(|(model_endpoints, next_page_token)| pb::ListModelEndpointsResponse {
            model_endpoints,
            next_page_token,
        }))
    }

    async fn delete_model_endpoint(
        &self,
        request: Request<pb::DeleteModelEndpointRequest>,
    ) -> Result<Response<pb::DeleteModelEndpointResponse>, Status> {
        let (call, ask) = open(request)?;
        let delete = Delete { name: name(&ask.name).map_err(status)? };
        let service = Arc::clone(&self.service);
        let deleted = self.house.owned(async move { service.delete(&call, delete).await }).await;
        answer(deleted.map(|()| pb::DeleteModelEndpointResponse {}))
    }

    async fn resolve_model_endpoint(
        &self,
        request: Request<pb::ResolveModelEndpointRequest>,
    ) -> Result<Response<pb::ResolveModelEndpointResponse>, Status> {
        let (call, ask) = open(request)?;
        let found = self.service.get(&call, &name(&ask.name).map_err(status)?).await;
        answer(found.and_then(resolved))
    }
}

fn resolved(found: Endpoint) -> Result<pb::ResolveModelEndpointResponse, Error> {
    let path = secret_path(&found.name).map_err(|_| Error::Broken("a name that is no path"))?;
    let version = found.secret_version.map(i64::try_from).transpose();
    let version = version.map_err(|_| Error::Broken("a version beyond all numbers"))?;
    Ok(pb::ResolveModelEndpointResponse {
        secret_path: version.map(|_| path.to_string()).unwrap_or_default(),
        secret_version: version.unwrap_or_default(),
        model_endpoint: Some(encode(found)),
    })
}

fn name(text: &str) -> Result<Name, Fault> {
    let mut check = Check::default();
    let name = check.parse("name", text);
    check.done(DOMAIN, name)
}

fn decode(ask: pb::PutModelEndpointRequest) -> Result<(Put, Option<Value>), Fault> {
    let mut check = Check::default();
    let name = check.parse::<Name>("name", &ask.name);
    let key = match ask.api_key {
        empty if empty.is_empty() => None,
        text => model::key(text).map_err(|problem| check.note("api_key", problem)).ok(),
    };
    check.require(!ask.url.is_empty(), "url", "required");
    // A URL that would lose the key has a reason of its own; everything else is said with it or before it.
    let address = ask.url.parse();
    let put = name.zip(address.clone().ok()).map(|(name, address)| Put {
        name,
        address,
        models: ask.models,
        default_model: ask.default_model,
    });
    for (field, problem) in put.iter().flat_map(Put::violations) {
        check.note(&field, problem);
    }
    match address {
        Err(why) if !ask.url.is_empty() => {
            let mut fault = Fault::from(Error::BadAddress(why));
            if let Err(others) = check.done(DOMAIN, Some(())) {
                fault.violations.extend(others.violations);
            }
            Err(fault)
        }
        _ => check.done(DOMAIN, put).map(|put| (put, key)),
    }
}

fn encode(endpoint: Endpoint) -> pb::ModelEndpoint {
    pb::ModelEndpoint {
        name: endpoint.name.to_string(),
        url: endpoint.address.to_string(),
        models: endpoint.models,
        default_model: endpoint.default_model,
        has_key: endpoint.secret_version.is_some(),
        create_time: Some(wire::timestamp(endpoint.create_time)),
        update_time: Some(wire::timestamp(endpoint.update_time)),
        etag: wire::etag(endpoint.version),
    }
}
