//! What keeps a flow from being published. A finding says where and why, never a value.

use serde::{Deserialize, Serialize};
use souk_types::Violation;

/// One thing found wrong with a flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The check or rule that found it.
    pub(crate) code: String,
    /// The node it stands in; empty for the flow itself.
    pub(crate) node_id: String,
    /// The field it stands in; empty for the node itself.
    pub(crate) field: String,
    /// What is wrong, without the value.
    pub(crate) message: String,
}

/// Why a flow is refused; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grounds {
    /// It carries a literal credential.
    Credential,
    /// It is not one that can be run.
    Invalid,
    /// It uses what the engine does not have.
    Unsupported,
}

impl Finding {
    /// Which refusal it is. A code that is not known yet refuses too.
    pub(crate) fn grounds(&self) -> Grounds {
        let rule = self.code.strip_prefix('S').is_some_and(|rest| {
            // The scanner's rules: S1, S2 …
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
        });
        match self.code.as_str() {
            "CREDENTIAL_IN_FLOW" => Grounds::Credential,
            "UNSUPPORTED_COMPONENT" => Grounds::Unsupported,
            _ if rule => Grounds::Credential,
            _ => Grounds::Invalid,
        }
    }

    /// As a violation of the request's field.
    pub(crate) fn violation(&self) -> Violation {
        let mut field = "flow_json".to_owned();
        if !self.node_id.is_empty() {
            field.push_str(&format!(".nodes[{}]", self.node_id));
        }
        if !self.field.is_empty() {
            field.push_str(&format!(".{}", self.field));
        }
        Violation::new(field, format!("{}: {}", self.code, self.message))
    }
}
