//! Nouns into messages.

use serde_json::Value;
use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::instances::v1::{
    self as pb, AutoActivateResponse, WatchInstanceResponse, condition::Status as WireStatus,
};
use souk_types::Time;

use crate::model::{Instance, State, Status, Step};

pub(super) fn instance(noun: &Instance) -> pb::Instance {
    let pins = &noun.pins;
    pb::Instance {
        instance_id: noun.instance_id.to_string(),
        org_id: noun.org_id.to_string(),
        project_id: noun.project_id.to_string(),
        offering_id: pins.offering_id.to_string(),
        offering_version_id: pins.offering_version_id.to_string(),
        plan_id: pins.plan_id.to_string(),
        offering_slug: pins.offering_slug.clone(),
        plan_slug: pins.plan_slug.clone(),
        state: state(noun.state).into(),
        pause_reasons: pause_reasons(noun),
        conditions: Step::ALL.iter().map(|step| condition(noun, *step)).collect(),
        events: noun.events.iter().map(event).collect(),
        revision: noun.revision,
        source_ref: noun.source_ref.clone(),
        create_time: Some(timestamp(noun.create_time)),
        update_time: Some(timestamp(noun.update_time)),
        etag: etag(noun.version),
        path: noun.path(),
        config_json: String::new(),
        end_time: None,
        waiting_for: String::new(),
        deadline_time: None,
    }
}

pub(super) fn entitlements(noun: &Instance) -> pb::Entitlements {
    let pins = &noun.pins;
    pb::Entitlements {
        instance_id: noun.instance_id.to_string(),
        state: state(noun.state).into(),
        pause_reasons: pause_reasons(noun),
        org_id: noun.org_id.to_string(),
        project_id: noun.project_id.to_string(),
        offering_version_id: pins.offering_version_id.to_string(),
        plan_id: pins.plan_id.to_string(),
        capabilities: pins.capabilities.clone(),
        limits: Some(pb::Limits {
            runs_per_minute: pins.limits.runs_per_minute,
            input_bytes: pins.limits.input_bytes,
            concurrent_runs: pins.limits.concurrent_runs,
        }),
        revision: noun.revision,
        allowed_domains: noun.allowed_domains(),
        effective_config_json: Value::Object(pins.effective_config.clone()).to_string(),
        artifact_hash: pins.artifact_hash.clone(),
    }
}

pub(super) fn activated(noun: &Instance) -> AutoActivateResponse {
    AutoActivateResponse { instance_id: noun.instance_id.to_string(), state: state(noun.state).into() }
}

pub(super) fn watched(noun: &Instance) -> (String, WatchInstanceResponse) {
    let message = WatchInstanceResponse { instance: Some(instance(noun)), heartbeat_time: None };
    (etag(noun.version), message)
}

pub(super) fn heartbeat(now: Time) -> WatchInstanceResponse {
    WatchInstanceResponse { instance: None, heartbeat_time: Some(timestamp(now)) }
}

const fn state(state: State) -> pb::State {
    match state {
        State::Requested => pb::State::Requested,
        State::Provisioning => pb::State::Provisioning,
        State::Active => pb::State::Active,
        State::Paused(_) => pb::State::Paused,
        State::Terminating => pb::State::Terminating,
        State::Terminated => pb::State::Terminated,
        State::Failed => pb::State::Failed,
    }
}

fn pause_reasons(noun: &Instance) -> Vec<String> {
    noun.state.pause_reasons().iter().map(|reason| reason.as_str().to_owned()).collect()
}

fn condition(noun: &Instance, step: Step) -> pb::Condition {
    let condition = noun.conditions.of(step);
    let status = match condition.status {
        Status::True => WireStatus::True,
        Status::False => WireStatus::False,
        Status::Unknown => WireStatus::Unknown,
    };
    pb::Condition {
        r#type: step.as_str().to_owned(),
        status: status.into(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        transition_time: Some(timestamp(condition.transition_time)),
    }
}

fn event(event: &crate::model::Event) -> pb::InstanceEvent {
    pb::InstanceEvent {
        occur_time: Some(timestamp(event.occur_time)),
        r#type: event.happening.as_str().to_owned(),
        message: event.message.clone(),
    }
}
