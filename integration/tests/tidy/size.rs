//! How long files and functions are, how files are called, and how they begin.

use super::{allowed::Finding, house::House};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Files over 500 lines and functions over 70; test functions may be longer.
pub(crate) fn lengths(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.rust {
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            findings.push(Finding::new(
                "file-length",
                &file.path,
                format!("{lines} lines; at most {FILE_LINES}"),
            ));
        }
        for function in &file.reading.functions {
            if function.lines > FUNCTION_LINES && !function.test {
                findings.push(Finding::new(
                    "function-length",
                    format!("{}::{}", file.path, function.name),
                    format!("{} lines; at most {FUNCTION_LINES}", function.lines),
                ));
            }
        }
    }
    findings
}

/// Names that say nothing, and files that do not say what they are.
pub(crate) fn names(house: &House) -> Vec<Finding> {
    const SAY_NOTHING: &[&str] = &["mod", "util", "utils", "common", "helper", "helpers", "misc", "shared"];
    let mut findings = Vec::new();
    for file in &house.rust {
        let stem = file.path.trim_end_matches(".rs");
        if let Some(name) = stem.split('/').find(|name| SAY_NOTHING.contains(name)) {
            findings.push(Finding::new(
                "file-name",
                &file.path,
                format!("{name:?} says nothing; name the purpose"),
            ));
        }
        if !file.text.starts_with("//!") {
            findings.push(Finding::new(
                "module-doc",
                &file.path,
                "must begin with //!: what lives here, what never",
            ));
        }
    }
    findings
}

/// `#[allow]` outside of tests: an expectation that no longer holds tells, an allowance does not.
pub(crate) fn allowances(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &house.rust {
        for allowance in file.reading.allowances.iter().filter(|allowance| !allowance.test) {
            let detail = format!("line {}: use #[expect(lint, reason = …)]", allowance.line);
            findings.push(Finding::new("allow", &file.path, detail));
        }
    }
    findings
}
