//! A runner that finds what it is told to find.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use souk_kit::{open, status};
use souk_proto::souk::runner::v1::{
    CheckFlowRequest, CheckFlowResponse, ExecuteRequest, ExecuteResponse, Finding, TestModelEndpointRequest,
    TestModelEndpointResponse, runner_service_server::RunnerService,
};
use souk_types::{Fault, Reason};
use tonic::{Request, Response, Status, codegen::BoxStream};

/// When it says to try again.
const RETRY: std::time::Duration = std::time::Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct FakeRunner {
    /// What it finds in every flow.
    pub(crate) findings: Mutex<Vec<Finding>>,
    /// What it warns of in every flow.
    pub(crate) warnings: Mutex<Vec<Finding>>,
    /// Whether it does not answer.
    pub(crate) away: AtomicBool,
    /// How many flows it checked.
    pub(crate) checked: AtomicU32,
}

/// So that one runner can be told by the test and asked by the mesh.
pub(crate) struct Shared(pub(crate) std::sync::Arc<FakeRunner>);

#[tonic::async_trait]
impl RunnerService for Shared {
    type ExecuteStream = BoxStream<ExecuteResponse>;

    async fn execute(&self, _: Request<ExecuteRequest>) -> Result<Response<Self::ExecuteStream>, Status> {
        panic!("the catalogue executes nothing")
    }

    async fn test_model_endpoint(
        &self,
        _: Request<TestModelEndpointRequest>,
    ) -> Result<Response<TestModelEndpointResponse>, Status> {
        panic!("the catalogue asks no model")
    }

    async fn check_flow(
        &self,
        request: Request<CheckFlowRequest>,
    ) -> Result<Response<CheckFlowResponse>, Status> {
        let (_, ask) = open(request)?;
        if self.0.away.load(Ordering::SeqCst) {
            return Err(status(Fault::new(Reason::Unavailable, "runner", "away").retry_in(RETRY)));
        }
        assert!(!ask.flow_json.is_empty());
        self.0.checked.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(CheckFlowResponse {
            findings: self.0.findings.lock().unwrap().clone(),
            warnings: self.0.warnings.lock().unwrap().clone(),
        }))
    }
}

/// A finding of a node's field.
pub(crate) fn finding(code: &str, node: &str, field: &str) -> Finding {
    Finding { code: code.into(), node_id: node.into(), field: field.into(), message: "is wrong".into() }
}
