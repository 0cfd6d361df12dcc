//! Kept as it was, found by its content, never given when it changed.

use std::path::PathBuf;

use souk_types::{Class, Reason};

use super::*;

async fn open() -> (tempfile::TempDir, Objects) {
    let dir = tempfile::tempdir().unwrap();
    let objects = Objects::open_dir(&dir.path().join("deep/objects")).await.unwrap();
    (dir, objects)
}

fn file(dir: &tempfile::TempDir, hash: &Hash) -> PathBuf {
    dir.path().join("deep/objects/artifacts/sha256").join(hash.as_str())
}

#[tokio::test]
async fn an_artifact_lies_under_its_hash_and_comes_back_the_same() {
    let (dir, objects) = open().await;
    for content in [&b""[..], b"{}", &[0, 255, 10, 13].repeat(100_000)] {
        let hash = objects.put_artifact(Bytes::copy_from_slice(content)).await.unwrap();
        assert_eq!(objects.get_artifact(&hash).await.unwrap(), content);
        assert!(file(&dir, &hash).is_file());
    }
    assert_eq!(Hash::of(b"").as_str(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_put_the_same_at_once_agree() {
    let (dir, objects) = open().await;
    let mut puts = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let objects = objects.clone();
        puts.spawn(async move { objects.put_artifact(Bytes::from_static(b"same")).await });
    }
    let mut hashes: Vec<_> = puts.join_all().await.into_iter().map(Result::unwrap).collect();
    hashes.dedup();
    assert_eq!(hashes.len(), 1);
    let left = std::fs::read_dir(file(&dir, &hashes[0]).parent().unwrap()).unwrap().count();
    assert_eq!(left, 1, "no staged file is left");
}

#[tokio::test]
async fn a_changed_or_cut_artifact_is_not_given_and_putting_it_again_mends_it() {
    let (dir, objects) = open().await;
    let content = Bytes::from_static(b"genuine");
    let hash = objects.put_artifact(content.clone()).await.unwrap();
    for damaged in [&b"genuinf"[..], b"genuin", b"", b"genuine "] {
        std::fs::write(file(&dir, &hash), damaged).unwrap();
        let refused = objects.get_artifact(&hash).await.unwrap_err();
        assert!(matches!(&refused, Error::Corrupt(named) if *named == hash), "{refused:?}");
        let fault = refused.into_fault("runner");
        assert_eq!((fault.reason, fault.domain), (Reason::ArtifactCorrupt, "runner"));
    }
    objects.put_artifact(content.clone()).await.unwrap();
    assert_eq!(objects.get_artifact(&hash).await.unwrap(), content);
}

#[tokio::test]
async fn an_absent_artifact_is_missing_and_a_broken_store_unavailable() {
    let (dir, objects) = open().await;
    let hash = Hash::of(b"never put");
    let missing = objects.get_artifact(&hash).await.unwrap_err();
    assert_eq!(missing.into_fault("runner").class(), Class::NotFound);
    std::fs::create_dir_all(file(&dir, &hash)).unwrap();
    let broken = objects.get_artifact(&hash).await.unwrap_err().into_fault("runner");
    assert!(!broken.message.contains("deep/objects"), "no path of the machine: {}", broken.message);
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "x").unwrap();
    assert!(matches!(Objects::open_dir(&blocked).await, Err(Error::Store(_))));
}

#[tokio::test]
async fn a_reopened_directory_has_what_was_put() {
    let dir = tempfile::tempdir().unwrap();
    let hash = Objects::open_dir(dir.path()).await.unwrap().put_artifact("x".into()).await.unwrap();
    assert_eq!(Objects::open_dir(dir.path()).await.unwrap().get_artifact(&hash).await.unwrap(), "x");
}

#[test]
fn only_a_hash_is_a_hash() {
    let good = "a".repeat(64);
    assert_eq!(good.parse::<Hash>().unwrap().as_str(), good);
    for bad in ["", "../../etc/passwd", &"A".repeat(64), &"a".repeat(63), &"g".repeat(64), &"ä".repeat(32)] {
        assert_eq!(bad.parse::<Hash>(), Err(BadHash), "{bad}");
    }
}
