//! The core of billing: nouns and pure decisions. No I/O, no clock, no randomness, no floats.
//!
//! # Invariants
//! They hold after every command, in every order, under duplicates and hostile amounts:
//!
//! 1. **Σ = 0.** The lines of each [`ledger::Entry`] sum to zero, so those of the whole ledger do.
//! 2. **A wallet is its lots.** `wallet.available = Σ lots.available`, `wallet.reserved = Σ lots.reserved`,
//!    and their sum (the *balance*) = Σ of the ledger lines on the wallet's book.
//! 3. **A lot's reserved part is held.** `lot.reserved = Σ` of the allocations on it of OPEN reservations;
//!    an OPEN reservation's allocations sum to its budget.
//! 4. **Nothing below zero**: available and reserved of wallets and lots, budgets, charges, overruns; and
//!    `available + reserved + reversed ≤ original` and `pending ≤ reserved` for each lot.
//! 5. **No effect twice.** A reservation has at most one receipt; a second Settle is answered by the first
//!    one's. An id in use makes nothing new. (Repeats of a `request_id` never reach the core.)
//! 6. **A receipt adds up.** `charged + overrun = cost`, and only a wallet without anything left to charge
//!    leaves an overrun to the platform.
//! 7. **All or nothing.** A command that is refused with an error changes no row; a batch of n has the effect
//!    and the answers of n batches of one at the same moment.
//! 8. **The sweeps decide nothing.** No command spends, reserves or takes back credits of an expired lot, swept
//!    or not; and what becomes of a reservation whose time is over is the same whether or not it was swept.
//! 9. **Every edge is told once.** Facts of a wallet that became empty and of one that no longer is take turns.
//!
//! # The order of burning
//! Lower priority number first, then the lot that expires first (never comes last), then the older one.
//! A lot past its expiry reserves nothing more, but what it had reserved before stays good; its free rest,
//! and what is given back to it later, is posted to `platform:expired` by a sweep.
//!
//! # Reversal
//! Takes back the free part of a lot at once. Of the reserved part it is kept on the lot how much is *pending*:
//! whatever reservations give back goes there first, and what they consume is never taken back.

pub mod ask;
pub mod command;
pub mod decide;
pub mod facts;
pub mod ledger;
pub mod lots;
pub mod pricing;
pub mod purse;
pub mod state;

use souk_types::{
    Credits, Time,
    id::{InstanceId, LedgerEntryId, OrgId, ReceiptId, ReservationId, WalletId},
};

use self::{lots::Allocation, pricing::Usage};
use crate::error::Error;

/// A text is none of the words of an enum; says which enum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {of}")]
pub struct UnknownWord {
    /// The enum.
    pub of: &'static str,
    /// The text.
    pub text: String,
}

/// Makes an enum whose values are words in tables and on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$of])* $value,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$value,)+];

            /// The word, as it stands in tables and events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::model::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$value),)+
                    other => Err($crate::model::UnknownWord { of: stringify!($name), text: other.to_owned() }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Whether a wallet may be spent from.
    WalletState {
        /// Spends.
        Active = "ACTIVE",
        /// Authorizes nothing; open reservations still settle, and top-ups still arrive.
        Frozen = "FROZEN",
    }
}

words! {
    /// Whether an instance may spend.
    AccountState {
        /// Spends.
        Active = "ACTIVE",
        /// Authorizes nothing until it is active again (the instance is paused).
        Frozen = "FROZEN",
        /// Authorizes nothing ever again (the instance is terminated). Final.
        Closed = "CLOSED",
    }
}

words! {
    /// Where a reservation stands.
    ReservationState {
        /// Holds its credits.
        Open = "OPEN",
        /// Charged; has a receipt. Final.
        Settled = "SETTLED",
        /// Given back unused. Final.
        Released = "RELEASED",
        /// Given back because its time ran out; a late Settle charges what is available.
        Expired = "EXPIRED",
    }
}

