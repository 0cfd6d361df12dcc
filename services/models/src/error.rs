//! What can go wrong with an endpoint, and how a caller is told. No error holds a key or quotes a URL that
//! was refused.

use std::time::Duration;

use souk_types::{Fault, Reason, Violation};

use crate::model::BadAddress;

/// The service that faults name.
pub(crate) const DOMAIN: &str = "models";
/// When trying again makes sense.
const RETRY: Duration = Duration::from_secs(1);

/// Why a command had no effect, or an endpoint is not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No endpoint has this name.
    #[error("no model endpoint is called {name}: souk model add {name} --url URL --key-file FILE")]
    NotFound {
        /// The name that was asked for.
        name: String,
    },
    /// The URL would lose the key, or is none.
    #[error(transparent)]
    BadAddress(#[from] BadAddress),
    /// The URL changed to another host, and the kept key was given for the old one.
    #[error("the key that is kept was given for another host: give the key for this one")]
    KeyNeeded,
    /// Others change the endpoint at the same time.
    #[error("others change the endpoint {name} at the same time")]
    Contended {
        /// Its name.
        name: String,
    },
    /// The secret store failed.
    #[error(transparent)]
    Secrets(#[from] souk_secrets::Error),
    /// The database failed, or the request id stands for another command.
    #[error(transparent)]
    Db(#[from] souk_db::Error),
    /// What must hold does not.
    #[error("broken invariant: {0}")]
    Broken(&'static str),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault = |reason| Self::new(reason, DOMAIN, message.clone());
        match error {
            Error::NotFound { name } => fault(Reason::ModelEndpointNotFound).with("name", name),
            Error::BadAddress(why) => Self {
                violations: vec![Violation::new("url", why.to_string())],
                ..fault(Reason::EndpointUrlInvalid)
            },
            Error::KeyNeeded => Self::invalid(DOMAIN, vec![Violation::new("api_key", message)]),
            Error::Contended { name } => fault(Reason::Unavailable).with("name", name).retry_in(RETRY),
            Error::Secrets(error) => error.into_fault(DOMAIN),
            Error::Db(error) => error.into_fault(DOMAIN),
            broken @ Error::Broken(_) => Self::bug(DOMAIN, broken),
        }
    }
}
