//! The keys of one shop, from its cache or freshly fetched.
//!
//! Fetches fly singly: who comes while one is under way waits for it and then asks the cache again. Known keys
//! never wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Url;
use souk_types::Clock;

use super::{
    Key, KeySet,
    cache::{Cache, Lookup, Policy},
    fetch::Fetch,
};
use crate::{
    Error,
    outside::saleor::{
        address::ApiUrl,
        signature::{Compat, Jws, Refusal},
    },
};

/// The keys of one shop.
pub struct Source {
    cache: Mutex<Cache>,
    flight: tokio::sync::Mutex<()>,
    from: Option<(Url, Arc<dyn Fetch>)>,
    clock: Arc<dyn Clock>,
}

impl Source {
    /// Keys that are fetched from the shop's origin.
    pub fn fetched(shop: &ApiUrl, fetch: Arc<dyn Fetch>, clock: Arc<dyn Clock>, policy: Policy) -> Self {
        Self {
            cache: Mutex::new(Cache::new(policy, None)),
            flight: tokio::sync::Mutex::new(()),
            from: Some((shop.jwks().clone(), fetch)),
            clock,
        }
    }

    /// Keys that the operator gave; nothing is fetched.
    pub fn pinned(keys: KeySet, clock: Arc<dyn Clock>) -> Self {
        Self {
            cache: Mutex::new(Cache::pinned(keys)),
            flight: tokio::sync::Mutex::new(()),
            from: None,
            clock,
        }
    }

    /// Whether the shop signed `body`: the whole check of one delivery of a shop that signs by JWS.
    ///
    /// # Errors
    /// A proven bad signature (401), or keys that cannot be had now (503).
    pub async fn verify(&self, header: &str, body: &[u8], compat: Compat) -> Result<(), Error> {
        let jws = Jws::parse(header, compat)?;
        let key = self.key(jws.kid()).await?;
        Ok(jws.verify(&key, body)?)
    }

    /// The key with this id.
    ///
    /// # Errors
    /// The shop has no such key, or its keys cannot be had now.
    pub async fn key(&self, kid: &str) -> Result<Key, Error> {
        match self.cache().lookup(kid, self.clock.now()) {
            Lookup::Known(key) => return Ok(key),
            Lookup::Unknown => return Err(Refusal::UnknownKey.into()),
            Lookup::Fetch | Lookup::Later(_) => {}
        }
        // The holder of the flight may bring the key while we wait for it.
        let _flight = self.flight.lock().await;
        let now = self.clock.now();
        let found = self.cache().lookup(kid, now);
        match found {
            Lookup::Known(key) => Ok(key),
            Lookup::Unknown => Err(Refusal::UnknownKey.into()),
            Lookup::Later(wait) => Err(Error::JwksUnavailable {
                why: "they were asked for just now",
                retry_after: wait,
                cause: None,
            }),
            Lookup::Fetch => self.fetch(kid).await,
        }
    }

    async fn fetch(&self, kid: &str) -> Result<Key, Error> {
        let Some((url, fetch)) = &self.from else {
            return Err(Refusal::UnknownKey.into());
        };
        self.cache().begin(self.clock.now());
        let answer = fetch.fetch(url).await;
        let now = self.clock.now();
        let mut cache = self.cache();
        match answer {
            Ok(keys) => {
                cache.fetched(kid, keys, now);
                match cache.lookup(kid, now) {
                    Lookup::Known(key) => Ok(key),
                    _ => Err(Refusal::UnknownKey.into()),
                }
            }
            Err(failed) => Err(Error::JwksUnavailable {
                why: failed.why,
                retry_after: cache.wait(now).unwrap_or_default(),
                cause: failed.cause,
            }),
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // The cache is whole between any two of its statements; a panic elsewhere must not shut the door.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
