//! Billing's tables. The only room that sees them; amounts are changed by the core alone, this room writes
//! what it decided.

mod commit;
mod convert;
mod load;
mod schema;
pub mod sums;
mod tables;
mod write;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, OnConflict},
};
use souk_db::{Db, Once, Request, for_every_tenant, once, scope};
use souk_types::{
    Credits, Scope, Time,
    access::Admission,
    id::{InstanceId, OrgId, ReceiptId, ReservationId, WalletId},
    page::{Page, Paged},
};
use tokio::sync::broadcast;

pub(crate) use self::commit::Key;
use self::tables::{accounts, entries, lots, receipts, reservations, schedules, wallets};
pub use self::{commit::Asked, schema::MIGRATIONS};
use crate::{
    error::Error,
    model::{
        Receipt, Wallet,
        ask::{About, wallet_of},
        ledger::Posted,
        lots::Lot,
        pricing::{Schedule, Share},
    },
};

/// How many price schedules are kept in memory; they never change.
const SCHEDULES: usize = 4096;

/// Billing's database.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    schedules: Arc<Mutex<BTreeMap<String, Arc<Schedule>>>>,
}

impl Store {
    /// The store in a database that [`MIGRATIONS`] made.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, schedules: Arc::default() }
    }

    /// The org that a noun belongs to, when `scope` may change it.
    ///
    /// # Errors
    /// Not found outside of the scope; denied where it may only be seen.
    pub async fn org_of(&self, scope: &Scope, about: About) -> Result<OrgId, Error> {
        let conn = self.db.read();
        let (org, missing) = match about {
            About::Org(org) => return Ok(org),
            About::Account(id) => {
                let query = scope::within(accounts::Entity::find_by_id(id.to_string()), scope);
                let row = query.one(conn).await.map_err(souk_db::Error::from)?;
                (row.map(|row| row.org_id), Error::AccountNotFound(id))
            }
            About::Reservation(id) => {
                let query = scope::within(reservations::Entity::find_by_id(id.to_string()), scope);
                let row = query.one(conn).await.map_err(souk_db::Error::from)?;
                (row.map(|row| row.org_id), Error::ReservationNotFound(id))
            }
        };
        let Some(org) = org else { return Err(missing) };
        let org = org.parse().map_err(|error| souk_db::Error::value("org_id", error))?;
        match scope.admit(org) {
            Admission::Granted => Ok(org),
            Admission::Denied => Err(Error::Denied(org)),
            Admission::Hidden => Err(missing),
        }
    }

    /// The org's wallet and its lots that hold something, in burn order. The amounts are the sums of these
    /// lots, which one statement reads, so that they fit each other while others write.
    ///
    /// # Errors
    /// [`Error::WalletNotFound`] when the org has none within the scope.
    pub async fn wallet(&self, scope: &Scope, org_id: OrgId) -> Result<(Wallet, Vec<Lot>), Error> {
        let row = scope::within(wallets::Entity::find(), scope)
            .filter(wallets::Column::OrgId.eq(org_id.to_string()))
            .one(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let row = row.ok_or_else(|| Error::WalletNotFound(wallet_of(org_id)))?;
        let mut lots = load::unused_lots(self.db.read(), [row.wallet_id.clone()]).await?;
        lots.sort_by_key(Lot::burn_key);
        let sum = |part: fn(&Lot) -> Credits| {
            let sum = lots.iter().map(part).try_fold(Credits::ZERO, Credits::plus);
            sum.ok_or(Error::Broken("lots out of range"))
        };
        let (available, reserved) = (sum(|lot| lot.available)?, sum(|lot| lot.reserved)?);
        Ok((Wallet { available, reserved, ..row.try_into()? }, lots))
    }

    /// The lines on the org's wallet, newest first; `instance_id` keeps what that instance spent.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn entries(
        &self,
        scope: &Scope,
        org_id: OrgId,
        instance_id: Option<InstanceId>,
        page: &Page,
    ) -> Result<Paged<Posted>, Error> {
        let mut query = scope::within(entries::Entity::find(), scope)
            .filter(entries::Column::OrgId.eq(org_id.to_string()))
            .filter(entries::Column::Line.eq(0));
        if let Some(instance_id) = instance_id {
            query = query.filter(entries::Column::InstanceId.eq(instance_id.to_string()));
        }
        if !page.after.is_empty() {
            query = query.filter(entries::Column::LedgerEntryId.lt(page.after.as_str()));
        }
        let rows = query
            .order_by_desc(entries::Column::LedgerEntryId)
            .limit(page.size.saturating_add(1))
            .all(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let lines = rows.into_iter().map(Posted::try_from).collect::<Result<_, _>>()?;
        Ok(Paged::cut(lines, page, |line: &Posted| line.ledger_entry_id.to_string()))
    }

    /// Open reservations of every tenant whose time is over, the longest over first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due(&self, now: Time, limit: u64) -> Result<Vec<ReservationId>, Error> {
        let ids: Vec<String> = scope::within(reservations::Entity::find(), &for_every_tenant())
            .select_only()
            .column(reservations::Column::ReservationId)
            // Written out, so that the planner sees the condition of the index.
            .filter(Expr::cust("state = 'OPEN'"))
            .filter(reservations::Column::ExpireTime.lte(now.micros()))
            .order_by_asc(reservations::Column::ExpireTime)
            .limit(limit)
            .into_tuple()
            .all(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let id = |id: String| id.parse().map_err(|error| souk_db::Error::value("reservation_id", error));
        Ok(ids.into_iter().map(id).collect::<Result<_, _>>()?)
    }

    /// Wallets of every tenant with lots whose time is over and of which something is free, the longest over
    /// first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wallets_with_expired_lots(&self, now: Time, limit: u64) -> Result<Vec<WalletId>, Error> {
        let ids: Vec<String> = scope::within(lots::Entity::find(), &for_every_tenant())
            .select_only()
            .column(lots::Column::WalletId)
            // Written out, so that the planner sees the condition of the index.
            .filter(Expr::cust("available_micros > 0"))
            .filter(lots::Column::ExpireTime.lte(now.micros()))
            .group_by(lots::Column::WalletId)
            .order_by_asc(lots::Column::ExpireTime.min())
            .limit(limit)
            .into_tuple()
            .all(self.db.read())
            .await
            .map_err(souk_db::Error::from)?;
        let id = |id: String| id.parse().map_err(|error| souk_db::Error::value("wallet_id", error));
        Ok(ids.into_iter().map(id).collect::<Result<_, _>>()?)
    }

    /// A receipt, and what each dimension added to it.
    ///
    /// # Errors
    /// [`Error::ReceiptNotFound`] outside of the scope.
    pub async fn receipt(&self, scope: &Scope, id: ReceiptId) -> Result<(Receipt, Vec<Share>), Error> {
        let row = souk_db::one::<receipts::Entity>(self.db.read(), scope, id.to_string()).await;
        let row =
            row.map_err(|denial| denial.say(|| Error::ReceiptNotFound(id), || Error::ReceiptNotFound(id)))?;
        let receipt = Receipt::try_from(row)?;
        let hashes = [receipt.schedule_hash.clone()].into();
        let schedules = load::schedules_of(self, self.db.read(), hashes).await?;
        let schedule = schedules.get(&receipt.schedule_hash).ok_or(Error::Broken("a schedule is gone"))?;
        let shares = schedule.shares(&receipt.usage)?;
        Ok((receipt, shares))
    }

    /// Rings for every wallet that changed, by its id.
    #[must_use]
    pub fn bell(&self) -> broadcast::Receiver<Arc<str>> {
        self.db.bell()
    }

    /// Keeps a price schedule under its hash, which it answers; one that is there stays as it is.
    ///
    /// # Errors
    /// When the request id stands for another schedule, or the database does not answer.
    pub async fn put_schedule(&self, request: &Request, schedule: &Schedule) -> Result<String, Error> {
        let (hash, content) = (schedule.content_hash(), &schedule.to_json()?);
        let written = self.db.write("billing.put_schedule", |tx| async move {
            once(&tx, request, || async {
                let row = schedules::ActiveModel {
                    schedule_hash: Set(hash.to_owned()),
                    content: Set(content.clone()),
                    create_time: Set(tx.now().micros()),
                };
                let stays = OnConflict::column(schedules::Column::ScheduleHash).do_nothing().to_owned();
                let made = schedules::Entity::insert(row).on_conflict(stays).exec_without_returning(&tx);
                made.await.map_err(souk_db::Error::from)?;
                Ok::<_, Error>(hash.to_owned())
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// Tells the audit trail of a command that was refused.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn refused(&self, request: &Request, reason: &'static str) -> Result<(), Error> {
        Ok(souk_db::once::refused(&self.db, request, reason).await?)
    }

    fn known_schedule(&self, hash: &str) -> Option<Arc<Schedule>> {
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }

    fn keep_schedule(&self, schedule: &Arc<Schedule>) {
        let mut known = self.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SCHEDULES {
            known.clear();
        }
        known.insert(schedule.content_hash().to_owned(), Arc::clone(schedule));
    }
}

#[cfg(test)]
mod tests;
