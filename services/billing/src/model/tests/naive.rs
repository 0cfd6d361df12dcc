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
    AccountState, WalletState,
    command::{Adjust, Authorize, Command, Extend, Request, Reverse, Settle, TopUp},
    pricing::Usage,
};

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Failed,
    Done,
    Refused(&'static str),
    Allowed { budget: i128 },
    Extended { budget: i128, until: i64 },
    NotExtended(&'static str),
    Reversed { now: i128, later: i128, consumed: i128, balance: i128 },
    Settled { first: LedgerEntryId, charged: i128, overrun: i128, balance: i128 },
}

/// Prices by schedule hash: (dimension, price, per), and the default estimate.
pub(super) type Prices = HashMap<String, (Vec<(&'static str, i64, i64)>, Vec<(&'static str, i64)>)>;

#[derive(Debug)]
struct Pile {
    lot: LotId,
    rank: (i32, i128, i64, LotId),
    /// What a seller may take back of it, and by which name.
    sold: Option<String>,
    original: i128,
    free: i128,
    held: i128,
    owed: i128,
    reversed: i128,
}

#[derive(Debug)]
struct Wallet {
    org: OrgId,
    frozen: bool,
    piles: Vec<Pile>,
}

#[derive(Debug)]
struct Account {
    org: OrgId,
    wallet: WalletId,
    schedule: String,
    state: AccountState,
}

#[derive(Clone, Debug, PartialEq)]
enum Stage {
    Holding,
    Lapsed,
    Released,
    Settled(Outcome),
}

#[derive(Clone, Debug)]
struct Hold {
    org: OrgId,
    wallet: WalletId,
    by: InstanceId,
    schedule: String,
    parts: Vec<(LotId, i128)>,
    until: i64,
    stage: Stage,
}

/// What stands in the platform's books.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) came_in: i128,
    pub(super) earned: i128,
    pub(super) borne: i128,
    pub(super) reversed: i128,
    pub(super) expired: i128,
    pub(super) adjusted: i128,
}

#[derive(Debug, Default)]
pub(super) struct Naive {
    prices: Prices,
    wallets: HashMap<WalletId, Wallet>,
    accounts: HashMap<InstanceId, Account>,
    holds: HashMap<ReservationId, Hold>,
    pub(super) books: Books,
}

fn may(org: OrgId, scope: &Scope) -> bool {
    scope.admit(org) == Admission::Granted
}

impl Naive {
    pub(super) fn new(prices: Prices) -> Self {
        Self { prices, ..Self::default() }
    }

    /// (free, held) of a wallet.
    pub(super) fn balance(&self, id: WalletId) -> Option<(i128, i128)> {
        let piles = &self.wallets.get(&id)?.piles;
        Some((piles.iter().map(|pile| pile.free).sum(), piles.iter().map(|pile| pile.held).sum()))
    }

    fn whole(&self, id: WalletId) -> i128 {
        self.balance(id).map_or(0, |(free, held)| free + held)
    }

    pub(super) fn run(&mut self, request: &Request, now: i64) -> Outcome {
        self.try_run(request, now).unwrap_or(Outcome::Failed)
    }

