//! The store is what the core believes it is: hostile streams through the tables of both engines leave the
//! same rows and the same answers as the model's store in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use proptest::{strategy::Strategy as _, strategy::ValueTree as _, test_runner::TestRunner};
use sea_orm::{ConnectionTrait as _, EntityTrait, Statement};
use souk_db::Request;
use souk_testkit::database::{Database, postgres, sqlite};
use souk_types::id::WalletId;

use super::{
    Asked, MIGRATIONS, Store, convert,
    tables::{accounts, entries, lots, receipts, reservations, wallets},
};
use crate::{
    error::Error,
    model::{
        ask::Reply,
        command::{Answer, Request as Decided},
        lots::Lot,
        pricing::Schedule,
        tests::{
            at, schedule, scope,
            shelf::Shelf,
            streams::{Step, freeze, numbered, opening, streams, tariffs},
            wallet,
        },
    },
};

type Stream = Vec<(i64, Vec<Step>)>;

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
fn told(answer: &Result<Answer, Error>) -> Option<Reply> {
    let all = schedules();
    let shares = |receipt: &crate::model::Receipt| {
        let own = all.iter().find(|one| one.content_hash() == receipt.schedule_hash);
        own.unwrap().shares(&receipt.usage)
    };
    answer.clone().ok().map(|answer| Reply::of(answer, shares).unwrap())
}

/// Commits as the queue does: whole, else one by one.
async fn commit(store: &Store, batch: &[Asked]) -> Vec<Option<Reply>> {
    match store.commit(batch).await {
        Ok(replies) => replies.into_iter().map(Result::ok).collect(),
        Err(_) => {
            let mut replies = Vec::new();
            for asked in batch {
                let alone = store.commit(std::slice::from_ref(asked)).await;
                replies.push(alone.ok().and_then(|mut replies| replies.pop().unwrap().ok()));
            }
            replies
        }
    }
}

async fn all<E: EntityTrait>(database: &Database) -> Vec<E::Model> {
    E::find().all(database.read()).await.unwrap()
}

async fn sql(database: &Database, text: &str) {
    let text = text.to_owned();
    let write = database.write("test.sql", |tx| {
        let text = text.clone();
        async move {
            tx.execute_raw(Statement::from_string(tx.get_database_backend(), text)).await?;
            Ok::<_, souk_db::Error>(())
        }
    });
    write.await.unwrap();
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
    let query = "SELECT kind, aggregate_id, aggregate_seq FROM outbox WHERE kind NOT LIKE '%RequestAnswered'";
    let query = Statement::from_string(database.backend(), query);
    let rows = database.read().query_all_raw(query).await.unwrap();
    let told: BTreeSet<(String, String, i64)> = rows
        .iter()
        .map(|row| {
            let text = |column| row.try_get::<String>("", column).unwrap();
            (text("kind"), text("aggregate_id"), row.try_get("", "aggregate_seq").unwrap())
        })
        .collect();
    let facts = shelf.facts.iter();
    let facts = facts.map(|fact| (fact.kind.to_owned(), fact.aggregate_id.clone(), fact.aggregate_seq));
    assert_eq!(told, facts.collect());
}

async fn drive(database: &Database, stream: Stream) {
    let store = Store::new((**database).clone());
    for (place, schedule) in (1..).zip(schedules()) {
        let request = request("PutPriceSchedule", place, schedule.content_hash().to_owned());
        assert_eq!(store.put_schedule(&request, &schedule).await.unwrap(), schedule.content_hash());
    }
    let mut shelf = Shelf::with(schedules());
    let (mut now, mut number) = (0, 10_000);
    for (jump, steps) in [(0, opening())].into_iter().chain(stream) {
        now += jump;
        database.clock.set(at(now));
        let (mut batch, mut asked, mut frozen) = (Vec::new(), Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Freeze(bits) => frozen.push(wallet(bits)),
                Step::Ask(reach, command) => {
                    number += 1;
                    let (scope, command) = (scope(reach), numbered(command, number));
                    let request = Some(request("Perform", number, format!("{command:?}")));
                    asked.push(Asked { request, scope: scope.clone(), command: command.clone() });
                    batch.push(Decided { scope, command });
                }
            }
        }
        let answers = shelf.run(&batch, at(now));
        let replies = commit(&store, &asked).await;
        for (place, (answer, reply)) in answers.iter().zip(&replies).enumerate() {
            match (answer, reply) {
                // What would not have made the noun is not kept from it by the key.
                (Err(Error::IdTaken(_)), Some(Reply::Refused { .. })) => {}
                (answer, reply) => assert_eq!(*reply, told(answer), "{place} of {batch:?}"),
            }
        }
        same(database, &shelf).await;
        // Whoever asks again gets the same answer, and nothing happens again.
        let (again, first): (Vec<_>, Vec<_>) =
            asked.into_iter().zip(replies).filter(|(_, reply)| reply.is_some()).unzip();
        assert_eq!(commit(&store, &again).await, first);
        for id in frozen {
            freeze_row(database, &mut shelf, id).await;
        }
        same(database, &shelf).await;
    }
}

async fn freeze_row(database: &Database, shelf: &mut Shelf, id: WalletId) {
    freeze(shelf, id);
    if let Some(wallet) = shelf.wallets.get(&id) {
        let (state, version) = (wallet.state.as_str(), wallet.version);
        let text =
            format!("UPDATE wallets SET state = '{state}', version = {version} WHERE wallet_id = '{id}'");
        sql(database, &text).await;
    }
}

fn samples(count: usize) -> Vec<Stream> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| streams().new_tree(&mut runner).unwrap().current()).collect()
}

#[tokio::test]
async fn sqlite_does_what_the_model_says() {
    for stream in samples(40) {
        let database = sqlite("billing", MIGRATIONS).await;
        drive(&database, stream).await;
    }
}

#[tokio::test]
async fn postgres_does_what_the_model_says() {
    for stream in samples(12) {
        let Some(database) = postgres("billing", MIGRATIONS).await else { return };
        drive(&database, stream).await;
    }
}

/// The tables refuse what the core would never write.
#[tokio::test]
async fn no_row_goes_below_zero() {
    for database in souk_testkit::databases("billing", MIGRATIONS).await {
        drive(&database, Vec::new()).await;
        for text in [
            "UPDATE wallets SET available_micros = -1",
            "UPDATE wallets SET reserved_micros = -1",
            "UPDATE lots SET available_micros = -1",
            "UPDATE lots SET reserved_micros = -1",
        ] {
            let write = database.write("test.sql", |tx| async move {
                tx.execute_unprepared(text).await?;
                Ok::<_, souk_db::Error>(())
            });
            assert!(write.await.is_err(), "{}: {text}", database.engine);
        }
    }
}
