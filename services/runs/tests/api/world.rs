//! A mesh of the part under test and its three peers, and clients of several callers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use souk_db::Db;
use souk_kit::{Mesh, Mounted, Refusal, Surroundings, keyring::Keyring};
use souk_proto::souk::{
    billing::v1::billing_service_server::BillingServiceServer,
    instances::v1::instances_service_server::InstancesServiceServer,
    runner::v1::runner_service_server::RunnerServiceServer,
    runs::v1::{CreateRunRequest, GetRunRequest, Run, runs_service_client::RunsServiceClient},
};
use souk_testkit::Database;
use souk_types::{
    Caller, Clock as _, InstanceId, Membership, OrgId, PartName, ProjectId, Role, UserId,
    access::PlatformRole,
};
use tonic::{
    Request, Status,
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{bank::Bank, engine::Engine, shelf::Shelf};

pub(crate) const ORG: OrgId = OrgId::from_bits(1);
pub(crate) const PROJECT: ProjectId = ProjectId::from_bits(2);
pub(crate) const INSTANCE: InstanceId = InstanceId::from_bits(3);
/// How long a test waits for what must come; long, since the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// What outlives a process: the database and the peers.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) bank: Arc<Bank>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) config: souk_runs::Config,
    keyring: Arc<Keyring>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = souk_testkit::database::sqlite("runs", souk_runs::MIGRATIONS).await;
        let keyring = Arc::new(Keyring::generate(database.random.as_ref()));
        let (bank, engine) = (Arc::new(Bank::new(&database.clock)), Arc::new(Engine::default()));
        let config = souk_runs::Config { ready_wait_ms: 1500, start_seconds: 1, ..Default::default() };
        Self { database, bank, shelf: Arc::new(Shelf::default()), engine, config, keyring }
    }

    /// One boot of the process.
    pub(crate) async fn boot(&self) -> Boot {
        self.boot_without(&[]).await
    }

    /// One boot of the process, in which some parts never answer.
    pub(crate) async fn boot_without(&self, away: &[PartName]) -> Boot {
        let db = self.database.again().await.unwrap();
        let surroundings = Surroundings {
            clock: self.database.clock.clone(),
            random: self.database.random.clone(),
            keyring: Arc::clone(&self.keyring),
            data_dir: std::env::temp_dir(),
            poll: Duration::from_millis(20),
        };
        let all =
            [PartName::Gateway, PartName::Runs, PartName::Billing, PartName::Instances, PartName::Runner];
        let here: Vec<_> = all.into_iter().filter(|part| !away.contains(part)).collect();
        let mut mesh = Mesh::new(surroundings, &here, &BTreeMap::new()).unwrap();
        let routes = [
            (PartName::Billing, Routes::new(BillingServiceServer::from_arc(Arc::clone(&self.bank)))),
            (PartName::Instances, Routes::new(InstancesServiceServer::from_arc(Arc::clone(&self.shelf)))),
            (PartName::Runner, Routes::new(RunnerServiceServer::from_arc(Arc::clone(&self.engine)))),
        ];
        for (part, routes) in routes {
            if !away.contains(&part) {
                mesh.serve(&mesh.house(part).unwrap(), Mounted::new(routes)).unwrap();
            }
        }
        let house = mesh.house(PartName::Runs).unwrap();
        let mounted = souk_runs::build(&house, &self.config, db.clone()).unwrap();
        mesh.serve(&house, mounted).unwrap();
        Boot { mesh, db, clock: self.database.clock.clone() }
    }
}

/// A running process.
pub(crate) struct Boot {
    pub(crate) mesh: Mesh,
    pub(crate) db: Db,
    clock: Arc<souk_testkit::StoppedClock>,
}

/// Shows a mesh token.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let value = format!("Bearer {}", self.0).parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}

pub(crate) type Client = RunsServiceClient<InterceptedService<Channel, Token>>;

impl Boot {
    fn client(&self, caller: &Caller) -> Client {
        let house = self.mesh.house(PartName::Gateway).unwrap();
        let end = self.clock.now() + Duration::from_secs(60);
        let token = house.tokens().sign(caller, PartName::Runs.as_str(), end).unwrap();
        RunsServiceClient::with_interceptor(house.dial().raw(PartName::Runs).unwrap(), Token(token))
    }

    /// A person with a role in an org.
    pub(crate) fn person(&self, org_id: OrgId, role: Role) -> Client {
        let memberships = vec![Membership { org_id, role, projects: vec![PROJECT] }];
        self.client(&Caller::User { user_id: UserId::from_bits(5), memberships, platform: None })
    }

    pub(crate) fn member(&self) -> Client {
        self.person(ORG, Role::Member)
    }

    pub(crate) fn operator(&self) -> Client {
        let platform = Some(PlatformRole::Operator);
        self.client(&Caller::User { user_id: UserId::from_bits(6), memberships: Vec::new(), platform })
    }
}

pub(crate) fn ask(request_id: &str, input: &str) -> CreateRunRequest {
    CreateRunRequest {
        instance_id: INSTANCE.to_string(),
        request_id: request_id.to_owned(),
        input: input.to_owned(),
        session_id: String::new(),
    }
}

/// Runs once; the run or what was refused.
pub(crate) async fn run(client: &Client, request_id: &str) -> Result<Run, Refusal> {
    send(client, ask(request_id, "hello")).await
}

pub(crate) async fn send(client: &Client, ask: CreateRunRequest) -> Result<Run, Refusal> {
    let answer = client.clone().create_run(ask).await;
    answer.map(|answer| answer.into_inner().run.unwrap()).map_err(|status| Refusal::read("runs", &status))
}

pub(crate) async fn get(client: &Client, run_id: &str) -> Result<Run, Refusal> {
    let answer = client.clone().get_run(GetRunRequest { run_id: run_id.to_owned() }).await;
    answer.map(|answer| answer.into_inner().run.unwrap()).map_err(|status| Refusal::read("runs", &status))
}

/// Waits for what must come.
pub(crate) async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("{what} never came"))
}
