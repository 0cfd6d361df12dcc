//! Tweaks: a caller's overrides of stored fields, applied before a run.
//!
//! A tweak of a component or field that does not exist means nothing; a tweak of code is refused, and
//! then none is applied.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Kind;
use crate::{
    error::Error,
    flow::{Field, Node},
    model::{InputType, Request},
};

/// Applies the request's tweaks to copies of the flow's nodes.
pub(super) fn apply(nodes: &mut [Node], request: &Request) -> Result<(), Error> {
    conflict(nodes, request)?;
    let mut refused = BTreeSet::new();
    let mut everywhere = Map::new();
    for (key, value) in &request.tweaks {
        match value {
            Value::Object(fields) => {
                if let Some(node) = named(nodes, key) {
                    set_all(node, fields, &mut refused);
                }
            }
            other => {
                everywhere.insert(key.clone(), other.clone());
            }
        }
    }
    for node in nodes {
        set_all(node, &everywhere, &mut refused);
    }
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Error::TweaksRefused { fields: refused.into_iter().collect() })
    }
}

/// `input_value` and a tweak must not both set the same input.
fn conflict(nodes: &[Node], request: &Request) -> Result<(), Error> {
    if request.input_value.is_none() {
        return Ok(());
    }
    let sets_input = |value: &Value| value.get("input_value").is_some_and(|own| !own.is_null());
    for (key, _) in request.tweaks.iter().filter(|(_, value)| sets_input(value)) {
        let node = nodes.iter().find(|node| node.id == *key || node.display_name == *key);
        let kind = node.and_then(|node| Kind::of(&node.type_key));
        let chat = key.contains("ChatInput") || key.contains("Chat Input") || kind == Some(Kind::ChatInput);
        let text = key.contains("TextInput") || key.contains("Text Input") || kind == Some(Kind::TextInput);
        let wanted = request.input_type;
        if (chat && wanted == InputType::Chat) || (!chat && text && wanted == InputType::Text) {
            return Err(Error::InputConflict { key: key.clone() });
        }
    }
    Ok(())
}

/// By id, else by display name; of several with one name the last.
fn named<'a>(nodes: &'a mut [Node], key: &str) -> Option<&'a mut Node> {
    let by_id = nodes.iter().position(|node| node.id == key);
    let at = by_id.or_else(|| nodes.iter().rposition(|node| node.display_name == key))?;
    nodes.get_mut(at)
}

fn set_all(node: &mut Node, tweaks: &Map<String, Value>, refused: &mut BTreeSet<String>) {
    for (name, value) in tweaks {
        let Some(field) = node.fields.get_mut(name) else { continue };
        if name == "code" || field.kind == "code" {
            refused.insert(name.clone());
        } else {
            set(field, value);
        }
    }
}

/// A plain value is the field's new value; an object sets attributes of the field by name.
fn set(field: &mut Field, value: &Value) {
    match value {
        Value::Object(attributes) if !matches!(field.kind.as_str(), "NestedDict" | "mcp" | "dict") => {
            field.load_from_db = false;
            for (attribute, value) in attributes {
                // What a field *is* stays the author's.
                if attribute != "type" {
                    field.set(attribute, value);
                }
            }
        }
        Value::Object(wrapped)
            if field.kind == "dict" && wrapped.len() == 1 && wrapped.contains_key("value") =>
        {
            field.value = wrapped.get("value").cloned().unwrap_or_default();
        }
        plain => {
            let attribute = if field.kind == "file" { "file_path" } else { "value" };
            field.set(attribute, plain);
            field.load_from_db = false;
        }
    }
}
