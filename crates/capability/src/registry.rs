//! The registry: which capabilities there are. Read once, then only looked up.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use jsonschema::Validator;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{format, merge, schema};

/// The capabilities, by name.
#[derive(Debug)]
pub struct Registry(BTreeMap<String, Capability>);

/// Something an offering version can ask for.
#[derive(Debug)]
pub struct Capability {
    entry: Entry,
    /// The schema, ready to be asked.
    pub(crate) validator: Validator,
}

/// An entry of the registry's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    display_name: String,
    description: String,
    fixed: BTreeSet<String>,
    defaults: Map<String, Value>,
    schema: Value,
}

/// Why a registry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The file is no list of entries.
    #[error("the capability registry cannot be read: {0}")]
    Unreadable(String),
    /// One entry is wrong.
    #[error("capability {name}: {problem}")]
    Entry {
        /// Which.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

static BUILTIN: LazyLock<Result<Registry, Broken>> =
    LazyLock::new(|| Registry::parse(include_str!("../capability-registry.yaml")));

impl Registry {
    /// The registry that comes with the platform.
    ///
    /// # Errors
    /// Never in a build whose tests pass.
    pub fn builtin() -> Result<&'static Self, Broken> {
        BUILTIN.as_ref().map_err(Clone::clone)
    }

    /// Reads a registry.
    ///
    /// # Errors
    /// When an entry is wrong: its name, its schema, its defaults or its fixed fields.
    pub fn parse(yaml: &str) -> Result<Self, Broken> {
        let entries: Vec<Entry> =
            serde_norway::from_str(yaml).map_err(|error| Broken::Unreadable(error.to_string()))?;
        let mut capabilities = BTreeMap::new();
        for entry in entries {
            let name = entry.name.clone();
            let broken = |problem| Broken::Entry { name: name.clone(), problem };
            let capability = Capability::new(entry).map_err(broken)?;
            if capabilities.insert(name.clone(), capability).is_some() {
                return Err(broken("stands there twice".to_owned()));
            }
        }
        Ok(Self(capabilities))
    }

    /// The capability of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Capability> {
        self.0.get(name)
    }

    /// Every capability, by name.
    pub fn all(&self) -> impl Iterator<Item = &Capability> {
        self.0.values()
    }
}

impl Capability {
    fn new(mut entry: Entry) -> Result<Self, String> {
        if !format::is_name(&entry.name) {
            return Err(format!("its name {}", format::NAME_RULE));
        }
        if entry.display_name.trim().is_empty() || entry.description.trim().is_empty() {
            return Err("says nothing to people".to_owned());
        }
        let validator = schema::compile(&entry.schema)?;
        let fields = entry.schema.get("properties").and_then(Value::as_object);
        if let Some(stray) =
            entry.fixed.iter().find(|name| !fields.is_some_and(|all| all.contains_key(*name)))
        {
            return Err(format!("the fixed field {stray:?} is not in its schema"));
        }
        let defaults = Value::Object(entry.defaults);
        if let Some(error) = validator.iter_errors(&defaults).next() {
            return Err(format!("its defaults: {error}"));
        }
        entry.defaults = match merge::sorted(defaults) {
            Value::Object(defaults) => defaults,
            _ => Map::new(),
        };
        Ok(Self { entry, validator })
    }

    /// Its natural key: `web_widget.branding`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Its name for people.
    #[must_use]
    pub fn display_name(&self) -> &str {
        &self.entry.display_name
    }

    /// One sentence for people.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.entry.description
    }

    /// The JSON Schema of its configuration.
    #[must_use]
    pub const fn schema(&self) -> &Value {
        &self.entry.schema
    }

    /// Its configuration where nobody says otherwise.
    #[must_use]
    pub const fn defaults(&self) -> &Map<String, Value> {
        &self.entry.defaults
    }

    /// Whether the version and the plan alone decide a field of its configuration.
    #[must_use]
    pub fn is_fixed(&self, field: &str) -> bool {
        self.entry.fixed.contains(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_platform_can_be_used() {
        let registry = Registry::builtin().unwrap();
        let names: Vec<_> = registry.all().map(Capability::name).collect();
        for name in ["chat", "rag", "connectors", "mcp", "scheduler", "store", "model_endpoint", "pipelines"]
        {
            assert!(names.contains(&name), "{name}");
        }
        for capability in registry.all() {
            assert!(capability.validator.is_valid(&Value::Object(capability.defaults().clone())));
            let one = Map::from_iter([(capability.name().to_owned(), capability.defaults().clone().into())]);
            assert_eq!(registry.check(&one), [], "{}", capability.name());
        }
    }

    #[test]
    fn the_widget_has_exactly_its_nine_fields() {
        let branding = Registry::builtin().unwrap().get("web_widget.branding").unwrap();
        let mut fields: Vec<_> = branding.schema()["properties"].as_object().unwrap().keys().collect();
        fields.sort();
        let mut nine = [
            "brand_name",
            "logo_url",
            "avatar_url",
            "primary_color",
            "accent_color",
            "font_family",
            "launcher_text",
            "position",
            "allowed_domains",
        ];
        nine.sort_unstable();
        assert_eq!(fields, nine);
        assert_eq!(branding.schema()["additionalProperties"], false);
    }

    #[test]
    fn a_wrong_registry_is_not_taken() {
        let entry = |name: &str, rest: &str| {
            format!(
                "- {{name: {name}, display_name: A, description: B., fixed: [], defaults: {{}}, schema: {rest}}}\n"
            )
        };
        let empty = "{type: object, additionalProperties: false, properties: {}}";
        assert!(Registry::parse(&entry("a", empty)).is_ok());
        let of = |property: &str| {
            format!("{{type: object, additionalProperties: false, properties: {{x: {property}}}}}")
        };
        for (wrong, problem) in [
            ("a: [".to_owned(), "cannot be read"),
            (entry("A", empty), "its name"),
            (entry("a", empty).repeat(2), "twice"),
            (entry("a", "{type: object}"), "additionalProperties"),
            (entry("a", "{type: string}"), "type object"),
            (entry("a", "true"), "must be an object"),
            (entry("a", &of("{type: string, $ref: 'https://example.com/x'}")), "$ref"),
            (entry("a", &of("{type: string, maxLength: 9, format: colour}")), "colour"),
            (entry("a", &of("{type: [string, 'null']}")), "type"),
            (entry("a", &of("{type: string, maxLength: x}")), "maxLength"),
            (entry("a", &of("{type: string, oneOf: []}")), "oneOf"),
            (entry("a", empty).replace("fixed: []", "fixed: [y]"), "fixed field"),
            (entry("a", empty).replace("defaults: {}", "defaults: {y: 1}"), "defaults"),
            (entry("a", empty).replace("display_name: A", "display_name: ' '"), "nothing to people"),
        ] {
            let broken = Registry::parse(&wrong).unwrap_err().to_string();
            assert!(broken.contains(problem), "{wrong}: {broken}");
        }
    }
}
