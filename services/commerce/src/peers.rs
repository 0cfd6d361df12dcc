//! The parts that commerce calls. Their messages go no further than these rooms.

mod billing;
mod catalog;
mod commerce;
mod instances;
mod tenancy;

use std::time::Duration;

use souk_kit::{House, Refusal};
use souk_types::Reason;
use tonic::Code;

use self::{billing::Billing, catalog::Catalog, commerce::Commerce, instances::Instances, tenancy::Tenancy};

/// The other parts, as commerce knows them.
#[derive(Clone)]
pub(crate) struct Peers {
    /// Which org a project is of.
    pub(crate) tenancy: Tenancy,
    /// What slugs stand for.
    pub(crate) catalog: Catalog,
    /// Makes instances.
    pub(crate) instances: Instances,
    /// Adds credits.
    pub(crate) billing: Billing,
    /// This part itself: what the shop adapter brings comes in by the same door as from elsewhere.
    pub(crate) commerce: Commerce,
}

impl Peers {
    pub(crate) fn new(house: &House) -> Self {
        Self {
            tenancy: Tenancy::new(house.clone()),
            catalog: Catalog::new(house.clone()),
            instances: Instances::new(house.clone()),
            billing: Billing::new(house.clone()),
            commerce: Commerce::new(house.clone()),
        }
    }
}

/// Why a call of a loop had no effect.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The same call may succeed later.
    Later {
        /// When the refuser asks to be called again.
        pause: Option<Duration>,
        /// What it said.
        why: String,
    },
    /// Refused until a person acts who does not tell us: looked at again at a slow pace.
    Waits {
        /// The stable reason.
        reason: String,
        /// What it said.
        why: String,
    },
    /// Refused for good, until somebody acts.
    Never {
        /// The stable reason.
        reason: String,
        /// What it said.
        why: String,
    },
}

impl From<Refusal> for Trouble {
    fn from(refusal: Refusal) -> Self {
        // A wallet is opened soon after its org, by another part's own loop.
        let soon = refusal.is(Reason::WalletNotFound);
        let refused = matches!(
            refusal.code,
            Code::InvalidArgument
                | Code::NotFound
                | Code::AlreadyExists
                | Code::PermissionDenied
                | Code::FailedPrecondition
                | Code::OutOfRange
        );
        let why = refusal.to_string();
        if refusal.is(Reason::OfferingPaused) {
            Self::Waits { reason: refusal.reason, why }
        } else if refused && !soon {
            let reason = if refusal.reason.is_empty() { refusal.code.to_string() } else { refusal.reason };
            Self::Never { reason, why }
        } else {
            Self::Later { pause: refusal.retry_after, why }
        }
    }
}