    fn try_run(&mut self, request: &Request, now: i64) -> Option<Outcome> {
        let scope = &request.scope;
        match &request.command {
            Command::OpenWallet { org_id, wallet_id } => self.open_wallet(*org_id, *wallet_id, scope)?,
            Command::OpenAccount { instance_id, wallet_id, schedule_hash } => {
                let org =
                    self.wallets.get(wallet_id).map(|wallet| wallet.org).filter(|org| may(*org, scope))?;
                let (wallet, schedule) = (*wallet_id, schedule_hash.clone());
                if let Some(old) = self.accounts.get(instance_id) {
                    return (old.wallet == wallet && old.schedule == schedule).then_some(Outcome::Done);
                }
                self.prices.get(schedule_hash)?;
                let new = Account { org, wallet, schedule, state: AccountState::Active };
                self.accounts.insert(*instance_id, new);
            }
            Command::SetAccountState { instance_id, state } => {
                let account = self.accounts.get_mut(instance_id).filter(|own| may(own.org, scope))?;
                if account.state == AccountState::Closed && *state != AccountState::Closed {
                    return None;
                }
                account.state = *state;
            }
            Command::SetAccountSchedule { instance_id, schedule_hash } => {
                let account = self.accounts.get_mut(instance_id).filter(|own| may(own.org, scope))?;
                if account.schedule != *schedule_hash {
                    if account.state == AccountState::Closed {
                        return None;
                    }
                    self.prices.get(schedule_hash)?;
                    account.schedule.clone_from(schedule_hash);
                }
            }
            Command::SetWalletState { wallet_id, state } => {
                let wallet = self.wallets.get_mut(wallet_id).filter(|own| may(own.org, scope))?;
                wallet.frozen = *state == WalletState::Frozen;
            }
            Command::TopUp(ask) => return self.top_up(ask, scope, now),
            Command::Adjust(ask) => return self.adjust(ask, scope, now),
            Command::Reverse(ask) => return self.reverse(ask, scope, now),
            Command::Authorize(ask) => return self.authorize(ask, scope, now),
            Command::Extend(ask) => return self.extend(ask, scope, now),
            Command::Settle(ask) => return self.settle(ask, scope, now),
            Command::Release(ask) => {
                let hold = self.holds.get(&ask.reservation_id).filter(|hold| may(hold.org, scope))?;
                if matches!(hold.stage, Stage::Settled(_)) {
                    return None;
                }
                self.let_go(ask.reservation_id, Stage::Released);
            }
            Command::Expire(ask) => {
                let hold = self.holds.get(&ask.reservation_id).filter(|hold| may(hold.org, scope))?;
                if hold.stage == Stage::Holding && hold.until <= now {
                    self.let_go(ask.reservation_id, Stage::Lapsed);
                }
            }
            Command::ExpireLots { wallet_id, .. } => {
                let wallet = self.wallets.get_mut(wallet_id).filter(|own| may(own.org, scope))?;
                for pile in wallet.piles.iter_mut().filter(|pile| pile.rank.1 <= i128::from(now)) {
                    self.books.expired += pile.free;
                    pile.free = 0;
                }
            }
        }
        Some(Outcome::Done)
    }

    fn open_wallet(&mut self, org: OrgId, id: WalletId, scope: &Scope) -> Option<()> {
        if !may(org, scope) {
            return None;
        }
        if self.wallets.values().all(|wallet| wallet.org != org) {
            if self.wallets.contains_key(&id) {
                return None;
            }
            self.wallets.insert(id, Wallet { org, frozen: false, piles: vec![] });
        }
        Some(())
    }

    fn pile_up(&mut self, id: WalletId, pile: Pile, scope: &Scope, now: i64) -> Option<Outcome> {
        let known = self.wallets.values().flat_map(|wallet| &wallet.piles).any(|old| old.lot == pile.lot);
        let total = self.whole(id) + pile.original;
        let wallet = self.wallets.get_mut(&id).filter(|own| may(own.org, scope))?;
        let fits = total <= i128::from(i64::MAX);
        if pile.original <= 0 || pile.rank.1 <= i128::from(now) || !fits || known {
            return None;
        }
        wallet.piles.push(pile);
        Some(Outcome::Done)
    }

    fn top_up(&mut self, ask: &TopUp, scope: &Scope, now: i64) -> Option<Outcome> {
        let end = ask.expire_time.map_or(i128::MAX, |end| i128::from(end.micros()));
        let amount = i128::from(ask.amount.micros());
        let sold = Some(ask.source_ref.clone());
        let pile = fresh(ask.lot_id, (ask.priority, end, now, ask.lot_id), sold, amount);
        let done = self.pile_up(ask.wallet_id, pile, scope, now)?;
        self.books.came_in += amount;
        Some(done)
    }

    fn adjust(&mut self, ask: &Adjust, scope: &Scope, now: i64) -> Option<Outcome> {
        let amount = i128::from(ask.amount.micros());
        if amount == i128::from(i64::MIN) || ask.note.is_empty() {
            return None;
        }
        if amount < 0 {
            let wallet = self.wallets.get_mut(&ask.wallet_id).filter(|own| may(own.org, scope))?;
            if ask.expire_time.is_some() || usable(wallet, now) < -amount {
                return None;
            }
            for (lot, part) in burn(wallet, -amount, now) {
                wallet.piles.iter_mut().find(|pile| pile.lot == lot).unwrap().free -= part;
            }
        } else {
            let end = ask.expire_time.map_or(i128::MAX, |end| i128::from(end.micros()));
            let pile = fresh(ask.lot_id, (30, end, now, ask.lot_id), None, amount);
            self.pile_up(ask.wallet_id, pile, scope, now)?;
        }
        self.books.adjusted -= amount;
        Some(Outcome::Done)
    }

