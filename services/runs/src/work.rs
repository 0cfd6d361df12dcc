//! The loop: taking over runs whose owner is gone.

use std::sync::Arc;

use souk_kit::{House, Work};

use crate::{config::Config, service::Service};

pub(crate) fn loops(house: &House, config: &Config, service: &Arc<Service>) -> Vec<Work> {
    let owner = Arc::clone(service);
    let recover = move || {
        let service = Arc::clone(&owner);
        async move { service.recover().await }
    };
    vec![Work::every(house, "recover", config.lease() / 3, None, recover)]
}
