//! One field of a node: what is stored, and whether it counts.

use serde_json::{Map, Value};

/// Types whose stored value is passed to the component as it stands.
const DIRECT: [&str; 25] = [
    "str",
    "bool",
    "dict",
    "int",
    "float",
    "Any",
    "prompt",
    "mustache",
    "code",
    "NestedDict",
    "table",
    "slider",
    "tab",
    "sortableList",
    "actionPicker",
    "duration",
    "auth",
    "connect",
    "connection_ref",
    "query",
    "tools",
    "mcp",
    "model",
    "data_display",
    "file",
];

/// A field of a node, as the flow stores it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    /// The declared type, such as `str` or `prompt`.
    pub kind: String,
    /// The stored value.
    pub value: Value,
    /// Shown in the editor; a hidden field's value does not count.
    pub show: bool,
    /// Takes several values.
    pub list: bool,
    /// The value is the name of a variable.
    pub load_from_db: bool,
    /// Counts although hidden.
    pub override_skip: bool,
    /// Where a file's content lies; empty for none.
    pub file_path: Value,
    /// Types of values an edge may bring.
    pub input_types: Vec<String>,
}

impl Field {
    /// Reads a field from its entry in the template.
    pub(crate) fn read(entry: &Map<String, Value>) -> Self {
        let mut field = Self::default();
        for (name, value) in entry {
            field.set(name, value);
        }
        field
    }

    /// Sets one attribute; attributes that mean nothing to a run are left out.
    pub(crate) fn set(&mut self, attribute: &str, value: &Value) {
        match attribute {
            "type" => self.kind = value.as_str().unwrap_or_default().to_owned(),
            "value" => self.value = value.clone(),
            "show" => self.show = truth(value),
            "list" => self.list = truth(value),
            "load_from_db" => self.load_from_db = truth(value),
            "override_skip" => self.override_skip = truth(value),
            "file_path" => self.file_path = value.clone(),
            "input_types" => self.input_types = words(value),
            _ => {}
        }
    }

    /// The stored value, if it counts. A field of type `other` and a hidden one have none.
    #[must_use]
    pub fn stored(&self) -> Option<&Value> {
        (self.override_skip || (self.show && self.kind != "other")).then_some(&self.value)
    }

    /// The type is one whose stored value can be passed on.
    #[must_use]
    pub fn has_known_kind(&self) -> bool {
        DIRECT.contains(&self.kind.as_str())
    }

    /// The stored value as text. In `str` fields the two characters `\n` mean a line break.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.stored().map(|value| match value {
            Value::String(text) if self.kind == "str" => text.replace("\\n", "\n"),
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            other => other.to_string(),
        })
    }

    /// The stored value as a flag: empty, zero and null are false, every other value is true.
    #[must_use]
    pub fn flag(&self) -> Option<bool> {
        self.stored().map(truth)
    }
}

/// Python's idea of truth, since that is what the flow was written for.
fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// The strings of a list; anything else gives none.
pub(crate) fn words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
