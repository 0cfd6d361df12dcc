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

#[test]
fn every_rule_is_found_by_its_path() {
    assert!(souk_proto::RULES.is_sorted_by_key(|rule| rule.path));
    for rule in souk_proto::RULES {
        assert_eq!(souk_proto::rule(rule.path), Some(rule));
    }
    assert_eq!(souk_proto::rule("/souk.billing.v1.BillingService/Mint"), None);
}
