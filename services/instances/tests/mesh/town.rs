//! A mesh with instances in it and fakes around it, and people who call.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use souk_db::Db;
use souk_instances::Config;
use souk_kit::{
    House, Mesh, Mounted, Refusal, Surroundings, clock::MachineRandom, dial::PartChannel, keyring::Keyring,
    token::LIFETIME,
};
use souk_proto::souk::{
    billing::v1::billing_service_server::BillingServiceServer,
    catalog::v1::catalog_service_server::CatalogServiceServer,
    delivery::v1::delivery_service_server::DeliveryServiceServer,
    instances::v1::{
        AutoActivateRequest, AutoActivateResponse, CreateInstanceRequest, GetInstanceRequest, Instance,
        State, WatchInstanceRequest, WatchInstanceResponse, instances_service_client::InstancesServiceClient,
    },
    tenancy::v1::tenancy_service_server::TenancyServiceServer,
};
use souk_testkit::{Database, StoppedClock};
use souk_types::{
    Acting, Caller, Clock as _, InstanceId, Membership, OfferingVersionId, OrgId, PartName, PlanId,
    PlatformRole, ProjectId, Role, Trace, UserId, event::Log,
};
use tonic::{
    Request, Status, Streaming,
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::Channel,
};

use crate::fakes::{Billing, Catalog, Delivery, Fakes, Tenancy};

pub(crate) const ORG: OrgId = OrgId::from_bits(1);
pub(crate) const PROJECT: ProjectId = ProjectId::from_bits(11);
pub(crate) const SECOND: ProjectId = ProjectId::from_bits(12);
pub(crate) const FOREIGN_ORG: OrgId = OrgId::from_bits(2);
pub(crate) const FOREIGN_PROJECT: ProjectId = ProjectId::from_bits(21);

/// Nothing here takes so long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Town {
    mesh: Mesh,
    gateway: House,
    commerce: House,
    pub(crate) clock: Arc<StoppedClock>,
    pub(crate) fakes: Arc<Fakes>,
}

/// Sends a mesh token along.
#[derive(Clone)]
pub(crate) struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.parse().unwrap());
        Ok(request)
    }
}

pub(crate) type Person = InstancesServiceClient<InterceptedService<Channel, Bearer>>;

impl Town {
    pub(crate) fn new(database: &Database, fakes: &Arc<Fakes>) -> Self {
        Self::on((**database).clone(), Arc::clone(&database.clock), fakes)
    }

    /// A town on a database that may have been another's before.
    pub(crate) fn on(db: Db, clock: Arc<StoppedClock>, fakes: &Arc<Fakes>) -> Self {
        let surroundings = Surroundings {
            clock: clock.clone(),
            random: Arc::new(MachineRandom::default()),
            keyring: Arc::new(Keyring::generate(&MachineRandom::default())),
            data_dir: PathBuf::new(),
            poll: Duration::from_millis(10),
        };
        let mut mesh = Mesh::new(surroundings, PartName::ALL, &BTreeMap::new()).unwrap();
        let config = Config { commit_wait_millis: 300, look_millis: 10, ..Config::default() };
        let house = mesh.house(PartName::Instances).unwrap();
        let mounted = souk_instances::build(&house, &config, db).unwrap();
        mesh.serve(&house, mounted).unwrap();
        let log = |log: &Arc<crate::fakes::FakeLog>| -> Option<Arc<dyn Log>> { Some(log.clone()) };
        for (part, routes, log) in [
            (
                PartName::Catalog,
                Routes::new(CatalogServiceServer::new(Catalog(Arc::clone(fakes)))),
                log(&fakes.catalog_log),
            ),
            (PartName::Tenancy, Routes::new(TenancyServiceServer::new(Tenancy(Arc::clone(fakes)))), None),
            (
                PartName::Billing,
                Routes::new(BillingServiceServer::new(Billing(Arc::clone(fakes)))),
                log(&fakes.billing_log),
            ),
            (
                PartName::Delivery,
                Routes::new(DeliveryServiceServer::new(Delivery(Arc::clone(fakes)))),
                log(&fakes.delivery_log),
            ),
        ] {
            let house = mesh.house(part).unwrap();
            let mut mounted = Mounted::new(routes);
            mounted.log = log;
            mesh.serve(&house, mounted).unwrap();
        }
        let (gateway, commerce) =
            (mesh.house(PartName::Gateway).unwrap(), mesh.house(PartName::Commerce).unwrap());
        Self { mesh, gateway, commerce, clock, fakes: Arc::clone(fakes) }
    }

    pub(crate) fn calls(&self, caller: &Caller) -> Person {
        let token = self.gateway.tokens().sign(caller, "instances", self.clock.now() + LIFETIME).unwrap();
        let channel = self.gateway.dial().raw(PartName::Instances).unwrap();
        InstancesServiceClient::with_interceptor(channel, Bearer(format!("Bearer {token}")))
    }

