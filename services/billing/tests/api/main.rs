//! Billing through its door: over the mesh's pipe, with the access rules, tokens and stack that every caller
//! meets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::join_all;
use souk_billing::{Config, MIGRATIONS};
use souk_kit::{Mesh, Refusal, Surroundings, dial::PartChannel, keyring::Keyring};
use souk_proto::souk::billing::v1::{
    self as pb, billing_service_client::BillingServiceClient, ledger_entry::Kind,
};
use souk_testkit::database::{Database, sqlite};
use souk_types::{
    Acting, PartName, Trace,
    id::{InstanceId, OrgId},
};
use tonic::{Code, Status};

mod money;

const OWN: OrgId = OrgId::from_bits(1);
const FOREIGN: OrgId = OrgId::from_bits(2);
const CREDIT: i64 = 1_000_000;

type Client = BillingServiceClient<PartChannel>;

/// Billing, and the parts that call it.
struct Town {
    mesh: Mesh,
    database: Database,
}

impl Town {
    async fn new() -> Self {
        let database = sqlite("billing", MIGRATIONS).await;
        let surroundings = Surroundings {
            clock: database.clock.clone(),
            random: database.random.clone(),
            keyring: Arc::new(Keyring::generate(database.random.as_ref())),
            data_dir: std::env::temp_dir(),
            poll: Duration::from_millis(200),
        };
        let mut mesh = Mesh::new(surroundings, PartName::ALL, &BTreeMap::new()).unwrap();
        let house = mesh.house(PartName::Billing).unwrap();
        let mounted = souk_billing::build(&house, &Config::default(), (*database).clone()).unwrap();
        mesh.serve(&house, mounted).unwrap();
        Self { mesh, database }
    }

    /// A client of `part`, acting for an org or for the platform.
    fn by(&self, part: PartName, org: Option<OrgId>) -> Client {
        let acting = Acting { org, trace: Trace::default() };
        Client::new(self.mesh.house(part).unwrap().dial().to(PartName::Billing, acting))
    }

    fn runs(&self, org: OrgId) -> Client {
        self.by(PartName::Runs, Some(org))
    }

    fn tenancy(&self, org: OrgId) -> Client {
        self.by(PartName::Tenancy, Some(org))
    }

    async fn schedule(&self, request_id: &str) -> String {
        let price = |dimension: &str, amount_micros, per| pb::Price {
            dimension: dimension.to_owned(),
            amount_micros,
            per,
        };
        let request = pb::PutPriceScheduleRequest {
            request_id: request_id.to_owned(),
            prices: vec![price("runs", CREDIT, 0), price("input_tokens", 2, 1000)],
            default_estimate: vec![quantity("runs", 1)],
        };
        let mut catalog = self.by(PartName::Catalog, None);
        catalog.put_price_schedule(request).await.unwrap().into_inner().price_schedule_hash
    }

    /// An org with a wallet, an account and `amount` of trial credits.
    async fn open(&self, org: OrgId, instance: InstanceId, amount: i64) {
        let open = pb::OpenWalletRequest { org_id: org.to_string(), request_id: "w".to_owned() };
        let opened = self.tenancy(org).open_wallet(open).await.unwrap().into_inner();
        let account = pb::OpenAccountRequest {
            org_id: org.to_string(),
            request_id: "a".to_owned(),
            instance_id: instance.to_string(),
            price_schedule_hash: self.schedule("schedule").await,
        };
        let account = self.by(PartName::Instances, Some(org)).open_account(account).await.unwrap();
        assert_eq!(account.into_inner().wallet_id, opened.wallet_id);
        let paid = self.tenancy(org).top_up(top_up(org, "t", amount, pb::Source::Trial)).await.unwrap();
        assert_eq!(paid.into_inner().balance_micros, amount);
    }

