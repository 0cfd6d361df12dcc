//! What a batch is decided on, and what it leaves to be written.
//!
//! `State` is loaded by the store under the locks of the wallets concerned, and carries the effect of each
//! command to the next one of the batch. `Rows` holds each changed row once, as it is at the batch's end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use souk_types::{
    Scope,
    access::Admission,
    id::{InstanceId, LotId, OrgId, ReservationId, WalletId},
};

use super::{
    Account, Receipt, Reservation, Wallet,
    facts::Fact,
    ledger::Entry,
    lots::{BurnKey, Lot, Source},
    pricing::Schedule,
};
use crate::error::Error;

/// The rows that a batch concerns. To be loaded, for each command:
///
/// - OpenWallet: the org's wallet.
/// - OpenAccount: the instance's account, the wallet, the schedule.
/// - SetAccountState: the account (its wallet's lock held).
/// - SetAccountSchedule: the same, and the new schedule.
/// - TopUp, Adjust, SetWalletState, ExpireLots: the wallet.
/// - Reverse: the wallet, and its lots of that `source_ref` also when they are used up.
/// - Authorize: the account, its wallet, its schedule.
/// - Extend: the reservation, its instance's account, its wallet and schedule.
/// - Settle: the reservation; its receipt when SETTLED; else its wallet and schedule.
/// - Release, Expire: the reservation and its wallet.
///
/// A wallet always comes whole, with all its lots that are not used up: a command may come to need them by
/// what an earlier one of its batch did. What is not loaded does not exist. More may be loaded: scopes are
/// checked per command. The ids of new nouns need no look-up: what is loaded is compared, and the primary key
/// refuses the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub(super) wallets: BTreeMap<WalletId, Wallet>,
    wallet_of: BTreeMap<OrgId, WalletId>,
    pub(super) lots: BTreeMap<LotId, Lot>,
    burn: BTreeMap<WalletId, BTreeSet<BurnKey>>,
    accounts: BTreeMap<InstanceId, Account>,
    pub(super) reservations: BTreeMap<ReservationId, Reservation>,
    receipts: BTreeMap<ReservationId, Receipt>,
    schedules: BTreeMap<String, Arc<Schedule>>,
}

impl State {
    /// Loads a wallet with all its lots that have anything available or reserved.
    pub fn put_wallet(&mut self, wallet: Wallet, lots: impl IntoIterator<Item = Lot>) {
        self.wallet_of.insert(wallet.org_id, wallet.wallet_id);
        self.wallets.insert(wallet.wallet_id, wallet);
        lots.into_iter().for_each(|lot| self.put_lot(lot));
    }

    /// Loads a lot more of a wallet that is loaded: one that is used up.
    pub fn put_lot(&mut self, lot: Lot) {
        self.burn.entry(lot.wallet_id).or_default().insert(lot.burn_key());
        self.lots.insert(lot.lot_id, lot);
    }

    /// Loads an account.
    pub fn put_account(&mut self, account: Account) {
        self.accounts.insert(account.instance_id, account);
    }

    /// Loads a reservation.
    pub fn put_reservation(&mut self, reservation: Reservation) {
        self.reservations.insert(reservation.reservation_id, reservation);
    }

    /// Loads the receipt of a settled reservation.
    pub fn put_receipt(&mut self, receipt: Receipt) {
        self.receipts.insert(receipt.reservation_id, receipt);
    }

    /// Loads a price schedule. They never change, so a store may keep and share them.
    pub fn put_schedule(&mut self, schedule: Arc<Schedule>) {
        self.schedules.insert(schedule.content_hash().to_owned(), schedule);
    }

    /// The org's wallet.
    pub(super) fn wallet_of(&self, org_id: OrgId) -> Option<&Wallet> {
        self.wallet_of.get(&org_id).and_then(|id| self.wallets.get(id))
    }

    /// The wallet, if `scope` may change it.
    pub(super) fn wallet(&self, scope: &Scope, id: WalletId) -> Result<&Wallet, Error> {
        let found = self.wallets.get(&id);
        admitted(scope, found, |wallet| wallet.org_id, Error::WalletNotFound(id))
    }

    /// The instance's account, if `scope` may change it.
    pub(super) fn account(&self, scope: &Scope, id: InstanceId) -> Result<&Account, Error> {
        let found = self.accounts.get(&id);
        admitted(scope, found, |account| account.org_id, Error::AccountNotFound(id))
    }

