//! Lets an engine work on a run and writes down what it says as it says it.
//!
//! Nothing compares usage with the budget here yet: prices are billing's, and the rule for overruns comes
//! with Extend. What an engine says is bounded and checked, never believed.

use std::time::Duration;

use souk_types::Reason;
use tokio::time::MissedTickBehavior;

use super::Service;
use crate::{
    error::{self, Error},
    model::{self, Happening, Progress, Run},
    peers::Execution,
    store::Hold,
};

/// How often what an engine says is written down: watchers see ten changes a second at the most.
const FLUSH: Duration = Duration::from_millis(100);

/// What an engine said so far.
#[derive(Default)]
struct Heard {
    progress: Progress,
    /// Whether something is not written down yet.
    fresh: bool,
    /// Bytes of all pieces and of all outputs: each is kept.
    pieces: usize,
    outputs: usize,
}

impl Service {
    /// Runs the flow to its end, however that is, and leaves the run SETTLING.
    pub(super) async fn execute(&self, run: &Run, hold: Hold) -> Result<Run, Error> {
        let mut heard = Heard::default();
        let end = self.listen(run, hold, &mut heard).await?;
        let progress = &heard.progress;
        let step =
            |run: Run, _| Ok((run.progressed(progress)?.concluded(end.clone())?, progress.pieces.clone()));
        self.store.step("runs.conclude_run", hold, step).await
    }

    /// Hears the engine out; the inner error says how the flow failed, an outer one is about our own rows.
    async fn listen(&self, run: &Run, hold: Hold, heard: &mut Heard) -> Result<Option<model::Error>, Error> {
        let limit = tokio::time::sleep(self.config.execute());
        tokio::pin!(limit);
        let mut execution = tokio::select! {
            execution = self.peers.runner.execute(run) => match execution {
                Ok(execution) => execution,
                Err(error) => return Ok(Some(broken(&error))),
            },
            () = &mut limit => return Ok(Some(self.too_long())),
        };
        let mut flush = tokio::time::interval(FLUSH);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                end = self.hear(&mut execution, heard) => if let Some(end) = end { return Ok(end) },
                // Never cut short: a write whose answer is not heard would be written twice.
                _ = flush.tick() => self.record(hold, heard).await?,
                () = &mut limit => return Ok(Some(self.too_long())),
            }
        }
    }

    fn too_long(&self) -> model::Error {
        let text = format!("the flow took longer than {} seconds", self.config.execute_seconds);
        model::Error::new(Reason::DeadlineExceeded.as_str(), &text)
    }

    /// One thing that the engine says; the flow's end when there is no more.
    async fn hear(&self, execution: &mut Execution, heard: &mut Heard) -> Option<Option<model::Error>> {
        let said = match execution.next().await {
            Ok(Some(said)) => said,
            Ok(None) => {
                let text = "the engine stopped without saying how the flow ended";
                return Some(Some(model::Error::new(Reason::RunInterrupted.as_str(), text)));
            }
            Err(error) => return Some(Some(broken(&error))),
        };
        let limit = usize::try_from(self.config.output_bytes).unwrap_or(usize::MAX);
        match said {
            Happening::Done => Some(None),
            Happening::Failed(error) => Some(Some(named(error))),
            said => heard.take(said, limit).err().map(Some),
        }
    }

    async fn record(&self, hold: Hold, heard: &mut Heard) -> Result<(), Error> {
        if !heard.fresh {
            return Ok(());
        }
        let progress = &heard.progress;
        let step = |run: Run, _| Ok((run.progressed(progress)?, progress.pieces.clone()));
        self.store.step("runs.record_progress", hold, step).await?;
        heard.progress.pieces.clear();
        heard.fresh = false;
        Ok(())
    }
}

impl Heard {
    fn take(&mut self, said: Happening, limit: usize) -> Result<(), model::Error> {
        match said {
            Happening::Piece(piece) => {
                self.pieces = within(self.pieces, piece.text.len() + piece.component_id.len(), limit)?;
                self.progress.add(piece);
            }
            Happening::Output(output) => {
                let bytes = output.text.len() + output.component_id.len() + output.display_name.len();
                self.outputs = within(self.outputs, bytes, limit)?;
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
}

fn within(before: usize, more: usize, limit: usize) -> Result<usize, model::Error> {
    let after = before.saturating_add(more);
    if after <= limit {
        return Ok(after);
    }
    let text = format!("the outputs are larger than {limit} bytes");
    Err(model::Error::new(Reason::FlowFailed.as_str(), &text))
}

/// A flow's own failure, under a reason of the registry.
fn named(error: model::Error) -> model::Error {
    let known = error::reason(&error.reason).unwrap_or(Reason::FlowFailed);
    model::Error { reason: known.as_str().to_owned(), ..error }
}

/// What became of a flow whose engine refused it or went away.
fn broken(error: &Error) -> model::Error {
    let Error::Peer(refusal) = error else {
        return model::Error::new(Reason::Internal.as_str(), "the engine's answer cannot be read");
    };
    match error::reason(&refusal.reason) {
        Some(reason) if reason != Reason::Internal => model::Error::new(reason.as_str(), &refusal.message),
        _ if refusal.is_transient() => {
            model::Error::new(Reason::Unavailable.as_str(), "the runner does not answer")
        }
        _ => model::Error::new(Reason::RunInterrupted.as_str(), "the engine broke off"),
    }
}
