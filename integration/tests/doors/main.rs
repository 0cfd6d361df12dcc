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
mod headers;
mod idempotency;
mod keys;
mod matrix;
mod mutants;
mod plans;
mod program;
mod quiet;
mod tables;
mod tokens;
mod wire;
mod world;
