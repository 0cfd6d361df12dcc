//! The walk over a flow document that applies the rules.
//!
//! First what has meaning (fields, outputs, names), each with the rules that fit it; then every other
//! string of the document by the shapes that cannot be mistaken, so that no corner is left out.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Hit, Rule, mask, names, pattern, url};

/// Most hits that are told: enough for any honest flow, and a bound for the others.
const MOST: usize = 1000;

/// Every hit in a flow document, up to [`MOST`].
pub(super) fn scan(document: &Value) -> Vec<Hit> {
    let mut walk = Walk::default();
    if let Some(entries) = document.as_object() {
        match entries.get("data") {
            Some(graph) if graph.is_object() => walk.nodes(graph, "data.nodes"),
            _ => walk.nodes(document, "nodes"),
        }
        (walk.node, walk.base) = (String::new(), String::new());
        for (name, value) in entries.iter().filter(|(name, _)| *name != "data" && *name != "nodes") {
            walk.strings(value, &segment(name));
        }
    }
    walk.rest(document, &mut String::new());
    walk.hits
}

#[derive(Default)]
struct Walk {
    hits: Vec<Hit>,
    /// The node that is looked at.
    node: String,
    /// Where the paths of the present part begin in the document.
    base: String,
    /// Places in the document that were told already, for the last pass.
    told: HashSet<String>,
}

impl Walk {
    fn add(&mut self, rule: Rule, field: &str, detail: &'static str, value: &str) {
        if self.hits.len() < MOST {
            self.told.insert(format!("{}{field}", self.base));
            let (node_id, field) = (self.node.clone(), field.to_owned());
            self.hits.push(Hit { rule, node_id, field, detail, hint: mask(value) });
        }
    }

    fn nodes(&mut self, graph: &Value, place: &str) {
        let nodes = graph.get("nodes").and_then(Value::as_array);
        for (at, node) in nodes.into_iter().flatten().enumerate() {
            let place = format!("{place}[{at}]");
            self.node = node_name(node, &place);
            self.one_node(node, &place);
        }
    }

    fn one_node(&mut self, node: &Value, place: &str) {
        let Some(spec) = node.get("data").and_then(|data| data.get("node")) else { return };
        self.base = format!("{place}.data.node.template.");
        for (name, field) in spec.get("template").and_then(Value::as_object).into_iter().flatten() {
            let path = segment(name);
            match field {
                Value::Object(field) => self.field(&path, name, field),
                Value::String(_) => self.strings(field, &path),
                _ => {}
            }
        }
        self.base = format!("{place}.data.node.");
        for name in ["description", "documentation", "display_name"] {
            if let Some(text @ Value::String(_)) = spec.get(name) {
                self.strings(text, name);
            }
        }
        let outputs = spec.get("outputs").and_then(Value::as_array);
        for (at, port) in outputs.into_iter().flatten().enumerate() {
            match port.get("value") {
                Some(value) if !value.is_null() && value != "__UNDEFINED__" => {
                    self.strings(value, &format!("outputs[{at}].value"));
                }
                _ => {}
            }
        }
        if let Some(inner) = spec.get("flow").and_then(|flow| flow.get("data")) {
            self.nodes(inner, &format!("{place}.data.node.flow.data.nodes"));
        }
    }

    fn field(&mut self, path: &str, name: &str, field: &Map<String, Value>) {
        let value = field.get("value").unwrap_or(&Value::Null);
        let at = format!("{path}.value");
        if name == "code" || field.get("type").and_then(Value::as_str) == Some("code") {
            if value.is_string() {
                self.strings(value, &at);
            }
        } else if !self.secret_field(&at, name, field, value) {
            match (value, loaded_columns(field)) {
                (Value::Array(rows), columns) if !columns.is_empty() => self.table(&at, rows, &columns),
                _ => self.strings(value, &at),
            }
        }
        for extra in ["file_path", "default", "placeholder"] {
            if let Some(text @ Value::String(_)) = field.get(extra) {
                self.strings(text, &format!("{path}.{extra}"));
            }
        }
    }

    /// S1 and S2; true when the field was found wanting, which says enough about it.
    fn secret_field(&mut self, at: &str, name: &str, field: &Map<String, Value>, value: &Value) -> bool {
        let own_name =
            field.get("name").and_then(Value::as_str).filter(|own| !own.is_empty()).unwrap_or(name);
        let masked = field.get("password").is_some_and(is_true);
        let input = field.get("_input_type").and_then(Value::as_str);
        let secret = masked
            || matches!(input, Some("SecretStrInput" | "MultilineSecretInput"))
            || names::is_secret(own_name);
        let Some(text) = names::scalar(value).filter(|text| secret && !text.is_empty() && !is_switch(value))
        else {
            return false;
        };
        if field.get("load_from_db") == Some(&Value::Bool(true)) {
            if !names::is_variable(text.trim()) {
                self.add(Rule::BadReference, at, "this is not the name of a variable", &text);
                return true;
            }
            if pattern::has_credential(&text) {
                self.add(Rule::CredentialShapedReference, at, "the name looks like a credential", &text);
                return true;
            }
            return false;
        }
        let literal = !names::is_reference(&text) && (value.is_string() || masked);
        if literal {
            self.add(Rule::LiteralSecret, at, "a secret field holds a literal", &text);
        }
        literal
    }

