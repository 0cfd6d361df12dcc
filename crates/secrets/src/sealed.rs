//! The sealed store: secrets in files, each sealed with its owner's data key, which the root key wraps.
//!
//! `DIR/{owner}/data-key` holds the wrapped data key, `DIR/{owner}/{name}.{digest}` one secret with its kept
//! versions. A file opens only in its own place: path, newest version and owner are bound to it. Writers
//! take `DIR/lock`; readers take nothing, since files are replaced whole. Whoever can write the files can
//! put an older copy of one back: nothing but another store outside of them could tell.

mod cipher;
mod file;
mod record;
mod root;

use std::{
    collections::HashMap,
    fmt, fs,
    ops::RangeInclusive,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use async_trait::async_trait;
use aws_lc_rs::digest;
use souk_types::Random;

use self::{
    cipher::{ID, Key},
    record::Record,
    root::Roots,
};
use crate::{Error, Path, Store, Value, Version};

/// What a data key's file begins with.
const KEY_MAGIC: &[u8] = b"souk data key 1\n";
/// What a secret's file begins with.
const SECRET_MAGIC: &[u8] = b"souk secret 1\n";
/// The name of a data key's file. Names of secrets have a dot.
const DATA_KEY: &str = "data-key";

/// The secret store of one machine. Cheap to clone; processes that open the same directory share it.
#[derive(Clone)]
pub struct Sealed(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    root: PathBuf,
    random: Arc<dyn Random>,
    roots: RwLock<Roots>,
    /// Data keys by owner. They never change: rotation wraps them anew.
    keys: Mutex<HashMap<String, Key>>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Sealed({})", self.0.dir.display())
    }
}

impl Sealed {
    /// Opens the store in a directory, made when absent. `root` is the root key's file: it is made (0600)
    /// when there is none and nothing is sealed yet, once, however many processes start together.
    ///
    /// # Errors
    /// When the files cannot be made or read, or the root key is missing, readable by others or no key.
    pub async fn open(dir: &FilePath, root: &FilePath, random: Arc<dyn Random>) -> Result<Self, Error> {
        let (dir, root) = (dir.to_owned(), root.to_owned());
        blocking(move || Inner::open(dir, root, random)).await.map(|inner| Self(Arc::new(inner)))
    }

    /// Makes a fresh root key and wraps every data key with it; says how many. No secret is sealed anew and
    /// nobody has to stop reading. What was cut short is finished by doing it again.
    ///
    /// # Errors
    /// As `open`; the store stays readable with the root key's file as it then is.
    pub async fn rotate_root(&self) -> Result<usize, Error> {
        let inner = Arc::clone(&self.0);
        blocking(move || inner.rotate_root()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = Arc::clone(&self.0);
        blocking(move || work(&inner)).await
    }
}

/// Files block: they are read and written on a thread of their own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Broken("it panicked"))?
}

#[async_trait]
impl Store for Sealed {
    async fn put(&self, path: &Path, value: &Value, newest: Option<Version>) -> Result<Version, Error> {
        let (path, value) = (path.clone(), value.clone());
        self.run(move |inner| inner.put(&path, value, newest)).await
    }

    async fn get(&self, path: &Path, version: Option<Version>) -> Result<(Value, Version), Error> {
        let path = path.clone();
        self.run(move |inner| {
            let record = inner.record(&path)?;
            let version = version.unwrap_or(record.newest);
            match record.get(version) {
                Some(value) => Ok((value.clone(), version)),
                None => Err(Error::NotFound { path, version: Some(version).filter(|own| *own > 0) }),
            }
        })
        .await
    }

    async fn newest(&self, path: &Path) -> Result<Version, Error> {
        let path = path.clone();
        self.run(move |inner| inner.record(&path).map(|record| record.newest)).await
    }

    async fn destroy(&self, path: &Path, versions: RangeInclusive<Version>) -> Result<(), Error> {
        let path = path.clone();
        self.run(move |inner| inner.destroy(&path, &versions)).await
    }
}

