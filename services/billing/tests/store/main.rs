//! The service on the tables of both engines: parallel callers, repeats, broken commits, foreign tenants.
//! After each, the books are checked in SQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use futures::future::{join, join_all};
use sea_orm::{ConnectionTrait as _, Statement};
use souk_billing::{
    Config, Error, MIGRATIONS, Service,
    model::{
        AccountState,
        ask::{Ask, Reply},
        lots::Source,
        pricing::{Price, Usage},
    },
};
use souk_db::{CommitObserver, Db};
use souk_kit::{House, Mesh, Surroundings, keyring::Keyring};
use souk_testkit::{Database, databases};
use souk_types::{
    Call, Caller, Credits, Fault, PartName, Reason, Scope, Trace,
    access::Reach,
    id::{InstanceId, OrgId, ReservationId},
    page::Page,
};

mod market;

const OWN: OrgId = OrgId::from_bits(1);
const FOREIGN: OrgId = OrgId::from_bits(2);
const CREDIT: i64 = Credits::MICROS;

/// One replica: a service on its own handle of the database.
struct Shop {
    service: Service,
    _mesh: Mesh,
}

fn house(database: &Database) -> (Mesh, House) {
    let surroundings = Surroundings {
        clock: database.clock.clone(),
        random: database.random.clone(),
        keyring: Arc::new(Keyring::generate(database.random.as_ref())),
        data_dir: std::env::temp_dir(),
        poll: Duration::from_millis(200),
    };
    let mesh = Mesh::new(surroundings, &[PartName::Billing], &BTreeMap::new()).unwrap();
    let house = mesh.house(PartName::Billing).unwrap();
    (mesh, house)
}

fn shop(database: &Database, db: Db) -> Shop {
    let (mesh, house) = house(database);
    Shop { service: Service::new(&house, &Config::default(), db), _mesh: mesh }
}

