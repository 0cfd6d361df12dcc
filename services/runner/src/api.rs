//! The wire: requests to the service's words, and its words to messages. It decides nothing.

use std::{pin::Pin, sync::Arc};

use futures::{Stream, StreamExt, stream};
use serde_json::{Map, Value};
use souk_kit::{answer, open, status, wire::Check};
use souk_objects::Hash;
use souk_proto::souk::runner::v1::{self as pb, execute_response, runner_service_server::RunnerService};
use souk_types::Fault;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::{
    Event, Finding, Usage,
    error::{DOMAIN, Error},
    model::{self, InputType, OutputType, Warning},
    native::limits::TEXT_BYTES,
    service::{Execute, Service, Told, Tried},
};

/// The name of the engine in `Started`.
const ENGINE: &str = "native";

/// The longest name of a model that is tried; it is repeated where it may not be asked for.
const MODEL_BYTES: usize = 200;

pub(crate) struct Api {
    service: Arc<Service>,
}

impl Api {
    pub(crate) const fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<pb::ExecuteResponse, Status>> + Send>>;

#[tonic::async_trait]
impl RunnerService for Api {
    type ExecuteStream = Answers;

    async fn execute(&self, request: Request<pb::ExecuteRequest>) -> Result<Response<Answers>, Status> {
        let (_, ask) = open(request)?;
        let ask = execute(ask).map_err(status)?;
        let (warnings, told) = self.service.execute(ask).await.map_err(status)?;
        let started = execute_response::Event::Started(pb::Started { engine: ENGINE.to_owned(), warnings });
        let mut reported = Usage::default();
        let rest = ReceiverStream::new(told).filter_map(move |told| {
            let event = event(told, &mut reported);
            async move { event }
        });
        let events = stream::iter([started]).chain(rest);
        let answers = events.map(|event| Ok(pb::ExecuteResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(answers)))
    }

    async fn check_flow(
        &self,
        request: Request<pb::CheckFlowRequest>,
    ) -> Result<Response<pb::CheckFlowResponse>, Status> {
        let (_, ask) = open(request)?;
        let checked = self.service.check_flow(ask.flow_json).await;
        answer(checked.map(|checked| pb::CheckFlowResponse {
            findings: checked.findings.into_iter().map(finding).collect(),
            warnings: checked.warnings.into_iter().map(warning).collect(),
        }))
    }

