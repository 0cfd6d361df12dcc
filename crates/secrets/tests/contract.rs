//! What every secret store holds to: run here against the sealed store; a further driver brings a factory
//! of its own and calls the same suite.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use souk_secrets::{Error, KEPT_VERSIONS, Path, Sealed, Secrets, Value, Version};
use souk_types::Random;

/// The whole contract. `make` gives an empty store each time.
async fn contract<F: AsyncFn() -> Secrets>(make: F) {
    what_is_put_is_got(make().await).await;
    versions_count_up_and_stay(make().await).await;
    only_so_many_versions_are_kept(make().await).await;
    who_expects_another_version_changes_nothing(make().await).await;
    of_many_who_expect_nothing_one_is_first(make().await).await;
    what_is_destroyed_is_gone_and_its_number_with_it(make().await).await;
    paths_do_not_touch(make().await).await;
}

fn endpoint(name: &str) -> Path {
    Path::model_endpoint(name).unwrap()
}

fn value(text: &str) -> Value {
    Value::new(text.to_owned()).unwrap()
}

async fn got(store: &Secrets, path: &Path, version: Option<Version>) -> (String, Version) {
    let (value, version) = store.get(path, version).await.unwrap();
    (value.expose().to_owned(), version)
}

async fn absent(store: &Secrets, path: &Path, version: Option<Version>) {
    let error = store.get(path, version).await.unwrap_err();
    assert!(matches!(&error, Error::NotFound { path: own, .. } if own == path), "{error}");
    assert!(!format!("{error:?}").contains("canary"));
}

async fn what_is_put_is_got(store: Secrets) {
    let path = endpoint("A");
    absent(&store, &path, None).await;
    assert_eq!(store.newest(&path).await.unwrap(), 0);
    for text in ["canary", "ä\u{0}\"\\\n{}", &"x".repeat(64 * 1024)] {
        let version = store.put(&path, &value(text), None).await.unwrap();
        assert_eq!(got(&store, &path, None).await, (text.to_owned(), version));
    }
}

async fn versions_count_up_and_stay(store: Secrets) {
    let path = endpoint("A");
    for version in 1..=3 {
        assert_eq!(store.put(&path, &value(&format!("v{version}")), None).await.unwrap(), version);
    }
    assert_eq!(store.newest(&path).await.unwrap(), 3);
    for version in 1..=3 {
        assert_eq!(got(&store, &path, Some(version)).await, (format!("v{version}"), version));
    }
    for version in [0, 4, Version::MAX] {
        absent(&store, &path, Some(version)).await;
    }
}

async fn only_so_many_versions_are_kept(store: Secrets) {
    let path = endpoint("A");
    let last = Version::try_from(KEPT_VERSIONS).unwrap() + 2;
    for version in 1..=last {
        store.put(&path, &value(&format!("v{version}")), None).await.unwrap();
    }
    absent(&store, &path, Some(1)).await;
    absent(&store, &path, Some(2)).await;
    assert_eq!(got(&store, &path, Some(3)).await.0, "v3");
    assert_eq!(got(&store, &path, None).await.1, last);
}

async fn who_expects_another_version_changes_nothing(store: Secrets) {
    let path = endpoint("A");
    assert_eq!(store.put(&path, &value("one"), Some(0)).await.unwrap(), 1);
    for expected in [0, 2] {
        let error = store.put(&path, &value("canary"), Some(expected)).await.unwrap_err();
        assert!(matches!(error, Error::Conflict { newest: 1, .. }), "{error}");
    }
    assert_eq!(got(&store, &path, None).await, ("one".to_owned(), 1));
    assert_eq!(store.put(&path, &value("two"), Some(1)).await.unwrap(), 2);
}

async fn of_many_who_expect_nothing_one_is_first(store: Secrets) {
    let path = endpoint("A");
    let puts = (0..6).map(|at| {
        let (store, path) = (Arc::clone(&store), path.clone());
        async move { store.put(&path, &value(&format!("v{at}")), Some(0)).await.is_ok() }
    });
    let mut set = tokio::task::JoinSet::new();
    puts.for_each(|put| {
        set.spawn(put);
    });
    let won = set.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!((won, store.newest(&path).await.unwrap()), (1, 1));
}

async fn what_is_destroyed_is_gone_and_its_number_with_it(store: Secrets) {
    let path = endpoint("A");
    store.destroy(&path, 1..=9).await.unwrap();
    for version in 1..=4 {
        store.put(&path, &value(&format!("v{version}")), None).await.unwrap();
    }
    for _ in 0..2 {
        store.destroy(&path, 2..=3).await.unwrap();
        absent(&store, &path, Some(2)).await;
        absent(&store, &path, Some(3)).await;
        assert_eq!(got(&store, &path, Some(1)).await.0, "v1");
        assert_eq!(got(&store, &path, None).await, ("v4".to_owned(), 4));
    }
    store.delete(&path).await.unwrap();
    absent(&store, &path, None).await;
    absent(&store, &path, Some(1)).await;
    assert_eq!(store.newest(&path).await.unwrap(), 4, "numbers are not used twice");
    assert!(store.put(&path, &value("x"), Some(0)).await.is_err());
    assert_eq!(store.put(&path, &value("five"), Some(4)).await.unwrap(), 5);
    assert_eq!(got(&store, &path, None).await, ("five".to_owned(), 5));
    absent(&store, &path, Some(4)).await;
}

async fn paths_do_not_touch(store: Secrets) {
    let paths = [
        endpoint("A"),
        endpoint("a"),
        Path::part("A", "A").unwrap(),
        Path::binding("org_1", "prj_1", "bnd_1").unwrap(),
        Path::binding("org_2", "prj_1", "bnd_1").unwrap(),
    ];
    for path in &paths {
        assert_eq!(store.put(path, &value(&path.to_string()), None).await.unwrap(), 1);
    }
    for path in &paths {
        assert_eq!(got(&store, path, None).await, (path.to_string(), 1));
    }
    store.delete(&paths[0]).await.unwrap();
    for path in &paths[1..] {
        assert_eq!(got(&store, path, None).await.0, path.to_string());
    }
}

/// Bytes enough for a test's keys.
struct Fixed;

impl Random for Fixed {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

#[tokio::test]
async fn the_sealed_store_holds_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let count = std::sync::atomic::AtomicU32::new(0);
    contract(async || {
        let own = dir.path().join(count.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string());
        let sealed = Sealed::open(&own.join("secrets"), &own.join("root"), Arc::new(Fixed)).await.unwrap();
        let store: Secrets = Arc::new(sealed);
        store
    })
    .await;
}