impl Inner {
    fn open(dir: PathBuf, root: PathBuf, random: Arc<dyn Random>) -> Result<Self, Error> {
        file::private_dir(&dir)?;
        let roots = match Roots::read(&root)? {
            Some(roots) => roots,
            None => {
                let _alone = file::alone(&dir.join("lock"))?;
                match Roots::read(&root)? {
                    Some(roots) => roots,
                    None if owners(&dir)?.is_empty() => Roots::make(&root, random.as_ref())?,
                    None => return Err(Error::RootKeyMissing { root: root.display().to_string() }),
                }
            }
        };
        let inner = Self { dir, root, random, roots: RwLock::new(roots), keys: Mutex::default() };
        // A wrong root key is said at the start, not at the first run that needs a secret.
        for owner in owners(&inner.dir)? {
            inner.data_key(&owner)?;
        }
        Ok(inner)
    }

    fn put(&self, path: &Path, value: Value, newest: Option<Version>) -> Result<Version, Error> {
        let _alone = file::alone(&self.dir.join("lock"))?;
        let key = match self.data_key(path.owner())? {
            Some(key) => key,
            None => self.make_data_key(path.owner())?,
        };
        let mut record = self.record(path)?;
        if newest.is_some_and(|newest| newest != record.newest) {
            return Err(Error::Conflict { path: path.clone(), newest: record.newest });
        }
        let version = record.add(value).ok_or(Error::Broken("the versions are used up"))?;
        self.write(path, &key, &record)?;
        Ok(version)
    }

    fn destroy(&self, path: &Path, versions: &RangeInclusive<Version>) -> Result<(), Error> {
        let _alone = file::alone(&self.dir.join("lock"))?;
        let Some(key) = self.data_key(path.owner())? else { return Ok(()) };
        let mut record = self.record(path)?;
        // The file stays: its newest version says which numbers were used.
        if record.destroy(versions) { self.write(path, &key, &record) } else { Ok(()) }
    }

    fn write(&self, path: &Path, key: &Key, record: &Record) -> Result<(), Error> {
        let sealed = key.seal(&place(path, record.newest), &record.encode());
        let sealed = sealed.map_err(|_| Error::Broken("nothing could be sealed"))?;
        let bytes = [SECRET_MAGIC, &record.newest.to_be_bytes(), &sealed].concat();
        file::write(&self.file(path), &bytes)
    }

    /// What is kept under a path; an empty record when nothing ever was.
    fn record(&self, path: &Path) -> Result<Record, Error> {
        let file = self.file(path);
        let damaged = || Error::Damaged { file: file.display().to_string() };
        let Some(bytes) = file::read(&file)? else { return Ok(Record::default()) };
        let key = self.data_key(path.owner())?.ok_or_else(damaged)?;
        let mut sealed = bytes.strip_prefix(SECRET_MAGIC).ok_or_else(damaged)?;
        let newest = record::number(&mut sealed).ok_or_else(damaged)?;
        let text = key.open(&place(path, newest), sealed).map_err(|_| damaged())?;
        Record::decode(newest, &text).ok_or_else(damaged)
    }

    /// Readable for whoever looks after the directory; the digest keeps apart what a file system that does
    /// not tell capitals would put in one place.
    fn file(&self, path: &Path) -> PathBuf {
        let name = path.below_mount().replace('/', ".");
        let hash = digest::digest(&digest::SHA256, path.below_mount().as_bytes());
        let short = hash.as_ref().get(..6).unwrap_or_default();
        self.dir.join(path.owner()).join(format!("{name}.{}", hex::encode(short)))
    }

