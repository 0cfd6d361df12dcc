//! Between rows and nouns. A row that does not say what it must is an error, never a guess.

use std::{fmt::Display, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use souk_db::Error;
use souk_types::{Credits, Time};

use super::tables::{accounts, entries, lots, receipts, reservations, wallets};
use crate::model::{Account, Receipt, Reservation, Wallet, ledger, lots::Lot};

fn word<T: FromStr>(what: &'static str, text: &str) -> Result<T, Error>
where
    T::Err: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    text.parse().map_err(|error| Error::value(what, error))
}

fn json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::value(what, error))
}

fn text(what: &'static str, value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::value(what, error))
}

const fn credits(micros: i64) -> Credits {
    Credits::from_micros(micros)
}

fn optional<T: Display>(value: Option<T>) -> Option<String> {
    value.map(|value| value.to_string())
}

impl TryFrom<wallets::Model> for Wallet {
    type Error = Error;
    fn try_from(row: wallets::Model) -> Result<Self, Error> {
        Ok(Self {
            wallet_id: word("wallet_id", &row.wallet_id)?,
            org_id: word("org_id", &row.org_id)?,
            state: word("state", &row.state)?,
            available: credits(row.available_micros),
            reserved: credits(row.reserved_micros),
            create_time: Time::from_micros(row.create_time),
            version: row.version,
        })
    }
}

impl From<Wallet> for wallets::Model {
    fn from(wallet: Wallet) -> Self {
        Self {
            wallet_id: wallet.wallet_id.to_string(),
            org_id: wallet.org_id.to_string(),
            state: wallet.state.as_str().to_owned(),
            available_micros: wallet.available.micros(),
            reserved_micros: wallet.reserved.micros(),
            create_time: wallet.create_time.micros(),
            version: wallet.version,
        }
    }
}

impl TryFrom<lots::Model> for Lot {
    type Error = Error;
    fn try_from(row: lots::Model) -> Result<Self, Error> {
        Ok(Self {
            lot_id: word("lot_id", &row.lot_id)?,
            org_id: word("org_id", &row.org_id)?,
            wallet_id: word("wallet_id", &row.wallet_id)?,
            source: word("source", &row.source)?,
            source_ref: row.source_ref,
            priority: i32::try_from(row.priority).map_err(|error| Error::value("priority", error))?,
            expire_time: row.expire_time.map(Time::from_micros),
            original: credits(row.original_micros),
            available: credits(row.available_micros),
            reserved: credits(row.reserved_micros),
            reversed: credits(row.reversed_micros),
            pending: credits(row.pending_micros),
            reversal_ref: row.reversal_ref,
            create_time: Time::from_micros(row.create_time),
            version: row.version,
        })
    }
}

impl From<Lot> for lots::Model {
    fn from(lot: Lot) -> Self {
        Self {
            lot_id: lot.lot_id.to_string(),
            org_id: lot.org_id.to_string(),
            wallet_id: lot.wallet_id.to_string(),
            source: lot.source.as_str().to_owned(),
            source_ref: lot.source_ref,
            priority: i64::from(lot.priority),
            expire_time: lot.expire_time.map(Time::micros),
            original_micros: lot.original.micros(),
            available_micros: lot.available.micros(),
            reserved_micros: lot.reserved.micros(),
            reversed_micros: lot.reversed.micros(),
            pending_micros: lot.pending.micros(),
            reversal_ref: lot.reversal_ref,
            create_time: lot.create_time.micros(),
            version: lot.version,
        }
    }
}

impl TryFrom<accounts::Model> for Account {
    type Error = Error;
    fn try_from(row: accounts::Model) -> Result<Self, Error> {
        Ok(Self {
            instance_id: word("instance_id", &row.instance_id)?,
            org_id: word("org_id", &row.org_id)?,
            wallet_id: word("wallet_id", &row.wallet_id)?,
            schedule_hash: row.schedule_hash,
            state: word("state", &row.state)?,
            create_time: Time::from_micros(row.create_time),
            version: row.version,
        })
    }
}

impl From<Account> for accounts::Model {
    fn from(account: Account) -> Self {
        Self {
            instance_id: account.instance_id.to_string(),
            org_id: account.org_id.to_string(),
            wallet_id: account.wallet_id.to_string(),
            schedule_hash: account.schedule_hash,
            state: account.state.as_str().to_owned(),
            create_time: account.create_time.micros(),
            version: account.version,
        }
    }
}

