//! billing: wallets, accounts, lots, reservations, the double-entry ledger and receipts.
//!
//! The core (`model`) decides and does no I/O; everything around it loads what the core needs, writes the
//! rows it answers and commits once per batch. Nothing but the core changes an amount.

mod api;
pub mod config;
pub mod error;
pub mod model;
pub mod service;
pub mod store;
mod work;

use std::sync::Arc;

use souk_db::Db;
use souk_kit::{House, Mounted};
use souk_proto::souk::billing::v1::billing_service_server::BillingServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

pub use crate::{config::Config, error::Error, service::Service, store::MIGRATIONS};

/// Builds the part on a database that [`MIGRATIONS`] made.
///
/// # Errors
/// None as yet; every part answers so.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let service = Arc::new(Service::new(house, config, db.clone()));
    let work = work::loops(house, config, &service);
    let api = api::Api::new(house.clone(), service);
    let routes = Routes::new(BillingServiceServer::new(api));
    Ok(Mounted { log: Some(Arc::new(db.outbox())), work, ..Mounted::new(routes) })
}
