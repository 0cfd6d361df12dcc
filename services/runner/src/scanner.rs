//! The credential scanner: a flow must hold no secret, only names of variables.
//!
//! Rules: S1 a secret field with a literal, S2 a variable reference that is none, S3 a row or key with
//! a secret's name, S4 the shape of a known credential anywhere, S5 a URL that carries one, S6 a
//! command line that does. A finding says node, field and rule with a masked hint, never the value.

mod names;
mod pattern;
mod url;
mod walk;

use serde_json::Value;
use souk_types::Reason;

use crate::model::Finding;

/// The rule a hit was found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// S1: a secret field holds a literal.
    LiteralSecret,
    /// S2: a field that should hold a variable's name holds something else.
    BadReference,
    /// S2: the variable's name looks like a credential.
    CredentialShapedReference,
    /// S3: a row is named like a secret and has a literal value.
    Row,
    /// S3: a key is named like a secret and has a literal value.
    Key,
    /// S4: the shape of a known credential.
    Pattern,
    /// S5: a URL with a password or a secret in its query or fragment.
    Url,
    /// S6: a command line flag with a secret.
    Argv,
}

impl Rule {
    /// The stable name, such as `S4.pattern`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LiteralSecret => "S1.literal_secret",
            Self::BadReference => "S2.bad_reference",
            Self::CredentialShapedReference => "S2.credential_shaped_reference",
            Self::Row => "S3.row",
            Self::Key => "S3.key",
            Self::Pattern => "S4.pattern",
            Self::Url => "S5.url",
            Self::Argv => "S6.argv",
        }
    }
}

/// One place that holds, or seems to hold, a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The rule.
    pub rule: Rule,
    /// The node; empty when it stands outside of nodes.
    pub node_id: String,
    /// Path of the place, within the node where there is one.
    pub field: String,
    /// What it looks like, in words of ours.
    pub detail: &'static str,
    /// First two characters, last one and the length; for short values the length alone.
    pub hint: String,
}

impl From<Hit> for Finding {
    fn from(hit: Hit) -> Self {
        Self {
            code: Reason::CredentialInFlow,
            message: format!("{}: {} ({})", hit.rule.as_str(), hit.detail, hit.hint),
            node_id: hit.node_id,
            field: hit.field,
        }
    }
}

/// Every hit in a flow document.
#[must_use]
pub fn scan(document: &Value) -> Vec<Hit> {
    walk::scan(document)
}

/// The text with every credential of a known shape masked, for messages that quote a flow.
pub(crate) fn redacted(text: String) -> String {
    if !pattern::has_credential(&text) {
        return text;
    }
    pattern::replaced(text, mask)
}

/// Shows enough of a value to recognise it by, and too little to use it.
fn mask(value: &str) -> String {
    let length = value.chars().count();
    match (length > 8, value.chars().last()) {
        (true, Some(last)) => {
            let first: String = value.chars().take(2).collect();
            format!("{first}…{last}({length})")
        }
        _ => format!("…({length})"),
    }
}

#[cfg(test)]
mod tests;
