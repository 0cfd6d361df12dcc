//! The audit trail's raw material: who asked for what, when, and how it went.
//!
//! An entry is an event like any other, put in the transaction of the answer; tenancy follows every part's
//! log and keeps these. Only what people ask for is told: parts are the platform at its own work.

use souk_types::{Event, id::EventId};

use crate::{Db, Error, Tx, once::Request, outbox};

/// The kind of event that tells of an answered request of a person, whatever the part.
///
/// `org_id` is the org it touched, none for the platform; the payload holds `method` (in full, without the
/// leading slash), `requestId`, `outcome` (`OK`, or the reason of the refusal) and `resourceId`: the noun of
/// the first event that the same write put in the course of the same call, empty when there is none.
pub const KIND: &str = "souk.audit.v1.RequestAnswered";

/// The outcome of a request that was not refused.
const OK: &str = "OK";

/// Tells of a request that was answered in this write, when a person asked.
pub(crate) async fn answered(tx: &Tx, request: &Request) -> Result<(), Error> {
    tell(tx, request, OK).await
}

/// The same of many requests, each with the noun of the first event that it caused.
pub(crate) async fn all_answered<'a>(
    tx: &Tx,
    requests: impl Iterator<Item = (&'a Request, &'a str)>,
) -> Result<(), Error> {
    let events: Vec<Event> = requests.filter_map(|(request, noun)| entry(tx, request, OK, noun)).collect();
    outbox::put_all(tx, &events).await
}

/// Tells the audit trail of a person's command that was refused: the id is not consumed, nothing else is
/// kept. `reason` is the stable name of the refusal. Of a part's command it tells nothing and writes nothing.
///
/// # Errors
/// When the database does not answer.
pub async fn refused(db: &Db, request: &Request, reason: &'static str) -> Result<(), Error> {
    if !of_a_person(request) {
        return Ok(());
    }
    db.write("db.audit_refusal", |tx| async move { tell(&tx, request, reason).await }).await
}

fn of_a_person(request: &Request) -> bool {
    ["user:", "key:"].iter().any(|kind| request.actor.starts_with(kind))
}

async fn tell(tx: &Tx, request: &Request, outcome: &'static str) -> Result<(), Error> {
    let noun = tx.noun_of(&request.actor, &request.trace).unwrap_or_default();
    match entry(tx, request, outcome, &noun) {
        Some(event) => outbox::put(tx, &event).await,
        None => Ok(()),
    }
}

fn entry(tx: &Tx, request: &Request, outcome: &'static str, noun: &str) -> Option<Event> {
    if !of_a_person(request) {
        return None;
    }
    let now = tx.now();
    Some(Event {
        event_id: EventId::new(now, tx.random()),
        kind: KIND.to_owned(),
        org_id: request.org_id,
        aggregate_id: request.org_id.map_or_else(|| request.subject.clone(), |org| org.to_string()),
        // Entries have no life of their own to be counted in; their time keeps them in order.
        aggregate_seq: now.micros(),
        occur_time: now,
        actor: request.actor.clone(),
        trace: request.trace.clone(),
        payload: serde_json::json!({
            "method": method(tx.service(), request.rpc),
            "requestId": request.request_id,
            "outcome": outcome,
            "resourceId": noun,
        }),
    })
}

/// The method's full name: a part has one service, named after its domain.
fn method(part: &str, rpc: &str) -> String {
    let (head, tail) = part.split_at_checked(1).unwrap_or((part, ""));
    format!("souk.{part}.v1.{}{tail}Service/{rpc}", head.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_named_in_full() {
        assert_eq!(method("billing", "TopUp"), "souk.billing.v1.BillingService/TopUp");
        assert_eq!(method("", "X"), "souk..v1.Service/X");
    }
}
