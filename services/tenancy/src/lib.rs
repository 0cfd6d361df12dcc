//! Tenancy: orgs, projects, teams, users, members, invitations, API keys, sessions and the audit trail — who
//! there is, and who a credential stands for.
//!
//! Nothing here authorises a call to another part: the gateway authenticates by `ResolvePrincipal`, each
//! owner authorises. Secrets are stored as hashes only and shown once.

mod api;
mod config;
mod error;
mod model;
mod outside;
mod peers;
mod service;
mod store;
mod work;

use std::sync::Arc;

use souk_db::Db;
use souk_kit::{House, Mounted};
use souk_proto::souk::tenancy::v1::tenancy_service_server::TenancyServiceServer;
use souk_types::{Fault, Secret, Time, Violation};
use tonic::service::Routes;

pub use crate::config::{Config, Driver, Notify, Smtp, Tls};
use crate::{api::Api, model::Email, service::Service, store::Store};

/// The address of the platform's first operator.
pub const OPERATOR: &str = "operator@localhost";

/// The schema of tenancy's database.
pub const MIGRATIONS: &[souk_db::Migration] = store::MIGRATIONS;

/// Builds the part upon its database.
///
/// # Errors
/// When a file that the configuration names cannot be read.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let store = Store::new(db.clone());
    let service = Arc::new(Service::new(house, store, config.clone())?);
    let work = work::all(house, &db, &service);
    let api = TenancyServiceServer::new(Api::new(house.clone(), service));
    Ok(Mounted { log: Some(Arc::new(db.outbox())), work, ..Mounted::new(Routes::new(api)) })
}

/// Makes sure that there is an operator (`OPERATOR`) with a platform key, which acts as they do in every
/// org. `known` is the key that the caller has kept, if any: while it serves, the answer is `None`. Else
/// the platform keys there were are revoked, and the answer is the new one, to be kept where only the
/// operator can read it; it cannot be asked for again.
///
/// # Errors
/// When the database does not answer.
pub async fn bootstrap(db: &Db, known: Option<&str>) -> Result<Option<Secret<String>>, Fault> {
    Ok(service::platform_key(&Store::new(db.clone()), &email(OPERATOR)?, known).await?)
}

/// A one-time sign-in link's code for an address, and when it ends; the user is made when first seen. For
/// the process itself; over the wire operators call `CreateSignInLink`.
///
/// # Errors
/// `INVALID_ARGUMENT` for what is no address; when the database does not answer.
pub async fn sign_in_link(db: &Db, config: &Config, address: &str) -> Result<(Secret<String>, Time), Fault> {
    Ok(service::sign_in_link(&Store::new(db.clone()), &email(address)?, config.link_life()).await?)
}

fn email(text: &str) -> Result<Email, Fault> {
    text.parse().map_err(|error: model::email::BadEmail| {
        Fault::invalid("tenancy", vec![Violation::new("email", error.to_string())])
    })
}
