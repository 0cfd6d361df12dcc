//! Nouns into messages.

use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::commerce::v1::{
    IngestOrderSnapshotResponse, Order, OrderLine, Shop,
    ingest_order_snapshot_response::Outcome as WireOutcome,
    order_line::{Kind, State},
};

use crate::model::{
    self, Record,
    command::{Outcome, Taken},
    mapping::Target,
    record::{Line, Stand},
};

pub(crate) fn shop(shop: model::Shop) -> Shop {
    Shop {
        shop_id: shop.shop_id.to_string(),
        api_url: shop.api_url,
        app_id: shop.app_id.unwrap_or_default(),
        fallback_project_id: shop.fallback.map(|owner| owner.project_id.to_string()).unwrap_or_default(),
        keys_pinned: shop.jwks_json.is_some(),
        create_time: Some(timestamp(shop.create_time)),
        etag: etag(shop.version),
    }
}

pub(crate) fn taken(taken: Taken) -> IngestOrderSnapshotResponse {
    let outcome = match taken.outcome {
        Outcome::Applied => WireOutcome::Applied,
        Outcome::Duplicate => WireOutcome::Duplicate,
        Outcome::Stale => WireOutcome::Stale,
        Outcome::Parked => WireOutcome::Parked,
    };
    IngestOrderSnapshotResponse {
        outcome: outcome.into(),
        order_id: taken.order_id.map(|order_id| order_id.to_string()).unwrap_or_default(),
        parked_reason: taken.parked_reason.unwrap_or_default(),
    }
}

pub(crate) fn order(order: Record) -> Order {
    Order {
        order_id: order.order_id.to_string(),
        shop_id: order.shop_id.to_string(),
        external_id: order.external_id,
        number: order.number,
        status: order.status,
        charge_status: order.charge_status,
        snapshot_time: order.snapshot_time.map(timestamp),
        lines: order.lines.into_iter().map(line).collect(),
        parked_reason: order.parked_reason.unwrap_or_default(),
        create_time: Some(timestamp(order.create_time)),
        etag: etag(order.version),
    }
}

fn line(line: Line) -> OrderLine {
    let state = match line.stand {
        Stand::Waiting => State::Waiting,
        Stand::Parked => State::Parked,
        Stand::Working => State::Working,
        Stand::Done => State::Done,
        Stand::Void => State::Void,
    };
    let remedy = line.remedy();
    let (kind, instance_ids, ledger_entry_id) = match line.target {
        None => (Kind::Unspecified, Vec::new(), None),
        Some(Target::Plan { .. }) => (Kind::Plan, line.results, None),
        Some(Target::Pack { .. }) => (Kind::CreditPack, Vec::new(), line.results.into_iter().next()),
    };
    OrderLine {
        line_id: line.line_id,
        sku: line.sku,
        product_name: line.product_name,
        units: i32::try_from(line.units).unwrap_or(i32::MAX),
        state: state.into(),
        kind: kind.into(),
        parked_reason: line.parked_reason.unwrap_or_default(),
        remedy,
        org_id: line.owner.map(|owner| owner.org_id.to_string()).unwrap_or_default(),
        project_id: line.owner.map(|owner| owner.project_id.to_string()).unwrap_or_default(),
        instance_ids,
        credits_micros: line.credits.micros(),
        ledger_entry_id: ledger_entry_id.unwrap_or_default(),
        request_key: line.request_key,
    }
}

/// A count that fits the wire.
pub(crate) fn count(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
