//! What the graph as a whole must hold: no cycles, one edge into one place.

use std::collections::HashSet;

use super::Flow;
use crate::model::Finding;

/// All findings about the graph.
pub(super) fn findings(flow: &Flow) -> Vec<Finding> {
    let mut findings = crowded(flow);
    findings.extend(cyclic(flow));
    findings
}

/// Two edges into one field that is no list: which one wins is not defined.
fn crowded(flow: &Flow) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let mut told = HashSet::new();
    let mut findings = Vec::new();
    for edge in &flow.edges {
        let place = (edge.target, edge.field.as_str());
        let Some(node) = flow.nodes.get(edge.target) else { continue };
        let list = node.fields.get(&edge.field).is_some_and(|field| field.list);
        if !seen.insert(place) && !list && told.insert(place) {
            findings.push(Finding::invalid(
                &node.id,
                &edge.field,
                "two edges end at this field, which takes one value",
            ));
        }
    }
    findings
}

/// Removes what depends on nothing until nothing is left; what stays is in a cycle or behind one.
fn cyclic(flow: &Flow) -> Vec<Finding> {
    let mut waiting = vec![0_usize; flow.nodes.len()];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); flow.nodes.len()];
    for edge in &flow.edges {
        if let (Some(count), Some(next)) = (waiting.get_mut(edge.target), after.get_mut(edge.source)) {
            *count = count.saturating_add(1);
            next.push(edge.target);
        }
    }
    let mut free: Vec<usize> = (0..flow.nodes.len()).filter(|node| waiting.get(*node) == Some(&0)).collect();
    while let Some(node) = free.pop() {
        for next in after.get(node).into_iter().flatten() {
            if let Some(count) = waiting.get_mut(*next) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    free.push(*next);
                }
            }
        }
    }
    let stuck = flow.nodes.iter().zip(waiting).filter(|(_, count)| *count > 0);
    stuck
        .map(|(node, _)| Finding::invalid(&node.id, "", "the node stands in a cycle or behind one"))
        .collect()
}
