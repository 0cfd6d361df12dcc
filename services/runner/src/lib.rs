//! The runner: checks flows when they are published and runs them on an engine.
//!
//! A flow is a Langflow `flow.json`. [`check()`] reads it, scans it for credentials and asks the engine
//! whether it has every component; [`native`] runs it in process. Nothing durable lives here, and no
//! flow ever holds a secret: it names a model endpoint, whose key is read at the last hop.

mod api;
pub mod check;
mod config;
pub mod error;
pub mod flow;
pub mod model;
pub mod native;
mod outside;
mod peers;
pub mod scanner;
mod service;

use std::sync::Arc;

use souk_kit::{House, Mounted};
use souk_objects::Objects;
use souk_proto::souk::runner::v1::runner_service_server::RunnerServiceServer;
use souk_secrets::Secrets;
use souk_types::Fault;
use tonic::service::Routes;

use crate::{api::Api, service::Service};
pub use crate::{
    check::check,
    config::Config,
    error::Error,
    flow::Flow,
    model::{Event, Finding, Outcome, Output, Request, Usage, Warning},
};

/// Builds the runner. It reads artifacts from `objects`, which catalog alone writes, and the keys of model
/// endpoints from `secrets`, which models alone writes.
///
/// # Errors
/// When this machine cannot make TLS connections at all.
pub fn build(house: &House, config: &Config, objects: Objects, secrets: Secrets) -> Result<Mounted, Fault> {
    let service = Arc::new(Service::new(house.clone(), config, objects, secrets)?);
    Ok(Mounted::new(Routes::new(RunnerServiceServer::new(Api::new(service)))))
}
