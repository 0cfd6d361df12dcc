//! The native engine: common Langflow components, in process.
//!
//! [`findings`] says before a flow is published whether it can run here; [`run`] runs it. The engine is
//! a plan that is executed step by step ([`Plan`]): what is ready is computed, executed by whoever
//! drives it, and handed back. [`run`] drives it synchronously, which is all that the present
//! components need; a driver that awaits a model between `ready` and `complete` needs no other engine.
//! No I/O, no clock, no tasks here.

mod completion;
mod component;
mod condition;
mod meter;
mod pattern;
mod plan;
mod selection;
mod template;
mod tweaks;

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use serde_json::Value;

pub use completion::{Completion, trial};
pub use component::{Built, Kind, Step};
pub use plan::Plan;

use self::meter::Meter;
use crate::{
    error::Error,
    flow::{Flow, Node},
    model::{Event, Finding, Outcome, Request, Usage, Warning},
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
        // What a model component gives besides texts is for agents.
        let asks = flow.edges.iter().any(|edge| edge.source == at && edge.output == "model_output");
        if kind == Kind::Model && asks {
            findings.push(Finding::unsupported(
                &node.id,
                "model_output",
                "only the text of a model can be used here",
            ));
        }
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

/// What the author of a flow should know of components that this engine runs otherwise than others do. All of
/// them, also those that no run reaches.
#[must_use]
pub fn warnings(flow: &Flow) -> Vec<Warning> {
    let asks = flow.nodes.iter().filter(|node| Kind::of(&node.type_key) == Some(Kind::Model));
    asks.filter_map(completion::warning).collect()
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
        let named = kind == Kind::Model && [completion::KEY, completion::BASE].contains(&name.as_str());
        if field.load_from_db && !is_nothing(value) && !named {
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

/// What a model says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A piece of its answer.
    Text(String),
    /// What the endpoint counted so far: input and output tokens.
    Used(u64, u64),
    /// The answer is over. Last.
    Ended(Result<(), Error>),
}

/// Whoever can put questions to model endpoints. The engine waits for what they say; it reaches nobody.
pub trait Models {
    /// Puts a question; `at` tells the answers apart.
    fn ask(&mut self, at: usize, question: Completion);

    /// Waits for what any of them says next; `None` when nobody waits for the run any more.
    fn next(&mut self) -> Option<(usize, Said)>;
}

/// For runs without models: every question fails.
#[derive(Debug, Default)]
pub struct NoModels(Vec<usize>);

impl Models for NoModels {
    fn ask(&mut self, at: usize, _question: Completion) {
        self.0.push(at);
    }

    fn next(&mut self) -> Option<(usize, Said)> {
        self.0.pop().map(|at| (at, Said::Ended(Err(Error::Broken("nobody can ask a model here")))))
    }
}

/// Runs a flow without models to its end, telling `sink` what happens.
///
/// # Errors
/// The request does not fit the flow, a component that runs is not supported, a component fails, or a
/// text grows too large. The results of a run that failed are dropped.
pub fn run(flow: &Flow, request: &Request, sink: &mut dyn FnMut(Event)) -> Result<Outcome, Error> {
    run_while_wanted(flow, request, &mut NoModels::default(), &mut |event| {
        sink(event);
        ControlFlow::Continue(())
    })
}

/// As [`run`], with models, but ends before the next component once `sink` breaks: nobody waits any more.
///
/// # Errors
/// As [`run`], what a model endpoint refused, and [`Error::Cancelled`]. An error before the first event
/// means that nothing was begun.
pub fn run_while_wanted(
    flow: &Flow,
    request: &Request,
    models: &mut dyn Models,
    sink: &mut dyn FnMut(Event) -> ControlFlow<()>,
) -> Result<Outcome, Error> {
    let plan = Plan::new(flow, request)?;
    let warnings = plan.warnings();
    let mut driver = Driver { plan, request, models, sink, meter: Meter::default(), told: Usage::default() };
    if !warnings.is_empty() {
        driver.tell(Event::Warnings(warnings))?;
    }
    driver.run()
}

/// Drives a plan to its end.
struct Driver<'a, 'b> {
    plan: Plan<'a>,
    request: &'b Request,
    models: &'b mut dyn Models,
    sink: &'b mut dyn FnMut(Event) -> ControlFlow<()>,
    meter: Meter,
    /// The usage that was told last.
    told: Usage,
}

impl Driver<'_, '_> {
    fn tell(&mut self, event: Event) -> Result<(), Error> {
        match (self.sink)(event) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    fn run(mut self) -> Result<Outcome, Error> {
        loop {
            let ready = self.plan.ready();
            if ready.is_empty() {
                break;
            }
            let asks = |at: &usize| self.plan.kind(*at) == Some(Kind::Model);
            let (asking, plain): (Vec<usize>, Vec<usize>) = ready.into_iter().partition(asks);
            // Models are asked once there is nothing else to do, so that as many as can be answer at once.
            if plain.is_empty() {
                let outcome = self.ask(&asking);
                self.meter.all_ended();
                // Also what was used by answers that broke off.
                self.tell_usage()?;
                outcome?;
            }
            for at in plain {
                self.execute(at)?;
            }
        }
        let outputs = self.plan.outputs(self.request)?;
        let measured = || Usage::measured(self.request.input_value.as_deref(), &outputs);
        let usage = if self.meter.is_empty() { measured() } else { self.meter.total().unwrap_or(ONE_RUN) };
        for output in &outputs {
            self.tell(Event::Output(output.clone()))?;
        }
        if usage != self.told {
            self.tell(Event::Usage(usage))?;
        }
        Ok(Outcome { outputs, built: self.plan.built(), usage })
    }

    fn execute(&mut self, at: usize) -> Result<(), Error> {
        let step = self.plan.step(at)?;
        let component_id = step.node.id.clone();
        let built = {
            // Told before it begins; the step borrows the plan, the sink does not.
            match (self.sink)(Event::Started { component_id: component_id.clone() }) {
                ControlFlow::Continue(()) => step.execute()?,
                ControlFlow::Break(()) => return Err(Error::Cancelled),
            }
        };
        self.tell(Event::Built { component_id })?;
        self.plan.complete(at, built)
    }

    /// Puts the questions of nodes that are ready, and hears all answers to their end.
    fn ask(&mut self, asking: &[usize]) -> Result<(), Error> {
        let mut questions = Vec::new();
        for at in asking {
            questions.push((*at, self.plan.step(*at)?.completion()?));
        }
        let mut open = BTreeMap::new();
        for (at, question) in questions {
            let component_id = question.component_id.clone();
            self.tell(Event::Started { component_id: component_id.clone() })?;
            self.meter.asked(at, question.asked_bytes, question.most_tokens);
            let listeners = self.plan.listeners(at, self.request);
            open.insert(at, Answer { component_id, listeners, text: String::new() });
            self.models.ask(at, question);
        }
        while !open.is_empty() {
            let (at, said) = self.models.next().ok_or(Error::Cancelled)?;
            match said {
                Said::Text(text) => {
                    let answer = open.get_mut(&at).ok_or(Error::Broken("an answer to no question"))?;
                    self.hear(at, answer, &text)?;
                }
                Said::Used(input, output) => {
                    self.meter.reported(at, (input, output));
                    self.tell_usage()?;
                }
                Said::Ended(outcome) => {
                    let answer = open.remove(&at).ok_or(Error::Broken("an answer to no question"))?;
                    outcome?;
                    self.meter.ended(at);
                    self.tell_usage()?;
                    self.tell(Event::Built { component_id: answer.component_id })?;
                    self.plan.complete(at, Built { text: Arc::from(answer.text), taken: None })?;
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, at: usize, answer: &mut Answer, text: &str) -> Result<(), Error> {
        self.meter.piece(at, text.len());
        if answer.text.len().saturating_add(text.len()) > limits::TEXT_BYTES {
            return Err(Error::TooLarge { what: "answer of a model", limit_bytes: limits::TEXT_BYTES });
        }
        answer.text.push_str(text);
        for listener in &answer.listeners {
            self.tell(Event::Delta { component_id: listener.clone(), text: text.to_owned() })?;
        }
        self.tell_usage()
    }

    fn tell_usage(&mut self) -> Result<(), Error> {
        match self.meter.total() {
            Some(usage) if usage != self.told => {
                self.told = usage;
                self.tell(Event::Usage(usage))
            }
            _ => Ok(()),
        }
    }
}

/// What a run costs whose models gave nothing.
const ONE_RUN: Usage = Usage { runs: 1, input_tokens: 0, output_tokens: 0 };

/// An answer that is being given.
struct Answer {
    component_id: String,
    listeners: Vec<String>,
    text: String,
}

#[cfg(test)]
mod tests;
