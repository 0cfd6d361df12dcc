//! Recorded runs of Langflow: the engine must give what Langflow gave.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Map, Value};
use souk_runner::{
    Error, Event, Flow, Request,
    model::{InputType, OutputType},
    native,
};

pub(crate) fn fixture(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

pub(crate) fn json(path: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(path)).unwrap()).unwrap()
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn nodes(flow: &Value) -> Vec<&Value> {
    let all = flow["data"]["nodes"].as_array().unwrap();
    all.iter().filter(|node| text(node, "type") != "noteNode").collect()
}

/// The recorded cases whose flow has only components of this engine, and asks no model.
pub(crate) fn ours() -> Vec<(Value, Value)> {
    known().into_iter().filter(|(_, flow)| !asks(flow)).collect()
}

/// Those that ask a model.
pub(crate) fn asking() -> Vec<(Value, Value)> {
    known().into_iter().filter(|(_, flow)| asks(flow)).collect()
}

fn asks(flow: &Value) -> bool {
    let kind = |node: &&Value| native::Kind::of(text(&node["data"], "type"));
    nodes(flow).iter().any(|node| kind(node) == Some(native::Kind::Model))
}

fn known() -> Vec<(Value, Value)> {
    let cases = json("manifest.json")["vectors"].as_array().unwrap().clone();
    let with_flow = cases.into_iter().map(|case| {
        let flow = json(text(&case, "flow"));
        (case, flow)
    });
    with_flow
        .filter(|(_, flow)| {
            nodes(flow).iter().all(|node| native::Kind::of(text(&node["data"], "type")).is_some())
        })
        .collect()
}

fn request(from: &Value) -> Request {
    let word = |name: &str| text(from, name).to_owned();
    Request {
        input_value: from.get("input_value").and_then(Value::as_str).map(str::to_owned),
        input_type: InputType::parse(&word("input_type")).unwrap(),
        output_type: OutputType::parse(&word("output_type")).unwrap(),
        output_component: from.get("output_component").and_then(Value::as_str).map(str::to_owned),
        tweaks: from.get("tweaks").and_then(Value::as_object).cloned().unwrap_or_else(Map::new),
        session_id: word("session_id"),
    }
}

/// What the recording says of a run, in the words of the engine.
fn status(result: &Result<souk_runner::Outcome, Error>) -> &'static str {
    match result {
        Ok(_) => "completed",
        Err(Error::InputConflict { .. } | Error::TweaksRefused { .. }) => "rejected",
        Err(_) => "failed",
    }
}

pub(crate) fn recorded_text(output: &Value) -> &str {
    output
        .get("text")
        .or_else(|| output.get("outputs").and_then(|own| own.get("text")))
        .unwrap()
        .as_str()
        .unwrap()
}

fn run(flow: &Value, request: &Request) -> Result<souk_runner::Outcome, Error> {
    let bytes = serde_json::to_vec(flow).unwrap();
    assert_eq!(souk_runner::check(&bytes), [], "a recorded flow must pass the check");
    native::run(&Flow::parse(&bytes).unwrap(), request, &mut |_| {})
}

#[test]
fn recorded_runs_give_what_was_recorded() {
    let cases = ours();
    assert!(cases.len() >= 48, "only {} cases are left", cases.len());
    let mut refused = Vec::new();
    for (case, flow) in &cases {
        let (id, expect) = (text(case, "id"), &case["expect"]);
        let result = run(flow, &request(&case["request"]));
        if case["tags"].as_array().unwrap().iter().any(|tag| tag == "python-format-spec") {
            let why = result.unwrap_err().to_string();
            assert!(why.contains("format specifications"), "{id}: {why}");
            refused.push(id);
            continue;
        }
        assert_eq!(status(&result), text(expect, "status"), "{id}: {result:?}");
        let Ok(outcome) = result else { continue };
        let recorded = expect["outputs"].as_array().unwrap();
        assert_eq!(outcome.outputs.len(), recorded.len(), "{id}");
        for (own, theirs) in outcome.outputs.iter().zip(recorded) {
            assert_eq!(own.text, recorded_text(theirs), "{id}");
            assert_eq!(own.component_id, text(theirs, "component_id"), "{id}");
            assert_eq!(own.display_name, text(theirs, "display_name"), "{id}");
            if let Some(sender) = theirs.get("sender").and_then(Value::as_str) {
                assert_eq!(own.sender.as_deref(), Some(sender), "{id}");
                assert_eq!(own.sender_name.as_deref(), Some(text(theirs, "sender_name")), "{id}");
                assert_eq!(own.source_id.as_deref(), theirs["source"]["id"].as_str(), "{id}");
            }
        }
        if let Some(built) = expect["built_components"].as_array() {
            let own: BTreeSet<&str> = outcome.built.iter().map(String::as_str).collect();
            let theirs: BTreeSet<&str> = built.iter().filter_map(Value::as_str).collect();
            assert_eq!(own, theirs, "{id}");
        }
    }
    assert_eq!(refused, ["prompt-fstring-format-spec"]);
}

