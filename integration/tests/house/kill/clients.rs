//! A pool of clients that know what they want and repeat, word for word, whatever got no answer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use souk_proto::souk::runs::v1::{CreateRunRequest, runs_service_client::RunsServiceClient};
use tokio::{runtime::Runtime, sync::watch, task::JoinSet};
use tonic::{Code, Request, Status, metadata::MetadataValue, transport::Endpoint};

use crate::{
    harness::Souk,
    shop::{Delivery, post},
};

/// Clients at once.
const CLIENTS: usize = 8;
/// How long a wait for progress may last before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long one call may hang, and how long a client waits for a new address before it asks the old again.
const CALL: Duration = Duration::from_secs(40);
const AGAIN: Duration = Duration::from_millis(100);

/// What a client does until it has an answer.
#[derive(Clone)]
pub(super) enum Job {
    /// Delivers an order event.
    Deliver(Delivery),
    /// Asks for the run of this number.
    Run(usize),
}

/// Clients at work.
pub(super) struct Clients {
    runtime: Runtime,
    tasks: JoinSet<()>,
    address: watch::Sender<String>,
    desk: Arc<Desk>,
}

/// What the clients share.
struct Desk {
    jobs: Mutex<VecDeque<Job>>,
    answered: watch::Sender<usize>,
    unanswered: AtomicUsize,
    runs: Mutex<BTreeMap<usize, String>>,
    token: String,
    instance: String,
    http: reqwest::Client,
}

impl Clients {
    /// Sets clients on the jobs.
    pub(super) fn start(souk: &Souk, jobs: Vec<Job>, instance: &str) -> Self {
        let operator = std::fs::read_to_string(souk.data().join("operator.toml")).unwrap();
        let operator: toml::Table = toml::from_str(&operator).unwrap();
        let desk = Arc::new(Desk {
            jobs: Mutex::new(jobs.into()),
            answered: watch::Sender::new(0),
            unanswered: AtomicUsize::new(0),
            runs: Mutex::default(),
            token: format!("Bearer {}", operator["token"].as_str().unwrap()),
            instance: instance.to_owned(),
            http: reqwest::Client::builder().no_proxy().timeout(CALL).build().unwrap(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let address = watch::Sender::new(souk.url.clone());
        let mut tasks = JoinSet::new();
        for _ in 0..CLIENTS {
            let (desk, address) = (Arc::clone(&desk), address.subscribe());
            tasks.spawn_on(async move { desk.work(address).await }, runtime.handle());
        }
        Self { runtime, tasks, address, desk }
    }

    /// Waits until so many answers have come.
    pub(super) fn answered(&self, goal: usize) {
        let mut answered = self.desk.answered.subscribe();
        let come = async { tokio::time::timeout(PATIENCE, answered.wait_for(|now| *now >= goal)).await };
        let come = self.runtime.block_on(come).map(|found| found.is_ok());
        assert!(come.is_ok(), "{} answers, waited for {goal}", *self.desk.answered.borrow());
    }

    /// Lets the clients work for a moment.
    pub(super) fn moment(&self, moment: Duration) {
        let nothing = std::future::pending::<()>();
        self.runtime.block_on(async { tokio::time::timeout(moment, nothing).await }).ok();
    }

    /// The platform is reached elsewhere now.
    pub(super) fn moved(&self, souk: &Souk) {
        self.address.send_replace(souk.url.clone());
    }

    /// Waits until every job has its answer; gives the run of each number.
    pub(super) fn end(self) -> BTreeMap<usize, String> {
        let Self { runtime, tasks, desk, .. } = self;
        let all = async { tokio::time::timeout(PATIENCE, tasks.join_all()).await };
        assert!(runtime.block_on(all).is_ok(), "{} jobs were not taken", desk.jobs.lock().unwrap().len());
        println!("{} calls got no answer and were repeated", desk.unanswered.load(Ordering::Relaxed));
        std::mem::take(&mut desk.runs.lock().unwrap())
    }
}

impl Desk {
    async fn work(&self, mut address: watch::Receiver<String>) {
        loop {
            let Some(job) = self.jobs.lock().unwrap().pop_front() else { return };
            loop {
                let url = address.borrow_and_update().clone();
                let done = match &job {
                    Job::Deliver(delivery) => self.deliver(&url, delivery).await,
                    Job::Run(number) => self.run(&url, *number).await,
                };
                if done {
                    break;
                }
                self.unanswered.fetch_add(1, Ordering::Relaxed);
                tokio::time::timeout(AGAIN, address.changed()).await.ok();
            }
            self.answered.send_modify(|count| *count += 1);
        }
    }

    /// Says whether there was an answer. Only what a shop tries again is none.
    async fn deliver(&self, url: &str, delivery: &Delivery) -> bool {
        match post(&self.http, url, delivery).await {
            Some(200) => true,
            None | Some(500..) => false,
            Some(status) => panic!("a shop would have lost this delivery for good: {status}"),
        }
    }

    async fn run(&self, url: &str, number: usize) -> bool {
        let Ok(channel) = Endpoint::from_shared(url.to_owned()).unwrap().timeout(CALL).connect().await else {
            return false;
        };
        let token: MetadataValue<_> = self.token.parse().unwrap();
        let show = move |mut request: Request<()>| -> Result<_, Status> {
            request.metadata_mut().insert("authorization", token.clone());
            Ok(request)
        };
        let ask = CreateRunRequest {
            instance_id: self.instance.clone(),
            request_id: format!("kill-{number}"),
            input: format!("message {number}"),
            session_id: String::new(),
        };
        match RunsServiceClient::with_interceptor(channel, show).create_run(ask).await {
            Ok(answer) => {
                let run = answer.into_inner().run.unwrap();
                self.runs.lock().unwrap().insert(number, run.run_id);
                true
            }
            Err(status) => {
                let broken = [
                    Code::Unavailable,
                    Code::Unknown,
                    Code::Cancelled,
                    Code::DeadlineExceeded,
                    Code::Aborted,
                ];
                assert!(broken.contains(&status.code()), "{status}");
                false
            }
        }
    }
}
