//! Flows made to hurt: no panic, no overflowing stack, no endless work, and everything wrong is said.

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use souk_runner::{Error, Finding, Flow, Request, check, flow::limits, native};

fn fixture(name: &str) -> Value {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/flows/{name}.flow.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn checked(flow: &Value) -> Vec<Finding> {
    check(&serde_json::to_vec(flow).unwrap())
}

fn codes(findings: &[Finding]) -> Vec<(&str, &str, &str)> {
    findings.iter().map(|own| (own.code.as_str(), own.node_id.as_str(), own.field.as_str())).collect()
}

#[test]
fn unreadable_bytes_give_one_finding() {
    let deep = format!("{}1{}", "[".repeat(2_000_000), "]".repeat(2_000_000));
    let objects = r#"{"a":"#.repeat(65) + "1" + &"}".repeat(65);
    let large = format!(r#"{{"data":{{"nodes":[],"edges":[]}},"x":"{}"}}"#, "a".repeat(limits::BYTES));
    let twice = r#"{"data":{"nodes":[],"edges":[]},"data":{}}"#;
    for text in ["", "{", "null", "[]", "7", "\u{feff}{}", "{} {}", twice, &deep, &objects, &large] {
        let findings = check(text.as_bytes());
        assert_eq!(codes(&findings), [("FLOW_INVALID", "", "")], "{:.40}", text);
    }
    assert_eq!(check(b"\xff\xfe{}").len(), 1);
}

#[test]
fn nesting_is_allowed_up_to_the_limit() {
    let at = |depth: usize| r#"{"a":"#.repeat(depth) + "1" + &"}".repeat(depth);
    let says = |text: String| check(text.as_bytes()).iter().any(|own| own.message.contains("nested"));
    assert!(!says(at(limits::DEPTH)));
    assert!(says(at(limits::DEPTH + 1)));
}

#[test]
fn a_document_of_odd_shapes_is_told_what_it_lacks() {
    for text in [
        "{}",
        r#"{"data":7}"#,
        r#"{"data":{"nodes":{},"edges":"x"}}"#,
        r#"{"data":{"nodes":[],"edges":[]}}"#,
        r#"{"data":{"nodes":[1,null,"x",[],{}],"edges":[1,null,{}]}}"#,
        r#"{"data":{"nodes":[{"id":7}],"edges":[{"data":{"sourceHandle":1},"sourceHandle":"œœœ"}]}}"#,
        r#"{"data":{"nodes":[{"id":"a","data":{"type":["ChatInput"],"node":{"template":[],"outputs":{}}}}],"edges":[]}}"#,
    ] {
        let findings = check(text.as_bytes());
        assert!(!findings.is_empty(), "{text}");
        assert!(Flow::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn everything_wrong_with_a_graph_is_said_at_once() {
    let mut flow = fixture("router-merge");
    let data = flow["data"].as_object_mut().unwrap();
    let double = data["nodes"][0].clone();
    data["nodes"].as_array_mut().unwrap().push(double);
    let edges = data["edges"].as_array_mut().unwrap();
    let mut own = edges[2].clone();
    own["source"] = "Prompt Template-b".into();
    own["target"] = "Prompt Template-b".into();
    own["data"]["sourceHandle"]["name"] = "prompt".into();
    let mut nowhere = edges[0].clone();
    nowhere["target"] = "gone".into();
    let mut looping = edges[0].clone();
    looping["data"]["targetHandle"] = json!({"id": "x", "name": "item", "output_types": ["Data"]});
    let mut unnamed = edges[1].clone();
    unnamed["data"]["sourceHandle"]["name"] = "maybe_result".into();
    let mut typed = edges[1].clone();
    typed["data"]["sourceHandle"]["output_types"] = json!(["DataFrame"]);
    edges.extend([own, nowhere, looping, unnamed, typed]);
    let findings = checked(&flow);
    assert_eq!(
        codes(&findings),
        [
            ("FLOW_INVALID", "ChatInput-in", "id"),
            ("FLOW_INVALID", "", "data.edges[7]"),
            ("FLOW_INVALID", "ConditionalRouter-r", "data.edges[8]"),
            ("FLOW_INVALID", "ConditionalRouter-r", "data.edges[9]"),
            ("FLOW_INVALID", "Prompt Template-a", "data.edges[10]"),
            ("FLOW_INVALID", "Prompt Template-b", "x"),
            ("FLOW_INVALID", "Prompt Template-b", ""),
            ("FLOW_INVALID", "Prompt Template-m", ""),
            ("FLOW_INVALID", "ChatOutput-out", ""),
        ],
        "{findings:#?}"
    );
}

#[test]
fn what_the_engine_cannot_do_is_refused_before_it_runs() {
    let set = |name: &str, node: usize, field: &str, attribute: &str, value: Value| {
        let mut flow = fixture(name);
        flow["data"]["nodes"][node]["data"]["node"]["template"][field][attribute] = value;
        checked(&flow)
    };
    let one = |findings: Vec<Finding>, code: &str, field: &str| {
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].code.as_str(), findings[0].field.as_str()), (code, field), "{findings:?}");
    };
    one(
        set("router-regex", 1, "match_text", "value", "(?=a)b".into()),
        "UNSUPPORTED_COMPONENT",
        "match_text",
    );
    one(set("router-regex", 1, "match_text", "value", "(".into()), "UNSUPPORTED_COMPONENT", "match_text");
    one(set("router", 1, "operator", "value", "sounds like".into()), "FLOW_INVALID", "operator");
    one(set("router", 1, "max_iterations", "value", 1.into()), "UNSUPPORTED_COMPONENT", "max_iterations");
    one(
        set("prompt-fstring", 1, "template", "value", "{question:>5}".into()),
        "UNSUPPORTED_COMPONENT",
        "template",
    );
    one(set("prompt-fstring", 1, "template", "value", "{nosuch}".into()), "FLOW_INVALID", "template");
    one(set("prompt-mustache", 1, "template", "value", "{{#question}}".into()), "FLOW_INVALID", "template");
    one(set("prompt-fstring", 1, "tone", "load_from_db", true.into()), "UNSUPPORTED_COMPONENT", "tone");
    one(set("prompt-fstring", 1, "tone", "type", "mystery".into()), "FLOW_INVALID", "tone");
    one(set("echo", 0, "files", "file_path", "a/b.txt".into()), "UNSUPPORTED_COMPONENT", "files");

    let mut flow = fixture("echo");
    flow["data"]["nodes"][0]["data"]["node"]["flow"] = json!({"data": {"nodes": [], "edges": []}});
    one(checked(&flow), "UNSUPPORTED_COMPONENT", "data.node.flow");
    let mut flow = fixture("echo");
    flow["data"]["nodes"][0]["data"]["node"]["tool_mode"] = true.into();
    one(checked(&flow), "UNSUPPORTED_COMPONENT", "tool_mode");
    let mut flow = fixture("echo");
    flow["data"]["nodes"].as_array_mut().unwrap().truncate(1);
    flow["data"]["edges"] = json!([]);
    one(checked(&flow), "FLOW_INVALID", "data.nodes");
}

#[test]
fn counts_are_bounded() {
    let mut flow = fixture("echo");
    let node = flow["data"]["nodes"][0].clone();
    flow["data"]["nodes"] = (0..=limits::NODES)
        .map(|at| {
            let mut node = node.clone();
            node["id"] = format!("ChatInput-{at}").into();
            node
        })
        .collect();
    let edge = flow["data"]["edges"][0].clone();
    flow["data"]["edges"] = vec![edge; limits::EDGES + 1].into();
    let findings = checked(&flow);
    assert!(codes(&findings).contains(&("FLOW_INVALID", "", "data.nodes")));
    assert!(codes(&findings).contains(&("FLOW_INVALID", "", "data.edges")));
    flow["data"]["nodes"] = json!([{"id": "x".repeat(1000)}]);
    flow["data"]["edges"] = json!([]);
    assert!(codes(&checked(&flow)).contains(&("FLOW_INVALID", "", "data.nodes[0].id")));
}

/// A chain of prompts, each of which doubles its text.
fn doubling(links: usize) -> Value {
    let base = fixture("prompt-fstring");
    let [first, prompt, last] = [0, 1, 2].map(|at| base["data"]["nodes"][at].clone());
    let edge = |from: &str, output: &str, to: &str, field: &str| {
        json!({"source": from, "target": to, "data": {
            "sourceHandle": {"id": from, "name": output, "output_types": ["Message"]},
            "targetHandle": {"id": to, "fieldName": field, "inputTypes": ["Message"], "type": "str"}}})
    };
    let mut nodes = vec![first];
    let mut edges = Vec::new();
    let (mut from, mut output) = ("ChatInput-in".to_owned(), "message");
    for at in 0..links {
        let id = format!("Prompt Template-{at}");
        let mut node = prompt.clone();
        node["id"] = id.clone().into();
        node["data"]["node"]["template"]["template"]["value"] = "{question}{question}".into();
        nodes.push(node);
        edges.push(edge(&from, output, &id, "question"));
        (from, output) = (id, "prompt");
    }
    edges.push(edge(&from, output, "ChatOutput-out", "input_value"));
    nodes.push(last);
    json!({"name": "doubling", "data": {"nodes": nodes, "edges": edges}})
}

fn run(flow: &Value, input: String) -> Result<souk_runner::Outcome, Error> {
    let bytes = serde_json::to_vec(flow).unwrap();
    assert_eq!(check(&bytes), []);
    native::run(
        &Flow::parse(&bytes).unwrap(),
        &Request { input_value: Some(input), ..Request::default() },
        &mut |_| {},
    )
}

#[test]
fn texts_cannot_grow_without_bound() {
    assert_eq!(run(&doubling(10), "ab".into()).unwrap().outputs[0].text.len(), 2048);
    assert!(matches!(run(&doubling(400), "ab".into()), Err(Error::TooLarge { .. })));
    let over = "x".repeat(native::limits::TEXT_BYTES + 1);
    assert!(matches!(run(&fixture("echo"), over), Err(Error::TooLarge { what: "input", .. })));
    // Each text is within the limit, but the run as a whole makes too much.
    let mut wide = doubling(400);
    for node in wide["data"]["nodes"].as_array_mut().unwrap() {
        if node["data"]["type"] == "Prompt Template" {
            node["data"]["node"]["template"]["template"]["value"] = "{question}".into();
        }
    }
    assert!(matches!(run(&wide, "x".repeat(1 << 20)), Err(Error::TooLarge { what: "text of the run", .. })));
    assert!(run(&wide, "x".repeat(1 << 12)).is_ok());
}

#[test]
fn a_template_of_braces_alone_ends() {
    let mut flow = fixture("prompt-fstring");
    let place = "/data/nodes/1/data/node/template/template/value";
    for template in
        ["{".repeat(1_000_000), "}".repeat(1_000_001), "{".repeat(1_500_001), "{question}".repeat(100_000)]
    {
        *flow.pointer_mut(place).unwrap() = template.into();
        let bytes = serde_json::to_vec(&flow).unwrap();
        let _ = check(&bytes);
        let request = Request { input_value: Some("many words".repeat(10)), ..Request::default() };
        let _ = native::run(&Flow::parse(&bytes).unwrap(), &request, &mut |_| {});
    }
}

#[test]
fn a_document_full_of_secrets_is_refused_in_bounded_space() {
    let rows: Vec<Value> = (0..20_000).map(|at| json!({"password": format!("literal-{at}")})).collect();
    let mut flow = fixture("echo");
    flow["data"]["nodes"][0]["data"]["node"]["template"]["input_value"]["value"] = rows.into();
    let findings = checked(&flow);
    assert_eq!(findings.len(), 1000);
    assert!(findings.iter().all(|own| own.code.as_str() == "CREDENTIAL_IN_FLOW"));
}