    /// The instance's account, whoever asks: an id is taken across all orgs.
    pub(super) fn account_of(&self, id: InstanceId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The reservation, if `scope` may change it.
    pub(super) fn reservation(&self, scope: &Scope, id: ReservationId) -> Result<&Reservation, Error> {
        let found = self.reservations.get(&id);
        admitted(scope, found, |reservation| reservation.org_id, Error::ReservationNotFound(id))
    }

    /// The receipt of a settled reservation.
    pub(super) fn receipt(&self, id: ReservationId) -> Result<&Receipt, Error> {
        self.receipts.get(&id).ok_or(Error::Broken("a settled reservation has no receipt"))
    }

    /// The price schedule with this content hash.
    pub(super) fn schedule(&self, hash: &str) -> Result<&Schedule, Error> {
        self.schedules.get(hash).map(AsRef::as_ref).ok_or_else(|| Error::ScheduleNotFound(hash.to_owned()))
    }

    /// The wallet's lots in the order of burning.
    pub(super) fn burning(&self, wallet_id: WalletId) -> impl Iterator<Item = &Lot> {
        let keys = self.burn.get(&wallet_id).into_iter().flatten();
        keys.filter_map(|key| self.lots.get(&key.lot_id()))
    }

    /// The wallet's lots that a top-up from this made, in the order of burning. What an operator gave is not
    /// theirs to take back who sell.
    pub(super) fn topped_up<'a>(
        &'a self,
        wallet_id: WalletId,
        source_ref: &'a str,
    ) -> impl Iterator<Item = &'a Lot> {
        let given = |lot: &&Lot| lot.source != Source::Adjustment;
        self.burning(wallet_id).filter(given).filter(move |lot| lot.source_ref == source_ref)
    }

    pub(super) fn apply(&mut self, change: &Change) {
        change.wallet.iter().cloned().for_each(|wallet| self.put_wallet(wallet, change.lots.iter().cloned()));
        change.account.iter().cloned().for_each(|account| self.put_account(account));
        change.reservation.iter().cloned().for_each(|reservation| self.put_reservation(reservation));
        change.receipt.iter().cloned().for_each(|receipt| self.put_receipt(receipt));
    }
}

fn admitted<'a, T>(
    scope: &Scope,
    found: Option<&'a T>,
    org_of: impl Fn(&T) -> OrgId,
    missing: Error,
) -> Result<&'a T, Error> {
    let Some(found) = found else { return Err(missing) };
    match scope.admit(org_of(found)) {
        Admission::Granted => Ok(found),
        Admission::Denied => Err(Error::Denied(org_of(found))),
        Admission::Hidden => Err(missing),
    }
}

/// The effect of one command: whole new rows.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) wallet: Option<Wallet>,
    pub(super) lots: Vec<Lot>,
    pub(super) account: Option<Account>,
    pub(super) reservation: Option<Reservation>,
    pub(super) entries: Vec<Entry>,
    pub(super) receipt: Option<Receipt>,
    pub(super) facts: Vec<Fact>,
}

/// What a batch leaves to be written in one transaction. Rows of the first four kinds replace the row of the
/// same key or are new (`version` counts from 1, several steps at once if a batch changed a row several
/// times); entries, receipts and facts are always new.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Wallets, as they are now.
    pub wallets: BTreeMap<WalletId, Wallet>,
    /// Lots, as they are now.
    pub lots: BTreeMap<LotId, Lot>,
    /// Accounts, as they are now.
    pub accounts: BTreeMap<InstanceId, Account>,
    /// Reservations, as they are now.
    pub reservations: BTreeMap<ReservationId, Reservation>,
    /// New ledger entries, in the order they were booked.
    pub entries: Vec<Entry>,
    /// New receipts.
    pub receipts: Vec<Receipt>,
    /// What happened, for the outbox: the place in the batch of the request that caused it, and the fact.
    pub facts: Vec<(usize, Fact)>,
}

impl Rows {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn absorb(&mut self, cause: usize, change: Change) {
        self.wallets.extend(change.wallet.map(|wallet| (wallet.wallet_id, wallet)));
        self.lots.extend(change.lots.into_iter().map(|lot| (lot.lot_id, lot)));
        self.accounts.extend(change.account.map(|account| (account.instance_id, account)));
        self.reservations
            .extend(change.reservation.map(|reservation| (reservation.reservation_id, reservation)));
        self.entries.extend(change.entries);
        self.receipts.extend(change.receipt);
        self.facts.extend(change.facts.into_iter().map(|fact| (cause, fact)));
    }
}
