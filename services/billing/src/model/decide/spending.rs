//! How credits are spent: authorize, extend, settle, and the ends of reservations.

use std::time::Duration;

use souk_types::{Credits, id::LedgerEntryId};

use super::{Decided, Turn, check_source_ref};
use crate::{
    error::Error,
    model::{
        Account, AccountState, Receipt, Reservation, ReservationState, Wallet, WalletState,
        command::{Answer, Authorize, End, Extend, MAX_TTL, Refusal, Settle},
        facts::{self, Fact},
        ledger::Journal,
        lots::Allocation,
        purse::{Closed, Purse},
        state::Change,
    },
};

impl Turn<'_> {
    pub(super) fn authorize(&self, ask: &Authorize) -> Decided {
        let account = self.state.account(self.scope, ask.instance_id)?;
        check_ttl(ask.ttl)?;
        check_source_ref("source_ref", &ask.source_ref)?;
        if self.state.reservations.contains_key(&ask.reservation_id) {
            return Err(Error::IdTaken(ask.reservation_id.to_string()));
        }
        let schedule = self.state.schedule(&account.schedule_hash)?;
        let estimate =
            if ask.estimate.is_empty() { schedule.default_estimate() } else { ask.estimate.as_slice() };
        let budget = schedule.price("estimate", estimate)?;
        let wallet = self.wallet_behind(account.wallet_id)?;
        let mut purse = Purse::open(self.state, wallet, self.now);
        let free = purse.free()?;
        // An empty wallet refuses work that is expected to cost nothing, too: it could not pay a surprise.
        let short = free == Credits::ZERO || free < budget;
        let short = short.then_some(Refusal::InsufficientCredits { required: budget, available: free });
        if let Some(refusal) = barred(account, wallet).or(short) {
            return Ok((Change::default(), Answer::Refused(refusal)));
        }
        let reservation = Reservation {
            reservation_id: ask.reservation_id,
            org_id: account.org_id,
            wallet_id: account.wallet_id,
            instance_id: account.instance_id,
            schedule_hash: account.schedule_hash.clone(),
            source_ref: ask.source_ref.clone(),
            budget,
            allocations: purse.reserve(budget)?,
            state: ReservationState::Open,
            create_time: self.now,
            expire_time: self.now + ask.ttl,
            close_time: None,
            version: 1,
        };
        let prices = schedule.quotes();
        let answer = Answer::Allowed { reservation: Box::new(reservation.clone()), prices };
        Ok((held(purse, reservation), answer))
    }

    /// Priced by the reservation's own schedule, whatever the account's is by now.
    pub(super) fn extend(&self, ask: &Extend) -> Decided {
        let found = self.state.reservation(self.scope, ask.reservation_id)?;
        ask.ttl.map_or(Ok(()), check_ttl)?;
        if found.state != ReservationState::Open {
            return Err(closed(found, found.state));
        }
        if found.is_due(self.now) {
            return Err(closed(found, ReservationState::Expired));
        }
        let more = self.state.schedule(&found.schedule_hash)?.price("estimate", &ask.estimate)?;
        let account = self.state.account_of(found.instance_id);
        let account = account.ok_or(Error::Broken("a reservation has no account"))?;
        let wallet = self.wallet_behind(found.wallet_id)?;
        let mut purse = Purse::open(self.state, wallet, self.now);
        let free = purse.free()?;
        let short = Refusal::InsufficientCredits { required: more, available: free };
        if let Some(refusal) = barred(account, wallet).or((free < more).then_some(short)) {
            let reservation = Box::new(found.clone());
            return Ok((Change::default(), Answer::NotExtended { refusal, reservation }));
        }
        let parts = [found.allocations.clone(), purse.reserve(more)?].concat();
        let reservation = Reservation {
            budget: found.budget.plus(more).ok_or(Error::Broken("budget out of range"))?,
            allocations: purse.in_order(&parts)?,
            // Never sooner than it was promised.
            expire_time: ask.ttl.map_or(found.expire_time, |ttl| found.expire_time.max(self.now + ttl)),
            version: found.version.saturating_add(1),
            ..found.clone()
        };
        let answer = Answer::Extended(Box::new(reservation.clone()));
        Ok((held(purse, reservation), answer))
    }

    pub(super) fn settle(&self, ask: &Settle) -> Decided {
        let found = self.state.reservation(self.scope, ask.reservation_id)?;
        match found.state {
            ReservationState::Settled => {
                let first = self.state.receipt(ask.reservation_id)?.clone();
                return Ok((Change::default(), Answer::Settled(Box::new(first))));
            }
            ReservationState::Released => return Err(closed(found, found.state)),
            ReservationState::Open | ReservationState::Expired => {}
        }
        let cost = self.state.schedule(&found.schedule_hash)?.price("usage", &ask.usage)?;
        let before = self.wallet_behind(found.wallet_id)?;
        let mut purse = Purse::open(self.state, before, self.now);
        let mut happened = Vec::new();
        let mut reservation = found.clone();
        if found.is_due(self.now) {
            // The sweep has not come by yet; what happens must not depend on when it does.
            purse.give_back(&found.allocations)?;
            reservation = reservation.closed(ReservationState::Expired, self.now);
            happened.push(facts::of_reservation(facts::RESERVATION_EXPIRED, &reservation, self.now));
        }
        let late = reservation.state == ReservationState::Expired;
        let held = if late { &[] } else { found.allocations.as_slice() };
        let charges = charge(&mut purse, held, cost)?;
        let charged = sum(&charges)?;
        let overrun = cost.minus(charged).ok_or(Error::Broken("cost out of range"))?;
        let mut journal = Journal::open(before, ask.ledger_entry_id, self.now)?;
        journal.settled(found, charged, overrun)?;
        let reservation = reservation.closed(ReservationState::Settled, self.now);
        let mut receipt = Receipt {
            receipt_id: ask.receipt_id,
            org_id: found.org_id,
            wallet_id: found.wallet_id,
            instance_id: found.instance_id,
            reservation_id: found.reservation_id,
            ledger_entry_id: ask.ledger_entry_id,
            schedule_hash: found.schedule_hash.clone(),
            usage: ask.usage.clone(),
            cost,
            charged,
            overrun,
            charges,
            balance: Credits::ZERO,
            late,
            create_time: self.now,
        };
        let (change, after) = self.close(before, purse, journal, Vec::new())?;
        receipt.balance = after.balance()?;
        happened.push(facts::of_receipt(&receipt, &reservation, self.now));
        happened.extend(change.facts);
        let answer = Answer::Settled(Box::new(receipt.clone()));
        let (reservation, receipt) = (Some(reservation), Some(receipt));
        Ok((Change { reservation, receipt, facts: happened, ..change }, answer))
    }

    pub(super) fn release(&self, ask: &End) -> Decided {
        let found = self.state.reservation(self.scope, ask.reservation_id)?;
        let balance = |wallet: Option<&Wallet>| match wallet {
            Some(wallet) => wallet.balance(),
            None => self.wallet_behind(found.wallet_id)?.balance(),
        };
        match found.state {
            ReservationState::Settled => Err(closed(found, found.state)),
            ReservationState::Released => {
                let (reservation, balance) = (Box::new(found.clone()), balance(None)?);
                Ok((Change::default(), Answer::Released { reservation, balance }))
            }
            // Also one that expired: whether the sweep came by first must not decide if a Settle may follow.
            ReservationState::Open | ReservationState::Expired => {
                let released = found.closed(ReservationState::Released, self.now);
                let fact = facts::of_reservation(facts::RESERVATION_RELEASED, &released, self.now);
                let reservation = Box::new(released.clone());
                let change = self.end(found, released, fact, ask.ledger_entry_id)?;
                let balance = balance(change.wallet.as_ref())?;
                Ok((change, Answer::Released { reservation, balance }))
            }
        }
    }

    pub(super) fn expire(&self, ask: &End) -> Decided {
        let found = self.state.reservation(self.scope, ask.reservation_id)?;
        if !found.is_due(self.now) {
            return Ok((Change::default(), Answer::Reservation(Box::new(found.clone()))));
        }
        let expired = found.closed(ReservationState::Expired, self.now);
        let fact = facts::of_reservation(facts::RESERVATION_EXPIRED, &expired, self.now);
        let answer = Answer::Reservation(Box::new(expired.clone()));
        Ok((self.end(found, expired, fact, ask.ledger_entry_id)?, answer))
    }

    /// Gives back what a reservation holds, if it still does.
    fn end(
        &self,
        found: &Reservation,
        ended: Reservation,
        fact: Fact,
        first: LedgerEntryId,
    ) -> Result<Change, Error> {
        let change = if found.state == ReservationState::Open {
            let before = self.wallet_behind(found.wallet_id)?;
            let mut purse = Purse::open(self.state, before, self.now);
            purse.give_back(&found.allocations)?;
            let journal = Journal::open(before, first, self.now)?;
            self.close(before, purse, journal, vec![fact])?.0
        } else {
            Change { facts: vec![fact], ..Change::default() }
        };
        Ok(Change { reservation: Some(ended), ..change })
    }
}

