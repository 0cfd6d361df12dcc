//! What an object store can refuse.
//!
//! Paths of the machine stay in the cause, for the log; a caller sees hashes only.

use std::time::Duration;

use souk_types::{Fault, Reason};

use crate::Hash;

/// When trying again makes sense.
const RETRY: Duration = Duration::from_secs(1);

/// Why an artifact was not kept or given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No artifact has this hash.
    #[error("no artifact {0}")]
    Missing(Hash),
    /// The content is not what the name says; it must not be used.
    #[error("artifact {0} does not have the content that its name says")]
    Corrupt(Hash),
    /// The store does not answer, is full or refuses.
    #[error("the object store does not answer")]
    Store(#[from] object_store::Error),
}

impl Error {
    pub(crate) fn directory(error: std::io::Error) -> Self {
        Self::Store(object_store::Error::Generic { store: "directory", source: error.into() })
    }

    /// The fault a caller of `service` sees.
    #[must_use]
    pub fn into_fault(self, service: &'static str) -> Fault {
        let message = self.to_string();
        let fault = |reason| Fault::new(reason, service, message.clone());
        match self {
            Self::Missing(hash) => fault(Reason::ArtifactNotFound).with("hash", hash),
            Self::Corrupt(hash) => fault(Reason::ArtifactCorrupt).with("hash", hash),
            Self::Store(error) => fault(Reason::Unavailable).retry_in(RETRY).because(error),
        }
    }
}

impl From<Error> for Fault {
    /// For code that has no service of its own; services say `into_fault("catalog")`.
    fn from(error: Error) -> Self {
        error.into_fault("objects")
    }
}
