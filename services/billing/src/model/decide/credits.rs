//! How credits come in and leave without work: top-ups, adjustments, reversals, expiry.

use souk_types::{
    Credits, Time,
    id::{LedgerEntryId, LotId},
};

use super::{Decided, Turn, check_source_ref};
use crate::{
    error::Error,
    model::{
        Wallet,
        command::{Adjust, Answer, MAX_NOTE, Reversal, Reverse, TopUp},
        facts,
        ledger::Journal,
        lots::{Lot, Source},
        purse::Purse,
        state::Change,
    },
};

impl Turn<'_> {
    pub(super) fn top_up(&self, ask: &TopUp) -> Decided {
        let wallet = self.state.wallet(self.scope, ask.wallet_id)?;
        check_source_ref("source_ref", &ask.source_ref)?;
        let lot = Lot {
            source: ask.source,
            source_ref: ask.source_ref.clone(),
            priority: ask.priority,
            expire_time: ask.expire_time,
            ..self.new_lot(wallet, ask.lot_id, ask.amount)
        };
        let (change, wallet) = self.come_in(wallet, lot, ask.ledger_entry_id)?;
        let (lot_id, ledger_entry_id) = (ask.lot_id, ask.ledger_entry_id);
        Ok((change, Answer::ToppedUp { wallet, lot_id, ledger_entry_id }))
    }

    pub(super) fn adjust(&self, ask: &Adjust) -> Decided {
        let wallet = self.state.wallet(self.scope, ask.wallet_id)?;
        check_note(&ask.note)?;
        let taken = Credits::ZERO.minus(ask.amount);
        let taken = taken.ok_or(Error::AmountOutOfRange { field: "amount_micros" })?;
        let (change, wallet) = if taken > Credits::ZERO {
            if ask.expire_time.is_some() {
                return Err(Error::field("expire_time", "is for credits that are given"));
            }
            let mut purse = Purse::open(self.state, wallet, self.now);
            let available = purse.free()?;
            if available < taken {
                return Err(Error::InsufficientCredits { required: taken, available });
            }
            purse.spend(taken)?;
            let mut journal = Journal::open(wallet, ask.ledger_entry_id, self.now)?;
            journal.adjusted_away(taken, &ask.note)?;
            self.close(wallet, purse, journal, Vec::new())?
        } else {
            let lot = Lot {
                source: Source::Adjustment,
                source_ref: ask.note.clone(),
                priority: Source::Adjustment.priority(),
                expire_time: ask.expire_time,
                ..self.new_lot(wallet, ask.lot_id, ask.amount)
            };
            self.come_in(wallet, lot, ask.ledger_entry_id)?
        };
        Ok((change, Answer::Adjusted { wallet, ledger_entry_id: ask.ledger_entry_id }))
    }

    /// All lots that this top-up made (a reference may have been used twice): from each what is there, in the
    /// order of burning, until it is enough.
    pub(super) fn reverse(&self, ask: &Reverse) -> Decided {
        let wallet = self.state.wallet(self.scope, ask.wallet_id)?;
        if ask.amount.is_negative() {
            return Err(Error::AmountOutOfRange { field: "amount_micros" });
        }
        if ask.source_ref.is_empty() {
            return Err(Error::field("source_ref", "required"));
        }
        check_source_ref("reason", &ask.cause)?;
        let lots: Vec<_> = self.state.topped_up(wallet.wallet_id, &ask.source_ref).collect();
        if lots.is_empty() {
            return Err(Error::LotNotFound { source_ref: ask.source_ref.clone() });
        }
        let left = lots.iter().try_fold(Credits::ZERO, |sum, lot| sum.plus(lot.not_reversed()?));
        // What was bought over the years may be more than fits; what is asked for does.
        let left = left.unwrap_or(Credits::from_micros(i64::MAX));
        let wanted = if ask.amount == Credits::ZERO { left } else { ask.amount.min(left) };
        let mut purse = Purse::open(self.state, wallet, self.now);
        let (mut reversed, mut pending, mut consumed) = (Credits::ZERO, Credits::ZERO, wanted);
        let out_of_range = || Error::Broken("reversal out of range");
        for lot in lots {
            let (now, later) = purse.reverse(lot.lot_id, consumed, &ask.cause)?;
            reversed = reversed.plus(now).ok_or_else(out_of_range)?;
            pending = pending.plus(later).ok_or_else(out_of_range)?;
            consumed = consumed.minus(now).and_then(|rest| rest.minus(later)).ok_or_else(out_of_range)?;
        }
        let answer = |wallet: &Wallet, ledger_entry_id| {
            let balance = wallet.balance()?;
            let reversal = Reversal { reversed, pending, consumed, balance, ledger_entry_id };
            Ok::<_, Error>(Answer::Reversed(reversal))
        };
        if (reversed, pending) == (Credits::ZERO, Credits::ZERO) {
            return Ok((Change::default(), answer(wallet, None)?));
        }
        let journal = Journal::open(wallet, ask.ledger_entry_id, self.now)?;
        let (change, wallet) = self.close(wallet, purse, journal, Vec::new())?;
        let first = change.entries.first().map(|entry| entry.ledger_entry_id);
        Ok((change, answer(&wallet, first)?))
    }

    /// The sweep's: whatever of an expired lot is free leaves the wallet; what is given back to it later
    /// leaves by the next sweep.
    pub(super) fn expire_lots(&self, wallet: &Wallet, first: LedgerEntryId) -> Decided {
        let mut purse = Purse::open(self.state, wallet, self.now);
        let gone = purse.lapse()?;
        if gone.is_empty() {
            return Ok((Change::default(), Answer::Lapsed(0)));
        }
        let mut journal = Journal::open(wallet, first, self.now)?;
        for part in &gone {
            let lot = self.state.lots.get(&part.lot_id).ok_or(Error::Broken("a lot is gone"))?;
            journal.expired(lot, part.amount)?;
        }
        let (mut change, _) = self.close(wallet, purse, journal, Vec::new())?;
        let told = gone.iter().filter_map(|part| {
            let lot = change.lots.iter().find(|lot| lot.lot_id == part.lot_id)?;
            Some(facts::of_lot_left(facts::LOT_EXPIRED, lot, part.amount, self.now))
        });
        let told: Vec<_> = told.collect();
        change.facts.splice(0..0, told);
        Ok((change, Answer::Lapsed(gone.len())))
    }

    fn come_in(
        &self,
        before: &Wallet,
        lot: Lot,
        ledger_entry_id: LedgerEntryId,
    ) -> Result<(Change, Wallet), Error> {
        if lot.original <= Credits::ZERO {
            return Err(Error::AmountOutOfRange { field: "amount_micros" });
        }
        check_expire_time(lot.expire_time, self.now)?;
        if self.state.lots.contains_key(&lot.lot_id) {
            return Err(Error::IdTaken(lot.lot_id.to_string()));
        }
        let mut journal = Journal::open(before, ledger_entry_id, self.now)?;
        let mut purse = Purse::open(self.state, before, self.now);
        purse.add(lot.clone())?;
        journal.came_in(&lot)?;
        let added = facts::of_lot(&Lot { version: lot.version.saturating_add(1), ..lot }, self.now);
        self.close(before, purse, journal, vec![added])
    }

    fn new_lot(&self, wallet: &Wallet, lot_id: LotId, amount: Credits) -> Lot {
        Lot {
            lot_id,
            org_id: wallet.org_id,
            wallet_id: wallet.wallet_id,
            source: Source::Adjustment,
            source_ref: String::new(),
            priority: 0,
            expire_time: None,
            original: amount,
            available: amount,
            reserved: Credits::ZERO,
            reversed: Credits::ZERO,
            pending: Credits::ZERO,
            reversal_ref: String::new(),
            create_time: self.now,
            version: 0,
        }
    }
}

fn check_expire_time(end: Option<Time>, now: Time) -> Result<(), Error> {
    if end.is_some_and(|end| end <= now) {
        return Err(Error::field("expire_time", "is not in the future"));
    }
    Ok(())
}

fn check_note(note: &str) -> Result<(), Error> {
    if note.trim().is_empty() || note.chars().count() > MAX_NOTE || note.contains(char::is_control) {
        return Err(Error::field("note", "needs 1 to 200 printable characters"));
    }
    Ok(())
}
