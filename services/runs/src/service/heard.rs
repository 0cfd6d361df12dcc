//! What an engine said so far, bounded and checked; and how a flow's failure is told.

use souk_types::Reason;

use crate::{
    error::{self, Error},
    model::{self, Delta, Happening, Output, Progress},
};

/// What an engine said so far.
pub(super) struct Heard {
    pub(super) progress: Progress,
    /// Whether something is not written down yet.
    pub(super) fresh: bool,
    /// Pieces of outputs that are not whole yet, joined, in the order in which they began.
    partial: Vec<Delta>,
    /// Bytes of all pieces and of all outputs: each is kept.
    pieces: usize,
    outputs: usize,
    limit: usize,
}

impl Heard {
    pub(super) fn new(limit: u32) -> Self {
        Self {
            progress: Progress::default(),
            fresh: false,
            partial: Vec::new(),
            pieces: 0,
            outputs: 0,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn take(&mut self, said: Happening) -> Result<(), model::Error> {
        match said {
            Happening::Piece(piece) => {
                let bytes = piece.text.len() + piece.component_id.len();
                self.pieces = within(self.pieces, bytes, self.limit)?;
                match self.partial.iter_mut().find(|known| known.component_id == piece.component_id) {
                    Some(known) => known.text.push_str(&piece.text),
                    None => self.partial.push(piece.clone()),
                }
                self.progress.add(piece);
            }
            Happening::Output(output) => {
                let bytes = output.text.len() + output.component_id.len() + output.display_name.len();
                self.outputs = within(self.outputs, bytes, self.limit)?;
                self.partial.retain(|known| known.component_id != output.component_id);
                self.progress.outputs.push(output);
            }
            Happening::Used(report) => {
                for (dimension, quantity) in report {
                    let added = self.progress.usage.add(&dimension, quantity);
                    added.map_err(|bad| model::Error::new(Reason::Internal.as_str(), &bad.to_string()))?;
                }
            }
            Happening::Done | Happening::Failed(_) | Happening::Other => return Ok(()),
        }
        self.fresh = true;
        Ok(())
    }

    /// Outputs that did not become whole are kept as far as they came.
    pub(super) fn keep_partial(&mut self) {
        for Delta { component_id, text } in self.partial.drain(..) {
            let Ok(outputs) = within(self.outputs, text.len() + component_id.len(), self.limit) else {
                return;
            };
            self.outputs = outputs;
            self.progress.outputs.push(Output { component_id, display_name: String::new(), text });
        }
    }
}

fn within(before: usize, more: usize, limit: usize) -> Result<usize, model::Error> {
    let after = before.saturating_add(more);
    if after <= limit {
        return Ok(after);
    }
    let text = format!("the outputs are larger than {limit} bytes");
    Err(model::Error::new(Reason::FlowFailed.as_str(), &text))
}

/// A flow's own failure, under a reason of the registry; never as one that only a run itself may have.
pub(super) fn named(error: model::Error) -> model::Error {
    let known = error::reason(&error.reason).filter(|reason| {
        !matches!(reason, Reason::RunCancelled | Reason::BudgetExhausted | Reason::InsufficientCredits)
    });
    let known = known.unwrap_or(Reason::FlowFailed);
    model::Error { reason: known.as_str().to_owned(), ..error }
}

/// What became of a flow whose engine refused it or went away.
pub(super) fn broken(error: &Error) -> model::Error {
    let Error::Peer(refusal) = error else {
        return model::Error::new(Reason::Internal.as_str(), "the engine's answer cannot be read");
    };
    match error::reason(&refusal.reason) {
        Some(reason) if reason != Reason::Internal => {
            named(model::Error::new(reason.as_str(), &refusal.message))
        }
        _ if refusal.is_transient() => {
            model::Error::new(Reason::Unavailable.as_str(), "the runner does not answer")
        }
        _ => model::Error::new(Reason::RunInterrupted.as_str(), "the engine broke off"),
    }
}
