//! Models: the endpoints that flows name. Where an endpoint lies is kept here; its key lies in the secret
//! store alone.

mod api;
mod config;

use souk_db::{Db, Migration};
use souk_kit::{House, Mounted};
use souk_proto::souk::models::v1::models_service_server::ModelsServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

pub use crate::config::Config;

/// The life of the schema.
pub const MIGRATIONS: &[Migration] = &[];

/// Builds the service on its database.
///
/// # Errors
/// None yet; as the other services.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let _ = (house, config);
    let mut mounted = Mounted::new(Routes::new(ModelsServiceServer::new(api::Api)));
    mounted.log = Some(std::sync::Arc::new(db.outbox()));
    Ok(mounted)
}
