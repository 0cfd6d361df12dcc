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

use crate::{
    error::Error,
    keys::Keys,
    model::{Delete, Endpoint, Name, Put},
    store::Store,
};

/// How often a key is offered to the secret store while others put keys of the same endpoint.
const ROUNDS: u32 = 5;

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
}

impl Service {
    /// Adds an endpoint or replaces the one of that name.
    pub(crate) async fn put(&self, call: &Call, put: Put, key: Option<Value>) -> Result<Endpoint, Error> {
        let mark = match &key {
            Some(key) => Some(self.keys.mark(key).await?),
            None => None,
        };
        let marked = Marked { put: &put, key: mark };
        if let Some(answered) = self.store.answered(call, &marked).await? {
            return Ok(answered);
        }
        let kept = match &key {
            Some(key) => Some(self.keep(&put.name, key).await?),
            None => None,
        };
        self.store.put(call, &marked, &put, kept).await
    }

    /// Keeps a key under a version that was noted before; gives the note and the version.
    async fn keep(&self, name: &Name, key: &Value) -> Result<(String, Version), Error> {
        for _ in 0..ROUNDS {
            let version = self.keys.next(name).await?;
            let note = self.store.note(name, version).await?;
            if self.keys.put(name, key, version).await? {
                return Ok((note, version));
            }
            self.store.forget(&note).await?;
        }
        Err(Error::Contended { name: name.to_string() })
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
