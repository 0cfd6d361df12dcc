//! runner: lets an engine work on a flow and hears what it says.

use souk_kit::{House, Refusal};
use souk_proto::souk::runner::v1::{
    self as pb, ExecuteRequest, execute_response::Event, runner_service_client::RunnerServiceClient,
};
use souk_types::{Acting, PartName};
use tonic::Streaming;

use crate::{
    error::Error,
    model::{self, Delta, Happening, Output, Run},
};

const PART: &str = "runner";

pub(crate) struct Runner(pub(super) House);

impl Runner {
    /// Starts the run's flow. Never repeated: an engine may have outside effects.
    pub(crate) async fn execute(&self, run: &Run) -> Result<Execution, Error> {
        let acting = Acting { org: Some(run.org_id), trace: run.origin.trace.clone() };
        let mut client = RunnerServiceClient::new(self.0.dial().to(PartName::Runner, acting));
        let ask = ExecuteRequest {
            instance_id: run.instance_id.to_string(),
            offering_version_id: run.offering_version_id.to_string(),
            artifact_hash: run.artifact_hash.clone(),
            effective_config_json: run.effective_config.clone(),
            input: Some(run.input.clone()),
            overrides_json: String::new(),
            selectors: None,
            run_id: run.run_id.to_string(),
            session_id: run.session_id.clone(),
        };
        let answer = client.execute(ask).await.map_err(|status| Refusal::read(PART, &status))?;
        Ok(Execution(answer.into_inner()))
    }
}

/// A flow at work. Dropping it tells the engine to stop.
pub(crate) struct Execution(Streaming<pb::ExecuteResponse>);

impl Execution {
    /// What the engine says next; `None` when it says no more. May be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Result<Option<Happening>, Error> {
        match self.0.message().await {
            Ok(None) => Ok(None),
            Ok(Some(said)) => Ok(Some(said.event.map_or(Happening::Other, read))),
            Err(status) => Err(Refusal::read(PART, &status).into()),
        }
    }
}

fn read(event: Event) -> Happening {
    match event {
        Event::Started(_) => Happening::Other,
        Event::Delta(pb::Delta { component_id, text }) => Happening::Piece(Delta { component_id, text }),
        Event::Output(pb::Output { component_id, display_name, text, .. }) => {
            Happening::Output(Output { component_id, display_name, text })
        }
        Event::Usage(report) => {
            Happening::Used(report.usage.into_iter().map(|used| (used.dimension, used.quantity)).collect())
        }
        Event::Done(_) => Happening::Done,
        Event::Failed(failed) => {
            let error = model::Error::new(failed.reason, &failed.message);
            Happening::Failed(error.at(&failed.component_id))
        }
    }
}
