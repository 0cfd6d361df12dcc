//! A billing that keeps honest books: repeats by request id, one settle a reservation, nothing below zero.
//! A test may make it fall silent before or after an effect.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::Stream;
use souk_kit::{open, status, wire};
use souk_proto::souk::billing::v1::{self as pb, billing_service_server::BillingService};
use souk_testkit::StoppedClock;
use souk_types::{Clock as _, Fault, LedgerEntryId, Reason, ReceiptId, ReservationId};
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

pub(crate) const START: i64 = 1_000;
pub(crate) const BUDGET: i64 = 100;

/// Where the bank falls silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    BeforeAuthorize,
    AfterAuthorize,
    BeforeSettle,
    AfterSettle,
    BeforeRelease,
    AfterRelease,
    BeforeExtend,
    AfterExtend,
}

#[derive(Clone, Debug, PartialEq)]
enum Standing {
    /// With so much reserved.
    Open(i64),
    Settled(Box<pb::SettleResponse>),
    Released,
}

#[derive(Default)]
struct Books {
    available: i64,
    reservations: BTreeMap<String, Standing>,
    authorized: BTreeMap<String, pb::AuthorizeResponse>,
    /// Every request id that came, repeats too.
    asked: Vec<String>,
    extended: BTreeMap<String, pb::ExtendResponse>,
    prices: Vec<pb::Price>,
    lifetime: Option<Duration>,
    refuse: Option<&'static str>,
    unpriced: Option<&'static str>,
    fail: Vec<Fault>,
    silent: Option<Point>,
}

impl Books {
    fn cost(&self, used: &[pb::Quantity]) -> i64 {
        let price = |dimension: &str| match self.prices.as_slice() {
            [] => 1,
            prices => prices.iter().find(|one| one.dimension == dimension).map_or(0, |one| one.amount_micros),
        };
        used.iter().map(|used| used.quantity * price(&used.dimension)).sum()
    }
}

pub(crate) struct Bank {
    books: Mutex<Books>,
    clock: Arc<StoppedClock>,
    /// Told when a point of silence is reached.
    pub(crate) reached: Notify,
}

impl Bank {
    pub(crate) fn new(clock: &Arc<StoppedClock>) -> Self {
        let books = Mutex::new(Books { available: START, ..Books::default() });
        Self { books, clock: Arc::clone(clock), reached: Notify::new() }
    }

    pub(crate) fn silence(&self, at: Option<Point>) {
        self.books.lock().unwrap().silent = at;
    }

    pub(crate) fn refuse(&self, reason: Option<&'static str>) {
        self.books.lock().unwrap().refuse = reason;
    }

    /// Reservations are settled at these prices for each unit; without any, each unit of all costs one.
    pub(crate) fn price(&self, prices: &[(&str, i64)]) {
        let price = |(dimension, amount_micros): &(&str, i64)| pb::Price {
            dimension: (*dimension).to_owned(),
            amount_micros: *amount_micros,
            per: 1,
        };
        self.books.lock().unwrap().prices = prices.iter().map(price).collect();
    }

    /// Adds to what is free.
    pub(crate) fn give(&self, more: i64) {
        self.books.lock().unwrap().available += more;
    }

    /// Reservations hold for so long.
    pub(crate) fn lifetime(&self, lifetime: Duration) {
        self.books.lock().unwrap().lifetime = Some(lifetime);
    }

    /// Settles know no price for this dimension.
    pub(crate) fn unprice(&self, dimension: &'static str) {
        self.books.lock().unwrap().unpriced = Some(dimension);
    }

    /// The next calls fail with these, the last first.
    pub(crate) fn fail(&self, faults: Vec<Fault>) {
        self.books.lock().unwrap().fail = faults;
    }

    /// What is charged for good; every reservation must be closed.
    pub(crate) fn charged(&self) -> i64 {
        let books = self.books.lock().unwrap();
        for (id, standing) in &books.reservations {
            assert!(!matches!(standing, Standing::Open(_)), "{id} is open");
        }
        START - books.available
    }

    pub(crate) fn reservations(&self) -> usize {
        self.books.lock().unwrap().reservations.len()
    }

    /// How many different questions for more or longer came.
    pub(crate) fn extensions(&self) -> usize {
        self.books.lock().unwrap().extended.len()
    }

    /// How many different calls of a kind came.
    pub(crate) fn different(&self, kind: &str) -> usize {
        let books = self.books.lock().unwrap();
        let ids: std::collections::BTreeSet<_> = books.asked.iter().filter(|id| id.ends_with(kind)).collect();
        ids.len()
    }

