//! Schemas: which keywords a capability may use, and how they are compiled. Nothing is ever fetched.
//!
//! Two configurations that fit are merged field by field, so a keyword is allowed only if it looks at one
//! field at a time: no `required`, no `oneOf`, nothing that counts the fields of an object.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::format;

/// Deepest nesting of a configuration, the object of capabilities being the first level.
pub(crate) const DEPTH: usize = 16;

const TYPES: [&str; 5] = ["object", "array", "string", "integer", "boolean"];

/// Compiles the schema of a capability.
pub(crate) fn compile(schema: &Value) -> Result<Validator, String> {
    if schema.get("type").is_none_or(|kind| kind != "object") && schema.is_object() {
        return Err("the schema must have type object".to_owned());
    }
    inspect(schema, 2)?;
    let mut options = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .offline()
        .with_pattern_options(PatternOptions::regex());
    for (name, check, _) in format::FORMATS {
        options = options.with_format(*name, *check);
    }
    options.build(schema).map_err(|error| format!("{}: {error}", error.instance_path()))
}

/// Refuses what merging could break.
fn inspect(schema: &Value, depth: usize) -> Result<(), String> {
    let Value::Object(keywords) = schema else { return Err("a schema must be an object".to_owned()) };
    if depth > DEPTH {
        return Err(format!("is nested deeper than {DEPTH} levels"));
    }
    let kind = keywords.get("type").and_then(Value::as_str).unwrap_or_default();
    if !TYPES.contains(&kind) {
        return Err(format!("type must be one of {}", TYPES.join(", ")));
    }
    for keyword in keywords.keys() {
        let fits = match keyword.as_str() {
            "type" | "description" => true,
            "properties" | "additionalProperties" => kind == "object",
            "items" | "maxItems" | "uniqueItems" => kind == "array",
            "format" | "minLength" | "maxLength" | "enum" => kind == "string",
            "minimum" | "maximum" => kind == "integer",
            _ => false,
        };
        if !fits {
            return Err(format!("{keyword} is not for a {kind} of the registry"));
        }
    }
    bounds(kind, keywords)?;
    match kind {
        "object" => {
            let fields = keywords.get("properties").and_then(Value::as_object);
            let fields = fields.ok_or("an object must have properties")?;
            fields.values().try_for_each(|field| inspect(field, depth + 1))
        }
        "array" => inspect(keywords.get("items").ok_or("an array must have items")?, depth + 1),
        _ => Ok(()),
    }
}

/// Everything a tenant can send has an end.
fn bounds(kind: &str, keywords: &Map<String, Value>) -> Result<(), String> {
    let missing = match kind {
        "object" if keywords.get("additionalProperties") != Some(&Value::Bool(false)) => {
            "additionalProperties: false"
        }
        "array" if !keywords.contains_key("maxItems") => "maxItems",
        "string" if !keywords.contains_key("maxLength") && !keywords.contains_key("enum") => "maxLength",
        "integer" if !(keywords.contains_key("minimum") && keywords.contains_key("maximum")) => {
            "minimum and maximum"
        }
        _ => return Ok(()),
    };
    Err(format!("a {kind} must have {missing}"))
}
