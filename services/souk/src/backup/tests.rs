//! What is copied and what is refused; the whole way there and back is walked by the house's own tests.

use std::{
    fs,
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
};

use super::{
    Manifest, Tables,
    files::{self, Stage},
};
use souk_types::Time;

fn put(dir: &Path, names: &[&str]) {
    for name in names {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
}

fn names(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.to_str().unwrap()).collect()
}

#[test]
fn what_is_of_use_is_copied_and_in_an_order_that_holds() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        &[
            "billing/billing.db",
            "billing/billing.db-wal",
            "billing/lock",
            "keyring",
            "keyring.lock",
            "delivery/desired.git/objects/ab/cd",
            "delivery/desired.git/refs/heads/main",
            "objects/artifacts/sha256/00",
            "before-migration/billing-0001-x-1.db",
            ".part-7",
        ],
    );
    fs::create_dir_all(dir.path().join("delivery/desired.git/refs/tags")).unwrap();
    let _socket = UnixListener::bind(dir.path().join("mesh.sock")).unwrap();
    let found = files::survey(dir.path()).unwrap();
    assert_eq!(names(&found.databases), ["billing/billing.db"]);
    assert_eq!(names(&found.later), ["objects/artifacts/sha256/00"]);
    let at_once = ["delivery/desired.git/refs/heads/main", "keyring", "delivery/desired.git/objects/ab/cd"];
    assert_eq!(names(&found.at_once), at_once, "references before what they name");
    assert!(names(&found.dirs).contains(&"delivery/desired.git/refs/tags"), "an empty directory too");
    symlink("keyring", dir.path().join("other")).unwrap();
    assert!(files::survey(dir.path()).is_err(), "what a link leads to is not in the directory");
}

/// A sealed backup of a few files.
fn sealed(tables: Tables) -> (tempfile::TempDir, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), &["keyring", "delivery/desired.git/HEAD"]);
    fs::create_dir(dir.path().join("empty")).unwrap();
    let manifest = Manifest::new(Time::from_micros(7), tables, Vec::new()).seal(dir.path()).unwrap();
    (dir, manifest)
}

#[test]
fn a_manifest_describes_what_lies_there_and_nothing_else() {
    let (dir, manifest) = sealed(Tables::default());
    assert_eq!(Manifest::verify(dir.path()).unwrap(), manifest);
    fs::remove_dir(dir.path().join("empty")).unwrap();
    Manifest::verify(dir.path()).unwrap();
    assert!(dir.path().join("empty").exists(), "a directory is made again");
    for (name, text) in
        [("keyring", "bent"), ("more", ""), ("manifest.sha256", "00"), ("manifest.json", "{}")]
    {
        let (dir, _) = sealed(Tables::default());
        fs::write(dir.path().join(name), text).unwrap();
        assert!(Manifest::verify(dir.path()).is_err(), "{name}");
    }
    for name in ["keyring", "manifest.sha256", "manifest.json"] {
        let (dir, _) = sealed(Tables::default());
        fs::remove_file(dir.path().join(name)).unwrap();
        assert!(Manifest::verify(dir.path()).is_err(), "{name}");
    }
}

/// Bends the manifest and seals it again, as somebody would who means it.
fn bent(from: &str, to: &str) -> String {
    let (dir, _) = sealed(Tables::default());
    let file = dir.path().join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(&file, text.replacen(from, to, 1)).unwrap();
    let (_, digest) = files::weigh(&file).unwrap();
    fs::write(dir.path().join("manifest.sha256"), digest).unwrap();
    format!("{:?}", Manifest::verify(dir.path()).unwrap_err())
}

#[test]
fn a_manifest_that_leads_elsewhere_or_is_of_a_newer_build_is_refused() {
    assert!(bent("\"keyring\"", "\"../keyring\"").contains("leads out of it"));
    assert!(bent("\"keyring\"", "\"/keyring\"").contains("leads out of it"));
    assert!(bent("\"format\": 1", "\"format\": 2").contains("newer build"));
    assert!(bent("\"format\": 1", "\"format\": 1, \"more\": 1").contains("unknown field"));
    let migrations = [("billing".to_owned(), vec!["9999-from-tomorrow".to_owned()])].into();
    let (dir, _) = sealed(Tables { migrations, ..Tables::default() });
    let told = format!("{:?}", Manifest::verify(dir.path()).unwrap_err());
    assert!(told.contains("9999-from-tomorrow"), "{told}");
}

#[test]
fn a_stage_that_came_to_nothing_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    fs::create_dir(&data).unwrap();
    let to = dir.path().join("copy");
    drop(Stage::make(&to, &data).unwrap());
    assert!(Stage::make(&data.join("inside"), &data).is_err());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["data"]);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
}
