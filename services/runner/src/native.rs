//! The native engine: common Langflow components, in process.
//!
//! [`findings`] says before a flow is published whether it can run here; [`run`] runs it. The engine is
//! a plan that is executed step by step ([`Plan`]): what is ready is computed, executed by whoever
//! drives it, and handed back. [`run`] drives it synchronously, which is all that the present
//! components need; a driver that awaits a model between `ready` and `complete` needs no other engine.
//! No I/O, no clock, no tasks here.

mod component;
mod condition;
mod pattern;
mod plan;
mod selection;
mod template;
mod tweaks;

use std::ops::ControlFlow;

use serde_json::Value;

pub use component::{Built, Kind, Step};
pub use plan::Plan;

use crate::{
    error::Error,
    flow::{Flow, Node},
    model::{Event, Finding, Outcome, Request, Usage},
};

/// Limits of a run.
pub mod limits {
    /// Largest single text, the request's input included, in bytes.
    pub const TEXT_BYTES: usize = 1024 * 1024;
    /// Largest sum of the texts of all outputs of a run, in bytes.
    pub const OUTPUT_BYTES: usize = 1024 * 1024;
    /// Largest sum of the texts that all components of a run make, in bytes.
    pub const WORK_BYTES: usize = 16 * 1024 * 1024;
}

/// Everything about the components of a flow that this engine cannot run. Each is refused by name.
#[must_use]
pub fn findings(flow: &Flow) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut speaks = false;
    let mut unknown = false;
    for (at, node) in flow.nodes.iter().enumerate() {
        let Some(kind) = Kind::of(&node.type_key) else {
            unknown = true;
            let message = format!("the engine has no component {:?} (node {:?})", node.type_key, node.id);
            findings.push(Finding::unsupported(&node.id, "", message));
            continue;
        };
        speaks |= kind.is_output();
        let fed: Vec<&str> = flow.feeding(at).map(|edge| edge.field.as_str()).collect();
        findings.extend(fields(node, kind, &fed));
        findings.extend(kind.findings(node, &fed));
    }
    // A flow of unknown components may well answer; it is refused for them alone.
    if !speaks && !unknown && !flow.nodes.is_empty() {
        findings.push(Finding::invalid(
            "",
            "data.nodes",
            "the flow has no output component, so it answers nothing",
        ));
    }
    findings
}

/// What holds for the fields of every component.
fn fields(node: &Node, kind: Kind, fed: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if node.tool_mode {
        findings.push(Finding::unsupported(
            &node.id,
            "tool_mode",
            "a component cannot be an agent's tool here",
        ));
    }
    for (name, field) in &node.fields {
        let feeding = fed.iter().filter(|own| **own == name).count();
        if feeding > 0 && field.list && kind != Kind::ChatOutput {
            findings.push(Finding::unsupported(&node.id, name, "an edge into a list cannot be run here"));
        }
        let Some(value) = field.stored().filter(|_| feeding == 0 && name != "code") else { continue };
        if !field.has_known_kind() {
            let message = format!("a stored value of the type {:?} cannot be run", field.kind);
            findings.push(Finding::invalid(&node.id, name, message));
        }
        if field.kind == "file" && !(is_nothing(value) && is_nothing(&field.file_path)) {
            findings.push(Finding::unsupported(&node.id, name, "files cannot be given to a run here"));
        }
        if field.load_from_db && !is_nothing(value) {
            findings.push(Finding::unsupported(
                &node.id,
                name,
                "this component has no variables here; store the text",
            ));
        }
    }
    findings
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Runs a flow to its end, telling `sink` what happens.
///
/// # Errors
/// The request does not fit the flow, a component that runs is not supported, a component fails, or a
/// text grows too large. The results of a run that failed are dropped.
pub fn run(flow: &Flow, request: &Request, sink: &mut dyn FnMut(Event)) -> Result<Outcome, Error> {
    run_while_wanted(flow, request, &mut |event| {
        sink(event);
        ControlFlow::Continue(())
    })
}

/// As [`run`], but ends before the next component once `sink` breaks: nobody waits any more.
///
/// # Errors
/// As [`run`], and [`Error::Cancelled`]. An error before the first event means that nothing was begun.
pub fn run_while_wanted(
    flow: &Flow,
    request: &Request,
    sink: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome, Error> {
    let mut tell = |event| match sink(event) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    };
    let mut plan = Plan::new(flow, request)?;
    loop {
        let ready = plan.ready();
        if ready.is_empty() {
            break;
        }
        for at in ready {
            let step = plan.step(at)?;
            tell(Event::Started { component_id: step.node.id.clone() })?;
            let built = step.execute()?;
            tell(Event::Built { component_id: step.node.id.clone() })?;
            plan.complete(at, built)?;
        }
    }
    let outputs = plan.outputs(request)?;
    let usage = Usage::measured(request.input_value.as_deref(), &outputs);
    for output in &outputs {
        tell(Event::Output(output.clone()))?;
    }
    tell(Event::Usage(usage))?;
    Ok(Outcome { outputs, built: plan.built(), usage })
}

#[cfg(test)]
mod tests;
