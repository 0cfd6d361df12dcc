//! Commerce on the wire: decode, use case, encode.

mod decode;
mod encode;

use std::sync::Arc;

use souk_kit::{House, answer, open, status};
use souk_proto::souk::commerce::v1::{
    AddShopRequest, AddShopResponse, IngestOrderSnapshotRequest, IngestOrderSnapshotResponse,
    LinkBuyerRequest, LinkBuyerResponse, ListOrdersRequest, ListOrdersResponse, ListShopsRequest,
    ListShopsResponse, MapVariantRequest, MapVariantResponse, ReplayOrderRequest, ReplayOrderResponse,
    commerce_service_server::CommerceService,
};
use souk_types::Fault;
use tonic::{Request, Response, Status};

use crate::service::Service;

/// The handlers.
pub(crate) struct Api {
    /// The part's view of the process.
    pub(crate) house: House,
    /// The use cases.
    pub(crate) service: Arc<Service>,
}

#[tonic::async_trait]
impl CommerceService for Api {
    async fn ingest_order_snapshot(
        &self,
        request: Request<IngestOrderSnapshotRequest>,
    ) -> Result<Response<IngestOrderSnapshotResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::ingest(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        answer(self.house.owned(async move { service.ingest(&call, ask).await }).await.map(encode::taken))
    }

    async fn add_shop(&self, request: Request<AddShopRequest>) -> Result<Response<AddShopResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::add_shop(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let added = self.house.owned(async move { service.add_shop(&call, ask).await }).await;
        answer(added.map(|shop| AddShopResponse { shop: Some(encode::shop(shop)) }))
    }

    async fn list_shops(
        &self,
        request: Request<ListShopsRequest>,
    ) -> Result<Response<ListShopsResponse>, Status> {
        const LIST: &str = "shops";
        let (call, ask) = open(request)?;
        let pages = self.house.pages();
        let page = pages.open(LIST, ask.page_size, &ask.page_token).map_err(status)?;
        let listed = self.service.list_shops(&call, &page).await.map_err(Fault::from);
        let sealed = listed.and_then(|listed| pages.seal(LIST, listed.map(encode::shop)));
        answer(sealed.map(|(shops, next_page_token)| ListShopsResponse { shops, next_page_token }))
    }

    async fn link_buyer(
        &self,
        request: Request<LinkBuyerRequest>,
    ) -> Result<Response<LinkBuyerResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::link_buyer(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let linked = self.house.owned(async move { service.link_buyer(&call, ask).await }).await;
        answer(linked.map(|count| LinkBuyerResponse { retried_line_count: encode::count(count) }))
    }

    async fn map_variant(
        &self,
        request: Request<MapVariantRequest>,
    ) -> Result<Response<MapVariantResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::map_variant(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let mapped = self.house.owned(async move { service.map_variant(&call, ask).await }).await;
        answer(mapped.map(|count| MapVariantResponse { retried_line_count: encode::count(count) }))
    }

    async fn list_orders(
        &self,
        request: Request<ListOrdersRequest>,
    ) -> Result<Response<ListOrdersResponse>, Status> {
        let (call, ask) = open(request)?;
        let shop_id = decode::shop_filter(&ask.shop_id).map_err(status)?;
        // A token goes on in the list of its own filter only.
        let list = format!("orders:{}:{}", ask.shop_id, ask.parked);
        let pages = self.house.pages();
        let page = pages.open(&list, ask.page_size, &ask.page_token).map_err(status)?;
        let listed = self.service.list_orders(&call, shop_id, ask.parked, &page).await.map_err(Fault::from);
        let sealed = listed.and_then(|listed| pages.seal(&list, listed.map(encode::order)));
        answer(sealed.map(|(orders, next_page_token)| ListOrdersResponse { orders, next_page_token }))
    }

    async fn replay_order(
        &self,
        request: Request<ReplayOrderRequest>,
    ) -> Result<Response<ReplayOrderResponse>, Status> {
        let (call, ask) = open(request)?;
        let ask = decode::replay_order(&ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let replayed = self.house.owned(async move { service.replay_order(&call, ask).await }).await;
        answer(replayed.map(|order| ReplayOrderResponse { order: Some(encode::order(order)) }))
    }
}
