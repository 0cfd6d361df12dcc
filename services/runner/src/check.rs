//! The check at publish: everything that stands in a flow's way, all of it at once.
//!
//! It never runs anything and never repeats a value that may be a secret.

use crate::{
    flow::{Document, Flow, limits},
    model::{Finding, Warning},
    native, scanner,
};

/// What a check says of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What stands in its way; none means that it may be published.
    pub findings: Vec<Finding>,
    /// What its publisher should know all the same.
    pub warnings: Vec<Warning>,
}

/// All findings about the bytes of a flow; none means that the flow may be published.
#[must_use]
pub fn check(bytes: &[u8]) -> Vec<Finding> {
    review(bytes).findings
}

/// All that is to be said of the bytes of a flow.
///
/// An unreadable document gives its one finding. A readable one is scanned for credentials and has its
/// components looked up even where its graph is broken, so that a publisher mends everything in one go.
#[must_use]
pub fn review(bytes: &[u8]) -> Checked {
    let document = match Document::parse(bytes) {
        Ok(document) => document,
        Err(finding) => return Checked { findings: vec![finding], warnings: Vec::new() },
    };
    let (flow, mut findings) = Flow::read(&document);
    findings.extend(native::findings(&flow));
    findings.extend(scanner::scan(document.value()).into_iter().map(Finding::from));
    let findings = findings.into_iter().take(limits::FINDINGS).map(|found| Finding {
        code: found.code,
        node_id: told(found.node_id),
        field: told(found.field),
        message: told(found.message),
    });
    let warnings = native::warnings(&flow).into_iter().map(|found| Warning {
        code: found.code,
        node_id: told(found.node_id),
        field: told(found.field),
        message: told(found.message),
    });
    Checked { findings: findings.collect(), warnings: warnings.collect() }
}

/// Ids and names come from the flow: a credential that stands in one must not leave by a message, nor may
/// a name of megabytes.
fn told(text: String) -> String {
    clipped(scanner::redacted(text))
}

/// Clipped after what is secret in it was masked: half a credential has no shape to be known by.
fn clipped(text: String) -> String {
    match text.char_indices().nth(limits::FINDING_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_megabytes_is_not_repeated() {
        let name = "N".repeat(1_000_000);
        let node = serde_json::json!({"id": "n", "data": {"type": name, "node": {"template": {}}}});
        let flow = serde_json::json!({"data": {"nodes": [node], "edges": []}}).to_string();
        let findings = check(flow.as_bytes());
        assert!(!findings.is_empty());
        for finding in findings {
            assert!(finding.message.chars().count() <= limits::FINDING_CHARS + 1);
        }
    }
}
