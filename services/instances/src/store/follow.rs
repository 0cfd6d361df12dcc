//! Events of other parts, taken with their cursor in the write of their effect: each acts once.

use souk_db::{Db, Tx, cursor};
use souk_types::{InstanceId, OrgId};

use sea_orm::{ActiveValue::Set, EntityTrait as _, sea_query::OnConflict};

use super::{Author, Store, applied, change, depleted, serving};
use crate::error::Error;

/// How far the cursor may lag behind events that mean nothing here.
const STRIDE: i64 = 64;

/// What an event of another part means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Desired state is applied.
    Applied {
        /// The instance.
        instance_id: InstanceId,
        /// At which revision.
        revision: i64,
    },
    /// The org's wallet holds nothing any more.
    WalletDepleted(OrgId),
    /// The org's wallet holds something again.
    WalletRefilled(OrgId),
    /// Nothing.
    Other,
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
        let db: &Db = &self.db;
        let taken = db.write("instances.take_event", |tx| async move {
            let from = cursor::get(&tx, source).await?;
            if position <= from {
                return Ok(());
            }
            cursor::advance(&tx, source, from, position).await?;
            act(&tx, news).await
        });
        taken.await
    }
}

async fn act(tx: &Tx, news: News) -> Result<(), Error> {
    let (author, now) = (&Author::own(), tx.now());
    match news {
        News::Other => {}
        News::Applied { instance_id, revision } => {
            if applied(tx, author, instance_id, revision).await?.is_none() {
                tracing::debug!(%instance_id, "applied state of an unknown instance");
            }
        }
        News::WalletDepleted(org) => {
            // What becomes active at this very moment may miss it and stay ACTIVE: billing refuses by itself.
            let row = depleted::ActiveModel { org_id: Set(org.to_string()), since_time: Set(now.micros()) };
            let known = OnConflict::column(depleted::Column::OrgId).do_nothing().to_owned();
            let kept = depleted::Entity::insert(row).on_conflict(known).exec_without_returning(tx);
            kept.await.map_err(souk_db::Error::from)?;
            for instance in serving(tx, org).await? {
                change(tx, author, instance, |instance| instance.wallet_depleted(now)).await?;
            }
        }
        News::WalletRefilled(org) => {
            let gone = depleted::Entity::delete_by_id(org.to_string()).exec(tx);
            gone.await.map_err(souk_db::Error::from)?;
            for instance in serving(tx, org).await? {
                change(tx, author, instance, |instance| instance.wallet_refilled(now)).await?;
            }
        }
    }
    Ok(())
}