/// The effect of reserving: nothing is booked.
fn held(purse: Purse<'_>, reservation: Reservation) -> Change {
    let Closed { wallet, lots, .. } = purse.close();
    Change { wallet: Some(wallet), lots, reservation: Some(reservation), ..Change::default() }
}

fn check_ttl(ttl: Duration) -> Result<(), Error> {
    if ttl.is_zero() || ttl > MAX_TTL {
        return Err(Error::field("time_to_live", "needs more than nothing and at most 24 hours"));
    }
    Ok(())
}

/// Why these may not reserve anything; what is final comes first.
const fn barred(account: &Account, wallet: &Wallet) -> Option<Refusal> {
    match (account.state, wallet.state) {
        (AccountState::Closed, _) => Some(Refusal::AccountClosed),
        (AccountState::Frozen, _) => Some(Refusal::AccountFrozen),
        (AccountState::Active, WalletState::Frozen) => Some(Refusal::WalletFrozen),
        (AccountState::Active, WalletState::Active) => None,
    }
}

const fn closed(reservation: &Reservation, state: ReservationState) -> Error {
    Error::ReservationClosed { reservation_id: reservation.reservation_id, state }
}

/// Charges what is held, then what is free, up to `cost`.
fn charge(purse: &mut Purse<'_>, held: &[Allocation], cost: Credits) -> Result<Vec<Allocation>, Error> {
    let mut charges = purse.spend_held(held, cost)?;
    let rest = cost.minus(sum(&charges)?).ok_or(Error::Broken("charged more than the cost"))?;
    charges.extend(purse.spend(rest.min(purse.free()?))?);
    Ok(charges)
}

fn sum(parts: &[Allocation]) -> Result<Credits, Error> {
    let mut amounts = parts.iter().map(|part| part.amount);
    amounts.try_fold(Credits::ZERO, Credits::plus).ok_or(Error::Broken("sum out of range"))
}
