//! The root key's file: the key in use first, then those that are on their way out, a line each in hex.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use souk_types::Random;
use zeroize::Zeroizing;

use super::{
    cipher::{ID, Key},
    file,
};
use crate::Error;

/// The root keys, the one in use first.
#[derive(Clone)]
pub(super) struct Roots(Vec<Key>);

impl Roots {
    /// Reads the file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let bad = |problem| Error::BadRootKey { root: path.display().to_string(), problem };
        let Some(bytes) = file::read(path)?.map(Zeroizing::new) else { return Ok(None) };
        let known = fs::metadata(path).map_err(|error| file::failed(path, error))?;
        if known.permissions().mode() & 0o077 != 0 {
            return Err(bad("may be read by others: chmod 600 it"));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("is no text"))?;
        let keys = text.lines().map(|line| {
            let bytes = Zeroizing::new(hex::decode(line.trim()).ok()?);
            Key::from_bytes(&bytes)
        });
        match keys.collect::<Option<Vec<Key>>>() {
            Some(keys) if !keys.is_empty() => Ok(Some(Self(keys))),
            _ => Err(bad("holds no keys: a line each of 64 hex digits")),
        }
    }

    /// A fresh key in its file. The caller is alone.
    pub(super) fn make(path: &Path, random: &dyn Random) -> Result<Self, Error> {
        let roots = Self(vec![Key::fresh(random)]);
        roots.write(path)?;
        Ok(roots)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let mut text = Zeroizing::new(String::with_capacity(self.0.len() * 65));
        for key in &self.0 {
            text.push_str(&Zeroizing::new(hex::encode(key.bytes())));
            text.push('\n');
        }
        file::write(path, text.as_bytes())
    }

    /// The same with a fresh key in front.
    pub(super) fn with_fresh(&self, random: &dyn Random) -> Self {
        Self(std::iter::once(Key::fresh(random)).chain(self.0.iter().cloned()).collect())
    }

    /// The key in use alone.
    pub(super) fn only_newest(&self) -> Self {
        Self(self.0.iter().take(1).cloned().collect())
    }

    pub(super) fn in_use(&self) -> Option<&Key> {
        self.0.first()
    }

    pub(super) fn named(&self, id: &[u8]) -> Option<&Key> {
        let id = <[u8; ID]>::try_from(id).ok()?;
        self.0.iter().find(|key| key.id() == id)
    }
}
