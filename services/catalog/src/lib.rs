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
mod work;

use std::{sync::Arc, time::Duration};

use souk_capability::Registry;
use souk_db::Db;
use souk_kit::{House, Mounted, Wake, Work};
use souk_objects::Objects;
use souk_proto::souk::catalog::v1::catalog_service_server::CatalogServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

use crate::{
    api::Api,
    peers::Peers,
    service::Service,
    store::{ENDING, Store},
    work::Sweeps,
};
pub use crate::{config::Config, store::MIGRATIONS};

/// How often ends that came are looked for, besides when one was set.
const END: Duration = Duration::from_secs(1);

/// Builds the catalogue on its database and the object store.
///
/// # Errors
/// When the capability registry is broken, which no tested build has.
pub fn build(house: &House, config: &Config, db: Db, objects: Objects) -> Result<Mounted, Fault> {
    let registry = Registry::builtin().map_err(|broken| Fault::bug(error::DOMAIN, broken))?;
    let store = Store::new(db.clone());
    let sweeps = Sweeps::new(store.clone());
    let service = Arc::new(Service { store, peers: Peers::new(house.clone()), objects, registry });
    let api = Api { house: house.clone(), service, limits: config.limits() };
    let mut mounted = Mounted::new(Routes::new(CatalogServiceServer::new(api)));
    mounted.log = Some(Arc::new(db.outbox()));
    mounted.work.push(Work::every(house, "end", END, Some(Wake::on(db.bell(), ENDING)), move || {
        let sweeps = sweeps.clone();
        async move { sweeps.end_due().await }
    }));
    Ok(mounted)
}
