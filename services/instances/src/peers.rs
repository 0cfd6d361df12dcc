//! The parts that instances call, in this service's own words. Request ids are derived from the row that a
//! call belongs to, so that a repeat after a crash is the same request.

pub(crate) mod billing;
pub(crate) mod catalog;
pub(crate) mod delivery;
pub(crate) mod tenancy;

use std::time::Duration;

use souk_kit::Refusal;
use souk_types::Reason;
use tonic::{Code, Request, Status};

use crate::model::Setback;

/// How long the loop waits for one answer: a part that hangs must not keep the other instances of a turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request of the loop.
fn within<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(PATIENCE);
    request
}

/// What a refused step means for the instance.
fn setback(part: &'static str, status: &Status) -> Setback {
    let refusal = Refusal::read(part, status);
    let known = Reason::ALL.iter().find(|reason| refusal.is(**reason));
    // An org's wallet comes with its workspace, which may be on its way.
    let waits = known == Some(&Reason::WalletNotFound);
    let permanent = !waits
        && matches!(
            refusal.code,
            Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::FailedPrecondition
                | Code::OutOfRange
                | Code::Unimplemented
        );
    match known {
        Some(reason) if permanent || waits => Setback {
            reason: camel(reason.as_str()),
            message: format!("{part}: {}", refusal.message),
            remedy: reason.remedy(),
            permanent,
        },
        None if permanent => Setback {
            reason: format!("{}Refused", camel(part)),
            message: format!("{part}: {}", refusal.message),
            remedy: "",
            permanent,
        },
        _ => Setback {
            reason: format!("{}Unavailable", camel(part)),
            message: format!("{part} does not answer; it is tried again"),
            remedy: "",
            permanent: false,
        },
    }
}

/// `SCHEDULE_NOT_FOUND` as `ScheduleNotFound`.
fn camel(words: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase())
    };
    words.split('_').map(word).collect()
}

#[cfg(test)]
mod tests {
    use souk_kit::status;
    use souk_types::Fault;

    use super::*;

    fn of(reason: Reason) -> Setback {
        setback("billing", &status(Fault::new(reason, "billing", "said no")))
    }

    #[test]
    fn what_nobody_mends_by_waiting_is_permanent() {
        for (reason, word, permanent) in [
            (Reason::ScheduleNotFound, "ScheduleNotFound", true),
            (Reason::AccountExists, "AccountExists", true),
            (Reason::RouteTaken, "RouteTaken", true),
            (Reason::InvalidArgument, "InvalidArgument", true),
            (Reason::WalletNotFound, "WalletNotFound", false),
            (Reason::Unavailable, "BillingUnavailable", false),
            (Reason::RequestInProgress, "BillingUnavailable", false),
            (Reason::Internal, "BillingUnavailable", false),
            (Reason::TokenExpired, "BillingUnavailable", false),
        ] {
            let setback = of(reason);
            assert_eq!((setback.reason.as_str(), setback.permanent), (word, permanent), "{reason:?}");
        }
        assert_eq!(of(Reason::ScheduleNotFound).remedy, Reason::ScheduleNotFound.remedy());
    }
}