    async fn wallet(&self, org: OrgId) -> pb::Wallet {
        let request = pb::GetWalletRequest { org_id: org.to_string() };
        self.tenancy(org).get_wallet(request).await.unwrap().into_inner().wallet.unwrap()
    }
}

fn quantity(dimension: &str, quantity: i64) -> pb::Quantity {
    pb::Quantity { dimension: dimension.to_owned(), quantity }
}

fn instance(bits: u128) -> InstanceId {
    InstanceId::from_bits(bits)
}

fn top_up(org: OrgId, request_id: &str, amount_micros: i64, source: pb::Source) -> pb::TopUpRequest {
    pb::TopUpRequest {
        org_id: org.to_string(),
        request_id: request_id.to_owned(),
        amount_micros,
        source: source.into(),
        source_ref: "saleor:1:2".to_owned(),
        expire_time: None,
    }
}

fn authorize(request_id: &str, by: InstanceId) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest {
        instance_id: by.to_string(),
        request_id: request_id.to_owned(),
        source_ref: "run_1".to_owned(),
        ..Default::default()
    }
}

fn settle(request_id: &str, reservation_id: &str, usage: &[(&str, i64)]) -> pb::SettleRequest {
    pb::SettleRequest {
        reservation_id: reservation_id.to_owned(),
        request_id: request_id.to_owned(),
        usage: usage.iter().map(|(dimension, units)| quantity(dimension, *units)).collect(),
    }
}

fn release(request_id: &str, reservation_id: &str) -> pb::ReleaseRequest {
    pb::ReleaseRequest { reservation_id: reservation_id.to_owned(), request_id: request_id.to_owned() }
}

fn list(org: OrgId, page_size: i32, page_token: &str) -> pb::ListLedgerEntriesRequest {
    let page_token = page_token.to_owned();
    pb::ListLedgerEntriesRequest { org_id: org.to_string(), page_size, page_token, ..Default::default() }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    (status.code(), Refusal::read("billing", &status).reason)
}

