//! What must hold for every input, however bent. One binary, so that `just fuzz` runs all of it side by side.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod flow;
mod page;
mod signature;
#[path = "../../../../services/commerce/tests/support/signer.rs"]
mod signer;
mod token;

use std::{fs, path::Path};

/// A file of another crate's recorded fixtures.
fn recorded(path: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services").join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
