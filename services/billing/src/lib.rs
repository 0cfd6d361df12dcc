//! billing: wallets, accounts, lots, reservations, the double-entry ledger and receipts.
//!
//! The core (`model`) decides and does no I/O; everything around it loads what the core needs, writes the
//! rows it answers and commits once per batch. Nothing but the core changes an amount.

pub mod error;
pub mod model;