    async fn test_model_endpoint(
        &self,
        request: Request<pb::TestModelEndpointRequest>,
    ) -> Result<Response<pb::TestModelEndpointResponse>, Status> {
        let (_, ask) = open(request)?;
        let mut check = Check::default();
        check.require(ask.model.len() <= MODEL_BYTES, "model", "must have at most 200 bytes");
        let ask = check.done(DOMAIN, Some(ask)).map_err(status)?;
        // Not owned: it changes nothing here, and who leaves wants no more of it to be paid.
        answer(self.service.try_endpoint(&ask.name, &ask.model).await.map(tried))
    }
}

fn tried(tried: Tried) -> pb::TestModelEndpointResponse {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let ok = tried.failure.is_none();
    let failure = tried.failure.map(failed).unwrap_or_default();
    pb::TestModelEndpointResponse {
        ok,
        reason: failure.reason,
        message: failure.message,
        latency_millis: i64::try_from(tried.took.as_millis()).unwrap_or(i64::MAX),
        model: tried.model,
        input_tokens: count(tried.used.0),
        output_tokens: count(tried.used.1),
        text: tried.text,
    }
}

fn execute(ask: pb::ExecuteRequest) -> Result<Execute, Fault> {
    let mut check = Check::default();
    let artifact = check.parse::<Hash>("artifact_hash", &ask.artifact_hash);
    let too_long = ask.input.as_ref().is_some_and(|text| text.len() > TEXT_BYTES);
    check.require(!too_long, "input", "must be at most 1 MiB");
    object(&mut check, "effective_config_json", &ask.effective_config_json);
    let tweaks = object(&mut check, "overrides_json", &ask.overrides_json);
    let chosen = ask.selectors.unwrap_or_default();
    let input_type = InputType::parse(&chosen.input_type);
    check.require(input_type.is_some(), "selectors.input_type", "must be chat, text or any");
    let output_type = OutputType::parse(&chosen.output_type);
    check.require(output_type.is_some(), "selectors.output_type", "must be chat, text, any or debug");
    let ask = artifact.map(|artifact| Execute {
        artifact,
        request: model::Request {
            input_value: ask.input,
            input_type: input_type.unwrap_or_default(),
            output_type: output_type.unwrap_or_default(),
            output_component: (!chosen.output_component.is_empty()).then_some(chosen.output_component),
            tweaks,
            session_id: ask.session_id,
        },
        run_id: ask.run_id,
    });
    check.done(DOMAIN, ask)
}

/// Reads a JSON object; an empty text is an empty one.
fn object(check: &mut Check, field: &str, text: &str) -> Map<String, Value> {
    if text.is_empty() {
        return Map::new();
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        _ => {
            check.note(field, "must be a JSON object");
            Map::new()
        }
    }
}

/// What one word of the service is on the wire; nothing for what concerns the engine alone.
fn event(told: Told, reported: &mut Usage) -> Option<execute_response::Event> {
    use execute_response::Event as Wire;
    match told {
        Told::Event(Event::Delta { component_id, text }) => {
            Some(Wire::Delta(pb::Delta { component_id, text }))
        }
        Told::Event(Event::Output(output)) => Some(Wire::Output(pb::Output {
            component_id: output.component_id,
            display_name: output.display_name,
            component_type: output.component_type,
            text: output.text,
        })),
        Told::Event(Event::Usage(usage)) => Some(Wire::Usage(report(usage, reported))),
        Told::Begun(_) | Told::Event(Event::Started { .. } | Event::Built { .. } | Event::Warnings(_)) => {
            None
        }
        Told::Done(built_components) => Some(Wire::Done(pb::Done { built_components })),
        Told::Failed(error) => Some(Wire::Failed(failed(error))),
    }
}

/// What was used since the last report; the engine says how much there is in all.
fn report(usage: Usage, reported: &mut Usage) -> pb::UsageReport {
    let line = |dimension: &str, now: u64, before: u64| {
        let quantity = i64::try_from(now.saturating_sub(before)).unwrap_or(i64::MAX);
        (quantity > 0).then(|| pb::Usage { dimension: dimension.to_owned(), quantity })
    };
    let lines = [
        line("runs", usage.runs, reported.runs),
        line("input_tokens", usage.input_tokens, reported.input_tokens),
        line("output_tokens", usage.output_tokens, reported.output_tokens),
    ];
    *reported = usage;
    pb::UsageReport { usage: lines.into_iter().flatten().collect(), component_id: String::new() }
}

fn failed(error: Error) -> pb::Failed {
    let component_id = match &error {
        Error::ComponentFailed { component_id, .. }
        | Error::EndpointMissing { component_id, .. }
        | Error::ModelRefused { component_id, .. }
        | Error::ModelAway { component_id, .. } => component_id.clone(),
        _ => String::new(),
    };
    // As any other status it is logged by the kit, and a bug's cause goes no further.
    let status = status(error);
    let reason = souk_kit::Refusal::read(DOMAIN, &status).reason;
    pb::Failed { reason, message: status.message().to_owned(), component_id }
}

fn finding(finding: Finding) -> pb::Finding {
    let Finding { code, node_id, field, message } = finding;
    pb::Finding { code: code.as_str().to_owned(), node_id, field, message }
}

fn warning(warning: Warning) -> pb::Finding {
    let Warning { code, node_id, field, message } = warning;
    pb::Finding { code: code.to_owned(), node_id, field, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_reported_as_what_was_added() {
        let mut reported = Usage::default();
        let mut lines = |runs, input_tokens, output_tokens| {
            let usage = Usage { runs, input_tokens, output_tokens };
            let lines = report(usage, &mut reported).usage.into_iter();
            lines.map(|line| (line.dimension, line.quantity)).collect::<Vec<_>>()
        };
        assert_eq!(lines(1, 2, 0), [("runs".into(), 1), ("input_tokens".into(), 2)]);
        assert_eq!(lines(1, 2, 9), [("output_tokens".into(), 9)]);
        assert_eq!(lines(1, 2, 9), []);
        assert_eq!(lines(1, 3, u64::MAX), [("input_tokens".into(), 1), ("output_tokens".into(), i64::MAX)]);
    }

    #[test]
    fn every_wrong_field_is_said_at_once() {
        let ask = pb::ExecuteRequest {
            artifact_hash: "../etc".into(),
            effective_config_json: "1".into(),
            overrides_json: "[]".into(),
            input: Some("x".repeat(TEXT_BYTES + 1)),
            selectors: Some(pb::Selectors {
                input_type: "Chat".into(),
                output_type: "all".into(),
                output_component: String::new(),
            }),
            ..pb::ExecuteRequest::default()
        };
        let fault = execute(ask).unwrap_err();
        let fields: Vec<&str> = fault.violations.iter().map(|one| one.field.as_str()).collect();
        let all = [
            "artifact_hash",
            "input",
            "effective_config_json",
            "overrides_json",
            "selectors.input_type",
            "selectors.output_type",
        ];
        assert_eq!(fields, all);
    }

    #[test]
    fn an_absent_input_is_none_and_an_empty_one_is_an_input() {
        let ask = pb::ExecuteRequest { artifact_hash: "a".repeat(64), ..pb::ExecuteRequest::default() };
        assert_eq!(execute(ask.clone()).unwrap().request, model::Request::default());
        let empty = pb::ExecuteRequest { input: Some(String::new()), ..ask };
        assert_eq!(execute(empty).unwrap().request.input_value, Some(String::new()));
    }

    #[test]
    fn a_bug_tells_the_run_nothing_of_its_cause() {
        let told = failed(Error::Broken("row 7"));
        assert_eq!((told.reason.as_str(), told.message.as_str()), ("INTERNAL", "internal error"));
    }
}
