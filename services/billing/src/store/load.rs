//! Loads what the core decides on, under the locks of the wallets concerned: what `model::state` asks for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use sea_orm::{
    ColumnTrait as _, ConnectionTrait, DbBackend, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, sea_query::Expr,
};
use souk_db::{Error, Tx};

use super::{
    Store,
    tables::{accounts, lots, receipts, reservations, schedules, wallets},
};
use crate::model::{
    Account, Receipt, Reservation, ReservationState, Wallet,
    command::{Adjust, Authorize, Command, End, Request, Settle, TopUp},
    lots::Lot,
    pricing::Schedule,
    state::State,
};

/// The rows that commands name by themselves.
#[derive(Debug, Default)]
struct Named {
    wallets: BTreeSet<String>,
    accounts: BTreeSet<String>,
    reservations: BTreeSet<String>,
    /// Reservations whose instance's account is needed, too.
    extended: BTreeSet<String>,
    schedules: BTreeSet<String>,
    /// Lots by wallet and source reference, used up or not.
    reversed: BTreeSet<(String, String)>,
}

impl Named {
    fn by(batch: &[Request]) -> Self {
        let mut named = Self::default();
        batch.iter().for_each(|request| named.add(&request.command));
        named
    }

    fn add(&mut self, command: &Command) {
        match command {
            Command::OpenWallet { wallet_id, .. }
            | Command::SetWalletState { wallet_id, .. }
            | Command::ExpireLots { wallet_id, .. }
            | Command::TopUp(TopUp { wallet_id, .. })
            | Command::Adjust(Adjust { wallet_id, .. }) => {
                self.wallets.insert(wallet_id.to_string());
            }
            Command::Reverse(ask) => {
                self.wallets.insert(ask.wallet_id.to_string());
                self.reversed.insert((ask.wallet_id.to_string(), ask.source_ref.clone()));
            }
            Command::OpenAccount { instance_id, wallet_id, schedule_hash } => {
                self.accounts.insert(instance_id.to_string());
                self.wallets.insert(wallet_id.to_string());
                self.schedules.insert(schedule_hash.clone());
            }
            Command::SetAccountState { instance_id, .. }
            | Command::Authorize(Authorize { instance_id, .. }) => {
                self.accounts.insert(instance_id.to_string());
            }
            Command::SetAccountSchedule { instance_id, schedule_hash } => {
                self.accounts.insert(instance_id.to_string());
                self.schedules.insert(schedule_hash.clone());
            }
            Command::Extend(ask) => {
                self.reservations.insert(ask.reservation_id.to_string());
                self.extended.insert(ask.reservation_id.to_string());
            }
            Command::Settle(Settle { reservation_id, .. })
            | Command::Release(End { reservation_id, .. })
            | Command::Expire(End { reservation_id, .. }) => {
                self.reservations.insert(reservation_id.to_string());
            }
        }
    }
}

/// What was there before the decision. What is not here is new.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) wallets: BTreeSet<String>,
    pub(super) lots: BTreeSet<String>,
    pub(super) accounts: BTreeSet<String>,
    pub(super) reservations: BTreeSet<String>,
}

/// What was loaded.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) state: State,
    pub(super) known: Known,
    pub(super) schedules: BTreeMap<String, Arc<Schedule>>,
}

/// Loads for a batch; holds the wallets until the write ends.
pub(super) async fn load(store: &Store, tx: &Tx, batch: &[Request]) -> Result<Loaded, Error> {
    let mut named = Named::by(batch);
    let mut held = reservations_of(tx, &named).await?;
    let extended = held.iter().filter(|row| named.extended.contains(&row.reservation_id));
    named.accounts.extend(extended.map(|row| row.instance_id.clone()));
    let mut spending = accounts_of(tx, &named).await?;
    named.wallets.extend(spending.iter().map(|row| row.wallet_id.clone()));
    named.wallets.extend(held.iter().map(|row| row.wallet_id.clone()));
    for request in batch {
        if let Command::OpenWallet { org_id, .. } = &request.command {
            // The org's wallet under whatever id it was opened.
            let own = wallets::Column::OrgId.eq(org_id.to_string());
            let ids = wallets::Entity::find().select_only().column(wallets::Column::WalletId).filter(own);
            named.wallets.extend(ids.into_tuple::<String>().all(tx).await?);
        }
    }
    let locked = wallets::Entity::find()
        .filter(wallets::Column::WalletId.is_in(&named.wallets))
        .order_by_asc(wallets::Column::WalletId)
        .lock_exclusive()
        .all(tx)
        .await?;
    if tx.get_database_backend() == DbBackend::Postgres {
        // Whoever held the locks before may have changed what these said; which wallet is theirs never changes.
        held = reservations_of(tx, &named).await?;
        spending = accounts_of(tx, &named).await?;
    }
    let mut lots = unused_lots(tx, locked.iter().map(|row| row.wallet_id.clone())).await?;
    lots.extend(used_up_lots(tx, &named.reversed).await?);
    let receipts = receipts_of(tx, &held).await?;
    let hashes = spending.iter().map(|row| &row.schedule_hash);
    named.schedules.extend(hashes.chain(held.iter().map(|row| &row.schedule_hash)).cloned());
    let schedules = schedules_of(store, tx, named.schedules).await?;
    put(Rows { wallets: locked, lots, spending, held, receipts }, schedules)
}

