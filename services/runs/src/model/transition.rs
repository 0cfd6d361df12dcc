//! The one state machine of a run: QUEUED → RUNNING → SETTLING → SUCCEEDED | FAILED | CANCELLED, or REFUSED,
//! FAILED or CANCELLED before it starts. Anything else is refused.

use souk_types::{Credits, ReservationId, Time};

use super::{Bill, Cancel, Delta, Error, Output, Run, State, Usage};

/// A step that the run cannot take from where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {from} cannot {step}")]
pub(crate) struct Illegal {
    /// Where it stands.
    pub(crate) from: State,
    /// What was tried.
    pub(crate) step: &'static str,
}

/// What its owner does with a run next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// End it before it starts: it was cancelled.
    Stop,
    /// Reserve credits.
    Authorize,
    /// Let the engine work.
    Execute,
    /// Say that the engine's work is lost.
    Interrupt,
    /// Charge what was used.
    Settle(ReservationId),
    /// Free the reservation: nothing was used.
    Release(ReservationId),
    /// Nothing.
    Rest,
}

/// What an engine did so far: totals, and the pieces that are not written down yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Every output so far.
    pub(crate) outputs: Vec<Output>,
    /// Everything used so far.
    pub(crate) usage: Usage,
    /// New pieces.
    pub(crate) pieces: Vec<Delta>,
    /// What may be spent by now; `None` for what the run says already.
    pub(crate) budget: Option<Credits>,
}

impl Progress {
    /// Adds a piece; pieces of one component that follow each other become one.
    pub(crate) fn add(&mut self, piece: Delta) {
        match self.pieces.last_mut() {
            Some(last) if last.component_id == piece.component_id => last.text.push_str(&piece.text),
            _ => self.pieces.push(piece),
        }
    }
}

impl Run {
    /// What to do next. `engine_is_free` says that no engine was asked yet, as far as the owner knows: a
    /// run that is found RUNNING may be half done, and is never executed a second time.
    #[must_use]
    pub(crate) fn next(&self, engine_is_free: bool) -> Next {
        match (self.state, self.reservation_id) {
            (State::Queued, _) if self.cancel.is_some() => Next::Stop,
            (State::Queued, _) => Next::Authorize,
            (State::Running, _) if engine_is_free && self.cancel.is_none() => Next::Execute,
            (State::Running, _) => Next::Interrupt,
            (State::Settling, Some(reservation)) if self.usage.is_nothing() && self.error.is_some() => {
                Next::Release(reservation)
            }
            (State::Settling, Some(reservation)) => Next::Settle(reservation),
            // Without a reservation there is nothing to settle; the state machine makes no such run.
            (State::Settling, None) => Next::Rest,
            (State::Succeeded | State::Failed | State::Refused | State::Cancelled, _) => Next::Rest,
        }
    }

    /// Another owner takes the run.
    ///
    /// # Errors
    /// When it is over.
    pub(crate) fn taken(mut self, owner: &str, until: Time) -> Result<Self, Illegal> {
        self.expect(!self.state.is_over(), "be taken over")?;
        owner.clone_into(&mut self.owner);
        self.attempts += 1;
        self.next_attempt_time = until;
        Ok(self)
    }

    /// It is to be stopped; the first reason stays. Whoever owns it does it.
    ///
    /// # Errors
    /// When no engine works on it any more: it comes to its end by itself.
    pub(crate) fn stopping(mut self, cancel: Cancel) -> Result<Self, Illegal> {
        self.expect(matches!(self.state, State::Queued | State::Running), "be cancelled")?;
        self.cancel.get_or_insert(cancel);
        Ok(self.moved())
    }

    /// It was cancelled before it started. A reservation that was made without being heard of expires by
    /// itself.
    ///
    /// # Errors
    /// Unless it is QUEUED and to be stopped.
    pub(crate) fn stopped(mut self, now: Time) -> Result<Self, Illegal> {
        self.expect(self.state == State::Queued, "stop")?;
        let Some(cancel) = self.cancel else { return Err(Illegal { from: self.state, step: "stop" }) };
        (self.state, self.error, self.end_time) = (State::Cancelled, Some(cancel.error()), Some(now));
        Ok(self.moved())
    }

