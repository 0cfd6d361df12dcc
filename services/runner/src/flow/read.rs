//! From JSON to nodes and edges, with a finding for everything that has not the expected shape.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::{Edge, Field, Flow, Node, field::words, limits};
use crate::model::Finding;

/// Reads what can be read.
pub(super) fn flow(document: &Value) -> (Flow, Vec<Finding>) {
    let mut findings = Vec::new();
    // An export has its graph under `data`; a bare graph is read too.
    let graph = document.get("data").filter(|data| data.is_object()).unwrap_or(document);
    let nodes = list(graph, "nodes", limits::NODES, &mut findings);
    let edges = list(graph, "edges", limits::EDGES, &mut findings);

    let mut flow = Flow {
        name: document.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        ..Flow::default()
    };
    let mut index: HashMap<&str, Option<usize>> = HashMap::new();
    for (at, entry) in nodes.iter().enumerate() {
        let Some(id) = entry.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            findings.push(Finding::invalid("", &format!("data.nodes[{at}].id"), "the node has no id"));
            continue;
        };
        if id.len() > limits::ID_BYTES {
            let message = format!("the node's id is longer than {} bytes", limits::ID_BYTES);
            findings.push(Finding::invalid("", &format!("data.nodes[{at}].id"), message));
            continue;
        }
        if index.contains_key(id) {
            findings.push(Finding::invalid(id, "id", "another node has the same id"));
            continue;
        }
        let comment = entry.get("type").and_then(Value::as_str) == Some("noteNode");
        index.insert(id, (!comment).then_some(flow.nodes.len()));
        if !comment {
            flow.nodes.push(node(id, entry, &mut findings));
        }
    }
    if flow.nodes.is_empty() {
        findings.push(Finding::invalid("", "data.nodes", "the flow has no component"));
    }
    for (at, entry) in edges.iter().enumerate() {
        match edge(entry, &index, &flow.nodes) {
            Ok(edge) => flow.edges.push(edge),
            Err((node_id, message)) => {
                findings.push(Finding::invalid(&node_id, &format!("data.edges[{at}]"), message));
            }
        }
    }
    (flow, findings)
}

fn list<'a>(graph: &'a Value, name: &str, most: usize, findings: &mut Vec<Finding>) -> &'a [Value] {
    let path = format!("data.{name}");
    match graph.get(name).and_then(Value::as_array) {
        Some(items) if items.len() <= most => items,
        Some(items) => {
            let message = format!("the flow has {} {name}, {most} are allowed", items.len());
            findings.push(Finding::invalid("", &path, message));
            &[]
        }
        None => {
            findings.push(Finding::invalid("", &path, "the flow has no such list"));
            &[]
        }
    }
}

fn node(id: &str, entry: &Value, findings: &mut Vec<Finding>) -> Node {
    let data = entry.get("data").unwrap_or(&Value::Null);
    let spec = data.get("node").unwrap_or(&Value::Null);
    let type_key = data.get("type").and_then(Value::as_str).unwrap_or_default();
    if type_key.is_empty() {
        findings.push(Finding::invalid(id, "data.type", "the node does not say which component it is"));
    }
    if spec.get("flow").is_some_and(|inner| !inner.is_null()) {
        findings.push(Finding::unsupported(
            id,
            "data.node.flow",
            "a group of components cannot be run; ungroup it",
        ));
    }
    let template = spec.get("template").and_then(Value::as_object);
    if template.is_none() {
        findings.push(Finding::invalid(id, "data.node.template", "the node has no template"));
    }
    let fields: BTreeMap<_, _> = template
        .into_iter()
        .flatten()
        .filter_map(|(name, field)| field.as_object().map(|field| (name.clone(), Field::read(field))))
        .collect();
    let display_name = spec.get("display_name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let outputs = spec.get("outputs").and_then(Value::as_array).into_iter().flatten();
    Node {
        id: id.to_owned(),
        type_key: type_key.to_owned(),
        display_name: display_name.unwrap_or(type_key).to_owned(),
        tool_mode: spec.get("tool_mode").and_then(Value::as_bool).unwrap_or(false),
        fields,
        outputs: outputs.filter_map(|port| port.get("name")?.as_str().map(str::to_owned)).collect(),
    }
}

/// What an edge has at one of its ends.
type Handle = Map<String, Value>;

type Misfit = (String, String);

fn edge(entry: &Value, index: &HashMap<&str, Option<usize>>, nodes: &[Node]) -> Result<Edge, Misfit> {
    let fault = |node: &str, message: &str| (node.to_owned(), message.to_owned());
    let from =
        handle(entry, "sourceHandle").ok_or_else(|| fault("", "the edge has no readable source handle"))?;
    let to =
        handle(entry, "targetHandle").ok_or_else(|| fault("", "the edge has no readable target handle"))?;
    let end =
        |name: &str, handle: &Handle| -> Result<usize, Misfit> {
            let id = entry.get(name).or_else(|| handle.get("id")).and_then(Value::as_str).unwrap_or_default();
            index.get(id).copied().flatten().ok_or_else(|| {
                (String::new(), format!("the edge's {name} {id:?} is no component of the flow"))
            })
        };
    let (source, target) = (end("source", &from)?, end("target", &to)?);
    let (giver, taker) = match (nodes.get(source), nodes.get(target)) {
        (Some(giver), Some(taker)) => (giver, taker),
        _ => return Err(fault("", "the edge leads nowhere")),
    };
    let Some(field) = to.get("fieldName").and_then(Value::as_str) else {
        return Err(fault(&taker.id, "the edge closes a loop; loops cannot be run"));
    };
    let output = from.get("name").and_then(Value::as_str).unwrap_or_default();
    if output.is_empty() || !(giver.outputs.is_empty() || giver.outputs.iter().any(|name| name == output)) {
        return Err(fault(&giver.id, "the edge starts at an output that the node does not have"));
    }
    let Some(known) = taker.fields.get(field) else {
        return Err((
            taker.id.clone(),
            format!("the edge ends at the field {field:?}, which the node does not have"),
        ));
    };
    if !fits(&from, &to, known) {
        return Err((
            taker.id.clone(),
            format!("the edge brings a type that the field {field:?} does not take"),
        ));
    }
    Ok(Edge { source, output: output.to_owned(), target, field: field.to_owned() })
}

/// `data.<end>` holds the handle; an edge without it has the same object as text, `œ` for `"`.
fn handle(entry: &Value, name: &str) -> Option<Handle> {
    if let Some(Value::Object(handle)) = entry.get("data").and_then(|data| data.get(name)) {
        return Some(handle.clone());
    }
    match entry.get(name)? {
        Value::Object(handle) => Some(handle.clone()),
        Value::String(text) => serde_json::from_str(&text.replace('œ', "\"")).ok(),
        _ => None,
    }
}

/// Some type that leaves is a type that may enter. Where one side says nothing, nothing is held against it.
fn fits(from: &Handle, to: &Handle, field: &Field) -> bool {
    let leaving = words(from.get("output_types").unwrap_or(&Value::Null));
    let mut entering = words(to.get("inputTypes").unwrap_or(&Value::Null));
    if entering.is_empty() {
        entering.clone_from(&field.input_types);
    }
    entering.extend(to.get("type").and_then(Value::as_str).map(str::to_owned));
    leaving.is_empty()
        || entering.is_empty()
        || leaving.iter().any(|one| entering.iter().any(|other| canonical(one) == canonical(other)))
}

fn canonical(name: &str) -> &str {
    match name {
        "JSON" => "Data",
        "Table" => "DataFrame",
        other => other,
    }
}
