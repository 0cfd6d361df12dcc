//! Rows into nouns. What cannot be read is a corrupt row and says so.

use std::{collections::BTreeMap, fmt::Display, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use souk_db::Error as DbError;
use souk_types::{
    Credits, Time,
    id::{OrgId, ProjectId},
};

use super::tables::{effect, line, mapping, order, shop};
use crate::model::{
    Order, Shop, Snapshot,
    mapping::{Mapping, Source},
    order::{LineState, Pin, Version, Wait},
    owner::Owner,
    parking::Parked,
    record::{Line, Record, Stand},
    snapshot::Digest,
};

/// A stored text as what it must be.
pub(super) fn parse<T: FromStr<Err: Display>>(what: &'static str, text: &str) -> Result<T, DbError> {
    text.parse().map_err(|error: T::Err| DbError::value(what, error.to_string()))
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, DbError> {
    serde_json::from_str(text).map_err(|error| DbError::value(what, error))
}

pub(super) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, DbError> {
    serde_json::to_string(value).map_err(|error| DbError::value(what, error))
}

pub(super) fn owner(org_id: &str, project_id: &str) -> Result<Owner, DbError> {
    Ok(Owner {
        org_id: parse::<OrgId>("org_id", org_id)?,
        project_id: parse::<ProjectId>("project_id", project_id)?,
    })
}

pub(super) fn shop(row: shop::Model) -> Result<Shop, DbError> {
    let fallback = match (&row.fallback_org_id, &row.fallback_project_id) {
        (Some(org_id), Some(project_id)) => Some(owner(org_id, project_id)?),
        _ => None,
    };
    Ok(Shop {
        shop_id: parse("shop id", &row.id)?,
        api_url: row.api_url,
        jwks_json: row.jwks,
        app_id: row.app_id,
        fallback,
        create_time: Time::from_micros(row.create_time),
        version: row.version,
    })
}

pub(super) fn mapping(row: &mapping::Model) -> Result<Mapping, DbError> {
    let source = match row.source.as_str() {
        "METADATA" => Source::Metadata,
        "OPERATOR" => Source::Operator,
        _ => return Err(DbError::value("mapping source", "neither METADATA nor OPERATOR")),
    };
    Ok(Mapping { target: from_json("mapping target", &row.target)?, source })
}

/// What was decided of a line.
pub(super) fn line_state(row: &line::Model) -> Result<LineState, DbError> {
    let corrupt = |what| DbError::value(what, "missing or unknown");
    Ok(match row.judged.as_str() {
        "PINNED" => LineState::Pinned(pin(row)?),
        "PARKED" => LineState::Parked(Parked {
            reason: parse("parked_reason", row.parked_reason.as_deref().unwrap_or_default())?,
            detail: row.parked_detail.clone(),
        }),
        "WAITING" => LineState::Waiting(
            row.wait.as_deref().and_then(Wait::from_name).ok_or_else(|| corrupt("what a line waits for"))?,
        ),
        "VOID" => LineState::Void,
        "EMPTY" => LineState::Empty,
        _ => return Err(corrupt("what was decided of a line")),
    })
}

pub(super) fn pin(row: &line::Model) -> Result<Pin, DbError> {
    Ok(Pin {
        owner: owner(&row.org_id, &row.project_id)?,
        target: from_json("line target", row.target.as_deref().unwrap_or_default())?,
        units: row.units,
        credits: Credits::from_micros(row.credits),
    })
}

/// The order as the decision knows it.
pub(super) fn order(row: &order::Model, lines: &[line::Model]) -> Result<Order, DbError> {
    let version = match (row.updated_at, &row.digest) {
        (Some(updated_at), Some(digest)) => Some(Version {
            updated_at: Time::from_micros(updated_at),
            issued_at: row.issued_at.map(Time::from_micros),
            digest: Digest::from_hex(digest).ok_or_else(|| DbError::value("digest", "not 64 hex digits"))?,
        }),
        _ => None,
    };
    let facts = version.is_some().then(|| (row.status.clone().into(), row.charge_status.clone().into()));
    let lines = lines.iter().map(|line| Ok((line.line_id.clone(), line_state(line)?)));
    let lines = lines.collect::<Result<BTreeMap<_, _>, DbError>>()?;
    Ok(Order { version, facts, settled: row.settled, lines })
}

/// The newest snapshot, where a whole one came.
pub(super) fn snapshot(row: &order::Model) -> Result<Option<Snapshot>, DbError> {
    row.snapshot.as_deref().map(|text| from_json("snapshot", text)).transpose()
}

pub(super) fn record(
    row: order::Model,
    lines: Vec<line::Model>,
    mut effects: BTreeMap<(String, String), Vec<effect::Model>>,
) -> Result<Record, DbError> {
    let lines = lines.into_iter().map(|line| {
        let done = effects.remove(&(line.order_id.clone(), line.line_id.clone())).unwrap_or_default();
        shown(line, done)
    });
    Ok(Record {
        lines: lines.collect::<Result<_, _>>()?,
        order_id: parse("order id", &row.id)?,
        shop_id: parse("shop id", &row.shop_id)?,
        external_id: row.external_id,
        number: row.number,
        status: row.status,
        charge_status: row.charge_status,
        snapshot_time: row.updated_at.map(Time::from_micros),
        parked_reason: row.parked_reason,
        create_time: Time::from_micros(row.create_time),
        version: row.version,
    })
}

fn shown(row: line::Model, effects: Vec<effect::Model>) -> Result<Line, DbError> {
    let pin = if row.judged == "PINNED" { Some(pin(&row)?) } else { None };
    let stand = Stand::from_name(&row.state).ok_or_else(|| DbError::value("line state", "unknown"))?;
    // A line on its way has a reason while it waits for a person.
    let told = matches!(stand, Stand::Parked | Stand::Working) && row.parked_reason.is_some();
    Ok(Line {
        owner: pin.as_ref().map(|pin| pin.owner),
        target: pin.map(|pin| pin.target),
        line_id: row.line_id,
        sku: row.sku,
        product_name: row.product_name,
        units: row.units,
        stand,
        parked_reason: row.parked_reason.filter(|_| told),
        parked_detail: if told { row.parked_detail } else { String::new() },
        credits: Credits::from_micros(row.credits),
        results: effects.into_iter().map(|effect| effect.result).collect(),
        request_key: row.request_key,
    })
}
