//! The plan of a run: what is done, what is ready, what will never run.
//!
//! A driver asks for what is `ready`, executes each `step` in any order or at once, and hands each
//! result to `complete`, until nothing is ready. The plan holds no driver, no task and no clock.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{Built, Kind, Step, completion, limits, selection, tweaks};
use crate::{
    error::Error,
    flow::{Flow, Node},
    model::{Finding, Output, Request},
};

/// What became of a node.
#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Not part of this run, or on a way that was not taken.
    Out,
    Waiting,
    Done(Built),
}

/// A run in progress.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    flow: &'a Flow,
    nodes: Cow<'a, [Node]>,
    kinds: Vec<Option<Kind>>,
    states: Vec<State>,
    /// Edges by the node they leave, as places in the flow's list.
    leaving: Vec<Vec<usize>>,
    /// The nodes that take the request's input, and the input.
    given: Option<(Vec<bool>, Arc<str>)>,
    /// Nodes in the order in which they were done.
    done: Vec<usize>,
    /// Bytes of text made so far.
    made: usize,
}

impl<'a> Plan<'a> {
    /// Plans a run of the flow.
    ///
    /// # Errors
    /// The request does not fit the flow, its input is too large, or a component that would run is not
    /// supported.
    pub fn new(flow: &'a Flow, request: &Request) -> Result<Self, Error> {
        if request.input_value.as_ref().is_some_and(|text| text.len() > limits::TEXT_BYTES) {
            return Err(Error::TooLarge { what: "input", limit_bytes: limits::TEXT_BYTES });
        }
        let mut nodes = Cow::Borrowed(flow.nodes.as_slice());
        if !request.tweaks.is_empty() {
            tweaks::apply(nodes.to_mut(), request)?;
        }
        let kinds: Vec<Option<Kind>> = nodes.iter().map(|node| Kind::of(&node.type_key)).collect();
        let leaving = selection::leaving(flow);
        let running = selection::running(flow, &leaving);
        let missing: Vec<Finding> = selection::marked(&running)
            .filter(|at| kinds.get(*at) == Some(&None))
            .filter_map(|at| nodes.get(at))
            .map(|node| {
                let message = format!("the engine has no component {:?} (node {:?})", node.type_key, node.id);
                Finding::unsupported(&node.id, "", message)
            })
            .collect();
        if !missing.is_empty() {
            return Err(Error::Refused(missing));
        }
        let given = request.input_value.as_deref().map(|text| {
            let takes = nodes.iter().zip(&kinds);
            let takes = takes.map(|(node, kind)| {
                kind.is_some_and(|kind| selection::takes_input(node, kind, request.input_type))
            });
            (takes.collect(), Arc::from(text))
        });
        let states = running.into_iter().map(|runs| if runs { State::Waiting } else { State::Out }).collect();
        Ok(Self { flow, nodes, kinds, states, leaving, given, done: Vec::new(), made: 0 })
    }

    /// The nodes that can run now, in document order: everything that feeds them is done or left out.
    #[must_use]
    pub fn ready(&self) -> Vec<usize> {
        let mut waits = vec![false; self.states.len()];
        for edge in &self.flow.edges {
            if self.states.get(edge.source) == Some(&State::Waiting)
                && let Some(wait) = waits.get_mut(edge.target)
            {
                *wait = true;
            }
        }
        let states = self.states.iter().enumerate().zip(waits);
        states
            .filter(|((_, state), wait)| **state == State::Waiting && !wait)
            .map(|((at, _), _)| at)
            .collect()
    }

    /// The component of a node.
    #[must_use]
    pub fn kind(&self, at: usize) -> Option<Kind> {
        self.kinds.get(at).copied().flatten()
    }

    /// The outputs that pass a model's text on as it stands: those that were asked for and that it alone
    /// feeds. What it says can be told as theirs while it is being said.
    #[must_use]
    pub fn listeners(&self, model: usize, request: &Request) -> Vec<String> {
        let wanted = selection::wanted(&self.nodes, request);
        let places = self.leaving.get(model).into_iter().flatten();
        let edges = places.filter_map(|place| self.flow.edges.get(*place));
        let listens = edges.filter(|edge| {
            let output = self.kind(edge.target).is_some_and(Kind::is_output);
            output
                && edge.field == "input_value"
                && wanted.get(edge.target) == Some(&true)
                && self.states.get(edge.target) == Some(&State::Waiting)
                && self.flow.feeding(edge.target).count() == 1
        });
        listens.filter_map(|edge| self.nodes.get(edge.target)).map(|node| node.id.clone()).collect()
    }

