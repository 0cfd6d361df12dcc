//! Billing's door: decode, use case, encode. Permission and tenant were bound by the kit's `open`.

mod decode;
mod encode;

use std::sync::Arc;

use souk_kit::{House, answer, open, status, watch};
use souk_proto::souk::billing::v1::{self as pb, billing_service_server::BillingService};
use souk_types::{Call, Fault};
use tonic::{Request, Response, Status};

use crate::{
    model::ask::{Ask, Reply, wallet_of},
    service::Service,
};

/// Serves `souk.billing.v1.BillingService`.
pub(crate) struct Api {
    house: House,
    service: Arc<Service>,
}

type Answered<T> = Result<Response<T>, Status>;

impl Api {
    pub(crate) const fn new(house: House, service: Arc<Service>) -> Self {
        Self { house, service }
    }

    /// Needs no task of its own: once queued, a command outlives its caller.
    async fn perform<T>(
        &self,
        call: &Call,
        ask: Result<Ask, Fault>,
        encode: fn(Reply) -> Result<T, Fault>,
    ) -> Answered<T> {
        let ask = ask.map_err(status)?;
        answer(self.service.perform(call, ask).await.map_err(Fault::from).and_then(encode))
    }
}

#[tonic::async_trait]
impl BillingService for Api {
    async fn open_wallet(&self, request: Request<pb::OpenWalletRequest>) -> Answered<pb::OpenWalletResponse> {
        let (call, _) = open(request)?;
        self.perform(&call, decode::open_wallet(&call), encode::wallet_opened).await
    }

    async fn open_account(
        &self,
        request: Request<pb::OpenAccountRequest>,
    ) -> Answered<pb::OpenAccountResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::open_account(&call, ask), encode::account_opened).await
    }

    async fn set_account_state(
        &self,
        request: Request<pb::SetAccountStateRequest>,
    ) -> Answered<pb::SetAccountStateResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::set_account_state(&ask), encode::account_set).await
    }

    async fn put_price_schedule(
        &self,
        request: Request<pb::PutPriceScheduleRequest>,
    ) -> Answered<pb::PutPriceScheduleResponse> {
        let (call, ask) = open(request)?;
        let (prices, estimate) = decode::price_schedule(ask).map_err(status)?;
        let service = Arc::clone(&self.service);
        let kept =
            self.house.owned(async move { service.put_price_schedule(&call, prices, &estimate).await }).await;
        answer(kept.map(|price_schedule_hash| pb::PutPriceScheduleResponse { price_schedule_hash }))
    }

    async fn authorize(&self, request: Request<pb::AuthorizeRequest>) -> Answered<pb::AuthorizeResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::authorize(ask), encode::authorized).await
    }

    async fn settle(&self, request: Request<pb::SettleRequest>) -> Answered<pb::SettleResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::settle(ask), encode::settled).await
    }

    async fn release(&self, request: Request<pb::ReleaseRequest>) -> Answered<pb::ReleaseResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::release(&ask), encode::released).await
    }

    async fn top_up(&self, request: Request<pb::TopUpRequest>) -> Answered<pb::TopUpResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::top_up(&call, ask), encode::topped_up).await
    }

    async fn get_wallet(&self, request: Request<pb::GetWalletRequest>) -> Answered<pb::GetWalletResponse> {
        let (call, _) = open(request)?;
        answer(self.service.wallet(&call).await.map(encode::wallet))
    }

    async fn list_ledger_entries(
        &self,
        request: Request<pb::ListLedgerEntriesRequest>,
    ) -> Answered<pb::ListLedgerEntriesResponse> {
        let (call, ask) = open(request)?;
        let instance_id = decode::list_filter(&ask).map_err(status)?;
        let org = call.scope.org().map(|org| org.to_string()).unwrap_or_default();
        let list = format!("ledger:{org}:{}", ask.instance_id);
        let pages = self.house.pages();
        let page = pages.open(&list, ask.page_size, &ask.page_token).map_err(status)?;
        let lines = self.service.ledger(&call, instance_id, &page).await.map_err(status)?;
        let sealed = pages.seal(&list, lines.map(encode::ledger_entry));
        answer(sealed.map(|(ledger_entries, next_page_token)| pb::ListLedgerEntriesResponse {
            ledger_entries,
            next_page_token,
        }))
    }

    async fn extend(&self, request: Request<pb::ExtendRequest>) -> Answered<pb::ExtendResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::extend(ask), encode::extended).await
    }

    async fn reverse_top_up(
        &self,
        request: Request<pb::ReverseTopUpRequest>,
    ) -> Answered<pb::ReverseTopUpResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::reverse_top_up(&call, ask), encode::reversed).await
    }

    async fn set_account_schedule(
        &self,
        request: Request<pb::SetAccountScheduleRequest>,
    ) -> Answered<pb::SetAccountScheduleResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::set_account_schedule(ask), encode::account_rescheduled).await
    }

    async fn adjust_wallet(
        &self,
        request: Request<pb::AdjustWalletRequest>,
    ) -> Answered<pb::AdjustWalletResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::adjust_wallet(ask), encode::adjusted).await
    }

    async fn set_wallet_state(
        &self,
        request: Request<pb::SetWalletStateRequest>,
    ) -> Answered<pb::SetWalletStateResponse> {
        let (call, ask) = open(request)?;
        self.perform(&call, decode::set_wallet_state(&ask), encode::wallet_set).await
    }

    type WatchWalletStream = watch::Messages<pb::WatchWalletResponse>;

    async fn watch_wallet(
        &self,
        request: Request<pb::WatchWalletRequest>,
    ) -> Answered<Self::WatchWalletStream> {
        let (call, _) = open(request)?;
        let org_id = decode::org(&call).map_err(status)?;
        let (service, call) = (Arc::clone(&self.service), Arc::new(call));
        let subject = watch::Subject {
            bell: self.service.bell(),
            topic: wallet_of(org_id).to_string(),
            read: move || {
                let (service, call) = (Arc::clone(&service), Arc::clone(&call));
                async move { Ok(encode::watched(service.wallet(&call).await?)) }
            },
            beat: encode::heartbeat,
        };
        answer(watch::watch(&self.house, subject).await)
    }

    async fn get_receipt(&self, request: Request<pb::GetReceiptRequest>) -> Answered<pb::GetReceiptResponse> {
        let (call, ask) = open(request)?;
        let id = decode::receipt(&ask).map_err(status)?;
        answer(self.service.receipt(&call, id).await.map(encode::receipt_found))
    }
}
