//! Steps in the life of an offering: each one write with its events.

use sea_orm::{
    ActiveValue::Set, IntoActiveModel as _, QueryOrder as _, QuerySelect as _, entity::prelude::*,
};
use souk_db::{Error as DbError, Request, Tx, once};
use souk_types::{Call, OfferingId};

use super::{
    Store,
    read::{parse, read_offering},
    tables::offering,
    write::{Author, SUBJECT, tell},
};
use crate::{
    error::Error,
    model::{
        ChangeLife, Offering,
        life::{Refused, State, Step, step},
    },
};

/// Rings when an end was set or moved.
pub(crate) const ENDING: &str = "catalog/ending";

/// How many offerings one turn ends.
const BATCH: u64 = 20;

impl Store {
    /// Takes a step that somebody asked for.
    pub(crate) async fn change_life(&self, call: &Call, ask: &ChangeLife) -> Result<Offering, Error> {
        let request = &Request::of(call, SUBJECT, None, ask)?;
        let author = &Author::of(request);
        let written = self.db.write("catalog.change_life", |tx| async move {
            once(&tx, request, || take(&tx, author, ask.offering_id, &ask.step)).await
        });
        written.await.map(souk_db::Once::into_answer)
    }

    /// Ends what is due; says whether there may be more. Whoever comes second, here or in another process,
    /// finds that it has ended.
    pub(crate) async fn end_due(&self) -> Result<bool, Error> {
        let due = offering::Entity::find()
            .filter(offering::Column::State.eq(State::Ending.as_str()))
            .filter(offering::Column::EndTime.lte(self.db.now().micros()))
            .order_by_asc(offering::Column::EndTime)
            .order_by_asc(offering::Column::Id)
            .limit(BATCH);
        let due = due.all(self.db.read()).await.map_err(DbError::from)?;
        let more = u64::try_from(due.len()).unwrap_or(BATCH) == BATCH;
        for row in due {
            let offering_id = parse("offering id", &row.id)?;
            let ended = self.db.write("catalog.end_offering", |tx| async move {
                take(&tx, &Author::own(), offering_id, &Step::Expire).await
            });
            match ended.await {
                Ok(offering) => tracing::info!(slug = %offering.slug, "offering ended"),
                // Another replica was first, or the end was moved meanwhile.
                Err(Error::Life(Refused::Illegal(_))) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(more)
    }
}

async fn take(tx: &Tx, author: &Author, id: OfferingId, asked: &Step) -> Result<Offering, Error> {
    let row = offering::Entity::find_by_id(id.to_string()).lock_exclusive();
    let row = row.one(tx).await.map_err(DbError::from)?;
    let row = row.ok_or_else(|| Error::OfferingNotFound { offering: id.to_string() })?;
    let before = read_offering(row.clone())?;
    let (life, told) = step(&before.life, asked, tx.now())?;
    let mut version = before.version;
    for told in told {
        // An event each, numbered by the row's version: two events are two changes.
        version = version.saturating_add(1);
        let mut facts = serde_json::json!({
            "offeringId": before.offering_id,
            "slug": before.slug,
            "reason": life.reason,
        });
        if let (Some(end), Some(facts)) = (life.end_time, facts.as_object_mut()) {
            facts.insert("endTime".to_owned(), end.micros().into());
        }
        tell(tx, author, (told.kind(), &id.to_string(), version), facts).await?;
    }
    let mut row = row.into_active_model();
    row.state = Set(life.state.as_str().to_owned());
    row.end_time = Set(life.end_time.map(souk_types::Time::micros));
    row.reason = Set(life.reason.clone());
    row.version = Set(version);
    offering::Entity::update(row).exec(tx).await.map_err(DbError::from)?;
    tx.ring(id.to_string());
    tx.ring(ENDING);
    Ok(Offering { life, version, ..before })
}