    /// What a run says of its nodes before it begins.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let runs = self.nodes.iter().zip(&self.kinds).zip(&self.states);
        runs.filter(|((_, kind), state)| **kind == Some(Kind::Model) && **state == State::Waiting)
            .filter_map(|((node, _), _)| completion::warning(node))
            .map(|warning| warning.to_string())
            .collect()
    }

    /// What a ready node has to do.
    ///
    /// # Errors
    /// [`Error::Broken`] when there is no such node.
    pub fn step(&self, at: usize) -> Result<Step<'_>, Error> {
        let node = self.nodes.get(at).ok_or(Error::Broken("no such node"))?;
        let kind = self.kinds.get(at).copied().flatten().ok_or(Error::Broken("no such component"))?;
        let mut fed: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for edge in self.flow.feeding(at) {
            // What was left out brings nothing: the field keeps what it stores.
            let Some(State::Done(built)) = self.states.get(edge.source) else { continue };
            let text = built.at(&edge.output);
            let joined = match fed.get(&edge.field) {
                Some(before) => Arc::from(format!("{before}\n{text}")),
                None => text,
            };
            if joined.len() > limits::TEXT_BYTES {
                return Err(Error::TooLarge { what: "text of a component", limit_bytes: limits::TEXT_BYTES });
            }
            fed.insert(edge.field.clone(), joined);
        }
        if let Some((takes, text)) = &self.given
            && takes.get(at) == Some(&true)
        {
            fed.entry("input_value".into()).or_insert_with(|| Arc::clone(text));
        }
        Ok(Step { node, kind, fed })
    }

    /// Takes a node's result, and leaves out the ways that it did not take.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the run has made too much text, [`Error::Broken`] when the node was not
    /// waiting.
    pub fn complete(&mut self, at: usize, built: Built) -> Result<(), Error> {
        self.made = self.made.saturating_add(built.text.len());
        if self.made > limits::WORK_BYTES {
            return Err(Error::TooLarge { what: "text of the run", limit_bytes: limits::WORK_BYTES });
        }
        let taken = built.taken;
        match self.states.get_mut(at) {
            Some(state @ State::Waiting) => *state = State::Done(built),
            _ => return Err(Error::Broken("a result for a node that was not waiting")),
        }
        self.done.push(at);
        if let Some(taken) = taken {
            self.leave_out(at, taken);
        }
        Ok(())
    }

    /// Everything behind the outputs that were not taken, unless the taken one leads there too.
    fn leave_out(&mut self, router: usize, taken: &str) {
        let behind = |own: bool| {
            let mut marks = vec![false; self.states.len()];
            let edges = |node: usize| {
                let places = self.leaving.get(node).into_iter().flatten();
                places.filter_map(|place| self.flow.edges.get(*place))
            };
            let open =
                edges(router).filter(|edge| (edge.output == taken) == own).map(|edge| edge.target).collect();
            selection::spread(&mut marks, open, |node| edges(node).map(|edge| edge.target));
            marks
        };
        let (kept, left) = (behind(true), behind(false));
        for ((state, kept), left) in self.states.iter_mut().zip(kept).zip(left) {
            if left && !kept && *state == State::Waiting {
                *state = State::Out;
            }
        }
    }

    /// Ids of what was done, in that order.
    #[must_use]
    pub fn built(&self) -> Vec<String> {
        self.done.iter().filter_map(|at| self.nodes.get(*at)).map(|node| node.id.clone()).collect()
    }

    /// The results that were asked for, in document order. Call it when nothing is ready any more.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when they are too large together.
    pub fn outputs(&self, request: &Request) -> Result<Vec<Output>, Error> {
        let wanted = selection::wanted(&self.nodes, request);
        let mut outputs = Vec::new();
        let mut bytes = 0_usize;
        for at in selection::marked(&wanted) {
            let (Some(State::Done(built)), Some(node)) = (self.states.get(at), self.nodes.get(at)) else {
                continue;
            };
            bytes = bytes.saturating_add(built.text.len());
            if bytes > limits::OUTPUT_BYTES {
                return Err(Error::TooLarge { what: "output of the run", limit_bytes: limits::OUTPUT_BYTES });
            }
            outputs.push(self.output(at, node, built)?);
        }
        Ok(outputs)
    }

    fn output(&self, at: usize, node: &Node, built: &Built) -> Result<Output, Error> {
        let step = self.step(at)?;
        let speaker = step.kind.speaker();
        let source = self.flow.feeding(at).next().filter(|_| step.kind == Kind::ChatOutput);
        Ok(Output {
            component_id: node.id.clone(),
            display_name: node.display_name.clone(),
            component_type: node.type_key.clone(),
            text: built.text.as_ref().to_owned(),
            sender: speaker.map(|(sender, _)| step.text("sender", sender).as_ref().to_owned()),
            sender_name: speaker.map(|(_, name)| step.text("sender_name", name).as_ref().to_owned()),
            source_id: source.and_then(|edge| self.nodes.get(edge.source)).map(|node| node.id.clone()),
        })
    }
}
