//! What a secret store can refuse. No error holds a value; paths of the machine stay in the cause.

use std::{io, time::Duration};

use souk_types::{Fault, Reason};

use crate::{Path, Version};

/// When trying again makes sense.
const RETRY: Duration = Duration::from_secs(1);

/// Why a secret was not kept or given.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is kept under the path, or not this version of it (any more).
    #[error("no secret at {path}")]
    NotFound {
        /// The path.
        path: Path,
        /// The version, where one was named.
        version: Option<Version>,
    },
    /// Another version came first.
    #[error("{path} has the version {newest}")]
    Conflict {
        /// The path.
        path: Path,
        /// The newest version it has.
        newest: Version,
    },
    /// The root key is not the one that the data keys were wrapped with.
    #[error(
        "the root key in {root} is not the one that the secrets of {owner} are sealed with: put the right file back"
    )]
    WrongRootKey {
        /// The root key's file.
        root: String,
        /// Whose secrets.
        owner: String,
    },
    /// There are secrets and no root key; a fresh one would open none of them.
    #[error("the root key {root} is missing, but there are secrets: put the file back")]
    RootKeyMissing {
        /// The root key's file.
        root: String,
    },
    /// The root key's file may be read by others, or holds no keys.
    #[error("the root key {root} {problem}")]
    BadRootKey {
        /// The root key's file.
        root: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// What is stored was changed, cut off or moved from elsewhere; none of it is given out.
    #[error("{file} is damaged or stands in a place that is not its own: restore it from a backup")]
    Damaged {
        /// Which file.
        file: String,
    },
    /// A file could not be read or written.
    #[error("{file}: {source}")]
    File {
        /// Which file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// The store broke; a bug.
    #[error("the secret store lost its way: {0}")]
    Broken(&'static str),
}

impl Error {
    /// The fault a caller of `service` sees.
    #[must_use]
    pub fn into_fault(self, service: &'static str) -> Fault {
        match self {
            Self::NotFound { path, version } => {
                let version = version.map_or_else(|| "newest".to_owned(), |version| version.to_string());
                Fault::new(Reason::SecretNotFound, service, format!("no secret at {path}"))
                    .with("path", path)
                    .with("version", version)
            }
            Self::Conflict { path, .. } => {
                Fault::new(Reason::Unavailable, service, "another change of the secret came first")
                    .with("path", path)
                    .retry_in(RETRY)
            }
            broken @ Self::Broken(_) => Fault::bug(service, broken),
            other => Fault::new(
                Reason::Unavailable,
                service,
                "the secret store cannot be opened; its log says why",
            )
            .retry_in(RETRY)
            .because(other),
        }
    }
}
