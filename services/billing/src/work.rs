//! Billing's loops: the sweep of expired reservations and the numberer of events.

use std::{sync::Arc, time::Duration};

use souk_db::{Db, outbox};
use souk_kit::{House, Wake, Work};

use crate::{config::Config, service::Service};

/// How long the numberer rests when nothing rings: what another replica wrote does not ring here.
const NUMBER_PAUSE: Duration = Duration::from_millis(200);

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
    vec![
        Work::every(house, "expire-reservations", config.sweep_pause(), None, sweep),
        Work::every(house, "number-events", NUMBER_PAUSE, Some(Wake::on(db.bell(), outbox::TOPIC)), number),
    ]
}
