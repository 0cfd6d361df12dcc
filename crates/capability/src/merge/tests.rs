//! What merging keeps: what fits, what was said last, and nothing of the order it was said in.

use proptest::prelude::*;
use serde_json::{Number, json};

use super::*;

fn registry() -> &'static Registry {
    Registry::builtin().unwrap()
}

fn map(value: Value) -> Config {
    value.as_object().unwrap().clone()
}

fn effective(capabilities: &[&str], version: Value, plan: Value, overrides: Value) -> Value {
    Value::Object(registry().effective(capabilities, &map(version), &map(plan), &map(overrides)))
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let merged = effective(
        &["rag", "model_endpoint"],
        json!({ "rag": { "top_k": 3, "citations": false } }),
        json!({ "rag": { "top_k": 4, "max_documents": 9 }, "scheduler": {} }),
        json!({ "rag": { "top_k": 6 }, "model_endpoint": { "traffic": { "canary_percent": 10 } } }),
    );
    assert_eq!(
        merged.to_string(),
        concat!(
            r#"{"model_endpoint":{"gpus":0,"max_replicas":1,"traffic":{"canary_percent":10}},"#,
            r#""rag":{"citations":false,"max_document_bytes":20971520,"max_documents":9,"top_k":6},"#,
            r#""scheduler":{"max_schedules":5,"min_interval_seconds":3600}}"#
        )
    );
}

#[test]
fn null_unsets() {
    let branding = json!({ "web_widget.branding": { "launcher_text": null, "brand_name": "A" } });
    let merged = effective(&["web_widget.branding"], json!({}), branding, json!({}));
    let branding = &merged["web_widget.branding"];
    assert!(branding.get("launcher_text").is_none() && branding["brand_name"] == "A");

    assert_eq!(effective(&["rag"], json!({}), json!({ "rag": null }), json!({ "rag": {} })), json!({}));
    assert_eq!(effective(&["rag"], json!({ "rag": null }), json!({}), json!({})), json!({}));
    assert_eq!(effective(&["chat"], json!({}), json!({}), json!({ "chat": null })), json!({}));
}

#[test]
fn overrides_add_no_capability_and_reach_no_fixed_field() {
    let plan = json!({ "rag": { "max_documents": 10 } });
    for overrides in [
        json!({ "rag": { "max_documents": 1000 }, "mcp": { "endpoint": true } }),
        json!({ "rag": { "max_documents": null } }),
        json!({ "rag": 7 }),
        json!({ "rag": [] }),
    ] {
        let merged = effective(&["rag"], json!({}), plan.clone(), overrides);
        assert_eq!(merged["rag"]["max_documents"], 10);
        assert!(merged.get("mcp").is_none());
    }
}

#[test]
fn arrays_are_replaced_and_unknown_capabilities_kept() {
    let one = json!({ "chat": { "suggestions": ["a", "b"] }, "old": { "x": { "y": 1 } } });
    let two = json!({ "chat": { "suggestions": ["c"] }, "old": { "x": { "z": 2 } } });
    let merged = effective(&["chat", "old"], one, two, json!({}));
    assert_eq!(merged["chat"]["suggestions"], json!(["c"]));
    assert_eq!(merged["old"], json!({ "x": { "y": 1, "z": 2 } }));
}

#[test]
fn what_is_nested_without_end_is_left_out() {
    let mut deep = json!(1);
    for _ in 0..300 {
        deep = json!({ "a": deep });
    }
    let merged = effective(&["chat"], json!({}), json!({}), json!({ "chat": deep }));
    let mut levels = 1;
    let mut value = &merged;
    while let Some(next) = value.as_object().and_then(|fields| fields.values().next()) {
        (value, levels) = (next, levels + 1);
    }
    assert!(levels <= DEPTH + 1, "{levels}");
}

/// Anything that fits a schema, with nulls where fields may be unset.
fn fitting(schema: &Value) -> BoxedStrategy<Value> {
    let number = |key: &str| schema.get(key).and_then(Value::as_i64);
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return proptest::sample::select(options.clone()).boxed();
    }
    match schema["type"].as_str().unwrap() {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => {
            let range = number("minimum").unwrap()..=number("maximum").unwrap();
            range.prop_map(|number| Value::Number(Number::from(number))).boxed()
        }
        "array" => {
            let item = fitting(&schema["items"]).prop_map(|item| item.to_string());
            let most = usize::try_from(number("maxItems").unwrap()).unwrap().min(4);
            let items = proptest::collection::btree_set(item, 0..=most);
            items
                .prop_map(|items| {
                    items.iter().map(|item| serde_json::from_str::<Value>(item).unwrap()).collect()
                })
                .boxed()
        }
        "object" => {
            let mut whole = Just(Map::new()).boxed();
            for (name, field) in schema["properties"].as_object().unwrap() {
                let name = name.clone();
                let value = prop_oneof![
                    2 => Just(None),
                    1 => Just(Some(Value::Null)),
                    3 => fitting(field).prop_map(Some),
                ];
                whole = (whole, value)
                    .prop_map(move |(mut map, value)| {
                        map.extend(value.map(|value| (name.clone(), value)));
                        map
                    })
                    .boxed();
            }
            whole.prop_map(Value::Object).boxed()
        }
        _ => text(schema["format"].as_str().unwrap_or("line")),
    }
}

