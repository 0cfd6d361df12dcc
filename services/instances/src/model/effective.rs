//! The effective configuration: capability defaults, the version's, the plan's and the instance's own, one
//! over the other. Pure; whether a value fits its capability's schema is not decided here.

use serde_json::{Map, Value};

/// The capability whose configuration themes the widget.
pub const BRANDING: &str = "web_widget.branding";

/// What the effective configuration is made of. Each layer is a JSON object by capability; a later one wins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layers {
    /// What a capability says when nobody says otherwise.
    pub defaults: Map<String, Value>,
    /// What the version says.
    pub version: Map<String, Value>,
    /// What the plan says.
    pub plan: Map<String, Value>,
    /// What the tenant says of this instance.
    pub overrides: Map<String, Value>,
}

impl Layers {
    /// The layers as one. Objects are merged key by key at every depth, anything else is replaced whole:
    /// half a list of two layers is what nobody asked for.
    #[must_use]
    pub fn effective(self) -> Map<String, Value> {
        let mut effective = self.defaults;
        for layer in [self.version, self.plan, self.overrides] {
            merge(&mut effective, layer);
        }
        effective
    }
}

fn merge(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => merge(below, above),
            (Some(slot), value) => *slot = value,
            (None, value) => {
                below.insert(key, value);
            }
        }
    }
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
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => panic!("{other} is no object"),
        }
    }

    #[test]
    fn later_layers_win_key_by_key() {
        let layers = Layers {
            defaults: object(json!({ "rag": { "top_k": 3, "rerank": { "on": false, "model": "a" } } })),
            version: object(json!({ "rag": { "top_k": 5 }, BRANDING: { "allowed_domains": ["a.example"] } })),
            plan: object(json!({ "rag": { "rerank": { "on": true } }, "tools": { "max": 2 } })),
            overrides: object(json!({ BRANDING: { "allowed_domains": ["b.example", 7] }, "tools": null })),
        };
        let effective = layers.effective();
        assert_eq!(
            Value::Object(effective.clone()),
            json!({
                "rag": { "top_k": 5, "rerank": { "on": true, "model": "a" } },
                BRANDING: { "allowed_domains": ["b.example", 7] },
                "tools": null,
            })
        );
        assert_eq!(allowed_domains(&effective), ["b.example"], "what is no text is no domain");
    }

    #[test]
    fn odd_branding_names_no_domain() {
        for odd in [json!({}), json!({ BRANDING: 1 }), json!({ BRANDING: { "allowed_domains": "a" } })] {
            assert!(allowed_domains(&object(odd)).is_empty());
        }
    }

    fn any_object() -> impl Strategy<Value = Map<String, Value>> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..9).prop_map(Value::from)];
        let value = leaf.prop_recursive(3, 12, 3, |inner| {
            proptest::collection::btree_map("[abc]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        });
        proptest::collection::btree_map("[abc]", value, 0..4).prop_map(|map| map.into_iter().collect())
    }

    fn over(below: &Map<String, Value>, above: &Map<String, Value>) -> Map<String, Value> {
        let mut merged = below.clone();
        merge(&mut merged, above.clone());
        merged
    }

    proptest! {
        #[test]
        fn nothing_changes_nothing_and_twice_is_once(layer in any_object(), below in any_object()) {
            prop_assert_eq!(over(&layer, &Map::new()), layer.clone());
            prop_assert_eq!(over(&Map::new(), &layer), layer.clone());
            let once = over(&below, &layer);
            prop_assert_eq!(over(&once, &layer), once);
        }

        #[test]
        fn every_word_of_the_last_layer_stands(below in any_object(), last in any_object()) {
            fn stands(within: &Map<String, Value>, last: &Map<String, Value>) -> bool {
                last.iter().all(|(key, value)| match (within.get(key), value) {
                    (Some(Value::Object(within)), Value::Object(last)) => stands(within, last),
                    (found, value) => found == Some(value),
                })
            }
            prop_assert!(stands(&over(&below, &last), &last));
        }
    }
}
