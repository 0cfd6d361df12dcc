//! The components that the engine has, and what each makes of its inputs.

use std::{collections::BTreeMap, sync::Arc};

use super::{Completion, completion, condition, limits, pattern, template};
use crate::{error::Error, flow::Node, model::Finding};

/// A component that the engine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user's message.
    ChatInput,
    /// A text.
    TextInput,
    /// A template with variables.
    Prompt,
    /// One of two ways, by comparing texts.
    Router,
    /// A question to a model endpoint.
    Model,
    /// A message of the flow.
    ChatOutput,
    /// A text of the flow.
    TextOutput,
}

impl Kind {
    /// The component with a type key.
    #[must_use]
    pub fn of(type_key: &str) -> Option<Self> {
        match type_key {
            "ChatInput" => Some(Self::ChatInput),
            "TextInput" => Some(Self::TextInput),
            "Prompt Template" => Some(Self::Prompt),
            "ConditionalRouter" => Some(Self::Router),
            "OpenAIModel"
            | "OpenAIModelComponent"
            | "ext:openai:OpenAIModelComponent@official"
            | "LanguageModelComponent" => Some(Self::Model),
            "ChatOutput" => Some(Self::ChatOutput),
            "TextOutput" => Some(Self::TextOutput),
            _ => None,
        }
    }

    /// The component takes the request's input.
    #[must_use]
    pub const fn is_input(self) -> bool {
        matches!(self, Self::ChatInput | Self::TextInput)
    }

    /// The component's result is an answer.
    #[must_use]
    pub const fn is_output(self) -> bool {
        matches!(self, Self::ChatOutput | Self::TextOutput)
    }

    /// Who speaks in this component's messages, where nothing else is stored: sender and its name.
    pub(super) const fn speaker(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::ChatInput => Some(("User", "User")),
            Self::ChatOutput => Some(("Machine", "AI")),
            _ => None,
        }
    }

    /// What the engine cannot do of what this node stores. `fed` names the fields that edges feed.
    pub(super) fn findings(self, node: &Node, fed: &[&str]) -> Vec<Finding> {
        match self {
            Self::Prompt => template::findings(node, fed),
            Self::Router => condition::findings(node, fed),
            Self::Model => completion::findings(node, fed),
            _ => Vec::new(),
        }
    }
}

/// What a component has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The text of its message.
    pub text: Arc<str>,
    /// The output the message leaves by, where the component chooses one; all others are not taken.
    pub taken: Option<&'static str>,
}

impl Built {
    /// The text that an output gives.
    pub(super) fn at(&self, output: &str) -> Arc<str> {
        match self.taken {
            Some(taken) if taken != output => Arc::from(""),
            _ => Arc::clone(&self.text),
        }
    }
}

/// A component that is ready to run: the node and what its edges bring.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// The node, tweaks applied.
    pub node: &'a Node,
    /// Its component.
    pub kind: Kind,
    /// Texts by field, from edges and from the request; they beat what the node stores.
    pub fed: BTreeMap<String, Arc<str>>,
}

impl Step<'_> {
    /// Runs the component.
    ///
    /// # Errors
    /// [`Error::ComponentFailed`] with the cause, or [`Error::TooLarge`].
    pub fn execute(&self) -> Result<Built, Error> {
        let whole = |text: Arc<str>| Built { text, taken: None };
        let built = match self.kind {
            Kind::ChatInput | Kind::TextInput | Kind::ChatOutput | Kind::TextOutput => {
                whole(self.text("input_value", ""))
            }
            Kind::Prompt => whole(Arc::from(self.expand()?)),
            Kind::Router => self.route()?,
            Kind::Model => return Err(Error::Broken("a model is asked, not executed")),
        };
        if built.text.len() > limits::TEXT_BYTES {
            return Err(too_large());
        }
        Ok(built)
    }

    /// The question that a model component asks.
    ///
    /// # Errors
    /// [`Error::ComponentFailed`] with the cause.
    pub fn completion(&self) -> Result<Completion, Error> {
        completion::of(self).map_err(|cause| self.failed(cause))
    }

    /// A field as text: what an edge brings, else what the node stores, else the default.
    pub(super) fn text(&self, name: &str, default: &str) -> Arc<str> {
        if let Some(text) = self.fed.get(name) {
            return Arc::clone(text);
        }
        self.node
            .fields
            .get(name)
            .and_then(|field| field.text())
            .map_or_else(|| Arc::from(default), Arc::from)
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.node.fields.get(name).and_then(|field| field.flag()).unwrap_or(default)
    }

    fn expand(&self) -> Result<String, Error> {
        let style = template::Style::of(self.flag("use_double_brackets", false));
        let source = self.text("template", "");
        let lookup = |name: &str| {
            let known = self.node.fields.get(name).filter(|_| !template::RESERVED.contains(&name));
            let fed = self.fed.get(name).filter(|_| known.is_some());
            fed.map(Arc::clone).or_else(|| known.and_then(|field| field.text()).map(Arc::from))
        };
        template::expand(&source, style, lookup, limits::TEXT_BYTES).map_err(|fault| match fault {
            template::Fault::TooLarge => too_large(),
            other => self.failed(other.to_string()),
        })
    }

    fn route(&self) -> Result<Built, Error> {
        let input = self.text("input_text", "");
        let holds = condition::holds(&condition::Question {
            operator: &self.text("operator", "equals"),
            input: &input,
            against: &self.text("match_text", ""),
            case_sensitive: self.flag("case_sensitive", true),
        });
        let holds = holds.map_err(|pattern::Refused(why)| self.failed(why.to_owned()))?;
        let (message, taken) =
            if holds { ("true_case_message", "true_result") } else { ("false_case_message", "false_result") };
        let own = self.text(message, "");
        Ok(Built { text: if own.is_empty() { input } else { own }, taken: Some(taken) })
    }

    fn failed(&self, cause: String) -> Error {
        Error::ComponentFailed {
            component_id: self.node.id.clone(),
            display_name: self.node.display_name.clone(),
            cause,
        }
    }
}

fn too_large() -> Error {
    Error::TooLarge { what: "text of a component", limit_bytes: limits::TEXT_BYTES }
}
