//! The model component: what a node asks of which endpoint. It calls nobody.
//!
//! The node's key variable names an endpoint. The node's own base URL is never looked at: where a request
//! goes, and with which key, is the operator's to say.

use serde_json::{Map, Number, Value, json};

use super::Step;
use crate::{
    flow::{Field, Node},
    model::{Finding, Warning},
};

/// The field whose variable names the endpoint.
pub(super) const KEY: &str = "api_key";
/// The field that other engines send requests to, and this one ignores.
pub(super) const BASE: &str = "openai_api_base";
/// What Langflow stores in `BASE` when nobody chose anything.
const DEFAULT_BASE: &str = "https://api.openai.com/v1";
/// The check that finds another one.
const IGNORED: &str = "BASE_URL_IGNORED";
/// The longest name of an endpoint, in bytes.
const NAME_BYTES: usize = 60;
/// Fields that an edge may feed.
const FED: [&str; 2] = ["input_value", "system_message"];
/// What `model_kwargs` may add to a request. Nothing that changes what is answered, or to whom.
const EXTRA: [&str; 12] = [
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "stop",
    "logit_bias",
    "reasoning_effort",
    "verbosity",
    "response_format",
    "max_completion_tokens",
    "max_tokens",
    "seed",
    "temperature",
];

/// What bounds an answer: endpoints know one or the other.
const BOUNDS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// One question to a model endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// Id of the node that asks.
    pub component_id: String,
    /// Its name for a person.
    pub display_name: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// The model's name; empty: the endpoint's default.
    pub model: String,
    /// The body of a chat completion request, without `model` and `stream`.
    pub body: Map<String, Value>,
    /// Bytes of text in its messages.
    pub asked_bytes: usize,
    /// The most tokens that the body lets its answer have; none: as many as the endpoint gives.
    pub most_tokens: Option<u64>,
}

/// The question a ready node asks.
///
/// # Errors
/// What is wrong with its fields, in words.
pub(super) fn of(step: &Step<'_>) -> Result<Completion, String> {
    let node = step.node;
    let endpoint = endpoint(node).map_err(str::to_owned)?;
    let model = model(step);
    let mut messages = Vec::new();
    let (system, user) = (step.text("system_message", ""), step.text("input_value", ""));
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.as_ref() }));
    }
    messages.push(json!({ "role": "user", "content": user.as_ref() }));
    let mut body = Map::new();
    body.insert("messages".to_owned(), messages.into());
    // These refuse a temperature and a seed.
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|family| model.starts_with(family));
    if !reasons {
        add(&mut body, "temperature", number(node, "temperature")?);
        add(&mut body, "seed", number(node, "seed")?);
    }
    // Nothing and zero are no bound.
    let most = number(node, "max_tokens")?.filter(|most| most.as_f64().is_some_and(|most| most > 0.0));
    add(&mut body, "max_completion_tokens", most);
    if node.fields.get("json_mode").and_then(Field::flag).unwrap_or(false) {
        body.insert("response_format".to_owned(), json!({ "type": "json_object" }));
    }
    for (name, value) in extra(node) {
        if !EXTRA.contains(&name.as_str()) {
            return Err(format!("model_kwargs must not hold {name:?}"));
        }
        body.insert(name, value);
    }
    let bounds = BOUNDS.iter().filter_map(|name| body.get(*name)?.as_u64()).filter(|most| *most > 0);
    let most_tokens = bounds.min();
    Ok(Completion {
        component_id: node.id.clone(),
        display_name: node.display_name.clone(),
        endpoint: endpoint.to_owned(),
        model,
        body,
        asked_bytes: system.len().saturating_add(user.len()),
        most_tokens,
    })
}

/// The shortest question there is, for whoever wants to know whether an endpoint answers; `None` where no
/// endpoint can have the name. It asks as a flow's question does, so that what answers it answers a run.
#[must_use]
pub fn trial(endpoint: &str, model: &str) -> Option<Completion> {
    const QUESTION: &str = "Reply with OK";
    const MOST: u64 = 16;
    let Value::Object(body) =
        json!({ "messages": [{ "role": "user", "content": QUESTION }], "max_completion_tokens": MOST })
    else {
        return None;
    };
    is_name(endpoint).then(|| Completion {
        component_id: String::new(),
        display_name: String::new(),
        endpoint: endpoint.to_owned(),
        model: model.to_owned(),
        body,
        asked_bytes: QUESTION.len(),
        most_tokens: Some(MOST),
    })
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(known)
}

