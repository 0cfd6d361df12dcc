//! A billing that keeps the schedules it is brought, once a request id.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use souk_kit::{open, status};
use souk_objects::Hash;
use souk_proto::souk::billing::v1::{self as pb, billing_service_server::BillingService};
use souk_types::{Fault, Reason};
use tonic::{Request, Response, Status, codegen::BoxStream};

/// When it says to try again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct FakeBilling {
    /// Whether it does not answer.
    pub(crate) away: AtomicBool,
    /// Every schedule it was brought, by request id.
    pub(crate) brought: Mutex<BTreeMap<String, pb::PutPriceScheduleRequest>>,
}

/// So that one billing can be told by the test and asked by the mesh.
pub(crate) struct Shared(pub(crate) Arc<FakeBilling>);

/// What this billing calls a schedule.
pub(crate) fn name_of(prices: &[pb::Price], default_estimate: &[pb::Quantity]) -> String {
    Hash::of(format!("{prices:?}{default_estimate:?}").as_bytes()).to_string()
}

macro_rules! unasked {
    ($($name:ident: $ask:ident -> $answer:ident,)+) => {
        #[tonic::async_trait]
        impl BillingService for Shared {
            type WatchWalletStream = BoxStream<pb::WatchWalletResponse>;

            async fn watch_wallet(
                &self,
                _: Request<pb::WatchWalletRequest>,
            ) -> Result<Response<Self::WatchWalletStream>, Status> {
                panic!("the catalogue asks for schedules only")
            }

            $(async fn $name(&self, _: Request<pb::$ask>) -> Result<Response<pb::$answer>, Status> {
                panic!("the catalogue asks for schedules only")
            })+

            async fn put_price_schedule(
                &self,
                request: Request<pb::PutPriceScheduleRequest>,
            ) -> Result<Response<pb::PutPriceScheduleResponse>, Status> {
                self.0.put(open(request)?.1).map(Response::new).map_err(status)
            }
        }
    };
}

unasked! {
    open_wallet: OpenWalletRequest -> OpenWalletResponse,
    open_account: OpenAccountRequest -> OpenAccountResponse,
    set_account_state: SetAccountStateRequest -> SetAccountStateResponse,
    authorize: AuthorizeRequest -> AuthorizeResponse,
    settle: SettleRequest -> SettleResponse,
    release: ReleaseRequest -> ReleaseResponse,
    top_up: TopUpRequest -> TopUpResponse,
    get_wallet: GetWalletRequest -> GetWalletResponse,
    list_ledger_entries: ListLedgerEntriesRequest -> ListLedgerEntriesResponse,
    extend: ExtendRequest -> ExtendResponse,
    reverse_top_up: ReverseTopUpRequest -> ReverseTopUpResponse,
    set_account_schedule: SetAccountScheduleRequest -> SetAccountScheduleResponse,
    adjust_wallet: AdjustWalletRequest -> AdjustWalletResponse,
    set_wallet_state: SetWalletStateRequest -> SetWalletStateResponse,
    get_receipt: GetReceiptRequest -> GetReceiptResponse,
}

impl FakeBilling {
    fn put(&self, ask: pb::PutPriceScheduleRequest) -> Result<pb::PutPriceScheduleResponse, Fault> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Fault::new(Reason::Unavailable, "billing", "away").retry_in(RETRY));
        }
        let price_schedule_hash = name_of(&ask.prices, &ask.default_estimate);
        let mut brought = self.brought.lock().unwrap();
        let first = brought.entry(ask.request_id.clone()).or_insert_with(|| ask.clone());
        if *first != ask {
            return Err(Fault::new(Reason::RequestIdReused, "billing", "another schedule"));
        }
        Ok(pb::PutPriceScheduleResponse { price_schedule_hash })
    }
}
