//! The tables: the only room that knows them. Rows hold texts and numbers; what leaves is a noun.
//!
//! Shops, orders and the inbox belong to the platform: a scope is taken all the same, it says that the call
//! was opened. Lines belong to an org once they are pinned. Every change of what a shop's lines depend on
//! (links, mappings, orders) takes the shop's row first, so that none is judged by half of another change.

mod inbox;
mod judge;
mod lines;
mod orders;
mod reading;
mod shops;
mod tables;

use serde::{Serialize, de::DeserializeOwned};
use souk_db::{Db, Request, Tx, once::peek, outbox};
use souk_types::{
    Call, Event,
    id::{EventId, OrgId},
};

use crate::Error;

pub use self::tables::MIGRATIONS;
pub(crate) use self::{judge::Judging, lines::Working};

/// Rung when a delivery was kept.
pub(crate) const INBOX: &str = "inbox";
/// Rung when a line was pinned.
pub(crate) const LINES: &str = "lines";
/// Rung when orders are to be judged again.
pub(crate) const ORDERS: &str = "orders";
/// Within what a request id is unique: shops belong to the platform.
const SUBJECT: &str = "platform";

/// Commerce's tables.
#[derive(Clone)]
pub(crate) struct Store {
    db: Db,
}

impl Store {
    pub(crate) const fn new(db: Db) -> Self {
        Self { db }
    }

    /// What a command was answered with before: a repeat needs nobody but this database.
    pub(crate) async fn answered<A: DeserializeOwned>(
        &self,
        call: &Call,
        ask: &(impl Serialize + Sync),
    ) -> Result<Option<A>, Error> {
        Ok(peek(&self.db, &Request::of(call, SUBJECT, None, ask)?).await?)
    }
}

/// Who causes a change, and in the course of which trace.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    actor: String,
    trace: String,
}

impl Origin {
    /// A loop of this part.
    fn own() -> Self {
        Self { actor: "part:commerce".to_owned(), trace: String::new() }
    }
}

impl From<&Request> for Origin {
    fn from(request: &Request) -> Self {
        Self { actor: request.actor.clone(), trace: request.trace.clone() }
    }
}

/// The noun that an event is about, at its row version.
struct About {
    id: String,
    version: i64,
    org_id: Option<OrgId>,
}

async fn tell(
    tx: &Tx,
    origin: &Origin,
    kind: &str,
    about: About,
    payload: serde_json::Value,
) -> Result<(), souk_db::Error> {
    let now = tx.now();
    let event = Event {
        event_id: EventId::new(now, tx.random()),
        kind: format!("souk.commerce.v1.{kind}"),
        org_id: about.org_id,
        aggregate_id: about.id,
        aggregate_seq: about.version,
        occur_time: now,
        actor: origin.actor.clone(),
        trace: origin.trace.clone(),
        payload,
    };
    outbox::put(tx, &event).await
}
