//! The store is what the core believes it is: hostile streams with repeats and broken commits through the
//! tables of both engines leave the same rows and the same answers as the model's store in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use proptest::{strategy::Strategy as _, strategy::ValueTree as _, test_runner::TestRunner};
use sea_orm::{ConnectionTrait as _, EntityTrait, Statement};
use souk_db::{CommitObserver, Request};
use souk_testkit::database::{Database, postgres, sqlite};
use souk_types::{Time, id::OrgId};

use super::{
    Asked, MIGRATIONS, Store, convert,
    tables::{accounts, entries, lots, receipts, reservations, wallets},
};
use crate::{
    error::Error,
    model::{
        WalletState,
        ask::{Ask, Reply, wallet_of},
        command::{Answer, Command, Request as Decided},
        lots::Lot,
        pricing::Schedule,
        tests::{
            at, schedule,
            shelf::Shelf,
            streams::{Fault, Tick, arrivals, opening, streams, tariffs},
        },
    },
};

/// The model's store: the shelf, and what was answered by request id.
struct Model {
    shelf: Shelf,
    log: BTreeMap<u128, Reply>,
}

/// A store on tables, and what breaks its commits.
struct Tables {
    database: Database,
    store: Store,
    breaker: Arc<Breaker>,
}

/// A request as it arrives: `None` asks for the part's own sweep.
type Arrival = (Option<u128>, Decided);

fn schedules() -> Vec<Arc<Schedule>> {
    tariffs().iter().map(|(prices, default)| schedule(prices, default)).collect()
}

fn request(rpc: &'static str, id: u128, digest: String) -> Request {
    Request {
        subject: "org".to_owned(),
        rpc,
        request_id: id.to_string(),
        digest,
        actor: "part:test".to_owned(),
        org_id: None,
        trace: String::new(),
    }
}

/// What the model's answer would be told as.
fn told(answer: &Result<Answer, Error>) -> Result<Reply, Error> {
    let all = schedules();
    let shares = |receipt: &crate::model::Receipt| {
        let own = all.iter().find(|one| one.content_hash() == receipt.schedule_hash);
        own.unwrap().shares(&receipt.usage)
    };
    answer.clone().map(|answer| Reply::of(answer, shares).unwrap())
}

impl Model {
    /// As a store commits: repeats are answered by the log, errors consume no id.
    fn commit(&mut self, batch: &[Arrival], now: Time) -> Vec<Result<Reply, Error>> {
        let known = |id: &Option<u128>| id.and_then(|id| self.log.get(&id)).cloned();
        let first: Vec<_> = batch.iter().map(|(id, _)| known(id)).collect();
        let live = batch.iter().zip(&first).filter(|(_, first)| first.is_none());
        let live: Vec<Decided> = live.map(|((_, request), _)| request.clone()).collect();
        let mut answers = self.shelf.run(&live, now).into_iter();
        let mut replies = Vec::new();
        for ((id, _), first) in batch.iter().zip(first) {
            let reply = first.map_or_else(|| told(&answers.next().unwrap()), Ok);
            self.log.extend(id.zip(reply.clone().ok()));
            replies.push(reply);
        }
        replies
    }
}

/// Breaks one commit: the process dies before it or right after it, as far as the callers can tell.
#[derive(Default)]
struct Breaker(AtomicU8);

const BEFORE: u8 = 1;
const AFTER: u8 = 2;

