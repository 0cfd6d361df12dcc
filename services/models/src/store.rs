//! The tables: the only room that knows them. Rows hold texts and numbers; what leaves is a noun.
//!
//! Endpoints belong to no org. A scope is taken all the same: it says that the call was opened, and that
//! everything may be seen.

mod leftovers;
mod tables;

use std::time::Duration;

use sea_orm::{IntoActiveModel as _, QueryOrder as _, QuerySelect as _, entity::prelude::*};
use souk_db::{Db, Error as DbError, Once, Request, Tx, once, once::peek, outbox};
use souk_secrets::Version;
use souk_types::{
    Call, Event, EventId, Scope, Time,
    page::{Page, Paged},
};

pub(crate) use self::leftovers::TOPIC as CLEAN_TOPIC;
pub use self::tables::MIGRATIONS;
use self::tables::{endpoint, leftover};
use crate::{
    error::Error,
    model::{Delete, Endpoint, Name, Put},
    service::Marked,
};

/// Within what a request id is unique: endpoints belong to the platform.
const SUBJECT: &str = "platform";

/// The tables of the models service.
pub(crate) struct Store {
    db: Db,
    /// How long a replaced key stays.
    replaced: Duration,
}

impl Store {
    pub(crate) const fn new(db: Db, replaced: Duration) -> Self {
        Self { db, replaced }
    }

    /// What was answered to this request before.
    pub(crate) async fn answered(&self, call: &Call, marked: &Marked<'_>) -> Result<Option<Endpoint>, Error> {
        Ok(peek(&self.db, &Request::of(call, SUBJECT, None, marked)?).await?)
    }

    /// Makes or replaces an endpoint. `kept` is the note of its new key, and the key's version.
    pub(crate) async fn put(
        &self,
        call: &Call,
        marked: &Marked<'_>,
        put: &Put,
        kept: Option<(String, Version)>,
    ) -> Result<Endpoint, Error> {
        let request = &Request::of(call, SUBJECT, None, marked)?;
        let kept = &kept;
        let written = self.db.write("models.put_endpoint", |tx| async move {
            once(&tx, request, || self.replace(&tx, request, put, kept.as_ref())).await
        });
        written.await.map(Once::into_answer)
    }

    async fn replace(
        &self,
        tx: &Tx,
        request: &Request,
        put: &Put,
        kept: Option<&(String, Version)>,
    ) -> Result<Endpoint, Error> {
        let before = locked(tx, &put.name).await?;
        let moved = before.as_ref().is_some_and(|before| !before.address.same_origin(&put.address));
        let old = before.as_ref().and_then(|before| before.secret_version);
        if moved && old.is_some() && kept.is_none() {
            return Err(Error::KeyNeeded);
        }
        if let Some((note, version)) = kept {
            // Without its note the key may be destroyed any moment, and below the present one it is destroyed
            // with it: this came too late.
            if old.is_some_and(|old| *version < old) || !leftovers::take(tx, note).await? {
                return Err(Error::Contended { name: put.name.to_string() });
            }
            if let Some(old) = old {
                leftovers::add(tx, &put.name, (1, old), tx.now() + self.replaced).await?;
            }
        }
        let after = Endpoint {
            name: put.name.clone(),
            address: put.address.clone(),
            models: put.models.clone(),
            default_model: put.default_model.clone(),
            secret_version: kept.map(|(_, version)| *version).or(old),
            create_time: before.as_ref().map_or_else(|| tx.now(), |before| before.create_time),
            update_time: tx.now(),
            version: before.as_ref().map_or(1, |before| before.version.saturating_add(1)),
        };
        let row = row(&after)?.into_active_model();
        let kind = if before.is_some() {
            let mut row = row.reset_all();
            row.name = sea_orm::ActiveValue::Unchanged(after.name.to_string());
            endpoint::Entity::update(row).exec(tx).await.map_err(DbError::from)?;
            "souk.models.v1.ModelEndpointReplaced"
        } else {
            endpoint::Entity::insert(row).exec_without_returning(tx).await.map_err(DbError::from)?;
            "souk.models.v1.ModelEndpointAdded"
        };
        let facts = serde_json::json!({
            "name": after.name.as_str(),
            "url": after.address.as_str(),
            "hasKey": after.secret_version.is_some(),
        });
        tell(tx, request, (kind, &after.name, after.version), facts).await?;
        Ok(after)
    }

