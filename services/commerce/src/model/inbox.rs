//! The inbox: deliveries kept as they came, and what became of each.

use souk_types::id::ShopId;

/// A delivery that was proven and is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The shop that signed it.
    pub shop_id: ShopId,
    /// SHA-256 of the body in hex: with the shop, its name.
    pub body_hash: String,
    /// The event header's value.
    pub event: String,
    /// The exact bytes that were signed.
    pub body: Vec<u8>,
}

/// A delivery that waits for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The delivery.
    pub delivery: Delivery,
    /// How often it was tried in vain.
    pub attempts: i64,
}

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Taken in, with what the ingest answered.
    Taken(String),
    /// Kept for somebody to act on.
    Parked {
        /// The stable name of the reason.
        reason: String,
        /// What was found.
        detail: String,
    },
}
