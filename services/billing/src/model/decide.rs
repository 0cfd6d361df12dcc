//! The decision: a batch of commands on loaded state becomes rows to write and answers.
//!
//! Each command is decided on immutable state and yields a `Change` or an error; only a whole change is
//! applied. Every use case of billing is one function here; credits move in `purse` only.

use souk_types::{
    Credits, Scope, Time,
    access::Admission,
    id::{OrgId, WalletId},
};

use super::{
    Account, AccountState, Receipt, Reservation, ReservationState, Wallet, WalletState,
    command::{Answer, Authorize, Command, MAX_SOURCE_REF, MAX_TTL, Refusal, Request, Settle, TopUp},
    facts,
    ledger::{Entry, Heading},
    lots::{Allocation, Lot},
    purse::Purse,
    state::{Change, Rows, State},
};
use crate::error::Error;

/// What became of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// To be written, in one transaction, before anyone is answered.
    pub rows: Rows,
    /// One for each request, in their order. An error left nothing in `rows`.
    pub answers: Vec<Result<Answer, Error>>,
}

type Decided = Result<(Change, Answer), Error>;

/// Decides a batch, in order, at one moment. `state` carries the effects on.
pub fn decide(batch: &[Request], state: &mut State, now: Time) -> Decision {
    let mut decision = Decision::default();
    for (place, request) in batch.iter().enumerate() {
        let answer = one(request, state, now).map(|(change, answer)| {
            state.apply(&change);
            decision.rows.absorb(place, change);
            answer
        });
        decision.answers.push(answer);
    }
    decision
}

fn one(request: &Request, state: &State, now: Time) -> Decided {
    let turn = Turn { state, scope: &request.scope, now };
    match &request.command {
        Command::OpenWallet { org_id, wallet_id } => {
            let new = Wallet {
                wallet_id: *wallet_id,
                org_id: *org_id,
                state: WalletState::Active,
                available: Credits::ZERO,
                reserved: Credits::ZERO,
                create_time: now,
                version: 1,
            };
            turn.open_wallet(new)
        }
        Command::OpenAccount { instance_id, wallet_id, schedule_hash } => {
            let wallet = state.wallet(&request.scope, *wallet_id)?;
            let new = Account {
                instance_id: *instance_id,
                org_id: wallet.org_id,
                wallet_id: *wallet_id,
                schedule_hash: schedule_hash.clone(),
                state: AccountState::Active,
                create_time: now,
                version: 1,
            };
            turn.open_account(new)
        }
        Command::SetAccountState { instance_id, state: wanted } => {
            turn.set_account_state(state.account(&request.scope, *instance_id)?, *wanted)
        }
        Command::TopUp(ask) => turn.top_up(ask),
        Command::Authorize(ask) => turn.authorize(ask),
        Command::Settle(ask) => turn.settle(ask),
        Command::Release { reservation_id } => {
            turn.release(state.reservation(&request.scope, *reservation_id)?)
        }
        Command::Expire { reservation_id } => {
            turn.expire(state.reservation(&request.scope, *reservation_id)?)
        }
    }
}

/// One command's view: what stands, how far its caller reaches, and the present.
struct Turn<'a> {
    state: &'a State,
    scope: &'a Scope,
    now: Time,
}

