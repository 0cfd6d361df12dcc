//! When the keys of a shop are fetched, and when they are not: a state machine without I/O.
//!
//! The door that deliveries come through is open to everybody, so whoever knocks must not be able to make
//! souk knock on the shop's door more than a little. And a 401 loses an order for good, so it is given only
//! when a fetch has shown that the shop does not have the key.

use std::{collections::BTreeMap, time::Duration};

use souk_types::Time;

use super::{Key, KeySet};

/// The most unknown key ids that are remembered for one shop.
const MAX_UNKNOWN: usize = 256;

/// How long things hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// At the most one fetch in this time.
    pub refresh_every: Duration,
    /// How long a key id that a fetch did not bring is refused without asking again. Short: in a rolling
    /// restart the shop may sign with a key before it publishes it.
    pub unknown_for: Duration,
    /// How long a key that the shop no longer publishes is still taken: its workers restart one by one.
    pub retired_for: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            refresh_every: Duration::from_secs(10),
            unknown_for: Duration::from_secs(30),
            retired_for: Duration::from_secs(600),
        }
    }
}

/// What the cache says of a key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Here is the key.
    Known(Key),
    /// Shown not to be one of the shop's.
    Unknown,
    /// Fetch, then ask again.
    Fetch,
    /// It cannot be told before this time has passed: the last fetch was too short a while ago.
    Later(Duration),
}

/// What is known of one shop's keys.
#[derive(Clone, Debug)]
pub struct Cache {
    policy: Policy,
    pinned: bool,
    current: KeySet,
    retired: BTreeMap<String, (Key, Time)>,
    unknown: BTreeMap<String, Time>,
    last_try: Option<Time>,
}

impl Cache {
    /// The cache of a shop whose keys are fetched; `known` are those of an earlier time, if any.
    #[must_use]
    pub fn new(policy: Policy, known: Option<KeySet>) -> Self {
        Self {
            policy,
            pinned: false,
            current: known.unwrap_or_default(),
            retired: BTreeMap::new(),
            unknown: BTreeMap::new(),
            last_try: None,
        }
    }

    /// The cache of a shop whose keys the operator gave: nothing is ever fetched.
    #[must_use]
    pub fn pinned(keys: KeySet) -> Self {
        Self { pinned: true, ..Self::new(Policy::default(), Some(keys)) }
    }

    /// What is known of `kid` at `now`.
    #[must_use]
    pub fn lookup(&self, kid: &str, now: Time) -> Lookup {
        if let Some(key) = self.current.get(kid) {
            return Lookup::Known(key.clone());
        }
        if let Some((key, _)) = self.retired.get(kid).filter(|(_, until)| now < *until) {
            return Lookup::Known(key.clone());
        }
        if self.pinned || self.unknown.get(kid).is_some_and(|until| now < *until) {
            return Lookup::Unknown;
        }
        match self.wait(now) {
            Some(wait) => Lookup::Later(wait),
            None => Lookup::Fetch,
        }
    }

    /// How long until the next fetch may begin; `None` when it may now.
    #[must_use]
    pub fn wait(&self, now: Time) -> Option<Duration> {
        let next = self.last_try? + self.policy.refresh_every;
        (now < next).then(|| next.since(now))
    }

    /// A fetch begins. It counts from here, whatever becomes of it.
    pub const fn begin(&mut self, now: Time) {
        self.last_try = Some(now);
    }

