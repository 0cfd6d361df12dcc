//! The check at publish: everything that stands in a flow's way, all of it at once.
//!
//! It never runs anything and never repeats a value that may be a secret.

use crate::{
    flow::{Document, Flow},
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
    findings.into_iter().map(redacted).collect()
}

/// Ids and names come from the flow; a credential that stands in one must not leave by a message.
fn redacted(finding: Finding) -> Finding {
    Finding {
        code: finding.code,
        node_id: scanner::redacted(finding.node_id),
        field: scanner::redacted(finding.field),
        message: scanner::redacted(finding.message),
    }
}
