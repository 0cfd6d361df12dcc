//! The double-entry ledger: append only, signed integers, each entry sums to zero.
//!
//! A wallet's book is the one that a tenant sees; the platform's books have no balance row anywhere, their
//! balance is the sum of their lines, so that no shared row is locked by every settle. Entries are made here
//! only, by the few functions that know which book stands against which.

use std::{fmt, str::FromStr};

use souk_types::{
    Credits, Time,
    id::{InstanceId, LedgerEntryId, LotId, OrgId, ReservationId, WalletId},
};

use super::{
    Reservation, UnknownWord, Wallet,
    lots::{Lot, Source},
    words,
};
use crate::error::Error;

words! {
    /// The platform's side of an entry.
    Platform {
        /// Credits given away: trials and promotions.
        Granted = "platform:granted",
        /// Credits bought.
        Sold = "platform:sold",
        /// Credits spent on work that was done.
        Earned = "platform:earned",
        /// Work that was done and that no wallet could pay.
        Overrun = "platform:overrun",
        /// Credits whose lot expired unused.
        Expired = "platform:expired",
        /// Credits taken back after a refund or chargeback.
        Reversed = "platform:reversed",
        /// Corrections by an operator.
        Adjusted = "platform:adjusted",
    }
}

/// One side of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Book {
    /// A wallet.
    Wallet(WalletId),
    /// One of the platform's books.
    Platform(Platform),
}

impl fmt::Display for Book {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet(id) => write!(out, "{id}"),
            Self::Platform(book) => out.write_str(book.as_str()),
        }
    }
}

impl FromStr for Book {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        match text.parse() {
            Ok(id) => Ok(Self::Wallet(id)),
            Err(_) => text.parse().map(Self::Platform),
        }
    }
}

words! {
    /// What an entry is about.
    Kind {
        /// Credits came in as a new lot.
        TopUp = "TOP_UP",
        /// Usage was charged.
        Settle = "SETTLE",
    }
}

/// One book's part in an entry: positive is more on that book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The book.
    pub book: Book,
    /// What is added to it (negative: taken).
    pub amount: Credits,
}

/// One movement of credits between a wallet and the platform. Never changes, hence no version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub ledger_entry_id: LedgerEntryId,
    /// The org of the wallet.
    pub org_id: OrgId,
    /// The wallet; each entry has exactly one line on a wallet.
    pub wallet_id: WalletId,
    /// What it is about.
    pub kind: Kind,
    /// The lot that came in, for a top-up.
    pub lot_id: Option<LotId>,
    /// The reservation that was settled.
    pub reservation_id: Option<ReservationId>,
    /// The instance that spent.
    pub instance_id: Option<InstanceId>,
    /// What caused it, in the words of the lot or of the reservation; may be empty.
    pub source_ref: String,
    /// The lines; they sum to zero. The wallet's line is the first, even when it is zero.
    pub lines: Vec<Line>,
    /// The wallet's balance after it (available + reserved).
    pub balance: Credits,
    /// When it was booked.
    pub create_time: Time,
}

/// One line of an entry, as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The entry.
    pub ledger_entry_id: LedgerEntryId,
    /// The book and what was added to it.
    pub line: Line,
    /// What the entry is about.
    pub kind: Kind,
    /// The instance that spent.
    pub instance_id: Option<InstanceId>,
    /// The reservation that was settled.
    pub reservation_id: Option<ReservationId>,
    /// What caused it; may be empty.
    pub source_ref: String,
    /// When it was booked.
    pub create_time: Time,
}

/// What an entry has whatever it is about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heading<'a> {
    /// The id of the new entry.
    pub(crate) ledger_entry_id: LedgerEntryId,
    /// The wallet as it is after the entry.
    pub(crate) wallet: &'a Wallet,
    /// The present.
    pub(crate) now: Time,
}

impl Entry {
    /// What the entry added to the wallet (negative: took).
    #[must_use]
    pub fn amount(&self) -> Credits {
        self.lines.first().map_or(Credits::ZERO, |line| line.amount)
    }

    /// Books a new lot: `platform:granted`, `sold` or `adjusted` → wallet.
    pub(crate) fn top_up(heading: Heading<'_>, lot: &Lot) -> Result<Self, Error> {
        let counter = match lot.source {
            Source::Trial | Source::Promotion => Platform::Granted,
            Source::Purchase => Platform::Sold,
            Source::Adjustment => Platform::Adjusted,
        };
        let lines = vec![heading.wallet_line(lot.original), platform(counter, taken(lot.original)?)];
        let entry = Self::new(heading, Kind::TopUp, lines)?;
        Ok(Self { lot_id: Some(lot.lot_id), source_ref: lot.source_ref.clone(), ..entry })
    }

    /// Books a settle: wallet → `platform:earned`, and `platform:overrun` → `platform:earned` for what the
    /// wallet could not pay.
    pub(crate) fn settle(
        heading: Heading<'_>,
        settled: &Reservation,
        charged: Credits,
        overrun: Credits,
    ) -> Result<Self, Error> {
        let cost = charged.plus(overrun).ok_or(Error::Broken("cost out of range"))?;
        let mut lines = vec![heading.wallet_line(taken(charged)?), platform(Platform::Earned, cost)];
        if overrun != Credits::ZERO {
            lines.push(platform(Platform::Overrun, taken(overrun)?));
        }
        let entry = Self::new(heading, Kind::Settle, lines)?;
        Ok(Self {
            reservation_id: Some(settled.reservation_id),
            instance_id: Some(settled.instance_id),
            source_ref: settled.source_ref.clone(),
            ..entry
        })
    }

    fn new(heading: Heading<'_>, kind: Kind, lines: Vec<Line>) -> Result<Self, Error> {
        let sum: i128 = lines.iter().map(|line| i128::from(line.amount.micros())).sum();
        if sum != 0 {
            return Err(Error::Broken("the lines of a ledger entry do not sum to zero"));
        }
        Ok(Self {
            ledger_entry_id: heading.ledger_entry_id,
            org_id: heading.wallet.org_id,
            wallet_id: heading.wallet.wallet_id,
            kind,
            lot_id: None,
            reservation_id: None,
            instance_id: None,
            source_ref: String::new(),
            lines,
            balance: heading.wallet.balance()?,
            create_time: heading.now,
        })
    }
}

impl Heading<'_> {
    const fn wallet_line(self, amount: Credits) -> Line {
        Line { book: Book::Wallet(self.wallet.wallet_id), amount }
    }
}

const fn platform(book: Platform, amount: Credits) -> Line {
    Line { book: Book::Platform(book), amount }
}

fn taken(amount: Credits) -> Result<Credits, Error> {
    Credits::ZERO.minus(amount).ok_or(Error::Broken("ledger amount out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_book_reads_back() {
        let wallet = Book::Wallet(WalletId::from_bits(5));
        for book in Platform::ALL.iter().map(|book| Book::Platform(*book)).chain([wallet]) {
            assert_eq!(book.to_string().parse(), Ok(book));
        }
        assert!("platform:bank".parse::<Book>().is_err());
        assert!("wlt_short".parse::<Book>().is_err());
    }
}
