//! The check at publish: everything that stands in a flow's way, all of it at once.
//!
//! It never runs anything and never repeats a value that may be a secret.

use crate::{
    flow::{Document, Flow, limits},
    model::Finding,
    native, scanner,
};

/// All findings about the bytes of a flow; none means that the flow may be published.
///
/// An unreadable document gives its one finding. A readable one is scanned for credentials and has its
/// components looked up even where its graph is broken, so that a publisher mends everything in one go.
#[must_use]
pub fn check(bytes: &[u8]) -> Vec<Finding> {
    let document = match Document::parse(bytes) {
        Ok(document) => document,
        Err(finding) => return vec![finding],
    };
    let (flow, mut findings) = Flow::read(&document);
    findings.extend(native::findings(&flow));
    findings.extend(scanner::scan(document.value()).into_iter().map(Finding::from));
    findings.into_iter().take(limits::FINDINGS).map(told).collect()
}

/// Ids and names come from the flow: a credential that stands in one must not leave by a message, nor may
/// a name of megabytes.
fn told(finding: Finding) -> Finding {
    let told = |text: String| clipped(scanner::redacted(text));
    Finding {
        code: finding.code,
        node_id: told(finding.node_id),
        field: told(finding.field),
        message: told(finding.message),
    }
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
