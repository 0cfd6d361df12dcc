//! A store in memory: loads what `State` says a command needs, writes `Rows`, and checks the invariants.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use souk_types::{
    Time,
    id::{InstanceId, LotId, ReservationId, WalletId},
};

use crate::{
    error::Error,
    model::{
        Account, Receipt, Reservation, ReservationState, Wallet,
        command::{Adjust, Answer, Command, End, Request, Settle, TopUp},
        decide::decide,
        facts::{self, Fact},
        ledger::{Book, Entry, Kind},
        lots::Lot,
        pricing::Schedule,
        state::State,
    },
};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shelf {
    pub(crate) wallets: BTreeMap<WalletId, Wallet>,
    pub(crate) lots: BTreeMap<LotId, Lot>,
    pub(crate) accounts: BTreeMap<InstanceId, Account>,
    pub(crate) reservations: BTreeMap<ReservationId, Reservation>,
    pub(crate) receipts: BTreeMap<ReservationId, Receipt>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) schedules: Vec<Arc<Schedule>>,
}

impl Shelf {
    pub(crate) fn with(schedules: Vec<Arc<Schedule>>) -> Self {
        Self { schedules, ..Self::default() }
    }

    /// One batch: load, decide, write, check.
    pub(crate) fn run(&mut self, batch: &[Request], now: Time) -> Vec<Result<Answer, Error>> {
        let mut state = self.load(batch);
        let decision = decide(batch, &mut state, now);
        assert_eq!(decision.answers.len(), batch.len());
        let rows = decision.rows;
        moves_on(&self.wallets, &rows.wallets, |row| row.version);
        moves_on(&self.lots, &rows.lots, |row| row.version);
        moves_on(&self.accounts, &rows.accounts, |row| row.version);
        moves_on(&self.reservations, &rows.reservations, |row| row.version);
        self.wallets.extend(rows.wallets);
        self.lots.extend(rows.lots);
        self.accounts.extend(rows.accounts);
        self.reservations.extend(rows.reservations);
        for receipt in rows.receipts {
            let first = self.receipts.insert(receipt.reservation_id, receipt);
            assert_eq!(first, None, "a second receipt");
        }
        self.entries.extend(rows.entries);
        self.facts.extend(rows.facts.into_iter().map(|(cause, fact)| {
            assert!(decision.answers.get(cause).unwrap().is_ok(), "a refused command has a fact");
            fact
        }));
        self.check();
        decision.answers
    }

    fn load(&self, batch: &[Request]) -> State {
        let mut state = State::default();
        for request in batch {
            match &request.command {
                Command::OpenWallet { org_id, wallet_id } => {
                    let own = self.wallets.values().find(|wallet| wallet.org_id == *org_id);
                    own.into_iter().for_each(|wallet| self.load_wallet(wallet.wallet_id, &mut state));
                    self.load_wallet(*wallet_id, &mut state);
                }
                Command::OpenAccount { instance_id, wallet_id, schedule_hash } => {
                    self.load_account(*instance_id, &mut state);
                    self.load_wallet(*wallet_id, &mut state);
                    self.load_schedule(schedule_hash, &mut state);
                }
                Command::SetAccountState { instance_id, .. } => self.load_account(*instance_id, &mut state),
                Command::SetAccountSchedule { instance_id, schedule_hash } => {
                    self.load_account(*instance_id, &mut state);
                    self.load_schedule(schedule_hash, &mut state);
                }
                Command::SetWalletState { wallet_id, .. } | Command::ExpireLots { wallet_id, .. } => {
                    self.load_wallet(*wallet_id, &mut state);
                }
                Command::TopUp(TopUp { wallet_id, lot_id, .. })
                | Command::Adjust(Adjust { wallet_id, lot_id, .. }) => {
                    self.load_wallet(*wallet_id, &mut state);
                    // Stands in for the primary key; the lot may be used up.
                    let taken = self.lots.get(lot_id).filter(|lot| !lot.holds_something());
                    if let Some(lot) = taken {
                        state.put_lot(lot.clone());
                    } else if let Some(lot) = self.lots.get(lot_id) {
                        self.load_wallet(lot.wallet_id, &mut state);
                    }
                }
                Command::Reverse(ask) => {
                    self.load_wallet(ask.wallet_id, &mut state);
                    let own = self.lots.values().filter(|lot| lot.wallet_id == ask.wallet_id);
                    let own = own.filter(|lot| lot.source_ref == ask.source_ref && !lot.holds_something());
                    own.cloned().for_each(|lot| state.put_lot(lot));
                }
                Command::Authorize(ask) => {
                    if let Some(account) = self.accounts.get(&ask.instance_id) {
                        self.load_account(ask.instance_id, &mut state);
                        self.load_wallet(account.wallet_id, &mut state);
                        self.load_schedule(&account.schedule_hash, &mut state);
                    }
                    self.load_reservation(ask.reservation_id, &mut state);
                }
                Command::Extend(ask) => {
                    self.load_reservation(ask.reservation_id, &mut state);
                    if let Some(found) = self.reservations.get(&ask.reservation_id) {
                        self.load_account(found.instance_id, &mut state);
                    }
                }
                Command::Settle(Settle { reservation_id, .. })
                | Command::Release(End { reservation_id, .. })
                | Command::Expire(End { reservation_id, .. }) => {
                    self.load_reservation(*reservation_id, &mut state);
                }
            }
        }
        state
    }

