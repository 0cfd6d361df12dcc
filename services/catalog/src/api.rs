//! The catalogue on the wire: decode, use case, encode.

mod decode;
mod encode;

use std::sync::Arc;

use souk_kit::{House, answer, open, status};
use souk_proto::souk::catalog::v1::{
    CreateOfferingRequest, CreateOfferingResponse, EndOfferingLifeRequest, EndOfferingLifeResponse,
    GetOfferingRequest, GetOfferingResponse, GetOfferingVersionRequest, GetOfferingVersionResponse,
    ListCapabilitiesRequest, ListCapabilitiesResponse, ListOfferingVersionsRequest,
    ListOfferingVersionsResponse, ListOfferingsRequest, ListOfferingsResponse, Offering,
    PauseOfferingRequest, PauseOfferingResponse, PublishOfferingVersionRequest,
    PublishOfferingVersionResponse, ResolvePlanRequest, ResolvePlanResponse, ResumeOfferingRequest,
    ResumeOfferingResponse, catalog_service_server::CatalogService,
};
use souk_types::{Call, Fault};
use tonic::{Request, Response, Status};

use crate::{
    model::{ChangeLife, content::Limits},
    service::Service,
};

/// The handlers.
pub(crate) struct Api {
    /// The part's view of the process.
    pub(crate) house: House,
    /// The use cases.
    pub(crate) service: Arc<Service>,
    /// How large a version may be.
    pub(crate) limits: Limits,
}

#[tonic::async_trait]
impl CatalogService for Api {
    async fn create_offering(
        &self,
        request: Request<CreateOfferingRequest>,
    ) -> Result<Response<CreateOfferingResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::create_offering(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let made = self.house.owned(async move { service.create_offering(&call, ask).await }).await;
        answer(made.map(|made| CreateOfferingResponse { offering: Some(encode::offering(made)) }))
    }

    async fn publish_offering_version(
        &self,
        request: Request<PublishOfferingVersionRequest>,
    ) -> Result<Response<PublishOfferingVersionResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::publish(ask, &self.limits).map_err(status)?;
        let service = Arc::clone(&self.service);
        let published = self.house.owned(async move { service.publish(&call, ask).await }).await;
        answer(published.map(|version| PublishOfferingVersionResponse {
            offering_version: Some(encode::version(version)),
        }))
    }

    async fn list_offerings(
        &self,
        request: Request<ListOfferingsRequest>,
    ) -> Result<Response<ListOfferingsResponse>, Status> {
        let (call, ask) = open(request)?;
        let (size, token) = (ask.page_size, ask.page_token.clone());
        let filter = decode::filter(ask).map_err(status)?;
        // A token goes on in the list of its own filter only.
        let list = format!("offerings:{:?}:{:?}", filter.category, filter.value_stream);
        let pages = self.house.pages();
        let page = pages.open(&list, size, &token).map_err(status)?;
        let listed = self.service.list_offerings(&call, &filter, &page).await.map_err(Fault::from);
        let sealed = listed.and_then(|listed| pages.seal(&list, listed.map(encode::listed)));
        answer(
            sealed.map(|(offerings, next_page_token)| ListOfferingsResponse { offerings, next_page_token }),
        )
    }

    async fn get_offering(
        &self,
        request: Request<GetOfferingRequest>,
    ) -> Result<Response<GetOfferingResponse>, Status> {
        let (call, ask) = open(request)?;
        let name = decode::required("offering_id", ask.offering_id).map_err(status)?;
        let found = self.service.offering(&call, &name).await;
        answer(found.map(|found| GetOfferingResponse { offering: Some(encode::listed(found)) }))
    }

    async fn get_offering_version(
        &self,
        request: Request<GetOfferingVersionRequest>,
    ) -> Result<Response<GetOfferingVersionResponse>, Status> {
        let (call, ask) = open(request)?;
        let id = decode::version_id(&ask.offering_version_id).map_err(status)?;
        let found = self.service.version(&call, id).await;
        answer(
            found.map(|found| GetOfferingVersionResponse { offering_version: Some(encode::version(found)) }),
        )
    }

    async fn resolve_plan(
        &self,
        request: Request<ResolvePlanRequest>,
    ) -> Result<Response<ResolvePlanResponse>, Status> {
        let (call, ask) = open(request)?;
        let (offering, plan) = decode::resolve(ask).map_err(status)?;
        let found = self.service.resolve(&call, &offering, &plan).await;
        answer(found.map(|found| ResolvePlanResponse {
            offering_version_id: found.offering_version_id.to_string(),
            plan_id: found.plan_id.to_string(),
        }))
    }

    async fn pause_offering(
        &self,
        request: Request<PauseOfferingRequest>,
    ) -> Result<Response<PauseOfferingResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::pause(ask).map_err(status)?;
        let offering = self.change_life(call, ask).await;
        answer(offering.map(|offering| PauseOfferingResponse { offering: Some(offering) }))
    }

    async fn resume_offering(
        &self,
        request: Request<ResumeOfferingRequest>,
    ) -> Result<Response<ResumeOfferingResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::resume(&ask).map_err(status)?;
        let offering = self.change_life(call, ask).await;
        answer(offering.map(|offering| ResumeOfferingResponse { offering: Some(offering) }))
    }

    async fn end_offering_life(
        &self,
        request: Request<EndOfferingLifeRequest>,
    ) -> Result<Response<EndOfferingLifeResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::end_life(ask).map_err(status)?;
        let offering = self.change_life(call, ask).await;
        answer(offering.map(|offering| EndOfferingLifeResponse { offering: Some(offering) }))
    }

    async fn list_offering_versions(
        &self,
        request: Request<ListOfferingVersionsRequest>,
    ) -> Result<Response<ListOfferingVersionsResponse>, Status> {
        let (call, ask) = open(request)?;
        let name = decode::required("offering_id", ask.offering_id).map_err(status)?;
        let id = self.service.offering_id(&call, &name).await.map_err(status)?;
        // A token goes on in the list of its own offering only.
        let list = format!("versions:{id}");
        let pages = self.house.pages();
        let page = pages.open(&list, ask.page_size, &ask.page_token).map_err(status)?;
        let versions = self.service.list_versions(&call, id, &page).await.map_err(Fault::from);
        let sealed = versions.and_then(|versions| pages.seal(&list, versions.map(encode::version)));
        answer(sealed.map(|(offering_versions, next_page_token)| ListOfferingVersionsResponse {
            offering_versions,
            next_page_token,
        }))
    }

    async fn list_capabilities(
        &self,
        request: Request<ListCapabilitiesRequest>,
    ) -> Result<Response<ListCapabilitiesResponse>, Status> {
        let (_call, _ask) = open(request)?;
        let capabilities = self.service.registry.all().map(encode::capability).collect();
        Ok(Response::new(ListCapabilitiesResponse { capabilities }))
    }
}

impl Api {
    async fn change_life(&self, call: Call, ask: ChangeLife) -> Result<Offering, Fault> {
        let service = Arc::clone(&self.service);
        let changed = self.house.owned(async move { service.change_life(&call, ask).await }).await;
        changed.map(encode::changed)
    }
}