    async fn pass(&self, point: Point) {
        let silent = self.books.lock().unwrap().silent == Some(point);
        if silent {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }

    fn trouble(&self) -> Result<(), Status> {
        self.books.lock().unwrap().fail.pop().map_or(Ok(()), |fault| Err(status(fault)))
    }

    fn reserve(&self, request_id: String) -> pb::AuthorizeResponse {
        let mut books = self.books.lock().unwrap();
        books.asked.push(request_id.clone());
        if let Some(first) = books.authorized.get(&request_id) {
            return first.clone();
        }
        let lifetime = books.lifetime.unwrap_or(Duration::from_secs(900));
        let answer = if let Some(reason) = books.refuse {
            pb::AuthorizeResponse { reason: reason.to_owned(), ..Default::default() }
        } else {
            books.available -= BUDGET;
            let bits = u128::try_from(books.reservations.len()).unwrap();
            let reservation_id = ReservationId::from_bits(bits).to_string();
            books.reservations.insert(reservation_id.clone(), Standing::Open(BUDGET));
            pb::AuthorizeResponse {
                allowed: true,
                reservation_id,
                budget_micros: BUDGET,
                expire_time: Some(wire::timestamp(self.clock.now() + lifetime)),
                reason: String::new(),
                prices: books.prices.clone(),
            }
        };
        books.authorized.insert(request_id, answer.clone());
        answer
    }

    fn charge(&self, ask: pb::SettleRequest) -> Result<pb::SettleResponse, Fault> {
        let mut books = self.books.lock().unwrap();
        books.asked.push(ask.request_id);
        let unpriced = books.unpriced;
        let held = match books.reservations.get(&ask.reservation_id) {
            Some(Standing::Settled(first)) => return Ok((**first).clone()),
            Some(Standing::Open(held)) => *held,
            other => panic!("settled {other:?}"),
        };
        if let Some(used) = ask.usage.iter().find(|used| Some(used.dimension.as_str()) == unpriced) {
            let fault = Fault::new(Reason::DimensionUnknown, "billing", "no price");
            return Err(fault.with("dimension", &used.dimension));
        }
        let cost = books.cost(&ask.usage);
        let charged = cost.min(held + books.available);
        books.available += held - charged;
        let bits = u128::try_from(books.reservations.len()).unwrap();
        let answer = pb::SettleResponse {
            balance_micros: books.available,
            ledger_entry_id: LedgerEntryId::from_bits(bits).to_string(),
            receipt: Some(pb::Receipt {
                receipt_id: ReceiptId::from_bits(bits).to_string(),
                reservation_id: ask.reservation_id.clone(),
                cost_micros: cost,
                charged_micros: charged,
                overrun_micros: cost - charged,
                ..Default::default()
            }),
        };
        books.reservations.insert(ask.reservation_id, Standing::Settled(Box::new(answer.clone())));
        Ok(answer)
    }

    fn extend_by(&self, ask: pb::ExtendRequest) -> pb::ExtendResponse {
        let mut books = self.books.lock().unwrap();
        books.asked.push(ask.request_id.clone());
        if let Some(first) = books.extended.get(&ask.request_id) {
            return first.clone();
        }
        let more = books.cost(&ask.estimate);
        let Some(Standing::Open(held)) = books.reservations.get(&ask.reservation_id).cloned() else {
            panic!("extends what is not open");
        };
        let hold = ask.time_to_live.and_then(wire::span).unwrap_or(Duration::from_secs(900));
        let mut answer = pb::ExtendResponse {
            reason: "INSUFFICIENT_CREDITS".to_owned(),
            budget_micros: held,
            expire_time: Some(wire::timestamp(self.clock.now() + hold)),
            allowed: false,
        };
        if more <= books.available {
            books.available -= more;
            books.reservations.insert(ask.reservation_id, Standing::Open(held + more));
            answer = pb::ExtendResponse {
                allowed: true,
                budget_micros: held + more,
                reason: String::new(),
                ..answer
            };
        }
        books.extended.insert(ask.request_id, answer.clone());
        answer
    }

    fn free(&self, ask: pb::ReleaseRequest) -> i64 {
        let mut books = self.books.lock().unwrap();
        books.asked.push(ask.request_id);
        match books.reservations.insert(ask.reservation_id, Standing::Released) {
            Some(Standing::Open(held)) => books.available += held,
            Some(Standing::Released) => {}
            other => panic!("released {other:?}"),
        }
        books.available
    }
}

type Nothing = Pin<Box<dyn Stream<Item = Result<pb::WatchWalletResponse, Status>> + Send>>;

#[tonic::async_trait]
impl BillingService for Bank {
    type WatchWalletStream = Nothing;

