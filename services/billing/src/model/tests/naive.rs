//! The same rules written a second time, as plainly as can be: piles of credits, sorted at every look.
//!
//! It shares no code with the core beyond the ids and the commands, prices by its own table, and knows
//! nothing of rows, versions, counters or entries.

use std::collections::HashMap;

use souk_types::{
    Scope,
    access::Admission,
    id::{InstanceId, LedgerEntryId, LotId, OrgId, ReservationId, WalletId},
};

use crate::model::{
    AccountState,
    command::{Authorize, Command, Request, Settle, TopUp},
    pricing::Usage,
};

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Failed,
    Done,
    Refused(&'static str),
    Allowed { budget: i128 },
    Settled { first: LedgerEntryId, charged: i128, overrun: i128, balance: i128 },
}

/// Prices by schedule hash: (dimension, price, per), and the default estimate.
pub(super) type Prices = HashMap<String, (Vec<(&'static str, i64, i64)>, Vec<(&'static str, i64)>)>;

#[derive(Debug)]
struct Pile {
    lot: LotId,
    rank: (i32, i128, i64, LotId),
    free: i128,
}

#[derive(Debug)]
struct Wallet {
    org: OrgId,
    frozen: bool,
    piles: Vec<Pile>,
    held: i128,
}

#[derive(Debug)]
struct Account {
    org: OrgId,
    wallet: WalletId,
    schedule: String,
    state: AccountState,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Holding,
    Lapsed,
    Released,
    Settled(Outcome),
}

#[derive(Debug)]
struct Hold {
    org: OrgId,
    wallet: WalletId,
    schedule: String,
    parts: Vec<(LotId, i128)>,
    until: i64,
    stage: Stage,
}

#[derive(Debug, Default)]
pub(super) struct Naive {
    prices: Prices,
    wallets: HashMap<WalletId, Wallet>,
    accounts: HashMap<InstanceId, Account>,
    holds: HashMap<ReservationId, Hold>,
    /// What was given and sold, earned, and borne by the platform.
    pub(super) came_in: i128,
    pub(super) earned: i128,
    pub(super) borne: i128,
}

impl Naive {
    pub(super) fn new(prices: Prices) -> Self {
        Self { prices, ..Self::default() }
    }

    /// (free, held) of a wallet.
    pub(super) fn balance(&self, id: WalletId) -> Option<(i128, i128)> {
        let wallet = self.wallets.get(&id)?;
        Some((wallet.piles.iter().map(|pile| pile.free).sum(), wallet.held))
    }

    pub(super) fn freeze(&mut self, id: WalletId) {
        self.wallets.get_mut(&id).into_iter().for_each(|wallet| wallet.frozen = !wallet.frozen);
    }

    pub(super) fn run(&mut self, request: &Request, now: i64) -> Outcome {
        self.try_run(request, now).unwrap_or(Outcome::Failed)
    }

