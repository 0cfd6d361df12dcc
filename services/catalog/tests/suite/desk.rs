//! What a test works with: a catalogue in a mesh, its peers, its callers, its objects.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use souk_catalog::{Config, MIGRATIONS};
use souk_db::Db;
use souk_kit::{Mesh, Mounted, Refusal, Surroundings, clock::MachineRandom, keyring::Keyring};
use souk_objects::Objects;
use souk_proto::souk::{
    billing::v1::billing_service_server::BillingServiceServer,
    catalog::v1::{self as pb, catalog_service_client::CatalogServiceClient},
    runner::v1::runner_service_server::RunnerServiceServer,
};
use souk_testkit::{Database, databases};
use souk_types::{
    Caller, Membership, OrgId, PartName, PlatformRole, Role, UserId, Violation, event::Log as _,
};
use tonic::{
    Request, Status,
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_types::StatusExt as _;

use super::{
    billing::{self, FakeBilling},
    runner::{self, FakeRunner},
};

/// A catalogue at work.
pub(crate) struct Desk {
    pub(crate) db: Database,
    pub(crate) runner: Arc<FakeRunner>,
    pub(crate) billing: Arc<FakeBilling>,
    pub(crate) objects: Objects,
    dir: tempfile::TempDir,
    mesh: Mesh,
}

/// Speaks as somebody.
#[derive(Clone)]
pub(crate) struct Speaker(String);

impl Interceptor for Speaker {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

pub(crate) type Client = CatalogServiceClient<InterceptedService<Channel, Speaker>>;

/// A desk on each engine.
pub(crate) async fn desks() -> Vec<Desk> {
    let mut desks = Vec::new();
    for db in databases("catalog", MIGRATIONS).await {
        desks.push(Desk::of(db).await);
    }
    desks
}

impl Desk {
    async fn of(db: Database) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let objects = Objects::open_dir(&dir.path().join("objects")).await.unwrap();
        let (runner, billing) = (Arc::default(), Arc::default());
        let mesh = serve(&db, (*db).clone(), &objects, (&runner, &billing));
        Self { db, runner, billing, objects, dir, mesh }
    }

    /// The same database and objects under another process.
    pub(crate) async fn restarted(self) -> Self {
        let Self { db, runner, billing, objects, dir, mesh } = self;
        assert!(mesh.drain().await, "everything ends");
        let mesh = serve(&db, db.again().await.unwrap(), &objects, (&runner, &billing));
        Self { db, runner, billing, objects, dir, mesh }
    }

    /// Somebody's client.
    pub(crate) fn client(&self, caller: &Caller) -> Client {
        let part = if let Caller::Part { part, .. } = caller { *part } else { PartName::Gateway };
        let house = self.mesh.house(part).unwrap();
        let end = house.now() + Duration::from_secs(60);
        let token = house.tokens().sign(caller, "catalog", end).unwrap();
        let channel = house.dial().raw(PartName::Catalog).unwrap();
        CatalogServiceClient::with_interceptor(channel, Speaker(token))
    }

    pub(crate) fn operator(&self) -> Client {
        self.client(&person(Some(PlatformRole::Operator)))
    }

    pub(crate) fn anybody(&self) -> Client {
        self.client(&Caller::Anonymous)
    }

    pub(crate) fn part(&self, part: PartName) -> Client {
        self.client(&Caller::Part { part, org: None })
    }

    /// Makes an offering and answers its id.
    pub(crate) async fn offering(&self, slug: &str) -> String {
        let made = self.operator().create_offering(create(slug)).await.unwrap();
        made.into_inner().offering.unwrap().offering_id
    }

    /// Publishes and answers the version.
    pub(crate) async fn publish(&self, ask: pb::PublishOfferingVersionRequest) -> pb::OfferingVersion {
        self.try_publish(ask).await.unwrap()
    }

    pub(crate) async fn try_publish(
        &self,
        ask: pb::PublishOfferingVersionRequest,
    ) -> Result<pb::OfferingVersion, Refusal> {
        let answer = self.operator().publish_offering_version(ask).await;
        answer.map(|answer| answer.into_inner().offering_version.unwrap()).map_err(|status| refusal(&status))
    }

    /// A version as another part reads it.
    pub(crate) async fn version(&self, id: &str) -> pb::OfferingVersion {
        let ask = pb::GetOfferingVersionRequest { offering_version_id: id.into() };
        let answer = self.part(PartName::Instances).get_offering_version(ask).await.unwrap();
        answer.into_inner().offering_version.unwrap()
    }

    /// The payloads of the events of a kind, in order.
    pub(crate) async fn events(&self, kind: &str) -> Vec<serde_json::Value> {
        while self.db.outbox().number_turn().await.unwrap() > 0 {}
        let all = self.db.outbox().after(0, 1000).await.unwrap();
        let kind = match kind {
            "RequestAnswered" => souk_db::audit::KIND.to_owned(),
            kind => format!("souk.catalog.v1.{kind}"),
        };
        all.into_iter().filter(|(_, event)| event.kind == kind).map(|(_, event)| event.payload).collect()
    }

    /// A number from the tables.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut texts = self.texts(sql).await;
        texts.remove(0).parse().unwrap()
    }

    /// The first column of a query, as texts.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        use sea_orm::{ConnectionTrait as _, Statement};
        let statement = Statement::from_string(self.db.backend(), sql);
        let rows = self.db.read().query_all_raw(statement).await.unwrap();
        let text = |row: &sea_orm::QueryResult| {
            row.try_get_by_index::<String>(0)
                .unwrap_or_else(|_| row.try_get_by_index::<i64>(0).unwrap().to_string())
        };
        rows.iter().map(text).collect()
    }

    /// Every file of the object store.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.dir.path().join("objects")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

