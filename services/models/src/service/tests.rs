//! Keys between the secret store and the tables: what is replaced, what is left over, what breaks off.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::future::join_all;
use souk_secrets::{Error as SecretError, Path, Sealed, Secrets};
use souk_testkit::{Database, databases};
use souk_types::{Caller, Reason, Scope, Trace, access::Reach};

use super::*;
use crate::store::MIGRATIONS;

/// How many copies arrive together.
const COPIES: usize = 12;

/// A sealed store that fails when it is told to: before it keeps anything, or after.
struct Failing {
    inner: Sealed,
    before: AtomicBool,
    after: AtomicBool,
}

fn fail(when: &AtomicBool) -> Result<(), SecretError> {
    if when.load(Ordering::SeqCst) { Err(SecretError::Broken("told to fail")) } else { Ok(()) }
}

#[async_trait]
impl souk_secrets::Store for Failing {
    async fn put(&self, path: &Path, value: &Value, newest: Option<Version>) -> Result<Version, SecretError> {
        fail(&self.before)?;
        let version = self.inner.put(path, value, newest).await?;
        fail(&self.after).map(|()| version)
    }

    async fn get(&self, path: &Path, version: Option<Version>) -> Result<(Value, Version), SecretError> {
        self.inner.get(path, version).await
    }

    async fn newest(&self, path: &Path) -> Result<Version, SecretError> {
        self.inner.newest(path).await
    }

    async fn destroy(&self, path: &Path, versions: RangeInclusive<Version>) -> Result<(), SecretError> {
        fail(&self.before)?;
        self.inner.destroy(path, versions).await
    }
}

struct Bench {
    db: Database,
    secrets: Arc<Failing>,
    service: Service,
    /// As many other processes on the same tables and the same secret store.
    others: Vec<Service>,
    _dir: tempfile::TempDir,
}

async fn benches() -> Vec<Bench> {
    let mut benches = Vec::new();
    for db in databases("models", MIGRATIONS).await {
        let dir = tempfile::tempdir().unwrap();
        let (sealed, root) = (dir.path().join("secrets"), dir.path().join("root"));
        let inner = Sealed::open(&sealed, &root, db.random.clone()).await.unwrap();
        let (before, after) = (AtomicBool::new(false), AtomicBool::new(false));
        let secrets = Arc::new(Failing { inner, before, after });
        let process = || {
            let keys = Keys::new(Arc::clone(&secrets) as Secrets, db.random.clone());
            Service::new(Store::new((*db).clone(), Duration::from_secs(600)), keys)
        };
        let (service, others) = (process(), (0..COPIES).map(|_| process()).collect());
        benches.push(Bench { db, secrets, service, others, _dir: dir });
    }
    benches
}

#[expect(clippy::disallowed_methods, reason = "a test makes its own scopes")]
fn call(rpc: &'static str, request_id: &str) -> Call {
    Call {
        rpc,
        caller: Caller::Anonymous,
        scope: Scope::grant(Reach::Every),
        project_id: None,
        request_id: request_id.to_owned(),
        trace: Trace::default(),
        deadline: None,
    }
}

fn asked(url: &str) -> Put {
    Put {
        name: "A".parse().unwrap(),
        address: url.parse().unwrap(),
        models: Vec::new(),
        default_model: String::new(),
    }
}

impl Bench {
    async fn put_at(&self, request_id: &str, url: &str, key: Option<&str>) -> Result<Endpoint, Error> {
        Self::put_in(&self.service, request_id, url, key).await
    }

    async fn put_in(
        process: &Service,
        request_id: &str,
        url: &str,
        key: Option<&str>,
    ) -> Result<Endpoint, Error> {
        let put = asked(url);
        let key = key.map(|key| Value::new(key.to_owned()).unwrap());
        let call = call("/souk.models.v1.ModelsService/PutModelEndpoint", request_id);
        process.put(&call, put, key).await
    }

    async fn put(&self, request_id: &str, key: Option<&str>) -> Result<Endpoint, Error> {
        self.put_at(request_id, "https://a.example/v1", key).await
    }

