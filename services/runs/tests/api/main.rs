//! The part as others meet it: through a mesh, with peers that keep books on what they are asked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking and spawns its own tasks"
)]

mod bank;
mod budget;
mod cancel;
mod engine;
mod kills;
mod limits;
mod runs;
mod shelf;
mod watch;
mod world;
