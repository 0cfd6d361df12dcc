//! The runner from outside, in one binary: each test binary links the whole tree.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod api;
mod demo;
mod empty;
mod endpoints;
mod hostile;
mod models;
mod properties;
mod secrets;
mod trial;
mod upstream;
mod vectors;