    fn try_run(&mut self, request: &Request, now: i64) -> Option<Outcome> {
        let may = |org: OrgId, scope: &Scope| scope.admit(org) == Admission::Granted;
        let scope = &request.scope;
        match &request.command {
            Command::OpenWallet { org_id, wallet_id } => {
                if !may(*org_id, scope) {
                    return None;
                }
                if self.wallets.values().all(|wallet| wallet.org != *org_id) {
                    if self.wallets.contains_key(wallet_id) {
                        return None;
                    }
                    let fresh = Wallet { org: *org_id, frozen: false, piles: vec![], held: 0 };
                    self.wallets.insert(*wallet_id, fresh);
                }
            }
            Command::OpenAccount { instance_id, wallet_id, schedule_hash } => {
                let org = self.wallets.get(wallet_id)?.org;
                let state = AccountState::Active;
                let new = Account { org, wallet: *wallet_id, schedule: schedule_hash.clone(), state };
                if !may(org, scope) {
                    return None;
                }
                if let Some(old) = self.accounts.get(instance_id) {
                    return (old.wallet == new.wallet && old.schedule == new.schedule)
                        .then_some(Outcome::Done);
                }
                self.prices.get(schedule_hash)?;
                self.accounts.insert(*instance_id, new);
            }
            Command::SetAccountState { instance_id, state } => {
                let account = self.accounts.get_mut(instance_id).filter(|own| may(own.org, scope))?;
                if account.state == AccountState::Closed && *state != AccountState::Closed {
                    return None;
                }
                account.state = *state;
            }
            Command::TopUp(ask) => return self.top_up(ask, scope, now),
            Command::Authorize(ask) => return self.authorize(ask, scope, now),
            Command::Settle(ask) => return self.settle(ask, scope, now),
            Command::Release { reservation_id } => {
                let hold = self.holds.get(reservation_id).filter(|hold| may(hold.org, scope))?;
                if matches!(hold.stage, Stage::Settled(_)) {
                    return None;
                }
                self.let_go(*reservation_id, Stage::Released);
            }
            Command::Expire { reservation_id } => {
                let hold = self.holds.get(reservation_id).filter(|hold| may(hold.org, scope))?;
                if hold.stage == Stage::Holding && hold.until <= now {
                    self.let_go(*reservation_id, Stage::Lapsed);
                }
            }
        }
        Some(Outcome::Done)
    }

    fn top_up(&mut self, ask: &TopUp, scope: &Scope, now: i64) -> Option<Outcome> {
        let known = self.wallets.values().flat_map(|wallet| &wallet.piles).any(|pile| pile.lot == ask.lot_id);
        let wallet = self.wallets.get_mut(&ask.wallet_id)?;
        let end = ask.expire_time.map_or(i128::MAX, |end| i128::from(end.micros()));
        let amount = i128::from(ask.amount.micros());
        let total = wallet.held + wallet.piles.iter().map(|pile| pile.free).sum::<i128>() + amount;
        let sound = amount > 0 && end > i128::from(now) && total <= i128::from(i64::MAX) && !known;
        if !sound || scope.admit(wallet.org) != Admission::Granted {
            return None;
        }
        let rank = (ask.priority, end, now, ask.lot_id);
        wallet.piles.push(Pile { lot: ask.lot_id, rank, free: amount });
        self.came_in += amount;
        Some(Outcome::Done)
    }

    fn authorize(&mut self, ask: &Authorize, scope: &Scope, now: i64) -> Option<Outcome> {
        let account = self.accounts.get(&ask.instance_id)?;
        let known = self.holds.contains_key(&ask.reservation_id);
        if known || ask.ttl.is_zero() || scope.admit(account.org) != Admission::Granted {
            return None;
        }
        let cost = if ask.estimate.is_empty() {
            let (_, default) = self.prices.get(&account.schedule)?;
            let line =
                |(name, quantity): &(&str, i64)| Usage { dimension: (*name).to_owned(), quantity: *quantity };
            self.cost(&account.schedule, &default.iter().map(line).collect::<Vec<_>>())?
        } else {
            self.cost(&account.schedule, &ask.estimate)?
        };
        let wallet = self.wallets.get_mut(&account.wallet)?;
        let usable = usable(wallet, now);
        if account.state == AccountState::Closed {
            return Some(Outcome::Refused("ACCOUNT_CLOSED"));
        } else if account.state == AccountState::Frozen {
            return Some(Outcome::Refused("ACCOUNT_FROZEN"));
        } else if wallet.frozen {
            return Some(Outcome::Refused("WALLET_FROZEN"));
        } else if usable == 0 || usable < cost {
            return Some(Outcome::Refused("INSUFFICIENT_CREDITS"));
        }
        let parts = burn(wallet, cost, now);
        wallet.held += cost;
        let until = now.saturating_add(i64::try_from(ask.ttl.as_micros()).unwrap());
        let (org, schedule) = (account.org, account.schedule.clone());
        let hold = Hold { org, wallet: account.wallet, schedule, parts, until, stage: Stage::Holding };
        self.holds.insert(ask.reservation_id, hold);
        Some(Outcome::Allowed { budget: cost })
    }

