//! Words that must not be committed, and how a log line reads.

use regex::Regex;

use super::{allowed::Finding, house::House};

/// Absolute paths of somebody's machine. Recorded data keeps what it recorded.
pub(crate) fn machine_paths(house: &House) -> Vec<Finding> {
    let pattern = Regex::new(concat!(r"(^|[^\w.~})\]/-])/", r"(work|root|home)/")).unwrap();
    let mut findings = Vec::new();
    for file in house.texts.iter().filter(|file| !file.path.contains("/fixtures/")) {
        for (place, line) in file.text.lines().enumerate() {
            if let Some(found) = pattern.find(line) {
                let detail =
                    format!("line {}: {:?} is a path of one machine", place + 1, found.as_str().trim());
                findings.push(Finding::new("machine-path", &file.path, detail));
            }
        }
    }
    findings
}

/// Log messages that begin like a sentence or end like one.
pub(crate) fn log_messages(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.rust {
        for message in
            file.reading.messages.iter().filter(|message| !message.test && !is_plain(&message.what))
        {
            let detail = format!("line {}: {:?}: lower-case, no final period", message.line, message.what);
            findings.push(Finding::new("log-message", &file.path, detail));
        }
    }
    findings
}

/// Lower-case first word (an abbreviation such as `JWKS` is none) and no final period.
fn is_plain(message: &str) -> bool {
    let first = message.split_whitespace().next().unwrap_or_default();
    let sentence =
        first.starts_with(|c: char| c.is_uppercase()) && first.chars().skip(1).any(char::is_lowercase);
    !sentence && !message.ends_with('.')
}

/// Tests that hope instead of waiting for a condition or moving the clock.
pub(crate) fn sleeps(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.rust {
        for sleep in file.reading.sleeps.iter().filter(|sleep| sleep.test) {
            let detail = format!("line {}: wait for a condition with a limit, or move the clock", sleep.line);
            findings.push(Finding::new("sleep", &file.path, detail));
        }
    }
    let pattern = Regex::new(r"\b(time\.sleep|setTimeout)\(").unwrap();
    let scripts = house.texts.iter().filter(|file| {
        file.path.starts_with("integration/")
            && [".py", ".js", ".mjs", ".ts"].iter().any(|end| file.path.ends_with(end))
    });
    for file in scripts {
        for (place, _) in file.text.lines().enumerate().filter(|(_, line)| pattern.is_match(line)) {
            let detail = format!("line {}: wait for a condition with a limit", place + 1);
            findings.push(Finding::new("sleep", &file.path, detail));
        }
    }
    findings
}

#[test]
fn log_words_are_told_apart() {
    assert!(is_plain("secret read failed") && is_plain("JWKS fetched") && is_plain("{count} rows"));
    assert!(!is_plain("Secret read failed") && !is_plain("secret read failed."));
}
