//! The loops: taking over runs whose owner is gone, numbering events, forgetting old requests.

use std::{sync::Arc, time::Duration};

use souk_db::{Db, outbox};
use souk_kit::{House, Wake, Work};

use crate::{config::Config, error::Error, service::Service};

/// How often old requests are looked for.
const FORGET: Duration = Duration::from_secs(3600);

pub(crate) fn loops(house: &House, config: &Config, db: &Db, service: &Arc<Service>) -> Vec<Work> {
    let log = db.outbox();
    let number = move || {
        let log = log.clone();
        async move { log.number_turn().await.map(|count| count > 0).map_err(Error::from) }
    };
    let (owner, keeper) = (Arc::clone(service), Arc::clone(service));
    let recover = move || {
        let service = Arc::clone(&owner);
        async move { service.recover().await }
    };
    let forget = move || {
        let service = Arc::clone(&keeper);
        async move { service.forget().await }
    };
    vec![
        Work::every(house, "number", house.poll(), Some(Wake::on(db.bell(), outbox::TOPIC)), number),
        Work::every(house, "recover", config.lease() / 3, None, recover),
        Work::every(house, "forget", FORGET, None, forget),
    ]
}
