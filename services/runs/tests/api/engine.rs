//! A runner that does what a script says.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
};

use futures::{Stream, StreamExt as _};
use souk_kit::{open, status};
use souk_proto::souk::runner::v1::{
    self as pb, execute_response::Event, runner_service_server::RunnerService,
};
use souk_types::{Fault, Reason};
use tokio::sync::{Notify, Semaphore};
use tonic::{Request, Response, Status};

/// One thing that the engine does.
#[derive(Clone)]
pub(crate) enum Act {
    Say(Event),
    /// Waits until the test lets it go on.
    Wait,
    /// Breaks off with this reason.
    Break(Reason),
}

pub(crate) fn piece(text: &str) -> Act {
    Act::Say(Event::Delta(pb::Delta { component_id: "out".into(), text: text.into() }))
}

pub(crate) fn output(text: &str) -> Act {
    Act::Say(Event::Output(pb::Output {
        component_id: "out".into(),
        display_name: "Chat Output".into(),
        component_type: "ChatOutput".into(),
        text: text.into(),
    }))
}

pub(crate) fn used(dimension: &str, quantity: i64) -> Act {
    let usage = vec![pb::Usage { dimension: dimension.into(), quantity }];
    Act::Say(Event::Usage(pb::UsageReport { usage, component_id: String::new() }))
}

pub(crate) fn done() -> Act {
    Act::Say(Event::Done(pb::Done::default()))
}

pub(crate) fn failed() -> Act {
    Act::Say(Event::Failed(pb::Failed {
        reason: "FLOW_FAILED".into(),
        message: "a prompt has no variable".into(),
        component_id: "Prompt-1".into(),
    }))
}

pub(crate) struct Engine {
    script: Mutex<Vec<Act>>,
    executed: Mutex<Vec<pb::ExecuteRequest>>,
    /// Lets one wait go on for each permit.
    pub(crate) gate: Arc<Semaphore>,
    /// Told when a wait begins.
    pub(crate) waiting: Arc<Notify>,
}

impl Default for Engine {
    fn default() -> Self {
        let script = vec![
            piece("hel"),
            piece("lo"),
            output("hello"),
            used("runs", 1),
            used("input_tokens", 2),
            done(),
        ];
        Self {
            script: Mutex::new(script),
            executed: Mutex::default(),
            gate: Arc::new(Semaphore::new(0)),
            waiting: Arc::default(),
        }
    }
}

impl Engine {
    pub(crate) fn script(&self, acts: Vec<Act>) {
        *self.script.lock().unwrap() = acts;
    }

    pub(crate) fn executed(&self) -> Vec<pb::ExecuteRequest> {
        self.executed.lock().unwrap().clone()
    }
}

type Said = Pin<Box<dyn Stream<Item = Result<pb::ExecuteResponse, Status>> + Send>>;

#[tonic::async_trait]
impl RunnerService for Engine {
    type ExecuteStream = Said;

    async fn execute(&self, request: Request<pb::ExecuteRequest>) -> Result<Response<Said>, Status> {
        let (_, ask) = open(request)?;
        self.executed.lock().unwrap().push(ask);
        let (gate, waiting) = (Arc::clone(&self.gate), Arc::clone(&self.waiting));
        let script = self.script.lock().unwrap().clone();
        let said = futures::stream::iter(script).filter_map(move |act| {
            let (gate, waiting) = (Arc::clone(&gate), Arc::clone(&waiting));
            async move {
                match act {
                    Act::Say(event) => Some(Ok(pb::ExecuteResponse { event: Some(event) })),
                    Act::Break(reason) => Some(Err(status(Fault::new(reason, "runner", "it broke")))),
                    Act::Wait => {
                        waiting.notify_one();
                        gate.acquire().await.unwrap().forget();
                        None
                    }
                }
            }
        });
        Ok(Response::new(Box::pin(said)))
    }

    async fn check_flow(
        &self,
        _: Request<pb::CheckFlowRequest>,
    ) -> Result<Response<pb::CheckFlowResponse>, Status> {
        panic!("runs checks no flow")
    }
}