    pub(crate) fn member(&self) -> Person {
        self.calls(&person(Role::Member, ORG, &[PROJECT]))
    }

    pub(crate) fn admin(&self) -> Person {
        self.calls(&person(Role::Admin, ORG, &[PROJECT]))
    }

    pub(crate) fn commerce(&self, org: OrgId) -> InstancesServiceClient<PartChannel> {
        let acting = Acting { org: Some(org), trace: Trace::default() };
        InstancesServiceClient::new(self.commerce.dial().to(PartName::Instances, acting))
    }

    pub(crate) async fn activate(&self, request_id: &str) -> AutoActivateResponse {
        let asked = self.member().auto_activate(activate(request_id, crate::fakes::VERSION)).await;
        asked.unwrap().into_inner()
    }

    pub(crate) async fn get(&self, id: &str) -> Instance {
        let request = GetInstanceRequest { instance_id: id.to_owned() };
        self.admin().get_instance(request).await.unwrap().into_inner().instance.unwrap()
    }

    pub(crate) async fn watch(&self, id: &str) -> Streaming<WatchInstanceResponse> {
        let request = WatchInstanceRequest { instance_id: id.to_owned() };
        let operator = operator();
        self.calls(&operator).watch_instance(request).await.unwrap().into_inner()
    }

    /// Watches an instance until it is as wanted. The clock moves on while it is not, by `step` a look.
    pub(crate) async fn until(
        &self,
        id: &str,
        step: Duration,
        wanted: impl Fn(&Instance) -> bool,
    ) -> Instance {
        let found = async {
            loop {
                let instance = self.get_as_operator(id).await;
                if wanted(&instance) {
                    return instance;
                }
                self.clock.advance(step);
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it never came to be")
    }

    /// As `get`, where a dying process may refuse.
    pub(crate) async fn get_or(&self, id: &str) -> Result<Instance, Status> {
        let request = GetInstanceRequest { instance_id: id.to_owned() };
        let answer = self.admin().get_instance(request).await?.into_inner();
        Ok(answer.instance.unwrap())
    }

    async fn get_as_operator(&self, id: &str) -> Instance {
        let request = GetInstanceRequest { instance_id: id.to_owned() };
        self.calls(&operator()).get_instance(request).await.unwrap().into_inner().instance.unwrap()
    }

    pub(crate) async fn until_state(&self, id: &str, state: State) -> Instance {
        self.until(id, Duration::from_millis(100), |instance| instance.state() == state).await
    }

    pub(crate) async fn end(self) {
        assert!(self.mesh.drain().await, "everything ends in time");
    }
}

/// The next message of a watch that holds an instance as wanted.
pub(crate) async fn seen(
    stream: &mut Streaming<WatchInstanceResponse>,
    wanted: impl Fn(&Instance) -> bool,
) -> Instance {
    let found = async {
        loop {
            let message = stream.message().await.unwrap().expect("the watch goes on");
            if let Some(instance) = message.instance
                && wanted(&instance)
            {
                return instance;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it was never seen")
}

pub(crate) fn person(role: Role, org_id: OrgId, projects: &[ProjectId]) -> Caller {
    let memberships = vec![Membership { org_id, role, projects: projects.to_vec() }];
    Caller::User { user_id: UserId::from_bits(7), memberships, platform: None }
}

pub(crate) fn operator() -> Caller {
    let platform = Some(PlatformRole::Operator);
    Caller::User { user_id: UserId::from_bits(8), memberships: Vec::new(), platform }
}

pub(crate) fn activate(request_id: &str, version: OfferingVersionId) -> AutoActivateRequest {
    AutoActivateRequest {
        request_id: request_id.to_owned(),
        offering_version_id: version.to_string(),
        ..Default::default()
    }
}

pub(crate) fn create(request_id: &str, plan: PlanId) -> CreateInstanceRequest {
    CreateInstanceRequest {
        request_id: request_id.to_owned(),
        offering_version_id: crate::fakes::VERSION.to_string(),
        plan_id: plan.to_string(),
        ..Default::default()
    }
}

/// The reason of a refusal.
pub(crate) fn reason<T>(outcome: Result<T, Status>) -> String {
    Refusal::read("instances", &outcome.err().expect("a refusal")).reason
}

pub(crate) fn id(text: &str) -> InstanceId {
    text.parse().unwrap()
}

/// What a condition says: its status as a name, and its reason.
pub(crate) fn condition(instance: &Instance, kind: &str) -> (String, String) {
    let found = instance.conditions.iter().find(|condition| condition.r#type == kind).unwrap();
    (found.status().as_str_name().to_owned(), found.reason.clone())
}
