//! Commerce whole: deliveries through its door, on both engines, with fakes of the parts that it calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../support/capture.rs"]
#[expect(dead_code, reason = "another test target uses the rest")]
mod capture;
mod contract;
mod crashes;
mod door;
mod fakes;
mod genuine;
mod healing;
#[path = "../support/signer.rs"]
mod signer;
mod town;
