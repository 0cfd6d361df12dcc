//! The sealed store against who reads, bends, swaps and races over its files.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::atomic::{AtomicU64, Ordering},
};

use super::*;

/// A different key each time, and no two stores with the same.
struct Counting(AtomicU64);

static STORES: AtomicU64 = AtomicU64::new(1);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let next = self.0.fetch_add(1, Ordering::Relaxed);
            chunk.copy_from_slice(&next.to_be_bytes()[..chunk.len()]);
        }
    }
}

fn random() -> Arc<dyn Random> {
    Arc::new(Counting(AtomicU64::new(STORES.fetch_add(1, Ordering::Relaxed) << 32)))
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("secrets")
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("secrets.key")
    }

    async fn open(&self) -> Result<Sealed, Error> {
        Sealed::open(&self.dir(), &self.root(), random()).await
    }

    /// Every file of the store but the lock.
    fn files(&self) -> Vec<PathBuf> {
        let owners = owners(&self.dir()).unwrap();
        let in_owner = |owner: &String| {
            let home = self.dir().join(owner);
            names(&home).unwrap().into_iter().map(move |name| home.join(name)).collect::<Vec<_>>()
        };
        owners.iter().flat_map(in_owner).chain([self.root()]).collect()
    }
}

fn at(name: &str) -> Path {
    Path::model_endpoint(name).unwrap()
}

fn of(org: &str) -> Path {
    Path::binding(org, "prj_1", "bnd_1").unwrap()
}

fn value(text: &str) -> Value {
    Value::new(text.to_owned()).unwrap()
}

#[tokio::test]
async fn files_are_private_and_tell_nothing() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.put(&at("A"), &value("canary-4711"), None).await.unwrap();
    store.put(&of("org_1"), &value("canary-4711"), None).await.unwrap();
    let mode = |path: &FilePath| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for dir in [place.dir(), place.dir().join("platform"), place.dir().join("org_1")] {
        assert_eq!(mode(&dir), 0o700, "{}", dir.display());
    }
    let files = place.files();
    assert_eq!(files.len(), 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        assert!(!text.contains("canary"), "{}", file.display());
    }
    assert!(!format!("{store:?}").contains("canary"));
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_an_error_and_never_garbage() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    store.put(&at("A"), &value("one"), None).await.unwrap();
    store.put(&at("A"), &value("two"), None).await.unwrap();
    for file in place.files() {
        let whole = fs::read(&file).unwrap();
        for at_byte in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at_byte] ^= 1 << (at_byte % 8);
            fs::write(&file, &bytes).unwrap();
            let read = async { place.open().await?.get(&at("A"), None).await };
            let error = match read.await {
                Err(error) => error,
                // Hex digits have capitals too: the same key, written differently.
                Ok((read, _)) if file == place.root() => {
                    assert_eq!(read.expose(), "two");
                    continue;
                }
                Ok(read) => panic!("{}, byte {at_byte}: {read:?}", file.display()),
            };
            assert!(
                matches!(
                    error,
                    Error::Damaged { .. } | Error::WrongRootKey { .. } | Error::BadRootKey { .. }
                ),
                "{}, byte {at_byte}: {error}",
                file.display()
            );
        }
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&file, &whole[..length]).unwrap();
            let read = async { place.open().await?.get(&at("A"), None).await };
            match read.await {
                Err(_) => {}
                Ok(_) => assert!(file == place.root() && length == whole.len() - 1, "{}", file.display()),
            }
        }
        fs::write(&file, &whole).unwrap();
    }
    assert_eq!(place.open().await.unwrap().get(&at("A"), None).await.unwrap().0.expose(), "two");
}

