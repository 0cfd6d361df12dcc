//! The configuration of one instance: what its tenant set, what comes of it, and what is served meanwhile.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The configuration of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// What the tenant set above the plan's, a JSON object by capability.
    pub overrides: Map<String, Value>,
    /// What comes of it at the instance's revision.
    pub effective: Map<String, Value>,
    /// What is applied and served; `None` before anything was.
    pub served: Option<Served>,
}

/// A configuration that is applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// The revision it came with.
    pub revision: i64,
    /// The effective configuration.
    pub effective: Map<String, Value>,
}

/// Asks for another configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Configure {
    /// A JSON object by capability.
    pub config: Map<String, Value>,
    /// Only of these capabilities; empty: of all.
    pub capabilities: BTreeSet<String>,
}

impl Configure {
    /// What stands of `overrides` after it.
    #[must_use]
    pub fn onto(&self, overrides: &Map<String, Value>) -> Map<String, Value> {
        if self.capabilities.is_empty() {
            return self.config.clone();
        }
        let mut after = overrides.clone();
        for name in &self.capabilities {
            match self.config.get(name) {
                Some(config) => after.insert(name.clone(), config.clone()),
                None => after.remove(name),
            };
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_mask_touches_what_it_names() {
        let before = object(json!({ "a": { "x": 1, "y": 2 }, "b": { "z": 3 }, "c": {} }));
        let ask = |config: Value, names: &[&str]| Configure {
            config: object(config),
            capabilities: names.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(ask(json!({ "a": { "x": 9 } }), &[]).onto(&before), object(json!({ "a": { "x": 9 } })));
        assert_eq!(ask(json!({}), &[]).onto(&before), Map::new(), "everything is unset");
        let some = ask(json!({ "a": { "x": 9 } }), &["a", "b"]).onto(&before);
        assert_eq!(some, object(json!({ "a": { "x": 9 }, "c": {} })), "what is named and left out is unset");
    }
}