async fn reservations_of(tx: &Tx, named: &Named) -> Result<Vec<reservations::Model>, Error> {
    if named.reservations.is_empty() {
        return Ok(Vec::new());
    }
    let own = reservations::Column::ReservationId.is_in(&named.reservations);
    Ok(reservations::Entity::find().filter(own).all(tx).await?)
}

async fn accounts_of(tx: &Tx, named: &Named) -> Result<Vec<accounts::Model>, Error> {
    if named.accounts.is_empty() {
        return Ok(Vec::new());
    }
    let own = accounts::Column::InstanceId.is_in(&named.accounts);
    Ok(accounts::Entity::find().filter(own).all(tx).await?)
}

/// Lots that hold nothing any more, by what they came from.
async fn used_up_lots(tx: &Tx, named: &BTreeSet<(String, String)>) -> Result<Vec<Lot>, Error> {
    let mut found = Vec::new();
    for (wallet_id, source_ref) in named {
        let rows = lots::Entity::find()
            .filter(lots::Column::WalletId.eq(wallet_id))
            .filter(lots::Column::SourceRef.eq(source_ref))
            .filter(Expr::cust("available_micros = 0 AND reserved_micros = 0"))
            .all(tx)
            .await?;
        for row in rows {
            found.push(Lot::try_from(row)?);
        }
    }
    Ok(found)
}

/// All lots of these wallets that hold something.
pub(super) async fn unused_lots(
    conn: &impl ConnectionTrait,
    wallets: impl IntoIterator<Item = String>,
) -> Result<Vec<Lot>, Error> {
    let rows = lots::Entity::find()
        .filter(lots::Column::WalletId.is_in(wallets))
        // Written out, so that the planner sees the condition of the index.
        .filter(Expr::cust("(available_micros > 0 OR reserved_micros > 0)"))
        .all(conn)
        .await?;
    rows.into_iter().map(Lot::try_from).collect()
}

async fn receipts_of(tx: &Tx, held: &[reservations::Model]) -> Result<Vec<receipts::Model>, Error> {
    let settled = held.iter().filter(|row| row.state == ReservationState::Settled.as_str());
    let settled: Vec<_> = settled.map(|row| row.reservation_id.clone()).collect();
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    Ok(receipts::Entity::find().filter(receipts::Column::ReservationId.is_in(settled)).all(tx).await?)
}

pub(super) async fn schedules_of(
    store: &Store,
    conn: &impl ConnectionTrait,
    hashes: BTreeSet<String>,
) -> Result<BTreeMap<String, Arc<Schedule>>, Error> {
    let mut found = BTreeMap::new();
    let mut unknown = Vec::new();
    for hash in hashes {
        match store.known_schedule(&hash) {
            Some(schedule) => {
                found.insert(hash, schedule);
            }
            None => unknown.push(hash),
        }
    }
    if unknown.is_empty() {
        return Ok(found);
    }
    let rows =
        schedules::Entity::find().filter(schedules::Column::ScheduleHash.is_in(unknown)).all(conn).await?;
    for row in rows {
        let schedule = Schedule::from_json(&row.content).map_err(|error| Error::value("schedule", error))?;
        if schedule.content_hash() != row.schedule_hash {
            return Err(Error::value("schedule", "its content has another hash"));
        }
        let schedule = Arc::new(schedule);
        store.keep_schedule(&schedule);
        found.insert(row.schedule_hash, schedule);
    }
    Ok(found)
}

struct Rows {
    wallets: Vec<wallets::Model>,
    lots: Vec<Lot>,
    spending: Vec<accounts::Model>,
    held: Vec<reservations::Model>,
    receipts: Vec<receipts::Model>,
}

fn put(rows: Rows, schedules: BTreeMap<String, Arc<Schedule>>) -> Result<Loaded, Error> {
    let mut loaded = Loaded::default();
    let mut of_wallet: BTreeMap<_, Vec<Lot>> = BTreeMap::new();
    for lot in rows.lots {
        loaded.known.lots.insert(lot.lot_id.to_string());
        of_wallet.entry(lot.wallet_id).or_default().push(lot);
    }
    for row in rows.wallets {
        loaded.known.wallets.insert(row.wallet_id.clone());
        let wallet = Wallet::try_from(row)?;
        let lots = of_wallet.remove(&wallet.wallet_id).unwrap_or_default();
        loaded.state.put_wallet(wallet, lots);
    }
    for row in rows.spending {
        loaded.known.accounts.insert(row.instance_id.clone());
        loaded.state.put_account(Account::try_from(row)?);
    }
    for row in rows.held {
        loaded.known.reservations.insert(row.reservation_id.clone());
        loaded.state.put_reservation(Reservation::try_from(row)?);
    }
    for row in rows.receipts {
        loaded.state.put_receipt(Receipt::try_from(row)?);
    }
    for schedule in schedules.values() {
        loaded.state.put_schedule(Arc::clone(schedule));
    }
    loaded.schedules = schedules;
    Ok(loaded)
}
