//! Instances: a tenant's activations of offering versions, and their life.
//!
//! An instance is a durable row: REQUESTED → PROVISIONING → ACTIVE ⇄ PAUSED → TERMINATING → TERMINATED, or
//! FAILED. `model` says where it may go. One loop takes the steps: an account at billing and its state, a
//! commit at delivery, applied state, removal. Followers hear what was applied, whose wallet is empty and
//! which offering is paused or ends; a second loop brings the instances concerned in line, batch by batch.
//! What never happens here: credits move (billing), files are written (delivery), flows are run (runs).

mod api;
mod config;
mod error;
pub mod model;
mod peers;
mod service;
mod store;
mod work;

use std::sync::Arc;

use souk_capability::Registry;
use souk_db::{Db, Migration};
use souk_kit::{House, Mounted, Wake, Work, events};
use souk_proto::souk::instances::v1::instances_service_server::InstancesServiceServer;
use souk_types::{Fault, PartName};
use tonic::service::Routes;

pub use crate::config::Config;
use crate::{
    api::Api,
    error::DOMAIN,
    peers::{billing::Billing, catalog::Catalog, delivery::Delivery, tenancy::Tenancy},
    service::Service,
    store::Store,
    work::{Driver, followers::Follower},
};

/// The life of this service's schema.
pub const MIGRATIONS: &[Migration] = store::MIGRATIONS;

/// Builds the service on its database.
///
/// # Errors
/// When the built-in capability registry is broken, which its own tests rule out.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let store = Store::new(db.clone(), config.patience());
    let service = Arc::new(Service {
        store: store.clone(),
        catalog: Catalog::new(house.clone()),
        tenancy: Tenancy::new(house.clone()),
        registry: Registry::builtin().map_err(|broken| Fault::bug(DOMAIN, broken))?,
        commit_wait: config.commit_wait(),
    });
    let driver = Driver {
        house: house.clone(),
        store: store.clone(),
        billing: Billing::new(house.clone()),
        delivery: Delivery::new(house.clone()),
        batch: config.batch.into(),
        desk: Arc::default(),
    };
    let (sweeper, sweep_batch) = (store.clone(), config.sweep_batch.into());
    let mut mounted =
        Mounted::new(Routes::new(InstancesServiceServer::new(Api::new(house.clone(), service))));
    mounted.log = Some(Arc::new(db.outbox()));
    mounted.work = vec![
        Work::every(house, "drive", config.look(), Some(Wake::on(db.bell(), store::DUE)), move || {
            let driver = driver.clone();
            async move { driver.turn().await }
        }),
        Work::every(house, "sweep", config.look(), Some(Wake::on(db.bell(), store::SWEEP)), move || {
            let store = sweeper.clone();
            async move { store.sweep(sweep_batch).await }
        }),
        follower(house, &store, PartName::Delivery),
        follower(house, &store, PartName::Billing),
        follower(house, &store, PartName::Catalog),
    ];
    Ok(mounted)
}

fn follower(house: &House, store: &Store, source: PartName) -> Work {
    events::follow(house, source, Arc::new(Follower { store: store.clone(), source }))
}