#[tokio::test]
async fn files_that_change_places_do_not_open() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    for path in [at("A"), at("B"), of("org_1"), of("org_2")] {
        store.put(&path, &value(&path.to_string()), None).await.unwrap();
    }
    let swap = |one: &FilePath, other: &FilePath| {
        let (a, b) = (fs::read(one).unwrap(), fs::read(other).unwrap());
        fs::write(one, b).unwrap();
        fs::write(other, a).unwrap();
    };
    let inner = &store.0;
    for (one, other) in [(at("A"), at("B")), (of("org_1"), of("org_2"))] {
        swap(&inner.file(&one), &inner.file(&other));
        for path in [&one, &other] {
            let error = store.get(path, None).await.unwrap_err();
            assert!(matches!(error, Error::Damaged { .. }), "{error}");
            assert!(store.put(path, &value("x"), None).await.is_err(), "nothing is written over it");
        }
        swap(&inner.file(&one), &inner.file(&other));
        store.get(&one, None).await.unwrap();
    }
    let key = |owner: &str| place.dir().join(owner).join(DATA_KEY);
    swap(&key("org_1"), &key("org_2"));
    let error = place.open().await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_missing_or_open_root_key_is_said_at_the_start() {
    let place = Place::new();
    place.open().await.unwrap().put(&at("A"), &value("one"), None).await.unwrap();
    let right = fs::read(place.root()).unwrap();
    fs::write(place.root(), format!("{}\n", "ab".repeat(32))).unwrap();
    assert!(matches!(place.open().await.unwrap_err(), Error::WrongRootKey { .. }));
    fs::write(place.root(), "no key").unwrap();
    assert!(matches!(place.open().await.unwrap_err(), Error::BadRootKey { .. }));
    fs::write(place.root(), &right).unwrap();
    fs::set_permissions(place.root(), fs::Permissions::from_mode(0o640)).unwrap();
    let error = place.open().await.unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
    fs::remove_file(place.root()).unwrap();
    assert!(matches!(place.open().await.unwrap_err(), Error::RootKeyMissing { .. }));
    assert!(!place.root().exists(), "no fresh key hides the loss");
    fs::write(place.root(), &right).unwrap();
    fs::set_permissions(place.root(), fs::Permissions::from_mode(0o600)).unwrap();
    fs::remove_file(place.dir().join("platform").join(DATA_KEY)).unwrap();
    let store = place.open().await.unwrap();
    assert!(matches!(store.get(&at("A"), None).await.unwrap_err(), Error::Damaged { .. }));
    assert!(matches!(store.put(&at("B"), &value("x"), None).await.unwrap_err(), Error::Damaged { .. }));
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_in_nobodys_way() {
    let place = Place::new();
    drop(place.open().await.unwrap());
    let home = place.dir().join("platform");
    fs::create_dir(&home).unwrap();
    for name in [DATA_KEY, "models.A.0123456789ab"] {
        fs::write(home.join(format!("{name}{}", file::BESIDE)), "half").unwrap();
    }
    let store = place.open().await.unwrap();
    assert!(matches!(store.get(&at("A"), None).await, Err(Error::NotFound { .. })));
    assert_eq!(store.put(&at("A"), &value("one"), Some(0)).await.unwrap(), 1);
    assert_eq!(place.open().await.unwrap().get(&at("A"), None).await.unwrap().0.expose(), "one");
}

#[tokio::test]
async fn rotation_wraps_everything_anew_and_readers_go_on() {
    let place = Place::new();
    let (store, other) = (place.open().await.unwrap(), place.open().await.unwrap());
    for path in [at("A"), of("org_1"), of("org_2")] {
        store.put(&path, &value(&path.to_string()), None).await.unwrap();
    }
    let before = fs::read(place.root()).unwrap();
    assert_eq!(store.rotate_root().await.unwrap(), 3);
    let after = fs::read_to_string(place.root()).unwrap();
    assert!(after.lines().count() == 1 && after.as_bytes() != before);
    for store in [&store, &other, &place.open().await.unwrap()] {
        for path in [at("A"), of("org_1"), of("org_2")] {
            assert_eq!(store.get(&path, None).await.unwrap().0.expose(), path.to_string());
        }
    }
    // One that opened before and had not met this owner writes with the root key of now.
    other.put(&of("org_3"), &value("x"), None).await.unwrap();
    assert_eq!(place.open().await.unwrap().get(&of("org_3"), None).await.unwrap().0.expose(), "x");
    fs::write(place.root(), before).unwrap();
    assert!(matches!(place.open().await.unwrap_err(), Error::WrongRootKey { .. }));
}

#[tokio::test]
async fn a_rotation_that_was_cut_short_is_finished_by_the_next() {
    let place = Place::new();
    let store = place.open().await.unwrap();
    for org in ["org_1", "org_2"] {
        store.put(&of(org), &value(org), None).await.unwrap();
    }
    // As it stands after the first of two data keys.
    let roots = Roots::read(&place.root()).unwrap().unwrap();
    let both = roots.with_fresh(random().as_ref());
    both.write(&place.root()).unwrap();
    let key = store.0.data_key("org_1").unwrap().unwrap();
    store.0.wrap("org_1", &key, &both).unwrap();
    let again = place.open().await.unwrap();
    for org in ["org_1", "org_2"] {
        assert_eq!(again.get(&of(org), None).await.unwrap().0.expose(), org);
    }
    again.rotate_root().await.unwrap();
    assert_eq!(fs::read_to_string(place.root()).unwrap().lines().count(), 1);
    assert_eq!(place.open().await.unwrap().get(&of("org_2"), None).await.unwrap().0.expose(), "org_2");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_together_shares_one_root_key_and_counts_versions_together() {
    let place = Arc::new(Place::new());
    let tasks: Vec<_> = (0..8)
        .map(|at_task| {
            let place = Arc::clone(&place);
            async move {
                let store = place.open().await.unwrap();
                store.put(&at("A"), &value(&format!("v{at_task}")), None).await.unwrap()
            }
        })
        .collect();
    let mut set = tokio::task::JoinSet::new();
    for task in tasks {
        set.spawn(task);
    }
    let mut versions = set.join_all().await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>());
    place.open().await.unwrap().get(&at("A"), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_whole_secrets_while_one_writes() {
    let place = Place::new();
    let (writer, reader) = (place.open().await.unwrap(), place.open().await.unwrap());
    writer.put(&at("A"), &value(&"0".repeat(1000)), None).await.unwrap();
    let writing = async {
        for digit in (0..40_u8).map(|n| char::from(b'0' + n % 10)) {
            let text = digit.to_string().repeat(1000);
            writer.put(&at("A"), &value(&text), None).await.unwrap();
        }
    };
    let reading = async {
        let mut last = 0;
        while last < 41 {
            let (read, version) = reader.get(&at("A"), None).await.unwrap();
            let first = read.expose().chars().next().unwrap();
            assert!(read.expose().len() == 1000 && read.expose().chars().all(|own| own == first));
            assert!(version >= last, "versions never go back");
            last = version;
        }
    };
    tokio::join!(writing, reading);
}
