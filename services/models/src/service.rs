//! The use cases: put, get, list, delete and resolve endpoints, and destroy keys that nobody needs.
//!
//! A key is written to the secret store between two writes of the database: the first notes which version
//! is about to be made, the second makes the endpoint point to it. What was noted and never pointed to is
//! destroyed by the loop. The endpoint's row alone says which version counts.

use serde::Serialize;
use souk_secrets::{Value, Version};
use souk_types::{
    Call,
    page::{Page, Paged},
};
use tokio::sync::Mutex;

use crate::{
    error::Error,
    keys::Keys,
    model::{Delete, Endpoint, Name, Put},
    store::Store,
};

/// How often a key is offered to the secret store while other processes put keys of the same endpoint. Each
/// sends one at a time and one wins every round, so it is enough for as many processes.
const ROUNDS: u32 = 64;

/// A put as repeats are recognised: the endpoint and the mark of its key.
#[derive(Serialize)]
pub(crate) struct Marked<'a> {
    put: &'a Put,
    key: Option<String>,
}

/// The use cases.
pub(crate) struct Service {
    pub(crate) store: Store,
    pub(crate) keys: Keys,
    /// Held while a key is kept and pointed to: copies of a put that arrive together keep it once.
    turn: Mutex<()>,
}

impl Service {
    pub(crate) fn new(store: Store, keys: Keys) -> Self {
        Self { store, keys, turn: Mutex::default() }
    }

    /// Adds an endpoint or replaces the one of that name.
    pub(crate) async fn put(&self, call: &Call, put: Put, key: Option<Value>) -> Result<Endpoint, Error> {
        let Some(key) = key else {
            return self.store.put(call, &Marked { put: &put, key: None }, &put, None).await;
        };
        let marked = Marked { put: &put, key: Some(self.keys.mark(&key).await?) };
        let _turn = self.turn.lock().await;
        for _ in 0..ROUNDS {
            // Whoever won the round before may have been a copy of this very put.
            if let Some(answered) = self.store.answered(call, &marked).await? {
                return Ok(answered);
            }
            let Some(kept) = self.keep(&put.name, &key).await? else { continue };
            match self.store.put(call, &marked, &put, Some(kept)).await {
                // A newer key counts by now, or this one was given up: another round makes another.
                Err(Error::Contended { .. }) => {}
                outcome => return outcome,
            }
        }
        Err(Error::Contended { name: put.name.to_string() })
    }

    /// Keeps a key under a version that was noted before; gives the note and the version, or nothing where
    /// another process took that version.
    async fn keep(&self, name: &Name, key: &Value) -> Result<Option<(String, Version)>, Error> {
        let version = self.keys.next(name).await?;
        let note = self.store.note(name, version).await?;
        if self.keys.put(name, key, version).await? {
            return Ok(Some((note, version)));
        }
        self.store.forget(&note).await?;
        Ok(None)
    }

    /// One endpoint.
    pub(crate) async fn get(&self, call: &Call, name: &Name) -> Result<Endpoint, Error> {
        self.store.get(&call.scope, name).await
    }

    /// A page of endpoints, by name.
    pub(crate) async fn list(&self, call: &Call, page: &Page) -> Result<Paged<Endpoint>, Error> {
        self.store.list(&call.scope, page).await
    }

    /// Deletes an endpoint, and its key at once where the secret store answers; else the loop does.
    pub(crate) async fn delete(&self, call: &Call, delete: Delete) -> Result<(), Error> {
        self.store.delete(call, &delete).await?;
        if let Err(error) = self.clean().await {
            let error = souk_kit::status::chain(&error);
            tracing::warn!(
                endpoint = delete.name.as_str(),
                error,
                "a deleted endpoint's key is destroyed later"
            );
        }
        Ok(())
    }

    /// Destroys keys that are due; says whether there may be more.
    pub(crate) async fn clean(&self) -> Result<bool, Error> {
        let (claimed, more) = self.store.claim().await?;
        for leftover in claimed {
            self.keys.destroy(&leftover).await?;
            self.store.forget(&leftover.id).await?;
        }
        Ok(more)
    }
}

#[cfg(test)]
mod tests;
