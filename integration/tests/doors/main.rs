//! Every method of the platform over the wire: who may call it (`matrix`), and that a command takes effect
//! once (`idempotency`). What each method is called with stands in `cases`; who may call it stands in
//! `expected.txt`, written by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why on standard output"
)]

mod cases;
mod expected;
#[expect(dead_code, reason = "the house suite uses the rest of it")]
#[path = "../house/harness.rs"]
mod harness;
mod headers;
mod idempotency;
mod keys;
mod matrix;
mod mutants;
mod plans;
mod quiet;
mod tables;
mod tokens;
mod wire;
mod world;