    async fn delete(&self, request_id: &str) -> Result<(), Error> {
        let call = call("/souk.models.v1.ModelsService/DeleteModelEndpoint", request_id);
        self.service.delete(&call, Delete { name: "A".parse().unwrap() }).await
    }

    /// The versions of the key that can be read.
    async fn kept(&self) -> Vec<Version> {
        let path = Path::model_endpoint("A").unwrap();
        let mut kept = Vec::new();
        for version in 1..=99 {
            if souk_secrets::Store::get(&self.secrets.inner, &path, Some(version)).await.is_ok() {
                kept.push(version);
            }
        }
        kept
    }

    /// So many puts took effect, and of all their keys the right one is left.
    async fn settled(&self, puts: usize) {
        let call = call("", "");
        let now = self.service.get(&call, &"A".parse().unwrap()).await.unwrap();
        assert_eq!(usize::try_from(now.version).unwrap(), puts);
        self.later().await;
        self.later().await;
        assert_eq!(self.kept().await, [now.secret_version.unwrap()]);
    }

    async fn later(&self) {
        self.db.clock.advance(Duration::from_secs(601));
        while self.service.clean().await.unwrap() {}
    }
}

#[tokio::test]
async fn a_replaced_key_goes_after_its_time_and_the_right_one_stays() {
    for bench in benches().await {
        assert_eq!(bench.put("1", Some("key-one")).await.unwrap().secret_version, Some(1));
        assert_eq!(
            bench.put("2", None).await.unwrap().secret_version,
            Some(1),
            "without a key it keeps its own"
        );
        assert_eq!(bench.put("3", Some("key-two")).await.unwrap().secret_version, Some(2));
        while bench.service.clean().await.unwrap() {}
        assert_eq!(bench.kept().await, [1, 2], "calls that have begun find the old one");
        bench.later().await;
        bench.later().await;
        assert_eq!(bench.kept().await, [2]);
    }
}

#[tokio::test]
async fn a_put_that_breaks_off_leaves_no_key_and_can_be_done_again() {
    for bench in benches().await {
        bench.put("0", None).await.unwrap();
        bench.put("warm", Some("key-zero")).await.unwrap();
        for (at, when) in [&bench.secrets.before, &bench.secrets.after].into_iter().enumerate() {
            when.store(true, Ordering::SeqCst);
            let id = format!("broken {at}");
            assert!(matches!(bench.put(&id, Some("key-new")).await, Err(Error::Secrets(_))));
            when.store(false, Ordering::SeqCst);
            let again = bench.put(&id, Some("key-new")).await.unwrap();
            assert_eq!(again.secret_version, bench.kept().await.last().copied());
            bench.later().await;
            bench.later().await;
            assert_eq!(bench.kept().await, [again.secret_version.unwrap()], "what nothing points to goes");
        }
    }
}

#[tokio::test]
async fn a_deleted_endpoints_key_goes_at_once_or_when_the_store_answers_again() {
    for bench in benches().await {
        bench.put("1", Some("key-one")).await.unwrap();
        bench.put("2", Some("key-two")).await.unwrap();
        bench.delete("3").await.unwrap();
        assert_eq!(bench.kept().await, Vec::<Version>::new());
        bench.delete("3").await.unwrap();
        assert!(matches!(bench.delete("4").await, Err(Error::NotFound { .. })));
        assert_eq!(bench.put("5", Some("key-three")).await.unwrap().secret_version, Some(3));
        bench.secrets.before.store(true, Ordering::SeqCst);
        bench.delete("6").await.unwrap();
        assert_eq!(bench.kept().await, [3]);
        bench.secrets.before.store(false, Ordering::SeqCst);
        assert_eq!(bench.put("7", Some("key-four")).await.unwrap().secret_version, Some(4));
        bench.later().await;
        assert_eq!(bench.kept().await, [4], "a key that came since is not the deleted one");
    }
}

