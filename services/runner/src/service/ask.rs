//! Puts a run's questions to model endpoints: where each lies (models), its key (secret store), the call.
//!
//! The engine works on a thread of its own and waits here; the calls themselves share that wait, so that
//! several endpoints answer at once.

use std::{future::Future, pin::Pin, sync::Arc};

use futures::{StreamExt as _, stream::FuturesUnordered};
use souk_secrets::{Error as SecretError, Secrets, Value};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
};

use super::Told;
use crate::{
    Error,
    native::{Completion, Models, Said},
    outside::openai::{Failure, OpenAi, Say, Target},
    peers::models::{Models as Peer, Place, Unknown},
};

/// What endpoints have said and the engine has not heard yet.
const UNHEARD: usize = 16;

/// What every question needs.
#[derive(Clone)]
pub(super) struct Asker {
    pub(super) models: Peer,
    pub(super) secrets: Secrets,
    pub(super) openai: OpenAi,
}

impl Asker {
    /// Asks one question to its end; what is said goes to `say`.
    pub(super) async fn ask(&self, question: Completion, say: &mut Say<'_>) -> Result<(), Error> {
        let Completion { component_id, endpoint, model, mut body, .. } = question;
        let failed = |failure: Failure| match failure {
            Failure::Refused { why, status } => Error::ModelRefused {
                component_id: component_id.clone(),
                endpoint: endpoint.clone(),
                why,
                status,
            },
            Failure::Away { why, status } => Error::ModelAway {
                component_id: component_id.clone(),
                endpoint: endpoint.clone(),
                why,
                status,
            },
            Failure::Left => Error::Cancelled,
        };
        let refused = |why: String| failed(Failure::Refused { why, status: None });
        let found = self.find(&endpoint).await.map_err(|missing| match missing {
            Missing::Endpoint => {
                Error::EndpointMissing { component_id: component_id.clone(), endpoint: endpoint.clone() }
            }
            Missing::Answer(why) => failed(Failure::Away { why: why.to_owned(), status: None }),
        })?;
        let (place, key) = found;
        let model = if model.is_empty() { place.default_model.clone() } else { model };
        if model.is_empty() {
            let why = "has no default model, and the flow names none: give it one with --default-model";
            return Err(refused(why.to_owned()));
        }
        if !place.models.is_empty() && !place.models.contains(&model) {
            return Err(refused(format!("may not be asked for the model {model:?}")));
        }
        body.insert("model".to_owned(), model.into());
        let target = Target { url: &place.url, key: key.as_ref() };
        self.openai.ask(&target, body, say).await.map_err(failed)
    }

    /// Where the endpoint lies, and its key.
    async fn find(&self, endpoint: &str) -> Result<(Place, Option<Value>), Missing> {
        // A key that is replaced in between is found at the second look.
        for _ in 0..2 {
            let place = self.models.resolve(endpoint).await.map_err(|unknown| match unknown {
                Unknown::Missing => Missing::Endpoint,
                Unknown::Away(refusal) => {
                    tracing::warn!(endpoint, error = %refusal, "an endpoint was not resolved");
                    Missing::Answer("is not known right now: models does not answer")
                }
                Unknown::Broken => Missing::Answer("is not known right now: models answers wrongly"),
            })?;
            let Some((path, version)) = &place.key else { return Ok((place, None)) };
            match self.secrets.get(path, Some(*version)).await {
                Ok((key, _)) => return Ok((place, Some(key))),
                Err(SecretError::NotFound { .. }) => {}
                Err(error) => {
                    let error = souk_kit::status::chain(&error);
                    tracing::error!(endpoint, error, "the secret store cannot be opened");
                    return Err(Missing::Answer("has a key that cannot be read right now"));
                }
            }
        }
        Err(Missing::Answer("has no key in the secret store: give it again with souk model add"))
    }
}

enum Missing {
    Endpoint,
    Answer(&'static str),
}

type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The questions of one run. Dropping it breaks off what is still being answered.
pub(super) struct Asking {
    handle: Handle,
    asker: Asker,
    /// Where this run computes: given back while it waits.
    places: Arc<Semaphore>,
    place: Option<OwnedSemaphorePermit>,
    listener: mpsc::Sender<Told>,
    ears: mpsc::Sender<(usize, Said)>,
    heard: mpsc::Receiver<(usize, Said)>,
    calls: FuturesUnordered<Call>,
    /// Questions whose end was not heard.
    open: usize,
}

impl Asking {
    /// # Panics
    /// Outside of a runtime: the engine's thread is one of it.
    pub(super) fn new(
        asker: Asker,
        (places, place): (Arc<Semaphore>, OwnedSemaphorePermit),
        listener: mpsc::Sender<Told>,
    ) -> Self {
        let (ears, heard) = mpsc::channel(UNHEARD);
        Self {
            handle: Handle::current(),
            asker,
            places,
            place: Some(place),
            listener,
            ears,
            heard,
            calls: FuturesUnordered::new(),
            open: 0,
        }
    }

    /// Takes the place back that was given away for the wait. Whoever begins must wait longer.
    fn take_place(&mut self) {
        if self.place.is_none() {
            self.place = self.handle.block_on(Arc::clone(&self.places).acquire_owned()).ok();
        }
    }
}

impl Models for Asking {
    fn ask(&mut self, at: usize, question: Completion) {
        let (asker, ears) = (self.asker.clone(), self.ears.clone());
        self.open = self.open.saturating_add(1);
        self.calls.push(Box::pin(async move {
            let outcome = asker.ask(question, &mut Say::new(at, &ears)).await;
            // Nobody to hear it is no failure.
            ears.send((at, Said::Ended(outcome))).await.ok();
        }));
    }

    fn next(&mut self) -> Option<(usize, Said)> {
        self.place = None;
        let said = self.handle.block_on(async {
            loop {
                tokio::select! {
                    () = self.listener.closed() => return None,
                    said = self.heard.recv() => return said,
                    Some(()) = self.calls.next() => {}
                }
            }
        });
        if matches!(said, Some((_, Said::Ended(_)))) {
            self.open = self.open.saturating_sub(1);
        }
        if self.open == 0 {
            self.take_place();
        }
        said
    }
}
