//! The use cases: check a flow, execute a flow. Engines work on threads of their own, a bounded number at
//! once; nothing here decides what a flow does.

mod ask;
mod kept;
mod trial;

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use souk_kit::House;
use souk_objects::{Hash, Objects};
use souk_secrets::Secrets;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::spawn_blocking,
};

pub(crate) use self::trial::Tried;
use self::{
    ask::{Asker, Asking},
    kept::Kept,
};
use crate::{
    Config, Error, Event, Flow, Request,
    check::Checked,
    flow::limits::NODES,
    native::{Models, limits::OUTPUT_BYTES, run_while_wanted},
    outside::openai::OpenAi,
    peers::models::Models as Peer,
};

/// What a run has said and nobody has read yet. What computes says no more than its outputs, its usage and
/// its end, so a slow reader never holds an engine; their texts are at most [`OUTPUT_BYTES`] together. Who
/// reads a model's answer slowly is answered slowly, and holds no engine either.
const UNREAD: usize = NODES + 8;
const _: () = assert!(OUTPUT_BYTES <= 1024 * 1024, "what is unread of a run must stay small");

/// What to execute.
#[derive(Clone, Debug)]
pub(crate) struct Execute {
    /// The flow.
    pub(crate) artifact: Hash,
    /// What is asked of it.
    pub(crate) request: Request,
    /// The run it is done for; for the log.
    pub(crate) run_id: String,
}

/// What a run says on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The request was accepted and the run begins; what the flow's author should know. First.
    Begun(Vec<String>),
    /// Something happened.
    Event(Event),
    /// It ended well; ids of the components that ran, in order. Last.
    Done(Vec<String>),
    /// It ended badly. Last.
    Failed(Error),
}

pub(crate) struct Service {
    house: House,
    objects: Objects,
    asker: Asker,
    /// Runs that are begun, also those that wait for a model: each has a thread.
    runs: Arc<Semaphore>,
    most_runs: usize,
    /// What computes.
    places: Arc<Semaphore>,
    engines: usize,
    wait: Duration,
    kept: Mutex<Kept>,
}

impl Service {
    /// # Errors
    /// When this machine cannot make TLS connections at all.
    pub(crate) fn new(
        house: House,
        config: &Config,
        objects: Objects,
        secrets: Secrets,
    ) -> Result<Self, Error> {
        let size = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
        let engines = size(config.engines_at_work).clamp(1, Semaphore::MAX_PERMITS);
        let most_runs = size(config.runs_at_work).clamp(1, Semaphore::MAX_PERMITS);
        let openai = OpenAi::new(config).map_err(|_| Error::Broken("no TLS on this machine"))?;
        let asker = Asker { models: Peer::new(house.clone()), secrets, openai };
        Ok(Self {
            house,
            objects,
            asker,
            runs: Arc::new(Semaphore::new(most_runs)),
            most_runs,
            places: Arc::new(Semaphore::new(engines)),
            engines,
            wait: config.engine_wait(),
            kept: Mutex::new(Kept::new(size(config.kept_flow_bytes))),
        })
    }

    /// Everything that keeps a flow from being published, and what its publisher should know.
    pub(crate) async fn check_flow(&self, flow: impl AsRef<[u8]> + Send + 'static) -> Result<Checked, Error> {
        let place = self.place().await?;
        let work = spawn_blocking(move || {
            let checked = crate::check::review(flow.as_ref());
            drop(place);
            checked
        });
        work.await.map_err(|_| Error::Broken("the check panicked"))
    }

    /// Executes a flow and gives what it says. An error is a refusal: no component was begun. Dropping the
    /// receiver stops the engine before its next component.
    pub(crate) async fn execute(&self, ask: Execute) -> Result<(Vec<String>, mpsc::Receiver<Told>), Error> {
        let run = self.wait(&self.runs, self.most_runs).await?;
        let place = self.place().await?;
        let flow = self.flow(&ask.artifact).await?;
        let (sender, mut told) = mpsc::channel(UNREAD);
        let Execute { request, run_id, .. } = ask;
        let (asker, places) = (self.asker.clone(), Arc::clone(&self.places));
        self.house.detach(async move {
            let last = sender.clone();
            let work = spawn_blocking(move || {
                let mut asking = Asking::new(asker, (places, place), sender.clone());
                engine(&flow, &request, &mut asking, &sender);
                drop((asking, run));
            });
            if work.await.is_err() {
                tracing::error!(run_id, "the engine panicked");
                last.send(Told::Failed(Error::Broken("the engine panicked"))).await.ok();
            }
        });
        match told.recv().await {
            Some(Told::Failed(refused)) => Err(refused),
            Some(Told::Begun(warnings)) => Ok((warnings, told)),
            Some(_) => Err(Error::Broken("the engine did not begin")),
            None => Err(Error::Broken("the engine said nothing")),
        }
    }

    /// A place at an engine; it is given back when dropped.
    async fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.wait(&self.places, self.engines).await
    }

    async fn wait(&self, room: &Arc<Semaphore>, engines: usize) -> Result<OwnedSemaphorePermit, Error> {
        match tokio::time::timeout(self.wait, Arc::clone(room).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Error::Broken("the engines are gone")),
            Err(_) => Err(Error::Busy { engines }),
        }
    }

    async fn flow(&self, hash: &Hash) -> Result<Arc<Flow>, Error> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(hash);
        if let Some(flow) = kept {
            return Ok(flow);
        }
        let artifact = self.objects.get_artifact(hash).await?;
        let bytes = artifact.len();
        let parsed = spawn_blocking(move || Flow::parse(&artifact)).await;
        let flow = parsed.map_err(|_| Error::Broken("reading the flow panicked"))?;
        let flow = Arc::new(flow.map_err(Error::Refused)?);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(hash.clone(), Arc::clone(&flow), bytes);
        Ok(flow)
    }
}

/// Runs a flow on this thread and tells what the caller is to know, as long as somebody listens.
fn engine(flow: &Flow, request: &Request, models: &mut dyn Models, sender: &mpsc::Sender<Told>) {
    let mut begun = false;
    let outcome = run_while_wanted(flow, request, models, &mut |event| {
        let first = !std::mem::replace(&mut begun, true);
        let told = match event {
            Event::Warnings(warnings) if first => vec![Told::Begun(warnings)],
            Event::Started { .. } | Event::Built { .. } | Event::Warnings(_) if first => {
                vec![Told::Begun(Vec::new())]
            }
            Event::Started { .. } | Event::Built { .. } | Event::Warnings(_) => Vec::new(),
            told if first => vec![Told::Begun(Vec::new()), Told::Event(told)],
            told => vec![Told::Event(told)],
        };
        let heard = told.into_iter().all(|told| sender.blocking_send(told).is_ok());
        if heard && !sender.is_closed() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let last = match outcome {
        Ok(outcome) => Told::Done(outcome.built),
        Err(error) => Told::Failed(error),
    };
    // Nobody to hear it is no failure.
    sender.blocking_send(last).ok();
}

#[cfg(test)]
mod tests;