fn add(body: &mut Map<String, Value>, name: &str, number: Option<Number>) {
    if let Some(number) = number {
        body.insert(name.to_owned(), number.into());
    }
}

/// What the node's key variable says.
fn endpoint(node: &Node) -> Result<&str, &'static str> {
    let field = node.fields.get(KEY).ok_or("the node has no key variable, so it names no model endpoint")?;
    let name = field.value.as_str().unwrap_or_default();
    // A tweak of the key is a literal: it goes nowhere.
    if !field.load_from_db {
        return Err("the key must be a variable that names a model endpoint");
    }
    if is_name(name) {
        Ok(name)
    } else {
        Err("the key variable must name a model endpoint: 1 to 60 of A-Z, a-z, 0-9, hyphen and underscore")
    }
}

/// A plain name, or the first of a list of choices as newer editors store it.
fn model(step: &Step<'_>) -> String {
    let plain = step.text("model_name", "");
    if !plain.trim().is_empty() {
        return plain.trim().to_owned();
    }
    let chosen = step.node.fields.get("model").and_then(Field::stored);
    let first = chosen.and_then(|value| value.get(0).unwrap_or(value).get("name"));
    first.and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

/// A number that the node stores, or a text that is one; nothing where it stores none.
fn number(node: &Node, name: &str) -> Result<Option<Number>, String> {
    match node.fields.get(name).and_then(Field::stored) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.clone())),
        Some(Value::String(text)) => {
            text.trim().parse().map(Some).map_err(|_| format!("{name} must be a number"))
        }
        Some(_) => Err(format!("{name} must be a number")),
    }
}

/// What `model_kwargs` stores: an object, or rows of key and value.
fn extra(node: &Node) -> Vec<(String, Value)> {
    match node.fields.get("model_kwargs").and_then(Field::stored) {
        Some(Value::Object(entries)) => {
            entries.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
        }
        Some(Value::Array(rows)) => {
            let pair = |row: &Value| Some((row.get("key")?.as_str()?.to_owned(), row.get("value")?.clone()));
            rows.iter().filter_map(pair).filter(|(name, _)| !name.is_empty()).collect()
        }
        _ => Vec::new(),
    }
}

/// What keeps a model node from being run.
pub(super) fn findings(node: &Node, fed: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(why) = endpoint(node) {
        findings.push(Finding::invalid(&node.id, KEY, why));
    }
    for name in fed.iter().filter(|name| !FED.contains(name)) {
        findings.push(Finding::unsupported(&node.id, name, "an edge into this field cannot be run here"));
    }
    for name in ["temperature", "seed", "max_tokens"] {
        if let Err(why) = number(node, name) {
            findings.push(Finding::invalid(&node.id, name, why));
        }
    }
    for (name, _) in extra(node).iter().filter(|(name, _)| !EXTRA.contains(&name.as_str())) {
        let why = format!("the engine adds no {name:?} to a request");
        findings.push(Finding::unsupported(&node.id, "model_kwargs", why));
    }
    findings
}

