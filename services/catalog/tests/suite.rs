//! The catalogue through a real mesh, on every engine, with a fake runner and a fake billing beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and starts its own tasks"
)]

mod suite {
    pub(crate) mod billing;
    pub(crate) mod desk;
    mod hostile;
    mod life;
    mod offerings;
    mod publish;
    mod read;
    mod review;
    pub(crate) mod runner;
}
