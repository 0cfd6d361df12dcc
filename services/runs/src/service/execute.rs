//! Lets an engine work on a run and writes down what it says as it says it, until the flow ends, the budget
//! does, or the run is to be stopped.
//!
//! What an engine says is bounded and checked, never believed. Usage is priced as it arrives: near the end of
//! the budget more is reserved, and where that is refused the engine is stopped with the next thing it says.

use std::time::Duration;

use souk_types::Reason;
use tokio::time::{Interval, MissedTickBehavior};

use super::{
    Service,
    afford::{Purse, Reserved},
    heard::{Heard, broken, named},
};
use crate::{
    error::Error,
    model::{self, Happening, Meter, Run},
    store::{self, Hold},
};

/// How often what an engine says is written down: watchers see ten changes a second at the most.
const FLUSH: Duration = Duration::from_millis(100);
/// How often one looks whether the run is to be stopped, where another process was told so, and whether its
/// reservation is about to expire.
const LOOK: Duration = Duration::from_secs(1);

/// How an engine's work ended.
pub(super) enum End {
    /// The flow ended well.
    Done,
    /// The flow ended badly, or had to be ended.
    Failed(model::Error),
    /// It was cut off, since the run is to be stopped.
    Stopped,
}

impl Service {
    /// Runs the flow to its end, however that is, and leaves the run SETTLING.
    pub(super) async fn execute(&self, run: &Run, reserved: Reserved) -> Result<Run, Error> {
        let meter = Meter::new(reserved.prices, run.budget);
        let mut heard = Heard::new(self.config.output_bytes);
        let mut purse = Purse::new(meter, reserved.expire_time);
        let end = self.hear_out(run, &mut heard, &mut purse).await?;
        if !matches!(end, End::Done) {
            heard.keep_partial();
        }
        let progress = &heard.progress;
        let step = |run: Run, _| {
            let run = run.progressed(progress)?;
            let run = match &end {
                End::Done => run.concluded(None)?,
                End::Failed(error) => run.concluded(Some(error.clone()))?,
                End::Stopped => run.cut(super::drive::interrupted())?,
            };
            Ok((run, progress.pieces.clone()))
        };
        self.store.step("runs.conclude_run", Hold::on(run), step).await
    }

    /// Hears the engine out; an error is about our own rows.
    async fn hear_out(&self, run: &Run, heard: &mut Heard, purse: &mut Purse) -> Result<End, Error> {
        let hold = Hold::on(run);
        let limit = tokio::time::sleep(self.config.execute());
        let mut to_stop = self.ears.bell(store::to_stop(run.run_id));
        // Touches no row: what is not polled while another branch works must hold nothing.
        let silence = self.ears.silence(run.run_id, self.config.unheard());
        tokio::pin!(limit, silence);
        // Whoever was told before the bell was there.
        if self.store.standing(run.run_id).await?.0.is_some() {
            return Ok(End::Stopped);
        }
        let mut execution = tokio::select! {
            execution = self.peers.runner.execute(run) => match execution {
                Ok(execution) => execution,
                Err(error) => return Ok(End::Failed(broken(&error))),
            },
            () = to_stop.rung() => return Ok(End::Stopped),
            () = &mut limit => return Ok(self.too_long()),
        };
        let (mut flush, mut look) = (every(FLUSH), every(LOOK));
        loop {
            tokio::select! {
                said = execution.next() => {
                    // Never cut short: what was said once is not said again.
                    if let Some(end) = self.hear(run, said, heard, purse).await {
                        return Ok(end);
                    }
                }
                // Never cut short: a write whose answer is not heard would be written twice.
                _ = flush.tick() => self.record(hold, heard).await?,
                _ = look.tick() => {
                    self.hold_on(run, purse).await;
                    if self.store.standing(run.run_id).await?.0.is_some() {
                        return Ok(End::Stopped);
                    }
                }
                () = to_stop.rung() => return Ok(End::Stopped),
                () = &mut silence => {
                    if self.nobody_listens(run).await? {
                        return Ok(End::Stopped);
                    }
                    silence.set(self.ears.silence(run.run_id, self.config.unheard()));
                }
                () = &mut limit => return Ok(self.too_long()),
            }
        }
    }

    /// Nobody listened here for long enough. Unless somebody does elsewhere, it is written down that the run is
    /// to be stopped.
    async fn nobody_listens(&self, run: &Run) -> Result<bool, Error> {
        if !self.is_alone() {
            let (_, elsewhere) = self.store.standing(run.run_id).await?;
            if self.house.now().since(elsewhere) < self.config.unheard() {
                return Ok(false);
            }
        }
        self.store.unheard(run.run_id).await?;
        Ok(true)
    }

    fn too_long(&self) -> End {
        let text = format!("the flow took longer than {} seconds", self.config.execute_seconds);
        End::Failed(model::Error::new(Reason::DeadlineExceeded.as_str(), &text))
    }

    /// Takes one thing that the engine says; the flow's end when there is no more.
    async fn hear(
        &self,
        run: &Run,
        said: Result<Option<Happening>, Error>,
        heard: &mut Heard,
        purse: &mut Purse,
    ) -> Option<End> {
        let said = match said {
            Ok(Some(said)) => said,
            Ok(None) => {
                let text = "the engine stopped without saying how the flow ended";
                return Some(End::Failed(model::Error::new(Reason::RunInterrupted.as_str(), text)));
            }
            Err(error) => return Some(End::Failed(broken(&error))),
        };
        let goes_on = matches!(said, Happening::Piece(_) | Happening::Used(_));
        match said {
            Happening::Done => return Some(End::Done),
            Happening::Failed(error) => return Some(End::Failed(named(error))),
            said => {
                if let Err(error) = heard.take(said) {
                    return Some(End::Failed(error));
                }
            }
        }
        if !goes_on {
            return None;
        }
        let exhausted = self.afford(run, &heard.progress.usage, purse).await;
        heard.progress.budget = Some(purse.budget());
        exhausted.map(End::Failed)
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

fn every(span: Duration) -> Interval {
    let mut interval = tokio::time::interval(span);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
