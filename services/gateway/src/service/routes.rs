//! Which instance an address leads to: the applied routes, followed from delivery and read through where
//! they are not in yet.

use std::sync::{Arc, Mutex, PoisonError};

use souk_kit::{House, Work};
use souk_types::{Fault, InstanceId};

use crate::{
    error::Error,
    model::routes::{Found, Table},
    peers::delivery::Delivery,
};

/// Where an instance is reached where nothing else was said.
const OWN: &str = "/i/";

/// The applied routes.
pub(crate) struct Routes {
    house: House,
    delivery: Delivery,
    table: Mutex<Table>,
}

impl Routes {
    pub(crate) fn new(house: &House) -> Arc<Self> {
        let delivery = Delivery::new(house.clone());
        Arc::new(Self { house: house.clone(), delivery, table: Mutex::default() })
    }

    /// The loop that follows delivery.
    pub(crate) fn work(self: &Arc<Self>) -> Work {
        let routes = Arc::clone(self);
        Work::every(&self.house, "routes", std::time::Duration::from_millis(200), None, move || {
            let routes = Arc::clone(&routes);
            async move {
                let stop = routes.house.stop();
                tokio::select! {
                    () = stop.cancelled() => Ok::<_, Fault>(false),
                    ended = routes.delivery.follow(&routes.table) => ended.map(|()| false),
                }
            }
        })
    }

    /// The instance that is reached at a host and a path.
    pub(crate) async fn find(&self, host: &str, path: &str) -> Result<InstanceId, Error> {
        let found = {
            let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.find(host, path, self.house.now())
        };
        match found {
            Found::Instance(id) => Ok(id),
            // What was applied a moment ago may not have been heard of: an own address names its instance.
            Found::Nothing | Found::Stale => match path.strip_prefix(OWN).and_then(|id| id.parse().ok()) {
                Some(id) => self.read_through(id, path).await,
                None if found == Found::Stale => Err(Error::RoutesStale),
                None => Err(Error::RouteNotFound),
            },
        }
    }

    async fn read_through(&self, id: InstanceId, path: &str) -> Result<InstanceId, Error> {
        let route = self.delivery.route(id).await?.filter(|route| !route.removed);
        let route = route.filter(|route| route.host.is_empty() && route.path == path);
        let route = route.ok_or(Error::RouteNotFound)?;
        self.table.lock().unwrap_or_else(PoisonError::into_inner).put(route);
        Ok(id)
    }
}
