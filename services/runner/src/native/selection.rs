//! Which nodes run, which take the request's input, and which results are the run's outputs.

use super::Kind;
use crate::{
    flow::{Flow, Node},
    model::{InputType, OutputType, Request},
};

/// The words that a component goes by in this: Langflow looks for them in the id, which begins with
/// the type key. An id that says nothing (a renamed node) is answered for by the type key.
fn role(node: &Node) -> String {
    let id = node.id.to_lowercase();
    let speaks = ["chat", "text", "webhook"].iter().any(|word| id.contains(word));
    if speaks { id } else { node.type_key.to_lowercase() }
}

/// One flag a node: it is part of the run.
///
/// The run starts at the first webhook input, else at the first chat input: then only what can be
/// reached from there runs, and what that needs. Without such an input everything runs.
pub(super) fn running(flow: &Flow, leaving: &[Vec<usize>]) -> Vec<bool> {
    let inputs =
        |node: &Node| Kind::of(&node.type_key).is_some_and(Kind::is_input) || node.type_key == "Webhook";
    let start = ["webhook", "chat"]
        .iter()
        .find_map(|word| flow.nodes.iter().position(|node| inputs(node) && role(node).contains(word)));
    let Some(start) = start else { return vec![true; flow.nodes.len()] };
    let mut reached = vec![false; flow.nodes.len()];
    spread(&mut reached, vec![start], |node| {
        let places = leaving.get(node).into_iter().flatten();
        places.filter_map(|place| flow.edges.get(*place)).map(|edge| edge.target)
    });
    let all: Vec<usize> = marked(&reached).collect();
    let mut needed = vec![false; flow.nodes.len()];
    spread(&mut needed, all, |node| flow.feeding(node).map(|edge| edge.source));
    needed
}

/// For each node the edges that leave it, as places in the flow's list.
pub(super) fn leaving(flow: &Flow) -> Vec<Vec<usize>> {
    let mut leaving = vec![Vec::new(); flow.nodes.len()];
    for (place, edge) in flow.edges.iter().enumerate() {
        if let Some(own) = leaving.get_mut(edge.source) {
            own.push(place);
        }
    }
    leaving
}

/// Marks everything that can be reached from `open`, the start included.
pub(super) fn spread<I: Iterator<Item = usize>>(
    marks: &mut [bool],
    mut open: Vec<usize>,
    next: impl Fn(usize) -> I,
) {
    while let Some(node) = open.pop() {
        match marks.get_mut(node) {
            Some(mark) if !*mark => *mark = true,
            _ => continue,
        }
        open.extend(next(node));
    }
}

/// The indexes that are marked.
pub(super) fn marked(marks: &[bool]) -> impl Iterator<Item = usize> {
    marks.iter().enumerate().filter(|(_, mark)| **mark).map(|(at, _)| at)
}

/// The node takes the request's input.
pub(super) fn takes_input(node: &Node, kind: Kind, input_type: InputType) -> bool {
    kind.is_input()
        && match input_type {
            InputType::Any => true,
            InputType::Chat => role(node).contains("chat"),
            InputType::Text => role(node).contains("text"),
        }
}

/// One flag a node: its result is asked for. What did not run is left out by the caller.
pub(super) fn wanted(nodes: &[Node], request: &Request) -> Vec<bool> {
    if let Some(name) = request.output_component.as_deref().filter(|name| !name.is_empty()) {
        return nodes.iter().map(|node| node.id == name || node.display_name == name).collect();
    }
    let output = |node: &Node| Kind::of(&node.type_key).is_some_and(Kind::is_output);
    let chosen: Vec<bool> = nodes
        .iter()
        .map(|node| match request.output_type {
            OutputType::Debug => true,
            OutputType::Any => output(node),
            OutputType::Chat => output(node) && role(node).contains("chat"),
            OutputType::Text => output(node) && role(node).contains("text"),
        })
        .collect();
    // A choice that chooses nothing is taken for no choice.
    if chosen.contains(&true) { chosen } else { nodes.iter().map(output).collect() }
}
