//! A shop of one wallet, one instance and a price of one micro a `unit`, and short ways to ask it.

use souk_types::{Credits, id::LedgerEntryId};

use super::{
    Command, asked, at, authorize, entry, instance, org, rsv, schedule, settle, shelf::Shelf, top_up, wallet,
};
use crate::{
    error::Error,
    model::{
        Receipt, Reservation, WalletState,
        command::{Answer, End, Refusal},
        lots::Allocation,
    },
};

/// The shop, and the moment of the next command.
pub(super) struct Shop {
    pub(super) shelf: Shelf,
    pub(super) now: i64,
}

impl Shop {
    pub(super) fn new() -> Self {
        let prices = schedule(&[("unit", 1, 1), ("third", 1, 3), ("free", 0, 1)], &[("unit", 7)]);
        let schedule_hash = prices.content_hash().to_owned();
        let mut shop = Self { shelf: Shelf::with(vec![prices]), now: 1 };
        shop.ask(Command::OpenWallet { org_id: org(1), wallet_id: wallet(1) }).unwrap();
        let (instance_id, wallet_id) = (instance(1), wallet(1));
        shop.ask(Command::OpenAccount { instance_id, wallet_id, schedule_hash }).unwrap();
        shop
    }

    pub(super) fn with(amount: i64) -> Self {
        let mut shop = Self::new();
        shop.ask(Command::TopUp(top_up(1, 1, amount))).unwrap();
        shop
    }

    pub(super) fn ask(&mut self, command: Command) -> Result<Answer, Error> {
        self.shelf.run(&[asked(command)], at(self.now)).remove(0)
    }

    pub(super) fn allowed(&mut self, id: u128, units: i64) -> Reservation {
        match self.ask(authorize(1, id, &[("unit", units)])) {
            Ok(Answer::Allowed { reservation, .. }) => *reservation,
            other => panic!("expected to be allowed: {other:?}"),
        }
    }

    pub(super) fn refused(&mut self, id: u128, units: i64) -> Refusal {
        match self.ask(authorize(1, id, &[("unit", units)])) {
            Ok(Answer::Refused(refusal)) => refusal,
            other => panic!("expected a refusal: {other:?}"),
        }
    }

    pub(super) fn settled(&mut self, id: u128, units: i64) -> Receipt {
        match self.ask(settle(id, 2_000_000 + id * 1_000, &[("unit", units)])) {
            Ok(Answer::Settled(receipt)) => *receipt,
            other => panic!("expected a receipt: {other:?}"),
        }
    }

    /// (available, reserved) of the wallet.
    pub(super) fn counters(&self) -> (i64, i64) {
        let wallet = self.shelf.wallets.get(&wallet(1)).unwrap();
        (wallet.available.micros(), wallet.reserved.micros())
    }

    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.shelf.facts.iter().map(|fact| fact.kind).collect()
    }
}

pub(super) fn figures(receipt: &Receipt) -> (i64, i64, i64, i64) {
    let of = |amount: Credits| amount.micros();
    (of(receipt.cost), of(receipt.charged), of(receipt.overrun), of(receipt.balance))
}

pub(super) fn parts(allocations: &[Allocation]) -> Vec<(u128, i64)> {
    allocations.iter().map(|part| (part.lot_id.bits(), part.amount.micros())).collect()
}

pub(super) fn end(id: u128) -> End {
    // Away from the entries of settles.
    let ledger_entry_id: LedgerEntryId = entry(1_000_000 + id * 1_000);
    End { reservation_id: rsv(id), ledger_entry_id }
}

pub(super) fn release(id: u128) -> Command {
    Command::Release(end(id))
}

pub(super) fn expire(id: u128) -> Command {
    Command::Expire(end(id))
}

pub(super) fn set_wallet(state: WalletState) -> Command {
    Command::SetWalletState { wallet_id: wallet(1), state }
}