impl Breaker {
    fn strike(&self, at: u8, site: &'static str) {
        let struck = self.0.compare_exchange(at, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        assert!(!(struck && site == "billing.commit"), "killed here by the test");
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

impl Tables {
    async fn on(database: Database) -> Self {
        let breaker = Arc::new(Breaker::default());
        let store = Store::new(database.observed(breaker.clone()).await.unwrap());
        for (place, schedule) in (1..).zip(schedules()) {
            let request = request("PutPriceSchedule", place, schedule.content_hash().to_owned());
            assert_eq!(store.put_schedule(&request, &schedule).await.unwrap(), schedule.content_hash());
        }
        Self { database, store, breaker }
    }

    /// Tries a commit that breaks; says whether it came that far.
    #[expect(clippy::disallowed_methods, reason = "a task that panics stands for the process that dies")]
    async fn broken(&self, batch: &[Asked], at: u8) -> bool {
        self.breaker.0.store(at, Ordering::SeqCst);
        let (store, batch) = (self.store.clone(), batch.to_vec());
        let outcome = tokio::spawn(async move { store.commit(&batch).await }).await;
        self.breaker.0.store(0, Ordering::SeqCst);
        outcome.is_err()
    }

    /// Commits as the queue does: whole, else one by one.
    async fn commit(&self, batch: &[Asked]) -> Vec<Option<Reply>> {
        match self.store.commit(batch).await {
            Ok(replies) => replies.into_iter().map(Result::ok).collect(),
            Err(_) => {
                let mut replies = Vec::new();
                for asked in batch {
                    let alone = self.store.commit(std::slice::from_ref(asked)).await;
                    replies.push(alone.ok().and_then(|mut replies| replies.pop().unwrap().ok()));
                }
                replies
            }
        }
    }

    /// The sweeps find what the model says is over, and nothing else.
    async fn same_due(&self, shelf: &Shelf, now: Time) {
        let (over, wallets) = shelf.due(now);
        let found: BTreeSet<_> = self.store.due(now, 1_000).await.unwrap().into_iter().collect();
        assert_eq!(found, over.into_iter().collect());
        let found = self.store.wallets_with_expired_lots(now, 1_000).await.unwrap();
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wallets);
    }
}

async fn all<E: EntityTrait>(database: &Database) -> Vec<E::Model> {
    E::find().all(database.read()).await.unwrap()
}

/// Every row of the tables is one of the shelf, and the other way round.
async fn same(database: &Database, shelf: &Shelf) {
    let rows = all::<wallets::Entity>(database).await;
    let rows: BTreeMap<_, _> = rows.into_iter().map(|row| (row.wallet_id.parse().unwrap(), row)).collect();
    let rows: BTreeMap<_, _> = rows.into_iter().map(|(id, row)| (id, row.try_into().unwrap())).collect();
    assert_eq!(rows, shelf.wallets);
    let rows = all::<lots::Entity>(database).await;
    let rows = rows.into_iter().map(|row| Lot::try_from(row).unwrap());
    assert_eq!(rows.map(|lot| (lot.lot_id, lot)).collect::<BTreeMap<_, _>>(), shelf.lots);
    let rows = all::<accounts::Entity>(database).await;
    let rows = rows.into_iter().map(|row| crate::model::Account::try_from(row).unwrap());
    assert_eq!(rows.map(|row| (row.instance_id, row)).collect::<BTreeMap<_, _>>(), shelf.accounts);
    let rows = all::<reservations::Entity>(database).await;
    let rows = rows.into_iter().map(|row| crate::model::Reservation::try_from(row).unwrap());
    assert_eq!(rows.map(|row| (row.reservation_id, row)).collect::<BTreeMap<_, _>>(), shelf.reservations);
    let rows = all::<receipts::Entity>(database).await;
    let rows = rows.into_iter().map(|row| crate::model::Receipt::try_from(row).unwrap());
    assert_eq!(rows.map(|row| (row.reservation_id, row)).collect::<BTreeMap<_, _>>(), shelf.receipts);
    let by_key = |row: entries::Model| ((row.ledger_entry_id.clone(), row.line), row);
    let rows: BTreeMap<_, _> = all::<entries::Entity>(database).await.into_iter().map(by_key).collect();
    let booked: BTreeMap<_, _> = shelf.entries.iter().flat_map(convert::lines).map(by_key).collect();
    assert_eq!(rows, booked);
    let query = "SELECT kind, org_id, aggregate_id, aggregate_seq, payload FROM outbox
        WHERE kind NOT LIKE '%RequestAnswered'";
    let query = Statement::from_string(database.backend(), query);
    let rows = database.read().query_all_raw(query).await.unwrap();
    let told: BTreeSet<_> = rows
        .iter()
        .map(|row| {
            let text = |column| row.try_get::<String>("", column).unwrap();
            let seq: i64 = row.try_get("", "aggregate_seq").unwrap();
            let payload: serde_json::Value = serde_json::from_str(&text("payload")).unwrap();
            (text("kind"), text("org_id"), text("aggregate_id"), seq, payload.to_string())
        })
        .collect();
    let facts = shelf.facts.iter().map(|fact| {
        let (kind, org_id) = (fact.kind.to_owned(), fact.org_id.to_string());
        (kind, org_id, fact.aggregate_id.clone(), fact.aggregate_seq, fact.payload.to_string())
    });
    assert_eq!(told, facts.collect());
}

/// One stream on the model and on every database at once: equal answers, equal tables.
async fn drive(all: &[Tables], stream: Vec<Tick>) {
    let mut model = Model { shelf: Shelf::with(schedules()), log: BTreeMap::new() };
    let (mut now, mut number) = (0, 10_000);
    let mut earlier: Vec<Arrival> = Vec::new();
    for tick in [opening()].into_iter().chain(stream) {
        now += tick.jump;
        let new = arrivals(&tick, &model.shelf, at(now), &mut number);
        // Whoever asked before asks again: late copies travel with what is new.
        let batch: Vec<Arrival> = earlier.iter().chain(&new).cloned().collect();
        earlier = new.into_iter().filter(|(id, _)| id.is_some()).collect();
        let asked: Vec<Asked> = batch.iter().map(asked).collect();
        let mut broken = BTreeSet::new();
        for tables in all {
            tables.database.clock.set(at(now));
            tables.same_due(&model.shelf, at(now)).await;
            broken.insert(match tick.fault {
                Fault::Lost => tables.broken(&asked, BEFORE).await,
                Fault::Unheard => tables.broken(&asked, AFTER).await,
                Fault::None | Fault::Reordered => false,
            });
        }
        assert!(broken.len() <= 1, "the databases do not agree");
        if tick.fault == Fault::Unheard && broken.contains(&true) {
            model.commit(&batch, at(now));
        }
        let replies = model.commit(&batch, at(now));
        for tables in all {
            let told = tables.commit(&asked).await;
            for (place, (model, tables)) in replies.iter().zip(told).enumerate() {
                match (model, tables) {
                    // What would not have made the noun is not kept from it by the key.
                    (Err(Error::IdTaken(_)), Some(Reply::Refused { .. })) => {}
                    (model, tables) => assert_eq!(model.clone().ok(), tables, "{place} of {batch:?}"),
                }
            }
            same(&tables.database, &model.shelf).await;
        }
    }
}

fn asked((id, request): &Arrival) -> Asked {
    let of = |id: &u128| request_of(*id, &request.command);
    Asked { request: id.as_ref().map(of), scope: request.scope.clone(), command: request.command.clone() }
}

fn request_of(id: u128, command: &Command) -> Request {
    request("Perform", id, format!("{command:?}"))
}

fn samples(count: usize) -> Vec<Vec<Tick>> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| streams().new_tree(&mut runner).unwrap().current()).collect()
}

