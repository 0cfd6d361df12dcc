//! Judging snapshots: the known order, what was looked up and what follows from it, in one write.
//!
//! The decision itself is `model::plan`; here its inputs are read and its outcome is written. A plan that
//! the catalogue was not asked for yet ends the write with `Error::Wanted` and leaves nothing behind.

use std::collections::BTreeMap;

use sea_orm::{IntoActiveModel as _, QueryOrder as _, QuerySelect as _, entity::prelude::*};
use souk_db::{Error as DbError, Request, Tx, once};
use souk_types::{
    Call,
    id::{OrderId, ShopId},
};

use super::{
    Origin, SUBJECT, Store, orders, reading,
    shops::{lock_shop, put_mapping},
    tables::{line, link, mapping, order, shop},
};
use crate::{
    Error,
    model::{
        Order, Plan, Record, Snapshot,
        command::{Ingest, News, Outcome, ReplayOrder, Taken},
        mapping::{Found, PlanRef},
        order::Standing,
        owner::{Owners, candidates},
        parking,
        plan::{Lookups, Policy, plan},
    },
};

/// What a judgement stands on beside the tables.
#[derive(Clone, Debug)]
pub(crate) struct Judging {
    /// The catalogue's answers so far.
    pub(crate) catalog: BTreeMap<PlanRef, Found>,
    /// What the operator decides.
    pub(crate) policy: Policy,
}

/// An order while it is judged.
pub(super) struct Bench<'a> {
    pub(super) tx: &'a Tx,
    pub(super) origin: Origin,
    pub(super) shop: shop::Model,
    pub(super) row: order::Model,
    pub(super) lines: Vec<line::Model>,
    pub(super) order: Order,
    /// Whether the row stands in the table already.
    pub(super) stored: bool,
}

impl Store {
    /// Takes in what a delivery says.
    pub(crate) async fn ingest(&self, call: &Call, ask: &Ingest, judging: &Judging) -> Result<Taken, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("commerce.ingest_snapshot", |tx| async move {
            once(&tx, request, || async {
                let shop = lock_shop(&tx, ask.shop_id).await?;
                let mut bench = Bench::open(&tx, request.into(), shop, ask.news.external_id()).await?;
                match &ask.news {
                    News::Complete(snapshot) => bench.take(snapshot, judging).await,
                    News::Incomplete { number, .. } => bench.park_whole(number).await,
                }
            })
            .await
        });
        written.await.map(souk_db::Once::into_answer)
    }

    /// Tries an order's parked lines again, those too whose effects were refused.
    pub(crate) async fn replay_order(
        &self,
        call: &Call,
        ask: &ReplayOrder,
        judging: &Judging,
    ) -> Result<Record, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let written = self.db.write("commerce.replay_order", |tx| async move {
            once(&tx, request, || async {
                let mut bench = Bench::of_order(&tx, request.into(), ask.order_id).await?;
                bench.resume().await?;
                bench.judge_newest(judging).await?;
                orders::record(&tx, ask.order_id).await
            })
            .await
        });
        written.await.map(souk_db::Once::into_answer)
    }

    /// Judges an order again by its newest snapshot: links or mappings came.
    pub(crate) async fn judge_order(&self, order_id: OrderId, judging: &Judging) -> Result<(), Error> {
        self.db
            .write("commerce.judge_order", |tx| async move {
                let mut bench = Bench::of_order(&tx, Origin::own(), order_id).await?;
                bench.row.judge_time = None;
                bench.row.judge_attempts = 0;
                bench.judge_newest(judging).await
            })
            .await
    }
}

impl<'a> Bench<'a> {
    async fn open(tx: &'a Tx, origin: Origin, shop: shop::Model, external_id: &str) -> Result<Self, Error> {
        let found = order::Entity::find()
            .filter(order::Column::ShopId.eq(&shop.id))
            .filter(order::Column::ExternalId.eq(external_id))
            .lock_exclusive()
            .one(tx)
            .await
            .map_err(DbError::from)?;
        match found {
            Some(row) => Self::with(tx, origin, shop, row).await,
            None => {
                let row = orders::fresh(tx, &shop.id, external_id);
                Ok(Self { tx, origin, shop, row, lines: Vec::new(), order: Order::default(), stored: false })
            }
        }
    }

    async fn of_order(tx: &'a Tx, origin: Origin, order_id: OrderId) -> Result<Self, Error> {
        let missing = || Error::OrderNotFound { order_id: order_id.to_string() };
        let find = || order::Entity::find_by_id(order_id.to_string());
        let row = find().one(tx).await.map_err(DbError::from)?.ok_or_else(missing)?;
        // The shop's row comes first, as everywhere; only then is the order's row what it will be.
        let shop_id: ShopId = reading::parse("shop id", &row.shop_id)?;
        let shop = lock_shop(tx, shop_id).await?;
        let row = find().lock_exclusive().one(tx).await.map_err(DbError::from)?.ok_or_else(missing)?;
        Self::with(tx, origin, shop, row).await
    }

