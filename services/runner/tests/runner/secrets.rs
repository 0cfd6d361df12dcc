//! The credential scanner against the recorded cases.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use souk_runner::scanner;

fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(path)).unwrap()).unwrap()
}

/// Puts the tokens, which the fixtures hold in parts, into a value.
fn filled(value: &Value, tokens: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => tokens
            .iter()
            .fold(text.clone(), |text, (name, token)| text.replace(&format!("@@{name}@@"), token))
            .into(),
        Value::Array(items) => items.iter().map(|item| filled(item, tokens)).collect(),
        Value::Object(entries) => {
            Value::Object(entries.iter().map(|(key, item)| (key.clone(), filled(item, tokens))).collect())
        }
        other => other.clone(),
    }
}

fn tokens(cases: &Value) -> Vec<(String, String)> {
    let tokens = cases["tokens"].as_object().unwrap().iter();
    tokens
        .map(|(name, parts)| {
            let parts: String = parts.as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect();
            (name.clone(), parts)
        })
        .collect()
}

fn patched(case: &Value, tokens: &[(String, String)]) -> Value {
    let mut flow = json(&format!("flows/{}.flow.json", case["base_flow"].as_str().unwrap()));
    for set in case["set"].as_array().unwrap() {
        let value = filled(&set["value"], tokens);
        if let Some(key) = set.get("flow_key") {
            flow[key.as_str().unwrap()] = value;
            continue;
        }
        let nodes = flow["data"]["nodes"].as_array_mut().unwrap();
        let node = nodes.iter_mut().find(|node| node["id"] == set["node"]).unwrap();
        let field = &mut node["data"]["node"]["template"][set["field"].as_str().unwrap()];
        field[set["attr"].as_str().unwrap()] = value;
    }
    flow
}

#[test]
fn every_case_is_found_by_its_rules_and_no_value_is_told() {
    let cases = json("secrets/cases.json");
    let tokens = tokens(&cases);
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 32);
    for case in cases {
        let flow = patched(case, &tokens);
        let hits = scanner::scan(&flow);
        let rules: BTreeSet<&str> = hits.iter().map(|hit| hit.rule.as_str()).collect();
        let expected: BTreeSet<&str> =
            case["expect"].as_array().unwrap().iter().map(|rule| rule.as_str().unwrap()).collect();
        assert_eq!(rules, expected, "{}: {hits:?}", case["id"]);
        let findings = souk_runner::check(&serde_json::to_vec(&flow).unwrap());
        let own: Vec<_> =
            findings.iter().filter(|finding| finding.code.as_str() == "CREDENTIAL_IN_FLOW").collect();
        assert_eq!(own.len(), hits.len());
        for finding in own {
            for set in case["set"].as_array().unwrap().iter().filter(|set| set.get("node").is_some()) {
                assert_eq!(finding.node_id, set["node"].as_str().unwrap(), "{}", case["id"]);
                assert!(finding.field.starts_with(set["field"].as_str().unwrap()), "{finding}");
            }
            let told = format!("{finding:?}{finding}");
            for (name, token) in &tokens {
                assert!(!told.contains(token.as_str()), "{} tells {name}", case["id"]);
            }
            for secret in ["plainliteral", "hunter2", "pa55", "abc123def", "abcdefghijklmnop1234"] {
                assert!(!told.contains(secret), "{} tells {secret}", case["id"]);
            }
        }
    }
}

#[test]
fn recorded_flows_are_clean() {
    let mut count = 0;
    for folder in ["flows", "extra-flows"] {
        for file in fs::read_dir(fixture(folder)).unwrap() {
            let path = file.unwrap().path();
            let flow: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(scanner::scan(&flow), [], "{}", path.display());
            count += 1;
        }
    }
    assert!(count >= 25, "only {count} flows");
}

#[test]
fn no_corner_of_the_document_hides_a_credential() {
    let token =
        tokens(&json("secrets/cases.json")).into_iter().find(|(name, _)| name == "T_OPENAI").unwrap().1;
    let base = json("flows/echo.flow.json");
    let put: [(&str, &str, Value); 7] = [
        ("/data/edges/0", "label", token.clone().into()),
        ("/data/viewport", "note", token.clone().into()),
        ("/data/nodes/0", "comment", token.clone().into()),
        ("/data/nodes/0/data/node/metadata", token.as_str(), 1.into()),
        ("/data/nodes/0/data/node/template", token.as_str(), "x".into()),
        ("/data/nodes/1/data/node/template/sender", "info", token.clone().into()),
        ("/data/nodes/1", "id", token.clone().into()),
    ];
    for (place, key, value) in put {
        let mut flow = base.clone();
        if flow.pointer(place).is_none() {
            flow["data"]["viewport"] = serde_json::json!({});
        }
        flow.pointer_mut(place).unwrap()[key] = value;
        let findings = souk_runner::check(&serde_json::to_vec(&flow).unwrap());
        let own = findings.iter().filter(|finding| finding.code.as_str() == "CREDENTIAL_IN_FLOW");
        assert!(own.count() > 0, "{place} {key}: {findings:?}");
        assert!(!format!("{findings:?}").contains(&token), "{place} {key}: {findings:?}");
    }
}
