//! A mesh with commerce in it and fakes around it, a shop that delivers, and people who ask.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, Statement};
use souk_commerce::{Config, MIGRATIONS};
use souk_db::Db;
use souk_kit::{
    Mesh, Mounted, Refusal, Surroundings, clock::MachineRandom, keyring::Keyring, token::LIFETIME,
};
use souk_proto::souk::{
    billing::v1::billing_service_server::BillingServiceServer,
    catalog::v1::catalog_service_server::CatalogServiceServer,
    commerce::v1::{
        self as pb, Order, OrderLine, Shop, commerce_service_client::CommerceServiceClient, order_line::State,
    },
    instances::v1::instances_service_server::InstancesServiceServer,
    tenancy::v1::tenancy_service_server::TenancyServiceServer,
};
use souk_testkit::{Database, databases};
use souk_types::{
    Caller, Clock as _, Membership, OrgId, PartName, PlatformRole, ProjectId, Role, UserId, event::Log as _,
};
use tonic::{
    Request, Status,
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::Channel,
};
use tower::ServiceExt as _;

use crate::{
    capture::{self, Delivery},
    fakes::Fakes,
    signer::Signer,
};

/// The API URL of the shop that was recorded.
pub(crate) const RECORDED: &str = "http://localhost:58000/graphql/";
/// The id that it gave souk's app.
pub(crate) const APP: &str = "QXBwOjM=";
/// The path that shops deliver to.
pub(crate) const PATH: &str = "/integrations/saleor/order-paid";

/// Nothing here takes so long; a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(120);

/// What outlives a process.
pub(crate) struct Town {
    pub(crate) database: Database,
    pub(crate) fakes: Fakes,
    mesh: Mesh,
}

/// Sends a mesh token along.
#[derive(Clone)]
pub(crate) struct Bearer(String);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

pub(crate) type Client = CommerceServiceClient<InterceptedService<Channel, Bearer>>;

/// A town on each engine.
pub(crate) async fn towns() -> Vec<Town> {
    let mut towns = Vec::new();
    for database in databases("commerce", MIGRATIONS).await {
        let fakes = Fakes::default();
        let mesh = serve(&database, (*database).clone(), &fakes);
        towns.push(Town { database, fakes, mesh });
    }
    towns
}

fn serve(database: &Database, db: Db, fakes: &Fakes) -> Mesh {
    let surroundings = Surroundings {
        clock: database.clock.clone(),
        random: Arc::new(MachineRandom::default()),
        keyring: Arc::new(Keyring::generate(&MachineRandom::default())),
        data_dir: PathBuf::new(),
        poll: Duration::from_millis(10),
    };
    let mut mesh = Mesh::new(surroundings, PartName::ALL, &BTreeMap::new()).unwrap();
    let config = Config { poll_millis: 5, ..Config::default() };
    let house = mesh.house(PartName::Commerce).unwrap();
    let mounted = souk_commerce::build(&house, &config, db).unwrap();
    mesh.serve(&house, mounted).unwrap();
    for (part, routes) in [
        (PartName::Catalog, Routes::new(CatalogServiceServer::new(fakes.clone()))),
        (PartName::Tenancy, Routes::new(TenancyServiceServer::new(fakes.clone()))),
        (PartName::Billing, Routes::new(BillingServiceServer::new(fakes.clone()))),
        (PartName::Instances, Routes::new(InstancesServiceServer::new(fakes.clone()))),
    ] {
        let house = mesh.house(part).unwrap();
        mesh.serve(&house, Mounted::new(routes)).unwrap();
    }
    mesh
}

impl Town {
    /// The same database under another process.
    pub(crate) async fn restarted(self) -> Self {
        let Self { database, fakes, mesh } = self;
        assert!(mesh.drain().await, "everything ends in time");
        let mesh = serve(&database, database.again().await.unwrap(), &fakes);
        Self { database, fakes, mesh }
    }

    pub(crate) async fn end(self) {
        assert!(self.mesh.drain().await, "everything ends in time");
    }

    pub(crate) fn calls(&self, caller: &Caller) -> Client {
        let part = if let Caller::Part { part, .. } = caller { *part } else { PartName::Gateway };
        let house = self.mesh.house(part).unwrap();
        let token = house.tokens().sign(caller, "commerce", self.database.clock.now() + LIFETIME).unwrap();
        let channel = house.dial().raw(PartName::Commerce).unwrap();
        CommerceServiceClient::with_interceptor(channel, Bearer(token))
    }

    pub(crate) fn operator(&self) -> Client {
        let platform = Some(PlatformRole::Operator);
        self.calls(&Caller::User { user_id: UserId::from_bits(8), memberships: Vec::new(), platform })
    }

    pub(crate) fn org_admin(&self) -> Client {
        let membership = Membership {
            org_id: OrgId::from_bits(1),
            role: Role::Admin,
            projects: vec![ProjectId::from_bits(1)],
        };
        let memberships = vec![membership];
        self.calls(&Caller::User { user_id: UserId::from_bits(9), memberships, platform: None })
    }

    pub(crate) fn part(&self, part: PartName) -> Client {
        self.calls(&Caller::Part { part, org: None })
    }

    /// Adds a shop.
    pub(crate) async fn shop(&self, ask: pb::AddShopRequest) -> Shop {
        self.operator().add_shop(ask).await.unwrap().into_inner().shop.unwrap()
    }