/// Replaces text in every string of the flow, handles and edge ids included.
fn renamed(value: &Value, names: &[(String, String)]) -> Value {
    match value {
        Value::String(text) => {
            names.iter().fold(text.clone(), |text, (old, new)| text.replace(old, new)).into()
        }
        Value::Array(items) => items.iter().map(|item| renamed(item, names)).collect(),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, item)| {
                let key = names.iter().fold(key.clone(), |key, (old, new)| key.replace(old, new));
                (key, renamed(item, names))
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

fn texts(result: Result<souk_runner::Outcome, Error>) -> Result<Vec<String>, &'static str> {
    let status = status(&result);
    let mut texts: Vec<String> =
        result.map_err(|_| status)?.outputs.into_iter().map(|own| own.text).collect();
    texts.sort();
    Ok(texts)
}

#[test]
fn names_of_nodes_and_the_order_of_the_document_change_no_text() {
    for (case, flow) in &ours() {
        let id = text(case, "id");
        let recorded = texts(run(flow, &request(&case["request"])));
        for style in ["typed", "bare"] {
            let names: Vec<(String, String)> = nodes(flow)
                .iter()
                .enumerate()
                .map(|(at, node)| {
                    let new = if style == "typed" {
                        format!("{}-q{at}Z", text(&node["data"], "type"))
                    } else {
                        format!("n{at}")
                    };
                    (text(node, "id").to_owned(), new)
                })
                .collect();
            let mut flow = renamed(flow, &names);
            for list in ["nodes", "edges"] {
                let items = flow["data"][list].as_array_mut().unwrap();
                items.reverse();
                let half = items.len() / 2;
                items.rotate_left(half);
            }
            let request = request(&renamed(&case["request"], &names));
            assert_eq!(texts(run(&flow, &request)), recorded, "{id}, {style} names");
        }
    }
}

#[test]
fn edges_are_read_from_their_strings_where_data_is_missing() {
    for (case, mut flow) in ours() {
        let request = request(&case["request"]);
        let recorded = texts(run(&flow, &request));
        for edge in flow["data"]["edges"].as_array_mut().unwrap() {
            edge.as_object_mut().unwrap().shift_remove("data").unwrap();
        }
        assert_eq!(texts(run(&flow, &request)), recorded, "{}", text(&case, "id"));
    }
}

#[test]
fn events_tell_the_run_in_order() {
    let flow = json("flows/router-merge.flow.json");
    let flow = Flow::parse(&serde_json::to_vec(&flow).unwrap()).unwrap();
    let mut events = Vec::new();
    let request = Request { input_value: Some("12".into()), ..Request::default() };
    let outcome = native::run(&flow, &request, &mut |event| events.push(event)).unwrap();
    let built: Vec<&String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Built { component_id } => Some(component_id),
            _ => None,
        })
        .collect();
    assert_eq!(built, outcome.built.iter().collect::<Vec<_>>());
    assert!(!outcome.built.contains(&"Prompt Template-b".to_owned()));
    assert_eq!(
        events[events.len() - 2..],
        [Event::Output(outcome.outputs[0].clone()), Event::Usage(outcome.usage)]
    );
    assert_eq!((outcome.usage.runs, outcome.usage.input_tokens, outcome.usage.output_tokens), (1, 1, 6));
}

#[test]
fn a_protected_field_cannot_be_tweaked() {
    let flow = json("flows/echo.flow.json");
    for tweaks in [r#"{"ChatOutput-out":{"code":"x"}}"#, r#"{"code":"x"}"#] {
        let tweaks = serde_json::from_str(tweaks).unwrap();
        let result = run(&flow, &Request { input_value: Some("a".into()), tweaks, ..Request::default() });
        assert_eq!(result, Err(Error::TweaksRefused { fields: vec!["code".into()] }));
    }
}

#[test]
fn other_components_are_refused_by_name() {
    let mut seen = BTreeSet::new();
    for file in fs::read_dir(fixture("flows")).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let flow: Value = serde_json::from_slice(&bytes).unwrap();
        let foreign: Vec<(&str, &str)> = nodes(&flow)
            .iter()
            .map(|node| (text(node, "id"), text(&node["data"], "type")))
            .filter(|(_, kind)| native::Kind::of(kind).is_none())
            .collect();
        let findings = souk_runner::check(&bytes);
        assert_eq!(findings.len(), foreign.len(), "{}: {findings:?}", path.display());
        for (finding, (id, kind)) in findings.iter().zip(foreign) {
            assert_eq!((finding.code.as_str(), finding.node_id.as_str()), ("UNSUPPORTED_COMPONENT", id));
            assert!(finding.message.contains(kind) && finding.message.contains(id));
            seen.insert(kind.to_owned());
        }
    }
    assert!(seen.len() >= 3, "{seen:?}");
}
