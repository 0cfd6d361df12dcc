//! The ratchet: findings against the committed list of exceptions.

use std::{collections::BTreeSet, fs, path::Path};

/// Every rule that an exception may name.
const RULES: &[&str] = &[
    "allow",
    "budget",
    "chain",
    "dependency",
    "file-length",
    "file-name",
    "function-length",
    "lints",
    "log-message",
    "machine-path",
    "module-doc",
    "pure-model",
    "sleep",
    "wall",
];

/// One breach of one rule.
#[derive(Debug)]
pub(crate) struct Finding {
    /// The rule, as in `tidy-allowed.txt`.
    pub(crate) rule: &'static str,
    /// What breaks it: a path, `path::function`, a crate. Holds no blanks.
    pub(crate) subject: String,
    /// What is wrong and what would be right.
    pub(crate) detail: String,
}

impl Finding {
    pub(crate) fn new(rule: &'static str, subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { rule, subject: subject.into(), detail: detail.into() }
    }
}

fn entries() -> BTreeSet<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tidy-allowed.txt");
    fs::read_to_string(path)
        .expect("tests/tidy-allowed.txt is there")
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (rule, subject) = line.split_once(' ').unwrap_or_else(|| panic!("no subject in {line:?}"));
            (rule.to_owned(), subject.trim().to_owned())
        })
        .collect()
}

/// Fails on findings that are not excepted, and on exceptions of `rules` that nothing needs.
pub(crate) fn settle(rules: &[&str], findings: Vec<Finding>) {
    let entries = entries();
    let (borne, open): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|f| entries.contains(&(f.rule.to_owned(), f.subject.clone())));
    let borne: BTreeSet<_> = borne.into_iter().map(|f| (f.rule.to_owned(), f.subject)).collect();
    let mut said: Vec<String> =
        open.iter().map(|f| format!("{} {}: {}", f.rule, f.subject, f.detail)).collect();
    said.extend(
        entries.iter().filter(|entry| rules.contains(&entry.0.as_str()) && !borne.contains(entry)).map(
            |(rule, subject)| format!("tidy-allowed.txt: `{rule} {subject}` is needed no more; remove it"),
        ),
    );
    assert!(said.is_empty(), "{} findings:\n{}", said.len(), said.join("\n"));
}

/// Fails on exceptions from rules that do not exist.
pub(crate) fn check_rules() {
    let unknown: Vec<_> = entries().into_iter().filter(|(rule, _)| !RULES.contains(&rule.as_str())).collect();
    assert!(unknown.is_empty(), "tidy-allowed.txt names unknown rules: {unknown:?}");
}
