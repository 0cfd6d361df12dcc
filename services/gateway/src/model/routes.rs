//! Where instances are reached: host and path to instance, as delivery applied them. Pure.

use std::collections::HashMap;

use souk_types::{InstanceId, Time};

/// A route that is applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) instance_id: InstanceId,
    /// The host; empty: whatever host the gateway is called by.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) revision: i64,
    /// Whether the instance was taken away: then the address leads nowhere.
    pub(crate) removed: bool,
}

/// What the table knows of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This instance is reached there.
    Instance(InstanceId),
    /// Nothing is.
    Nothing,
    /// The table is too old to say.
    Stale,
}

/// The applied routes.
#[derive(Debug, Default)]
pub(crate) struct Table {
    routes: HashMap<InstanceId, Route>,
    addresses: HashMap<(String, String), InstanceId>,
    heard: Option<Time>,
}

/// A table that has heard nothing for so long says nothing: it fails closed.
pub(crate) const SILENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl Table {
    /// Takes a route as it stands now. An older one than it holds changes nothing.
    pub(crate) fn put(&mut self, route: Route) {
        if self.routes.get(&route.instance_id).is_some_and(|held| held.revision > route.revision) {
            return;
        }
        if let Some(before) = self.routes.remove(&route.instance_id) {
            let address = (before.host, before.path);
            if self.addresses.get(&address) == Some(&route.instance_id) {
                self.addresses.remove(&address);
            }
        }
        if route.removed {
            return;
        }
        self.addresses.insert((route.host.clone(), route.path.clone()), route.instance_id);
        self.routes.insert(route.instance_id, route);
    }

    /// Delivery was heard of at `now`, and all that stood before is in.
    pub(crate) const fn heard(&mut self, now: Time) {
        self.heard = Some(now);
    }

    /// Which instance is reached at a host and a path: the host's own routes first.
    pub(crate) fn find(&self, host: &str, path: &str, now: Time) -> Found {
        if self.heard.is_none_or(|heard| now.since(heard) > SILENCE) {
            return Found::Stale;
        }
        let at = |host: &str| self.addresses.get(&(host.to_owned(), path.to_owned()));
        at(bare(host)).or_else(|| at("")).map_or(Found::Nothing, |id| Found::Instance(*id))
    }
}

/// A host without its port.
fn bare(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn route(id: u128, host: &str, path: &str, revision: i64) -> Route {
        let instance_id = InstanceId::from_bits(id);
        Route { instance_id, host: host.into(), path: path.into(), revision, removed: false }
    }

    fn at(seconds: i64) -> Time {
        Time::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn addresses_lead_where_they_were_applied_to_last() {
        let mut table = Table::default();
        table.heard(at(0));
        table.put(route(1, "", "/i/a", 1));
        table.put(route(2, "bot.example", "/", 1));
        let find = |table: &Table, host, path| table.find(host, path, at(0));
        let first = Found::Instance(InstanceId::from_bits(1));
        assert_eq!(find(&table, "any.example:7400", "/i/a"), first);
        assert_eq!(find(&table, "bot.example:443", "/"), Found::Instance(InstanceId::from_bits(2)));
        assert_eq!(find(&table, "other.example", "/"), Found::Nothing);
        table.put(route(1, "", "/i/b", 3));
        table.put(route(1, "", "/i/a", 2));
        assert_eq!(find(&table, "x", "/i/a"), Found::Nothing, "an older revision comes too late");
        assert_eq!(find(&table, "x", "/i/b"), first);
        table.put(Route { removed: true, ..route(1, "", "/i/b", 4) });
        assert_eq!(find(&table, "x", "/i/b"), Found::Nothing);
    }

    #[test]
    fn who_takes_an_address_over_keeps_it_when_the_first_leaves() {
        let mut table = Table::default();
        table.heard(at(0));
        table.put(route(1, "bot.example", "/", 1));
        table.put(route(2, "bot.example", "/", 1));
        table.put(Route { removed: true, ..route(1, "bot.example", "/", 2) });
        assert_eq!(table.find("bot.example", "/", at(0)), Found::Instance(InstanceId::from_bits(2)));
    }

    #[test]
    fn a_table_that_hears_nothing_fails_closed() {
        let mut table = Table::default();
        table.put(route(1, "", "/i/a", 1));
        assert_eq!(table.find("x", "/i/a", at(0)), Found::Stale, "what stood before is not all in");
        table.heard(at(10));
        assert_ne!(table.find("x", "/i/a", at(15)), Found::Stale);
        assert_eq!(table.find("x", "/i/a", at(15) + Duration::from_millis(1)), Found::Stale);
    }
}
