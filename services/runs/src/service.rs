//! Use cases of the runs. A run is a row first, then a task that the process owns; whoever asks waits for
//! the row to be over. What belongs to the wire or the tables has no place here.

mod afford;
mod drive;
mod ears;
mod execute;
mod heard;

use std::{sync::Arc, time::Duration};

use souk_kit::House;
use souk_types::{
    Call, InstanceId, ProjectId, RunId, Scope, Time,
    access::Admission,
    page::{Page, Paged},
};
use tokio::sync::oneshot;

pub(crate) use self::ears::{Bell, Ear, Ears};

use crate::{
    config::Config,
    error::Error,
    model::{CancelRun, CreateRun, Entitlements, Event, NotServing, Run, State},
    peers::Peers,
    store::{self, Created, Store},
};

/// How long between two questions whether an instance serves by now.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How long callers are kept while the process drains; less than the drain itself waits.
const LAST_WAIT: Duration = Duration::from_secs(10);
/// How often one looks at a run of this process without being rung: a ring may be missed, though none should.
const SURE: Duration = Duration::from_secs(5);
/// How often one says elsewhere that somebody listens here. Less than half of the least patience.
const HEARD: Duration = Duration::from_secs(2);
/// How long CancelRun waits for the run to be over.
const STOPPING: Duration = Duration::from_secs(2);
/// Runs taken over in one turn.
const TAKEN: u64 = 32;

/// What the use cases stand on.
pub(crate) struct Service {
    house: House,
    store: Store,
    peers: Peers,
    config: Config,
    ears: Ears,
}

/// Resolves when whoever asked is gone.
pub(crate) type Gone = oneshot::Receiver<()>;

impl Service {
    pub(crate) fn new(house: &House, store: Store, config: &Config) -> Self {
        let (peers, ears) = (Peers::new(house), Ears::default());
        Self { house: house.clone(), store, peers, config: config.clone(), ears }
    }

    /// Runs an instance once and answers when the run is over, also when it failed. A copy of the command
    /// waits for the run of the first.
    pub(crate) async fn create_run(
        self: &Arc<Self>,
        call: &Call,
        ask: CreateRun,
        gone: Gone,
    ) -> Result<Run, Error> {
        if let Some(run) = self.store.earlier(call, &ask).await? {
            return self.ended(call, run.run_id, gone).await;
        }
        let to = self.admitted(call, ask.instance_id).await?;
        let request = Store::request(call, &to, &ask)?;
        let outcome = self.begin(call, to, ask, gone).await;
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

    async fn begin(
        self: &Arc<Self>,
        call: &Call,
        to: Entitlements,
        ask: CreateRun,
        gone: Gone,
    ) -> Result<Run, Error> {
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
        self.ended(call, run_id, gone).await
    }

    /// Stops a run: at once where it is not at work yet, else as soon as its owner hears of it. Answers with
    /// the run as it then stands.
    pub(crate) async fn cancel_run(&self, call: &Call, ask: CancelRun) -> Result<Run, Error> {
        let run = self.store.get(&call.scope, ask.run_id).await?;
        let mut bell = self.ears.bell(store::over(ask.run_id));
        self.store.cancel(call, run.org_id, ask).await?;
        let late = tokio::time::sleep(STOPPING.min(self.left(call).unwrap_or(STOPPING) / 2));
        tokio::pin!(late);
        loop {
            let run = self.store.get(&call.scope, ask.run_id).await?;
            if run.state.is_over() || late.is_elapsed() {
                return Ok(run);
            }
            tokio::select! {
                () = bell.rung() => {}
                () = tokio::time::sleep(self.pause(&run)) => {}
                () = &mut late => {}
            }
        }
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

    /// Waits until the run is over; listens to it for as long as the caller does.
    async fn ended(&self, call: &Call, run_id: RunId, mut gone: Gone) -> Result<Run, Error> {
        let (mut bell, _ear) = (self.ears.bell(store::over(run_id)), self.ears.listen(run_id));
        let (left, stop) = (self.left(call), self.house.stop());
        let mut told = None;
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
            self.tell_listening(&run, &mut told).await?;
            tokio::select! {
                stopping = &mut late => return Err(Error::AtWork { run_id, stopping }),
                () = bell.rung() => {}
                () = tokio::time::sleep(self.pause(&run)) => {}
                () = stop.cancelled(), if !stop.is_cancelled() => {}
                _ = &mut gone => return Err(Error::AtWork { run_id, stopping: false }),
            }
        }
    }

    /// Tells the process that owns the run, where that is another one, that somebody listens here.
    pub(crate) async fn tell_listening(&self, run: &Run, told: &mut Option<Time>) -> Result<(), Error> {
        let now = self.house.now();
        let lately = told.is_some_and(|told| now.since(told) < HEARD);
        if lately || self.is_own(run) || run.state.is_over() {
            return Ok(());
        }
        *told = Some(now);
        self.store.heard(run.run_id).await
    }

    /// Whether this process works on the run: then its bell rings here.
    pub(crate) fn is_own(&self, run: &Run) -> bool {
        run.owner == self.store.boot()
    }

    /// Whether no other process can work on these runs.
    fn is_alone(&self) -> bool {
        self.store.is_alone()
    }

    /// How long one waits for a ring before one looks. What another process does rings there only, and while
    /// this one stops nothing rings.
    pub(crate) fn pause(&self, run: &Run) -> Duration {
        if self.is_own(run) && !self.house.stop().is_cancelled() { SURE } else { self.house.poll() }
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

    /// Rings when the run changed.
    pub(crate) fn bell(&self, run_id: RunId) -> Bell {
        self.ears.bell(run_id.to_string())
    }

    /// Listens to the run until dropped.
    pub(crate) fn listen(&self, run_id: RunId) -> Ear {
        self.ears.listen(run_id)
    }

    /// Who waits for which run.
    pub(crate) const fn ears(&self) -> &Ears {
        &self.ears
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
