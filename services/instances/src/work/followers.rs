//! Followers of other parts' events: what delivery applied, and whose wallet is empty.

use async_trait::async_trait;
use serde_json::Value;
use souk_kit::events::Sink;
use souk_types::{Event, Fault, PartName};

use crate::store::{News, Store};

/// Follows one part's log.
pub(crate) struct Follower {
    pub(crate) store: Store,
    pub(crate) source: PartName,
}

#[async_trait]
impl Sink for Follower {
    async fn cursor(&self) -> Result<i64, Fault> {
        Ok(self.store.cursor(self.source.as_str()).await?)
    }

    async fn take(&self, position: i64, event: Event) -> Result<(), Fault> {
        Ok(self.store.take(self.source.as_str(), position, read(&event)).await?)
    }
}

/// What an event means here. One that cannot be read means nothing: the loop asks delivery itself, and
/// billing refuses an empty wallet whether it is paused here or not.
fn read(event: &Event) -> News {
    let news = match event.kind.as_str() {
        "souk.delivery.v1.InstanceApplied" => applied(&event.payload),
        "souk.billing.v1.WalletDepleted" => event.org_id.map(News::WalletDepleted),
        "souk.billing.v1.WalletRefilled" => event.org_id.map(News::WalletRefilled),
        _ => Some(News::Other),
    };
    news.unwrap_or_else(|| {
        tracing::error!(event_id = %event.event_id, kind = event.kind, "event cannot be read and is skipped");
        News::Other
    })
}

fn applied(payload: &Value) -> Option<News> {
    let instance_id = payload.get("instanceId")?.as_str()?.parse().ok()?;
    // 64-bit numbers are texts in JSON; a plain number is understood too.
    let revision = match payload.get("revision")? {
        Value::String(text) => text.parse().ok()?,
        other => other.as_i64()?,
    };
    Some(News::Applied { instance_id, revision })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use souk_types::{EventId, InstanceId, OrgId, Time};

    use super::*;

    fn event(kind: &str, payload: Value) -> Event {
        Event {
            event_id: EventId::from_bits(1),
            kind: kind.to_owned(),
            org_id: Some(OrgId::from_bits(2)),
            aggregate_id: "a".to_owned(),
            aggregate_seq: 1,
            occur_time: Time::from_micros(0),
            actor: "part:delivery".to_owned(),
            trace: String::new(),
            payload,
        }
    }

    #[test]
    fn events_mean_what_they_say_and_odd_ones_nothing() {
        let id = InstanceId::from_bits(7);
        let applied = |payload| read(&event("souk.delivery.v1.InstanceApplied", payload));
        let wanted = News::Applied { instance_id: id, revision: 3 };
        assert_eq!(applied(json!({ "instanceId": id, "revision": "3", "host": "" })), wanted);
        assert_eq!(applied(json!({ "instanceId": id, "revision": 3 })), wanted);
        for odd in
            [json!({}), json!(null), json!({ "instanceId": "x", "revision": 3 }), json!({ "instanceId": id })]
        {
            assert_eq!(applied(odd), News::Other);
        }
        let org = OrgId::from_bits(2);
        assert_eq!(read(&event("souk.billing.v1.WalletDepleted", json!({}))), News::WalletDepleted(org));
        assert_eq!(read(&event("souk.billing.v1.WalletRefilled", json!({}))), News::WalletRefilled(org));
        assert_eq!(read(&event("souk.billing.v1.WalletOpened", json!({}))), News::Other);
    }
}
