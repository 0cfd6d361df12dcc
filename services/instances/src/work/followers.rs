//! Followers of other parts' events: what delivery applied, whose wallet is empty, which offering is paused
//! or ends.

use async_trait::async_trait;
use serde_json::Value;
use souk_kit::events::Sink;
use souk_types::{Event, Fault, PartName, Time};

use crate::{
    model::Drift,
    store::{News, Store, Turn},
};

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

    async fn passed(&self, position: i64) -> Result<(), Fault> {
        Ok(self.store.pass(self.source.as_str(), position).await?)
    }
}

/// What an event means here. One that cannot be read means nothing: the loop asks delivery itself, billing
/// refuses an empty wallet whether it is paused here or not, and catalog sells nothing that it does not sell.
fn read(event: &Event) -> News {
    let news = match event.kind.as_str() {
        "souk.delivery.v1.InstanceApplied" => applied(&event.payload),
        "souk.delivery.v1.DriftFound" => drift_found(&event.payload),
        "souk.delivery.v1.DriftMended" => drift_mended(&event.payload),
        "souk.billing.v1.WalletDepleted" => wallet(event, true),
        // The second is what logs of before the first say.
        "souk.billing.v1.WalletReplenished" | "souk.billing.v1.WalletRefilled" => wallet(event, false),
        "souk.catalog.v1.OfferingPaused" => offering(event, Some(Turn::Paused)),
        "souk.catalog.v1.OfferingResumed" => offering(event, Some(Turn::Resumed)),
        "souk.catalog.v1.OfferingEnding" => offering(event, end_time(&event.payload).map(Turn::Ending)),
        "souk.catalog.v1.OfferingEnded" => offering(event, Some(Turn::Ended)),
        _ => Some(News::Other),
    };
    news.unwrap_or_else(|| {
        tracing::error!(event_id = %event.event_id, kind = event.kind, "event cannot be read and is skipped");
        News::Other
    })
}

fn wallet(event: &Event, depleted: bool) -> Option<News> {
    event.org_id.map(|org_id| News::Wallet { org_id, depleted })
}

fn offering(event: &Event, turn: Option<Turn>) -> Option<News> {
    let named = event.payload.get("offeringId").and_then(Value::as_str).unwrap_or(&event.aggregate_id);
    Some(News::Offering { offering_id: named.parse().ok()?, turn: turn? })
}

fn end_time(payload: &Value) -> Option<Time> {
    whole(payload.get("endTime")?).map(Time::from_micros)
}

/// 64-bit numbers are texts in JSON; a plain number is understood too.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_i64(),
    }
}

fn applied(payload: &Value) -> Option<News> {
    let instance_id = payload.get("instanceId")?.as_str()?.parse().ok()?;
    let revision = whole(payload.get("revision")?)?;
    Some(News::Applied { instance_id, revision })
}

fn drift_found(payload: &Value) -> Option<News> {
    // Files of nobody are no instance's drift.
    let Some(instance_id) = payload.get("instanceId") else { return Some(News::Other) };
    let instance_id = instance_id.as_str()?.parse().ok()?;
    let first = payload.get("files").and_then(|files| files.get(0)?.as_str()).unwrap_or_default();
    let drift = Drift {
        revision: whole(payload.get("revision")?)?,
        files: whole(payload.get("count")?)?,
        first: first.to_owned(),
        commit_id: payload.get("commitId")?.as_str()?.to_owned(),
    };
    Some(News::DriftFound { instance_id, drift })
}

fn drift_mended(payload: &Value) -> Option<News> {
    let instance_id = payload.get("instanceId")?.as_str()?.parse().ok()?;
    let revision = whole(payload.get("revision")?)?;
    Some(News::DriftMended { instance_id, revision })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use souk_types::{EventId, InstanceId, OfferingId, OrgId};

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
        let org_id = OrgId::from_bits(2);
        let wallet = |depleted| News::Wallet { org_id, depleted };
        assert_eq!(read(&event("souk.billing.v1.WalletDepleted", json!({}))), wallet(true));
        assert_eq!(read(&event("souk.billing.v1.WalletReplenished", json!({}))), wallet(false));
        assert_eq!(read(&event("souk.billing.v1.WalletRefilled", json!({}))), wallet(false));
        assert_eq!(read(&event("souk.billing.v1.WalletOpened", json!({}))), News::Other);
        let found = |payload| read(&event("souk.delivery.v1.DriftFound", payload));
        let files = json!(["route.yaml is changed", "policy.yaml is missing"]);
        let told = json!({ "instanceId": id, "revision": 3, "commitId": "c0", "files": files, "count": 2 });
        let first = "route.yaml is changed".to_owned();
        let drift = Drift { revision: 3, files: 2, first, commit_id: "c0".to_owned() };
        assert_eq!(found(told), News::DriftFound { instance_id: id, drift });
        assert_eq!(found(json!({ "instanceId": id, "revision": 3 })), News::Other, "what differs is missing");
        assert_eq!(found(json!({ "paths": ["junk"], "count": 1, "commitId": "c0" })), News::Other);
        let mended = |payload| read(&event("souk.delivery.v1.DriftMended", payload));
        assert_eq!(
            mended(json!({ "instanceId": id, "revision": 3, "commitId": "c1" })),
            News::DriftMended { instance_id: id, revision: 3 }
        );
        assert_eq!(mended(json!({})), News::Other);
        let offering_id = OfferingId::from_bits(3);
        let moved = |turn| News::Offering { offering_id, turn };
        let told = |kind: &str, end| {
            let payload = json!({ "offeringId": offering_id, "slug": "s", "endTime": end, "reason": "" });
            read(&event(&format!("souk.catalog.v1.{kind}"), payload))
        };
        assert_eq!(told("OfferingPaused", json!(null)), moved(Turn::Paused));
        assert_eq!(told("OfferingResumed", json!(null)), moved(Turn::Resumed));
        assert_eq!(told("OfferingEnding", json!("7")), moved(Turn::Ending(Time::from_micros(7))));
        assert_eq!(told("OfferingEnding", json!(7)), moved(Turn::Ending(Time::from_micros(7))));
        assert_eq!(told("OfferingEnding", json!(null)), News::Other, "an end without a time is none");
        assert_eq!(told("OfferingEnded", json!(null)), moved(Turn::Ended));
        assert_eq!(told("OfferingPublished", json!(null)), News::Other);
        let mut odd = event("souk.catalog.v1.OfferingPaused", json!({}));
        assert_eq!(read(&odd), News::Other);
        odd.aggregate_id = offering_id.to_string();
        assert_eq!(read(&odd), moved(Turn::Paused), "the aggregate is the offering");
    }
}
