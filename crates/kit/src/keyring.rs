//! One keyring for the whole process: a signing key for each part and a secret for each other purpose,
//! kept apart. The first key of a list signs and seals, every key of it verifies and opens: that is
//! how rotation overlaps.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use souk_types::{PartName, Random, Secret};

/// What a secret is for; a secret of one purpose never serves another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Seals page tokens.
    Page,
    /// Signs the local issuer's access tokens.
    Session,
    /// Signs receipts.
    Receipt,
    /// Seals what waits in a table to be sent to a person.
    Notice,
}

impl Purpose {
    const ALL: [Self; 4] = [Self::Page, Self::Session, Self::Receipt, Self::Notice];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Session => "session",
            Self::Receipt => "receipt",
            Self::Notice => "notice",
        }
    }
}

/// Why a keyring could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read or written.
    #[error("keyring {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a keyring.
    #[error("keyring {path} is damaged: {problem}")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    #[serde(default)]
    parts: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    purposes: BTreeMap<String, Vec<String>>,
}

/// Every key of the process.
pub struct Keyring {
    parts: BTreeMap<PartName, Vec<Secret<[u8; 32]>>>,
    purposes: BTreeMap<Purpose, Vec<Secret<[u8; 32]>>>,
}

impl Keyring {
    /// Makes fresh keys for everything.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut keyring = Self { parts: BTreeMap::new(), purposes: BTreeMap::new() };
        keyring.complete(random);
        keyring
    }

    /// Adds a key wherever there is none; says whether it did.
    fn complete(&mut self, random: &dyn Random) -> bool {
        let fresh = || {
            let mut bytes = [0_u8; 32];
            random.fill(&mut bytes);
            Secret::new(bytes)
        };
        let mut added = false;
        for part in PartName::ALL {
            self.parts.entry(*part).or_insert_with(|| {
                added = true;
                vec![fresh()]
            });
        }
        for purpose in Purpose::ALL {
            self.purposes.entry(purpose).or_insert_with(|| {
                added = true;
                vec![fresh()]
            });
        }
        added
    }

    /// Opens the keyring of a data directory, making the file (0600) or its missing keys.
    ///
    /// # Errors
    /// When the file cannot be read, written or understood.
    pub fn open(path: &Path, random: &dyn Random) -> Result<Self, Error> {
        let mut keyring = Self::read(path)?;
        if keyring.complete(random) {
            // Parts that start at once make one keyring, not each its own: whoever comes second reads
            // what the first one wrote.
            let file = |source| Error::File { path: path.display().to_string(), source };
            let _alone = alone(&path.with_extension("lock")).map_err(file)?;
            keyring = Self::read(path)?;
            if keyring.complete(random) {
                keyring.save(path).map_err(file)?;
            }
        }
        Ok(keyring)
    }

    /// What the file holds; nothing when there is none.
    fn read(path: &Path) -> Result<Self, Error> {
        let damaged = |problem| Error::Damaged { path: path.display().to_string(), problem };
        let stored = match fs::read_to_string(path) {
            Ok(text) => {
                toml::from_str::<Stored>(&text).map_err(|error| damaged(error.message().to_owned()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Stored::default(),
            Err(source) => return Err(Error::File { path: path.display().to_string(), source }),
        };
        Self::restore(&stored).map_err(damaged)
    }

    fn restore(stored: &Stored) -> Result<Self, String> {
        let keys = |name: &str, texts: &[String]| -> Result<Vec<Secret<[u8; 32]>>, String> {
            texts
                .iter()
                .map(|text| {
                    let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
                    bytes.map(Secret::new).ok_or_else(|| format!("a key of {name} is not 32 bytes in base64"))
                })
                .collect()
        };
        let mut keyring = Self { parts: BTreeMap::new(), purposes: BTreeMap::new() };
        for (name, texts) in &stored.parts {
            let part: PartName =
                name.parse().map_err(|error: souk_types::access::UnknownPart| error.to_string())?;
            keyring.parts.insert(part, keys(name, texts)?);
        }
        for (name, texts) in &stored.purposes {
            let purpose = Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == name);
            let purpose = purpose.ok_or_else(|| format!("no purpose is called {name:?}"))?;
            keyring.purposes.insert(purpose, keys(name, texts)?);
        }
        Ok(keyring)
    }

    fn save(&self, path: &Path) -> io::Result<()> {
        let texts =
            |keys: &Vec<Secret<[u8; 32]>>| keys.iter().map(|key| STANDARD.encode(key.expose())).collect();
        let stored = Stored {
            parts: self.parts.iter().map(|(part, keys)| (part.to_string(), texts(keys))).collect(),
            purposes: self
                .purposes
                .iter()
                .map(|(purpose, keys)| (purpose.as_str().to_owned(), texts(keys)))
                .collect(),
        };
        let text = toml::to_string(&stored).map_err(io::Error::other)?;
        write_private(path, text.as_bytes())
    }

    /// The part's key pair that signs.
    pub(crate) fn signer(&self, part: PartName) -> Option<Ed25519KeyPair> {
        let seed = self.parts.get(&part)?.first()?;
        Ed25519KeyPair::from_seed_unchecked(seed.expose()).ok()
    }

    /// Whether one of the part's keys made the signature.
    pub(crate) fn verify(&self, part: PartName, message: &[u8], signature: &[u8]) -> bool {
        self.parts.get(&part).into_iter().flatten().any(|seed| {
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).is_ok_and(|pair| {
                UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref())
                    .verify(message, signature)
                    .is_ok()
            })
        })
    }

    /// The secrets of a purpose, the one in use first.
    #[must_use]
    pub fn secrets(&self, purpose: Purpose) -> Vec<[u8; 32]> {
        self.purposes.get(&purpose).into_iter().flatten().map(|secret| *secret.expose()).collect()
    }
}

/// Waits until nobody else holds the lock file; holds it until dropped.
fn alone(path: &Path) -> io::Result<fs::File> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Writes a file that only its owner may read, whole or not at all: a new file beside it is flushed and
/// renamed over it.
///
/// # Errors
/// What the system says.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::clock::MachineRandom;

    #[test]
    fn who_starts_at_once_shares_one_keyring() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        let open = || Keyring::open(&path, &MachineRandom::default()).unwrap().secrets(Purpose::Page);
        let all: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..9).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|secrets| *secrets == all[0]));
        assert_eq!(open(), all[0]);
    }

    #[test]
    fn the_file_is_private_and_keeps_the_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        let first = Keyring::open(&path, &MachineRandom::default()).unwrap();
        let again = Keyring::open(&path, &MachineRandom::default()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first.secrets(Purpose::Page), again.secrets(Purpose::Page));
        let signed = first.signer(PartName::Runs).unwrap().sign(b"text");
        assert!(again.verify(PartName::Runs, b"text", signed.as_ref()));
        assert!(!again.verify(PartName::Billing, b"text", signed.as_ref()), "one key a part");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keyring");
        fs::write(&path, "[parts]\nnobody = []\n").unwrap();
        let error = Keyring::open(&path, &MachineRandom::default()).err().unwrap().to_string();
        assert!(error.contains("nobody") && error.contains("keyring"), "{error}");
    }
}
