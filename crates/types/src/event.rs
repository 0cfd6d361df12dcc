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

/// The events of one part in the order of their positions: 1, 2, 3 … without gaps.
#[async_trait]
pub trait Log: Send + Sync {
    /// At most `limit` events with a position greater than `position`, in order.
    ///
    /// # Errors
    /// When the part's database does not answer.
    async fn after(&self, position: i64, limit: u64) -> Result<Vec<(i64, Event)>, Fault>;

    /// Returns once there may be an event beyond this position. A hint: `after` may still answer nothing.
    async fn wait(&self, beyond: i64);
}
