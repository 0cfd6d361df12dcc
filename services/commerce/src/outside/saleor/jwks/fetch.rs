//! Fetching a shop's key set over HTTP: one GET to the shop's own origin.
//!
//! No redirect is followed, no proxy taken from the surroundings, no more read than a key set needs.

use std::time::Duration;

use futures::{StreamExt as _, future::BoxFuture};
use reqwest::{Client, StatusCode, Url, redirect};

use super::{KeySet, MAX_DOCUMENT};
use crate::error::{Cause, Error};

/// How long a fetch may take. Saleor waits 18 seconds for our answer and wants it much sooner.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A fetch brought no key set.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Failed {
    /// What happened, without addresses.
    pub why: &'static str,
    /// The inner cause.
    #[source]
    pub cause: Option<Cause>,
}

impl Failed {
    fn because(why: &'static str, cause: impl Into<Cause>) -> Self {
        Self { why, cause: Some(cause.into()) }
    }
}

/// Fetches key sets.
pub trait Fetch: Send + Sync {
    /// Fetches the key set at `url`.
    fn fetch<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<KeySet, Failed>>;
}

/// Fetches over HTTP.
#[derive(Clone, Debug)]
pub struct Http(Client);

impl Http {
    /// Makes the client.
    ///
    /// # Errors
    /// The TLS roots of the machine cannot be read.
    pub fn new() -> Result<Self, Error> {
        Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent("souk")
            .build()
            .map(Self)
            .map_err(|error| Error::Bug(error.into()))
    }

    async fn get(&self, url: &Url) -> Result<KeySet, Failed> {
        let answer = self
            .0
            .get(url.clone())
            .send()
            .await
            .map_err(|error| Failed::because("no answer", error.without_url()))?;
        if answer.status() != StatusCode::OK {
            let status = format!("status {}", answer.status().as_u16());
            return Err(Failed::because("the answer is not 200", status));
        }
        let mut document = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|error| Failed::because("the answer broke off", error.without_url()))?;
            if document.len() + chunk.len() > MAX_DOCUMENT {
                return Err(Failed { why: "the answer is too large", cause: None });
            }
            document.extend_from_slice(&chunk);
        }
        KeySet::parse(&document).map_err(|error| Failed::because("the answer is not a key set", error))
    }
}

impl Fetch for Http {
    fn fetch<'a>(&'a self, url: &'a Url) -> BoxFuture<'a, Result<KeySet, Failed>> {
        Box::pin(self.get(url))
    }
}