    async fn authorize(
        &self,
        request: Request<pb::AuthorizeRequest>,
    ) -> Result<Response<pb::AuthorizeResponse>, Status> {
        let (call, ask) = open(request)?;
        assert_eq!(call.scope.org(), Some(crate::world::ORG), "acts for the instance's org");
        self.pass(Point::BeforeAuthorize).await;
        self.trouble()?;
        let answer = self.reserve(ask.request_id);
        self.pass(Point::AfterAuthorize).await;
        Ok(Response::new(answer))
    }

    async fn settle(
        &self,
        request: Request<pb::SettleRequest>,
    ) -> Result<Response<pb::SettleResponse>, Status> {
        let (_, ask) = open(request)?;
        self.pass(Point::BeforeSettle).await;
        self.trouble()?;
        let answer = self.charge(ask).map_err(status)?;
        self.pass(Point::AfterSettle).await;
        Ok(Response::new(answer))
    }

    async fn release(
        &self,
        request: Request<pb::ReleaseRequest>,
    ) -> Result<Response<pb::ReleaseResponse>, Status> {
        let (_, ask) = open(request)?;
        self.pass(Point::BeforeRelease).await;
        self.trouble()?;
        let balance_micros = self.free(ask);
        self.pass(Point::AfterRelease).await;
        Ok(Response::new(pb::ReleaseResponse { balance_micros }))
    }

    async fn open_wallet(
        &self,
        _: Request<pb::OpenWalletRequest>,
    ) -> Result<Response<pb::OpenWalletResponse>, Status> {
        panic!("runs opens no wallet")
    }

    async fn open_account(
        &self,
        _: Request<pb::OpenAccountRequest>,
    ) -> Result<Response<pb::OpenAccountResponse>, Status> {
        panic!("runs opens no account")
    }

    async fn set_account_state(
        &self,
        _: Request<pb::SetAccountStateRequest>,
    ) -> Result<Response<pb::SetAccountStateResponse>, Status> {
        panic!("runs sets no state")
    }

    async fn put_price_schedule(
        &self,
        _: Request<pb::PutPriceScheduleRequest>,
    ) -> Result<Response<pb::PutPriceScheduleResponse>, Status> {
        panic!("runs knows no prices")
    }

    async fn top_up(&self, _: Request<pb::TopUpRequest>) -> Result<Response<pb::TopUpResponse>, Status> {
        panic!("runs tops nothing up")
    }

    async fn get_wallet(
        &self,
        _: Request<pb::GetWalletRequest>,
    ) -> Result<Response<pb::GetWalletResponse>, Status> {
        panic!("runs reads no wallet")
    }

    async fn list_ledger_entries(
        &self,
        _: Request<pb::ListLedgerEntriesRequest>,
    ) -> Result<Response<pb::ListLedgerEntriesResponse>, Status> {
        panic!("runs reads no ledger")
    }

    async fn extend(
        &self,
        request: Request<pb::ExtendRequest>,
    ) -> Result<Response<pb::ExtendResponse>, Status> {
        let (_, ask) = open(request)?;
        self.pass(Point::BeforeExtend).await;
        self.trouble()?;
        let answer = self.extend_by(ask);
        self.pass(Point::AfterExtend).await;
        Ok(Response::new(answer))
    }

    async fn reverse_top_up(
        &self,
        _: Request<pb::ReverseTopUpRequest>,
    ) -> Result<Response<pb::ReverseTopUpResponse>, Status> {
        panic!("runs reverses nothing")
    }

    async fn set_account_schedule(
        &self,
        _: Request<pb::SetAccountScheduleRequest>,
    ) -> Result<Response<pb::SetAccountScheduleResponse>, Status> {
        panic!("runs sets no schedule")
    }

    async fn adjust_wallet(
        &self,
        _: Request<pb::AdjustWalletRequest>,
    ) -> Result<Response<pb::AdjustWalletResponse>, Status> {
        panic!("runs adjusts nothing")
    }

    async fn set_wallet_state(
        &self,
        _: Request<pb::SetWalletStateRequest>,
    ) -> Result<Response<pb::SetWalletStateResponse>, Status> {
        panic!("runs sets no state")
    }

    async fn get_receipt(
        &self,
        _: Request<pb::GetReceiptRequest>,
    ) -> Result<Response<pb::GetReceiptResponse>, Status> {
        panic!("runs reads no receipt")
    }

    async fn watch_wallet(&self, _: Request<pb::WatchWalletRequest>) -> Result<Response<Nothing>, Status> {
        panic!("runs watches no wallet")
    }
}