    /// Deletes an endpoint; its key is due from now on.
    pub(crate) async fn delete(&self, call: &Call, delete: &Delete) -> Result<(), Error> {
        let request = &Request::of(call, SUBJECT, None, delete)?;
        let written = self.db.write("models.delete_endpoint", |tx| async move {
            once(&tx, request, || async {
                let absent = || Error::NotFound { name: delete.name.to_string() };
                let before = locked(&tx, &delete.name).await?.ok_or_else(absent)?;
                let gone = endpoint::Entity::delete_by_id(delete.name.to_string());
                gone.exec(&tx).await.map_err(DbError::from)?;
                if let Some(version) = before.secret_version {
                    leftovers::give_up(&tx, &delete.name, version).await?;
                    leftovers::add(&tx, &delete.name, (1, version), tx.now()).await?;
                    tx.ring(leftovers::TOPIC);
                }
                let facts = serde_json::json!({ "name": delete.name.as_str() });
                let what = ("souk.models.v1.ModelEndpointDeleted", &delete.name, before.version + 1);
                tell(&tx, request, what, facts).await
            })
            .await
        });
        written.await.map(Once::into_answer)
    }

    /// One endpoint.
    pub(crate) async fn get(&self, _opened: &Scope, name: &Name) -> Result<Endpoint, Error> {
        let found = endpoint::Entity::find_by_id(name.to_string()).one(self.db.read()).await;
        let found = found.map_err(DbError::from)?.ok_or_else(|| Error::NotFound { name: name.to_string() });
        noun(found?)
    }

    /// A page of endpoints, by name.
    pub(crate) async fn list(&self, _opened: &Scope, page: &Page) -> Result<Paged<Endpoint>, Error> {
        let found = endpoint::Entity::find()
            .filter(endpoint::Column::Name.gt(page.after.as_str()))
            .order_by_asc(endpoint::Column::Name)
            .limit(page.size.saturating_add(1));
        let rows = found.all(self.db.read()).await.map_err(DbError::from)?;
        let nouns = rows.into_iter().map(noun).collect::<Result<Vec<_>, _>>()?;
        Ok(Paged::cut(nouns, page, |endpoint| endpoint.name.to_string()))
    }
}

async fn locked(tx: &Tx, name: &Name) -> Result<Option<Endpoint>, Error> {
    let found = endpoint::Entity::find_by_id(name.to_string()).lock_exclusive();
    found.one(tx).await.map_err(DbError::from)?.map(noun).transpose()
}

fn noun(row: endpoint::Model) -> Result<Endpoint, Error> {
    let version = |own: i64| Version::try_from(own).map_err(|_| Error::Broken("a version below zero"));
    Ok(Endpoint {
        name: row.name.parse().map_err(|_| Error::Broken("a stored name that is none"))?,
        address: row.url.parse().map_err(|_| Error::Broken("a stored URL that is none"))?,
        models: serde_json::from_str(&row.models)
            .map_err(|_| Error::Broken("stored models that are none"))?,
        default_model: row.default_model,
        secret_version: row.secret_version.map(version).transpose()?,
        create_time: Time::from_micros(row.create_time),
        update_time: Time::from_micros(row.update_time),
        version: row.version,
    })
}

fn row(noun: &Endpoint) -> Result<endpoint::Model, Error> {
    Ok(endpoint::Model {
        name: noun.name.to_string(),
        url: noun.address.to_string(),
        models: serde_json::to_string(&noun.models).map_err(|_| Error::Broken("models without a form"))?,
        default_model: noun.default_model.clone(),
        secret_version: noun.secret_version.map(number).transpose()?,
        create_time: noun.create_time.micros(),
        update_time: noun.update_time.micros(),
        version: noun.version,
    })
}

fn number(version: Version) -> Result<i64, Error> {
    i64::try_from(version).map_err(|_| Error::Broken("a version beyond all numbers"))
}

async fn tell(
    tx: &Tx,
    request: &Request,
    (kind, name, version): (&str, &Name, i64),
    facts: serde_json::Value,
) -> Result<(), Error> {
    let event = Event {
        event_id: EventId::new(tx.now(), tx.random()),
        kind: kind.to_owned(),
        org_id: None,
        aggregate_id: name.to_string(),
        aggregate_seq: version,
        occur_time: tx.now(),
        actor: request.actor.clone(),
        trace: request.trace.clone(),
        payload: facts,
    };
    Ok(outbox::put(tx, &event).await?)
}
