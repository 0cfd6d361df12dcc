//! The checks: what is wrong with a configuration, field by field, without repeating a value.

use jsonschema::{
    ValidationError,
    error::{TypeKind, ValidationErrorKind},
    paths::LocationSegment,
};
use serde_json::{Map, Value};

use crate::{Capability, Registry, format, schema::DEPTH};

/// Most violations that are told at once.
const MOST: usize = 50;
/// Longest name of a field that is repeated, in characters.
const EXCERPT: usize = 60;

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field: `web_widget.branding.allowed_domains[2]`.
    pub path: String,
    /// What it must be; never what it is.
    pub message: String,
}

impl Registry {
    /// What is wrong with a configuration by capability; nothing when it fits. Layers are checked like the
    /// whole: a null, which unsets, fits everywhere in an object.
    ///
    /// At most fifty violations are told, by name of the capability.
    #[must_use]
    pub fn check(&self, config: &Map<String, Value>) -> Vec<Violation> {
        self.inspect(config, |_, _, _| true)
    }

    /// What is wrong with a tenant's overrides of `base`, the effective configuration without them: as
    /// `check`, and they name capabilities of `base` only, and no fixed fields.
    #[must_use]
    pub fn check_overrides(
        &self,
        base: &Map<String, Value>,
        overrides: &Map<String, Value>,
    ) -> Vec<Violation> {
        self.inspect(overrides, |capability, config, wrong| {
            let name = capability.name();
            if !base.contains_key(name) {
                wrong.push(violation(name.to_owned(), "is not part of the instance's version and plan"));
                return false;
            }
            if !config.is_object() && !config.is_null() {
                return true;
            }
            let fields = config.as_object().into_iter().flat_map(Map::keys);
            let fixed = fields.filter(|field| capability.is_fixed(field));
            wrong.extend(fixed.map(|field| violation(format!("{name}.{field}"), "is decided by the plan")));
            true
        })
    }

    /// `before` may find more, and says whether the schema is to be asked.
    fn inspect(
        &self,
        config: &Map<String, Value>,
        before: impl Fn(&Capability, &Value, &mut Vec<Violation>) -> bool,
    ) -> Vec<Violation> {
        let mut entries: Vec<_> = config.iter().collect();
        entries.sort_by_key(|(name, _)| *name);
        let mut wrong = Vec::new();
        for (name, config) in entries {
            if wrong.len() >= MOST {
                break;
            }
            match self.get(name) {
                None => wrong.push(violation(excerpt(name), "is no capability of the registry")),
                Some(capability) => {
                    if before(capability, config, &mut wrong) {
                        capability.inspect(config, &mut wrong);
                    }
                }
            }
        }
        wrong.truncate(MOST);
        wrong
    }
}

impl Capability {
    fn inspect(&self, config: &Value, wrong: &mut Vec<Violation>) {
        if config.is_null() {
            return;
        }
        if let Err(problem) = tame(config) {
            wrong.push(violation(self.name().to_owned(), &problem));
            return;
        }
        let config = without_nulls(config);
        for error in self.validator.iter_errors(&config) {
            if wrong.len() >= MOST {
                break;
            }
            tell(self.name(), &error, wrong);
        }
    }
}

