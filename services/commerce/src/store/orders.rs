//! Orders: their rows, and lists of them.

use std::collections::BTreeMap;

use sea_orm::{Condition, QueryOrder as _, QuerySelect as _, entity::prelude::*, sea_query::Query};
use souk_db::{Error as DbError, Tx, for_every_tenant, scope::within, scoped};
use souk_types::{
    Scope,
    id::{OrderId, ShopId},
    page::{Page, Paged},
};

use super::{
    Store,
    reading::{self, parse, to_json},
    tables::{effect, line, order},
};
use crate::{
    Error,
    model::{Order, Record, Snapshot},
};

impl Store {
    /// A page of orders with their lines, newest first; only those of a shop, only those that are parked.
    pub(crate) async fn list_orders(
        &self,
        scope: &Scope,
        shop_id: Option<ShopId>,
        parked: bool,
        page: &Page,
    ) -> Result<Paged<Record>, Error> {
        let mut found =
            order::Entity::find().order_by_desc(order::Column::Id).limit(page.size.saturating_add(1));
        if !page.after.is_empty() {
            found = found.filter(order::Column::Id.lt(page.after.as_str()));
        }
        if let Some(shop_id) = shop_id {
            found = found.filter(order::Column::ShopId.eq(shop_id.to_string()));
        }
        if parked {
            let mut lines = Query::select();
            lines.column(line::Column::OrderId).from(line::Entity);
            lines.cond_where(line::Column::State.eq("PARKED"));
            let whole = order::Column::ParkedReason.is_not_null();
            let either = Condition::any().add(whole).add(order::Column::Id.in_subquery(lines));
            found = found.filter(either);
        }
        let rows = found.all(self.db.read()).await.map_err(DbError::from)?;
        let paged = Paged::cut(rows, page, |row| row.id.clone());
        let items = records(self.db.read(), scope, paged.items).await?;
        Ok(Paged { items, next: paged.next })
    }

    /// Orders that are to be judged again, the longest due first, with how often that failed.
    pub(crate) async fn due_orders(&self, limit: u64) -> Result<Vec<(OrderId, i64)>, Error> {
        let rows = order::Entity::find()
            .filter(order::Column::JudgeTime.lte(self.db.now().micros()))
            .order_by_asc(order::Column::JudgeTime)
            .limit(limit)
            .all(self.db.read())
            .await
            .map_err(DbError::from)?;
        let due = rows.iter().map(|row| Ok((parse("order id", &row.id)?, row.judge_attempts)));
        due.collect()
    }

    /// Lets an order rest before it is judged again.
    pub(crate) async fn postpone_order(
        &self,
        order_id: OrderId,
        attempts: i64,
        pause: std::time::Duration,
    ) -> Result<(), Error> {
        self.db
            .write("commerce.postpone_order", |tx| async move {
                order::Entity::update_many()
                    .col_expr(order::Column::JudgeTime, Expr::value((tx.now() + pause).micros()))
                    .col_expr(order::Column::JudgeAttempts, Expr::value(attempts))
                    .filter(order::Column::Id.eq(order_id.to_string()))
                    .filter(order::Column::JudgeTime.is_not_null())
                    .exec(&tx)
                    .await
                    .map_err(DbError::from)?;
                Ok(())
            })
            .await
    }
}

/// One order as it stands within a write.
pub(super) async fn record(tx: &Tx, order_id: OrderId) -> Result<Record, Error> {
    let row = order::Entity::find_by_id(order_id.to_string()).one(tx).await.map_err(DbError::from)?;
    let records = records(tx, &for_every_tenant(), row.into_iter().collect()).await?;
    let missing = || Error::OrderNotFound { order_id: order_id.to_string() };
    records.into_iter().next().ok_or_else(missing)
}

async fn records(
    conn: &impl ConnectionTrait,
    scope: &Scope,
    rows: Vec<order::Model>,
) -> Result<Vec<Record>, Error> {
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let found = scoped::<line::Entity>(scope)
        .filter(line::Column::OrderId.is_in(ids.clone()))
        .order_by_asc(line::Column::LineId);
    let mut lines: BTreeMap<String, Vec<line::Model>> = BTreeMap::new();
    for line in found.all(conn).await.map_err(DbError::from)? {
        lines.entry(line.order_id.clone()).or_default().push(line);
    }
    let found = within(effect::Entity::find(), scope)
        .filter(effect::Column::OrderId.is_in(ids))
        .order_by_asc(effect::Column::Unit);
    let mut effects: BTreeMap<String, BTreeMap<(String, String), Vec<effect::Model>>> = BTreeMap::new();
    for effect in found.all(conn).await.map_err(DbError::from)? {
        let of_order = effects.entry(effect.order_id.clone()).or_default();
        of_order.entry((effect.order_id.clone(), effect.line_id.clone())).or_default().push(effect);
    }
    let records = rows.into_iter().map(|row| {
        let lines = lines.remove(&row.id).unwrap_or_default();
        let effects = effects.remove(&row.id).unwrap_or_default();
        Ok(reading::record(row, lines, effects)?)
    });
    records.collect()
}

/// The row of an order never heard of.
pub(super) fn fresh(tx: &Tx, shop_id: &str, external_id: &str) -> order::Model {
    order::Model {
        id: OrderId::new(tx.now(), tx.random()).to_string(),
        shop_id: shop_id.to_owned(),
        external_id: external_id.to_owned(),
        number: String::new(),
        status: String::new(),
        charge_status: String::new(),
        updated_at: None,
        issued_at: None,
        digest: None,
        settled: false,
        snapshot: None,
        buyer_org_ref: None,
        buyer_external: None,
        buyer_user: None,
        parked_reason: None,
        judge_time: None,
        judge_attempts: 0,
        create_time: tx.now().micros(),
        version: 1,
    }
}

/// Puts the newest snapshot into the row.
pub(super) fn restate(row: &mut order::Model, snapshot: &Snapshot) -> Result<(), DbError> {
    row.number.clone_from(&snapshot.number);
    row.snapshot = Some(to_json("snapshot", snapshot)?);
    row.buyer_org_ref.clone_from(&snapshot.org_ref);
    row.buyer_external.clone_from(&snapshot.buyer.external_reference);
    row.buyer_user.clone_from(&snapshot.buyer.user_id);
    row.parked_reason = None;
    Ok(())
}

/// Puts what is known of the order into the row.
pub(super) fn note(row: &mut order::Model, known: &Order) {
    row.settled = known.settled;
    if let Some(version) = known.version {
        row.updated_at = Some(version.updated_at.micros());
        row.issued_at = version.issued_at.map(souk_types::Time::micros);
        row.digest = Some(version.digest.hex());
    }
    if let Some((status, charge)) = &known.facts {
        status.as_str().clone_into(&mut row.status);
        charge.as_str().clone_into(&mut row.charge_status);
    }
}
