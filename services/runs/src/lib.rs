//! Runs: one execution each, written down first, reserved before it starts, settled when it ends.
//!
//! The service owns runs and what came out of them. It does not know prices (billing), flows (runner) or
//! who may serve (instances); it asks, in that order, and writes every answer down before the next step.
//!
//! Invariants:
//! - a run is charged at most once: every call to billing carries a request id made of the run's id;
//! - a run is executed at most once: one that is found RUNNING by another owner is not run again;
//! - what was used is in the row before it is settled;
//! - whoever lost a run changes nothing: each step checks owner and attempt in its own transaction.

mod api;
mod config;
mod error;
mod model;
mod peers;
mod service;
mod store;
mod work;

use std::sync::Arc;

use souk_db::{Db, Migration};
use souk_kit::{House, Mounted};
use souk_proto::souk::runs::v1::runs_service_server::RunsServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

pub use crate::config::Config;
use crate::{api::Api, service::Service, store::Store};

/// The tables of this service.
pub const MIGRATIONS: &[Migration] = store::MIGRATIONS;

/// Builds the part on its database.
///
/// # Errors
/// Never at present; the shape is that of every part.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let store = Store::new(db.clone(), config.lease(), config.org_runs);
    let service = Arc::new(Service::new(house, store, config));
    let work = work::loops(house, config, &db, &service);
    let api = Api::new(house.clone(), service);
    let mounted = Mounted::new(Routes::new(RunsServiceServer::new(api)));
    Ok(Mounted { log: Some(Arc::new(db.outbox())), work, ..mounted })
}