    fn reverse(&mut self, ask: &Reverse, scope: &Scope, now: i64) -> Option<Outcome> {
        let wallet = self.wallets.get_mut(&ask.wallet_id).filter(|own| may(own.org, scope))?;
        wallet.piles.sort_by_key(|pile| pile.rank);
        let mut own: Vec<_> =
            wallet.piles.iter_mut().filter(|pile| pile.sold.as_ref() == Some(&ask.source_ref)).collect();
        let amount = i128::from(ask.amount.micros());
        if own.is_empty() || ask.source_ref.is_empty() || amount < 0 {
            return None;
        }
        let there: i128 = own.iter().map(|pile| pile.original - pile.reversed - pile.owed).sum();
        let there = there.min(i128::from(i64::MAX));
        let mut rest = if amount == 0 { there } else { amount.min(there) };
        let (mut at_once, mut later) = (0, 0);
        for pile in &mut own {
            let fresh = pile.rank.1 > i128::from(now);
            let taken = if fresh { rest.min(pile.free) } else { 0 };
            pile.free -= taken;
            pile.reversed += taken;
            rest -= taken;
            let owed = rest.min(pile.held - pile.owed);
            pile.owed += owed;
            rest -= owed;
            at_once += taken;
            later += owed;
        }
        self.books.reversed += at_once;
        let balance = self.whole(ask.wallet_id);
        Some(Outcome::Reversed { now: at_once, later, consumed: rest, balance })
    }

    fn authorize(&mut self, ask: &Authorize, scope: &Scope, now: i64) -> Option<Outcome> {
        let account = self.accounts.get(&ask.instance_id)?;
        let known = self.holds.contains_key(&ask.reservation_id);
        if known || ask.ttl.is_zero() || !may(account.org, scope) {
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
        let barred = self.barred(ask.instance_id);
        let account = self.accounts.get(&ask.instance_id)?;
        let wallet = self.wallets.get_mut(&account.wallet)?;
        let usable = usable(wallet, now);
        if barred.is_some() {
            return barred.map(Outcome::Refused);
        } else if usable == 0 || usable < cost {
            return Some(Outcome::Refused("INSUFFICIENT_CREDITS"));
        }
        let parts = hold(wallet, cost, now);
        let until = now.saturating_add(i64::try_from(ask.ttl.as_micros()).unwrap());
        let (org, schedule, by) = (account.org, account.schedule.clone(), ask.instance_id);
        let hold = Hold { org, wallet: account.wallet, by, schedule, parts, until, stage: Stage::Holding };
        self.holds.insert(ask.reservation_id, hold);
        Some(Outcome::Allowed { budget: cost })
    }

    fn barred(&self, by: InstanceId) -> Option<&'static str> {
        let account = self.accounts.get(&by)?;
        match account.state {
            AccountState::Closed => Some("ACCOUNT_CLOSED"),
            AccountState::Frozen => Some("ACCOUNT_FROZEN"),
            AccountState::Active => self.wallets.get(&account.wallet)?.frozen.then_some("WALLET_FROZEN"),
        }
    }

    fn extend(&mut self, ask: &Extend, scope: &Scope, now: i64) -> Option<Outcome> {
        let old = self.holds.get(&ask.reservation_id).filter(|hold| may(hold.org, scope))?.clone();
        let ttl = ask.ttl.map(|ttl| i64::try_from(ttl.as_micros()).unwrap());
        if old.stage != Stage::Holding || old.until <= now || ttl == Some(0) {
            return None;
        }
        let cost = self.cost(&old.schedule, &ask.estimate)?;
        if let Some(reason) = self.barred(old.by) {
            return Some(Outcome::NotExtended(reason));
        }
        let wallet = self.wallets.get_mut(&old.wallet)?;
        if usable(wallet, now) < cost {
            return Some(Outcome::NotExtended("INSUFFICIENT_CREDITS"));
        }
        let more = hold(wallet, cost, now);
        let held = self.holds.get_mut(&ask.reservation_id)?;
        held.until = held.until.max(ttl.map_or(i64::MIN, |ttl| now + ttl));
        held.parts.extend(more);
        let rank = |lot: LotId| wallet.piles.iter().find(|pile| pile.lot == lot).map(|pile| pile.rank);
        held.parts.sort_by_key(|(lot, _)| rank(*lot));
        let budget = held.parts.iter().map(|(_, amount)| amount).sum();
        Some(Outcome::Extended { budget, until: held.until })
    }

