//! The decision: a batch of commands on loaded state becomes rows to write and answers.
//!
//! Each command is decided on immutable state and yields a `Change` or an error; only a whole change is
//! applied. Every use case of billing is one function here or in a room of this one; credits move in `purse`
//! only, and are booked in `ledger` only.

mod credits;
mod spending;

use souk_types::{
    Credits, Scope, Time,
    access::Admission,
    id::{OrgId, WalletId},
};

use super::{
    Account, AccountState, Wallet, WalletState,
    command::{Answer, Command, MAX_SOURCE_REF, Request},
    facts::{self, Fact},
    ledger::Journal,
    lots::Lot,
    purse::{Closed, Purse},
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
        Command::SetAccountSchedule { instance_id, schedule_hash } => {
            turn.set_account_schedule(state.account(&request.scope, *instance_id)?, schedule_hash)
        }
        Command::SetWalletState { wallet_id, state: wanted } => {
            Ok(turn.set_wallet_state(state.wallet(&request.scope, *wallet_id)?, *wanted))
        }
        Command::TopUp(ask) => turn.top_up(ask),
        Command::Adjust(ask) => turn.adjust(ask),
        Command::Reverse(ask) => turn.reverse(ask),
        Command::Authorize(ask) => turn.authorize(ask),
        Command::Extend(ask) => turn.extend(ask),
        Command::Settle(ask) => turn.settle(ask),
        Command::Release(ask) => turn.release(ask),
        Command::Expire(ask) => turn.expire(ask),
        Command::ExpireLots { wallet_id, ledger_entry_id } => {
            turn.expire_lots(state.wallet(&request.scope, *wallet_id)?, *ledger_entry_id)
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

    fn set_wallet_state(&self, wallet: &Wallet, wanted: WalletState) -> (Change, Answer) {
        let lots = self.state.burning(wallet.wallet_id).filter(|lot| lot.holds_something());
        let lots: Vec<Lot> = lots.cloned().collect();
        if wallet.state == wanted {
            return (Change::default(), Answer::WalletSet { wallet: wallet.clone(), lots });
        }
        let version = wallet.version.saturating_add(1);
        let wallet = Wallet { state: wanted, version, ..wallet.clone() };
        let facts = vec![facts::of_wallet(facts::WALLET_STATE_CHANGED, &wallet, self.now)];
        let change = Change { wallet: Some(wallet.clone()), facts, ..Change::default() };
        (change, Answer::WalletSet { wallet, lots })
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
        Ok(self.account(facts::ACCOUNT_OPENED, new))
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
        Ok(self.account(facts::ACCOUNT_STATE_CHANGED, account))
    }

    /// Reservations name their own schedule, so that open ones keep it.
    fn set_account_schedule(&self, account: &Account, wanted: &str) -> Decided {
        if account.schedule_hash == wanted {
            return Ok((Change::default(), Answer::Account(account.clone())));
        }
        if account.state == AccountState::Closed {
            return Err(Error::AccountClosed(account.instance_id));
        }
        self.state.schedule(wanted)?;
        let version = account.version.saturating_add(1);
        let account = Account { schedule_hash: wanted.to_owned(), version, ..account.clone() };
        Ok(self.account(facts::ACCOUNT_SCHEDULE_CHANGED, account))
    }

    fn account(&self, kind: &'static str, account: Account) -> (Change, Answer) {
        let facts = vec![facts::of_account(kind, &account, self.now)];
        let change = Change { account: Some(account.clone()), facts, ..Change::default() };
        (change, Answer::Account(account))
    }

    /// Ends a command that moved credits: books what was taken back on the way, closes the books, and tells
    /// when the wallet became empty or no longer is.
    fn close(
        &self,
        before: &Wallet,
        purse: Purse<'_>,
        mut journal: Journal<'_>,
        mut facts: Vec<Fact>,
    ) -> Result<(Change, Wallet), Error> {
        let Closed { wallet, lots, taken_back } = purse.close();
        for (lot, amount) in &taken_back {
            journal.taken_back(lot, *amount)?;
            facts.push(facts::of_lot_left(facts::LOT_REVERSED, lot, *amount, self.now));
        }
        let entries = journal.done(&wallet)?;
        facts.extend(facts::of_balance(before, &wallet, self.now));
        let change = Change { wallet: Some(wallet.clone()), lots, entries, facts, ..Change::default() };
        Ok((change, wallet))
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

fn check_source_ref(field: &'static str, text: &str) -> Result<(), Error> {
    if text.len() > MAX_SOURCE_REF || text.contains(char::is_control) {
        return Err(Error::field(field, "needs at most 255 printable bytes"));
    }
    Ok(())
}
