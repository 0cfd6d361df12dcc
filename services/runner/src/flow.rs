//! A flow: the typed graph of a Langflow `flow.json`.
//!
//! Reading is tolerant of how fields are shaped and strict about what cannot be run: an edge to
//! nowhere, a cycle, two edges into one place, loops, groups. It knows no component; engines do.
//! It never executes `code` and never looks at it.

mod document;
mod field;
mod graph;
mod read;

use std::collections::BTreeMap;

pub use document::Document;
pub use field::Field;

use crate::model::Finding;

/// Limits of a flow document. They bound memory and time before anything is trusted.
pub mod limits {
    /// Largest document, in bytes.
    pub const BYTES: usize = 4 * 1024 * 1024;
    /// Deepest nesting of objects and arrays.
    pub const DEPTH: usize = 64;
    /// Most nodes, comments included.
    pub const NODES: usize = 500;
    /// Most edges.
    pub const EDGES: usize = 2000;
    /// Longest id of a node, in bytes; ids are repeated in findings and events.
    pub const ID_BYTES: usize = 256;
    /// Most findings that are told of one flow.
    pub const FINDINGS: usize = 2000;
    /// Longest text of a finding, in characters: names of the flow stand in it.
    pub const FINDING_CHARS: usize = 500;
}

/// A component in the flow. Comments (`noteNode`) are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique id, such as `ChatInput-x7Qa2`.
    pub id: String,
    /// Type key of the component, such as `Prompt Template`.
    pub type_key: String,
    /// Name a person sees; the type key where the flow gives none.
    pub display_name: String,
    /// The node offers itself as a tool of an agent.
    pub tool_mode: bool,
    /// Fields by name, without `_type`.
    pub fields: BTreeMap<String, Field>,
    /// Names of the outputs; empty where the flow does not list them.
    pub outputs: Vec<String>,
}

/// A value's way from an output to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index of the source in [`Flow::nodes`].
    pub source: usize,
    /// Name of the source's output.
    pub output: String,
    /// Index of the target in [`Flow::nodes`].
    pub target: usize,
    /// Name of the target's field.
    pub field: String,
}

/// A flow: nodes in document order and the edges between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// Name the author gave; may be empty.
    pub name: String,
    /// Components, in document order.
    pub nodes: Vec<Node>,
    /// Edges between them, in document order.
    pub edges: Vec<Edge>,
}

impl Flow {
    /// Reads a flow that must be whole.
    ///
    /// # Errors
    /// Every finding about the document and its graph. Components and credentials are not looked at:
    /// see [`crate::check()`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let document = Document::parse(bytes).map_err(|finding| vec![finding])?;
        match Self::read(&document) {
            (flow, findings) if findings.is_empty() => Ok(flow),
            (_, findings) => Err(findings),
        }
    }

    /// Reads what can be read of a document, with a finding for everything else.
    #[must_use]
    pub fn read(document: &Document) -> (Self, Vec<Finding>) {
        let (flow, mut findings) = read::flow(document.value());
        findings.extend(graph::findings(&flow));
        (flow, findings)
    }

    /// The edges that feed a node, in document order.
    pub fn feeding(&self, node: usize) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(move |edge| edge.target == node)
    }
}
