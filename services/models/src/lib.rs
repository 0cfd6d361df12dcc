//! Models: the endpoints that flows name. Where an endpoint lies is kept here; its key lies in the secret
//! store alone and never comes back by an answer, an event, the audit trail or the log.
//!
//! Models that tenants register and deploy will stand beside them.

mod api;
mod config;
mod error;
mod keys;
mod model;
mod service;
mod store;

use std::{sync::Arc, time::Duration};

use souk_db::Db;
use souk_kit::{House, Mounted, Wake, Work};
use souk_proto::souk::models::v1::models_service_server::ModelsServiceServer;
use souk_secrets::Secrets;
use souk_types::Fault;
use tonic::service::Routes;

use crate::{
    api::Api,
    keys::Keys,
    service::Service,
    store::{CLEAN_TOPIC, Store},
};
pub use crate::{config::Config, store::MIGRATIONS};

/// How often keys that nobody needs are looked for without being rung.
const CLEAN: Duration = Duration::from_secs(30);

/// Builds the service on its database and the secret store, which it alone writes endpoints' keys to.
///
/// # Errors
/// None yet; as the other services.
pub fn build(house: &House, config: &Config, db: Db, secrets: Secrets) -> Result<Mounted, Fault> {
    let store = Store::new(db.clone(), config.replaced_key());
    let service = Arc::new(Service::new(store, Keys::new(secrets, house.random())));
    let cleaner = Arc::clone(&service);
    let mut mounted =
        Mounted::new(Routes::new(ModelsServiceServer::new(Api { house: house.clone(), service })));
    mounted.log = Some(Arc::new(db.outbox()));
    mounted.work.push(Work::every(
        house,
        "clean",
        CLEAN,
        Some(Wake::on(db.bell(), CLEAN_TOPIC)),
        move || {
            let service = Arc::clone(&cleaner);
            async move { service.clean().await }
        },
    ));
    Ok(mounted)
}
