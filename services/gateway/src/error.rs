//! What can go wrong at the door.

use souk_kit::Refusal;
use souk_types::{Fault, Reason};

/// Why a caller is not let through.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The credential is not one of souk's, or no longer.
    #[error("the credential is not one that souk made, or was revoked")]
    CredentialInvalid,
    /// The credential's time is over.
    #[error("the credential has expired")]
    CredentialExpired,
    /// The credential stands for less than when the call began.
    #[error("the credential reaches less than when the call began: begin it again")]
    CredentialLess,
    /// The caller has no session to make a token of.
    #[error("the caller has no session: an API key needs no token")]
    NoSession,
    /// A page of another origin used the session cookie.
    #[error("a page of another origin may not use the session cookie")]
    OriginRefused,
    /// The caller holds as many calls and watches as one may.
    #[error("the caller holds as many calls and watches at once as one may")]
    ShareHeld,
    /// A method does not exist outside.
    #[error("no such method")]
    NoMethod {
        /// The path that was called.
        path: String,
    },
    /// No instance is reached at this host and path.
    #[error("no instance is reached at this host and path")]
    RouteNotFound,
    /// What is applied is not known at present.
    #[error("which instances are reached here is not known at present")]
    RoutesStale,
    /// Delivery refused or is away.
    #[error(transparent)]
    Delivery(Refusal),
    /// Tenancy refused or is away.
    #[error(transparent)]
    Tenancy(#[from] Refusal),
    /// The local issuer's key cannot be used.
    #[error("the local issuer's key cannot be used: {0}")]
    Key(String),
}

impl Error {
    /// Whether asking again would say the same: the credential itself is at its end.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::CredentialInvalid | Self::CredentialExpired => true,
            Self::Tenancy(refusal) => refusal.is(Reason::TokenInvalid) || refusal.is(Reason::TokenExpired),
            _ => false,
        }
    }

    /// Whether the credential's time is over, rather than that it never stood for anybody.
    pub(crate) fn is_expiry(&self) -> bool {
        match self {
            Self::CredentialExpired => true,
            Self::Tenancy(refusal) => refusal.is(Reason::TokenExpired),
            _ => false,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let reason = match error {
            Error::CredentialInvalid | Error::CredentialLess | Error::NoSession => Reason::TokenInvalid,
            Error::CredentialExpired => Reason::TokenExpired,
            Error::OriginRefused => Reason::OriginRefused,
            Error::ShareHeld => {
                let fault = Self::new(Reason::TooManyRequests, "gateway", text);
                return fault.retry_in(std::time::Duration::from_secs(1));
            }
            Error::NoMethod { path } => {
                return Self::new(Reason::Unimplemented, "gateway", text).with("method", path);
            }
            Error::RouteNotFound => Reason::RouteNotFound,
            Error::RoutesStale => {
                let fault = Self::new(Reason::Unavailable, "gateway", text);
                return fault.retry_in(std::time::Duration::from_secs(1));
            }
            Error::Tenancy(refusal) | Error::Delivery(refusal) => return refusal.into(),
            Error::Key(_) => return Self::bug("gateway", text),
        };
        Self::new(reason, "gateway", text)
    }
}