    /// What the sweeps would find.
    pub(crate) fn due(&self, now: Time) -> (Vec<ReservationId>, BTreeSet<WalletId>) {
        let over = self.reservations.values().filter(|reservation| reservation.is_due(now));
        let lots = self.lots.values().filter(|lot| lot.is_due(now));
        (over.map(|row| row.reservation_id).collect(), lots.map(|lot| lot.wallet_id).collect())
    }

    fn load_wallet(&self, id: WalletId, state: &mut State) {
        let Some(wallet) = self.wallets.get(&id) else { return };
        state.put_wallet(wallet.clone(), self.unused(id));
    }

    fn unused(&self, id: WalletId) -> impl Iterator<Item = Lot> {
        self.lots.values().filter(move |lot| lot.wallet_id == id && lot.holds_something()).cloned()
    }

    fn load_account(&self, id: InstanceId, state: &mut State) {
        self.accounts.get(&id).into_iter().for_each(|account| state.put_account(account.clone()));
    }

    fn load_schedule(&self, hash: &str, state: &mut State) {
        let found = self.schedules.iter().find(|schedule| schedule.content_hash() == hash);
        found.into_iter().for_each(|schedule| state.put_schedule(Arc::clone(schedule)));
    }

    fn load_reservation(&self, id: ReservationId, state: &mut State) {
        let Some(found) = self.reservations.get(&id) else { return };
        state.put_reservation(found.clone());
        if found.state == ReservationState::Settled {
            state.put_receipt(self.receipts.get(&id).unwrap().clone());
        } else {
            self.load_wallet(found.wallet_id, state);
            self.load_schedule(&found.schedule_hash, state);
        }
    }

