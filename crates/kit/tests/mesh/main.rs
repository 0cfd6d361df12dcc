//! The mesh stack itself: two small fakes as parts, everything else as it is in production.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod access;
mod bench;
mod calls;
mod drain;
mod events;
mod holds;
mod retries;
mod socket;
mod watches;
