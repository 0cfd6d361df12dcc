//! What can go wrong in billing, and how a caller is told.
//!
//! A refusal to spend (not enough credits, frozen, closed) is an answer of `Authorize`, never an error.

use std::{fmt, sync::Arc, time::Duration};

use souk_types::{
    Credits, Fault, Reason, Violation,
    id::{InstanceId, OrgId, ReceiptId, ReservationId, WalletId},
};

use crate::model::ReservationState;

/// Why a command had no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fields of the command are wrong; all of them are named.
    #[error("{} fields are wrong", .0.len())]
    Invalid(Vec<Violation>),
    /// An amount, or a sum that it would lead to, is not one that a wallet can hold.
    #[error("{field} is out of range")]
    AmountOutOfRange {
        /// The field, or the sum, that does not fit.
        field: &'static str,
    },
    /// A schedule's default estimate names a dimension that has no price in it.
    #[error("the price schedule has no dimension {dimension:?}")]
    DimensionUnknown {
        /// The dimension.
        dimension: String,
    },
    /// No such wallet within the caller's scope.
    #[error("no such wallet")]
    WalletNotFound(WalletId),
    /// No account for this instance within the caller's scope.
    #[error("the instance has no account")]
    AccountNotFound(InstanceId),
    /// No such reservation within the caller's scope.
    #[error("no such reservation")]
    ReservationNotFound(ReservationId),
    /// No price schedule has this content hash.
    #[error("no price schedule has this hash")]
    ScheduleNotFound(String),
    /// The org may be seen, the permission is missing.
    #[error("the permission is missing in this org")]
    Denied(OrgId),
    /// The account is closed, which is final.
    #[error("the account is closed")]
    AccountClosed(InstanceId),
    /// The instance has an account on another wallet or schedule.
    #[error("the instance has an account with other terms")]
    AccountExists(InstanceId),
    /// The reservation came to another end before.
    #[error("the reservation is {}", .state.as_str())]
    ReservationClosed {
        /// The reservation.
        reservation_id: ReservationId,
        /// Its end.
        state: ReservationState,
    },
    /// The wallet has no lot that was topped up from this.
    #[error("the wallet has no lot of this source")]
    LotNotFound {
        /// What was named.
        source_ref: String,
    },
    /// No such receipt within the caller's scope.
    #[error("no such receipt")]
    ReceiptNotFound(ReceiptId),
    /// The wallet does not have free what is to be taken from it.
    #[error("the wallet does not have that much free")]
    InsufficientCredits {
        /// What was to be taken.
        required: Credits,
        /// What is free.
        available: Credits,
    },
    /// A new noun was to get an id that is in use; ids come from us, so this is a fault of ours.
    #[error("id {0} is in use")]
    IdTaken(String),
    /// The database refused, failed or does not answer.
    #[error("{0}")]
    Database(Failure),
    /// The commit that carried the command broke off; it may have happened.
    #[error("the commit broke off")]
    BrokenOff,
    /// An invariant does not hold; nothing was changed.
    #[error("broken invariant: {0}")]
    Broken(&'static str),
}

/// What the database said. One failed commit answers several callers, hence shared.
#[derive(Clone, Debug)]
pub struct Failure(Arc<souk_db::Error>);

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Failure {}

impl Failure {
    /// Whether asking again later may help without anybody acting, however few commands are asked at once.
    pub(crate) fn is_transient(&self) -> bool {
        use souk_db::Error::{Conflict, Full, Unavailable};
        matches!(self.0.as_ref(), Unavailable(_) | Conflict(_) | Full(_))
    }

    fn into_fault(self) -> Fault {
        use souk_db::Error::{RequestIdReused, RequestInProgress};
        let transient = self.is_transient();
        match Arc::try_unwrap(self.0) {
            Ok(own) => own.into_fault(DOMAIN),
            Err(shared) => match shared.as_ref() {
                RequestIdReused { rpc, request_id } => {
                    RequestIdReused { rpc, request_id: request_id.clone() }.into_fault(DOMAIN)
                }
                RequestInProgress { rpc, request_id } => {
                    RequestInProgress { rpc, request_id: request_id.clone() }.into_fault(DOMAIN)
                }
                _ if transient => Fault::new(Reason::Unavailable, DOMAIN, shared.to_string())
                    .retry_in(RETRY)
                    .because(shared),
                _ => Fault::bug(DOMAIN, shared),
            },
        }
    }
}

