//! Instances: a tenant's activations of offering versions, and their life.
//!
//! An instance is a durable row: REQUESTED → PROVISIONING → ACTIVE ⇄ PAUSED → TERMINATING → TERMINATED, or
//! FAILED. `model` says where it may go, one loop takes the steps (an account at billing, a commit at
//! delivery, applied state), followers hear what was applied and whose wallet is empty. What never happens
//! here: credits move (billing), files are written (delivery), flows are run (runs).

mod api;
mod config;
mod error;
pub mod model;
mod peers;
mod service;
mod store;
mod work;

use std::sync::Arc;

use souk_db::{Db, Migration};
use souk_kit::{House, Mounted, Wake, Work, events};
use souk_proto::souk::instances::v1::instances_service_server::InstancesServiceServer;
use souk_types::{Fault, PartName};
use tonic::service::Routes;

pub use crate::config::Config;
use crate::{
    api::Api,
    peers::{billing::Billing, catalog::Catalog, delivery::Delivery, tenancy::Tenancy},
    service::Service,
    store::Store,
    work::{Provisioner, followers::Follower},
};

/// The life of this service's schema.
pub const MIGRATIONS: &[Migration] = store::MIGRATIONS;

/// Builds the service on its database.
///
/// # Errors
/// None today; the shape is that of every service.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let store = Store::new(db.clone(), config.patience());
    let service = Arc::new(Service {
        store: store.clone(),
        catalog: Catalog::new(house.clone()),
        tenancy: Tenancy::new(house.clone()),
        commit_wait: config.commit_wait(),
    });
    let provisioner = Provisioner {
        store: store.clone(),
        billing: Billing::new(house.clone()),
        delivery: Delivery::new(house.clone()),
        batch: config.batch.into(),
    };
    let mut mounted =
        Mounted::new(Routes::new(InstancesServiceServer::new(Api::new(house.clone(), service))));
    mounted.log = Some(Arc::new(db.outbox()));
    mounted.work = vec![
        Work::every(house, "provision", config.look(), Some(Wake::on(db.bell(), store::DUE)), move || {
            let provisioner = provisioner.clone();
            async move { provisioner.turn().await }
        }),
        follower(house, &store, PartName::Delivery),
        follower(house, &store, PartName::Billing),
    ];
    Ok(mounted)
}

fn follower(house: &House, store: &Store, source: PartName) -> Work {
    events::follow(house, source, Arc::new(Follower { store: store.clone(), source }))
}
