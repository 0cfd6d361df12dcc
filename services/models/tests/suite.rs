//! The models service through a real mesh, on every engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait as _, Statement};
use souk_kit::{Mesh, Refusal, Surroundings, clock::MachineRandom, keyring::Keyring};
use souk_models::{Config, MIGRATIONS, build};
use souk_proto::souk::models::v1::{self as pb, models_service_client::ModelsServiceClient};
use souk_secrets::{Path, Sealed, Secrets};
use souk_testkit::{Database, databases};
use souk_types::{Caller, Membership, OrgId, PartName, PlatformRole, Role, UserId, event::Log as _};
use tonic::{
    Code, Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_types::StatusExt as _;

const KEY: &str = "canary-key-0123456789abcdef";

struct Desk {
    db: Database,
    mesh: Mesh,
    secrets: Secrets,
    dir: tempfile::TempDir,
}

#[derive(Clone)]
struct Speaker(String);

impl Interceptor for Speaker {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(request)
    }
}

type Client = ModelsServiceClient<InterceptedService<Channel, Speaker>>;

async fn desks() -> Vec<Desk> {
    let mut desks = Vec::new();
    for db in databases("models", MIGRATIONS).await {
        let dir = tempfile::tempdir().unwrap();
        let random = Arc::new(MachineRandom::default());
        let (sealed, root) = (dir.path().join("secrets"), dir.path().join("secrets.key"));
        let secrets: Secrets = Arc::new(Sealed::open(&sealed, &root, random.clone()).await.unwrap());
        let surroundings = Surroundings {
            clock: db.clock.clone(),
            random: db.random.clone(),
            keyring: Arc::new(Keyring::generate(random.as_ref())),
            data_dir: PathBuf::new(),
            poll: Duration::from_millis(50),
        };
        let mut mesh = Mesh::new(surroundings, PartName::ALL, &BTreeMap::new()).unwrap();
        let house = mesh.house(PartName::Models).unwrap();
        let built = build(&house, &Config::default(), (*db).clone(), Arc::clone(&secrets)).unwrap();
        mesh.serve(&house, built).unwrap();
        desks.push(Desk { db, mesh, secrets, dir });
    }
    desks
}

impl Desk {
    fn client(&self, caller: &Caller) -> Client {
        let part = if let Caller::Part { part, .. } = caller { *part } else { PartName::Gateway };
        let house = self.mesh.house(part).unwrap();
        let end = house.now() + Duration::from_secs(60);
        let token = house.tokens().sign(caller, "models", end).unwrap();
        ModelsServiceClient::with_interceptor(house.dial().raw(PartName::Models).unwrap(), Speaker(token))
    }

    fn operator(&self) -> Client {
        self.client(&person(Some(PlatformRole::Operator)))
    }

    fn part(&self, part: PartName) -> Client {
        self.client(&Caller::Part { part, org: None })
    }

    async fn put(&self, ask: pb::PutModelEndpointRequest) -> Result<pb::ModelEndpoint, Status> {
        let answer = self.operator().put_model_endpoint(ask).await?;
        Ok(answer.into_inner().model_endpoint.unwrap())
    }

    /// Every text of every table.
    async fn rows(&self) -> String {
        let mut all = String::new();
        for (table, columns) in [
            ("endpoint", "name || ' ' || url || ' ' || models || ' ' || default_model"),
            ("leftover", "id || ' ' || name"),
            (
                "request_log",
                "subject || ' ' || rpc || ' ' || request_id || ' ' || digest || ' ' || coalesce(answer, '')",
            ),
            ("outbox", "kind || ' ' || aggregate_id || ' ' || actor || ' ' || payload"),
        ] {
            let statement =
                Statement::from_string(self.db.backend(), format!("SELECT {columns} FROM {table}"));
            for row in self.db.read().query_all_raw(statement).await.unwrap() {
                all.push_str(&format!("{table}: {}\n", row.try_get_by_index::<String>(0).unwrap()));
            }
        }
        all
    }
}

fn person(platform: Option<PlatformRole>) -> Caller {
    let membership = Membership { org_id: OrgId::from_bits(1), role: Role::Admin, projects: Vec::new() };
    Caller::User { user_id: UserId::from_bits(7), memberships: vec![membership], platform }
}