    /// Credits are reserved.
    ///
    /// # Errors
    /// Unless it is QUEUED.
    pub(crate) fn started(mut self, reservation_id: ReservationId, budget: Credits) -> Result<Self, Illegal> {
        self.expect(self.state == State::Queued, "start")?;
        (self.state, self.reservation_id, self.budget) = (State::Running, Some(reservation_id), budget);
        Ok(self.moved())
    }

    /// Billing said no; nothing was reserved.
    ///
    /// # Errors
    /// Unless it is QUEUED.
    pub(crate) fn refused(mut self, error: Error, now: Time) -> Result<Self, Illegal> {
        self.expect(self.state == State::Queued, "be refused")?;
        (self.state, self.error, self.end_time) = (State::Refused, Some(error), Some(now));
        Ok(self.moved())
    }

    /// It could not be started. A reservation that was made without being heard of expires by itself.
    ///
    /// # Errors
    /// Unless it is QUEUED.
    pub(crate) fn not_started(mut self, error: Error, now: Time) -> Result<Self, Illegal> {
        self.expect(self.state == State::Queued, "fail to start")?;
        (self.state, self.error, self.end_time) = (State::Failed, Some(error), Some(now));
        Ok(self.moved())
    }

    /// The engine did something.
    ///
    /// # Errors
    /// Unless it is RUNNING.
    pub(crate) fn progressed(mut self, progress: &Progress) -> Result<Self, Illegal> {
        self.expect(self.state == State::Running, "go on")?;
        self.outputs.clone_from(&progress.outputs);
        self.output = self.outputs.first().map(|output| output.text.clone()).unwrap_or_default();
        self.usage = progress.usage.clone();
        self.budget = progress.budget.unwrap_or(self.budget);
        Ok(self.moved())
    }

    /// The engine is done; with an error when it ended badly.
    ///
    /// # Errors
    /// Unless it is RUNNING.
    pub(crate) fn concluded(mut self, error: Option<Error>) -> Result<Self, Illegal> {
        self.expect(self.state == State::Running, "conclude")?;
        (self.state, self.error) = (State::Settling, error);
        Ok(self.moved())
    }

    /// The engine was cut off: because the run was to be stopped, or for this reason.
    ///
    /// # Errors
    /// Unless it is RUNNING.
    pub(crate) fn cut(self, otherwise: Error) -> Result<Self, Illegal> {
        let why = self.cancel.map_or(otherwise, Cancel::error);
        self.concluded(Some(why))
    }

    /// A dimension that has no price is not settled.
    ///
    /// # Errors
    /// Unless it is SETTLING and used the dimension.
    pub(crate) fn unpriced(mut self, dimension: &str) -> Result<Self, Illegal> {
        let used = self.state == State::Settling && self.usage.drop_dimension(dimension);
        self.expect(used, "drop a dimension")?;
        Ok(self.moved())
    }

    /// Billing settled or released; the run is over.
    ///
    /// # Errors
    /// Unless it is SETTLING.
    pub(crate) fn closed(mut self, bill: Bill, now: Time) -> Result<Self, Illegal> {
        self.expect(self.state == State::Settling, "be closed")?;
        self.state = match (&self.error, self.cancel) {
            (None, _) => State::Succeeded,
            (Some(error), Some(cancel)) if *error == cancel.error() => State::Cancelled,
            (Some(_), _) => State::Failed,
        };
        (self.bill, self.end_time) = (bill, Some(now));
        Ok(self.moved())
    }

    /// Billing will never settle it: over, nothing charged.
    ///
    /// # Errors
    /// Unless it is SETTLING.
    pub(crate) fn unsettled(mut self, error: Error, now: Time) -> Result<Self, Illegal> {
        self.expect(self.state == State::Settling, "end without a settle")?;
        self.state = State::Failed;
        self.error.get_or_insert(error);
        self.end_time = Some(now);
        Ok(self.moved())
    }

    fn expect(&self, holds: bool, step: &'static str) -> Result<(), Illegal> {
        if holds { Ok(()) } else { Err(Illegal { from: self.state, step }) }
    }

    fn moved(mut self) -> Self {
        self.version += 1;
        self
    }
}

#[cfg(test)]
mod tests;
