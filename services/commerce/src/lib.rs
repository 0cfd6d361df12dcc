//! commerce: shops, signed orders, and what each paid order line turns into.
//!
//! `model` decides without I/O, `outside` speaks to foreign shop systems. A delivery is a signed snapshot
//! of an order, never a command: what happens follows from the snapshot and from what is known already.

pub mod error;
pub mod model;
pub mod outside;

pub use error::Error;
