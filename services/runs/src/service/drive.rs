//! Brings one run to its end, step by step, each written down before the next. Whoever takes the run over
//! goes on from the row; every call to billing carries a request id of the run's own, so nothing is charged
//! twice.

use std::{sync::Arc, time::Duration};

use souk_kit::Refusal;
use souk_types::{Class, Reason, ReservationId, Time};

use super::{Service, afford::Reserved};
use crate::{
    error::{self, Error},
    model::{self, Bill, Next, Run},
    peers::Authorized,
    store::{Hold, Made},
};

/// The first pause before another try, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Service {
    /// Starts the run's task.
    pub(super) fn launch(self: &Arc<Self>, run: Run) {
        let this = Arc::clone(self);
        self.house.detach(async move {
            let run_id = run.run_id;
            match this.drive(run).await {
                Ok(()) => {}
                Err(Error::Lost) => tracing::warn!(run = %run_id, "another owner has the run"),
                // The lease runs out, and the recovery goes on from the row.
                Err(error) => {
                    let cause = souk_kit::status::chain(&error);
                    tracing::error!(run = %run_id, cause, "the run's task ended early");
                }
            }
        });
    }

    /// Works on the run while it is held.
    async fn drive(&self, run: Run) -> Result<(), Error> {
        let hold = Hold::on(&run);
        tokio::select! {
            outcome = Box::pin(self.steps(run)) => outcome,
            lost = self.keep(hold) => Err(lost),
        }
    }

    /// Renews the hold; ends when it is lost.
    async fn keep(&self, hold: Hold) -> Error {
        loop {
            tokio::time::sleep(self.config.lease() / 3).await;
            match self.store.renew(hold).await {
                Ok(()) => {}
                Err(Error::Lost) => return Error::Lost,
                // The next try may come in time; if not, the steps notice.
                Err(error) => tracing::warn!(run = %hold.run_id, %error, "the lease was not renewed"),
            }
        }
    }

    async fn steps(&self, mut run: Run) -> Result<(), Error> {
        // Only who authorized knows that no engine was asked yet, and at what prices.
        let mut reserved = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let hold = Hold::on(&run);
            let step = match run.next(reserved.is_some()) {
                Next::Rest => return Ok(()),
                Next::Stop => self.store.step("runs.stop_run", hold, stopped).await.map(Some),
                Next::Authorize => self.authorize(&run, &mut reserved).await,
                Next::Execute => match reserved.take() {
                    Some(reserved) => self.execute(&run, reserved).await.map(Some),
                    None => self.interrupt(hold).await.map(Some),
                },
                Next::Interrupt => self.interrupt(hold).await.map(Some),
                Next::Settle(reservation) => {
                    let bill = self.peers.billing.settle(&run, reservation).await;
                    self.close(hold, bill).await
                }
                Next::Release(reservation) => self.release(&run, reservation).await,
            };
            match step? {
                Some(next) => (run, pause) = (next, FIRST_PAUSE),
                None if self.rest(pause).await => {
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    run.cancel = self.store.standing(run.run_id).await?.0;
                }
                // The process ends: whoever starts next goes on from the row.
                None => return Ok(()),
            }
        }
    }

    /// Waits before another try; says no when the process ends.
    async fn rest(&self, pause: Duration) -> bool {
        let stop = self.house.stop();
        tokio::select! {
            () = stop.cancelled() => false,
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Asks for credits; `None` when billing is to be asked again. `reserved` is what the engine is to work
    /// with: only who authorized has it.
    async fn authorize(&self, run: &Run, reserved: &mut Option<Reserved>) -> Result<Option<Run>, Error> {
        let hold = Hold::on(run);
        match self.peers.billing.authorize(run).await {
            Ok(Authorized::Allowed { reservation_id, budget, expire_time, prices }) => {
                let asks = Run { reservation_id: Some(reservation_id), ..run.clone() };
                let budget = match self.afford_input(&asks, &prices, budget).await {
                    Some(Ok(budget)) => budget,
                    Some(Err(error)) => return self.give_back(&asks, reservation_id, error).await,
                    None => return self.not_yet(run).await,
                };
                let step = |run: Run, _| Ok((run.started(reservation_id, budget)?, Vec::new()));
                let started = self.store.step("runs.start_run", hold, step).await?;
                // A reservation made by an owner that died long ago holds no credits any more.
                if expire_time <= self.house.now() {
                    return self.interrupt(hold).await.map(Some);
                }
                *reserved = Some(Reserved { prices, expire_time });
                Ok(Some(started))
            }
            Ok(Authorized::No(reason)) => {
                self.refuse(hold, model::Error::new(reason.clone(), said_no(&reason))).await
            }
            Err(Error::Peer(refusal)) if is_final(&refusal) => {
                self.refuse(hold, model::Error::new(refusal.reason, &refusal.message)).await
            }
            Err(error) => {
                let cause = souk_kit::status::chain(&error);
                tracing::warn!(run = %run.run_id, cause, "billing did not authorize");
                self.not_yet(run).await
            }
        }
    }

    /// Billing does not answer: the run waits, but not for ever.
    async fn not_yet(&self, run: &Run) -> Result<Option<Run>, Error> {
        if !run.waited(self.house.now(), self.config.start()) {
            return Ok(None);
        }
        let error = model::Error::new(Reason::Unavailable.as_str(), "billing does not answer");
        self.not_started(Hold::on(run), error).await
    }

    /// Refuses a run that may not have enough for its input, and frees what was reserved for it.
    async fn give_back(
        &self,
        run: &Run,
        reservation: ReservationId,
        error: model::Error,
    ) -> Result<Option<Run>, Error> {
        match self.peers.billing.release(run, reservation).await {
            Ok(_) => self.refuse(Hold::on(run), error).await,
            Err(Error::Peer(refusal)) if is_final(&refusal) => self.refuse(Hold::on(run), error).await,
            Err(_) => self.not_yet(run).await,
        }
    }

    async fn refuse(&self, hold: Hold, error: model::Error) -> Result<Option<Run>, Error> {
        let step = |run: Run, now| Ok((run.refused(error.clone(), now)?, Vec::new()));
        self.store.step("runs.refuse_run", hold, step).await.map(Some)
    }

    async fn not_started(&self, hold: Hold, error: model::Error) -> Result<Option<Run>, Error> {
        let step = |run: Run, now| Ok((run.not_started(error.clone(), now)?, Vec::new()));
        self.store.step("runs.fail_start", hold, step).await.map(Some)
    }

    /// The engine's work is lost with its owner, or was never begun: what was written down as used is settled,
    /// nothing else.
    async fn interrupt(&self, hold: Hold) -> Result<Run, Error> {
        let step = |run: Run, _| Ok((run.cut(interrupted())?, Vec::new()));
        self.store.step("runs.interrupt_run", hold, step).await
    }

    async fn release(&self, run: &Run, reservation: ReservationId) -> Result<Option<Run>, Error> {
        let bill = self.peers.billing.release(run, reservation).await;
        self.close(Hold::on(run), bill).await
    }

    /// Ends the run with what billing says; `None` when billing is to be asked again.
    async fn close(&self, hold: Hold, bill: Result<Bill, Error>) -> Result<Option<Run>, Error> {
        let refusal = match bill {
            Ok(bill) => {
                let step = |run: Run, now| Ok((run.closed(bill.clone(), now)?, Vec::new()));
                return self.store.step("runs.close_run", hold, step).await.map(Some);
            }
            Err(Error::Peer(refusal)) if is_final(&refusal) => refusal,
            Err(error) => {
                let cause = souk_kit::status::chain(&error);
                tracing::warn!(run = %hold.run_id, cause, "billing did not settle");
                return Ok(None);
            }
        };
        if let (true, Some(dimension)) =
            (refusal.is(Reason::DimensionUnknown), refusal.metadata.get("dimension"))
        {
            // The offering's own choice, and the same for each of its runs.
            tracing::debug!(run = %hold.run_id, dimension, "used and not priced");
            // What has no price costs nothing. Written down first: a repeat must say the same.
            let step = |run: Run, _| Ok((run.unpriced(dimension)?, Vec::new()));
            return self.store.step("runs.drop_dimension", hold, step).await.map(Some);
        }
        tracing::error!(run = %hold.run_id, reason = refusal.reason, "billing refuses to settle");
        let error = model::Error::new(refusal.reason, &refusal.message);
        let step = |run: Run, now| Ok((run.unsettled(error.clone(), now)?, Vec::new()));
        self.store.step("runs.give_up_settle", hold, step).await.map(Some)
    }
}

/// What a run says of itself whose owner is gone.
pub(super) fn interrupted() -> model::Error {
    let text = "the process that ran it ended before the run did";
    model::Error::new(Reason::RunInterrupted.as_str(), text)
}

fn stopped(run: Run, now: Time) -> Made {
    Ok((run.stopped(now)?, Vec::new()))
}

/// Whether billing would say the same again: it understood and said no. Anything else, a token that is not
/// accepted included, is tried again, since giving up means to charge nothing.
pub(super) fn is_final(refusal: &Refusal) -> bool {
    let class = error::reason(&refusal.reason).map(Reason::class);
    matches!(class, Some(Class::Invalid | Class::NotFound | Class::Precondition | Class::Exists))
}

/// What the registry says of a reason that billing gave.
fn said_no(reason: &str) -> &'static str {
    error::reason(reason).map_or("billing refused the run", Reason::what)
}
