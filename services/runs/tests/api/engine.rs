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
    /// Says this for ever, with what was used in each turn of it.
    Forever(Box<[Event]>),
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
    /// Told when an execution's stream is dropped.
    pub(crate) ended: Arc<Notify>,
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
            ended: Arc::default(),
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

/// Told when the engine is stopped or done: its stream is dropped.
struct Ended(Arc<Notify>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn async_stream(
    script: Vec<Act>,
    gate: Arc<Semaphore>,
    waiting: Arc<Notify>,
    ended: Ended,
) -> impl Stream<Item = Result<pb::ExecuteResponse, Status>> {
    let acts = script.into_iter().map(|act| match act {
        Act::Forever(events) => {
            let count = events.len();
            let again = (0..).map(move |at: usize| Act::Say(events[at % count].clone()));
            Box::new(again) as Box<dyn Iterator<Item = Act> + Send>
        }
        act => Box::new(std::iter::once(act)),
    });
    futures::stream::iter(acts.flatten()).filter_map(move |act| {
        let (gate, waiting, _ended) = (Arc::clone(&gate), Arc::clone(&waiting), &ended);
        async move {
            // An engine that never waits must not keep the thread.
            tokio::task::yield_now().await;
            match act {
                Act::Say(event) => Some(Ok(pb::ExecuteResponse { event: Some(event) })),
                Act::Break(reason) => Some(Err(status(Fault::new(reason, "runner", "it broke")))),
                Act::Wait => {
                    waiting.notify_one();
                    gate.acquire().await.unwrap().forget();
                    None
                }
                Act::Forever(_) => None,
            }
        }
    })
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
        let ended = Arc::clone(&self.ended);
        let said = async_stream(script, gate, waiting, Ended(ended));
        Ok(Response::new(Box::pin(said)))
    }

    async fn test_model_endpoint(
        &self,
        _: Request<pb::TestModelEndpointRequest>,
    ) -> Result<Response<pb::TestModelEndpointResponse>, Status> {
        panic!("runs tries no endpoint")
    }

    async fn check_flow(
        &self,
        _: Request<pb::CheckFlowRequest>,
    ) -> Result<Response<pb::CheckFlowResponse>, Status> {
        panic!("runs checks no flow")
    }
}
