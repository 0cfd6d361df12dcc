//! The audit trail: who asked for what, as every part's log tells it.

use serde_json::Value;
use souk_types::{Event, EventId, OrgId, Time};

/// The longest text that is kept of any field, in characters.
const LONGEST: usize = 300;

/// One change that a person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditEntry {
    /// Its id: that of the event that told of it.
    pub(crate) audit_entry_id: EventId,
    /// The org it touched; `None` for the platform.
    pub(crate) org_id: Option<OrgId>,
    /// When.
    pub(crate) occur_time: Time,
    /// Who.
    pub(crate) actor: String,
    /// What: the method's full name.
    pub(crate) method: String,
    /// The request's id.
    pub(crate) request_id: String,
    /// OK, or the reason of the refusal.
    pub(crate) outcome: String,
    /// The thing it made or changed; empty where the method says none.
    pub(crate) resource_id: String,
    /// The trace.
    pub(crate) trace_id: String,
}

/// The entry that an event tells of; `None` when it tells of something else, or says no method.
#[must_use]
pub(crate) fn read(event: &Event, kind: &str) -> Option<AuditEntry> {
    if event.kind != kind {
        return None;
    }
    let text = |name: &str| {
        let text = event.payload.get(name).and_then(Value::as_str).unwrap_or_default();
        text.chars().take(LONGEST).collect::<String>()
    };
    let method = text("method");
    (!method.is_empty()).then(|| AuditEntry {
        audit_entry_id: event.event_id,
        org_id: event.org_id,
        occur_time: event.occur_time,
        actor: event.actor.chars().take(LONGEST).collect(),
        method,
        request_id: text("requestId"),
        outcome: text("outcome"),
        resource_id: text("resourceId"),
        trace_id: event.trace.chars().take(LONGEST).collect(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_answered_requests_are_entries_and_garbage_is_none() {
        let event = |kind: &str, payload| Event {
            event_id: EventId::from_bits(1),
            kind: kind.into(),
            org_id: Some(OrgId::from_bits(2)),
            aggregate_id: "x".into(),
            aggregate_seq: 1,
            occur_time: Time::from_micros(3),
            actor: "user:usr_1".into(),
            trace: "t".into(),
            payload,
        };
        let payload = json!({"method": "m", "requestId": "r", "outcome": "OK", "resourceId": 7});
        let entry = read(&event("k", payload.clone()), "k").unwrap();
        assert_eq!((entry.request_id.as_str(), entry.resource_id.as_str()), ("r", ""));
        assert_eq!(read(&event("other", payload), "k"), None);
        for bad in [json!(null), json!([]), json!({"method": 3}), json!({"method": ""})] {
            assert_eq!(read(&event("k", bad), "k"), None);
        }
        let long = read(&event("k", json!({"method": "é".repeat(1000)})), "k").unwrap();
        assert_eq!(long.method.chars().count(), LONGEST);
    }
}