    async fn with(tx: &'a Tx, origin: Origin, shop: shop::Model, row: order::Model) -> Result<Self, Error> {
        let lines = line::Entity::find()
            .filter(line::Column::OrderId.eq(&row.id))
            .order_by_asc(line::Column::LineId)
            .lock_exclusive()
            .all(tx)
            .await
            .map_err(DbError::from)?;
        let order = reading::order(&row, &lines)?;
        Ok(Self { tx, origin, shop, row, lines, order, stored: true })
    }

    async fn take(&mut self, snapshot: &Snapshot, judging: &Judging) -> Result<Taken, Error> {
        let settled = self.order.settled;
        let plan = self.judge(snapshot, judging).await?;
        match plan.standing {
            Standing::Stale => {
                if let Some(newest) = reading::snapshot(&self.row)?.filter(|_| self.order.settled != settled)
                {
                    // That it once was settled may tell what is paid back from what was never paid.
                    let plan = self.judge(&newest, judging).await?;
                    self.write_lines(&newest, &plan).await?;
                }
            }
            Standing::New | Standing::Duplicate => self.write_lines(snapshot, &plan).await?,
        }
        if plan.standing == Standing::New {
            orders::restate(&mut self.row, snapshot)?;
        }
        self.write_order().await?;
        Ok(Taken {
            outcome: match plan.standing {
                Standing::New => Outcome::Applied,
                Standing::Duplicate => Outcome::Duplicate,
                Standing::Stale => Outcome::Stale,
            },
            order_id: Some(reading::parse("order id", &self.row.id)?),
            parked_reason: None,
        })
    }

    /// A delivery that says too little. The order shows it until a whole snapshot comes.
    async fn park_whole(&mut self, number: &str) -> Result<Taken, Error> {
        let reason = parking::Reason::SnapshotIncomplete.as_str();
        if self.order.version.is_none() {
            self.row.parked_reason = Some(reason.to_owned());
            if !number.is_empty() {
                number.clone_into(&mut self.row.number);
            }
            self.write_order().await?;
        }
        Ok(Taken { outcome: Outcome::Parked, order_id: None, parked_reason: Some(reason.to_owned()) })
    }

    async fn judge_newest(&mut self, judging: &Judging) -> Result<(), Error> {
        if let Some(newest) = reading::snapshot(&self.row)? {
            let plan = self.judge(&newest, judging).await?;
            self.write_lines(&newest, &plan).await?;
        }
        self.write_order().await
    }

    /// Plans and absorbs a snapshot, and writes the mapping rows that it made.
    async fn judge(&mut self, snapshot: &Snapshot, judging: &Judging) -> Result<Plan, Error> {
        let mappings = self.mappings(snapshot).await?;
        let mut wanted = self.order.wants(snapshot, &mappings);
        wanted.retain(|plan| !judging.catalog.contains_key(plan));
        if !wanted.is_empty() {
            return Err(Error::Wanted(wanted));
        }
        let owners = self.owners(snapshot).await?;
        let lookups = Lookups { mappings, catalog: judging.catalog.clone(), owners };
        let plan = plan(snapshot, &self.order, &lookups, &judging.policy);
        self.order.absorb(snapshot, &plan);
        for (variant_id, row) in &plan.mappings {
            put_mapping(self.tx, &self.shop.id, variant_id, row).await?;
        }
        Ok(plan)
    }

    async fn mappings(&self, snapshot: &Snapshot) -> Result<BTreeMap<String, crate::model::Mapping>, Error> {
        let rows = mapping::Entity::find()
            .filter(mapping::Column::ShopId.eq(&self.shop.id))
            .filter(mapping::Column::VariantId.is_in(snapshot.variant_ids()))
            .all(self.tx)
            .await
            .map_err(DbError::from)?;
        let rows = rows.into_iter().map(|row| Ok((row.variant_id.clone(), reading::mapping(&row)?)));
        rows.collect()
    }

    async fn owners(&self, snapshot: &Snapshot) -> Result<Owners, Error> {
        let mut owners =
            Owners { links: BTreeMap::new(), fallback: reading::shop(self.shop.clone())?.fallback };
        for key in candidates(snapshot) {
            let name = (self.shop.id.clone(), key.kind.as_str().to_owned(), key.value.clone());
            let row = link::Entity::find_by_id(name).one(self.tx).await.map_err(DbError::from)?;
            if let Some(row) = row {
                owners.links.insert(key, reading::owner(&row.org_id, &row.project_id)?);
            }
        }
        Ok(owners)
    }

    /// Writes the order's row as the order now stands.
    async fn write_order(&mut self) -> Result<(), Error> {
        orders::note(&mut self.row, &self.order);
        if self.stored {
            self.row.version = self.row.version.saturating_add(1);
            let row = self.row.clone().into_active_model().reset_all();
            order::Entity::update(row).exec(self.tx).await.map_err(DbError::from)?;
        } else {
            let row = self.row.clone().into_active_model();
            order::Entity::insert(row).exec_without_returning(self.tx).await.map_err(DbError::from)?;
        }
        Ok(())
    }
}