impl TryFrom<reservations::Model> for Reservation {
    type Error = Error;
    fn try_from(row: reservations::Model) -> Result<Self, Error> {
        Ok(Self {
            reservation_id: word("reservation_id", &row.reservation_id)?,
            org_id: word("org_id", &row.org_id)?,
            wallet_id: word("wallet_id", &row.wallet_id)?,
            instance_id: word("instance_id", &row.instance_id)?,
            schedule_hash: row.schedule_hash,
            source_ref: row.source_ref,
            budget: credits(row.budget_micros),
            allocations: json("allocations", &row.allocations)?,
            state: word("state", &row.state)?,
            create_time: Time::from_micros(row.create_time),
            expire_time: Time::from_micros(row.expire_time),
            close_time: row.close_time.map(Time::from_micros),
            version: row.version,
        })
    }
}

impl TryFrom<Reservation> for reservations::Model {
    type Error = Error;
    fn try_from(reservation: Reservation) -> Result<Self, Error> {
        Ok(Self {
            reservation_id: reservation.reservation_id.to_string(),
            org_id: reservation.org_id.to_string(),
            wallet_id: reservation.wallet_id.to_string(),
            instance_id: reservation.instance_id.to_string(),
            schedule_hash: reservation.schedule_hash,
            source_ref: reservation.source_ref,
            budget_micros: reservation.budget.micros(),
            allocations: text("allocations", &reservation.allocations)?,
            state: reservation.state.as_str().to_owned(),
            create_time: reservation.create_time.micros(),
            expire_time: reservation.expire_time.micros(),
            close_time: reservation.close_time.map(Time::micros),
            version: reservation.version,
        })
    }
}

impl TryFrom<receipts::Model> for Receipt {
    type Error = Error;
    fn try_from(row: receipts::Model) -> Result<Self, Error> {
        Ok(Self {
            receipt_id: word("receipt_id", &row.receipt_id)?,
            org_id: word("org_id", &row.org_id)?,
            wallet_id: word("wallet_id", &row.wallet_id)?,
            instance_id: word("instance_id", &row.instance_id)?,
            reservation_id: word("reservation_id", &row.reservation_id)?,
            ledger_entry_id: word("ledger_entry_id", &row.ledger_entry_id)?,
            schedule_hash: row.schedule_hash,
            usage: json("usage", &row.usage)?,
            cost: credits(row.cost_micros),
            charged: credits(row.charged_micros),
            overrun: credits(row.overrun_micros),
            charges: json("charges", &row.charges)?,
            balance: credits(row.balance_micros),
            late: row.late,
            create_time: Time::from_micros(row.create_time),
        })
    }
}

impl TryFrom<Receipt> for receipts::Model {
    type Error = Error;
    fn try_from(receipt: Receipt) -> Result<Self, Error> {
        Ok(Self {
            receipt_id: receipt.receipt_id.to_string(),
            reservation_id: receipt.reservation_id.to_string(),
            org_id: receipt.org_id.to_string(),
            wallet_id: receipt.wallet_id.to_string(),
            instance_id: receipt.instance_id.to_string(),
            ledger_entry_id: receipt.ledger_entry_id.to_string(),
            schedule_hash: receipt.schedule_hash,
            usage: text("usage", &receipt.usage)?,
            cost_micros: receipt.cost.micros(),
            charged_micros: receipt.charged.micros(),
            overrun_micros: receipt.overrun.micros(),
            charges: text("charges", &receipt.charges)?,
            balance_micros: receipt.balance.micros(),
            late: receipt.late,
            create_time: receipt.create_time.micros(),
        })
    }
}

/// The rows of one entry: a row a line, the wallet's first.
pub(super) fn lines(entry: &ledger::Entry) -> impl Iterator<Item = entries::Model> {
    (0..).zip(&entry.lines).map(|(place, line)| entries::Model {
        ledger_entry_id: entry.ledger_entry_id.to_string(),
        line: place,
        org_id: entry.org_id.to_string(),
        wallet_id: entry.wallet_id.to_string(),
        book: line.book.to_string(),
        amount_micros: line.amount.micros(),
        kind: entry.kind.as_str().to_owned(),
        lot_id: optional(entry.lot_id),
        reservation_id: optional(entry.reservation_id),
        instance_id: optional(entry.instance_id),
        source_ref: entry.source_ref.clone(),
        balance_micros: entry.balance.micros(),
        create_time: entry.create_time.micros(),
    })
}

impl TryFrom<entries::Model> for ledger::Posted {
    type Error = Error;
    fn try_from(row: entries::Model) -> Result<Self, Error> {
        let instance_id = row.instance_id.as_deref().map(|id| word("instance_id", id)).transpose()?;
        let reservation_id =
            row.reservation_id.as_deref().map(|id| word("reservation_id", id)).transpose()?;
        Ok(Self {
            ledger_entry_id: word("ledger_entry_id", &row.ledger_entry_id)?,
            line: ledger::Line { book: word("book", &row.book)?, amount: credits(row.amount_micros) },
            kind: word("kind", &row.kind)?,
            instance_id,
            reservation_id,
            source_ref: row.source_ref,
            create_time: Time::from_micros(row.create_time),
        })
    }
}
