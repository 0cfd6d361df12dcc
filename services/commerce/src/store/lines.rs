//! Lines: what was decided of each, and how far its effects are.

use std::{collections::BTreeSet, time::Duration};

use sea_orm::{
    ActiveValue::Set, ExprTrait as _, IntoActiveModel as _, QueryOrder as _, QuerySelect as _,
    entity::prelude::*, sea_query::OnConflict,
};
use serde_json::json;
use souk_db::{Error as DbError, Tx, for_every_tenant, scoped};
use souk_types::{OrgId, id::OrderId};

use super::{
    About, LINES, Origin, Store,
    judge::Bench,
    reading::{self, parse},
    tables::{effect, line, order},
    tell,
};
use crate::{
    Error,
    model::{
        Plan, Snapshot,
        backoff::SLOW,
        order::{Effect, LineState, request_id},
        owner::Owner,
        parking::Reason,
        plan::LinePlan,
        record::Stand,
        snapshot,
    },
};

/// A pinned line whose effects are not all there.
#[derive(Clone, Debug)]
pub(crate) struct Working {
    /// The order.
    pub(crate) order_id: OrderId,
    /// The shop's id of the line.
    pub(crate) line_id: String,
    /// Whose it is.
    pub(crate) owner: Owner,
    /// What is still to be called for.
    pub(crate) effects: Vec<Effect>,
    /// How often it was tried in vain.
    pub(crate) attempts: i64,
}

impl Bench<'_> {
    /// Writes the lines as `plan` left them; lines that are gone and were never pinned go.
    pub(super) async fn write_lines(&mut self, snapshot: &Snapshot, plan: &Plan) -> Result<(), Error> {
        let kept: BTreeSet<&str> = self.order.lines.keys().map(String::as_str).collect();
        for gone in self.lines.iter().filter(|line| !kept.contains(line.line_id.as_str())) {
            let key = (gone.order_id.clone(), gone.line_id.clone());
            line::Entity::delete_by_id(key).exec(self.tx).await.map_err(DbError::from)?;
        }
        for planned in &plan.lines {
            let Some(stated) = snapshot.lines.iter().find(|line| line.line_id == planned.line_id) else {
                continue;
            };
            let known = self.lines.iter().find(|line| line.line_id == planned.line_id);
            self.write_line(stated, planned, known).await?;
        }
        self.look_again(plan);
        Ok(())
    }

    /// An order with lines of a paused offering is judged again by and by.
    fn look_again(&mut self, plan: &Plan) {
        let waits = |line: &LinePlan| matches!(&line.state, LineState::Parked(parked) if parked.reason == Reason::OfferingPaused);
        if plan.lines.iter().any(waits) {
            let then = (self.tx.now() + SLOW).micros();
            self.row.judge_time = Some(self.row.judge_time.map_or(then, |due| std::cmp::min(due, then)));
        }
    }

    async fn write_line(
        &self,
        stated: &snapshot::Line,
        planned: &LinePlan,
        known: Option<&line::Model>,
    ) -> Result<(), Error> {
        let mut row = self.row_of(stated, planned, known)?;
        if known == Some(&row) {
            return Ok(());
        }
        let told = known.map(|known| (known.state.as_str(), known.parked_reason.as_deref()))
            != Some((row.state.as_str(), row.parked_reason.as_deref()));
        row.version = row.version.saturating_add(1);
        let active = row.clone().into_active_model();
        if known.is_some() {
            line::Entity::update(active.reset_all()).exec(self.tx).await.map_err(DbError::from)?;
        } else {
            line::Entity::insert(active).exec_without_returning(self.tx).await.map_err(DbError::from)?;
        }
        if planned.fresh {
            self.tx.ring(LINES);
            tell_line(self.tx, &self.origin, "OrderLinePinned", &row).await?;
        } else if told && row.state == Stand::Parked.as_str() {
            tell_line(self.tx, &self.origin, "OrderLineParked", &row).await?;
        }
        Ok(())
    }

    fn row_of(
        &self,
        stated: &snapshot::Line,
        planned: &LinePlan,
        known: Option<&line::Model>,
    ) -> Result<line::Model, DbError> {
        let mut row = known.cloned().unwrap_or_else(|| blank(&self.row, &stated.line_id));
        row.variant_id.clone_from(&stated.variant_id);
        row.sku = stated.sku.clone().unwrap_or_default();
        row.product_name = stated.product_name.clone().unwrap_or_default();
        planned.state.as_str().clone_into(&mut row.judged);
        if let LineState::Pinned(pin) = &planned.state {
            if planned.fresh {
                row.org_id = pin.owner.org_id.to_string();
                row.project_id = pin.owner.project_id.to_string();
                row.target = Some(reading::to_json("line target", &pin.target)?);
                (row.units, row.credits) = (pin.units, pin.credits.micros());
                Stand::Working.as_str().clone_into(&mut row.state);
                row.next_attempt_time = Some(self.tx.now().micros());
                (row.wait, row.parked_reason) = (None, None);
                row.parked_detail.clear();
            }
            return Ok(row);
        }
        row.units = stated.units();
        (row.wait, row.parked_reason) = (None, None);
        row.parked_detail.clear();
        let stand = match &planned.state {
            LineState::Waiting(wait) => {
                row.wait = Some(wait.as_str().to_owned());
                Stand::Waiting
            }
            LineState::Parked(parked) => {
                row.parked_reason = Some(parked.reason.as_str().to_owned());
                row.parked_detail.clone_from(&parked.detail);
                Stand::Parked
            }
            LineState::Void | LineState::Empty | LineState::Pinned(_) => Stand::Void,
        };
        stand.as_str().clone_into(&mut row.state);
        Ok(row)
    }

    /// Lets the effects of pinned lines that were refused, or wait for a person, be called for again.
    pub(super) async fn resume(&mut self) -> Result<(), Error> {
        let refused = |line: &&mut line::Model| line.judged == "PINNED" && line.parked_reason.is_some();
        for line in self.lines.iter_mut().filter(refused) {
            Stand::Working.as_str().clone_into(&mut line.state);
            line.parked_reason = None;
            line.parked_detail.clear();
            line.attempts = 0;
            line.next_attempt_time = Some(self.tx.now().micros());
            line.version = line.version.saturating_add(1);
            let active = line.clone().into_active_model().reset_all();
            line::Entity::update(active).exec(self.tx).await.map_err(DbError::from)?;
            tell_line(self.tx, &self.origin, "OrderLineResumed", line).await?;
            self.tx.ring(LINES);
        }
        Ok(())
    }
}

