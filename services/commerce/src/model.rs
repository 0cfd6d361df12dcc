//! What an order says, and what follows from it: pure functions over plain values.
//!
//! No I/O, no clock, no database here, ever. `plan::plan` is the one decision; everything else is the words it
//! is made of. Given the same known order, snapshot and lookups it answers the same, and it is written so
//! that deliveries may come twice, late or in any order:
//! - the version of an order is the greatest `(updated_at, issued_at, digest)` seen;
//! - a pinned line never changes: not by later links, not by later mappings, not by later snapshots;
//! - lines are judged only by the newest snapshot, and only once the order is settled.

pub mod amount;
pub mod backoff;
pub mod command;
pub mod inbox;
pub mod mapping;
pub mod order;
pub mod owner;
pub mod parking;
pub mod plan;
pub mod record;
pub mod shop;
pub mod snapshot;

pub use amount::Amount;
pub use mapping::Mapping;
pub use order::Order;
pub use owner::Owner;
pub use parking::Parked;
pub use plan::{Plan, plan};
pub use record::Record;
pub use shop::Shop;
pub use snapshot::Snapshot;
