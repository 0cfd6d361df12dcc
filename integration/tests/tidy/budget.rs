//! How much code each crate holds, tests not counted: when a shared crate is full, something leaves.

use std::collections::BTreeMap;

use super::{allowed::Finding, house::House, reading::is_test};

/// Lines that a shared crate may hold.
fn budget(folder: &str) -> Option<usize> {
    match folder {
        "crates/kit" => Some(4_000),
        "crates/testkit" => Some(2_000),
        folder => folder.starts_with("crates/").then_some(1_500),
    }
}

/// Prints the size of every crate (see it with `--nocapture`) and finds the full ones.
pub(crate) fn findings(house: &House) -> Vec<Finding> {
    let mut sizes: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for member in &house.crates {
        let prefix = format!("{}/", member.folder);
        for file in house.rust.iter().filter(|file| file.path.starts_with(&prefix)) {
            let lines = file.text.lines().count();
            let tests = if is_test(&file.path) { lines } else { file.reading.test_lines };
            let size = sizes.entry(&member.folder).or_default();
            *size = (size.0 + lines - tests, size.1 + tests);
        }
    }
    let mut findings = Vec::new();
    for (folder, (code, tests)) in sizes {
        let budget = budget(folder);
        println!(
            "{folder:<24} {code:>6} lines  {tests:>6} of tests  {}",
            budget.map_or(String::new(), |b| format!("of {b}"))
        );
        if budget.is_some_and(|budget| code > budget) {
            findings.push(Finding::new(
                "budget",
                folder,
                format!("{code} lines; at most {}", budget.unwrap_or(0)),
            ));
        }
    }
    findings
}
