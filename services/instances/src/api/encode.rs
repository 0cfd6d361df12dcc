//! Nouns into messages.

use serde_json::Value;
use souk_kit::wire::timestamp;
use souk_proto::souk::instances::v1::{
    self as pb, AutoActivateResponse, WatchInstanceResponse, condition::Status as WireStatus,
};
use souk_types::Time;

use crate::model::{Condition, Instance, State, Status};

pub(super) fn instance(noun: &Instance) -> pb::Instance {
    let (pins, waiting) = (&noun.pins, noun.waiting());
    pb::Instance {
        instance_id: noun.instance_id.to_string(),
        org_id: noun.org_id.to_string(),
        project_id: noun.project_id.to_string(),
        offering_id: pins.offering_id.to_string(),
        offering_version_id: pins.offering_version_id.to_string(),
        plan_id: pins.plan_id.to_string(),
        offering_slug: pins.offering_slug.clone(),
        plan_slug: pins.plan_slug.clone(),
        state: state(noun.state()).into(),
        pause_reasons: pause_reasons(noun),
        conditions: noun.conditions.named().map(condition).collect(),
        events: noun.events.iter().map(event).collect(),
        revision: noun.revision,
        source_ref: noun.source_ref.clone(),
        create_time: Some(timestamp(noun.create_time)),
        update_time: Some(timestamp(noun.update_time)),
        etag: noun.etag(),
        path: noun.path(),
        config_json: Value::Object(noun.config.overrides.clone()).to_string(),
        end_time: noun.end_time.map(timestamp),
        waiting_for: waiting.map_or_else(String::new, |(step, _)| step.as_str().to_owned()),
        deadline_time: waiting.map(|(_, deadline)| timestamp(deadline)),
    }
}

pub(super) fn entitlements(noun: &Instance) -> pb::Entitlements {
    let (pins, (revision, effective)) = (&noun.pins, noun.served());
    pb::Entitlements {
        instance_id: noun.instance_id.to_string(),
        state: state(noun.state()).into(),
        pause_reasons: pause_reasons(noun),
        org_id: noun.org_id.to_string(),
        project_id: noun.project_id.to_string(),
        offering_version_id: pins.offering_version_id.to_string(),
        plan_id: pins.plan_id.to_string(),
        capabilities: noun.capabilities(),
        limits: Some(pb::Limits {
            runs_per_minute: pins.limits.runs_per_minute,
            input_bytes: pins.limits.input_bytes,
            concurrent_runs: pins.limits.concurrent_runs,
        }),
        revision,
        allowed_domains: noun.allowed_domains(),
        effective_config_json: Value::Object(effective.clone()).to_string(),
        artifact_hash: pins.artifact_hash.clone(),
    }
}

pub(super) fn activated(noun: &Instance) -> AutoActivateResponse {
    AutoActivateResponse { instance_id: noun.instance_id.to_string(), state: state(noun.state()).into() }
}

pub(super) fn watched(noun: &Instance) -> (String, WatchInstanceResponse) {
    let message = WatchInstanceResponse { instance: Some(instance(noun)), heartbeat_time: None };
    (noun.etag(), message)
}

pub(super) fn heartbeat(now: Time) -> WatchInstanceResponse {
    WatchInstanceResponse { instance: None, heartbeat_time: Some(timestamp(now)) }
}

const fn state(state: State) -> pb::State {
    match state {
        State::Requested => pb::State::Requested,
        State::Provisioning => pb::State::Provisioning,
        State::Active => pb::State::Active,
        State::Paused => pb::State::Paused,
        State::Terminating => pb::State::Terminating,
        State::Terminated => pb::State::Terminated,
        State::Failed => pb::State::Failed,
    }
}

fn pause_reasons(noun: &Instance) -> Vec<String> {
    noun.stand.reasons().iter().map(|reason| reason.as_str().to_owned()).collect()
}

fn condition((kind, condition): (&str, &Condition)) -> pb::Condition {
    let status = match condition.status {
        Status::True => WireStatus::True,
        Status::False => WireStatus::False,
        Status::Unknown => WireStatus::Unknown,
    };
    pb::Condition {
        r#type: kind.to_owned(),
        status: status.into(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        transition_time: Some(timestamp(condition.transition_time)),
    }
}

pub(super) fn event(event: &crate::model::Event) -> pb::InstanceEvent {
    pb::InstanceEvent {
        occur_time: Some(timestamp(event.occur_time)),
        r#type: event.happening.as_str().to_owned(),
        message: event.message.clone(),
    }
}
