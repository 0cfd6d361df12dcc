//! The effective configuration of an instance: what the capability registry makes of the version's, the
//! plan's and the tenant's words.

use serde_json::{Map, Value};
use souk_capability::Registry;
use souk_types::Violation;

use super::Pins;

/// The capability whose configuration themes the widget.
pub const BRANDING: &str = "web_widget.branding";

/// The effective configuration; its keys are the capabilities in force.
#[must_use]
pub fn of(registry: &Registry, pins: &Pins, overrides: &Map<String, Value>) -> Map<String, Value> {
    registry.effective(&pins.capabilities, &pins.version_config, &pins.plan_config, overrides)
}

/// What is wrong with a tenant's overrides.
#[must_use]
pub fn violations(registry: &Registry, pins: &Pins, overrides: &Map<String, Value>) -> Vec<Violation> {
    let base = of(registry, pins, &Map::new());
    let found = registry.check_overrides(&base, overrides).into_iter();
    found.map(|found| Violation::new(format!("config_json.{}", found.path), found.message)).collect()
}

/// The capabilities in force, by name.
#[must_use]
pub fn capabilities(effective: &Map<String, Value>) -> Vec<String> {
    let mut names: Vec<_> = effective.keys().cloned().collect();
    names.sort();
    names
}

/// Origins that may embed the instance; none where the configuration names none.
#[must_use]
pub fn allowed_domains(effective: &Map<String, Value>) -> Vec<String> {
    let branding = effective.get(BRANDING).and_then(|branding| branding.get("allowed_domains"));
    let domains = branding.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    domains.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn odd_branding_names_no_domain() {
        for odd in [json!({}), json!({ BRANDING: 1 }), json!({ BRANDING: { "allowed_domains": "a" } })] {
            let Value::Object(odd) = odd else { panic!("{odd} is no object") };
            assert!(allowed_domains(&odd).is_empty());
        }
        let Value::Object(mixed) = json!({ BRANDING: { "allowed_domains": ["b.example", 7] } }) else {
            panic!()
        };
        assert_eq!(allowed_domains(&mixed), ["b.example"], "what is no text is no domain");
    }
}
