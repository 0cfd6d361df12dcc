//! A mesh to test: a catalog and a runner that do what the request says, and houses to call them from.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use souk_kit::{
    House, Mesh, Mounted, Refusal, Surroundings,
    clock::MachineRandom,
    keyring::Keyring,
    open, status,
    token::{LIFETIME, Tokens},
    watch::{Messages, Subject, watch},
};
use souk_proto::souk::{
    catalog::v1::{
        self as catalog, CreateOfferingRequest, CreateOfferingResponse, GetOfferingRequest,
        GetOfferingResponse, GetOfferingVersionRequest, GetOfferingVersionResponse, ListOfferingsRequest,
        ListOfferingsResponse, Offering, PublishOfferingVersionRequest, PublishOfferingVersionResponse,
        ResolvePlanRequest, ResolvePlanResponse,
        catalog_service_client::CatalogServiceClient,
        catalog_service_server::{CatalogService, CatalogServiceServer},
    },
    runner::v1::{
        CheckFlowRequest, CheckFlowResponse, Delta, ExecuteRequest, ExecuteResponse,
        TestModelEndpointRequest, TestModelEndpointResponse,
        execute_response::Event,
        runner_service_server::{RunnerService, RunnerServiceServer},
    },
};
use souk_types::{Caller, Clock, Fault, PartName, Reason, Time, Violation, event::Log};
use tokio::sync::{Notify, broadcast, mpsc};
use tonic::{Code, Request, Response, Status, service::Routes, transport::Channel};

/// A clock that moves when it is told to.
#[derive(Debug)]
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn advance(&self, span: Duration) {
        self.0.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// A log in memory.
#[derive(Default)]
pub(crate) struct ListLog {
    pub(crate) events: Mutex<Vec<souk_types::Event>>,
    pub(crate) bell: Notify,
    /// The last event that is forgotten.
    pub(crate) floor: AtomicI64,
    /// How many hold the writes.
    pub(crate) holders: Arc<AtomicUsize>,
}

/// Counts itself out.
struct Holder(Arc<AtomicUsize>);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Log for ListLog {
    async fn after(&self, position: i64, limit: u64) -> Result<Vec<(i64, souk_types::Event)>, Fault> {
        let floor = self.floor.load(Ordering::SeqCst);
        if position < floor {
            return Err(Fault::new(Reason::EventsForgotten, "catalog", "gone").with("floor", floor));
        }
        let events = self.events.lock().unwrap().clone();
        let numbered = (1_i64..).zip(events).filter(|(at, _)| *at > position);
        Ok(numbered.take(usize::try_from(limit).unwrap()).collect())
    }

    async fn wait(&self, _: i64) {
        self.bell.notified().await;
    }

    async fn hold(&self) -> Result<souk_types::event::Hold, Fault> {
        self.holders.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Holder(Arc::clone(&self.holders))))
    }
}

/// What the request put aside for the handler, which it must never see.
#[derive(Clone)]
pub(crate) struct Smuggled;

/// The noun that `execute` watches: its etag and its text; no etag means that it is not there.
pub(crate) type Noun = Mutex<(String, String)>;

/// The fake parts.
pub(crate) struct Fake {
    house: Mutex<Option<House>>,
    /// How many calls of `get_offering` reached the handler.
    pub(crate) calls: AtomicUsize,
    /// Says that a handler was entered.
    pub(crate) entered: Notify,
    /// Lets a handler that waits go on.
    pub(crate) gate: Notify,
    /// Work that outlives its caller was done.
    pub(crate) done: AtomicBool,
    pub(crate) noun: Arc<Noun>,
    pub(crate) bell: broadcast::Sender<Arc<str>>,
}

impl Fake {
    fn house(&self) -> House {
        self.house.lock().unwrap().clone().unwrap()
    }

    async fn behave(self: Arc<Self>, how: &str) -> Result<(), Fault> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match how {
            "panic" => panic!("the handler's own words"),
            "never" => std::future::pending().await,
            "wait" => {
                self.entered.notify_one();
                self.gate.notified().await;
                Ok(())
            }
            "owned" => {
                let this = Arc::clone(&self);
                let work = async move {
                    this.entered.notify_one();
                    this.gate.notified().await;
                    this.done.store(true, Ordering::SeqCst);
                    Ok::<_, Fault>(())
                };
                self.house().owned(work).await
            }
            "owned panic" => {
                self.house().owned(async { panic!("the work's own words") as Result<(), Fault> }).await
            }
            "wordy" => {
                let violations =
                    (0..2000).map(|at| Violation::new(format!("f[{at}]"), "ä".repeat(500))).collect();
                let fault = Fault { violations, ..Fault::invalid("catalog", vec![]) };
                Err(fault.with("value", "x\n".repeat(100_000)).retry_in(Duration::from_secs(3)))
            }
            _ => Ok(()),
        }
    }
}