/// Refuses what could exhaust a stack, and fractions: no field has any, and to a schema 5.0 is an integer.
/// Walks without recursion.
fn tame(config: &Value) -> Result<(), String> {
    let mut rest = vec![(config, 2)];
    while let Some((value, depth)) = rest.pop() {
        if depth > DEPTH {
            return Err(format!("must not be nested deeper than {DEPTH} levels"));
        }
        match value {
            Value::Object(fields) => rest.extend(fields.values().map(|value| (value, depth + 1))),
            Value::Array(items) => rest.extend(items.iter().map(|value| (value, depth + 1))),
            Value::Number(number) if !number.is_i64() && !number.is_u64() => {
                return Err("must have whole numbers only, written without a point or an exponent".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The value without what is unset. A null in an array is a value that fits nowhere.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(set.map(|(field, value)| (field.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        plain => plain.clone(),
    }
}

/// The schema's finding in words of our own: the library's repeat what was sent.
fn tell(name: &str, error: &ValidationError<'_>, wrong: &mut Vec<Violation>) {
    let mut path = name.to_owned();
    for segment in error.instance_path().segments() {
        match segment {
            LocationSegment::Property(field) => {
                path.push('.');
                path.push_str(&excerpt(&field));
            }
            LocationSegment::Index(place) => path.push_str(&format!("[{place}]")),
        }
    }
    let message = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let stray = unexpected.iter().take(MOST);
            wrong.extend(
                stray.map(|field| violation(format!("{path}.{}", excerpt(field)), "is no such field")),
            );
            return;
        }
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => format!("must be of type {kind}"),
        ValidationErrorKind::Format { format } => format::rule(format).to_owned(),
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().into_iter().flatten().filter_map(Value::as_str);
            format!("must be one of {}", options.collect::<Vec<_>>().join(", "))
        }
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::MinLength { limit } => format!("must have at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MaxItems { limit } => format!("must have at most {limit} items"),
        ValidationErrorKind::UniqueItems => "must not say anything twice".to_owned(),
        other => format!("does not fit its schema: {}", other.keyword()),
    };
    wrong.push(Violation { path, message });
}

fn violation(path: String, message: &str) -> Violation {
    Violation { path, message: message.to_owned() }
}

fn excerpt(text: &str) -> String {
    let mut short: String = text.chars().filter(|letter| !letter.is_control()).take(EXCERPT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn wrong(config: Value) -> Vec<(String, String)> {
        let found = Registry::builtin().unwrap().check(&map(config));
        found.into_iter().map(|violation| (violation.path, violation.message)).collect()
    }

    #[test]
    fn what_fits_is_not_spoken_of() {
        assert_eq!(wrong(json!({})), []);
        let branding = json!({
            "brand_name": "Träge & Söhne", "logo_url": "https://cdn.example.com/l.svg",
            "avatar_url": "https://cdn.example.com/a.png", "primary_color": "#fff",
            "accent_color": "#2563EB", "font_family": "Inter, sans-serif", "launcher_text": "Fragen?",
            "position": "top-left", "allowed_domains": ["example.com", "https://a.example:8443"],
        });
        assert_eq!(wrong(json!({ "web_widget.branding": branding, "chat": {}, "rag": null })), []);
        assert_eq!(wrong(json!({ "rag": { "top_k": null }, "model_endpoint": { "traffic": null } })), []);
    }

    #[test]
    fn each_field_is_told_without_its_value() {
        let found = wrong(json!({
            "web_widget.branding": {
                "brand_name": "", "logo_url": "http://canary", "primary_color": "canary",
                "launcher_text": "canary".repeat(20), "position": "canary", "avatar_url": 7,
                "allowed_domains": ["example.com", "*.canary.example", "example.com"], "colour": "canary",
            },
            "rag": { "top_k": 51, "max_documents": 0, "citations": "canary" },
            "chat": "canary", "nothing": { "canary": 1 },
            "model_endpoint": { "traffic": { "canary_percent": 101, "x": {} } },
        }));
        let found: Vec<_> = found.iter().map(|(path, message)| (path.as_str(), message.as_str())).collect();
        for expected in [
            ("chat", "must be of type object"),
            ("nothing", "is no capability of the registry"),
            ("rag.top_k", "must be at most 50"),
            ("rag.max_documents", "must be at least 1"),
            ("rag.citations", "must be of type boolean"),
            ("model_endpoint.traffic.canary_percent", "must be at most 100"),
            ("model_endpoint.traffic.x", "is no such field"),
            ("web_widget.branding.brand_name", "must have at least 1 characters"),
            ("web_widget.branding.logo_url", "must be a URL that begins with https://"),
            ("web_widget.branding.avatar_url", "must be of type string"),
            ("web_widget.branding.primary_color", "must be a colour like #2563eb"),
            ("web_widget.branding.launcher_text", "must have at most 60 characters"),
            ("web_widget.branding.position", "must be one of bottom-right, bottom-left, top-right, top-left"),
            ("web_widget.branding.allowed_domains", "must not say anything twice"),
            (
                "web_widget.branding.allowed_domains[1]",
                "must be a host or an origin in lower case, like example.com or https://example.com:8443",
            ),
            ("web_widget.branding.colour", "is no such field"),
        ] {
            assert!(found.contains(&expected), "{expected:?} in {found:#?}");
        }
        assert!(found.iter().all(|(_, message)| !message.contains("canary") || message.contains("percent")));
    }

    #[test]
    fn hostile_configurations_are_bounded() {
        for depth in [17, 300] {
            let mut deep = json!(1);
            for level in 0..depth {
                deep = if level % 2 == 0 { json!([deep]) } else { json!({ "a": deep }) };
            }
            let told = wrong(json!({ "chat": { "greeting": deep } }));
            assert_eq!(told, [("chat".into(), "must not be nested deeper than 16 levels".into())]);
        }
        let many: Map<_, _> = (0..10_000).map(|place| (format!("f{place}"), json!(1))).collect();
        assert_eq!(wrong(json!({ "chat": many })).len(), MOST);
        let many: Map<_, _> = (0..10_000).map(|place| (format!("c{place}"), json!({}))).collect();
        assert_eq!(wrong(Value::Object(many)).len(), MOST);
        let long = wrong(json!({ "chat": { "x\n".repeat(100_000): 1 }, "y".repeat(100_000): 1 }));
        assert!(long.iter().all(|(path, _)| path.len() < 100 && !path.contains('\n')), "{long:?}");
        let whole = "must have whole numbers only, written without a point or an exponent";
        assert_eq!(wrong(json!({ "rag": { "top_k": 5.0 } })), [("rag".into(), whole.into())]);
        assert!(!wrong(json!({ "rag": { "top_k": u64::MAX } })).is_empty());
        assert!(!wrong(json!({ "chat": { "suggestions": [null] } })).is_empty());
    }

    #[test]
    fn overrides_stay_within_what_the_plan_gives() {
        let registry = Registry::builtin().unwrap();
        let base = registry.effective(["rag", "chat"], &Map::new(), &Map::new(), &Map::new());
        let told = |overrides: Value| -> Vec<_> {
            let found = registry.check_overrides(&base, &map(overrides));
            found.into_iter().map(|violation| (violation.path, violation.message)).collect()
        };
        assert_eq!(told(json!({ "rag": { "top_k": 7 }, "chat": null })), []);
        assert_eq!(
            told(json!({ "rag": { "max_documents": 7 }, "scheduler": {}, "none": {}, "chat": 1 })),
            [
                ("chat".to_owned(), "must be of type object".to_owned()),
                ("none".to_owned(), "is no capability of the registry".to_owned()),
                ("rag.max_documents".to_owned(), "is decided by the plan".to_owned()),
                ("scheduler".to_owned(), "is not part of the instance's version and plan".to_owned()),
            ]
        );
    }
}
