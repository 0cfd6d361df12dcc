//! The inbox: each proven delivery once, by the bytes of its body.

use std::time::Duration;

use sea_orm::{
    ActiveValue::Set, IntoActiveModel as _, QueryOrder as _, QuerySelect as _, entity::prelude::*,
    sea_query::OnConflict,
};
use souk_db::Error as DbError;

use super::{INBOX, Store, reading::parse, tables::inbox};
use crate::{
    Error,
    model::inbox::{Delivery, Due, Verdict},
};

/// The longest text that is kept of what was found.
const DETAIL: usize = 1000;

impl Store {
    /// Keeps a delivery; `false` when exactly this one is kept already.
    pub(crate) async fn keep(&self, delivery: &Delivery) -> Result<bool, Error> {
        self.db
            .write("commerce.keep_delivery", |tx| async move {
                let now = tx.now().micros();
                let row = inbox::Model {
                    shop_id: delivery.shop_id.to_string(),
                    body_hash: delivery.body_hash.clone(),
                    event: delivery.event.clone(),
                    body: delivery.body.clone(),
                    state: "RECEIVED".to_owned(),
                    external_id: None,
                    outcome: None,
                    reason: None,
                    detail: None,
                    attempts: 0,
                    receive_time: now,
                    next_attempt_time: now,
                    end_time: None,
                };
                let key = [inbox::Column::ShopId, inbox::Column::BodyHash];
                let inserted = inbox::Entity::insert(row.into_active_model())
                    .on_conflict(OnConflict::columns(key).do_nothing().to_owned())
                    .exec_without_returning(&tx)
                    .await
                    .map_err(DbError::from)?;
                tx.ring(INBOX);
                Ok(inserted == 1)
            })
            .await
    }

    /// Deliveries whose turn has come, the longest due first.
    pub(crate) async fn due_deliveries(&self, limit: u64) -> Result<Vec<Due>, Error> {
        let rows = inbox::Entity::find()
            .filter(inbox::Column::State.eq("RECEIVED"))
            .filter(inbox::Column::NextAttemptTime.lte(self.db.now().micros()))
            .order_by_asc(inbox::Column::NextAttemptTime)
            .limit(limit)
            .all(self.db.read())
            .await
            .map_err(DbError::from)?;
        let due = rows.into_iter().map(|row| {
            Ok(Due {
                attempts: row.attempts,
                delivery: Delivery {
                    shop_id: parse("shop id", &row.shop_id)?,
                    body_hash: row.body_hash,
                    event: row.event,
                    body: row.body,
                },
            })
        });
        due.collect()
    }

    /// Records what became of a delivery.
    pub(crate) async fn close_delivery(
        &self,
        delivery: &Delivery,
        external_id: Option<&str>,
        verdict: &Verdict,
    ) -> Result<(), Error> {
        self.db
            .write("commerce.close_delivery", |tx| async move {
                let Some(row) = open(&tx, delivery).await? else { return Ok(()) };
                let mut row = row.into_active_model();
                row.external_id = Set(external_id.map(str::to_owned));
                row.end_time = Set(Some(tx.now().micros()));
                match verdict {
                    Verdict::Taken(outcome) => {
                        row.state = Set("TAKEN".to_owned());
                        row.outcome = Set(Some(outcome.clone()));
                    }
                    Verdict::Parked { reason, detail } => {
                        row.state = Set("PARKED".to_owned());
                        row.reason = Set(Some(reason.clone()));
                        row.detail = Set(Some(detail.chars().take(DETAIL).collect()));
                    }
                }
                inbox::Entity::update(row).exec(&tx).await.map_err(DbError::from)?;
                Ok(())
            })
            .await
    }

    /// Lets a delivery rest before it is tried again.
    pub(crate) async fn postpone_delivery(&self, due: &Due, pause: Duration, why: &str) -> Result<(), Error> {
        self.db
            .write("commerce.postpone_delivery", |tx| async move {
                let Some(row) = open(&tx, &due.delivery).await? else { return Ok(()) };
                let attempts = row.attempts.saturating_add(1);
                let mut row = row.into_active_model();
                row.attempts = Set(attempts);
                row.next_attempt_time = Set((tx.now() + pause).micros());
                row.detail = Set(Some(why.chars().take(DETAIL).collect()));
                inbox::Entity::update(row).exec(&tx).await.map_err(DbError::from)?;
                Ok(())
            })
            .await
    }
}

/// The delivery's row while nothing became of it yet.
async fn open(tx: &souk_db::Tx, delivery: &Delivery) -> Result<Option<inbox::Model>, DbError> {
    let key = (delivery.shop_id.to_string(), delivery.body_hash.clone());
    let row = inbox::Entity::find_by_id(key).lock_exclusive().one(tx).await?;
    Ok(row.filter(|row| row.state == "RECEIVED"))
}
