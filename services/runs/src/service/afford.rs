//! What a run at work may spend: more is reserved as it is used, the reservation is held for as long as the
//! run lives, and a run that can have no more is told so.

use std::time::Duration;

use souk_types::{Credits, Reason, Time};

use super::Service;
use crate::{
    error::Error,
    model::{self, Meter, Need, Prices, Run, Usage},
    peers::Extended,
};

/// How long a reservation holds that is held longer.
const HELD: Duration = Duration::from_secs(15 * 60);
/// How long before its end it is held longer.
const BEFORE: Duration = Duration::from_secs(5 * 60);
/// How long one waits for one answer of billing, how often one asks, and how long between.
const ANSWER: Duration = Duration::from_secs(5);
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(50);
/// How often more is asked for at one thing that an engine says.
const ROUNDS: u32 = 8;

/// What billing said beside the budget when it reserved.
#[derive(Clone, Debug)]
pub(super) struct Reserved {
    pub(super) prices: Prices,
    pub(super) expire_time: Time,
}

/// What a run at work may spend, and how often it asked.
pub(super) struct Purse {
    meter: Meter,
    expire_time: Time,
    /// Whether what is used is near what may be spent: more is asked for once the engine goes on.
    near: bool,
    /// Counts questions that were answered: each different question has an id of its own.
    asked: u32,
    held: u32,
}

impl Purse {
    pub(super) const fn new(meter: Meter, expire_time: Time) -> Self {
        Self { meter, expire_time, near: false, asked: 0, held: 0 }
    }

    pub(super) const fn budget(&self) -> Credits {
        self.meter.budget()
    }
}

impl Service {
    /// Sees to it that the run may spend what it uses; why not, when it may not.
    pub(super) async fn afford(&self, run: &Run, usage: &Usage, purse: &mut Purse) -> Option<model::Error> {
        for _ in 0..ROUNDS {
            match purse.meter.need(usage) {
                Need::Nothing => return None,
                // Most runs end right there: only one that goes on needs more.
                Need::Soon if !std::mem::replace(&mut purse.near, true) => return None,
                Need::Soon => {
                    self.more(run, usage, false, purse).await;
                    return None;
                }
                Need::Now => match self.more(run, usage, true, purse).await {
                    Some(true) => {}
                    Some(false) => return Some(exhausted()),
                    None => {
                        let text = "billing does not answer, and all that was reserved is used";
                        return Some(model::Error::new(Reason::Unavailable.as_str(), text));
                    }
                },
            }
        }
        (purse.meter.need(usage) == Need::Now).then(exhausted)
    }

    /// Reserves more, as much as billing allows; `None` when it does not answer.
    async fn more(&self, run: &Run, usage: &Usage, all: bool, purse: &mut Purse) -> Option<bool> {
        for want in purse.meter.wants(usage, all) {
            let step = format!("extend:{}", purse.asked);
            let said = self.extend(run, &step, &want, None).await?;
            purse.asked += 1;
            if let Some(extended) = said {
                purse.meter.extended(extended.budget);
                purse.expire_time = purse.expire_time.max(extended.expire_time);
                purse.near = false;
                return Some(true);
            }
        }
        purse.meter.refused(usage);
        Some(false)
    }

    /// Holds the reservation longer when it is about to expire.
    pub(super) async fn hold_on(&self, run: &Run, purse: &mut Purse) {
        if purse.expire_time > self.house.now() + BEFORE {
            return;
        }
        let step = format!("hold:{}", purse.held);
        match self.extend(run, &step, &Usage::default(), Some(HELD)).await {
            Some(Some(extended)) => {
                purse.held += 1;
                purse.expire_time = extended.expire_time;
            }
            // Said once: what is used is settled all the same, from what the wallet then has.
            Some(None) => {
                purse.held += 1;
                purse.expire_time = self.house.now() + HELD;
                tracing::warn!(run = %run.run_id, "billing does not hold the reservation longer");
            }
            None => {}
        }
    }

    /// Asks billing for more, or longer. The outer `None`: no answer; the inner one: it said no.
    async fn extend(
        &self,
        run: &Run,
        step: &str,
        want: &Usage,
        hold: Option<Duration>,
    ) -> Option<Option<Extended>> {
        for tried in 0..TRIES {
            let ask = self.peers.billing.extend(run, step, want, hold);
            match tokio::time::timeout(ANSWER, ask).await {
                Ok(Ok(said)) => return Some(said),
                Ok(Err(Error::Peer(refusal))) if super::drive::is_final(&refusal) => {
                    tracing::warn!(run = %run.run_id, reason = refusal.reason, "billing refuses to extend");
                    return Some(None);
                }
                Ok(Err(error)) => {
                    let cause = souk_kit::status::chain(&error);
                    tracing::warn!(run = %run.run_id, cause, "billing did not extend");
                }
                Err(_) => tracing::warn!(run = %run.run_id, "billing did not extend in time"),
            }
            tokio::time::sleep(PAUSE * 2_u32.saturating_pow(tried)).await;
        }
        None
    }

    /// Reserves on top what the input may come to when the budget does not hold it; what may be spent then.
    /// `Err` when that cannot be had; `None` when billing is to be asked again.
    pub(super) async fn afford_input(
        &self,
        run: &Run,
        prices: &Prices,
        budget: Credits,
    ) -> Option<Result<Credits, model::Error>> {
        let Some(want) = prices.beyond(run.input.len(), budget) else { return Some(Ok(budget)) };
        match self.extend(run, "extend:input", &want, None).await? {
            Some(extended) => Some(Ok(extended.budget)),
            None => {
                let text = "the wallet does not hold what an input of this size may cost";
                Some(Err(model::Error::new(Reason::InsufficientCredits.as_str(), text)))
            }
        }
    }
}

fn exhausted() -> model::Error {
    let text = "the run used all that could be reserved for it";
    model::Error::new(Reason::BudgetExhausted.as_str(), text)
}