fn put(request_id: &str) -> pb::PutModelEndpointRequest {
    pb::PutModelEndpointRequest {
        name: "OPENAI_API_KEY".into(),
        request_id: request_id.into(),
        url: "https://api.openai.com/v1/".into(),
        api_key: KEY.into(),
        models: vec!["small".into(), "large".into()],
        default_model: "small".into(),
    }
}

fn reason(status: &Status) -> String {
    Refusal::read("models", status).reason
}

#[tokio::test]
async fn an_endpoint_is_put_read_listed_resolved_and_deleted() {
    for desk in desks().await {
        let made = desk.put(put("1")).await.unwrap();
        assert_eq!(
            (made.url.as_str(), made.has_key, made.etag.as_str()),
            ("https://api.openai.com/v1", true, "v1")
        );
        assert_eq!(desk.put(put("1")).await.unwrap(), made);
        let other = pb::PutModelEndpointRequest { name: "LOCAL".into(), api_key: String::new(), ..put("2") };
        let other = pb::PutModelEndpointRequest { url: "http://127.0.0.1:11434/v1".into(), ..other };
        assert!(!desk.put(other).await.unwrap().has_key);
        let page = |page_token: String| pb::ListModelEndpointsRequest { page_size: 1, page_token };
        let first = desk.operator().list_model_endpoints(page(String::new())).await.unwrap().into_inner();
        let rest =
            desk.operator().list_model_endpoints(page(first.next_page_token)).await.unwrap().into_inner();
        let names = first.model_endpoints.iter().chain(&rest.model_endpoints).map(|own| own.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["LOCAL", "OPENAI_API_KEY"]);
        assert_eq!(rest.next_page_token, "");
        let name = || "OPENAI_API_KEY".to_owned();
        let resolve = pb::ResolveModelEndpointRequest { name: name() };
        let resolved = desk.part(PartName::Runner).resolve_model_endpoint(resolve.clone()).await.unwrap();
        let resolved = resolved.into_inner();
        assert_eq!(resolved.secret_path, "kv/data/platform/models/OPENAI_API_KEY");
        let path: Path = resolved.secret_path.parse().unwrap();
        let version = u64::try_from(resolved.secret_version).unwrap();
        assert_eq!(desk.secrets.get(&path, Some(version)).await.unwrap().0.expose(), KEY);
        let local = pb::ResolveModelEndpointRequest { name: "LOCAL".into() };
        let local = desk.part(PartName::Runner).resolve_model_endpoint(local).await.unwrap().into_inner();
        assert_eq!((local.secret_path.as_str(), local.secret_version), ("", 0));
        let delete = pb::DeleteModelEndpointRequest { name: name(), request_id: "3".into() };
        for _ in 0..2 {
            desk.operator().delete_model_endpoint(delete.clone()).await.unwrap();
        }
        assert!(desk.secrets.get(&path, None).await.is_err(), "its key is gone with it");
        let gone = desk.operator().get_model_endpoint(pb::GetModelEndpointRequest { name: name() }).await;
        let gone = gone.unwrap_err();
        assert_eq!(reason(&gone), "MODEL_ENDPOINT_NOT_FOUND");
        assert!(gone.message().contains("souk model add OPENAI_API_KEY"));
        let gone = desk.part(PartName::Runner).resolve_model_endpoint(resolve).await.unwrap_err();
        assert_eq!(reason(&gone), "MODEL_ENDPOINT_NOT_FOUND");
        assert!(desk.mesh.drain().await);
    }
}

