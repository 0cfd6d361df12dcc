//! Versions of keys that are to be destroyed: noted before they are made, taken back when an endpoint points
//! to them, claimed by the loop when they are due.

use sea_orm::{ActiveValue::Set, QueryOrder as _, QuerySelect as _, entity::prelude::*};
use souk_db::{Error as DbError, Tx};
use souk_secrets::Version;
use souk_types::{EventId, Time};

use super::{Store, endpoint, leftover, number};
use crate::{
    error::Error,
    model::{Leftover, Name},
};

/// Rings when something is due at once.
pub(crate) const TOPIC: &str = "models.leftovers";
/// How long a put may take between its note and its outcome.
const PUT: std::time::Duration = std::time::Duration::from_secs(600);
/// How many one turn claims.
const BATCH: u64 = 50;

impl Store {
    /// Notes that a version of a key is about to be made; gives the note.
    pub(crate) async fn note(&self, name: &Name, version: Version) -> Result<String, Error> {
        self.db
            .write(
                "models.note_key",
                |tx| async move { add(&tx, name, (version, version), tx.now() + PUT).await },
            )
            .await
    }

    /// Drops a note.
    pub(crate) async fn forget(&self, note: &str) -> Result<(), Error> {
        self.db
            .write("models.forget_key", |tx| async move {
                leftover::Entity::delete_by_id(note.to_owned()).exec(&tx).await.map_err(DbError::from)?;
                Ok(())
            })
            .await
    }

    /// Claims what is due, so that no outcome can point to it any more; says whether there may be more. What
    /// an endpoint points to is no leftover: its note is dropped.
    pub(crate) async fn claim(&self) -> Result<(Vec<Leftover>, bool), Error> {
        self.db
            .write("models.claim_keys", |tx| async move {
                let due = leftover::Entity::find()
                    .filter(leftover::Column::DueTime.lte(tx.now().micros()))
                    .order_by_asc(leftover::Column::DueTime)
                    .order_by_asc(leftover::Column::Id)
                    .limit(BATCH)
                    .lock_exclusive();
                let due = due.all(&tx).await.map_err(DbError::from)?;
                let more = u64::try_from(due.len()).is_ok_and(|count| count == BATCH);
                let mut claimed = Vec::new();
                for row in due {
                    if points_to(&tx, &row).await? {
                        leftover::Entity::delete_by_id(row.id).exec(&tx).await.map_err(DbError::from)?;
                        continue;
                    }
                    let mark = leftover::ActiveModel {
                        id: sea_orm::ActiveValue::Unchanged(row.id.clone()),
                        claimed: Set(true),
                        ..Default::default()
                    };
                    leftover::Entity::update(mark).exec(&tx).await.map_err(DbError::from)?;
                    claimed.push(noun(row)?);
                }
                Ok((claimed, more))
            })
            .await
    }
}

/// Whether an endpoint's key is one of these.
async fn points_to(tx: &Tx, row: &leftover::Model) -> Result<bool, Error> {
    let found = endpoint::Entity::find_by_id(row.name.clone()).lock_exclusive().one(tx).await;
    let version = found.map_err(DbError::from)?.and_then(|endpoint| endpoint.secret_version);
    Ok(version.is_some_and(|version| (row.from_version..=row.to_version).contains(&version)))
}

/// Notes versions, the first and the last, that are to go at `due`; gives the note.
pub(super) async fn add(
    tx: &Tx,
    name: &Name,
    (from, to): (Version, Version),
    due: Time,
) -> Result<String, Error> {
    let id = EventId::new(tx.now(), tx.random()).to_string();
    let row = leftover::ActiveModel {
        id: Set(id.clone()),
        name: Set(name.to_string()),
        from_version: Set(number(from)?),
        to_version: Set(number(to)?),
        due_time: Set(due.micros()),
        claimed: Set(false),
    };
    leftover::Entity::insert(row).exec_without_returning(tx).await.map_err(DbError::from)?;
    Ok(id)
}

/// Takes a note back; says whether it still stood and nobody had claimed it.
pub(super) async fn take(tx: &Tx, note: &str) -> Result<bool, Error> {
    let gone = leftover::Entity::delete_many()
        .filter(leftover::Column::Id.eq(note))
        .filter(leftover::Column::Claimed.eq(false))
        .exec(tx)
        .await;
    Ok(gone.map_err(DbError::from)?.rows_affected == 1)
}

/// Takes back every note of an endpoint's versions up to this one, so that no put points to them any more.
pub(super) async fn give_up(tx: &Tx, name: &Name, newest: Version) -> Result<(), Error> {
    let gone = leftover::Entity::delete_many()
        .filter(leftover::Column::Name.eq(name.as_str()))
        .filter(leftover::Column::ToVersion.lte(number(newest)?))
        .filter(leftover::Column::Claimed.eq(false))
        .exec(tx)
        .await;
    gone.map_err(DbError::from).map(drop).map_err(Error::from)
}

fn noun(row: leftover::Model) -> Result<Leftover, Error> {
    let version = |own: i64| Version::try_from(own).map_err(|_| Error::Broken("a version below zero"));
    Ok(Leftover {
        id: row.id,
        name: row.name.parse().map_err(|_| Error::Broken("a stored name that is none"))?,
        from: version(row.from_version)?,
        to: version(row.to_version)?,
    })
}
