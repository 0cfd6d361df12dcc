//! One wallet in the course of one command: the wallet and those of its lots that the command touches.
//!
//! The only room where credits move, so that a wallet and its lots always move together. Works on copies: a
//! command that fails half-way has changed nothing.

use std::collections::BTreeMap;

use souk_types::{Credits, Time, id::LotId};

use super::{
    Wallet,
    lots::{Allocation, Lot, Shift},
    state::State,
};
use crate::error::Error;

/// See the module.
#[derive(Debug)]
pub(super) struct Purse<'a> {
    state: &'a State,
    wallet: Wallet,
    lots: BTreeMap<LotId, Lot>,
    taken_back: BTreeMap<LotId, Credits>,
    now: Time,
}

/// What a command did to a wallet: each row one version later.
#[derive(Debug)]
pub(super) struct Closed {
    /// The wallet.
    pub(super) wallet: Wallet,
    /// The lots that changed.
    pub(super) lots: Vec<Lot>,
    /// What left the wallet by reversal, by lot.
    pub(super) taken_back: Vec<(Lot, Credits)>,
}

impl<'a> Purse<'a> {
    /// Starts on a wallet.
    pub(super) fn open(state: &'a State, wallet: &Wallet, now: Time) -> Self {
        let (lots, taken_back) = (BTreeMap::new(), BTreeMap::new());
        Self { state, wallet: wallet.clone(), lots, taken_back, now }
    }

    /// What could be reserved or charged at this moment: what the lots that have not expired have available.
    pub(super) fn free(&self) -> Result<Credits, Error> {
        self.burning()
            .try_fold(Credits::ZERO, |sum, lot| sum.plus(lot.free(self.now)))
            .ok_or(Error::Broken("lots out of range"))
    }

    /// Adds a new lot.
    pub(super) fn add(&mut self, lot: Lot) -> Result<(), Error> {
        let out_of_range = || Error::AmountOutOfRange { field: "wallet balance" };
        self.wallet.available = self.wallet.available.plus(lot.available).ok_or_else(out_of_range)?;
        // The sum must fit too: later on everything reserved may become available again.
        self.wallet.available.plus(self.wallet.reserved).ok_or_else(out_of_range)?;
        self.lots.insert(lot.lot_id, lot);
        Ok(())
    }

    /// Reserves `amount`, which must be free, from the lots in the order of burning.
    pub(super) fn reserve(&mut self, amount: Credits) -> Result<Vec<Allocation>, Error> {
        self.take(Shift::Reserve, amount)
    }

    /// Takes `amount`, which must be free, out of the lots in the order of burning.
    pub(super) fn spend(&mut self, amount: Credits) -> Result<Vec<Allocation>, Error> {
        self.take(Shift::Spend, amount)
    }

    /// Gives back all that a reservation holds; what is to be taken back of a lot goes there first.
    pub(super) fn give_back(&mut self, held: &[Allocation]) -> Result<(), Error> {
        for part in held {
            let back = part.amount.min(self.lot(part.lot_id)?.pending);
            self.shift(Shift::ReverseReserved, part.lot_id, back)?;
            self.shift(Shift::GiveBack, part.lot_id, less(part.amount, back)?)?;
        }
        Ok(())
    }

    /// Charges up to `amount` to what a reservation holds, in the order it was taken, and gives back the
    /// rest; answers what was charged. Lots that have expired meanwhile pay like the others.
    pub(super) fn spend_held(
        &mut self,
        held: &[Allocation],
        amount: Credits,
    ) -> Result<Vec<Allocation>, Error> {
        let mut rest = amount;
        let mut charged = Vec::new();
        for part in held {
            let paid = Allocation { lot_id: part.lot_id, amount: part.amount.min(rest) };
            rest = less(rest, paid.amount)?;
            if paid.amount != Credits::ZERO {
                self.shift(Shift::SpendReserved, paid.lot_id, paid.amount)?;
                charged.push(paid);
            }
            self.give_back(&[Allocation { amount: less(part.amount, paid.amount)?, ..*part }])?;
        }
        Ok(charged)
    }

