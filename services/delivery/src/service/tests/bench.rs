//! A database of each engine with a repository of its own, and somebody else who writes to that.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use gix::{ObjectId, objs::tree::EntryKind};
use serde_json::json;
use souk_db::{CommitObserver, Db, Request, once::digest_of};
use souk_testkit::{Database, databases};
use souk_types::{
    Call, Caller, Event, OfferingVersionId, OrgId, PartName, ProjectId, Scope, Trace, access::Reach,
    event::Log as _, id::InstanceId,
};
use tempfile::TempDir;

use super::super::Service;
use crate::{
    MIGRATIONS,
    model::{CommitId, Desired, Document, Env, PayloadCaps, RateLimits, Removal, Route, content_hash},
    outside::git::Repository,
    store::{Ask, Store},
};

pub(super) fn env() -> Env {
    Env::new("local").unwrap()
}

pub(super) fn instance(n: u128) -> InstanceId {
    InstanceId::from_bits(n)
}

/// The removal of an instance of org 1.
pub(super) fn removal(n: u128, revision: i64) -> Removal {
    Removal { org_id: OrgId::from_bits(1), instance_id: instance(n), revision }
}

/// A call of Remove, as `call` is one of Apply.
pub(super) fn removing(org: u128, request_id: &str) -> Call {
    Call { rpc: "/souk.delivery.v1.DeliveryService/Remove", ..call(org, request_id) }
}

/// The desired state of an instance of org 1; each revision has a content of its own.
pub(super) fn wanted(n: u128, revision: i64) -> Desired {
    Desired {
        org_id: OrgId::from_bits(1),
        project_id: ProjectId::from_bits(1),
        instance_id: instance(n),
        offering_version_id: OfferingVersionId::from_bits(4),
        plan: "starter".to_owned(),
        revision,
        route: Route::default_of(instance(n)),
        capabilities: BTreeSet::from(["runs.sync".to_owned()]),
        rate_limits: RateLimits { requests_per_minute: Some(60), ..RateLimits::default() },
        payload_caps: PayloadCaps::default(),
        tools: BTreeSet::new(),
        mcp_servers: BTreeSet::new(),
        effective_config: Document::new(&json!({"change": revision})).unwrap(),
    }
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own scopes")]
pub(super) fn call(org: u128, request_id: &str) -> Call {
    let org = OrgId::from_bits(org);
    Call {
        rpc: "/souk.delivery.v1.DeliveryService/Apply",
        caller: Caller::Part { part: PartName::Instances, org: Some(org) },
        scope: Scope::grant(Reach::Org(org)),
        project_id: None,
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

pub(super) struct Bench {
    pub(super) service: Service,
    pub(super) db: Database,
    dir: TempDir,
}

impl Bench {
    /// One for each engine.
    pub(super) async fn all() -> Vec<Self> {
        let made = databases("delivery", MIGRATIONS).await.into_iter().map(|db| {
            let dir = tempfile::tempdir().unwrap();
            let service = service(&db, dir.path().join("desired.git"));
            Self { service, db, dir }
        });
        made.collect()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("desired.git")
    }

    /// A service as a new process would have it: nothing remembered.
    pub(super) fn anew(&self) -> Service {
        service(&self.db, self.path())
    }

    /// A service whose commits `observer` sees.
    pub(super) async fn observed(&self, observer: Arc<dyn CommitObserver>) -> Service {
        service(&self.db.observed(observer).await.unwrap(), self.path())
    }

    pub(super) fn restarted(&self) -> Settler<'_> {
        Settler { service: self.anew(), _bench: self }
    }

    /// Turns all loops until nothing is left to do.
    pub(super) async fn settle(&self) {
        settle(&self.service).await;
    }

    /// Keeps an intent as a call does that is killed right after.
    pub(super) async fn intend(&self, call: &Call, asked: &Desired) {
        let request = Request::of(call, asked.org_id, Some(asked.org_id), asked).unwrap();
        assert_eq!(request.digest, digest_of(asked).unwrap());
        let hash = content_hash(&env(), asked);
        let kept = self.service.store.intend(call, &request, Ask::Apply(asked, &hash)).await.unwrap();
        assert_eq!(kept, None);
    }

    pub(super) fn head(&self) -> Option<CommitId> {
        self.service.repository.head().unwrap()
    }

    pub(super) fn commits(&self) -> usize {
        self.service.repository.log(1000).unwrap().len()
    }

    /// The name of the whole tree at the head: equal names, equal bytes.
    pub(super) fn tree(&self) -> Option<ObjectId> {
        let options = gix::open::Options::isolated().with(gix::sec::Trust::Full).open_path_as_is(true);
        let head = ObjectId::from_hex(self.head()?.as_str().as_bytes()).unwrap();
        let repository = gix::open_opts(self.path(), options).unwrap();
        let commit = repository.find_commit(head).unwrap();
        Some(commit.tree_id().unwrap().detach())
    }

    /// Every file below the cell's instances.
    pub(super) fn files(&self) -> crate::model::Bundle {
        self.service.repository.read(&env().instances()).unwrap().files
    }

    /// The events of one kind, in their order.
    pub(super) async fn events(&self, kind: &str) -> Vec<Event> {
        let outbox = self.db.outbox();
        while outbox.number_turn().await.unwrap() > 0 {}
        let kind = format!("souk.delivery.v1.{kind}");
        let all = outbox.after(0, 10_000).await.unwrap();
        all.into_iter().map(|(_, event)| event).filter(|event| event.kind == kind).collect()
    }

    /// Commits as somebody else would: past our locks and rules. `None` removes.
    pub(super) fn foreign(&self, files: &[(&str, Option<&str>)]) {
        let options = gix::open::Options::isolated().with(gix::sec::Trust::Full).open_path_as_is(true);
        let repository = gix::open_opts(self.path(), options).unwrap();
        let head = ObjectId::from_hex(self.head().unwrap().as_str().as_bytes()).unwrap();
        let tree = repository.find_commit(head).unwrap().tree_id().unwrap().detach();
        let mut editor = repository.edit_tree(tree).unwrap();
        for (path, text) in files {
            match text {
                Some(text) => {
                    let blob = repository.write_blob(text).unwrap().detach();
                    editor.upsert(*path, EntryKind::Blob, blob).unwrap();
                }
                None => {
                    editor.remove(*path).unwrap();
                }
            }
        }
        let tree = editor.write().unwrap().detach();
        let who =
            gix::actor::SignatureRef { name: "mallory".into(), email: "m@invalid".into(), time: "1 +0000" };
        repository.commit_as(who, who, "refs/heads/main", "by hand", tree, Some(head)).unwrap();
    }
}

/// A service after a restart.
pub(super) struct Settler<'a> {
    pub(super) service: Service,
    _bench: &'a Bench,
}

impl Settler<'_> {
    pub(super) async fn settle(&self) {
        settle(&self.service).await;
    }
}

async fn settle(service: &Service) {
    // Reconcile → commit again → reconcile is the longest way.
    for _ in 0..3 {
        while service.reconcile_turn().await.unwrap() {}
        while service.commit_turn().await.unwrap() {}
    }
}

fn service(db: &Db, path: PathBuf) -> Service {
    let repository = Repository::open(&path).unwrap();
    Service::new(Store::new(db.clone()), repository, env())
}
