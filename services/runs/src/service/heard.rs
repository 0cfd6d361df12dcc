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
    /// Bytes of the texts of all pieces and of all outputs: each is kept.
    pieces: usize,
    outputs: usize,
    /// Bytes of the names that components have. They are no text of an output, but are kept as well.
    names: usize,
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
            names: 0,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    pub(super) fn take(&mut self, said: Happening) -> Result<(), model::Error> {
        match said {
            // Nothing that would have to be kept.
            Happening::Piece(piece) if piece.text.is_empty() => return Ok(()),
            Happening::Piece(piece) => {
                self.pieces = within(self.pieces, piece.text.len(), self.limit)?;
                match self.partial.iter_mut().find(|known| known.component_id == piece.component_id) {
                    Some(known) => known.text.push_str(&piece.text),
                    None => {
                        self.names = within(self.names, piece.component_id.len(), self.limit)?;
                        self.partial.push(piece.clone());
                    }
                }
                self.progress.add(piece);
            }
            Happening::Output(output) => {
                let names = output.component_id.len().saturating_add(output.display_name.len());
                self.names = within(self.names, names, self.limit)?;
                self.outputs = within(self.outputs, output.text.len(), self.limit)?;
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

    /// Outputs that did not become whole are kept as far as they came. Nobody said what they are called, so
    /// they go by the id of their component.
    pub(super) fn keep_partial(&mut self) {
        for Delta { component_id, text } in self.partial.drain(..) {
            let Ok(outputs) = within(self.outputs, text.len(), self.limit) else {
                return;
            };
            self.outputs = outputs;
            self.progress.outputs.push(Output { display_name: component_id.clone(), component_id, text });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(component_id: &str, text: &str) -> Happening {
        Happening::Piece(Delta { component_id: component_id.into(), text: text.into() })
    }

    #[test]
    fn the_limit_is_one_of_text_however_it_comes() {
        let mut heard = Heard::new(20);
        for _ in 0..20 {
            heard.take(piece("ChatOutput-o", "x")).unwrap();
        }
        assert!(heard.take(piece("ChatOutput-o", "x")).is_err());
        let whole = |text: String| {
            Happening::Output(Output { component_id: "o".into(), display_name: "Chat".into(), text })
        };
        let mut heard = Heard::new(20);
        assert!(heard.take(whole("x".repeat(21))).is_err());
        heard.take(whole("x".repeat(20))).unwrap();
        assert!(heard.take(whole("x".into())).is_err());
    }

    #[test]
    fn names_without_end_are_not_taken() {
        let mut heard = Heard::new(100);
        let taken = (0..1000).take_while(|at| heard.take(piece(&format!("{at:010}"), "x")).is_ok());
        assert_eq!(taken.count(), 10);
        let mut heard = Heard::new(100);
        heard.take(piece("a", "")).unwrap();
        assert!(!heard.fresh && heard.partial.is_empty());
    }

    #[test]
    fn what_did_not_become_whole_has_a_name() {
        let mut heard = Heard::new(100);
        heard.take(piece("ChatOutput-o", "Hel")).unwrap();
        heard.take(piece("ChatOutput-o", "lo")).unwrap();
        heard.keep_partial();
        let kept: Vec<_> = heard.progress.outputs.iter().collect();
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].display_name.as_str(), kept[0].text.as_str()), ("ChatOutput-o", "Hello"));
    }
}
