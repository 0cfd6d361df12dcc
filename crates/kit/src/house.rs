//! What a part is handed when it is built: time, randomness, its own tokens, the dial to the others, the
//! tasks and the stop. Nothing here is global; a test builds as many houses as it likes.

use std::{
    collections::BTreeMap,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use souk_types::{Acting, Clock, Fault, OrgId, PartName, Random, Time, Trace};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{dial::Dial, keyring::Keyring, page::Pages, token::Tokens};

/// What every part of one process shares.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) data_dir: PathBuf,
    pub(crate) poll: Duration,
    /// Cancelled when the process starts to drain: loops and watches end, nothing new is begun.
    pub(crate) stop: CancellationToken,
    /// Cancelled when what was begun is done: the parts' own servers end.
    pub(crate) close: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) ready: Mutex<BTreeMap<PartName, bool>>,
}

/// One part's view of the process.
#[derive(Clone)]
pub struct House {
    pub(crate) part: PartName,
    pub(crate) shared: Arc<Shared>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) dial: Dial,
    pages: Pages,
}

impl House {
    pub(crate) fn new(part: PartName, shared: Arc<Shared>, dial: Dial, tokens: Arc<Tokens>) -> Self {
        let pages = Pages::new(&shared.keyring, part.as_str());
        Self { part, shared, tokens, dial, pages }
    }

    /// The part whose house this is.
    #[must_use]
    pub const fn part(&self) -> PartName {
        self.part
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        self.shared.clock.now()
    }

    /// The injected clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.clock)
    }

    /// The injected randomness.
    #[must_use]
    pub fn random(&self) -> Arc<dyn Random> {
        Arc::clone(&self.shared.random)
    }

    /// Where the part may keep files of its own: `DIR/<part>`.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.shared.data_dir.join(self.part.as_str())
    }

    /// The process's data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.shared.data_dir
    }

    /// How a part reaches the others.
    #[must_use]
    pub const fn dial(&self) -> &Dial {
        &self.dial
    }

    /// The part's mesh tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The process's keys.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.shared.keyring
    }

    /// The part's page tokens.
    #[must_use]
    pub const fn pages(&self) -> &Pages {
        &self.pages
    }

    /// How often a watcher looks without being rung: what other replicas changed shows no later.
    #[must_use]
    pub fn poll(&self) -> Duration {
        self.shared.poll
    }

    /// Ends when the process starts to drain.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// Acting for an org in the course of no call: loops and recovery.
    #[must_use]
    pub fn acting_for(&self, org: OrgId) -> Acting {
        Acting { org: Some(org), trace: Trace::start(self.shared.random.as_ref()) }
    }

    /// Acting for the platform in the course of no call.
    #[must_use]
    pub fn acting_for_platform(&self) -> Acting {
        Acting { org: None, trace: Trace::start(self.shared.random.as_ref()) }
    }

    /// Runs work on a task that the process owns and waits for it. A caller that goes away leaves the
    /// work running to its end; the drain waits for it.
    ///
    /// # Errors
    /// What the work answers; an internal fault when it panicked.
    pub async fn owned<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, Fault>
    where
        T: Send + 'static,
        E: Into<Fault> + Send + 'static,
    {
        match self.shared.tasks.spawn(work).await {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(error) => Err(Fault::bug(self.part.as_str(), error)),
        }
    }

    /// Starts work on a task that the process owns, without waiting for it.
    pub fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.shared.tasks.spawn(work));
    }

    /// Says whether the part can serve; `/readyz` and the health service follow it.
    pub fn set_ready(&self, ready: bool) {
        let mut parts = self.shared.ready.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(self.part, ready);
    }
}