    /// Rows of a table some of whose columns hold names of variables.
    fn table(&mut self, at: &str, rows: &[Value], columns: &HashSet<&str>) {
        for (number, row) in rows.iter().enumerate() {
            let Some(cells) = row.as_object() else { continue };
            for (column, cell) in cells {
                let path = format!("{at}[{number}].{}", segment(column));
                let variable = cell
                    .as_str()
                    .is_some_and(|text| names::is_variable(text) && !pattern::has_credential(text));
                if columns.contains(column.as_str()) && variable {
                    continue;
                }
                if column == "value" && row_name(cells).is_some_and(names::is_secret) && !names::refers(cell)
                {
                    self.add(Rule::Row, &path, "the row is named like a secret", &text_of(cell));
                    continue;
                }
                self.strings(cell, &path);
            }
        }
    }

    /// S3 to S6 on everything below a value.
    fn strings(&mut self, value: &Value, path: &str) {
        match value {
            Value::String(text) => self.string(text, path),
            Value::Object(entries) => self.entries(entries, path),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    let inner = format!("{path}[{at}]");
                    self.strings(item, &inner);
                    let Value::String(text) = item else { continue };
                    let next = items.get(at.saturating_add(1));
                    if let Some(secret) = names::flagged(text, next)
                        && !names::is_reference(secret)
                        && !secret.starts_with('-')
                    {
                        self.add(Rule::Argv, &inner, "a command line flag with a secret", secret);
                    }
                }
            }
            _ => {}
        }
    }

    fn string(&mut self, text: &str, path: &str) {
        for (detail, credential) in pattern::matches(text) {
            self.add(Rule::Pattern, path, detail, credential);
        }
        if let Some(detail) = url::secret(text) {
            self.add(Rule::Url, path, detail, text);
        }
    }

    fn entries(&mut self, entries: &Map<String, Value>, path: &str) {
        if let (Some(name), Some(value)) = (row_name(entries), entries.get("value"))
            && names::is_secret(name)
            && !names::refers(value)
            && !is_loaded_row(entries, value)
        {
            self.add(Rule::Row, &format!("{path}.value"), "the row is named like a secret", &text_of(value));
        }
        let environment = path.ends_with(".config.headers") || path.ends_with(".config.env");
        for (name, value) in entries {
            let inner = format!("{path}.{}", segment(name));
            if let Some(text) = names::scalar(value)
                && names::is_secret(name)
                && !names::refers(value)
                && !(environment && value.is_string() && names::is_upper_variable(&text))
            {
                self.add(Rule::Key, &inner, "the key is named like a secret", &text);
            }
            self.strings(value, &inner);
        }
    }

    /// Every string and key that is left, by the shapes that cannot be mistaken.
    fn rest(&mut self, value: &Value, path: &mut String) {
        let length = path.len();
        match value {
            Value::String(text) => self.leftover(text, path),
            Value::Array(items) => {
                let nodes = path == "data.nodes" || path == "nodes";
                for (at, item) in items.iter().enumerate() {
                    path.push_str(&format!("[{at}]"));
                    if nodes {
                        self.node = node_name(item, path);
                    }
                    self.rest(item, path);
                    path.truncate(length);
                }
                if nodes {
                    self.node.clear();
                }
            }
            Value::Object(entries) => {
                for (name, item) in entries {
                    if length > 0 {
                        path.push('.');
                    }
                    path.push_str(&segment(name));
                    self.leftover(name, path);
                    self.rest(item, path);
                    path.truncate(length);
                }
            }
            _ => {}
        }
    }

    fn leftover(&mut self, text: &str, path: &str) {
        let found = pattern::unmistakable(text);
        if !found.is_empty() && !self.told.contains(path) {
            for (detail, credential) in found {
                self.add(Rule::Pattern, path, detail, credential);
            }
        }
    }
}

/// A node's id, for findings; a node without one is named by its place.
fn node_name(node: &Value, place: &str) -> String {
    match node.get("id").and_then(Value::as_str) {
        Some(id) if !id.is_empty() => segment(id),
        _ => place.to_owned(),
    }
}

/// A name as part of a path. Where the name itself is a credential, or far too long, it is masked.
fn segment(name: &str) -> String {
    if name.len() > 128 || pattern::has_credential(name) { mask(name) } else { name.to_owned() }
}

fn row_name(entries: &Map<String, Value>) -> Option<&str> {
    ["key", "name", "header"].into_iter().find_map(|key| entries.get(key).and_then(Value::as_str))
}

/// The row says itself that its value is the name of a variable.
fn is_loaded_row(entries: &Map<String, Value>, value: &Value) -> bool {
    let listed = match entries.get("__load_from_db_fields") {
        Some(Value::Array(columns)) => columns.iter().any(|column| column == "value"),
        Some(Value::Object(columns)) => columns.contains_key("value"),
        _ => false,
    };
    listed && value.as_str().is_some_and(names::is_variable)
}

/// Columns of a table whose cells are names of variables.
fn loaded_columns(field: &Map<String, Value>) -> HashSet<&str> {
    let columns = field.get("table_schema").and_then(Value::as_array).into_iter().flatten();
    columns
        .filter(|column| column.get("load_from_db").is_some_and(is_true))
        .filter_map(|column| column.get("name").and_then(Value::as_str))
        .collect()
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// 0 and 1 are switches, not secrets.
fn is_switch(value: &Value) -> bool {
    value.as_f64().is_some_and(|number| number == 0.0 || number == 1.0)
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