fn serve(
    db: &Database,
    handle: Db,
    objects: &Objects,
    (runner, billing): (&Arc<FakeRunner>, &Arc<FakeBilling>),
) -> Mesh {
    let surroundings = Surroundings {
        clock: db.clock.clone(),
        random: db.random.clone(),
        keyring: Arc::new(Keyring::generate(&MachineRandom::default())),
        data_dir: PathBuf::new(),
        poll: Duration::from_millis(50),
    };
    let mut mesh = Mesh::new(surroundings, PartName::ALL, &BTreeMap::new()).unwrap();
    let house = mesh.house(PartName::Catalog).unwrap();
    let built = souk_catalog::build(&house, &Config::default(), handle, objects.clone()).unwrap();
    mesh.serve(&house, built).unwrap();
    let house = mesh.house(PartName::Runner).unwrap();
    let routes = Routes::new(RunnerServiceServer::new(runner::Shared(Arc::clone(runner))));
    mesh.serve(&house, Mounted::new(routes)).unwrap();
    let house = mesh.house(PartName::Billing).unwrap();
    let routes = Routes::new(BillingServiceServer::new(billing::Shared(Arc::clone(billing))));
    mesh.serve(&house, Mounted::new(routes)).unwrap();
    mesh
}

/// A person: admin of an org, and perhaps of the platform.
pub(crate) fn person(platform: Option<PlatformRole>) -> Caller {
    let membership = Membership { org_id: OrgId::from_bits(1), role: Role::Admin, projects: Vec::new() };
    Caller::User { user_id: UserId::from_bits(7), memberships: vec![membership], platform }
}

pub(crate) fn create(slug: &str) -> pb::CreateOfferingRequest {
    pb::CreateOfferingRequest {
        request_id: format!("create {slug}"),
        slug: slug.into(),
        display_name: format!("The {slug}"),
        description: "Does what it says.".into(),
        category: "support".into(),
        value_stream: "serve".into(),
    }
}

pub(crate) fn plan(slug: &str, self_service: bool) -> pb::Plan {
    pb::Plan { slug: slug.into(), display_name: slug.into(), self_service, ..pb::Plan::default() }
}

/// Asks to publish something proper; `flow` makes contents differ.
pub(crate) fn publish(offering_id: &str, request_id: &str, flow: &str) -> pb::PublishOfferingVersionRequest {
    let quantity = |dimension: &str, quantity| pb::Quantity { dimension: dimension.into(), quantity };
    let price =
        |dimension: &str, amount_micros, per| pb::Price { dimension: dimension.into(), amount_micros, per };
    pb::PublishOfferingVersionRequest {
        offering_id: offering_id.into(),
        request_id: request_id.into(),
        flow_json: format!("{{\"data\":\"{flow}\"}}").into(),
        capabilities: vec!["rag".into(), "chat".into()],
        connectors: vec!["slack".into()],
        config_json: r#"{"rag":{"top_k":3,"citations":false}}"#.into(),
        plans: vec![plan("free", true), plan("pro", false)],
        default_plan_slug: "free".into(),
        price_schedule: Some(pb::PriceSchedule {
            price_schedule_hash: String::new(),
            prices: vec![price("runs", 1_000_000, 0), price("input_tokens", 2, 1000)],
            default_estimate: vec![quantity("runs", 1)],
        }),
    }
}

pub(crate) fn refusal(status: &Status) -> Refusal {
    Refusal::read("catalog", status)
}

/// What a refusal says of the request's fields.
pub(crate) fn violations(status: &Status) -> Vec<Violation> {
    let details = status.get_details_bad_request().map(|bad| bad.field_violations);
    details.unwrap_or_default().into_iter().map(|said| Violation::new(said.field, said.description)).collect()
}

/// The fields of the violations.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    violations(status).into_iter().map(|violation| violation.field).collect()
}
