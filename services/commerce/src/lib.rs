//! commerce: shops, signed orders, and what each paid order line turns into.
//!
//! `model` decides without I/O, `outside` speaks to foreign shop systems. A delivery is a signed snapshot
//! of an order, never a command: what happens follows from the snapshot and from what is known already.
//! It is kept before anything else is done with it, then taken in (`IngestOrderSnapshot`), which pins each
//! paid line; only then are instances and top-ups called for, each under a request id that the line names.

mod api;
mod config;
pub mod error;
pub mod model;
pub mod outside;
mod peers;
mod service;
mod store;
mod work;

use std::{future::Future, sync::Arc, time::Duration};

use souk_db::Db;
use souk_kit::{House, Mounted, Wake, Work};
use souk_proto::souk::commerce::v1::commerce_service_server::CommerceServiceServer;
use souk_types::Fault;
use tonic::service::Routes;

use crate::{
    api::Api,
    outside::saleor::{door::Door, jwks::fetch::Http, keys::Keys},
    peers::Peers,
    service::Service,
    store::Store,
    work::Turns,
};
pub use crate::{config::Config, error::Error, store::MIGRATIONS};

/// Builds commerce on its database.
///
/// # Errors
/// When the client that fetches shops' keys cannot be made.
pub fn build(house: &House, config: &Config, db: Db) -> Result<Mounted, Fault> {
    let store = Store::new(db.clone());
    let peers = Peers::new(house);
    let service = Arc::new(Service { store: store.clone(), peers: peers.clone(), policy: config.policy() });
    let keys = Keys::new(Arc::new(Http::new()?), house.clock());
    let door = Door::new(house.clone(), Arc::clone(&service), keys, config.max_deliveries);
    let api = Api { house: house.clone(), service: Arc::clone(&service) };
    let turns = Turns { house: house.clone(), store, peers, service, batch: config.batch };
    let poll = Duration::from_millis(config.poll_millis);
    let on = |topic| Some(Wake::on(db.bell(), topic));
    Ok(Mounted {
        routes: Routes::new(CommerceServiceServer::new(api)),
        log: Some(Arc::new(db.outbox())),
        raw: door.routes(),
        work: vec![
            turn(
                house,
                &turns,
                ("inbox", poll, on(store::INBOX)),
                |turns| async move { turns.inbox().await },
            ),
            turn(
                house,
                &turns,
                ("orders", poll, on(store::ORDERS)),
                |turns| async move { turns.orders().await },
            ),
            turn(
                house,
                &turns,
                ("lines", poll, on(store::LINES)),
                |turns| async move { turns.lines().await },
            ),
        ],
    })
}

fn turn<Fut>(
    house: &House,
    turns: &Turns,
    (name, pause, wake): (&'static str, Duration, Option<Wake>),
    run: impl Fn(Turns) -> Fut + Send + 'static,
) -> Work
where
    Fut: Future<Output = Result<bool, Error>> + Send + 'static,
{
    let turns = turns.clone();
    Work::every(house, name, pause, wake, move || run(turns.clone()))
}
