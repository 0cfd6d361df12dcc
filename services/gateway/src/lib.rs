//! The gateway: the only public door. It authenticates people and keys, turns what they showed into a mesh
//! token, and passes their calls on as they are. It owns nothing durable and decides nothing about anybody's
//! data: the owner of the data authorises.
//!
//! `build` gives two things: the gateway's own services for the mesh, and the router of the public port.

mod api;
mod config;
mod error;
mod model;
mod outside;
mod peers;
mod service;

use std::sync::Arc;

use axum::Router;
use souk_kit::{House, Mounted};
use souk_proto::souk::gateway::v1::gateway_service_server::GatewayServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

pub use crate::config::Config;
use crate::{api::Api, service::Service};

/// What the gateway is made of.
pub struct Built {
    /// Its services within the mesh.
    pub mounted: Mounted,
    /// The public port: gRPC, gRPC-Web, raw routes, sign-in, probes.
    pub public: Router,
}

/// Builds the gateway.
///
/// # Errors
/// When the local issuer's key cannot be used.
pub fn build(house: &House, config: &Config) -> Result<Built, Fault> {
    let service = Arc::new(Service::new(house, config)?);
    let api = Api::new(house.clone(), Arc::clone(&service));
    let routes = service::routes::Routes::new(house);
    let work = vec![routes.work()];
    let mounted = Mounted { work, ..Mounted::new(Routes::new(GatewayServiceServer::new(api))) };
    let public = api::door::router(house, config, &service, routes)?;
    Ok(Built { mounted, public })
}
