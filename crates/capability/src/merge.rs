//! The merge: defaults, then the version, then the plan, then the tenant's overrides. Objects are merged
//! field by field, anything else is replaced, null unsets.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{Capability, Registry, schema::DEPTH};

/// A configuration: a JSON object by capability.
type Config = Map<String, Value>;

impl Registry {
    /// The configuration that is in force, by capability; its keys are the capabilities that are. Keys are
    /// sorted at every depth.
    ///
    /// - `capabilities` are those of the version. The plan adds those it names and takes away those it sets
    ///   to null; the version's configuration and the overrides only speak of what is there.
    /// - A null in an object unsets the field; a null instead of an object takes the capability away.
    /// - Overrides do not reach fixed fields.
    ///
    /// What comes from outside is to be checked first (`check`, `check_overrides`): here, what is nested too
    /// deep is left out without a word.
    #[must_use]
    pub fn effective(
        &self,
        capabilities: impl IntoIterator<Item: AsRef<str>>,
        version: &Config,
        plan: &Config,
        overrides: &Config,
    ) -> Config {
        let mut all = BTreeMap::new();
        for name in capabilities {
            all.extend(self.begin(name.as_ref(), version));
        }
        for (name, patch) in plan {
            if patch.is_null() {
                all.remove(name);
                continue;
            }
            // A capability that the plan adds begins as any other; a version that sets it to null as well
            // says nothing about what others add.
            let config = all.remove(name).or_else(|| self.begin(name, version).map(|(_, config)| config));
            let mut config = config.unwrap_or_else(|| self.defaults(name));
            apply(&mut config, patch, DEPTH - 1);
            all.insert(name.clone(), config);
        }
        for (name, patch) in overrides {
            if patch.is_null() {
                all.remove(name);
            } else if let Some(config) = all.get_mut(name) {
                match self.get(name) {
                    Some(capability) => apply(config, &reachable(capability, patch), DEPTH - 1),
                    None => apply(config, patch, DEPTH - 1),
                }
            }
        }
        all.into_iter().map(|(name, config)| (name, sorted(config))).collect()
    }

    fn defaults(&self, name: &str) -> Value {
        Value::Object(self.get(name).map(|capability| capability.defaults().clone()).unwrap_or_default())
    }

    /// A capability as the version has it; `None` when the version takes it away again.
    fn begin(&self, name: &str, version: &Config) -> Option<(String, Value)> {
        let mut config = self.defaults(name);
        match version.get(name) {
            Some(Value::Null) => return None,
            Some(patch) => apply(&mut config, patch, DEPTH - 1),
            None => {}
        }
        Some((name.to_owned(), config))
    }
}

/// What overrides may say of a capability.
fn reachable(capability: &Capability, patch: &Value) -> Value {
    match patch {
        Value::Object(fields) => {
            let free = fields.iter().filter(|(field, _)| !capability.is_fixed(field));
            Value::Object(free.map(|(field, value)| (field.clone(), value.clone())).collect())
        }
        // No object would replace the fixed fields with the others.
        _ => Value::Object(Map::new()),
    }
}

/// Puts a patch on a value. `depth` levels are left below it.
fn apply(value: &mut Value, patch: &Value, depth: usize) {
    let Value::Object(fields) = patch else {
        *value = patch.clone();
        return;
    };
    let Some(depth) = depth.checked_sub(1) else { return };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(into) = value else { return };
    for (field, patch) in fields {
        if patch.is_null() {
            // Not `swap_remove`: nothing may depend on the order, and nothing does.
            into.remove(field);
        } else {
            apply(into.entry(field.as_str()).or_insert(Value::Null), patch, depth);
        }
    }
}

/// The same value with the keys of its objects sorted. Only for what is not nested without end.
pub(crate) fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> =
                fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}

#[cfg(test)]
mod tests;