/// A fake as the generated traits want it: they hand out `&self`, the work wants to own it.
pub(crate) struct Part(pub(crate) Arc<Fake>);

fn unused<T>() -> Result<Response<T>, Status> {
    Err(status(Fault::new(Reason::Unimplemented, "catalog", "not in this fake")))
}

#[tonic::async_trait]
impl CatalogService for Part {
    async fn get_offering(
        &self,
        request: Request<GetOfferingRequest>,
    ) -> Result<Response<GetOfferingResponse>, Status> {
        let smuggled = request.extensions().get::<Smuggled>().is_some();
        let (call, ask) = open(request)?;
        Arc::clone(&self.0).behave(&ask.offering_id).await.map_err(status)?;
        let display_name = if smuggled { "smuggled".into() } else { call.caller.actor() };
        let offering = Offering { display_name, slug: call.trace.id, ..Offering::default() };
        Ok(Response::new(GetOfferingResponse { offering: Some(offering) }))
    }

    async fn pause_offering(
        &self,
        _: Request<catalog::PauseOfferingRequest>,
    ) -> Result<Response<catalog::PauseOfferingResponse>, Status> {
        unused()
    }

    async fn resume_offering(
        &self,
        _: Request<catalog::ResumeOfferingRequest>,
    ) -> Result<Response<catalog::ResumeOfferingResponse>, Status> {
        unused()
    }

    async fn end_offering_life(
        &self,
        _: Request<catalog::EndOfferingLifeRequest>,
    ) -> Result<Response<catalog::EndOfferingLifeResponse>, Status> {
        unused()
    }

    async fn list_offering_versions(
        &self,
        _: Request<catalog::ListOfferingVersionsRequest>,
    ) -> Result<Response<catalog::ListOfferingVersionsResponse>, Status> {
        unused()
    }

    async fn list_capabilities(
        &self,
        _: Request<catalog::ListCapabilitiesRequest>,
    ) -> Result<Response<catalog::ListCapabilitiesResponse>, Status> {
        unused()
    }

    async fn resolve_plan(
        &self,
        request: Request<ResolvePlanRequest>,
    ) -> Result<Response<ResolvePlanResponse>, Status> {
        open(request)?;
        Ok(Response::new(ResolvePlanResponse::default()))
    }

    async fn list_offerings(
        &self,
        request: Request<ListOfferingsRequest>,
    ) -> Result<Response<ListOfferingsResponse>, Status> {
        open(request)?;
        Ok(Response::new(ListOfferingsResponse::default()))
    }

    async fn create_offering(
        &self,
        request: Request<CreateOfferingRequest>,
    ) -> Result<Response<CreateOfferingResponse>, Status> {
        open(request)?;
        Ok(Response::new(CreateOfferingResponse::default()))
    }

    async fn publish_offering_version(
        &self,
        _: Request<PublishOfferingVersionRequest>,
    ) -> Result<Response<PublishOfferingVersionResponse>, Status> {
        unused()
    }

    async fn get_offering_version(
        &self,
        _: Request<GetOfferingVersionRequest>,
    ) -> Result<Response<GetOfferingVersionResponse>, Status> {
        unused()
    }
}

/// A message of the fake watch.
pub(crate) fn message(text: impl Into<String>) -> ExecuteResponse {
    ExecuteResponse { event: Some(Event::Delta(Delta { component_id: String::new(), text: text.into() })) }
}

#[tonic::async_trait]
impl RunnerService for Part {
    type ExecuteStream = Messages<ExecuteResponse>;

    async fn execute(
        &self,
        request: Request<ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        open(request)?;
        let noun = Arc::clone(&self.0.noun);
        let subject = Subject {
            bell: self.0.bell.subscribe(),
            topic: "noun".into(),
            read: move || {
                let (etag, text) = noun.lock().unwrap().clone();
                async move {
                    if etag.is_empty() {
                        return Err(Fault::new(Reason::RunNotFound, "runner", "no such noun"));
                    }
                    Ok((etag, message(text)))
                }
            },
            beat: |_| message("beat"),
        };
        watch(&self.0.house(), subject).await.map(Response::new).map_err(status)
    }