impl From<souk_db::Error> for Error {
    fn from(error: souk_db::Error) -> Self {
        Self::Database(Failure(Arc::new(error)))
    }
}

impl Error {
    /// Whether the whole batch failed for what may be one command's fault.
    pub(crate) fn may_be_of_one(&self) -> bool {
        !matches!(self, Self::Database(failure) if failure.is_transient())
    }

    /// One wrong field.
    pub(crate) fn field(field: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }
}

/// The service that faults name.
pub(crate) const DOMAIN: &str = "billing";
/// When a caller whose commit failed asks again.
const RETRY: Duration = Duration::from_secs(1);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault = |reason| Self::new(reason, DOMAIN, message);
        match error {
            Error::Invalid(violations) => Self::invalid(DOMAIN, violations),
            Error::AmountOutOfRange { field } => fault(Reason::AmountOutOfRange).with("field", field),
            Error::DimensionUnknown { dimension } => {
                fault(Reason::DimensionUnknown).with("dimension", dimension)
            }
            Error::WalletNotFound(id) => fault(Reason::WalletNotFound).with("wallet_id", id),
            Error::AccountNotFound(id) => fault(Reason::AccountNotFound).with("instance_id", id),
            Error::ReservationNotFound(id) => fault(Reason::ReservationNotFound).with("reservation_id", id),
            Error::ScheduleNotFound(hash) => {
                fault(Reason::ScheduleNotFound).with("price_schedule_hash", hash)
            }
            Error::Denied(id) => fault(Reason::PermissionDenied).with("org_id", id),
            Error::AccountClosed(id) => fault(Reason::AccountClosed).with("instance_id", id),
            Error::AccountExists(id) => fault(Reason::AccountExists).with("instance_id", id),
            Error::ReservationClosed { reservation_id, state } => fault(Reason::ReservationClosed)
                .with("reservation_id", reservation_id)
                .with("state", state.as_str()),
            Error::LotNotFound { source_ref } => fault(Reason::LotNotFound).with("source_ref", source_ref),
            Error::ReceiptNotFound(id) => fault(Reason::ReceiptNotFound).with("receipt_id", id),
            Error::InsufficientCredits { required, available } => fault(Reason::InsufficientCredits)
                .with("required_micros", required.micros())
                .with("available_micros", available.micros()),
            Error::Database(failure) => failure.into_fault(),
            Error::BrokenOff => fault(Reason::Unavailable).retry_in(RETRY),
            broken @ (Error::IdTaken(_) | Error::Broken(_)) => Self::bug(DOMAIN, broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_types::Class;

    use super::*;

    #[test]
    fn a_fault_names_its_variables() {
        let id = ReservationId::from_bits(7);
        let fault =
            Fault::from(Error::ReservationClosed { reservation_id: id, state: ReservationState::Released });
        assert_eq!((fault.reason, fault.class()), (Reason::ReservationClosed, Class::Precondition));
        assert_eq!(fault.metadata.get("reservation_id"), Some(&id.to_string()));
        assert_eq!(fault.message, "the reservation is RELEASED");
    }

    #[test]
    fn a_broken_invariant_stays_inside() {
        let fault = Fault::from(Error::Broken("wallet below zero"));
        assert_eq!((fault.class(), fault.message.as_str()), (Class::Bug, "internal error"));
        assert!(fault.cause.is_some());
    }

    #[test]
    fn every_bad_field_is_named() {
        let both = vec![Violation::new("a", "bad"), Violation::new("b", "bad")];
        assert_eq!(Fault::from(Error::Invalid(both.clone())).violations, both);
    }
}
