//! The native engine, rule by rule; the recorded runs stand in `tests/`.

use serde_json::{Value, json};

use super::*;
use crate::model::{InputType, OutputType};

fn field(kind: &str, value: Value) -> Value {
    json!({ "type": kind, "value": value, "show": true, "input_types": ["Message"] })
}

fn node(id: &str, kind: &str, template: Value) -> Value {
    json!({ "id": id, "type": "genericNode", "data": { "type": kind, "node": { "display_name": kind, "template": template } } })
}

fn edge(from: (&str, &str), to: (&str, &str)) -> Value {
    json!({ "source": from.0, "target": to.0, "data": {
        "sourceHandle": { "name": from.1, "output_types": ["Message"] },
        "targetHandle": { "fieldName": to.1, "inputTypes": ["Message"], "type": "str" } } })
}

fn flow(nodes: Value, edges: Value) -> Flow {
    Flow::parse(&serde_json::to_vec(&json!({ "data": { "nodes": nodes, "edges": edges } })).unwrap()).unwrap()
}

fn texts(flow: &Flow, request: &Request) -> Vec<(String, String)> {
    let outcome = run(flow, request, &mut |_| {}).unwrap();
    outcome.outputs.into_iter().map(|own| (own.component_id, own.text)).collect()
}

fn asking(text: &str) -> Request {
    Request { input_value: Some(text.into()), ..Request::default() }
}

fn pair(id: &str, text: &str) -> (String, String) {
    (id.into(), text.into())
}

fn router(template: Value) -> Flow {
    flow(
        json!([
            node("ChatInput-a", "ChatInput", json!({ "input_value": field("str", "".into()) })),
            node("ConditionalRouter-r", "ConditionalRouter", template),
            node(
                "Prompt Template-p",
                "Prompt Template",
                json!({
                "template": field("prompt", "{yes}|{no}".into()),
                "yes": field("str", "stored yes".into()), "no": field("str", "stored no".into()) })
            ),
            node(
                "Prompt Template-t",
                "Prompt Template",
                json!({
                "template": field("prompt", "T{x}".into()), "x": field("str", "".into()) })
            ),
            node("ChatOutput-o", "ChatOutput", json!({ "input_value": field("other", "".into()) })),
        ]),
        json!([
            edge(("ChatInput-a", "message"), ("ConditionalRouter-r", "input_text")),
            edge(("ConditionalRouter-r", "true_result"), ("Prompt Template-t", "x")),
            edge(("Prompt Template-t", "prompt"), ("Prompt Template-p", "yes")),
            edge(("ConditionalRouter-r", "false_result"), ("Prompt Template-p", "no")),
            edge(("Prompt Template-p", "prompt"), ("ChatOutput-o", "input_value")),
        ]),
    )
}

#[test]
fn a_way_that_is_left_out_leaves_the_stored_value() {
    let flow = router(json!({
        "input_text": field("str", "".into()), "operator": field("str", "equals".into()),
        "match_text": field("str", "go".into()) }));
    assert_eq!(findings(&flow), []);
    assert_eq!(texts(&flow, &asking("stay")), [pair("ChatOutput-o", "stored yes|stay")]);
    assert_eq!(texts(&flow, &asking("go")), [pair("ChatOutput-o", "Tgo|")]);
}

#[test]
fn hidden_fields_do_not_count() {
    let mut hidden = field("str", "go".into());
    hidden["show"] = false.into();
    let flow = router(json!({
        "input_text": field("str", "".into()), "operator": field("str", "equals".into()), "match_text": hidden }));
    assert_eq!(texts(&flow, &asking("")), [pair("ChatOutput-o", "T|")]);
    assert_eq!(texts(&flow, &asking("go")), [pair("ChatOutput-o", "stored yes|go")]);
}

/// A chat that ends in an output, a text that ends in another, and an island of a foreign component.
fn two() -> Flow {
    let text = |value: &str| json!({ "input_value": field("str", value.into()) });
    flow(
        json!([
            node("TextOutput-y", "TextOutput", text("")),
            node("TextInput-b", "TextInput", text("stored\\ntext")),
            node("ChatOutput-x", "ChatOutput", text("")),
            node("ChatInput-a", "ChatInput", text("stored chat")),
            node("APIRequest-z", "APIRequest", json!({})),
        ]),
        json!([
            edge(("ChatInput-a", "message"), ("ChatOutput-x", "input_value")),
            edge(("TextInput-b", "text"), ("TextOutput-y", "input_value")),
        ]),
    )
}

#[test]
fn a_chat_input_confines_the_run_to_what_it_reaches() {
    let asked = Request { output_type: OutputType::Any, ..asking("hi") };
    assert_eq!(texts(&two(), &asked), [pair("ChatOutput-x", "hi")]);
    let one = Request { output_component: Some("TextOutput-y".into()), ..asking("hi") };
    assert_eq!(texts(&two(), &one), []);
}

#[test]
fn an_island_of_a_foreign_component_is_refused_at_the_check_alone() {
    let found = findings(&two());
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code.as_str(), found[0].node_id.as_str()),
        ("UNSUPPORTED_COMPONENT", "APIRequest-z")
    );
}

#[test]
fn without_a_chat_input_everything_runs() {
    let mut flow = two();
    flow.nodes.truncate(4);
    flow.nodes[3].id = "TextInput-c".into();
    flow.nodes[3].type_key = "TextInput".into();
    let asked = Request { input_type: InputType::Text, output_type: OutputType::Text, ..asking("given") };
    assert_eq!(texts(&flow, &asked), [pair("TextOutput-y", "given")]);
    let asked = Request { output_type: OutputType::Any, ..Request::default() };
    assert_eq!(
        texts(&flow, &asked),
        [pair("TextOutput-y", "stored\ntext"), pair("ChatOutput-x", "stored chat")]
    );
    // The input's own type decides: nothing here is a chat input.
    let asked = Request { output_type: OutputType::Any, ..asking("given") };
    assert_eq!(
        texts(&flow, &asked),
        [pair("TextOutput-y", "stored\ntext"), pair("ChatOutput-x", "stored chat")]
    );
}

#[test]
fn a_foreign_component_on_the_way_is_refused_by_name() {
    let mut flow = two();
    flow.nodes[2].type_key = "Loop".into();
    let refused = run(&flow, &asking("x"), &mut |_| {}).unwrap_err();
    assert!(
        matches!(&refused, Error::Refused(found) if found.len() == 1 && found[0].message.contains("Loop"))
    );
}

#[test]
fn a_failure_names_the_component_and_sends_no_output() {
    let flow = router(
        json!({ "operator": field("str", "regex".into()), "match_text": field("str", "(?=x)".into()) , "input_text": field("str", "".into())}),
    );
    let mut events = Vec::new();
    let failed = run(&flow, &asking("x"), &mut |event| events.push(event)).unwrap_err();
    assert!(
        matches!(failed, Error::ComponentFailed { component_id, .. } if component_id == "ConditionalRouter-r")
    );
    assert!(!events.iter().any(|event| matches!(event, Event::Output(_) | Event::Usage(_))));
}

#[test]
fn a_plan_takes_each_result_once() {
    let flow = two();
    let mut plan = Plan::new(&flow, &asking("x")).unwrap();
    assert_eq!(plan.ready(), [3]);
    let built = plan.step(3).unwrap().execute().unwrap();
    plan.complete(3, built.clone()).unwrap();
    assert!(matches!(plan.complete(3, built.clone()), Err(Error::Broken(_))));
    assert!(matches!(plan.complete(99, built), Err(Error::Broken(_))));
    assert_eq!(plan.ready(), [2]);
}