    async fn test_model_endpoint(
        &self,
        _: Request<TestModelEndpointRequest>,
    ) -> Result<Response<TestModelEndpointResponse>, Status> {
        unused()
    }

    async fn check_flow(&self, _: Request<CheckFlowRequest>) -> Result<Response<CheckFlowResponse>, Status> {
        unused()
    }
}

/// A mesh with the fakes in it.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) mesh: Mesh,
    pub(crate) fake: Arc<Fake>,
    pub(crate) log: Arc<ListLog>,
}

/// A mesh of these parts, none of them served yet.
pub(crate) fn mesh(dir: &tempfile::TempDir, clock: &Arc<HandClock>, keyring: &Arc<Keyring>) -> Mesh {
    let surroundings = Surroundings {
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(MachineRandom::default()),
        keyring: Arc::clone(keyring),
        data_dir: dir.path().to_path_buf(),
        poll: Duration::from_millis(5),
    };
    Mesh::new(surroundings, PartName::ALL, &BTreeMap::new()).unwrap()
}

pub(crate) fn clock() -> Arc<HandClock> {
    Arc::new(HandClock(AtomicI64::new(1_700_000_000_000_000)))
}

pub(crate) fn keyring() -> Arc<Keyring> {
    Arc::new(Keyring::generate(&MachineRandom::default()))
}

impl Bench {
    pub(crate) fn new() -> Self {
        let (dir, clock, keyring) = (tempfile::tempdir().unwrap(), clock(), keyring());
        let mut mesh = mesh(&dir, &clock, &keyring);
        let fake = Arc::new(Fake {
            house: Mutex::new(Some(mesh.house(PartName::Runner).unwrap())),
            calls: AtomicUsize::new(0),
            entered: Notify::new(),
            gate: Notify::new(),
            done: AtomicBool::new(false),
            noun: Arc::new(Mutex::new(("v1".into(), "one".into()))),
            bell: broadcast::channel(16).0,
        });
        let log = Arc::new(ListLog::default());
        let routes = Routes::new(CatalogServiceServer::new(Part(Arc::clone(&fake))));
        let mounted = Mounted { log: Some(Arc::clone(&log) as Arc<dyn Log>), ..Mounted::new(routes) };
        mesh.serve(&mesh.house(PartName::Catalog).unwrap(), mounted).unwrap();
        let routes = Routes::new(RunnerServiceServer::new(Part(Arc::clone(&fake))));
        mesh.serve(&mesh.house(PartName::Runner).unwrap(), Mounted::new(routes)).unwrap();
        Self { dir, clock, keyring, mesh, fake, log }
    }

    pub(crate) fn house(&self, part: PartName) -> House {
        self.mesh.house(part).unwrap()
    }

    /// The catalog, called through the client stack.
    pub(crate) fn catalog(&self, part: PartName) -> CatalogServiceClient<souk_kit::dial::PartChannel> {
        let house = self.house(part);
        CatalogServiceClient::new(house.dial().to(PartName::Catalog, house.acting_for_platform()))
    }

    /// The catalog, called without a client stack.
    pub(crate) fn bare(&self) -> CatalogServiceClient<Channel> {
        CatalogServiceClient::new(self.house(PartName::Runs).dial().raw(PartName::Catalog).unwrap())
    }

    /// A token that `part` signs.
    pub(crate) fn token(&self, part: PartName, caller: &Caller, audience: &str) -> String {
        let tokens = Tokens::new(part, Arc::clone(&self.keyring), Arc::clone(&self.clock) as Arc<dyn Clock>);
        tokens.sign(caller, audience, self.clock.now() + LIFETIME).unwrap()
    }

    /// A token by which `part` speaks of itself.
    pub(crate) fn own_token(&self, part: PartName, audience: &str) -> String {
        self.token(part, &Caller::Part { part, org: None }, audience)
    }
}

/// A request that shows a token.
pub(crate) fn shown<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

pub(crate) fn offering(how: &str) -> GetOfferingRequest {
    GetOfferingRequest { offering_id: how.into() }
}

/// The code and the reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    (status.code(), Refusal::read("test", &status).reason)
}

/// What a refusal is expected to be.
pub(crate) fn because(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

/// A channel that tells; for sinks.
pub(crate) type Told = mpsc::UnboundedSender<(i64, souk_types::Event)>;
