//! Events of other parts, taken with their cursor in the write of their effect: each acts once. What touches
//! many instances writes down what holds from now on, and a sweep that brings them in line, batch by batch.

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, Select, sea_query::OnConflict,
};
use souk_db::{Tx, cursor};
use souk_types::{InstanceId, OrgId, Time, id::OfferingId};

use super::{
    Author, Store, change, locked,
    rows::{depleted, instance, noun, offering, sweep},
};
use crate::{
    error::Error,
    model::{Drift, Instance, Levels},
};

/// How far the cursor may lag behind events that mean nothing here.
const STRIDE: i64 = 64;
/// How many sweeps one turn goes on with.
const SWEEPS: u64 = 16;
/// Rings when there is something to sweep.
pub(crate) const SWEEP: &str = "instances/sweep";

/// What an event of another part means here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Desired state is applied.
    Applied {
        /// The instance.
        instance_id: InstanceId,
        /// At which revision.
        revision: i64,
    },
    /// Somebody else changed desired state in the repository.
    DriftFound {
        /// The instance.
        instance_id: InstanceId,
        /// What differs.
        drift: Drift,
    },
    /// It was written again.
    DriftMended {
        /// The instance.
        instance_id: InstanceId,
        /// At which revision.
        revision: i64,
    },
    /// The org's wallet holds nothing any more, or something again.
    Wallet {
        /// The org.
        org_id: OrgId,
        /// Whether it holds nothing.
        depleted: bool,
    },
    /// The operator moved an offering.
    Offering {
        /// The offering.
        offering_id: OfferingId,
        /// What became of it.
        turn: Turn,
    },
    /// Nothing.
    Other,
}

/// What became of an offering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Not sold, and what was sold does not serve.
    Paused,
    /// Sold and served again.
    Resumed,
    /// Not sold any more; what was sold serves until then.
    Ending(Time),
    /// Its time is over.
    Ended,
}

/// Whose instances a sweep goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// An org's.
    Org,
    /// An offering's.
    Offering,
}

impl Of {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Org => "org",
            Self::Offering => "offering",
        }
    }
}

impl Store {
    /// How far another part's log was taken.
    pub(crate) async fn cursor(&self, source: &str) -> Result<i64, Error> {
        Ok(cursor::get(self.db.read(), source).await?)
    }

    /// Takes one event's news. News that was taken before, by this process or another, changes nothing.
    pub(crate) async fn take(&self, source: &str, position: i64, news: News) -> Result<(), Error> {
        // Billing tells of every run. Nothing comes of it here, so the cursor may lag a little rather than
        // be flushed to disk for each: whoever starts from it passes over the same events again.
        if news == News::Other && position % STRIDE != 0 {
            return Ok(());
        }
        let news = &news;
        let taken = self.db.write("instances.take_event", |tx| async move {
            let from = cursor::get(&tx, source).await?;
            if position <= from {
                return Ok(());
            }
            cursor::advance(&tx, source, from, position).await?;
            self.act(&tx, news).await
        });
        taken.await
    }

    /// Goes on after `position`: what was before it is taken, or means nothing here.
    pub(crate) async fn pass(&self, source: &str, position: i64) -> Result<(), Error> {
        let passed = self.db.write("instances.pass_events", |tx| async move {
            let from = cursor::get(&tx, source).await?;
            if position > from {
                cursor::advance(&tx, source, from, position).await?;
            }
            Ok(())
        });
        passed.await
    }