    /// Adds the shop that was recorded.
    pub(crate) async fn recorded_shop(&self, fallback: Option<u128>) -> Shop {
        let jwks = String::from_utf8(capture::vector("jwks-a.json")).unwrap();
        let fallback = fallback.map(|bits| ProjectId::from_bits(bits).to_string()).unwrap_or_default();
        self.shop(shop(RECORDED, &jwks, &fallback)).await
    }

    /// Adds a shop with a key of its own.
    pub(crate) async fn signing_shop(&self, signer: &Signer, fallback: Option<u128>) -> Shop {
        let fallback = fallback.map(|bits| ProjectId::from_bits(bits).to_string()).unwrap_or_default();
        self.shop(shop(RECORDED, &signer.jwks(), &fallback)).await
    }

    /// Links a buyer; answers how many lines are tried again.
    pub(crate) async fn link(&self, shop: &Shop, kind: pb::BuyerLinkKind, value: &str, project: u128) -> i32 {
        let ask = pb::LinkBuyerRequest {
            request_id: format!("link-{kind:?}-{value}"),
            shop_id: shop.shop_id.clone(),
            kind: kind.into(),
            value: value.to_owned(),
            project_id: ProjectId::from_bits(project).to_string(),
        };
        self.operator().link_buyer(ask).await.unwrap().into_inner().retried_line_count
    }

    /// Posts to commerce's own door; answers the status and what was said.
    pub(crate) async fn post(&self, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String) {
        use http_body_util::{BodyExt as _, Full};
        let channel = self.mesh.house(PartName::Gateway).unwrap().dial().raw(PartName::Commerce).unwrap();
        let mut request = http::Request::post(format!("http://souk{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = tonic::body::Body::new(Full::new(bytes::Bytes::from(body)));
        let answer = channel.oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let said = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(said.to_vec()).unwrap())
    }

    /// Posts a recorded delivery as it was recorded.
    pub(crate) async fn deliver(&self, delivery: &Delivery) -> (u16, String) {
        let headers = ["Saleor-Event", "Saleor-Api-Url", "Saleor-Signature", "Content-Type"];
        let headers = headers.map(|name| (name, delivery.header(name)));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.post(PATH, &headers, delivery.body.clone().into_bytes()).await
    }

    /// Signs an order event and posts it.
    pub(crate) async fn send(&self, signer: &Signer, body: &serde_json::Value) -> (u16, String) {
        let body = body.to_string().into_bytes();
        let signature = signer.sign(&body);
        let headers =
            [("Saleor-Event", "order_paid"), ("Saleor-Api-Url", RECORDED), ("Saleor-Signature", &signature)];
        self.post(PATH, &headers, body).await
    }

    /// Every order, newest first.
    pub(crate) async fn orders(&self) -> Vec<Order> {
        self.operator().list_orders(pb::ListOrdersRequest::default()).await.unwrap().into_inner().orders
    }

    /// The only line of the only order.
    pub(crate) async fn line(&self) -> OrderLine {
        let mut orders = self.orders().await;
        assert_eq!(orders.len(), 1, "{orders:?}");
        let mut lines = orders.remove(0).lines;
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    /// Waits until it holds. The clock moves on while it does not.
    pub(crate) async fn until<T>(&self, wanted: impl AsyncFn() -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = wanted().await {
                    return found;
                }
                // What is waited for may need this thread.
                tokio::task::yield_now().await;
                self.database.clock.advance(Duration::from_millis(100));
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("it never came to be")
    }

    /// Waits until nothing is on its way any more.
    pub(crate) async fn quiet(&self) {
        self.until(async || {
            // One statement, so that work which moves on is seen where it was or where it is.
            let busy = self
                .number(
                    "SELECT (SELECT COUNT(*) FROM inbox WHERE state = 'RECEIVED')
                        + (SELECT COUNT(*) FROM order_line WHERE state = 'WORKING')
                        + (SELECT COUNT(*) FROM shop_order WHERE judge_time IS NOT NULL)",
                )
                .await;
            (busy == 0).then_some(())
        })
        .await;
    }

    /// Waits until the only line stands so.
    pub(crate) async fn until_line(&self, state: State) -> OrderLine {
        self.until(async || {
            let orders = self.orders().await;
            let line = orders.first()?.lines.first()?.clone();
            (line.state() == state).then_some(line)
        })
        .await
    }

    /// A number from the tables.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let statement = Statement::from_string(self.database.backend(), sql);
        let row = self.database.read().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// A text from the tables.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let statement = Statement::from_string(self.database.backend(), sql);
        let row = self.database.read().query_one_raw(statement).await.unwrap().unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// How many events of a kind were published.
    pub(crate) async fn events(&self, kind: &str) -> usize {
        while self.database.outbox().number_turn().await.unwrap() > 0 {}
        let all = self.database.outbox().after(0, 10_000).await.unwrap();
        let kind = format!("souk.commerce.v1.{kind}");
        all.iter().filter(|(_, event)| event.kind == kind).count()
    }
}

pub(crate) fn shop(api_url: &str, jwks: &str, fallback: &str) -> pb::AddShopRequest {
    pb::AddShopRequest {
        request_id: format!("add-{api_url}"),
        api_url: api_url.to_owned(),
        jwks_json: jwks.to_owned(),
        app_id: APP.to_owned(),
        fallback_project_id: fallback.to_owned(),
    }
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(outcome: Result<T, Status>) -> String {
    Refusal::read("commerce", &outcome.expect_err("a refusal")).reason
}
