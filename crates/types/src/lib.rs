//! The words that every part of souk shares: ids, credits, time, callers, scopes and faults.
//!
//! Nothing here does I/O, knows the wire (tonic, prost) or the table (sea-orm). What only one service
//! says stays in that service.

pub mod access;
pub mod call;
pub mod clock;
pub mod credits;
pub mod event;
pub mod fault;
pub mod id;
pub mod page;
pub mod reason;
pub mod secret;

pub use access::{Caller, Membership, PartName, PlatformRole, Role, Scope, Scopes};
pub use call::{Acting, Call, Trace};
pub use clock::{Clock, Random, Time};
pub use credits::Credits;
pub use event::Event;
pub use fault::{Class, Fault, Violation};
pub use id::*;
pub use reason::Reason;
pub use secret::Secret;
