//! What lies under `gen/` and `docs/errors/` is what the generator makes today.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

#[test]
fn generated_files_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let files = xtask::generate(&root).unwrap();
    let drift = xtask::drift(&root, &files).unwrap();
    assert!(drift.is_empty(), "run `cargo run -p xtask -- gen`:\n{}", drift.join("\n"));
}

#[test]
fn generating_twice_gives_identical_bytes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    assert!(xtask::generate(&root).unwrap() == xtask::generate(&root).unwrap());
}
