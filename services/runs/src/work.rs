//! The loops: waking who waits, taking over runs whose owner is gone.

use std::sync::Arc;

use souk_db::Db;
use souk_kit::{House, Work};

use crate::{config::Config, service::Service};

pub(crate) fn loops(house: &House, config: &Config, db: &Db, service: &Arc<Service>) -> Vec<Work> {
    let (ears, bell, stop) = (service.ears().clone(), db.bell(), house.stop());
    let wake = async move {
        tokio::select! {
            () = ears.pass_on(bell) => {}
            () = stop.cancelled() => {}
        }
    };
    let owner = Arc::clone(service);
    let recover = move || {
        let service = Arc::clone(&owner);
        async move { service.recover().await }
    };
    vec![Work::new("wake who waits", wake), Work::every(house, "recover", config.lease() / 3, None, recover)]
}