#[tokio::test]
async fn the_key_stands_in_the_secret_store_alone() {
    for desk in desks().await {
        let made = desk.put(put("1")).await.unwrap();
        let changed = desk.put(pb::PutModelEndpointRequest { models: vec![], ..put("2") }).await.unwrap();
        let reused = desk.put(pb::PutModelEndpointRequest { api_key: format!("{KEY}2"), ..put("1") }).await;
        let bad = desk.put(pb::PutModelEndpointRequest { api_key: format!("{KEY} x"), ..put("3") }).await;
        let in_url = format!("https://user:{KEY}@a.example/v1?key={KEY}");
        let url = desk.put(pb::PutModelEndpointRequest { url: in_url, ..put("4") }).await;
        while desk.db.outbox().number_turn().await.unwrap() > 0 {}
        let events = desk.db.outbox().after(0, 100).await.unwrap();
        assert!(events.len() >= 2, "{events:?}");
        let rows = desk.rows().await;
        assert!(rows.contains("api.openai.com"), "the rows are seen: {rows}");
        let told = format!("{made:?} {changed:?} {reused:?} {bad:?} {url:?} {events:?} {rows}");
        assert!(!told.contains("canary"), "{told}");
        // Nor a digest that could be made of a guess.
        let plain = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, KEY.as_bytes());
        assert!(!told.contains(&hex::encode(plain)));
        let mut folders = vec![desk.dir.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = std::fs::read(&path).unwrap();
                    assert!(!bytes.windows(6).any(|own| own == b"canary"), "{}", path.display());
                }
            }
        }
        assert_eq!(reason(&reused.unwrap_err()), "REQUEST_ID_REUSED");
        assert_eq!(reason(&bad.unwrap_err()), "INVALID_ARGUMENT");
        assert_eq!(reason(&url.unwrap_err()), "ENDPOINT_URL_INVALID");
    }
}

#[tokio::test]
async fn everything_wrong_is_said_at_once() {
    for desk in desks().await {
        let ask = pb::PutModelEndpointRequest {
            name: "a/b".into(),
            url: "http://a.example".into(),
            api_key: "a\nb".into(),
            ..put("1")
        };
        let refused = desk.put(ask).await.unwrap_err();
        let fields = refused.get_details_bad_request().unwrap().field_violations;
        let fields: Vec<_> = fields.iter().map(|own| own.field.as_str()).collect();
        assert_eq!(
            (reason(&refused).as_str(), fields),
            ("ENDPOINT_URL_INVALID", vec!["url", "name", "api_key"])
        );
        for ask in [
            pb::PutModelEndpointRequest { url: String::new(), ..put("1") },
            pb::PutModelEndpointRequest { default_model: "none".into(), ..put("1") },
            pb::PutModelEndpointRequest { models: vec!["x".into(); 201], ..put("1") },
            pb::PutModelEndpointRequest { name: String::new(), ..put("1") },
        ] {
            assert_eq!(reason(&desk.put(ask).await.unwrap_err()), "INVALID_ARGUMENT");
        }
        let no_id = desk.put(put("")).await.unwrap_err();
        assert_eq!(reason(&no_id), "REQUEST_ID_REQUIRED");
        assert!(desk.put(put("1")).await.is_ok(), "a refusal uses no request id up");
    }
}

#[tokio::test]
async fn only_operators_manage_and_only_the_runner_resolves() {
    for desk in desks().await {
        desk.put(put("1")).await.unwrap();
        for caller in [person(None), Caller::Anonymous] {
            let mut client = desk.client(&caller);
            let name = || "OPENAI_API_KEY".to_owned();
            let codes = [
                client.put_model_endpoint(put("2")).await.map(drop).unwrap_err().code(),
                client
                    .get_model_endpoint(pb::GetModelEndpointRequest { name: name() })
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
                client
                    .list_model_endpoints(pb::ListModelEndpointsRequest::default())
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
                client
                    .delete_model_endpoint(pb::DeleteModelEndpointRequest {
                        name: name(),
                        request_id: "3".into(),
                    })
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
                client
                    .resolve_model_endpoint(pb::ResolveModelEndpointRequest { name: name() })
                    .await
                    .map(drop)
                    .unwrap_err()
                    .code(),
            ];
            for code in codes {
                assert!(
                    matches!(code, Code::PermissionDenied | Code::Unauthenticated),
                    "{caller:?}: {code:?}"
                );
            }
        }
        for part in [PartName::Runs, PartName::Catalog, PartName::Gateway] {
            let ask = pb::ResolveModelEndpointRequest { name: "OPENAI_API_KEY".into() };
            let refused = desk.part(part).resolve_model_endpoint(ask).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{part}");
        }
    }
}