    /// A fetch for `kid` brought `keys`.
    pub fn fetched(&mut self, kid: &str, keys: KeySet, now: Time) {
        let until = now + self.policy.retired_for;
        self.retired.retain(|_, (_, until)| now < *until);
        for (old, key) in std::mem::replace(&mut self.current, keys).into_keys() {
            if self.current.get(&old).is_none() {
                self.retired.insert(old, (key, until));
            }
        }
        self.unknown.retain(|_, until| now < *until);
        if self.current.get(kid).is_none()
            && !self.retired.contains_key(kid)
            && self.unknown.len() < MAX_UNKNOWN
        {
            self.unknown.insert(kid.to_owned(), now + self.policy.unknown_for);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time::from_micros(1_700_000_000_000_000);

    fn at(seconds: u64) -> Time {
        START + Duration::from_secs(seconds)
    }

    fn keys(kids: &[&str]) -> KeySet {
        KeySet(
            kids.iter()
                .map(|kid| ((*kid).to_owned(), Key::Rsa { n: kid.as_bytes().to_vec(), e: vec![3] }))
                .collect(),
        )
    }

    fn known(cache: &Cache, kid: &str, now: Time) -> bool {
        matches!(cache.lookup(kid, now), Lookup::Known(_))
    }

    #[test]
    fn an_unknown_kid_fetches_once_and_is_then_refused_for_a_while() {
        let mut cache = Cache::new(Policy::default(), Some(keys(&["a"])));
        assert!(known(&cache, "a", at(0)));
        assert_eq!(cache.lookup("x", at(0)), Lookup::Fetch);
        cache.begin(at(0));
        cache.fetched("x", keys(&["a"]), at(1));
        assert_eq!(cache.lookup("x", at(1)), Lookup::Unknown);
        assert_eq!(cache.lookup("x", at(30)), Lookup::Unknown);
        assert_eq!(cache.lookup("x", at(31)), Lookup::Fetch);
        // Another unknown one is neither fetched for within ten seconds nor refused unproven.
        assert_eq!(cache.lookup("y", at(4)), Lookup::Later(Duration::from_secs(6)));
        assert_eq!(cache.lookup("y", at(10)), Lookup::Fetch);
    }

    #[test]
    fn a_failed_fetch_proves_nothing() {
        let mut cache = Cache::new(Policy::default(), None);
        assert_eq!(cache.lookup("a", at(0)), Lookup::Fetch);
        cache.begin(at(0));
        assert_eq!(cache.lookup("a", at(1)), Lookup::Later(Duration::from_secs(9)));
        assert_eq!(cache.lookup("a", at(10)), Lookup::Fetch);
    }

    #[test]
    fn a_retired_key_is_taken_for_ten_minutes_more() {
        let mut cache = Cache::new(Policy::default(), Some(keys(&["a"])));
        cache.begin(at(0));
        cache.fetched("b", keys(&["b"]), at(0));
        assert!(known(&cache, "b", at(0)) && known(&cache, "a", at(599)));
        assert_eq!(cache.lookup("a", at(600)), Lookup::Fetch);
        // Later fetches do not lengthen its life.
        cache.begin(at(300));
        cache.fetched("c", keys(&["c"]), at(300));
        assert!(known(&cache, "b", at(899)) && known(&cache, "a", at(599)) && !known(&cache, "a", at(600)));
        // A key that is published again is current again.
        cache.fetched("a", keys(&["a"]), at(400));
        assert!(known(&cache, "a", at(5000)));
    }

    #[test]
    fn pinned_keys_never_fetch() {
        let cache = Cache::pinned(keys(&["a"]));
        assert!(known(&cache, "a", at(0)));
        assert_eq!(cache.lookup("x", at(0)), Lookup::Unknown);
    }

    #[test]
    fn a_flood_of_kids_neither_grows_the_cache_nor_the_fetches() {
        let mut cache =
            Cache::new(Policy { unknown_for: Duration::from_secs(1_000_000), ..Policy::default() }, None);
        let mut fetches = 0;
        for second in 0..10_000 {
            let kid = format!("kid-{second}");
            if cache.lookup(&kid, at(second)) == Lookup::Fetch {
                fetches += 1;
                cache.begin(at(second));
                cache.fetched(&kid, keys(&["a"]), at(second));
            }
        }
        assert_eq!(fetches, 1000);
        assert_eq!(cache.unknown.len(), MAX_UNKNOWN);
    }
}