impl Store {
    /// Lines whose turn has come, the longest due first.
    pub(crate) async fn due_lines(&self, limit: u64) -> Result<Vec<Working>, Error> {
        let rows = scoped::<line::Entity>(&for_every_tenant())
            .filter(line::Column::State.eq(Stand::Working.as_str()))
            .filter(line::Column::NextAttemptTime.lte(self.db.now().micros()))
            .order_by_asc(line::Column::NextAttemptTime)
            .limit(limit)
            .all(self.db.read())
            .await
            .map_err(DbError::from)?;
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            due.push(self.working(row).await?);
        }
        Ok(due)
    }

    async fn working(&self, row: line::Model) -> Result<Working, Error> {
        let parent = order::Entity::find_by_id(&row.order_id).one(self.db.read()).await;
        let parent = parent.map_err(DbError::from)?;
        let parent = parent.ok_or_else(|| DbError::value("order_line", "its order is missing"))?;
        let done = scoped::<effect::Entity>(&for_every_tenant())
            .filter(effect::Column::OrderId.eq(&row.order_id))
            .filter(effect::Column::LineId.eq(&row.line_id))
            .all(self.db.read())
            .await
            .map_err(DbError::from)?;
        let done: BTreeSet<i64> = done.into_iter().map(|effect| effect.unit).collect();
        let pin = reading::pin(&row)?;
        let mut effects = pin.effects(&parent.external_id, &row.line_id);
        effects.retain(|effect| !done.contains(&effect.unit));
        let order_id = parse("order id", &row.order_id)?;
        Ok(Working { order_id, line_id: row.line_id, owner: pin.owner, effects, attempts: row.attempts })
    }

    /// Records what one effect brought: an instance, or a ledger entry.
    pub(crate) async fn record_effect(
        &self,
        working: &Working,
        done: &Effect,
        result: &str,
    ) -> Result<(), Error> {
        self.db
            .write("commerce.record_effect", |tx| async move {
                let row = effect::Model {
                    order_id: working.order_id.to_string(),
                    line_id: working.line_id.clone(),
                    unit: done.unit,
                    org_id: working.owner.org_id.to_string(),
                    request_id: done.request_id.clone(),
                    result: result.to_owned(),
                    done_time: tx.now().micros(),
                };
                bump_order(&tx, working.order_id).await?;
                let key = [effect::Column::OrderId, effect::Column::LineId, effect::Column::Unit];
                effect::Entity::insert(row.into_active_model())
                    .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
                    .exec_without_returning(&tx)
                    .await
                    .map_err(DbError::from)?;
                Ok(())
            })
            .await
    }

    /// Ends a line all of whose effects are there.
    pub(crate) async fn finish_line(&self, working: &Working) -> Result<(), Error> {
        self.move_line("commerce.finish_line", working, "OrderLineDone", |row| {
            row.state = Set(Stand::Done.as_str().to_owned());
            row.parked_reason = Set(None);
            row.next_attempt_time = Set(None);
        })
        .await
    }

    /// Parks a line whose effect was refused for good.
    pub(crate) async fn park_line(&self, working: &Working, reason: &str, detail: &str) -> Result<(), Error> {
        self.move_line("commerce.park_line", working, "OrderLineParked", |row| {
            row.state = Set(Stand::Parked.as_str().to_owned());
            row.parked_reason = Set(Some(reason.to_owned()));
            row.parked_detail = Set(detail.chars().take(1000).collect());
            row.next_attempt_time = Set(None);
        })
        .await
    }

    /// Lets a line rest before its effects are called for again; a reason is shown meanwhile.
    pub(crate) async fn postpone_line(
        &self,
        working: &Working,
        pause: Duration,
        reason: Option<&str>,
        why: &str,
    ) -> Result<(), Error> {
        self.db
            .write("commerce.postpone_line", |tx| async move {
                let Some(row) = lock_working(&tx, working).await? else { return Ok(()) };
                let attempts = row.attempts.saturating_add(1);
                let mut row = row.into_active_model();
                row.attempts = Set(attempts);
                row.parked_reason = Set(reason.map(str::to_owned));
                row.next_attempt_time = Set(Some((tx.now() + pause).micros()));
                row.parked_detail = Set(why.chars().take(1000).collect());
                line::Entity::update(row).exec(&tx).await.map_err(DbError::from)?;
                Ok(())
            })
            .await
    }

    async fn move_line(
        &self,
        site: &'static str,
        working: &Working,
        kind: &str,
        change: impl Fn(&mut line::ActiveModel) + Send + Sync,
    ) -> Result<(), Error> {
        let change = &change;
        self.db
            .write(site, |tx| async move {
                bump_order(&tx, working.order_id).await?;
                let Some(row) = lock_working(&tx, working).await? else { return Ok(()) };
                let version = row.version.saturating_add(1);
                let mut row = row.into_active_model();
                row.version = Set(version);
                row.parked_detail = Set(String::new());
                change(&mut row);
                let row = line::Entity::update(row).exec(&tx).await.map_err(DbError::from)?;
                tell_line(&tx, &Origin::own(), kind, &row).await
            })
            .await
    }
}

