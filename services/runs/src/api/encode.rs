//! Answers, in the wire's words.

use souk_kit::wire::{etag, timestamp};
use souk_proto::souk::runs::v1 as pb;
use souk_types::Time;

use crate::model::{Event, Run, State, What};

const fn state(state: State) -> pb::State {
    match state {
        State::Queued => pb::State::Queued,
        State::Running => pb::State::Running,
        State::Settling => pb::State::Settling,
        State::Succeeded => pb::State::Succeeded,
        State::Failed => pb::State::Failed,
        State::Refused => pb::State::Refused,
        State::Cancelled => pb::State::Cancelled,
    }
}

pub(super) fn run(run: Run) -> pb::Run {
    let usage = run.usage.iter();
    let usage = usage.map(|(dimension, quantity)| pb::Usage { dimension: dimension.to_owned(), quantity });
    pb::Run {
        run_id: run.run_id.to_string(),
        org_id: run.org_id.to_string(),
        project_id: run.project_id.to_string(),
        instance_id: run.instance_id.to_string(),
        offering_version_id: run.offering_version_id.to_string(),
        state: state(run.state).into(),
        usage: usage.collect(),
        input: run.input,
        output: run.output,
        outputs: run
            .outputs
            .into_iter()
            .map(|output| pb::Output {
                component_id: output.component_id,
                display_name: output.display_name,
                text: output.text,
            })
            .collect(),
        cost_micros: run.bill.cost.micros(),
        charged_micros: run.bill.charged.micros(),
        balance_micros: run.bill.balance.micros(),
        receipt_id: run.bill.receipt_id.map(|id| id.to_string()).unwrap_or_default(),
        ledger_entry_id: run.bill.ledger_entry_id.map(|id| id.to_string()).unwrap_or_default(),
        reservation_id: run.reservation_id.map(|id| id.to_string()).unwrap_or_default(),
        error: run.error.map(|error| pb::RunError {
            reason: error.reason,
            message: error.message,
            component_id: error.component_id,
        }),
        create_time: Some(timestamp(run.create_time)),
        end_time: run.end_time.map(timestamp),
        trace_id: run.origin.trace.id,
        etag: etag(run.version),
        session_id: run.session_id,
    }
}

/// An event of a run whose row stands at `row`, or further.
pub(super) fn event(row: &Run, event: Event) -> pb::WatchRunResponse {
    let what = match event.what {
        What::Came(state, version) => {
            pb::run_event::Event::Run(run(row.clone().when_it_came(state, version)))
        }
        What::Piece(delta) => {
            let (component_id, text) = (delta.component_id, delta.text);
            pb::run_event::Event::Delta(pb::Delta { component_id, text })
        }
    };
    let event = pb::RunEvent {
        sequence: event.sequence,
        occur_time: Some(timestamp(event.occur_time)),
        event: Some(what),
    };
    pb::WatchRunResponse { event: Some(event), heartbeat_time: None }
}

pub(super) fn heartbeat(now: Time) -> pb::WatchRunResponse {
    pb::WatchRunResponse { event: None, heartbeat_time: Some(timestamp(now)) }
}