    async fn act(&self, tx: &Tx, news: &News) -> Result<(), Error> {
        let (patience, now) = (&self.patience, tx.now());
        match news {
            News::Other => Ok(()),
            News::Applied { instance_id, revision } => {
                self.tell_one(tx, *instance_id, |one| one.applied(*revision, patience, now)).await
            }
            News::DriftFound { instance_id, drift } => {
                self.tell_one(tx, *instance_id, |one| one.drift_found(drift, patience, now)).await
            }
            News::DriftMended { instance_id, revision } => {
                self.tell_one(tx, *instance_id, |one| one.drift_mended(*revision, patience, now)).await
            }
            News::Wallet { org_id, depleted } => {
                set_wallet(tx, *org_id, *depleted).await?;
                begin_sweep(tx, Of::Org, org_id.to_string()).await
            }
            News::Offering { offering_id, turn } => {
                set_offering(tx, *offering_id, *turn).await?;
                begin_sweep(tx, Of::Offering, offering_id.to_string()).await
            }
        }
    }

    /// Lets delivery's news of one instance happen to it.
    async fn tell_one(
        &self,
        tx: &Tx,
        id: InstanceId,
        happen: impl FnOnce(&mut Instance) + Send,
    ) -> Result<(), Error> {
        let Some(found) = locked(tx, id).await? else {
            tracing::debug!(instance_id = %id, "delivery tells of an unknown instance");
            return Ok(());
        };
        let happen = |instance: &mut Instance| {
            happen(instance);
            Ok(())
        };
        change(tx, &Author::own(), (found, &self.patience), happen).await.map(|_| ())
    }

    /// One turn of the sweeps: a batch of each, of as many as one turn takes. Says whether some is left.
    pub(crate) async fn sweep(&self, batch: u64) -> Result<bool, Error> {
        let found = sweep::Entity::find().order_by_asc(sweep::Column::Kind).order_by_asc(sweep::Column::Id);
        let found = found.limit(SWEEPS + 1).all(self.db.read()).await.map_err(souk_db::Error::from)?;
        let (mut left, mut failed) = (u64::try_from(found.len()).is_ok_and(|count| count > SWEEPS), None);
        for one in found {
            let (kind, id) = (one.kind.clone(), one.id.clone());
            let (kind, id) = (kind.as_str(), id.as_str());
            let swept = self.db.write("instances.sweep", |tx| self.sweep_batch(tx, (kind, id), batch)).await;
            match swept {
                Ok(more) => left |= more,
                // One that fails must not keep the others waiting; it is tried again with the next turn.
                Err(error) => {
                    tracing::warn!(kind, id, %error, "sweep failed");
                    failed = Some(error);
                }
            }
        }
        failed.filter(|_| !left).map_or(Ok(left), Err)
    }

    async fn sweep_batch(&self, tx: Tx, (kind, id): (&str, &str), batch: u64) -> Result<bool, Error> {
        let key = (kind.to_owned(), id.to_owned());
        let row = sweep::Entity::find_by_id(key.clone()).lock_exclusive().one(&tx).await;
        let Some(row) = row.map_err(souk_db::Error::from)? else { return Ok(false) };
        let found = next_of((kind, id), &row.after_id, batch).lock_exclusive().all(&tx).await;
        let found = found.map_err(souk_db::Error::from)?;
        let more = u64::try_from(found.len()).is_ok_and(|count| count >= batch);
        for row in &found {
            match noun(row) {
                // To change nothing is to bring it in line.
                Ok(instance) => {
                    let unmoved = |_: &mut Instance| Ok(());
                    change(&tx, &Author::own(), (instance, &self.patience), unmoved).await?;
                }
                Err(error) => {
                    tracing::error!(instance_id = row.instance_id, %error, "row cannot be read and is swept over");
                }
            }
        }
        match found.last() {
            Some(last) if more => {
                let on = sweep::ActiveModel {
                    kind: Set(key.0),
                    id: Set(key.1),
                    after_id: Set(last.instance_id.clone()),
                };
                sweep::Entity::update(on).exec(&tx).await.map_err(souk_db::Error::from)?;
            }
            _ => {
                sweep::Entity::delete_by_id(key).exec(&tx).await.map_err(souk_db::Error::from)?;
            }
        }
        Ok(more)
    }
}

