//! What keeps a version from being published, and what its publisher should know all the same. A finding says
//! where and why, never a value.

use serde::{Deserialize, Serialize};
use souk_types::Violation;

/// One thing found in a version: in its flow, or in what the request says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finding {
    /// The check or rule that found it.
    pub(crate) code: String,
    /// The node it stands in; empty for the flow itself and for what is not in it.
    pub(crate) node_id: String,
    /// The field it stands in: of the node, or of the request; empty for the node itself.
    pub(crate) field: String,
    /// What is wrong, without the value.
    pub(crate) message: String,
}

/// What the catalogue itself finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// The registry has no such capability.
    CapabilityUnknown,
    /// A configuration does not fit its schema.
    ConfigInvalid,
}

impl Code {
    const ALL: [Self; 2] = [Self::CapabilityUnknown, Self::ConfigInvalid];

    const fn as_str(self) -> &'static str {
        match self {
            Self::CapabilityUnknown => "CAPABILITY_UNKNOWN",
            Self::ConfigInvalid => "CONFIG_INVALID",
        }
    }
}

/// Why a version is refused; the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grounds {
    /// It carries a literal credential.
    Credential,
    /// It is not one that can be run.
    Invalid,
    /// It uses what the engine does not have.
    Unsupported,
    /// It asks for a capability that there is not.
    Capability,
    /// A configuration does not fit.
    Config,
}

impl Finding {
    /// What the catalogue found in a field of the request.
    pub(crate) fn of_request(code: Code, field: &str, message: String) -> Self {
        let code = code.as_str().to_owned();
        Self { code, node_id: String::new(), field: field.to_owned(), message }
    }

    fn own(&self) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == self.code)
    }

    /// About how many bytes it takes on the wire.
    pub(crate) fn weight(&self) -> usize {
        16 + self.code.len() + self.node_id.len() + self.field.len() + self.message.len()
    }

    /// Which refusal it is. A code that is not known yet refuses too.
    pub(crate) fn grounds(&self) -> Grounds {
        let rule = self.code.strip_prefix('S').is_some_and(|rest| {
            // The scanner's rules: S1, S2 …
            !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
        });
        match self.own() {
            Some(Code::CapabilityUnknown) => return Grounds::Capability,
            Some(Code::ConfigInvalid) => return Grounds::Config,
            None => {}
        }
        match self.code.as_str() {
            "CREDENTIAL_IN_FLOW" => Grounds::Credential,
            "UNSUPPORTED_COMPONENT" => Grounds::Unsupported,
            _ if rule => Grounds::Credential,
            _ => Grounds::Invalid,
        }
    }

    /// As a violation of the request's field.
    pub(crate) fn violation(&self) -> Violation {
        if self.own().is_some() {
            return Violation::new(self.field.clone(), self.message.clone());
        }
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
