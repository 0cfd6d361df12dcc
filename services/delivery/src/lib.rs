//! Delivery: what is wanted of each instance, as files in a Git repository, and what of it was applied.
//!
//! `model` renders desired state into files and reads files back; `outside::git` keeps them; `store` keeps
//! each wanted state as an intent until a commit holds it, and what the reconciler took over. The repository
//! is a projection: lost or bent, it is written again from the rows. Nothing here decides what an instance
//! may do.

mod api;
mod config;
pub mod error;
pub mod model;
pub mod outside;
mod service;
mod store;
mod work;

use std::sync::Arc;

use souk_db::{Db, Migration};
use souk_kit::{House, Mounted};
use souk_proto::souk::delivery::v1::delivery_service_server::DeliveryServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

pub use crate::config::Config;
use crate::{api::Api, error::Error, model::Env, outside::git::Repository, service::Service, store::Store};

/// The schema of delivery's database.
pub const MIGRATIONS: &[Migration] = store::MIGRATIONS;

/// The repository's name in the part's directory, unless the configuration names another place.
const REPOSITORY: &str = "desired.git";

/// Builds delivery; opens the desired-state repository, or makes an empty one.
///
/// # Errors
/// When the repository cannot be opened, or the configuration was not checked.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let env = Env::new(&config.env).map_err(|violation| Error::Invalid(vec![violation]))?;
    let path = if config.repository.as_os_str().is_empty() {
        house.dir().join(REPOSITORY)
    } else {
        config.repository.clone()
    };
    let repository = Repository::open(&path)?;
    let service = Arc::new(Service::new(Store::new(db.clone()), repository, env));
    let work = work::loops(house, config, &db, &service);
    let api = Api::new(house.clone(), service);
    let routes = Routes::new(DeliveryServiceServer::new(api));
    Ok(Mounted { log: Some(Arc::new(db.outbox())), work, ..Mounted::new(routes) })
}