    fn settle(&mut self, ask: &Settle, scope: &Scope, now: i64) -> Option<Outcome> {
        let hold = self.holds.get(&ask.reservation_id)?;
        if scope.admit(hold.org) != Admission::Granted || hold.stage == Stage::Released {
            return None;
        }
        if let Stage::Settled(first) = &hold.stage {
            return Some(first.clone());
        }
        let cost = self.cost(&hold.schedule, &ask.usage)?;
        let (wallet_id, parts) = (hold.wallet, hold.parts.clone());
        let in_time = hold.stage == Stage::Holding && now < hold.until;
        self.let_go(ask.reservation_id, Stage::Lapsed);
        let wallet = self.wallets.get_mut(&wallet_id)?;
        let mut due = cost;
        // In time, what was held pays first, expired or not; only then does the rest of the wallet.
        for (lot, amount) in parts.iter().filter(|_| in_time) {
            let pile = wallet.piles.iter_mut().find(|pile| pile.lot == *lot)?;
            let paid = due.min(*amount);
            pile.free -= paid;
            due -= paid;
        }
        let more = due.min(usable(wallet, now));
        burn(wallet, more, now);
        let overrun = due - more;
        let balance = wallet.held + wallet.piles.iter().map(|pile| pile.free).sum::<i128>();
        self.earned += cost;
        self.borne += overrun;
        let first = ask.ledger_entry_id;
        let outcome = Outcome::Settled { first, charged: cost - overrun, overrun, balance };
        self.holds.get_mut(&ask.reservation_id)?.stage = Stage::Settled(outcome.clone());
        Some(outcome)
    }

    /// Puts what is held back on its piles.
    fn let_go(&mut self, id: ReservationId, stage: Stage) {
        let hold = self.holds.get_mut(&id).unwrap();
        let was = std::mem::replace(&mut hold.stage, stage);
        let wallet = self.wallets.get_mut(&hold.wallet).unwrap();
        for (lot, amount) in hold.parts.iter().filter(|_| was == Stage::Holding) {
            wallet.piles.iter_mut().find(|pile| pile.lot == *lot).unwrap().free += amount;
            wallet.held -= amount;
        }
    }

    /// Whole millionths and leftovers apart; all `per` of the tests' schedules divide 1000.
    pub(super) fn cost(&self, schedule: &str, usage: &[Usage]) -> Option<i128> {
        let (prices, _) = self.prices.get(schedule)?;
        let (mut whole, mut thousandths) = (0_u128, 0_u128);
        for line in usage {
            let (_, price, per) = prices.iter().find(|(name, ..)| *name == line.dimension)?;
            let (price, per) = (u128::try_from(*price).unwrap(), u128::try_from(*per).unwrap());
            let product = u128::try_from(line.quantity).ok()? * price;
            whole += product / per;
            thousandths += product % per * (1000 / per);
        }
        let cost = whole + thousandths.div_ceil(1000);
        i64::try_from(cost).ok().map(i128::from)
    }
}

fn usable(wallet: &Wallet, now: i64) -> i128 {
    let fresh = wallet.piles.iter().filter(|pile| pile.rank.1 > i128::from(now));
    fresh.map(|pile| pile.free).sum()
}

/// Takes `amount`, which is there, off the piles.
fn burn(wallet: &mut Wallet, amount: i128, now: i64) -> Vec<(LotId, i128)> {
    wallet.piles.sort_by_key(|pile| pile.rank);
    let mut left = amount;
    let mut parts = vec![];
    for pile in wallet.piles.iter_mut().filter(|pile| pile.rank.1 > i128::from(now)) {
        let part = left.min(pile.free);
        pile.free -= part;
        left -= part;
        if part > 0 {
            parts.push((pile.lot, part));
        }
    }
    assert_eq!(left, 0);
    parts
}
