//! The secret store: values under paths, versioned as a KV v2 store keeps them.
//!
//! [`Store`] is the port; [`Sealed`] keeps it in files, a Vault driver will stand beside it and pass the
//! same contract suite. A value leaves only by [`Value::expose`]; nothing here logs, and no error quotes
//! what was stored.

mod error;
mod path;
mod sealed;
mod value;

use std::{ops::RangeInclusive, sync::Arc};

use async_trait::async_trait;

pub use crate::{
    error::Error,
    path::{BadPath, Path},
    sealed::Sealed,
    value::{BadValue, Value},
};

/// Which version of a secret: 1 is the first, and no number is ever used twice, deletion included.
pub type Version = u64;

/// How many versions of a secret are kept; a further one drops the oldest.
pub const KEPT_VERSIONS: usize = 10;

/// A secret store, whoever keeps it.
pub type Secrets = Arc<dyn Store>;

/// What a secret store does.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps a value as the next version and says which that is. With `newest` it does so only while that
    /// is the newest version (0: nothing was ever put there), which tells apart who comes first.
    ///
    /// # Errors
    /// [`Error::Conflict`] when `newest` is not the newest; otherwise what keeps the store from working.
    async fn put(&self, path: &Path, value: &Value, newest: Option<Version>) -> Result<Version, Error>;

    /// A version of a secret, or the newest.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such version (any more).
    async fn get(&self, path: &Path, version: Option<Version>) -> Result<(Value, Version), Error>;

    /// The number of the newest version that was ever put; 0 for none. Destroyed versions count.
    ///
    /// # Errors
    /// What keeps the store from working.
    async fn newest(&self, path: &Path) -> Result<Version, Error>;

    /// Destroys versions of a secret. What is not there (any more) is no error.
    ///
    /// # Errors
    /// What keeps the store from working.
    async fn destroy(&self, path: &Path, versions: RangeInclusive<Version>) -> Result<(), Error>;

    /// Destroys every version of a secret.
    ///
    /// # Errors
    /// What keeps the store from working.
    async fn delete(&self, path: &Path) -> Result<(), Error> {
        self.destroy(path, 1..=Version::MAX).await
    }
}