    fn settle(&mut self, ask: &Settle, scope: &Scope, now: i64) -> Option<Outcome> {
        let hold = self.holds.get(&ask.reservation_id)?.clone();
        if !may(hold.org, scope) || hold.stage == Stage::Released {
            return None;
        }
        if let Stage::Settled(first) = &hold.stage {
            return Some(first.clone());
        }
        let cost = self.cost(&hold.schedule, &ask.usage)?;
        let mut due = cost;
        if hold.stage == Stage::Holding && now < hold.until {
            // In time, what was held pays first, expired or not; only then does the rest of the wallet.
            for (lot, amount) in &hold.parts {
                let wallet = self.wallets.get_mut(&hold.wallet)?;
                let pile = wallet.piles.iter_mut().find(|pile| pile.lot == *lot)?;
                let paid = due.min(*amount);
                due -= paid;
                pile.held -= paid;
                pile.owed = pile.owed.min(pile.held);
                self.put_back(hold.wallet, *lot, amount - paid);
            }
            self.holds.get_mut(&ask.reservation_id)?.stage = Stage::Lapsed;
        } else {
            self.let_go(ask.reservation_id, Stage::Lapsed);
        }
        let wallet = self.wallets.get_mut(&hold.wallet)?;
        let more = due.min(usable(wallet, now));
        for (lot, part) in burn(wallet, more, now) {
            wallet.piles.iter_mut().find(|pile| pile.lot == lot)?.free -= part;
        }
        let overrun = due - more;
        self.books.earned += cost;
        self.books.borne += overrun;
        let (first, balance) = (ask.ledger_entry_id, self.whole(hold.wallet));
        let outcome = Outcome::Settled { first, charged: cost - overrun, overrun, balance };
        self.holds.get_mut(&ask.reservation_id)?.stage = Stage::Settled(outcome.clone());
        Some(outcome)
    }

    /// Puts what is held back on its piles.
    fn let_go(&mut self, id: ReservationId, stage: Stage) {
        let hold = self.holds.get_mut(&id).unwrap();
        let was = std::mem::replace(&mut hold.stage, stage);
        let hold = hold.clone();
        for (lot, amount) in hold.parts.iter().filter(|_| was == Stage::Holding) {
            self.put_back(hold.wallet, *lot, *amount);
        }
    }

    /// What is owed to the seller does not come back.
    fn put_back(&mut self, wallet: WalletId, lot: LotId, amount: i128) {
        let piles = &mut self.wallets.get_mut(&wallet).unwrap().piles;
        let pile = piles.iter_mut().find(|pile| pile.lot == lot).unwrap();
        let owed = amount.min(pile.owed);
        pile.held -= amount;
        pile.owed -= owed;
        pile.reversed += owed;
        pile.free += amount - owed;
        self.books.reversed += owed;
    }

    /// Whole millionths and leftovers apart; all `per` of the tests' schedules divide 1000.
    pub(super) fn cost(&self, schedule: &str, usage: &[Usage]) -> Option<i128> {
        let (prices, _) = self.prices.get(schedule)?;
        let (mut whole, mut thousandths) = (0_u128, 0_u128);
        for line in usage {
            let quantity = u128::try_from(line.quantity).ok()?;
            let Some((_, price, per)) = prices.iter().find(|(name, ..)| *name == line.dimension) else {
                continue;
            };
            let (price, per) = (u128::try_from(*price).unwrap(), u128::try_from(*per).unwrap());
            let product = quantity * price;
            whole += product / per;
            thousandths += product % per * (1000 / per);
        }
        let cost = whole + thousandths.div_ceil(1000);
        i64::try_from(cost).ok().map(i128::from)
    }
}

fn fresh(lot: LotId, rank: (i32, i128, i64, LotId), sold: Option<String>, amount: i128) -> Pile {
    Pile { lot, rank, sold, original: amount, free: amount, held: 0, owed: 0, reversed: 0 }
}

fn usable(wallet: &Wallet, now: i64) -> i128 {
    let fresh = wallet.piles.iter().filter(|pile| pile.rank.1 > i128::from(now));
    fresh.map(|pile| pile.free).sum()
}

fn hold(wallet: &mut Wallet, amount: i128, now: i64) -> Vec<(LotId, i128)> {
    let parts = burn(wallet, amount, now);
    for (lot, part) in &parts {
        let pile = wallet.piles.iter_mut().find(|pile| pile.lot == *lot).unwrap();
        pile.free -= part;
        pile.held += part;
    }
    parts
}

/// Where `amount`, which is there, comes from.
fn burn(wallet: &mut Wallet, amount: i128, now: i64) -> Vec<(LotId, i128)> {
    wallet.piles.sort_by_key(|pile| pile.rank);
    let mut left = amount;
    let mut parts = vec![];
    for pile in wallet.piles.iter().filter(|pile| pile.rank.1 > i128::from(now)) {
        let part = left.min(pile.free);
        left -= part;
        if part > 0 {
            parts.push((pile.lot, part));
        }
    }
    assert_eq!(left, 0);
    parts
}