/// The next instances of a sweep, in the order of their ids.
pub(super) fn next_of((kind, id): (&str, &str), after_id: &str, batch: u64) -> Select<instance::Entity> {
    let column =
        if kind == Of::Org.as_str() { instance::Column::OrgId } else { instance::Column::OfferingId };
    instance::Entity::find()
        .filter(column.eq(id))
        .filter(instance::Column::InstanceId.gt(after_id))
        .order_by_asc(instance::Column::InstanceId)
        .limit(batch)
}

/// What holds or ends an instance from outside, as this write sees it.
pub(super) async fn levels(tx: &Tx, org: OrgId, offering_id: OfferingId) -> Result<Levels, Error> {
    let depleted = depleted::Entity::find_by_id(org.to_string()).one(tx).await;
    let depleted = depleted.map_err(souk_db::Error::from)?.is_some();
    let life = offering::Entity::find_by_id(offering_id.to_string()).one(tx).await;
    let life = life.map_err(souk_db::Error::from)?;
    Ok(Levels {
        wallet_depleted: depleted,
        offering_paused: life.as_ref().is_some_and(|life| life.paused),
        offering_ended: life.as_ref().is_some_and(|life| life.ended),
        end_time: life.and_then(|life| life.end_time).map(Time::from_micros),
    })
}

async fn set_wallet(tx: &Tx, org: OrgId, is_depleted: bool) -> Result<(), Error> {
    if is_depleted {
        let row = depleted::ActiveModel { org_id: Set(org.to_string()), since_time: Set(tx.now().micros()) };
        let known = OnConflict::column(depleted::Column::OrgId).do_nothing().to_owned();
        let kept = depleted::Entity::insert(row).on_conflict(known).exec_without_returning(tx);
        kept.await.map_err(souk_db::Error::from)?;
    } else {
        let gone = depleted::Entity::delete_by_id(org.to_string()).exec(tx);
        gone.await.map_err(souk_db::Error::from)?;
    }
    Ok(())
}

async fn set_offering(tx: &Tx, id: OfferingId, turn: Turn) -> Result<(), Error> {
    let found = offering::Entity::find_by_id(id.to_string()).lock_exclusive().one(tx).await;
    let found = found.map_err(souk_db::Error::from)?;
    let mut life = found.unwrap_or(offering::Model {
        offering_id: id.to_string(),
        paused: false,
        ended: false,
        end_time: None,
    });
    match turn {
        Turn::Paused => life.paused = true,
        Turn::Resumed => life.paused = false,
        // What ends serves until then: a pause is over.
        Turn::Ending(end) => (life.paused, life.end_time) = (false, Some(end.micros())),
        Turn::Ended => life.ended = true,
    }
    let row = offering::ActiveModel {
        offering_id: Set(life.offering_id),
        paused: Set(life.paused),
        ended: Set(life.ended),
        end_time: Set(life.end_time),
    };
    let columns = [offering::Column::Paused, offering::Column::Ended, offering::Column::EndTime];
    let known = OnConflict::column(offering::Column::OfferingId).update_columns(columns).to_owned();
    let kept = offering::Entity::insert(row).on_conflict(known).exec_without_returning(tx);
    kept.await.map_err(souk_db::Error::from)?;
    Ok(())
}

/// Begins a sweep, or begins it again: what it passed already was brought in line with what held before.
async fn begin_sweep(tx: &Tx, of: Of, id: String) -> Result<(), Error> {
    let row =
        sweep::ActiveModel { kind: Set(of.as_str().to_owned()), id: Set(id), after_id: Set(String::new()) };
    let known = OnConflict::columns([sweep::Column::Kind, sweep::Column::Id])
        .update_column(sweep::Column::AfterId)
        .to_owned();
    let kept = sweep::Entity::insert(row).on_conflict(known).exec_without_returning(tx);
    kept.await.map_err(souk_db::Error::from)?;
    tx.ring(SWEEP);
    Ok(())
}
