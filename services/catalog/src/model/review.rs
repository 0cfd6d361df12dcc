//! What the capability registry says of a version's content. A finding names a field of the request, never a
//! value.

use serde_json::{Map, Value};
use souk_capability::{Registry, Violation};

use super::{Finding, content::Content, finding::Code};

/// Most findings that are kept of one content.
const MOST: usize = 100;

/// Everything that keeps a content from being published by its capabilities and configurations.
pub(crate) fn review(registry: &Registry, content: &Content) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in content.capabilities.iter().filter(|name| registry.get(name).is_none()) {
        found.push(unknown("capabilities", name));
    }
    let version = object(&content.config_json);
    found.extend(layer(registry, "config_json", &version));
    let plans: Vec<_> = content.plans.iter().map(|plan| object(&plan.config_json)).collect();
    // What no plan ever brings in is a mistake in a name, or a capability that was forgotten.
    let known = |name: &&String| registry.get(name).is_some();
    for name in version.keys().filter(known) {
        let added = plans.iter().any(|plan| plan.get(name).is_some_and(|config| !config.is_null()));
        if !content.capabilities.contains(name) && !added {
            let message = "is not among the capabilities of the version or of a plan".to_owned();
            found.push(invalid("config_json", Violation { path: name.clone(), message }));
        }
    }
    for (place, plan) in plans.iter().enumerate() {
        let field = format!("plans[{place}].config_json");
        let mut more = layer(registry, &field, plan);
        if more.is_empty() && found.is_empty() {
            // Layers that fit merge to what fits; what is sold is asked all the same.
            let merged = registry.effective(&content.capabilities, &version, plan, &Map::new());
            more.extend(registry.check(&merged).into_iter().map(|wrong| invalid(&field, wrong)));
        }
        found.extend(more);
        if found.len() >= MOST {
            break;
        }
    }
    found.truncate(MOST);
    found
}

fn layer(registry: &Registry, field: &str, config: &Map<String, Value>) -> Vec<Finding> {
    let (known, strange): (Map<_, _>, Map<_, _>) =
        config.clone().into_iter().partition(|(name, _)| registry.get(name).is_some());
    let strange = strange.keys().take(MOST).map(|name| unknown(field, name));
    let wrong = registry.check(&known).into_iter().map(|wrong| invalid(field, wrong));
    strange.chain(wrong).collect()
}

fn unknown(field: &str, name: &str) -> Finding {
    // A key of a configuration is any text.
    let name: String = name.chars().filter(|letter| !letter.is_control()).take(100).collect();
    Finding::of_request(Code::CapabilityUnknown, field, format!("{name:?} is no capability of the registry"))
}

fn invalid(field: &str, wrong: Violation) -> Finding {
    Finding::of_request(Code::ConfigInvalid, &format!("{field}.{}", wrong.path), wrong.message)
}

/// A configuration that was read before.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}