fn text(format: &str) -> BoxedStrategy<Value> {
    let words = match format {
        "https-url" => "https://[a-z]{1,9}\\.example/[a-z0-9/._-]{0,20}",
        "hex-color" => "#[0-9a-fA-F]{6}",
        "host" => "[a-z]{1,9}(\\.[a-z]{1,9}){0,2}",
        "host-or-origin" => "(https?://)?[a-z]{1,9}\\.[a-z]{1,9}",
        "font-family" => "[A-Za-z]{1,9}(, [A-Za-z]{1,9}){0,2}",
        "name" => "[a-z][a-z0-9_-]{0,9}(\\.[a-z]{1,5}){0,2}",
        _ => "[a-zA-Zäöü ]{1,20}",
    };
    words.prop_map(Value::from).boxed()
}

/// A layer that fits the registry.
fn layer() -> BoxedStrategy<Config> {
    let mut whole = Just(Map::new()).boxed();
    for capability in registry().all() {
        let name = capability.name().to_owned();
        let config = prop_oneof![
            3 => Just(None),
            1 => Just(Some(Value::Null)),
            4 => fitting(capability.schema()).prop_map(Some),
        ];
        whole = (whole, config)
            .prop_map(move |(mut map, config)| {
                map.extend(config.map(|config| (name.clone(), config)));
                map
            })
            .boxed();
    }
    whole
}

fn capabilities() -> BoxedStrategy<Vec<String>> {
    let names: Vec<_> = registry().all().map(|capability| capability.name().to_owned()).collect();
    let count = names.len();
    proptest::sample::subsequence(names, 0..=count).boxed()
}

/// Anything that is JSON.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::hash_map("[a-c]|chat|rag|top_k", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn config() -> impl Strategy<Value = Config> {
    proptest::collection::hash_map("[a-c]|chat|rag|mcp", json(), 0..5)
        .prop_map(|map| map.into_iter().collect())
}

fn reversed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| (key.clone(), reversed(value))).collect();
            Value::Object(fields.into_iter().rev().collect())
        }
        Value::Array(items) => items.iter().map(reversed).collect(),
        plain => plain.clone(),
    }
}

fn backwards(config: &Config) -> Config {
    map(reversed(&Value::Object(config.clone())))
}

proptest! {
    #[test]
    fn what_fits_merges_to_what_fits(
        capabilities in capabilities(), version in layer(), plan in layer(), overrides in layer()
    ) {
        for layer in [&version, &plan, &overrides] {
            prop_assert_eq!(registry().check(layer), []);
        }
        let merged = registry().effective(&capabilities, &version, &plan, &overrides);
        prop_assert_eq!(registry().check(&merged), []);
    }

    #[test]
    fn overrides_win_where_they_may(
        capabilities in capabilities(), plan in layer(), overrides in layer()
    ) {
        let base = registry().effective(&capabilities, &Map::new(), &plan, &Map::new());
        let merged = registry().effective(&capabilities, &Map::new(), &plan, &overrides);
        for (name, config) in &base {
            let capability = registry().get(name).unwrap();
            match overrides.get(name) {
                None => prop_assert_eq!(merged.get(name), Some(config)),
                Some(Value::Null) => prop_assert!(!merged.contains_key(name)),
                Some(said) => for (field, value) in said.as_object().unwrap() {
                    let now = merged[name].get(field);
                    if capability.is_fixed(field) {
                        prop_assert_eq!(now, config.get(field));
                    } else if value.is_null() {
                        prop_assert_eq!(now, None);
                    } else if !value.is_object() {
                        prop_assert_eq!(now, Some(value));
                    }
                },
            }
        }
        prop_assert!(merged.keys().all(|name| base.contains_key(name)));
    }

    #[test]
    fn said_twice_is_said_once(mut value in json(), patch in json()) {
        apply(&mut value, &patch, DEPTH);
        let once = value.clone();
        apply(&mut value, &patch, DEPTH);
        prop_assert_eq!(value, once);
    }

    #[test]
    fn the_order_of_keys_says_nothing(version in config(), plan in config(), overrides in config()) {
        let names = ["chat", "rag", "a", "b"];
        let one = registry().effective(names, &version, &plan, &overrides);
        let (version, plan, overrides) = (backwards(&version), backwards(&plan), backwards(&overrides));
        let two = registry().effective(names.iter().rev(), &version, &plan, &overrides);
        // As texts: the order of the result is part of it.
        prop_assert_eq!(Value::Object(one).to_string(), Value::Object(two).to_string());
    }

    #[test]
    fn any_json_is_answered(config in config()) {
        let found = registry().check(&config);
        prop_assert!(found.iter().all(|violation| !violation.message.is_empty()));
        prop_assert_eq!(registry().check(&backwards(&config)).len(), found.len());
    }
}
