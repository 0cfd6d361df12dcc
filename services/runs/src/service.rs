//! Use cases of the runs. A run is a row first, then a task that the process owns; whoever asks waits for
//! the row to be over. What belongs to the wire or the tables has no place here.

mod drive;
mod execute;

use std::{sync::Arc, time::Duration};

use souk_kit::House;
use souk_types::{
    Call, InstanceId, ProjectId, RunId, Scope,
    access::Admission,
    page::{Page, Paged},
};
use tokio::sync::broadcast;

use crate::{
    config::Config,
    error::Error,
    model::{CreateRun, Entitlements, Event, NotServing, Run, State},
    peers::Peers,
    store::{Created, Store},
};

/// How long between two questions whether an instance serves by now.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long callers are kept while the process drains; less than the drain itself waits.
const LAST_WAIT: Duration = Duration::from_secs(10);
/// Runs taken over in one turn.
const TAKEN: u64 = 32;

/// What the use cases stand on.
pub(crate) struct Service {
    house: House,
    store: Store,
    peers: Peers,
    config: Config,
}

impl Service {
    pub(crate) fn new(house: &House, store: Store, config: &Config) -> Self {
        Self { house: house.clone(), store, peers: Peers::new(house), config: config.clone() }
    }

    /// Runs an instance once and answers when the run is over, also when it failed. A copy of the command
    /// waits for the run of the first.
    pub(crate) async fn create_run(self: &Arc<Self>, call: &Call, ask: CreateRun) -> Result<Run, Error> {
        if let Some(run) = self.store.earlier(call, &ask).await? {
            return self.ended(call, run.run_id).await;
        }
        let to = self.admitted(call, ask.instance_id).await?;
        let request = Store::request(call, &to, &ask)?;
        let outcome = self.begin(call, to, ask).await;
        if let Err(error) = &outcome
            && let Some(reason) = error.refusal()
        {
            // For the audit trail; the refusal itself does not depend on it.
            if let Err(error) = souk_db::once::refused(self.store.db(), &request, reason.as_str()).await {
                tracing::warn!(%error, "a refusal was not told to the audit trail");
            }
        }
        outcome
    }

    async fn begin(self: &Arc<Self>, call: &Call, to: Entitlements, ask: CreateRun) -> Result<Run, Error> {
        let to = self.serving(call, to).await?;
        let limit = to.input_limit(self.config.input_bytes);
        if i64::try_from(ask.input.len()).map_or(true, |bytes| bytes > limit) {
            return Err(Error::InputTooLarge { bytes: ask.input.len(), limit });
        }
        let run_id = match self.store.create(call, &to, ask).await? {
            Created::Earlier(run_id) => run_id,
            Created::Fresh(run) => {
                let run_id = run.run_id;
                self.launch(*run);
                run_id
            }
        };
        self.ended(call, run_id).await
    }

    /// What the instance may do, if the caller may run it. The part asks for the platform, since only the
    /// answer says whose instance it is; from then on everything is done for that org.
    async fn admitted(&self, call: &Call, instance_id: InstanceId) -> Result<Entitlements, Error> {
        let found = self.peers.instances.entitlements(instance_id, call.acting_for_platform()).await?;
        let to = found.ok_or(Error::InstanceNotFound)?;
        match call.scope.admit(to.org_id) {
            Admission::Granted => Ok(to),
            Admission::Denied => Err(Error::Denied),
            Admission::Hidden => Err(Error::InstanceNotFound),
        }
    }

    /// Waits for an instance that is on its way.
    async fn serving(&self, call: &Call, mut to: Entitlements) -> Result<Entitlements, Error> {
        let patience = self.config.ready_wait().min(self.left(call).unwrap_or(Duration::MAX));
        let mut waited = Duration::ZERO;
        loop {
            match to.serving() {
                Ok(()) => return Ok(to),
                Err(NotServing::Coming) if waited < patience && !self.house.stop().is_cancelled() => {}
                Err(not) => return Err(Error::NotServing(not)),
            }
            tokio::time::sleep(ASK_AGAIN).await;
            waited += ASK_AGAIN;
            let (instance_id, org_id) = (to.instance_id, to.org_id);
            let again = self.peers.instances.entitlements(instance_id, call.acting_for(org_id)).await?;
            // An id never changes its org; an answer that says so is not believed.
            to = again.filter(|again| again.org_id == org_id).ok_or(Error::InstanceNotFound)?;
        }
    }

    fn left(&self, call: &Call) -> Option<Duration> {
        call.deadline.map(|deadline| deadline.since(self.house.now()))
    }

    /// Waits until the run is over.
    async fn ended(&self, call: &Call, run_id: RunId) -> Result<Run, Error> {
        let topic = run_id.to_string();
        let mut bell = self.store.db().bell();
        let (left, stop) = (self.left(call), self.house.stop());
        let late = async {
            tokio::select! {
                () = sleep(left) => false,
                () = async { stop.cancelled().await; tokio::time::sleep(LAST_WAIT).await } => true,
            }
        };
        tokio::pin!(late);
        loop {
            let run = self.store.get(&call.scope, run_id).await?;
            if run.state.is_over() {
                return over(run);
            }
            tokio::select! {
                stopping = &mut late => return Err(Error::AtWork { run_id, stopping }),
                () = rung(&mut bell, &topic) => {}
                () = tokio::time::sleep(self.house.poll()) => {}
            }
        }
    }

    /// The run.
    pub(crate) async fn get_run(&self, call: &Call, run_id: RunId) -> Result<Run, Error> {
        self.store.get(&call.scope, run_id).await
    }

    /// A page of a project's runs, newest first, texts cut to their beginning.
    pub(crate) async fn list_runs(
        &self,
        scope: &Scope,
        of: (ProjectId, Option<InstanceId>),
        page: &Page,
    ) -> Result<Paged<Run>, Error> {
        self.store.list(scope, of, page).await
    }

    /// What happened to a run after `sequence`, and the run as it stands.
    pub(crate) async fn run_events(
        &self,
        scope: &Scope,
        after: (RunId, i64),
        limit: u64,
    ) -> Result<(Run, Vec<Event>), Error> {
        self.store.events(scope, after, limit).await
    }

    /// Rings when a run changed; the topic is its id.
    pub(crate) fn bell(&self) -> broadcast::Receiver<Arc<str>> {
        self.store.db().bell()
    }

    /// One turn of the recovery: takes over runs whose owner is gone and brings each to its end. Says
    /// whether there may be more.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<bool, Error> {
        let taken = self.store.take_over(TAKEN).await?;
        let more = u64::try_from(taken.len()).is_ok_and(|count| count == TAKEN);
        for run in taken {
            tracing::info!(run = %run.run_id, state = %run.state, attempts = run.attempts, "run taken over");
            self.launch(run);
        }
        Ok(more)
    }
}

fn over(run: Run) -> Result<Run, Error> {
    match (run.state, run.error) {
        (State::Refused, Some(error)) => Err(Error::Refused { run_id: run.run_id, error }),
        (_, error) => Ok(Run { error, ..run }),
    }
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

/// Returns when the topic rang or the bell lagged.
pub(crate) async fn rung(bell: &mut broadcast::Receiver<Arc<str>>, topic: &str) {
    loop {
        match bell.recv().await {
            Ok(rung) if *rung == *topic => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
    }
}
