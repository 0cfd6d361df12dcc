//! What happened, when: the envelope that every part writes to its outbox.

use async_trait::async_trait;

use crate::{
    clock::Time,
    fault::Fault,
    id::{EventId, OrgId},
};

/// An event as it stands in the outbox and travels to consumers.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Event {
    /// Unique; consumers that do not keep a cursor dedupe by it.
    pub event_id: EventId,
    /// Constant name, `souk.<domain>.v1.<Noun><PastVerb>`.
    pub kind: String,
    /// The organisation it belongs to; `None` for platform nouns.
    pub org_id: Option<OrgId>,
    /// The noun it is about, in text form.
    pub aggregate_id: String,
    /// Position in the life of that noun: its row version.
    pub aggregate_seq: i64,
    /// When it happened.
    pub occur_time: Time,
    /// Who caused it (`user:usr_…`, `part:commerce`).
    pub actor: String,
    /// The W3C trace id in whose course it happened; empty when there was none.
    pub trace: String,
    /// The facts, as JSON.
    pub payload: serde_json::Value,
}

/// Keeps every write of a part waiting until it is dropped.
pub type Hold = Box<dyn Send + Sync>;

/// The events of one part in the order of their positions: 1, 2, 3 … without gaps; and the upkeep of the
/// tables they stand in, which every part with a database needs alike. A log without upkeep is one for tests.
#[async_trait]
pub trait Log: Send + Sync {
    /// At most `limit` events with a position greater than `position`, in order.
    ///
    /// # Errors
    /// `EVENTS_FORGOTTEN` when events after `position` are not kept any more: the metadata says where the log
    /// begins (`floor`). When the part's database does not answer.
    async fn after(&self, position: i64, limit: u64) -> Result<Vec<(i64, Event)>, Fault>;

    /// Returns once there may be an event beyond this position. A hint: `after` may still answer nothing.
    async fn wait(&self, beyond: i64);

    /// Gives positions to everything that waits for one, then waits until there may be more, or a while. May
    /// be dropped at any point.
    ///
    /// # Errors
    /// When the part's database does not answer.
    async fn number(&self) -> Result<(), Fault> {
        std::future::pending().await
    }

    /// Forgets some of what was kept long enough; says whether there may be more.
    ///
    /// # Errors
    /// When the part's database does not answer.
    async fn forget(&self) -> Result<bool, Fault> {
        Ok(false)
    }

    /// Waits until no write is under way, and keeps all others waiting, in their order. Reads go on.
    ///
    /// # Errors
    /// `UNAVAILABLE` when writes do not end in time, or others hold them.
    async fn hold(&self) -> Result<Hold, Fault> {
        Ok(Box::new(()))
    }
}