    /// Takes back up to `amount` of a lot: what is free now, the rest from its reserved part as that is given
    /// back. Answers both.
    pub(super) fn reverse(
        &mut self,
        lot_id: LotId,
        amount: Credits,
        cause: &str,
    ) -> Result<(Credits, Credits), Error> {
        let lot = self.lot(lot_id)?;
        // The free rest of an expired lot is gone, whether the sweep came by or not.
        let now = amount.min(lot.free(self.now));
        let later = less(amount, now)?.min(less(lot.reserved, lot.pending)?);
        if (now, later) != (Credits::ZERO, Credits::ZERO) {
            self.shift(Shift::Reverse, lot_id, now)?;
            let lot = Lot { reversal_ref: cause.to_owned(), ..self.lot(lot_id)?.postponed(later)? };
            self.lots.insert(lot_id, lot);
        }
        Ok((now, later))
    }

    /// Takes the free rest of every lot whose time is over out of the wallet, in the order of burning.
    pub(super) fn lapse(&mut self) -> Result<Vec<Allocation>, Error> {
        let due = self.burning().filter(|lot| lot.is_due(self.now));
        let due: Vec<_> = due.map(|lot| Allocation { lot_id: lot.lot_id, amount: lot.available }).collect();
        due.iter().try_for_each(|part| self.shift(Shift::Spend, part.lot_id, part.amount))?;
        Ok(due)
    }

    /// Puts what a reservation takes from the same lot together, in the order of burning.
    pub(super) fn in_order(&self, parts: &[Allocation]) -> Result<Vec<Allocation>, Error> {
        let mut sums = BTreeMap::new();
        for part in parts {
            let key = self.lot(part.lot_id)?.burn_key();
            let sum = sums.entry(key).or_insert(Allocation { amount: Credits::ZERO, ..*part });
            sum.amount = sum.amount.plus(part.amount).ok_or(Error::Broken("sum out of range"))?;
        }
        Ok(sums.into_values().collect())
    }

    /// Ends: what changed, each row one version later.
    pub(super) fn close(self) -> Closed {
        let next = |version: i64| version.saturating_add(1);
        let wallet = Wallet { version: next(self.wallet.version), ..self.wallet };
        let lots = self.lots.into_values().map(|lot| Lot { version: next(lot.version), ..lot });
        let lots: Vec<_> = lots.collect();
        let back = lots.iter().filter_map(|lot| Some((lot.clone(), *self.taken_back.get(&lot.lot_id)?)));
        let taken_back = back.collect();
        Closed { wallet, lots, taken_back }
    }

    fn burning(&self) -> impl Iterator<Item = &Lot> {
        self.state.burning(self.wallet.wallet_id).map(|lot| self.lots.get(&lot.lot_id).unwrap_or(lot))
    }

    fn take(&mut self, shift: Shift, amount: Credits) -> Result<Vec<Allocation>, Error> {
        let mut rest = amount;
        let mut parts = Vec::new();
        for lot in self.burning() {
            let part = lot.free(self.now).min(rest);
            if part != Credits::ZERO {
                parts.push(Allocation { lot_id: lot.lot_id, amount: part });
                rest = less(rest, part)?;
            }
            if rest == Credits::ZERO {
                break;
            }
        }
        if rest != Credits::ZERO {
            return Err(Error::Broken("more was to be taken than is free"));
        }
        parts.iter().try_for_each(|part| self.shift(shift, part.lot_id, part.amount))?;
        Ok(parts)
    }

    fn lot(&self, lot_id: LotId) -> Result<&Lot, Error> {
        let lot = self.lots.get(&lot_id).or_else(|| self.state.lots.get(&lot_id));
        let lot = lot.filter(|lot| lot.wallet_id == self.wallet.wallet_id);
        lot.ok_or(Error::Broken("a lot of the wallet is gone"))
    }

    /// The one step by which credits move: lot and wallet alike.
    fn shift(&mut self, shift: Shift, lot_id: LotId, amount: Credits) -> Result<(), Error> {
        let shifted = self.lot(lot_id)?.shifted(shift, amount)?;
        let (available, reserved) = shift
            .apply((self.wallet.available, self.wallet.reserved), amount)
            .ok_or(Error::Broken("wallet below zero"))?;
        (self.wallet.available, self.wallet.reserved) = (available, reserved);
        self.lots.insert(lot_id, shifted);
        if matches!(shift, Shift::Reverse | Shift::ReverseReserved) && amount != Credits::ZERO {
            let sum = self.taken_back.entry(lot_id).or_default();
            *sum = sum.plus(amount).ok_or(Error::Broken("reversal out of range"))?;
        }
        Ok(())
    }
}

fn less(from: Credits, amount: Credits) -> Result<Credits, Error> {
    from.minus(amount).ok_or(Error::Broken("amount out of range"))
}
