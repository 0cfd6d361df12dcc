//! The whole platform as its users have it: the program started on an empty directory, spoken to from
//! outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says why on standard output"
)]

mod addresses;
mod apart;
mod backup;
mod clients;
mod crash;
mod explain;
mod flows;
mod harness;
mod hostile;
mod journey;
mod kill;
mod orders;
mod readme;
mod shapes;
mod shop;
#[path = "../../../services/commerce/tests/support/signer.rs"]
mod signer;
mod tables;
