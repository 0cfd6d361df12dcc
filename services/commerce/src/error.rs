//! What can go wrong in commerce, and the fault each case becomes.
//!
//! A line that cannot be provisioned is no error: it is parked (`model::parking`). Here stand refusals of
//! a whole call or delivery.

use std::{collections::BTreeSet, time::Duration};

use souk_kit::Refusal;
use souk_types::{Fault, Reason, Violation, id::OfferingVersionId};

use crate::model::mapping::PlanRef;

/// The domain that faults of this service carry.
pub const DOMAIN: &str = "commerce";

/// An inner cause, kept for the log and never sent.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why commerce refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The delivery has no signature header.
    #[error("the delivery carries no signature")]
    SignatureMissing,
    /// The signature does not prove that the shop sent these bytes.
    #[error("the signature is not valid: {why}")]
    SignatureInvalid {
        /// What about it.
        why: &'static str,
    },
    /// The delivery is signed by another scheme than the one its shop is registered with.
    #[error("the delivery is not signed by {expected}")]
    SignatureScheme {
        /// The scheme that the shop is registered with.
        expected: &'static str,
    },
    /// No shop has this API URL.
    #[error("no shop is known by the API URL {api_url:?}")]
    ShopUnknown {
        /// The URL that the delivery named.
        api_url: String,
    },
    /// Event header, body and recipient do not agree.
    #[error("the {what} is {found:?} where {expected:?} is expected")]
    EventMismatch {
        /// What differs: the event or the recipient.
        what: &'static str,
        /// What the delivery says.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The body is not an order event of souk's subscription query.
    #[error("the body is not an order event: {why}")]
    PayloadUnreadable {
        /// What is wrong with it.
        why: String,
    },
    /// The delivery is larger than the cap.
    #[error("the delivery is larger than {limit} bytes")]
    BodyTooLarge {
        /// The cap in bytes.
        limit: usize,
    },
    /// The shop's keys cannot be had at present.
    #[error("the keys of the shop could not be fetched: {why}")]
    JwksUnavailable {
        /// What happened, without addresses.
        why: &'static str,
        /// When the next try may be made.
        retry_after: Duration,
        /// The inner cause.
        cause: Option<Cause>,
    },
    /// A document given as the shop's keys is not a key set.
    #[error("the key set is not usable: {why}")]
    JwksInvalid {
        /// What is wrong with it.
        why: String,
    },
    /// No shop has this id.
    #[error("no shop {shop_id}")]
    ShopNotFound {
        /// The id as it was asked for.
        shop_id: String,
    },
    /// A shop with this API URL exists.
    #[error("a shop with the API URL {api_url:?} exists")]
    ShopExists {
        /// The URL.
        api_url: String,
    },
    /// Plain http to something that is not this machine.
    #[error("the API URL {api_url:?} is plain http and not on this machine")]
    ShopUrlInsecure {
        /// The URL.
        api_url: String,
    },
    /// No order has this id.
    #[error("no order {order_id}")]
    OrderNotFound {
        /// The id as it was asked for.
        order_id: String,
    },
    /// The version has no such plan.
    #[error("the version {offering_version_id} has no plan {plan_id}")]
    PlanNotFound {
        /// The version.
        offering_version_id: OfferingVersionId,
        /// The plan as it was asked for.
        plan_id: String,
    },
    /// The version is a draft: nobody may take it.
    #[error("the version {offering_version_id} is not published")]
    VersionNotPublished {
        /// The version.
        offering_version_id: OfferingVersionId,
    },
    /// More deliveries at once than are taken.
    #[error("too many deliveries at once")]
    Overloaded,
    /// The catalogue must be asked for these before the snapshot can be judged; nothing was written.
    #[error("{} plans are not looked up yet", .0.len())]
    Wanted(BTreeSet<PlanRef>),
    /// Another part refused or is away.
    #[error(transparent)]
    Peer(#[from] Refusal),
    /// The database failed, or the request id stands for another command.
    #[error(transparent)]
    Db(#[from] souk_db::Error),
    /// Fields of a request are wrong.
    #[error("the request is not valid")]
    Invalid(Vec<Violation>),
    /// An invariant broke.
    #[error("internal error")]
    Bug(#[source] Cause),
}

impl Error {
    /// A body that cannot be read as an order event.
    pub fn unreadable(why: impl Into<String>) -> Self {
        Self::PayloadUnreadable { why: why.into() }
    }

    /// One wrong field.
    pub fn field(field: &'static str, description: impl Into<String>) -> Self {
        Self::Invalid(vec![Violation::new(field, description)])
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let fault = |reason| Self::new(reason, DOMAIN, message.clone());
        match error {
            Error::SignatureMissing => fault(Reason::SignatureMissing),
            Error::SignatureInvalid { why } => fault(Reason::SignatureInvalid).with("why", why),
            Error::SignatureScheme { expected } => fault(Reason::SignatureScheme).with("expected", expected),
            Error::ShopUnknown { api_url } => fault(Reason::ShopUnknown).with("apiUrl", api_url),
            Error::EventMismatch { what, found, expected } => fault(Reason::EventMismatch)
                .with("what", what)
                .with("found", found)
                .with("expected", expected),
            Error::PayloadUnreadable { why } => fault(Reason::PayloadUnreadable).with("why", why),
            Error::BodyTooLarge { limit } => fault(Reason::BodyTooLarge).with("limit", limit),
            Error::JwksUnavailable { why, retry_after, cause } => {
                let fault = fault(Reason::JwksUnavailable).with("why", why).retry_in(retry_after);
                match cause {
                    Some(cause) => fault.because(cause),
                    None => fault,
                }
            }
            Error::JwksInvalid { why } => Self::invalid(DOMAIN, vec![Violation::new("jwks", why)]),
            Error::ShopNotFound { shop_id } => fault(Reason::ShopNotFound).with("shopId", shop_id),
            Error::ShopExists { api_url } => fault(Reason::ShopExists).with("apiUrl", api_url),
            Error::ShopUrlInsecure { api_url } => fault(Reason::ShopUrlInsecure).with("apiUrl", api_url),
            Error::OrderNotFound { order_id } => fault(Reason::OrderNotFound).with("orderId", order_id),
            Error::PlanNotFound { offering_version_id, plan_id } => fault(Reason::PlanNotFound)
                .with("offeringVersionId", offering_version_id)
                .with("planId", plan_id),
            Error::VersionNotPublished { offering_version_id } => {
                fault(Reason::OfferingNotPublished).with("offeringVersionId", offering_version_id)
            }
            Error::Overloaded => fault(Reason::TooManyRequests).retry_in(Duration::from_secs(1)),
            Error::Wanted(_) => Self::bug(DOMAIN, message),
            Error::Peer(refusal) => refusal.into(),
            Error::Db(error) => error.into_fault(DOMAIN),
            Error::Invalid(violations) => Self::invalid(DOMAIN, violations),
            Error::Bug(cause) => Self::bug(DOMAIN, cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_types::Class;

    use super::*;

    #[test]
    fn a_missing_key_set_says_when_to_come_back() {
        let fault = Fault::from(Error::JwksUnavailable {
            why: "no answer",
            retry_after: Duration::from_secs(10),
            cause: Some("connection refused".into()),
        });
        assert_eq!((fault.reason, fault.class()), (Reason::JwksUnavailable, Class::Unavailable));
        assert_eq!(fault.retry_after, Some(Duration::from_secs(10)));
        assert!(!fault.message.contains("refused"), "an inner cause is not sent: {}", fault.message);
    }

    #[test]
    fn every_variable_of_a_message_is_in_the_metadata() {
        let fault = Fault::from(Error::EventMismatch {
            what: "event",
            found: "order_paid".to_owned(),
            expected: "order_updated".to_owned(),
        });
        for value in fault.metadata.values() {
            assert!(fault.message.contains(value), "{value} not in {}", fault.message);
        }
        assert_eq!(fault.metadata.len(), 3);
    }
}
