//! Commerce itself: what the shop adapter read goes in by the contract, as it would from any adapter.

use souk_kit::{House, Refusal, wire};
use souk_proto::souk::commerce::v1::{
    IngestOrderSnapshotRequest, IngestOrderSnapshotResponse, Snapshot, SnapshotLine,
    commerce_service_client::CommerceServiceClient, ingest_order_snapshot_response::Outcome as WireOutcome,
};
use souk_types::{PartName, Reason};

use super::Trouble;
use crate::model::{
    self,
    command::{Ingest, News, Outcome},
};

/// Brings snapshots.
#[derive(Clone)]
pub(crate) struct Commerce {
    house: House,
}

/// What became of a snapshot that was brought.
pub(crate) struct Brought {
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// Why it was parked; empty: it was not.
    pub(crate) parked_reason: String,
}

impl Commerce {
    pub(crate) const fn new(house: House) -> Self {
        Self { house }
    }

    /// Brings what a delivery says. The delivery names the call, so that one that is brought twice is one.
    pub(crate) async fn ingest(&self, ask: &Ingest) -> Result<Brought, Trouble> {
        let channel = self.house.dial().to(PartName::Commerce, self.house.acting_for_platform());
        let request = IngestOrderSnapshotRequest {
            request_id: format!("inbox:{}:{}", ask.shop_id, ask.body_hash),
            shop_id: ask.shop_id.to_string(),
            snapshot: Some(snapshot(ask)),
        };
        match CommerceServiceClient::new(channel).ingest_order_snapshot(request).await {
            Ok(answer) => Ok(brought(answer.into_inner())),
            Err(status) => {
                let refusal = Refusal::read("commerce", &status);
                if refusal.is(Reason::RequestIdReused) {
                    // The same bytes, read otherwise by an older build: they were taken in then.
                    return Ok(Brought { outcome: Outcome::Duplicate, parked_reason: String::new() });
                }
                Err(refusal.into())
            }
        }
    }
}

fn brought(answer: IngestOrderSnapshotResponse) -> Brought {
    let outcome = match answer.outcome() {
        WireOutcome::Applied | WireOutcome::Unspecified => Outcome::Applied,
        WireOutcome::Duplicate => Outcome::Duplicate,
        WireOutcome::Stale => Outcome::Stale,
        WireOutcome::Parked => Outcome::Parked,
    };
    Brought { outcome, parked_reason: answer.parked_reason }
}

fn snapshot(ask: &Ingest) -> Snapshot {
    let body_hash = ask.body_hash.clone();
    match &ask.news {
        News::Incomplete { external_id, number } => Snapshot {
            external_id: external_id.clone(),
            number: number.clone(),
            body_hash,
            ..Snapshot::default()
        },
        News::Complete(stated) => Snapshot {
            external_id: stated.order_id.clone(),
            number: stated.number.clone(),
            update_time: Some(wire::timestamp(stated.updated_at)),
            issue_time: stated.issued_at.map(wire::timestamp),
            status: stated.status.as_str().to_owned(),
            charge_status: stated.charge_status.as_str().to_owned(),
            currency: text(&stated.totals.currency),
            channel: text(&stated.channel),
            buyer_id: text(&stated.buyer.user_id),
            buyer_external_reference: text(&stated.buyer.external_reference),
            buyer_email: text(&stated.buyer.email),
            org_reference: text(&stated.org_ref),
            lines: stated.lines.iter().map(line).collect(),
            body_hash,
        },
    }
}

fn line(line: &model::snapshot::Line) -> SnapshotLine {
    SnapshotLine {
        line_id: line.line_id.clone(),
        variant_id: text(&line.variant_id),
        sku: text(&line.sku),
        product_name: text(&line.product_name),
        quantity: units(line.quantity),
        refunded_quantity: units(line.refunded_quantity),
        unit_price: line.unit_price.map(|price| price.to_string()).unwrap_or_default(),
        is_gift: line.is_gift,
        declared_kind: text(&line.declared.kind),
        declared_offering: text(&line.declared.offering),
        declared_plan: text(&line.declared.plan),
        declared_credits: text(&line.declared.credits),
        allow_zero_price: line.declared.allow_zero_price,
        variant_unreadable: !line.has_variant,
    }
}

fn text(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

/// No shop counts further than the wire does.
fn units(units: i64) -> i32 {
    i32::try_from(units.max(0)).unwrap_or(i32::MAX)
}
