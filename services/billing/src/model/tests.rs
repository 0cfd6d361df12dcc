//! Proof of the core: each rule by example, and streams of hostile commands against a naive model.

mod credits;
mod naive;
mod proofs;
mod rules;
pub(crate) mod shelf;
mod shop;
pub(crate) mod streams;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use souk_types::{
    Credits, Scope, Time,
    access::Reach,
    id::{InstanceId, LedgerEntryId, LotId, OrgId, ReceiptId, ReservationId, WalletId},
};

use super::{
    command::{Authorize, Command, Request, Settle, TopUp},
    lots::Source,
    pricing::{Price, Schedule, Usage},
};

#[expect(clippy::disallowed_methods, reason = "the tests stand in for the kit, which checks the access rule")]
pub(crate) fn scope(reach: Reach) -> Scope {
    Scope::grant(reach)
}

fn org(bits: u128) -> OrgId {
    OrgId::from_bits(bits)
}

pub(crate) fn wallet(bits: u128) -> WalletId {
    WalletId::from_bits(bits)
}

fn instance(bits: u128) -> InstanceId {
    InstanceId::from_bits(bits)
}

fn lot(bits: u128) -> LotId {
    LotId::from_bits(bits)
}

fn rsv(bits: u128) -> ReservationId {
    ReservationId::from_bits(bits)
}

fn entry(bits: u128) -> LedgerEntryId {
    LedgerEntryId::from_bits(bits)
}

fn micros(amount: i64) -> Credits {
    Credits::from_micros(amount)
}

pub(crate) fn at(moment: i64) -> Time {
    Time::from_micros(moment)
}

fn usage(lines: &[(&str, i64)]) -> Vec<Usage> {
    let line = |(name, quantity): &(&str, i64)| Usage { dimension: (*name).to_owned(), quantity: *quantity };
    lines.iter().map(line).collect()
}

pub(crate) fn schedule(prices: &[(&str, i64, i64)], default: &[(&str, i64)]) -> Arc<Schedule> {
    let price = |(name, price, per): &(&str, i64, i64)| {
        ((*name).to_owned(), Price { per: *per, price: micros(*price) })
    };
    let dimensions: BTreeMap<_, _> = prices.iter().map(price).collect();
    Arc::new(Schedule::new(dimensions, &usage(default)).unwrap())
}

fn top_up(to: u128, lot_id: u128, amount: i64) -> TopUp {
    TopUp {
        wallet_id: wallet(to),
        lot_id: lot(lot_id),
        ledger_entry_id: entry(1_000 + lot_id),
        amount: micros(amount),
        source: Source::Purchase,
        source_ref: "order".to_owned(),
        priority: 0,
        expire_time: None,
    }
}

fn authorize(by: u128, id: u128, estimate: &[(&str, i64)]) -> Command {
    Command::Authorize(Authorize {
        instance_id: instance(by),
        reservation_id: rsv(id),
        estimate: usage(estimate),
        ttl: Duration::from_micros(100),
        source_ref: "run".to_owned(),
    })
}

fn settle(id: u128, entry_id: u128, used: &[(&str, i64)]) -> Command {
    Command::Settle(Settle {
        reservation_id: rsv(id),
        receipt_id: ReceiptId::from_bits(entry_id),
        ledger_entry_id: entry(entry_id),
        usage: usage(used),
    })
}

fn asked(command: Command) -> Request {
    Request { scope: scope(Reach::Every), command }
}
