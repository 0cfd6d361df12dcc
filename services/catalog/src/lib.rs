//! The catalogue: what is sold. Offerings, their immutable versions named by content, plans and price
//! schedules, and the artifacts they name, which this service alone writes.
//!
//! A version is published in steps from a durable row: the flow is checked (runner), kept under its hash
//! (objects), its price schedule announced (billing), then the version is PUBLISHED. Each step may be done
//! again. A flow with findings is never kept: it may hold a credential. What tenants do with a version has
//! no place here.

mod api;
mod config;
mod error;
mod model;
mod peers;
mod service;
mod store;

use std::sync::Arc;

use souk_db::Db;
use souk_kit::{House, Mounted};
use souk_objects::Objects;
use souk_proto::souk::catalog::v1::catalog_service_server::CatalogServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

use crate::{api::Api, peers::Peers, service::Service, store::Store};
pub use crate::{config::Config, store::MIGRATIONS};

/// Builds the catalogue on its database and the object store.
///
/// # Errors
/// None yet; as the other services.
pub fn build(house: &House, config: &Config, db: Db, objects: Objects) -> Result<Mounted, Fault> {
    let service =
        Arc::new(Service { store: Store::new(db.clone()), peers: Peers::new(house.clone()), objects });
    let api = Api { house: house.clone(), service, limits: config.limits() };
    let mut mounted = Mounted::new(Routes::new(CatalogServiceServer::new(api)));
    mounted.log = Some(Arc::new(db.outbox()));
    Ok(mounted)
}
