//! The key sources of all shops, made when a shop's first delivery comes and kept: each holds a cache.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use souk_types::{Clock, id::ShopId};

use super::{
    address::ApiUrl,
    jwks::{KeySet, cache::Policy, fetch::Fetch, source::Source},
};
use crate::{Error, model::Shop};

/// Every shop's keys.
pub(crate) struct Keys {
    sources: Mutex<BTreeMap<ShopId, Arc<Source>>>,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
}

impl Keys {
    pub(crate) fn new(fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>) -> Self {
        Self { sources: Mutex::default(), fetch, clock }
    }

    /// The keys of `shop`. A shop's keys are named once, when it is added.
    pub(crate) fn of(&self, shop: &Shop) -> Result<Arc<Source>, Error> {
        // A map whose entries are made whole stays whole when a panic strikes elsewhere.
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = sources.get(&shop.shop_id) {
            return Ok(Arc::clone(source));
        }
        let clock = Arc::clone(&self.clock);
        let source = Arc::new(match &shop.jwks_json {
            Some(document) => Source::pinned(KeySet::parse(document.as_bytes())?, clock),
            None => {
                let address = ApiUrl::parse(&shop.api_url)?;
                Source::fetched(&address, Arc::clone(&self.fetch), clock, Policy::default())
            }
        });
        sources.insert(shop.shop_id, Arc::clone(&source));
        Ok(source)
    }
}
