//! Billing's loops: the sweeps of reservations and of lots whose time is over.

use std::sync::Arc;

use souk_kit::{House, Work};

use crate::{config::Config, service::Service};

/// Every loop, to be started with the part.
pub(crate) fn loops(house: &House, config: &Config, service: &Arc<Service>) -> Vec<Work> {
    let swept = Arc::clone(service);
    let sweep = move || {
        let service = Arc::clone(&swept);
        async move { service.sweep().await }
    };
    let swept = Arc::clone(service);
    let sweep_lots = move || {
        let service = Arc::clone(&swept);
        async move { service.sweep_lots().await }
    };
    vec![
        Work::every(house, "expire-reservations", config.sweep_pause(), None, sweep),
        Work::every(house, "expire-lots", config.sweep_pause(), None, sweep_lots),
    ]
}