#[tokio::test]
async fn model_sqlite_and_postgres_do_the_same() {
    for stream in samples(12) {
        let mut all = vec![Tables::on(sqlite("billing", MIGRATIONS).await).await];
        if let Some(database) = postgres("billing", MIGRATIONS).await {
            all.push(Tables::on(database).await);
        }
        drive(&all, stream).await;
    }
}

#[tokio::test]
async fn sqlite_does_what_the_model_says() {
    for stream in samples(60).into_iter().skip(12) {
        drive(&[Tables::on(sqlite("billing", MIGRATIONS).await).await], stream).await;
    }
}

/// The tables refuse what the core would never write.
#[tokio::test]
async fn no_row_goes_below_zero() {
    for database in souk_testkit::databases("billing", MIGRATIONS).await {
        let tables = Tables::on(database).await;
        drive(std::slice::from_ref(&tables), Vec::new()).await;
        let database = &tables.database;
        for text in [
            "UPDATE wallets SET available_micros = -1",
            "UPDATE wallets SET reserved_micros = -1",
            "UPDATE lots SET available_micros = -1",
            "UPDATE lots SET reserved_micros = -1",
            "UPDATE lots SET reversed_micros = -1",
            "UPDATE lots SET pending_micros = -1",
        ] {
            let write = database.write("test.sql", |tx| async move {
                tx.execute_unprepared(text).await?;
                Ok::<_, souk_db::Error>(())
            });
            assert!(write.await.is_err(), "{}: {text}", database.engine);
        }
    }
}

/// Calls of one person under one trace may share a commit, whatever the org.
#[tokio::test]
async fn the_audit_trail_names_what_each_call_of_a_commit_changed() {
    for database in souk_testkit::databases("billing", MIGRATIONS).await {
        let store = Store::new((*database).clone());
        let asked = |org: u128, ask: Ask| Asked {
            request: Some(Request {
                subject: OrgId::from_bits(org).to_string(),
                actor: "user:usr_1".to_owned(),
                trace: "trace".to_owned(),
                ..request("Perform", org, format!("{ask:?}"))
            }),
            scope: souk_db::for_every_tenant(),
            command: ask.command(at(0), database.random.as_ref(), Duration::ZERO),
        };
        let open = |org| asked(org, Ask::OpenWallet { org_id: OrgId::from_bits(org) });
        let missing = Ask::SetWalletState { org_id: OrgId::from_bits(9), state: WalletState::Frozen };
        let replies = store.commit(&[open(2), asked(9, missing), open(1)]).await.unwrap();
        assert_eq!(replies.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        let told = "SELECT payload FROM outbox WHERE kind LIKE '%RequestAnswered' ORDER BY put_order";
        let told = Statement::from_string(database.backend(), told);
        let told = database.read().query_all_raw(told).await.unwrap();
        let told: Vec<_> = told
            .iter()
            .map(|row| {
                let payload: serde_json::Value =
                    serde_json::from_str(&row.try_get::<String>("", "payload").unwrap()).unwrap();
                let words = |key: &str| payload[key].as_str().unwrap().to_owned();
                (words("requestId"), words("resourceId"))
            })
            .collect();
        let wallet = |org| wallet_of(OrgId::from_bits(org)).to_string();
        assert_eq!(told, [("2".to_owned(), wallet(2)), ("1".to_owned(), wallet(1))], "{}", database.engine);
    }
}