#[tokio::test]
async fn repeats_are_told_by_a_mark_that_nobody_can_make_without_the_secret_store() {
    for bench in benches().await {
        let first = bench.put("1", Some("key-one")).await.unwrap();
        bench.put("2", Some("key-two")).await.unwrap();
        assert_eq!(
            bench.put("1", Some("key-one")).await.unwrap(),
            first,
            "the first answer, not the present state"
        );
        let other = souk_types::Fault::from(bench.put("1", Some("key-two")).await.unwrap_err());
        assert_eq!(other.reason, Reason::RequestIdReused);
        assert!(bench.put("1", None).await.is_err());
        let pepper = Path::part("models", "request-pepper").unwrap();
        souk_secrets::Store::delete(&bench.secrets.inner, &pepper).await.unwrap();
        let fresh = souk_types::Fault::from(bench.put("1", Some("key-one")).await.unwrap_err());
        assert_eq!(fresh.reason, Reason::RequestIdReused, "the digest depends on what no database holds");
    }
}

#[tokio::test]
async fn puts_that_arrive_together_take_effect_once_each() {
    for bench in benches().await {
        let copies = (0..COPIES).map(|_| bench.put("same", Some("key-one")));
        let answers: Vec<_> = join_all(copies).await.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        assert_eq!(bench.kept().await, [1], "copies keep their key once");
        let ids: Vec<_> = (0..COPIES).map(|at| format!("other {at}")).collect();
        for answer in join_all(ids.iter().map(|id| bench.put(id, Some("key-two")))).await {
            answer.unwrap();
        }
        bench.settled(COPIES + 1).await;
    }
}

#[tokio::test]
async fn puts_that_arrive_in_many_processes_take_effect_once_each() {
    for bench in benches().await {
        let url = "https://a.example/v1";
        let copies = bench.others.iter().map(|process| Bench::put_in(process, "same", url, Some("key-one")));
        let answers: Vec<_> = join_all(copies).await.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let ids: Vec<_> = (0..COPIES).map(|at| format!("other {at}")).collect();
        let others = bench.others.iter().zip(&ids);
        for answer in
            join_all(others.map(|(process, id)| Bench::put_in(process, id, url, Some("key-two")))).await
        {
            answer.unwrap();
        }
        bench.settled(COPIES + 1).await;
    }
}

#[tokio::test]
async fn a_key_that_comes_after_a_newer_one_or_after_its_endpoint_is_pointed_to_by_nothing() {
    for bench in benches().await {
        let (slow, name) = (&bench.others[0], "A".parse().unwrap());
        let (key, call) = (Value::new("key-slow".to_owned()).unwrap(), call("/Put", "slow"));
        let put = asked("https://a.example/v1");
        let marked = Marked { put: &put, key: None };
        for deleted in [false, true] {
            let kept = slow.keep(&name, &key).await.unwrap();
            let newer = bench.put(&format!("newer {deleted}"), Some("key-new")).await.unwrap().secret_version;
            if deleted {
                bench.delete("gone").await.unwrap();
            }
            let late = slow.store.put(&call, &marked, &put, kept).await;
            assert!(matches!(late, Err(Error::Contended { .. })), "{late:?}");
            bench.later().await;
            bench.later().await;
            assert_eq!(bench.kept().await, if deleted { vec![] } else { vec![newer.unwrap()] });
        }
    }
}

#[tokio::test]
async fn a_key_that_was_given_for_one_host_goes_to_no_other() {
    for bench in benches().await {
        bench.put("1", Some("key-one")).await.unwrap();
        let moved = bench.put_at("2", "https://thief.example/v1", None).await.unwrap_err();
        assert!(matches!(moved, Error::KeyNeeded), "{moved}");
        assert_eq!(bench.put_at("3", "https://a.example/v2", None).await.unwrap().secret_version, Some(1));
        let moved = bench.put_at("4", "https://b.example/v1", Some("key-two")).await.unwrap();
        assert_eq!(moved.secret_version, Some(2));
    }
}
