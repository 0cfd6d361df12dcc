//! The runner's nouns: findings, warnings, requests, outcomes, events and usage.
//!
//! Pure data: no I/O, no clock, nothing of the wire.

use std::fmt;

use serde_json::{Map, Value};
use souk_types::Reason;

/// One thing that stands in a flow's way, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `FlowInvalid`, `UnsupportedComponent` or `CredentialInFlow`.
    pub code: Reason,
    /// The node it is about; empty when it is about the document as a whole.
    pub node_id: String,
    /// The field of the node, or a path in the document; empty when it is about the whole node.
    pub field: String,
    /// One lower-case sentence without a final period; never the value of a field that may be secret.
    pub message: String,
}

impl Finding {
    /// A flow that cannot be run as it stands.
    pub(crate) fn invalid(node_id: &str, field: &str, message: impl Into<String>) -> Self {
        Self::of(Reason::FlowInvalid, node_id, field, message)
    }

    /// A component, or a feature of one, that the engine does not have.
    pub(crate) fn unsupported(node_id: &str, field: &str, message: impl Into<String>) -> Self {
        Self::of(Reason::UnsupportedComponent, node_id, field, message)
    }

    fn of(code: Reason, node_id: &str, field: &str, message: impl Into<String>) -> Self {
        Self { code, node_id: node_id.into(), field: field.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.code.as_str())?;
        if !self.node_id.is_empty() {
            write!(out, "node {}: ", self.node_id)?;
        }
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.message)
    }
}

/// What the author of a flow should know and does not keep it from running, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The check that found it, such as `BASE_URL_IGNORED`.
    pub code: &'static str,
    /// The node it is about.
    pub node_id: String,
    /// The field of the node.
    pub field: String,
    /// One lower-case sentence without a final period; never the value of the field.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "node {}: {}", self.node_id, self.message)
    }
}

/// Which input components the request's text is written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InputType {
    /// Chat inputs.
    #[default]
    Chat,
    /// Text inputs.
    Text,
    /// All inputs.
    Any,
}

impl InputType {
    /// Reads the wire word; empty means the default. Other words are refused by the caller.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "chat" => Some(Self::Chat),
            "text" => Some(Self::Text),
            "any" => Some(Self::Any),
            _ => None,
        }
    }
}

/// Which components' results are the outputs of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputType {
    /// Chat outputs.
    #[default]
    Chat,
    /// Text outputs.
    Text,
    /// All outputs.
    Any,
    /// Every component that ran.
    Debug,
}

impl OutputType {
    /// Reads the wire word; empty means the default. Other words are refused by the caller.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "" | "chat" => Some(Self::Chat),
            "text" => Some(Self::Text),
            "any" => Some(Self::Any),
            "debug" => Some(Self::Debug),
            _ => None,
        }
    }
}

/// What a run is asked to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The text for the input components; `None` leaves what the flow stores, `""` replaces it.
    pub input_value: Option<String>,
    /// Which inputs take it.
    pub input_type: InputType,
    /// Which outputs are wanted.
    pub output_type: OutputType,
    /// Id or display name of the one component whose result is wanted; beats `output_type`.
    pub output_component: Option<String>,
    /// Field overrides: by node id or display name (an object), or by field name for every node.
    pub tweaks: Map<String, Value>,
    /// The conversation; never shared between callers.
    pub session_id: String,
}

/// The result of one component that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Id of the node.
    pub component_id: String,
    /// Name a person sees.
    pub display_name: String,
    /// Type key of the component, such as `ChatOutput`.
    pub component_type: String,
    /// The text.
    pub text: String,
    /// Who speaks, where the component says so (`Machine`, `User`).
    pub sender: Option<String>,
    /// The speaker's name, where the component says so.
    pub sender_name: Option<String>,
    /// Id of the node the text came from, for chat outputs.
    pub source_id: Option<String>,
}

/// What a run has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The results asked for, in the order of the flow's nodes.
    pub outputs: Vec<Output>,
    /// Ids of all components that ran, in the order in which they ran.
    pub built: Vec<String>,
    /// What the run is billed for.
    pub usage: Usage,
}

/// What a run is billed for, one number per price dimension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Dimension `runs`: always 1 for a run.
    pub runs: u64,
    /// Dimension `input_tokens`.
    pub input_tokens: u64,
    /// Dimension `output_tokens`.
    pub output_tokens: u64,
}

impl Usage {
    /// Bytes of UTF-8 text that count as one token where no model counts for us.
    pub const BYTES_PER_TOKEN: usize = 4;

    /// The usage of a run without a model.
    ///
    /// One token per *started* four bytes of UTF-8: the request's `input_value` (absent is nothing)
    /// makes the input tokens, the text of each output, rounded up by itself, the output tokens.
    /// A run that called a model is billed for what its endpoint counted instead, and for each question that
    /// was answered before it was counted at least by this measure.
    #[must_use]
    pub fn measured(input: Option<&str>, outputs: &[Output]) -> Self {
        Self {
            runs: 1,
            input_tokens: input.map_or(0, |text| tokens(text.len())),
            output_tokens: outputs.iter().map(|output| tokens(output.text.len())).sum(),
        }
    }
}

/// One token per started four bytes of a text.
pub(crate) fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(Usage::BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
}

/// What an engine says while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What the author of the flow should know, and does not keep it from running.
    Warnings(Vec<String>),
    /// A component begins.
    Started {
        /// Id of the node.
        component_id: String,
    },
    /// A piece of an output's text that is still being made by a model.
    Delta {
        /// Id of the output's node.
        component_id: String,
        /// The next piece.
        text: String,
    },
    /// A component is done.
    Built {
        /// Id of the node.
        component_id: String,
    },
    /// A result that was asked for; sent once each, at the end, in the order of the outcome.
    Output(Output),
    /// The usage so far; the last one counts.
    Usage(Usage),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Output {
        Output {
            component_id: "ChatOutput-a".into(),
            display_name: "Chat Output".into(),
            component_type: "ChatOutput".into(),
            text: text.into(),
            sender: None,
            sender_name: None,
            source_id: None,
        }
    }

    #[test]
    fn tokens_are_started_four_byte_groups_of_each_text() {
        let usage = Usage::measured(Some("12345"), &[output("abcd"), output("é!"), output("")]);
        assert_eq!(usage, Usage { runs: 1, input_tokens: 2, output_tokens: 2 });
        assert_eq!(Usage::measured(None, &[]), Usage { runs: 1, input_tokens: 0, output_tokens: 0 });
    }

    #[test]
    fn unknown_words_are_not_guessed() {
        assert_eq!(InputType::parse("Chat"), None);
        assert_eq!(InputType::parse(""), Some(InputType::Chat));
        assert_eq!(OutputType::parse("debug"), Some(OutputType::Debug));
        assert_eq!(OutputType::parse("all"), None);
    }
}
