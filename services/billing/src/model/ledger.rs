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
        /// A top-up was taken back.
        Reversal = "REVERSAL",
        /// An operator gave or took.
        Adjustment = "ADJUSTMENT",
        /// The free rest of a lot expired.
        Expiry = "EXPIRY",
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
    /// The lot that came in, was taken back or expired.
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

/// The entries of one command, in the order they are booked. They begin with the wallet's balance before the
/// command and must end with its balance after it.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    wallet: &'a Wallet,
    next_id: LedgerEntryId,
    balance: Credits,
    now: Time,
    entries: Vec<Entry>,
}

impl Entry {
    /// What the entry added to the wallet (negative: took).
    #[must_use]
    pub fn amount(&self) -> Credits {
        self.lines.first().map_or(Credits::ZERO, |line| line.amount)
    }
}

impl<'a> Journal<'a> {
    /// Begins with the wallet as it was before the command. The first entry gets the id `first`, those after
    /// it the ids that follow: how many there are is not known before the decision.
    pub(crate) fn open(wallet: &'a Wallet, first: LedgerEntryId, now: Time) -> Result<Self, Error> {
        Ok(Self { wallet, next_id: first, balance: wallet.balance()?, now, entries: Vec::new() })
    }

    /// Books a new lot: `platform:granted`, `sold` or `adjusted` → wallet.
    pub(crate) fn came_in(&mut self, lot: &Lot) -> Result<(), Error> {
        let (kind, counter) = match lot.source {
            Source::Trial | Source::Promotion => (Kind::TopUp, Platform::Granted),
            Source::Purchase => (Kind::TopUp, Platform::Sold),
            Source::Adjustment => (Kind::Adjustment, Platform::Adjusted),
        };
        let entry = self.post(kind, lot.original, &[(counter, taken(lot.original)?)])?;
        (entry.lot_id, entry.source_ref) = (Some(lot.lot_id), lot.source_ref.clone());
        Ok(())
    }

    /// Books a settle: wallet → `platform:earned`, and `platform:overrun` → `platform:earned` for what the
    /// wallet could not pay.
    pub(crate) fn settled(
        &mut self,
        settled: &Reservation,
        charged: Credits,
        overrun: Credits,
    ) -> Result<(), Error> {
        let cost = charged.plus(overrun).ok_or(Error::Broken("cost out of range"))?;
        let (earned, borne) = ((Platform::Earned, cost), (Platform::Overrun, taken(overrun)?));
        let lines: &[_] = if overrun == Credits::ZERO { &[earned] } else { &[earned, borne] };
        let entry = self.post(Kind::Settle, taken(charged)?, lines)?;
        entry.reservation_id = Some(settled.reservation_id);
        entry.instance_id = Some(settled.instance_id);
        entry.source_ref.clone_from(&settled.source_ref);
        Ok(())
    }

    /// Books what is taken back of a lot: wallet → `platform:reversed`.
    pub(crate) fn taken_back(&mut self, lot: &Lot, amount: Credits) -> Result<(), Error> {
        let entry = self.post(Kind::Reversal, taken(amount)?, &[(Platform::Reversed, amount)])?;
        let cause = if lot.reversal_ref.is_empty() { &lot.source_ref } else { &lot.reversal_ref };
        (entry.lot_id, entry.source_ref) = (Some(lot.lot_id), cause.clone());
        Ok(())
    }

    /// Books what expired of a lot: wallet → `platform:expired`.
    pub(crate) fn expired(&mut self, lot: &Lot, amount: Credits) -> Result<(), Error> {
        let entry = self.post(Kind::Expiry, taken(amount)?, &[(Platform::Expired, amount)])?;
        (entry.lot_id, entry.source_ref) = (Some(lot.lot_id), lot.source_ref.clone());
        Ok(())
    }

    /// Books what an operator takes: wallet → `platform:adjusted`.
    pub(crate) fn adjusted_away(&mut self, amount: Credits, note: &str) -> Result<(), Error> {
        let entry = self.post(Kind::Adjustment, taken(amount)?, &[(Platform::Adjusted, amount)])?;
        note.clone_into(&mut entry.source_ref);
        Ok(())
    }

    /// The entries, which together must make up what the command did to the wallet.
    pub(crate) fn done(self, after: &Wallet) -> Result<Vec<Entry>, Error> {
        if self.balance == after.balance()? {
            Ok(self.entries)
        } else {
            Err(Error::Broken("the entries do not make up what happened to the wallet"))
        }
    }

    /// The one place where entries are made: `amount` on the wallet against lines on the platform's books.
    fn post(
        &mut self,
        kind: Kind,
        amount: Credits,
        against: &[(Platform, Credits)],
    ) -> Result<&mut Entry, Error> {
        let own = Line { book: Book::Wallet(self.wallet.wallet_id), amount };
        let against =
            against.iter().map(|(book, amount)| Line { book: Book::Platform(*book), amount: *amount });
        let lines: Vec<_> = [own].into_iter().chain(against).collect();
        let sum: i128 = lines.iter().map(|line| i128::from(line.amount.micros())).sum();
        if sum != 0 {
            return Err(Error::Broken("the lines of a ledger entry do not sum to zero"));
        }
        self.balance = self.balance.plus(amount).ok_or(Error::Broken("wallet balance out of range"))?;
        self.entries.push(Entry {
            ledger_entry_id: self.next_id,
            org_id: self.wallet.org_id,
            wallet_id: self.wallet.wallet_id,
            kind,
            lot_id: None,
            reservation_id: None,
            instance_id: None,
            source_ref: String::new(),
            lines,
            balance: self.balance,
            create_time: self.now,
        });
        self.next_id = LedgerEntryId::from_bits(self.next_id.bits().wrapping_add(1));
        self.entries.last_mut().ok_or(Error::Broken("an entry is gone"))
    }
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
