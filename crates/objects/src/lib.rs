//! The object store: artifacts, each under the name of its own content.
//!
//! A directory today, S3 behind the same calls later. Only catalog writes; whoever reads hashes again, so
//! that a changed byte is never executed. Nothing here knows what an artifact holds.

mod error;
mod hash;

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;
use object_store::{
    GetOptions, ObjectStore, PutMode, PutOptions, PutPayload, local::LocalFileSystem, path::Path as Key,
};

pub use crate::{
    error::Error,
    hash::{BadHash, Hash},
};

/// One object store. Cheap to clone.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Objects {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Objects({})", self.store)
    }
}

impl Objects {
    /// Opens the store in a directory, made when absent. What is put there is flushed to the disk.
    ///
    /// # Errors
    /// When the directory cannot be made or read.
    pub async fn open_dir(dir: &Path) -> Result<Self, Error> {
        tokio::fs::create_dir_all(dir).await.map_err(Error::directory)?;
        let store = LocalFileSystem::new_with_prefix(dir)?.with_fsync(true);
        Ok(Self { store: Arc::new(store) })
    }

    /// Keeps an artifact under its hash: whole or not at all, and the same again when it is there, which
    /// also mends one that was damaged.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn put_artifact(&self, content: Bytes) -> Result<Hash, Error> {
        let hash = Hash::of(&content);
        let replace = PutOptions { mode: PutMode::Overwrite, ..PutOptions::default() };
        self.store.put_opts(&key(&hash), PutPayload::from_bytes(content), replace).await?;
        Ok(hash)
    }

    /// The artifact of this hash, hashed again.
    ///
    /// # Errors
    /// `Error::Missing`, or `Error::Corrupt` when the content is not what the name says.
    pub async fn get_artifact(&self, hash: &Hash) -> Result<Bytes, Error> {
        let found = self.store.get_opts(&key(hash), GetOptions::default()).await;
        let content = match found {
            Ok(found) => found.bytes().await?,
            Err(object_store::Error::NotFound { .. }) => return Err(Error::Missing(hash.clone())),
            Err(error) => return Err(error.into()),
        };
        if Hash::of(&content) == *hash { Ok(content) } else { Err(Error::Corrupt(hash.clone())) }
    }
}

fn key(hash: &Hash) -> Key {
    Key::from_iter(["artifacts", "sha256", hash.as_str()])
}

#[cfg(test)]
mod tests;