impl Turn<'_> {
    fn open_wallet(&self, new: Wallet) -> Decided {
        self.admit(new.org_id, Error::WalletNotFound(new.wallet_id))?;
        if let Some(own) = self.state.wallet_of(new.org_id) {
            return Ok((Change::default(), Answer::Wallet(own.clone())));
        }
        if self.state.wallets.contains_key(&new.wallet_id) {
            return Err(Error::IdTaken(new.wallet_id.to_string()));
        }
        let facts = vec![facts::of_wallet(facts::WALLET_OPENED, &new, self.now)];
        Ok((Change { wallet: Some(new.clone()), facts, ..Change::default() }, Answer::Wallet(new)))
    }

    fn open_account(&self, new: Account) -> Decided {
        if let Some(own) = self.state.account_of(new.instance_id) {
            let same = own.wallet_id == new.wallet_id && own.schedule_hash == new.schedule_hash;
            return if same {
                Ok((Change::default(), Answer::Account(own.clone())))
            } else {
                Err(Error::AccountExists(new.instance_id))
            };
        }
        self.state.schedule(&new.schedule_hash)?;
        let facts = vec![facts::of_account(facts::ACCOUNT_OPENED, &new, self.now)];
        Ok((Change { account: Some(new.clone()), facts, ..Change::default() }, Answer::Account(new)))
    }

    fn set_account_state(&self, account: &Account, wanted: AccountState) -> Decided {
        if account.state == wanted {
            return Ok((Change::default(), Answer::Account(account.clone())));
        }
        if account.state == AccountState::Closed {
            return Err(Error::AccountClosed(account.instance_id));
        }
        let version = account.version.saturating_add(1);
        let account = Account { state: wanted, version, ..account.clone() };
        let facts = vec![facts::of_account(facts::ACCOUNT_STATE_CHANGED, &account, self.now)];
        Ok((Change { account: Some(account.clone()), facts, ..Change::default() }, Answer::Account(account)))
    }

    fn top_up(&self, ask: &TopUp) -> Decided {
        let wallet = self.state.wallet(self.scope, ask.wallet_id)?;
        if ask.amount <= Credits::ZERO {
            return Err(Error::AmountOutOfRange { field: "amount_micros" });
        }
        if ask.expire_time.is_some_and(|end| end <= self.now) {
            return Err(Error::field("expire_time", "is not in the future"));
        }
        check_source_ref(&ask.source_ref)?;
        if self.state.lots.contains_key(&ask.lot_id) {
            return Err(Error::IdTaken(ask.lot_id.to_string()));
        }
        let mut purse = Purse::open(self.state, wallet, self.now);
        let lot = Lot {
            lot_id: ask.lot_id,
            org_id: wallet.org_id,
            wallet_id: wallet.wallet_id,
            source: ask.source,
            source_ref: ask.source_ref.clone(),
            priority: ask.priority,
            expire_time: ask.expire_time,
            original: ask.amount,
            available: ask.amount,
            reserved: Credits::ZERO,
            create_time: self.now,
            version: 0,
        };
        purse.add(lot.clone())?;
        let (after, lots) = purse.close();
        let heading = Heading { ledger_entry_id: ask.ledger_entry_id, wallet: &after, now: self.now };
        let entry = Entry::top_up(heading, &lot)?;
        let mut happened: Vec<_> = lots.iter().map(|lot| facts::of_lot(lot, self.now)).collect();
        happened.extend(facts::of_balance(wallet, &after, self.now));
        let answer = Answer::ToppedUp {
            wallet: after.clone(),
            lot_id: ask.lot_id,
            ledger_entry_id: ask.ledger_entry_id,
        };
        let change =
            Change { wallet: Some(after), lots, entry: Some(entry), facts: happened, ..Change::default() };
        Ok((change, answer))
    }

    fn authorize(&self, ask: &Authorize) -> Decided {
        let account = self.state.account(self.scope, ask.instance_id)?;
        if ask.ttl.is_zero() || ask.ttl > MAX_TTL {
            return Err(Error::field("time_to_live", "needs more than nothing and at most 24 hours"));
        }
        check_source_ref(&ask.source_ref)?;
        if self.state.reservations.contains_key(&ask.reservation_id) {
            return Err(Error::IdTaken(ask.reservation_id.to_string()));
        }
        let schedule = self.state.schedule(&account.schedule_hash)?;
        let estimate =
            if ask.estimate.is_empty() { schedule.default_estimate() } else { ask.estimate.as_slice() };
        let budget = schedule.price("estimate", estimate)?;
        let wallet = self.wallet_behind(account.wallet_id)?;
        let mut purse = Purse::open(self.state, wallet, self.now);
        if let Some(refusal) = refusal(account, wallet, budget, purse.free()?) {
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
        let (after, lots) = purse.close();
        let answer = Answer::Allowed(Box::new(reservation.clone()));
        let change =
            Change { wallet: Some(after), lots, reservation: Some(reservation), ..Change::default() };
        Ok((change, answer))
    }

    fn settle(&self, ask: &Settle) -> Decided {
        let found = self.state.reservation(self.scope, ask.reservation_id)?;
        match found.state {
            ReservationState::Settled => {
                let first = self.state.receipt(ask.reservation_id)?.clone();
                return Ok((Change::default(), Answer::Settled(Box::new(first))));
            }
            ReservationState::Released => return Err(closed(found)),
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
        let (after, lots) = purse.close();
        let heading = Heading { ledger_entry_id: ask.ledger_entry_id, wallet: &after, now: self.now };
        let entry = Entry::settle(heading, found, charged, overrun)?;
        let reservation = reservation.closed(ReservationState::Settled, self.now);
        let receipt = Receipt {
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
            balance: entry.balance,
            late,
            create_time: self.now,
        };
        happened.push(facts::of_receipt(&receipt, &reservation, self.now));
        happened.extend(facts::of_balance(before, &after, self.now));
        let answer = Answer::Settled(Box::new(receipt.clone()));
        let change = Change {
            wallet: Some(after),
            lots,
            reservation: Some(reservation),
            entry: Some(entry),
            receipt: Some(receipt),
            facts: happened,
            ..Change::default()
        };
        Ok((change, answer))
    }

    fn release(&self, found: &Reservation) -> Decided {
        match found.state {
            ReservationState::Settled => Err(closed(found)),
            ReservationState::Released => {
                let balance = self.wallet_behind(found.wallet_id)?.balance()?;
                let reservation = Box::new(found.clone());
                Ok((Change::default(), Answer::Released { reservation, balance }))
            }
            // Also one that expired: whether the sweep came by first must not decide if a Settle may follow.
            ReservationState::Open | ReservationState::Expired => {
                let (change, reservation) =
                    self.end(found, ReservationState::Released, facts::RESERVATION_RELEASED)?;
                let wallet = match &change.wallet {
                    Some(wallet) => wallet,
                    None => self.wallet_behind(found.wallet_id)?,
                };
                let balance = wallet.balance()?;
                Ok((change, Answer::Released { reservation, balance }))
            }
        }
    }

    fn expire(&self, found: &Reservation) -> Decided {
        if found.is_due(self.now) {
            let (change, reservation) =
                self.end(found, ReservationState::Expired, facts::RESERVATION_EXPIRED)?;
            return Ok((change, Answer::Reservation(reservation)));
        }
        Ok((Change::default(), Answer::Reservation(Box::new(found.clone()))))
    }

    fn end(
        &self,
        found: &Reservation,
        state: ReservationState,
        kind: &'static str,
    ) -> Result<(Change, Box<Reservation>), Error> {
        let reservation = found.closed(state, self.now);
        let facts = vec![facts::of_reservation(kind, &reservation, self.now)];
        let answer = Box::new(reservation.clone());
        let mut change = Change { reservation: Some(reservation), facts, ..Change::default() };
        if found.state == ReservationState::Open {
            let mut purse = Purse::open(self.state, self.wallet_behind(found.wallet_id)?, self.now);
            purse.give_back(&found.allocations)?;
            let (wallet, lots) = purse.close();
            (change.wallet, change.lots) = (Some(wallet), lots);
        }
        Ok((change, answer))
    }

    /// The wallet of an account or reservation that the scope already admitted.
    fn wallet_behind(&self, id: WalletId) -> Result<&Wallet, Error> {
        self.state.wallets.get(&id).ok_or(Error::Broken("a wallet was not loaded"))
    }

    fn admit(&self, org_id: OrgId, hidden: Error) -> Result<(), Error> {
        match self.scope.admit(org_id) {
            Admission::Granted => Ok(()),
            Admission::Denied => Err(Error::Denied(org_id)),
            Admission::Hidden => Err(hidden),
        }
    }
}

fn check_source_ref(text: &str) -> Result<(), Error> {
    if text.len() > MAX_SOURCE_REF || text.contains(char::is_control) {
        return Err(Error::field("source_ref", "needs at most 255 printable bytes"));
    }
    Ok(())
}

/// Why these may not reserve `budget`; what is final comes first.
fn refusal(account: &Account, wallet: &Wallet, budget: Credits, free: Credits) -> Option<Refusal> {
    match (account.state, wallet.state) {
        (AccountState::Closed, _) => Some(Refusal::AccountClosed),
        (AccountState::Frozen, _) => Some(Refusal::AccountFrozen),
        (AccountState::Active, WalletState::Frozen) => Some(Refusal::WalletFrozen),
        // An empty wallet refuses work that is expected to cost nothing, too: it could not pay a surprise.
        (AccountState::Active, WalletState::Active) if free == Credits::ZERO || free < budget => {
            Some(Refusal::InsufficientCredits { required: budget, available: free })
        }
        (AccountState::Active, WalletState::Active) => None,
    }
}

const fn closed(reservation: &Reservation) -> Error {
    Error::ReservationClosed { reservation_id: reservation.reservation_id, state: reservation.state }
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