/// What the author of a model node should know, at publish and before a run: a base URL of its own has no effect.
/// It is never quoted: whoever wrote one may have written a key or an inner address into it.
pub(super) fn warning(node: &Node) -> Option<Warning> {
    let base = node.fields.get(BASE).and_then(Field::text).unwrap_or_default();
    let base = base.trim().trim_end_matches('/');
    (!base.is_empty() && base != DEFAULT_BASE).then(|| {
        let endpoint = endpoint(node).unwrap_or("the operator");
        Warning {
            code: IGNORED,
            node_id: node.id.clone(),
            field: BASE.to_owned(),
            message: format!(
                "its own base URL is ignored; requests go to the URL of the endpoint {endpoint}"
            ),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::native::Kind;

    fn field(kind: &str, value: Value) -> Field {
        Field { kind: kind.into(), value, show: true, ..Field::default() }
    }

    fn node(fields: &[(&str, Field)]) -> Node {
        let key = Field { load_from_db: true, ..field("str", "KEY_NAME".into()) };
        let mut all = BTreeMap::from([(KEY.to_owned(), key)]);
        all.extend(fields.iter().map(|(name, field)| ((*name).to_owned(), field.clone())));
        Node {
            id: "OpenAIModel-m".into(),
            type_key: "OpenAIModel".into(),
            display_name: "OpenAI".into(),
            tool_mode: false,
            fields: all,
            outputs: Vec::new(),
        }
    }

    fn asked(fields: &[(&str, Field)]) -> Result<Completion, String> {
        let node = node(fields);
        of(&Step {
            node: &node,
            kind: Kind::Model,
            fed: BTreeMap::from([("input_value".into(), "hi".into())]),
        })
    }

    #[test]
    fn a_question_holds_what_the_node_stores_and_no_more() {
        let plain = asked(&[]).unwrap();
        assert_eq!((plain.endpoint.as_str(), plain.model.as_str(), plain.asked_bytes), ("KEY_NAME", "", 2));
        assert_eq!(Value::Object(plain.body), json!({ "messages": [{ "role": "user", "content": "hi" }] }));
        let full = asked(&[
            ("system_message", field("str", "Be\\nbrief.".into())),
            ("model_name", field("str", "m".into())),
            ("temperature", field("slider", json!(0.1))),
            ("seed", field("int", "7".into())),
            ("max_tokens", field("int", json!(0))),
            ("json_mode", field("bool", json!(true))),
            ("model_kwargs", field("dict", json!([{ "key": "top_p", "value": 0.5 }]))),
            (BASE, field("str", "https://thief.example".into())),
        ]);
        assert_eq!(
            Value::Object(full.unwrap().body),
            json!({ "messages": [{ "role": "system", "content": "Be\nbrief." }, { "role": "user", "content": "hi" }],
                "temperature": 0.1, "seed": 7, "response_format": { "type": "json_object" }, "top_p": 0.5 })
        );
    }

    #[test]
    fn the_least_bound_on_an_answer_is_known() {
        let most = |fields: &[(&str, Field)]| asked(fields).unwrap().most_tokens;
        let stored = ("max_tokens", field("int", json!(50)));
        assert_eq!((most(&[]), most(std::slice::from_ref(&stored))), (None, Some(50)));
        let extra = |value: Value| ("model_kwargs", field("dict", value));
        assert_eq!(most(&[stored.clone(), extra(json!({ "max_tokens": 20 }))]), Some(20));
        assert_eq!(most(&[stored, extra(json!({ "max_tokens": 80 }))]), Some(50));
        assert_eq!(most(&[extra(json!({ "max_tokens": -1, "max_completion_tokens": 0 }))]), None);
    }

    #[test]
    fn models_that_reason_get_no_temperature_and_newer_choices_are_read() {
        let choice = field("model", json!([{ "name": "o3-mini", "provider": "OpenAI" }]));
        let asked = asked(&[("model", choice), ("temperature", field("slider", json!(0.1)))]).unwrap();
        assert_eq!((asked.model.as_str(), asked.body.get("temperature")), ("o3-mini", None));
    }

    #[test]
    fn only_a_variable_names_an_endpoint() {
        for (value, load_from_db) in [
            (json!("sk-literal"), false),
            (json!(""), true),
            (json!("a b"), true),
            (json!("../x"), true),
            (json!(null), true),
            (json!("x".repeat(61)), true),
        ] {
            let key = Field { load_from_db, ..field("str", value.clone()) };
            let error = asked(&[(KEY, key.clone())]).unwrap_err();
            assert!(!error.contains("sk-literal"), "{error}");
            assert_eq!(findings(&node(&[(KEY, key)]), &[]).len(), 1, "{value}");
        }
        assert_eq!(findings(&node(&[]), &["input_value"]), []);
    }

    #[test]
    fn what_would_bend_the_request_is_refused_at_publish_and_in_the_run() {
        for extra in
            [json!({ "messages": [] }), json!({ "n": 5 }), json!({ "stream": false }), json!({ "tools": [] })]
        {
            let fields = [("model_kwargs", field("dict", extra))];
            assert_eq!(findings(&node(&fields), &[]).len(), 1);
            assert!(asked(&fields).is_err());
        }
        let wrong = [("temperature", field("slider", json!("warm")))];
        assert_eq!(findings(&node(&wrong), &["temperature", "api_key"]).len(), 3);
    }

    #[test]
    fn a_base_url_of_its_own_is_reported_and_not_quoted() {
        let told = warning(&node(&[(BASE, field("str", "https://thief.example/v1".into()))])).unwrap();
        assert_eq!((told.code, told.field.as_str()), ("BASE_URL_IGNORED", BASE));
        let told = told.to_string();
        assert!(told.contains("KEY_NAME") && !told.contains("thief"), "{told}");
        for plain in ["", "https://api.openai.com/v1/"] {
            assert_eq!(warning(&node(&[(BASE, field("str", plain.into()))])), None);
        }
    }
}