/// The line's row while its effects are on their way.
async fn lock_working(tx: &Tx, working: &Working) -> Result<Option<line::Model>, Error> {
    let row = scoped::<line::Entity>(&for_every_tenant())
        .filter(line::Column::OrderId.eq(working.order_id.to_string()))
        .filter(line::Column::LineId.eq(&working.line_id))
        .lock_exclusive()
        .one(tx)
        .await
        .map_err(DbError::from)?;
    Ok(row.filter(|row| row.state == Stand::Working.as_str()))
}

/// The order's etag moves with its lines; taken before the line's row, as everywhere.
async fn bump_order(tx: &Tx, order_id: OrderId) -> Result<(), Error> {
    order::Entity::update_many()
        .col_expr(order::Column::Version, Expr::col(order::Column::Version).add(1_i64))
        .filter(order::Column::Id.eq(order_id.to_string()))
        .exec(tx)
        .await
        .map_err(DbError::from)?;
    Ok(())
}

fn blank(order: &order::Model, line_id: &str) -> line::Model {
    line::Model {
        order_id: order.id.clone(),
        line_id: line_id.to_owned(),
        shop_id: order.shop_id.clone(),
        org_id: String::new(),
        project_id: String::new(),
        variant_id: None,
        sku: String::new(),
        product_name: String::new(),
        units: 0,
        judged: String::new(),
        state: String::new(),
        wait: None,
        target: None,
        credits: 0,
        parked_reason: None,
        parked_detail: String::new(),
        request_key: request_id(&order.external_id, line_id, 1),
        attempts: 0,
        next_attempt_time: None,
        version: 0,
    }
}

async fn tell_line(tx: &Tx, origin: &Origin, kind: &str, row: &line::Model) -> Result<(), Error> {
    let org_id = if row.org_id.is_empty() { None } else { Some(parse::<OrgId>("org_id", &row.org_id)?) };
    let about = About { id: format!("{}/{}", row.order_id, row.line_id), version: row.version, org_id };
    let payload = json!({
        "orderId": row.order_id,
        "lineId": row.line_id,
        "shopId": row.shop_id,
        "projectId": row.project_id,
        "state": row.state,
        "units": row.units,
        "creditsMicros": row.credits.to_string(),
        "parkedReason": row.parked_reason,
        "requestKey": row.request_key,
    });
    Ok(tell(tx, origin, kind, about, payload).await?)
}