/// The credits of one org.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wallet {
    /// Its id.
    pub wallet_id: WalletId,
    /// The org that owns it; each org has one.
    pub org_id: OrgId,
    /// Whether it may be spent from.
    pub state: WalletState,
    /// Free to be reserved, summed over the lots.
    pub available: Credits,
    /// Held by open reservations, summed over the lots.
    pub reserved: Credits,
    /// When it was opened.
    pub create_time: Time,
    /// Counts the changes of this row from 1; the etag.
    pub version: i64,
}

impl Wallet {
    /// What the wallet's book says: available and reserved together.
    ///
    /// # Errors
    /// [`Error::Broken`] when the sum does not fit, which no command lets happen.
    pub fn balance(&self) -> Result<Credits, Error> {
        self.available.plus(self.reserved).ok_or(Error::Broken("wallet balance out of range"))
    }
}

/// An instance's spending right on a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The instance; each has one account.
    pub instance_id: InstanceId,
    /// The org of wallet and instance.
    pub org_id: OrgId,
    /// Where it spends from.
    pub wallet_id: WalletId,
    /// Content hash of the price schedule that new reservations are priced by.
    pub schedule_hash: String,
    /// Whether it may spend.
    pub state: AccountState,
    /// When it was opened.
    pub create_time: Time,
    /// Counts the changes of this row from 1; the etag.
    pub version: i64,
}

/// Credits authorized for one piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub reservation_id: ReservationId,
    /// The org of the wallet.
    pub org_id: OrgId,
    /// The wallet it holds credits of.
    pub wallet_id: WalletId,
    /// The instance that spends.
    pub instance_id: InstanceId,
    /// Content hash of the price schedule its usage is priced by, whatever the account's is later.
    pub schedule_hash: String,
    /// What caused it, in the caller's own words (a run's id); may be empty.
    pub source_ref: String,
    /// What was reserved.
    pub budget: Credits,
    /// The lots it took, in burn order; held while OPEN, a record after that.
    pub allocations: Vec<Allocation>,
    /// Where it stands.
    pub state: ReservationState,
    /// When it was authorized.
    pub create_time: Time,
    /// From this moment on it no longer holds its credits.
    pub expire_time: Time,
    /// When it came to its present end; `None` while OPEN.
    pub close_time: Option<Time>,
    /// Counts the changes of this row from 1; the etag.
    pub version: i64,
}

impl Reservation {
    /// The same reservation, one version later, in another state.
    #[must_use]
    pub(crate) fn closed(&self, state: ReservationState, now: Time) -> Self {
        Self { state, close_time: Some(now), version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Whether it holds credits although its time is over.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        self.state == ReservationState::Open && self.expire_time <= now
    }
}

/// What one settled reservation cost. Never changes, hence no version.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Receipt {
    /// Its id.
    pub receipt_id: ReceiptId,
    /// The org that paid.
    pub org_id: OrgId,
    /// The wallet that paid.
    pub wallet_id: WalletId,
    /// The instance that spent.
    pub instance_id: InstanceId,
    /// The reservation it settles; one receipt each.
    pub reservation_id: ReservationId,
    /// The ledger entry that books it.
    pub ledger_entry_id: LedgerEntryId,
    /// Content hash of the price schedule that priced it.
    pub schedule_hash: String,
    /// The usage as it was reported.
    pub usage: Vec<Usage>,
    /// The price of the usage, rounded up once.
    pub cost: Credits,
    /// What the wallet paid.
    pub charged: Credits,
    /// What the platform bore, because the wallet had no more.
    pub overrun: Credits,
    /// The lots that paid, in the order of burning.
    pub charges: Vec<Allocation>,
    /// The wallet's balance after it (available + reserved).
    pub balance: Credits,
    /// Whether the reservation had expired before it was settled.
    pub late: bool,
    /// When it was settled.
    pub create_time: Time,
}

#[cfg(test)]
pub(crate) mod tests;