#[expect(clippy::disallowed_methods, reason = "the tests stand in for the kit, which checks the access rule")]
fn call_of(rpc: &'static str, request_id: &str, reach: Reach) -> Call {
    Call {
        rpc,
        caller: Caller::Part { part: PartName::Runs, org: None },
        scope: Scope::grant(reach),
        project_id: None,
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

fn rpc(ask: &Ask) -> &'static str {
    match ask {
        Ask::OpenWallet { .. } => "/b/OpenWallet",
        Ask::OpenAccount { .. } => "/b/OpenAccount",
        Ask::SetAccountState { .. } => "/b/SetAccountState",
        Ask::SetAccountSchedule { .. } => "/b/SetAccountSchedule",
        Ask::SetWalletState { .. } => "/b/SetWalletState",
        Ask::AdjustWallet { .. } => "/b/AdjustWallet",
        Ask::ReverseTopUp { .. } => "/b/ReverseTopUp",
        Ask::Extend { .. } => "/b/Extend",
        Ask::TopUp { .. } => "/b/TopUp",
        Ask::Authorize { .. } => "/b/Authorize",
        Ask::Settle { .. } => "/b/Settle",
        Ask::Release { .. } => "/b/Release",
    }
}

impl Shop {
    async fn by(&self, org: OrgId, request_id: &str, ask: Ask) -> Result<Reply, Error> {
        let call = call_of(rpc(&ask), request_id, Reach::Org(org));
        self.service.perform(&call, ask).await
    }

    async fn ask(&self, request_id: &str, ask: Ask) -> Result<Reply, Error> {
        self.by(OWN, request_id, ask).await
    }

    /// An org with a wallet of `credits`, and an instance at one credit a run.
    async fn open(&self, org_id: OrgId, instance_id: InstanceId, credits: i64) {
        let usage = vec![Usage { dimension: "run".to_owned(), quantity: 1 }];
        let prices = BTreeMap::from([("run".to_owned(), Price { per: 1, price: micros(CREDIT) })]);
        let call = call_of("/b/PutPriceSchedule", &format!("schedule-{org_id}"), Reach::Every);
        let schedule_hash = self.service.put_price_schedule(&call, prices, &usage).await.unwrap();
        self.by(org_id, "open", Ask::OpenWallet { org_id }).await.unwrap();
        self.by(org_id, "account", Ask::OpenAccount { org_id, instance_id, schedule_hash }).await.unwrap();
        if credits > 0 {
            self.by(org_id, "first", top_up(org_id, credits * CREDIT)).await.unwrap();
        }
    }

    async fn reserved(&self, request_id: &str) -> ReservationId {
        match self.ask(request_id, authorize(1)).await.unwrap() {
            Reply::Allowed { reservation_id, .. } => reservation_id,
            other => panic!("must be allowed: {other:?}"),
        }
    }

    async fn balance(&self, org: OrgId) -> (i64, i64) {
        let call = call_of("/b/GetWallet", "", Reach::Org(org));
        let (wallet, _) = self.service.wallet(&call).await.unwrap();
        (wallet.available.micros(), wallet.reserved.micros())
    }
}

fn micros(amount: i64) -> Credits {
    Credits::from_micros(amount)
}

fn top_up(org_id: OrgId, amount: i64) -> Ask {
    let source_ref = "order:line".to_owned();
    Ask::TopUp { org_id, amount: micros(amount), source: Source::Purchase, source_ref, expire_time: None }
}

fn instance(bits: u128) -> InstanceId {
    InstanceId::from_bits(bits)
}

fn authorize(by: u128) -> Ask {
    Ask::Authorize { instance_id: instance(by), estimate: vec![], ttl: None, source_ref: "run".to_owned() }
}

fn settle(reservation_id: ReservationId, runs: i64) -> Ask {
    Ask::Settle { reservation_id, usage: vec![Usage { dimension: "run".to_owned(), quantity: runs }] }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Reason {
    Fault::from(outcome.unwrap_err()).reason
}

async fn number(db: &Db, sql: &str) -> i64 {
    let query = Statement::from_string(db.backend(), format!("SELECT CAST(({sql}) AS BIGINT) AS n"));
    db.read().query_one_raw(query).await.unwrap().unwrap().try_get("", "n").unwrap()
}

/// The invariants of `model`, asked of the tables. Each counts the rows that break one.
async fn check(database: &Database) {
    for sql in [
        "SELECT COALESCE(SUM(amount_micros), 0) FROM entries",
        "SELECT COUNT(*) FROM (SELECT ledger_entry_id FROM entries GROUP BY ledger_entry_id
            HAVING SUM(amount_micros) <> 0) t",
        "SELECT COUNT(*) FROM wallets w WHERE
            w.available_micros <> (SELECT COALESCE(SUM(l.available_micros), 0) FROM lots l
                WHERE l.wallet_id = w.wallet_id) OR
            w.reserved_micros <> (SELECT COALESCE(SUM(l.reserved_micros), 0) FROM lots l
                WHERE l.wallet_id = w.wallet_id) OR
            w.reserved_micros <> (SELECT COALESCE(SUM(r.budget_micros), 0) FROM reservations r
                WHERE r.wallet_id = w.wallet_id AND r.state = 'OPEN') OR
            w.available_micros + w.reserved_micros <> (SELECT COALESCE(SUM(e.amount_micros), 0)
                FROM entries e WHERE e.book = w.wallet_id)",
        "SELECT COUNT(*) FROM wallets WHERE available_micros < 0 OR reserved_micros < 0",
        "SELECT COUNT(*) FROM lots WHERE available_micros < 0 OR reserved_micros < 0 OR pending_micros < 0
            OR reversed_micros < 0 OR pending_micros > reserved_micros
            OR available_micros + reserved_micros + reversed_micros > original_micros",
        "SELECT COUNT(*) FROM lots l WHERE l.reversed_micros <> (SELECT COALESCE(-SUM(e.amount_micros), 0)
            FROM entries e WHERE e.lot_id = l.lot_id AND e.kind = 'REVERSAL' AND e.line = 0)",
        "SELECT COUNT(*) FROM receipts WHERE charged_micros + overrun_micros <> cost_micros",
        "SELECT COUNT(*) FROM reservations r WHERE (r.state = 'SETTLED') <>
            EXISTS (SELECT 1 FROM receipts c WHERE c.reservation_id = r.reservation_id)",
        "SELECT COUNT(*) FROM request_log WHERE answer IS NULL",
    ] {
        assert_eq!(number(database, sql).await, 0, "{}: {sql}", database.engine);
    }
}

