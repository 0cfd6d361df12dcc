//! Billing's loops: the sweep of expired reservations, the numberer of events, forgetting old requests.

use std::{sync::Arc, time::Duration};

use souk_db::{
    Db,
    once::{KEPT, forget},
    outbox,
};
use souk_kit::{House, Wake, Work};

use crate::{config::Config, service::Service};

/// How often requests that are old enough are forgotten, and how many in one turn.
const FORGET_PAUSE: Duration = Duration::from_secs(3600);
const FORGOTTEN: u64 = 500;

/// Every loop, to be started with the part.
pub(crate) fn loops(house: &House, config: &Config, db: &Db, service: &Arc<Service>) -> Vec<Work> {
    let swept = Arc::clone(service);
    let sweep = move || {
        let service = Arc::clone(&swept);
        async move { service.sweep().await }
    };
    let events = service.outbox();
    let number = move || {
        let events = events.clone();
        async move { events.number_turn().await.map(|numbered| numbered > 0) }
    };
    let requests = db.clone();
    let forget = move || {
        let db = requests.clone();
        async move { forget(&db, db.now() - KEPT, FORGOTTEN).await.map(|gone| gone >= FORGOTTEN) }
    };
    vec![
        Work::every(house, "forget-requests", FORGET_PAUSE, None, forget),
        Work::every(house, "expire-reservations", config.sweep_pause(), None, sweep),
        Work::every(house, "number-events", house.poll(), Some(Wake::on(db.bell(), outbox::TOPIC)), number),
    ]
}