fn refused(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

#[tokio::test]
async fn the_life_of_a_credit() {
    let town = Town::new().await;
    town.open(OWN, instance(1), 10 * CREDIT).await;
    let mut runs = town.runs(OWN);
    let allowed = runs.authorize(authorize("1", instance(1))).await.unwrap().into_inner();
    assert!(allowed.allowed, "{allowed:?}");
    assert_eq!((allowed.budget_micros, allowed.reason.as_str()), (CREDIT, ""));
    let wallet = town.wallet(OWN).await;
    assert_eq!((wallet.available_micros, wallet.reserved_micros), (9 * CREDIT, CREDIT));
    let used = [("runs", 1), ("input_tokens", 700), ("input_tokens", 1)];
    let settled = runs.settle(settle("1", &allowed.reservation_id, &used)).await.unwrap().into_inner();
    let receipt = settled.receipt.unwrap();
    // 701 tokens at 2 micros a thousand are 1.402 micros: rounded down on the line, up on the whole.
    assert_eq!(
        (receipt.cost_micros, receipt.charged_micros, receipt.overrun_micros),
        (CREDIT + 2, CREDIT + 2, 0)
    );
    let lines: Vec<_> = receipt
        .lines
        .iter()
        .map(|line| (line.dimension.as_str(), line.quantity, line.amount_micros))
        .collect();
    assert_eq!(lines, [("input_tokens", 701, 1), ("runs", 1, CREDIT)]);
    assert_eq!(settled.balance_micros, 9 * CREDIT - 2);
    let again = runs.settle(settle("1", &allowed.reservation_id, &used)).await.unwrap().into_inner();
    let second = runs.settle(settle("2", &allowed.reservation_id, &[])).await.unwrap().into_inner();
    assert_eq!(again.receipt, second.receipt);
    assert_eq!(again.ledger_entry_id, settled.ledger_entry_id);
    let next = runs.authorize(authorize("2", instance(1))).await.unwrap().into_inner();
    let free = runs.release(release("1", &next.reservation_id)).await.unwrap().into_inner();
    assert_eq!(free.balance_micros, 9 * CREDIT - 2);
    let closed = runs.settle(settle("3", &next.reservation_id, &[])).await;
    assert_eq!(reason(closed), refused(Code::FailedPrecondition, "RESERVATION_CLOSED"));
    town.database.clock.advance(Duration::from_secs(1));
    let bought = town.by(PartName::Commerce, Some(OWN));
    bought.clone().top_up(top_up(OWN, "p", 5, pb::Source::Purchase)).await.unwrap();
    let wallet = town.wallet(OWN).await;
    let lots: Vec<_> = wallet.lots.iter().map(|lot| (lot.source(), lot.available_micros)).collect();
    assert_eq!(lots, [(pb::Source::Trial, 9 * CREDIT - 2), (pb::Source::Purchase, 5)]);
    assert_eq!(wallet.available_micros + wallet.reserved_micros, 9 * CREDIT + 3);
}

#[tokio::test]
async fn the_ledger_is_listed_newest_first_in_pages() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let mut operator = town.tenancy(OWN);
    for amount in 1..=4 {
        town.database.clock.advance(Duration::from_secs(1));
        let request = top_up(OWN, &format!("p-{amount}"), amount, pb::Source::Purchase);
        operator.top_up(request).await.unwrap();
    }
    town.database.clock.advance(Duration::from_secs(1));
    let mut runs = town.runs(OWN);
    let held = runs.authorize(authorize("1", instance(1))).await.unwrap().into_inner().reservation_id;
    runs.settle(settle("1", &held, &[("runs", 1)])).await.unwrap();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = town.listed(list(OWN, 2, &token)).await.unwrap();
        assert!(page.ledger_entries.len() <= 2);
        seen.extend(page.ledger_entries);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let amounts: Vec<_> = seen.iter().map(|entry| entry.amount_micros).collect();
    assert_eq!(amounts, [-CREDIT, 4, 3, 2, 1, CREDIT]);
    let spent = seen.first().unwrap();
    assert_eq!((spent.kind(), spent.source_ref.as_str()), (Kind::Settle, "run_1"));
    assert_eq!((&spent.instance_id, &spent.reservation_id), (&instance(1).to_string(), &held));
    assert_eq!(spent.book, format!("wallet:{}", town.wallet(OWN).await.wallet_id));
    let of_instance =
        pb::ListLedgerEntriesRequest { instance_id: instance(1).to_string(), ..list(OWN, 0, "") };
    assert_eq!(town.listed(of_instance).await.unwrap().ledger_entries, std::slice::from_ref(spent));
    let first = town.listed(list(OWN, 1, "")).await.unwrap().next_page_token;
    let foreign = town.listed(list(FOREIGN, 1, &first)).await;
    assert_eq!(reason(foreign), refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}

#[tokio::test]
async fn each_refusal_has_its_reason() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let (mut runs, mut tenancy) = (town.runs(OWN), town.tenancy(OWN));
    let mut instances = town.by(PartName::Instances, Some(OWN));
    let nameless =
        pb::AuthorizeRequest { estimate: vec![quantity("Hours!", 1)], ..authorize("u", instance(1)) };
    let nameless = reason(runs.authorize(nameless).await);
    assert_eq!(nameless, refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
    let absent = reason(runs.authorize(authorize("u", instance(7))).await);
    assert_eq!(absent, refused(Code::NotFound, "ACCOUNT_NOT_FOUND"));
    for bad in ["", "rsv_1", "ins_00000000000000000000000001"] {
        let bad = reason(runs.settle(settle("u", bad, &[])).await);
        assert_eq!(bad, refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
    }
    let negative = prost_types::Duration { seconds: -1, nanos: 0 };
    for span in
        [negative, prost_types::Duration::default(), prost_types::Duration { seconds: 86_401, nanos: 0 }]
    {
        let bad = pb::AuthorizeRequest { time_to_live: Some(span), ..authorize("u", instance(1)) };
        let bad = reason(runs.authorize(bad).await);
        assert_eq!(bad, refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
    }
    for amount in [0, -1] {
        let bad = reason(tenancy.top_up(top_up(OWN, "u", amount, pb::Source::Trial)).await);
        assert_eq!(bad, refused(Code::InvalidArgument, "AMOUNT_OUT_OF_RANGE"));
    }
    let most = reason(tenancy.top_up(top_up(OWN, "u", i64::MAX, pb::Source::Trial)).await);
    assert_eq!(most, refused(Code::InvalidArgument, "AMOUNT_OUT_OF_RANGE"));
    let unsaid = reason(tenancy.top_up(top_up(OWN, "u", 1, pb::Source::Unspecified)).await);
    assert_eq!(unsaid, refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
    let none = reason(tenancy.top_up(top_up(OWN, "", 1, pb::Source::Trial)).await);
    assert_eq!(none, refused(Code::InvalidArgument, "REQUEST_ID_REQUIRED"));
    let account = |schedule: &str| pb::OpenAccountRequest {
        org_id: OWN.to_string(),
        request_id: "u".to_owned(),
        instance_id: instance(3).to_string(),
        price_schedule_hash: schedule.to_owned(),
    };
    let hash = reason(instances.open_account(account("no")).await);
    assert_eq!(hash, refused(Code::NotFound, "SCHEDULE_NOT_FOUND"));
    // None of them consumed the id, which then stands for one command.
    assert!(runs.authorize(authorize("u", instance(1))).await.unwrap().into_inner().allowed);
    let other = pb::AuthorizeRequest { source_ref: "run_2".to_owned(), ..authorize("u", instance(1)) };
    let reused = reason(runs.authorize(other).await);
    assert_eq!(reused, refused(Code::AlreadyExists, "REQUEST_ID_REUSED"));
}

#[tokio::test]
async fn a_paused_or_ended_instance_and_an_empty_wallet_are_answers() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let (mut runs, mut instances) = (town.runs(OWN), town.by(PartName::Instances, Some(OWN)));
    let mut number = 0;
    let mut set = async |state: pb::AccountState| {
        number += 1;
        let (instance_id, request_id) = (instance(1).to_string(), number.to_string());
        let ask = pb::SetAccountStateRequest { instance_id, request_id, state: state.into() };
        instances.set_account_state(ask).await
    };
    let mut asked = async |request_id: &str| {
        let answer = runs.authorize(authorize(request_id, instance(1))).await.unwrap().into_inner();
        (answer.allowed, answer.reason)
    };
    set(pb::AccountState::Frozen).await.unwrap();
    assert_eq!(asked("frozen").await, (false, "ACCOUNT_FROZEN".to_owned()));
    set(pb::AccountState::Active).await.unwrap();
    assert_eq!(asked("frozen").await, (false, "ACCOUNT_FROZEN".to_owned()), "an answer is given again");
    assert_eq!(asked("thawed").await, (true, String::new()));
    assert_eq!(asked("empty").await, (false, "INSUFFICIENT_CREDITS".to_owned()));
    set(pb::AccountState::Closed).await.unwrap();
    assert_eq!(asked("closed").await, (false, "ACCOUNT_CLOSED".to_owned()));
    let final_state = reason(set(pb::AccountState::Active).await);
    assert_eq!(final_state, refused(Code::FailedPrecondition, "ACCOUNT_CLOSED"));
}

#[tokio::test]
async fn a_foreign_tenant_and_a_part_without_a_say_get_nothing() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    town.open(FOREIGN, instance(2), CREDIT).await;
    let held = town.runs(OWN).authorize(authorize("1", instance(1))).await.unwrap().into_inner();
    let mut foreign = town.runs(FOREIGN);
    let hidden = reason(foreign.authorize(authorize("1", instance(1))).await);
    assert_eq!(hidden, refused(Code::NotFound, "ACCOUNT_NOT_FOUND"));
    let hidden = reason(foreign.settle(settle("1", &held.reservation_id, &[])).await);
    assert_eq!(hidden, refused(Code::NotFound, "RESERVATION_NOT_FOUND"));
    let hidden = reason(foreign.release(release("1", &held.reservation_id)).await);
    assert_eq!(hidden, refused(Code::NotFound, "RESERVATION_NOT_FOUND"));
    // A part that acts for the platform changes no org's noun.
    let mut nobody = town.by(PartName::Runs, None);
    let hidden = reason(nobody.authorize(authorize("1", instance(1))).await);
    assert_eq!(hidden, refused(Code::NotFound, "ACCOUNT_NOT_FOUND"));
    let hidden = reason(town.tenancy(FOREIGN).top_up(top_up(OWN, "x", 1, pb::Source::Trial)).await);
    assert_eq!(hidden, refused(Code::NotFound, "ORG_NOT_FOUND"));
    // Neither runs nor a person mints credits.
    let minted = town.runs(OWN).top_up(top_up(OWN, "x", 1, pb::Source::Trial)).await;
    assert_ne!(minted.unwrap_err().code(), Code::Ok);
    let house = town.mesh.house(PartName::Gateway).unwrap();
    let mut person = support::person(&house, &support::viewer(OWN));
    let minted = person.top_up(top_up(OWN, "x", 1, pb::Source::Trial)).await;
    assert_ne!(minted.unwrap_err().code(), Code::Ok);
    let look = pb::GetWalletRequest { org_id: FOREIGN.to_string() };
    let hidden = reason(person.get_wallet(look).await);
    assert_eq!(hidden, refused(Code::NotFound, "ORG_NOT_FOUND"));
    // Of the only org one need not say which.
    let own = person.get_wallet(pb::GetWalletRequest::default()).await.unwrap().into_inner();
    assert_eq!(own.wallet, Some(town.wallet(OWN).await));
    assert_eq!(town.wallet(OWN).await.available_micros, 0);
    let none = town.tenancy(OrgId::from_bits(3));
    let absent = pb::GetWalletRequest { org_id: OrgId::from_bits(3).to_string() };
    let absent = reason(none.clone().get_wallet(absent).await);
    assert_eq!(absent, refused(Code::NotFound, "WALLET_NOT_FOUND"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_a_call_have_one_effect() {
    let town = Town::new().await;
    town.open(OWN, instance(1), 10 * CREDIT).await;
    let copies = (0..16).map(|_| {
        let mut runs = town.runs(OWN);
        async move { runs.authorize(authorize("same", instance(1))).await.unwrap().into_inner() }
    });
    let answers = join_all(copies).await;
    assert!(answers.iter().all(|answer| Some(answer) == answers.first() && answer.allowed));
    assert_eq!(town.wallet(OWN).await.reserved_micros, CREDIT);
    // Each part has its own ids, also within one commit.
    let by =
        [PartName::Commerce, PartName::Tenancy, PartName::Commerce].map(|part| {
            let mut part = town.by(part, Some(OWN));
            async move {
                part.top_up(top_up(OWN, "same", 1, pb::Source::Purchase)).await.unwrap().into_inner().lot_id
            }
        });
    let lots = join_all(by).await;
    assert_eq!(lots.first(), lots.last());
    assert_ne!(lots.first(), lots.get(1));
    // A schedule is named by what it says: again under another id is the same one.
    let hashes = join_all((0..4).map(|place| {
        let id = format!("s-{place}");
        let town = &town;
        async move { town.schedule(&id).await }
    }));
    let hashes = hashes.await;
    assert!(hashes.iter().all(|hash| Some(hash) == hashes.first()));
    let empty = pb::PutPriceScheduleRequest { request_id: "e".to_owned(), ..Default::default() };
    let empty = town.by(PartName::Catalog, None).put_price_schedule(empty).await;
    assert_eq!(reason(empty), refused(Code::InvalidArgument, "INVALID_ARGUMENT"));
}

/// The loops that the part starts: what nobody settles comes back, and events get their positions.
#[tokio::test]
async fn an_abandoned_reservation_comes_back_by_itself() {
    let town = Town::new().await;
    town.open(OWN, instance(1), CREDIT).await;
    let short = prost_types::Duration { seconds: 60, nanos: 0 };
    let ask = pb::AuthorizeRequest { time_to_live: Some(short), ..authorize("1", instance(1)) };
    let held = town.runs(OWN).authorize(ask).await.unwrap().into_inner();
    assert!(held.allowed);
    let mut bell = town.database.bell();
    town.database.clock.advance(Duration::from_secs(60));
    let wallet = town.wallet(OWN).await;
    while town.wallet(OWN).await.reserved_micros != 0 {
        bell.recv().await.unwrap();
    }
    assert_ne!(town.wallet(OWN).await.etag, wallet.etag);
    assert_eq!(town.wallet(OWN).await.available_micros, CREDIT);
    let events = town.database.outbox();
    while events.head().await.unwrap() < 5 {
        tokio::task::yield_now().await;
    }
    assert!(town.mesh.drain().await, "the part ends in time");
}

impl Town {
    /// Lists as a person of the org does, by the gateway.
    async fn listed(
        &self,
        ask: pb::ListLedgerEntriesRequest,
    ) -> Result<pb::ListLedgerEntriesResponse, Status> {
        let org_id = ask.org_id.parse().unwrap();
        let caller = support::viewer(org_id);
        let house = self.mesh.house(PartName::Gateway).unwrap();
        let mut client = support::person(&house, &caller);
        client.list_ledger_entries(ask).await.map(tonic::Response::into_inner)
    }
}

mod support {
    //! People, as the gateway brings them.

    use souk_kit::House;
    use souk_proto::souk::billing::v1::billing_service_client::BillingServiceClient;
    use souk_types::{Caller, Membership, OrgId, PartName, Role, UserId, access::PlatformRole};
    use tonic::{
        metadata::MetadataValue,
        service::{Interceptor, interceptor::InterceptedService},
        transport::Channel,
    };

    /// Somebody who may look at an org.
    pub(crate) fn viewer(org_id: OrgId) -> Caller {
        let memberships = vec![Membership { org_id, role: Role::Viewer, projects: Vec::new() }];
        Caller::User { user_id: UserId::from_bits(9), memberships, platform: None }
    }

    /// Somebody who manages an org.
    pub(crate) fn admin(org_id: OrgId) -> Caller {
        let memberships = vec![Membership { org_id, role: Role::Admin, projects: Vec::new() }];
        Caller::User { user_id: UserId::from_bits(8), memberships, platform: None }
    }

    /// Somebody who runs the platform.
    pub(crate) fn operator() -> Caller {
        let platform = Some(PlatformRole::Operator);
        Caller::User { user_id: UserId::from_bits(7), memberships: Vec::new(), platform }
    }

    /// Puts the person's token on each call.
    #[derive(Clone)]
    pub(crate) struct Bearer(String);

    impl Interceptor for Bearer {
        fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, tonic::Status> {
            let value = MetadataValue::try_from(format!("Bearer {}", self.0)).expect("a token is ASCII");
            request.metadata_mut().insert("authorization", value);
            Ok(request)
        }
    }

    pub(crate) fn person(
        house: &House,
        caller: &Caller,
    ) -> BillingServiceClient<InterceptedService<Channel, Bearer>> {
        let end = house.now() + std::time::Duration::from_secs(30);
        let token = house.tokens().sign(caller, PartName::Billing.as_str(), end).expect("a token");
        let channel = house.dial().raw(PartName::Billing).expect("billing runs here");
        BillingServiceClient::with_interceptor(channel, Bearer(token))
    }
}