/// Replicas of the service: on PostgreSQL two, which only the row locks keep apart.
async fn replicas(database: &Database) -> Vec<Shop> {
    let mut shops = vec![shop(database, (**database).clone())];
    if database.engine == "postgres" {
        shops.push(shop(database, database.again().await.unwrap()));
    }
    shops
}

fn turn<T>(all: &[T], place: usize) -> &T {
    all.get(place % all.len()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_allows_what_it_holds_and_no_more() {
    for database in databases("billing", MIGRATIONS).await {
        let shops = replicas(&database).await;
        let first = turn(&shops, 0);
        first.open(OWN, instance(1), 20).await;
        let ids: Vec<_> = (0..64).map(|place| format!("a-{place}")).collect();
        let asked = ids.iter().enumerate().map(|(place, id)| turn(&shops, place).ask(id, authorize(1)));
        let replies = join_all(asked).await;
        let mut allowed = BTreeSet::new();
        for reply in replies {
            match reply.unwrap() {
                Reply::Allowed { reservation_id, budget, .. } => {
                    assert_eq!(budget, micros(CREDIT));
                    assert!(allowed.insert(reservation_id));
                }
                Reply::Refused { reason } => assert_eq!(reason, "INSUFFICIENT_CREDITS"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(allowed.len(), 20, "{}", database.engine);
        assert_eq!(first.balance(OWN).await, (0, 20 * CREDIT));
        let settled = allowed.iter().enumerate().map(|(place, id)| {
            let shop = turn(&shops, place);
            async move { shop.ask(&format!("s-{id}"), settle(*id, 1)).await.unwrap() }
        });
        join_all(settled).await;
        assert_eq!(first.balance(OWN).await, (0, 0));
        // A refusal is an answer: it consumed its id, and is answered again although credits came.
        first.ask("more", top_up(OWN, 64 * CREDIT)).await.unwrap();
        let again = join_all(ids.iter().map(|id| first.ask(id, authorize(1)))).await;
        let refused = again.iter().filter(|reply| matches!(reply, Ok(Reply::Refused { .. })));
        assert_eq!(refused.count(), 44);
        check(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_of_a_request_have_one_effect_and_one_answer() {
    for database in databases("billing", MIGRATIONS).await {
        let shops = replicas(&database).await;
        let first = turn(&shops, 0);
        first.open(OWN, instance(1), 0).await;
        let copies = (0..32).map(|place| turn(&shops, place).ask("pay", top_up(OWN, 5)));
        let replies: Vec<_> = join_all(copies).await.into_iter().map(Result::unwrap).collect();
        assert!(replies.iter().all(|reply| Some(reply) == replies.first()), "{replies:?}");
        assert_eq!(first.balance(OWN).await, (5, 0));
        // The same id for other commands: one of them takes effect.
        let others = (1..=32).map(|amount| turn(&shops, 0).ask("other", top_up(OWN, amount)));
        let replies = join_all(others).await;
        let (done, reused): (Vec<_>, Vec<_>) = replies.into_iter().partition(Result::is_ok);
        assert_eq!(done.len(), 1);
        assert!(reused.into_iter().all(|reply| reason(reply) == Reason::RequestIdReused));
        let wallets = (0..8).map(|place| turn(&shops, place));
        let ids: Vec<_> = (0..8).map(|place| format!("open-{place}")).collect();
        let opened =
            wallets.zip(&ids).map(|(shop, id)| shop.by(FOREIGN, id, Ask::OpenWallet { org_id: FOREIGN }));
        let opened: Vec<_> = join_all(opened).await.into_iter().map(Result::unwrap).collect();
        assert!(opened.iter().all(|reply| Some(reply) == opened.first()));
        assert_eq!(number(&database, "SELECT COUNT(*) FROM wallets").await, 2);
        check(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_consumes_no_request_id() {
    for database in databases("billing", MIGRATIONS).await {
        let shop = shop(&database, (*database).clone());
        assert_eq!(reason(shop.ask("pay", top_up(OWN, 5)).await), Reason::WalletNotFound);
        shop.open(OWN, instance(1), 0).await;
        assert!(shop.ask("pay", top_up(OWN, 5)).await.is_ok());
        // In one batch: a refused command leaves nothing of its neighbours out.
        let bad = top_up(OWN, -1);
        let (good, refused) = join(shop.ask("good", top_up(OWN, 7)), shop.ask("bad", bad)).await;
        assert!(good.is_ok());
        assert_eq!(reason(refused), Reason::AmountOutOfRange);
        assert_eq!(shop.balance(OWN).await, (12, 0));
        check(&database).await;
    }
}

/// Breaks one commit: the process dies before it or right after it, as far as the callers can tell.
#[derive(Default)]
struct Breaker(AtomicU8);

const BEFORE: u8 = 1;
const AFTER: u8 = 2;

impl Breaker {
    fn strike(&self, at: u8, site: &'static str) {
        let mine = site == "billing.commit"
            && self.0.compare_exchange(at, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        assert!(!mine, "killed here by the test");
    }
}

impl CommitObserver for Breaker {
    fn before(&self, site: &'static str) {
        self.strike(BEFORE, site);
    }

    fn after(&self, site: &'static str) {
        self.strike(AFTER, site);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_broke_off_is_found_again() {
    for database in databases("billing", MIGRATIONS).await {
        for at in [BEFORE, AFTER] {
            let breaker = Arc::new(Breaker::default());
            let broken = shop(&database, database.observed(breaker.clone()).await.unwrap());
            broken.open(OWN, instance(1), 0).await;
            let before = broken.balance(OWN).await.0;
            breaker.0.store(at, Ordering::SeqCst);
            let id = format!("pay-{at}");
            assert_eq!(broken.ask(&id, top_up(OWN, 5)).await, Err(Error::BrokenOff));
            let there = if at == AFTER { 5 } else { 0 };
            assert_eq!(broken.balance(OWN).await.0, before + there, "{}", database.engine);
            // The line goes on, and the repeat finds the effect or makes it, also after a restart.
            let same = broken.ask(&id, top_up(OWN, 5)).await.unwrap();
            drop(broken);
            let next = shop(&database, database.again().await.unwrap());
            assert_eq!(next.ask(&id, top_up(OWN, 5)).await.unwrap(), same);
            assert_eq!(next.balance(OWN).await.0, before + 5);
            check(&database).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_takes_nothing_back() {
    for database in databases("billing", MIGRATIONS).await {
        let shop = shop(&database, (*database).clone());
        shop.open(OWN, instance(1), 0).await;
        let mut gone = Box::pin(shop.ask("pay", top_up(OWN, 5)));
        // One poll puts it in the line.
        assert!(futures::poll!(gone.as_mut()).is_pending());
        drop(gone);
        let reply = shop.ask("pay", top_up(OWN, 5)).await.unwrap();
        assert!(matches!(reply, Reply::ToppedUp { balance, .. } if balance == micros(5)));
        assert_eq!(number(&database, "SELECT COUNT(*) FROM lots").await, 1);
        check(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settling_twice_answers_the_first_receipt() {
    for database in databases("billing", MIGRATIONS).await {
        let shops = replicas(&database).await;
        let first = turn(&shops, 0);
        first.open(OWN, instance(1), 10).await;
        let id = first.reserved("a").await;
        let asks: Vec<_> = (1..=16).map(|runs| (format!("s-{runs}"), settle(id, runs))).collect();
        let settled = asks
            .iter()
            .zip(0..)
            .map(|((request_id, ask), place)| turn(&shops, place).ask(request_id, ask.clone()));
        let replies: Vec<_> = join_all(settled).await.into_iter().map(Result::unwrap).collect();
        assert!(replies.iter().all(|reply| Some(reply) == replies.first()), "{replies:?}");
        assert_eq!(number(&database, "SELECT COUNT(*) FROM receipts").await, 1);
        assert_eq!(
            reason(first.ask("r", Ask::Release { reservation_id: id }).await),
            Reason::ReservationClosed
        );
        let over = first.reserved("over").await;
        let Reply::Settled { receipt, shares } = first.ask("over", settle(over, 100)).await.unwrap() else {
            panic!("must settle")
        };
        assert_eq!(receipt.charged.plus(receipt.overrun), Some(micros(100 * CREDIT)));
        assert_eq!(receipt.balance, Credits::ZERO);
        assert_eq!(shares.first().map(|share| share.amount), Some(micros(100 * CREDIT)));
        check(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_and_a_late_settle_agree() {
    for database in databases("billing", MIGRATIONS).await {
        let shops = replicas(&database).await;
        let first = turn(&shops, 0);
        first.open(OWN, instance(1), 60).await;
        let names: Vec<_> = (0..40).map(|place| format!("a-{place}")).collect();
        let held = join_all(names.iter().map(|name| first.reserved(name))).await;
        assert!(!first.service.sweep().await.unwrap());
        assert_eq!(first.balance(OWN).await, (20 * CREDIT, 40 * CREDIT), "nothing is due yet");
        database.clock.advance(Duration::from_secs(900));
        // Half of them settle while every replica sweeps all of them.
        let late = held
            .iter()
            .take(20)
            .map(|id| async move { first.ask(&format!("late-{id}"), settle(*id, 1)).await.unwrap() });
        let sweeps = join_all(shops.iter().map(|shop| shop.service.sweep()));
        let (receipts, swept) = join(join_all(late), sweeps).await;
        assert!(swept.into_iter().all(|outcome| outcome.is_ok()));
        for reply in receipts {
            let Reply::Settled { receipt, .. } = reply else { panic!("{reply:?}") };
            assert!(receipt.late);
            assert_eq!((receipt.charged, receipt.overrun), (micros(CREDIT), Credits::ZERO));
        }
        first.service.sweep().await.unwrap();
        assert_eq!(first.balance(OWN).await, (40 * CREDIT, 0), "{}", database.engine);
        let open = "SELECT COUNT(*) FROM reservations WHERE state = 'OPEN'";
        assert_eq!(number(&database, open).await, 0);
        check(&database).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_tenant_finds_nothing() {
    for database in databases("billing", MIGRATIONS).await {
        let shop = shop(&database, (*database).clone());
        shop.open(OWN, instance(1), 10).await;
        shop.open(FOREIGN, instance(2), 10).await;
        let id = shop.reserved("a").await;
        let frozen = || Ask::SetAccountState { instance_id: instance(1), state: AccountState::Frozen };
        for reach in [Reach::Org(FOREIGN), Reach::Readable(vec![])] {
            let ask = |ask: Ask| {
                let call = call_of(rpc(&ask), "x", reach.clone());
                let service = &shop.service;
                async move { reason(service.perform(&call, ask).await) }
            };
            assert_eq!(ask(authorize(1)).await, Reason::AccountNotFound);
            assert_eq!(ask(frozen()).await, Reason::AccountNotFound);
            assert_eq!(ask(settle(id, 1)).await, Reason::ReservationNotFound);
            assert_eq!(ask(Ask::Release { reservation_id: id }).await, Reason::ReservationNotFound);
        }
        let seen = call_of("/b/Release", "x", Reach::Readable(vec![(OWN, false)]));
        let denied = shop.service.perform(&seen, Ask::Release { reservation_id: id }).await;
        assert_eq!(reason(denied), Reason::PermissionDenied);
        let entries = |org| {
            let call = call_of("/b/ListLedgerEntries", "", Reach::Org(org));
            let service = &shop.service;
            async move { service.ledger(&call, None, &Page::first()).await.unwrap().items.len() }
        };
        assert_eq!((entries(OWN).await, entries(FOREIGN).await), (1, 1));
        // The ids were not consumed, and the org's own calls work.
        assert!(shop.ask("x", Ask::Release { reservation_id: id }).await.is_ok());
        check(&database).await;
    }
}
