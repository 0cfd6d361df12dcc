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
    now: Time,
}

impl<'a> Purse<'a> {
    /// Starts on a wallet.
    pub(super) fn open(state: &'a State, wallet: &Wallet, now: Time) -> Self {
        Self { state, wallet: wallet.clone(), lots: BTreeMap::new(), now }
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

    /// Charges `amount`, which must be free, to the lots in the order of burning.
    pub(super) fn spend(&mut self, amount: Credits) -> Result<Vec<Allocation>, Error> {
        self.take(Shift::Spend, amount)
    }

    /// Gives back all that a reservation holds.
    pub(super) fn give_back(&mut self, held: &[Allocation]) -> Result<(), Error> {
        held.iter().try_for_each(|part| self.shift(Shift::GiveBack, part.lot_id, part.amount))
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
            let paid = part.amount.min(rest);
            rest = less(rest, paid)?;
            if paid != Credits::ZERO {
                self.shift(Shift::SpendReserved, part.lot_id, paid)?;
                charged.push(Allocation { lot_id: part.lot_id, amount: paid });
            }
            self.shift(Shift::GiveBack, part.lot_id, less(part.amount, paid)?)?;
        }
        Ok(charged)
    }

    /// Ends: the wallet and the lots that changed, each one version later.
    pub(super) fn close(self) -> (Wallet, Vec<Lot>) {
        let next = |version: i64| version.saturating_add(1);
        let wallet = Wallet { version: next(self.wallet.version), ..self.wallet };
        let lots = self.lots.into_values().map(|lot| Lot { version: next(lot.version), ..lot });
        (wallet, lots.collect())
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

    /// The one step by which credits move: lot and wallet alike.
    fn shift(&mut self, shift: Shift, lot_id: LotId, amount: Credits) -> Result<(), Error> {
        let lot = self.lots.get(&lot_id).or_else(|| self.state.lots.get(&lot_id));
        let lot = lot.filter(|lot| lot.wallet_id == self.wallet.wallet_id);
        let shifted = lot.ok_or(Error::Broken("a lot of the wallet is gone"))?.shifted(shift, amount)?;
        let (available, reserved) = shift
            .apply((self.wallet.available, self.wallet.reserved), amount)
            .ok_or(Error::Broken("wallet below zero"))?;
        (self.wallet.available, self.wallet.reserved) = (available, reserved);
        self.lots.insert(lot_id, shifted);
        Ok(())
    }
}

fn less(from: Credits, amount: Credits) -> Result<Credits, Error> {
    from.minus(amount).ok_or(Error::Broken("amount out of range"))
}
