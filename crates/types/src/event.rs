//! What happened, when: the envelope that every part writes to its outbox.

use crate::{
    clock::Time,
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