    /// The owner's data key; `None` when nothing of theirs was ever sealed.
    fn data_key(&self, owner: &str) -> Result<Option<Key>, Error> {
        if let Some(key) = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(owner) {
            return Ok(Some(key.clone()));
        }
        let file = self.dir.join(owner).join(DATA_KEY);
        let Some(bytes) = file::read(&file)? else { return Ok(None) };
        let key = self.unwrap(owner, &file, &bytes)?;
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned(), key.clone());
        Ok(Some(key))
    }

    fn unwrap(&self, owner: &str, file: &FilePath, bytes: &[u8]) -> Result<Key, Error> {
        let damaged = || Error::Damaged { file: file.display().to_string() };
        let wrapped = bytes.strip_prefix(KEY_MAGIC).ok_or_else(damaged)?;
        let (id, sealed) = wrapped.split_at_checked(ID).ok_or_else(damaged)?;
        let root = match self.root_named(id) {
            Some(root) => root,
            None => {
                // Another process may have rotated since.
                let fresh = Roots::read(&self.root)?;
                let missing = || Error::RootKeyMissing { root: self.root.display().to_string() };
                *self.roots.write().unwrap_or_else(PoisonError::into_inner) = fresh.ok_or_else(missing)?;
                let wrong =
                    || Error::WrongRootKey { root: self.root.display().to_string(), owner: owner.to_owned() };
                self.root_named(id).ok_or_else(wrong)?
            }
        };
        let key = root.open(&key_place(owner), sealed).map_err(|_| damaged())?;
        Key::from_bytes(&key).ok_or_else(damaged)
    }

    fn root_named(&self, id: &[u8]) -> Option<Key> {
        self.roots.read().unwrap_or_else(PoisonError::into_inner).named(id).cloned()
    }

    /// The caller is alone.
    fn make_data_key(&self, owner: &str) -> Result<Key, Error> {
        let home = self.dir.join(owner);
        let file = home.join(DATA_KEY);
        file::private_dir(&home)?;
        // Secrets without their key: a fresh one would open none of them and hide the loss.
        let secret = |name: &String| name.contains('.') && !name.ends_with(file::BESIDE);
        if names(&home)?.iter().any(secret) {
            return Err(Error::Damaged { file: file.display().to_string() });
        }
        // What another process made the root key since this one looked is the one to wrap with.
        let missing = || Error::RootKeyMissing { root: self.root.display().to_string() };
        let roots = Roots::read(&self.root)?.ok_or_else(missing)?;
        let key = Key::fresh(self.random.as_ref());
        self.wrap(owner, &key, &roots)?;
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = roots;
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned(), key.clone());
        Ok(key)
    }

    fn wrap(&self, owner: &str, key: &Key, roots: &Roots) -> Result<(), Error> {
        let root = roots.in_use().ok_or(Error::Broken("no root key"))?;
        let sealed = root.seal(&key_place(owner), key.bytes());
        let sealed = sealed.map_err(|_| Error::Broken("nothing could be sealed"))?;
        file::write(&self.dir.join(owner).join(DATA_KEY), &[KEY_MAGIC, &root.id(), &sealed].concat())
    }

    fn rotate_root(&self) -> Result<usize, Error> {
        let _alone = file::alone(&self.dir.join("lock"))?;
        let missing = || Error::RootKeyMissing { root: self.root.display().to_string() };
        let both = Roots::read(&self.root)?.ok_or_else(missing)?.with_fresh(self.random.as_ref());
        // Old and new stand in the file until nothing needs the old one: readers find either.
        both.write(&self.root)?;
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = both.clone();
        let owners = owners(&self.dir)?;
        for owner in &owners {
            let file = self.dir.join(owner).join(DATA_KEY);
            if let Some(bytes) = file::read(&file)? {
                let key = self.unwrap(owner, &file, &bytes)?;
                self.wrap(owner, &key, &both)?;
            }
        }
        let newest = both.only_newest();
        newest.write(&self.root)?;
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = newest;
        Ok(owners.len())
    }
}

/// Where a secret stands, for the seal.
fn place(path: &Path, newest: Version) -> Vec<u8> {
    [b"souk secret\0", path.below_mount().as_bytes(), b"\0", &newest.to_be_bytes()].concat()
}

/// Where a data key stands, for the seal.
fn key_place(owner: &str) -> Vec<u8> {
    [b"souk data key\0", owner.as_bytes()].concat()
}

/// Who has secrets: the directories that hold a data key or a secret.
fn owners(dir: &FilePath) -> Result<Vec<String>, Error> {
    let mut owners: Vec<String> = Vec::new();
    for name in names(dir)? {
        if dir.join(&name).is_dir() && !names(&dir.join(&name))?.is_empty() {
            owners.push(name);
        }
    }
    owners.sort();
    Ok(owners)
}

fn names(dir: &FilePath) -> Result<Vec<String>, Error> {
    let read = || {
        let entries = fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        entries.collect::<std::io::Result<Vec<String>>>()
    };
    read().map_err(|error| file::failed(dir, error))
}

#[cfg(test)]
mod tests;