    /// The invariants of the module doc of `model`.
    fn check(&self) {
        for entry in &self.entries {
            assert_eq!(sum(entry.lines.iter().map(|line| line.amount.micros())), 0, "Σ of {entry:?}");
            assert_eq!(entry.lines.first().unwrap().book, Book::Wallet(entry.wallet_id));
        }
        for (id, wallet) in &self.wallets {
            let lots = || self.lots.values().filter(|lot| lot.wallet_id == *id);
            let (available, reserved) = (wallet.available.micros(), wallet.reserved.micros());
            assert!(available >= 0 && reserved >= 0, "{wallet:?}");
            assert_eq!(i128::from(available), sum(lots().map(|lot| lot.available.micros())));
            assert_eq!(i128::from(reserved), sum(lots().map(|lot| lot.reserved.micros())));
            let lines = self.entries.iter().flat_map(|entry| &entry.lines);
            let own = lines.filter(|line| line.book == Book::Wallet(*id)).map(|line| line.amount.micros());
            assert_eq!(i128::from(available) + i128::from(reserved), sum(own), "book of {wallet:?}");
            let mut balance = 0;
            for entry in self.entries.iter().filter(|entry| entry.wallet_id == *id) {
                balance += entry.amount().micros();
                assert_eq!(entry.balance.micros(), balance, "{entry:?}");
            }
            self.check_edges(wallet);
        }
        let mut held = BTreeMap::<LotId, i128>::new();
        for reservation in self.reservations.values() {
            let parts = || reservation.allocations.iter();
            assert!(parts().all(|part| part.amount.micros() > 0));
            let budget = sum(parts().map(|part| part.amount.micros()));
            assert_eq!(i128::from(reservation.budget.micros()), budget);
            assert_eq!(reservation.close_time.is_none(), reservation.state == ReservationState::Open);
            let settled = reservation.state == ReservationState::Settled;
            assert_eq!(settled, self.receipts.contains_key(&reservation.reservation_id));
            for part in parts().filter(|_| reservation.state == ReservationState::Open) {
                *held.entry(part.lot_id).or_default() += i128::from(part.amount.micros());
            }
        }
        for (id, lot) in &self.lots {
            let (available, reserved) = (lot.available.micros(), lot.reserved.micros());
            let (reversed, pending) = (lot.reversed.micros(), lot.pending.micros());
            assert!(available >= 0 && reserved >= 0 && reversed >= 0 && pending >= 0, "{lot:?}");
            assert!(pending <= reserved, "{lot:?}");
            assert_eq!(i128::from(reserved), held.get(id).copied().unwrap_or(0), "held of {lot:?}");
            let charges = self.receipts.values().flat_map(|receipt| &receipt.charges);
            let charges = charges.filter(|part| part.lot_id == *id).map(|part| part.amount.micros());
            let gone = |kind| {
                let own = self.entries.iter().filter(move |entry| entry.kind == kind);
                -sum(own.filter(|entry| entry.lot_id == Some(*id)).map(|entry| entry.amount().micros()))
            };
            assert_eq!(gone(Kind::Reversal), i128::from(reversed), "{lot:?}");
            let known = sum([available, reserved, reversed]) + sum(charges) + gone(Kind::Expiry);
            // What operators took names no lot.
            assert!(known <= i128::from(lot.original.micros()), "{lot:?}");
        }
        self.check_nothing_twice();
    }

    /// Facts of a wallet that became empty and of one that no longer is take turns, and the last is the truth.
    fn check_edges(&self, wallet: &Wallet) {
        let id = wallet.wallet_id.to_string();
        let edges = self.facts.iter().filter(|fact| fact.aggregate_id == id).map(|fact| fact.kind);
        let edges = edges.filter(|kind| [facts::WALLET_DEPLETED, facts::WALLET_REPLENISHED].contains(kind));
        let mut full = false;
        for edge in edges {
            assert_eq!(edge == facts::WALLET_REPLENISHED, !full, "an edge that is none");
            full = !full;
        }
        assert_eq!(full, wallet.balance().unwrap().micros() > 0, "an edge is missing");
    }

    fn check_nothing_twice(&self) {
        let ids: BTreeSet<_> = self.entries.iter().map(|entry| entry.ledger_entry_id).collect();
        assert_eq!(ids.len(), self.entries.len(), "an entry twice");
        let came_in = self
            .entries
            .iter()
            .filter(|entry| matches!(entry.kind, Kind::TopUp | Kind::Adjustment) && entry.lot_id.is_some());
        let came_in: BTreeSet<_> = came_in.filter_map(|entry| entry.lot_id).collect();
        assert!(came_in.iter().eq(self.lots.keys()), "each lot came in once");
        let settled = self.entries.iter().filter(|entry| entry.kind == Kind::Settle);
        assert_eq!(settled.count(), self.receipts.len());
        for receipt in self.receipts.values() {
            let parts = [receipt.charged.micros(), receipt.overrun.micros()];
            assert!(parts.iter().all(|part| *part >= 0));
            assert_eq!(sum(parts), i128::from(receipt.cost.micros()));
            let charges = receipt.charges.iter().map(|part| part.amount.micros());
            assert_eq!(sum(charges), i128::from(receipt.charged.micros()));
            assert!(ids.contains(&receipt.ledger_entry_id));
        }
        let steps: BTreeSet<_> =
            self.facts.iter().map(|fact| (&fact.aggregate_id, fact.aggregate_seq)).collect();
        assert_eq!(steps.len(), self.facts.len(), "two facts at one step of a noun");
    }
}

/// A row that is written is new or a later version: its etag never stands for two contents.
fn moves_on<K: Ord, V>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>, version: fn(&V) -> i64) {
    for (key, row) in new {
        assert!(version(row) > old.get(key).map_or(0, version), "an etag stands still");
    }
}

fn sum(amounts: impl IntoIterator<Item = i64>) -> i128 {
    amounts.into_iter().map(i128::from).sum()
}
