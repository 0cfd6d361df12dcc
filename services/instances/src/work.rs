//! The loops that bring instances where they should be. Every step is idempotent under a request id derived
//! from the instance, so a step taken twice, by a crash or by another replica, is taken once.

pub(crate) mod followers;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use souk_kit::House;
use souk_types::{Time, id::InstanceId};

use crate::{
    error::Error,
    model::{Instance, Patience, Setback, State, Step},
    peers::{billing::Billing, delivery::Delivery},
    store::Store,
};

/// How many steps of one instance are taken in a row before others have their turn.
const ROUNDS: usize = 8;

/// Takes the steps of instances that are due.
#[derive(Clone)]
pub(crate) struct Driver {
    pub(crate) house: House,
    pub(crate) store: Store,
    pub(crate) billing: Billing,
    pub(crate) delivery: Delivery,
    pub(crate) batch: u64,
    pub(crate) desk: Arc<Desk>,
}

/// The instances that are worked on in this process.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<BTreeMap<InstanceId, bool>>);

/// An instance on the desk; off it when dropped.
struct Seat {
    desk: Arc<Desk>,
    id: InstanceId,
    left: bool,
}

impl Desk {
    fn len(&self) -> u64 {
        let seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        u64::try_from(seats.len()).unwrap_or(u64::MAX)
    }

    /// Takes a seat; where the instance has one, whoever sits there is told to look again.
    fn take(self: &Arc<Self>, id: InstanceId) -> Option<Seat> {
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(again) = seats.get_mut(&id) {
            *again = true;
            return None;
        }
        seats.insert(id, false);
        Some(Seat { desk: Arc::clone(self), id, left: false })
    }
}

impl Seat {
    /// Leaves, unless the instance became due while it was worked on.
    fn leave(mut self) -> Option<Self> {
        let mut seats = self.desk.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.get_mut(&self.id).is_some_and(std::mem::take) {
            drop(seats);
            return Some(self);
        }
        seats.remove(&self.id);
        drop(seats);
        // From here on the place may be another's.
        self.left = true;
        None
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.left {
            self.desk.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        }
    }
}

impl Driver {
    /// One turn: begins work on everything that is due, up to a batch, and waits for none of it: an instance
    /// whose step hangs or fails keeps no other waiting. Says whether there may be more.
    pub(crate) async fn turn(&self) -> Result<bool, Error> {
        let at_work = self.desk.len();
        // What is at work may be due still: it must not take the others' places.
        let due = self.store.due(self.batch.saturating_add(at_work)).await?;
        let found = u64::try_from(due.len()).unwrap_or(u64::MAX);
        let room = usize::try_from(self.batch.saturating_sub(at_work)).unwrap_or(usize::MAX);
        let mut begun = 0;
        for instance in due {
            if begun == room {
                break;
            }
            let Some(seat) = self.desk.take(instance.instance_id) else { continue };
            begun += 1;
            let this = self.clone();
            self.house.detach(async move { this.work(instance, seat).await });
        }
        Ok(begun > 0 && found >= self.batch.saturating_add(at_work))
    }

    /// Works on one instance until it is due no more.
    async fn work(&self, mut instance: Instance, mut seat: Seat) {
        loop {
            let id = instance.instance_id;
            let outcome = self.advance(instance).await;
            if let Err(error) = outcome {
                tracing::warn!(instance_id = %id, %error, "work on an instance failed");
                if let Err(error) = self.store.put_aside(&id.to_string()).await {
                    tracing::warn!(instance_id = %id, %error, "and it could not be put aside");
                }
                return;
            }
            let Some(stays) = seat.leave() else { return };
            if self.house.stop().is_cancelled() {
                return;
            }
            match self.store.if_due(id).await {
                Ok(Some(again)) => (instance, seat) = (again, stays),
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(instance_id = %id, %error, "an instance could not be looked at again");
                    return;
                }
            }
        }
    }

    /// Takes every step of one instance that can be taken now.
    async fn advance(&self, mut instance: Instance) -> Result<(), Error> {
        let id = instance.instance_id;
        if instance.is_over(self.store.now()) {
            // Whatever is written brings it in line with its end.
            instance = self.store.let_happen("instances.end_life", id, |_, _, _| ()).await?;
        }
        if instance.state() == State::Failed {
            let again = |instance: &mut Instance, patience: &Patience, now| instance.retried(patience, now);
            instance = self.store.let_happen("instances.retry", id, again).await?;
        }
        if instance.waiting().is_some_and(|(_, deadline)| deadline <= self.store.now()) {
            let late = |instance: &mut Instance, patience: &Patience, now| instance.expired(patience, now);
            instance = self.store.let_happen("instances.expire", id, late).await?;
        }
        if instance.pending().is_empty() {
            return self.look(&instance).await;
        }
        let mut vain = Vec::new();
        for _ in 0..ROUNDS {
            let next = instance.pending().into_iter().find(|step| !vain.contains(step));
            let Some(step) = next.filter(|_| !self.house.stop().is_cancelled()) else { return Ok(()) };
            match self.take(step, &instance).await? {
                Some(moved) => instance = moved,
                None => vain.push(step),
            }
        }
        Ok(())
    }

    /// Looks whether what is applied is what is served.
    async fn look(&self, instance: &Instance) -> Result<(), Error> {
        if !instance.state().is_there() || !instance.is_due(self.store.now()) {
            return Ok(());
        }
        let id = instance.instance_id;
        match self.delivery.applied_revision(instance).await {
            Ok(applied) => {
                let seen = |instance: &mut Instance, patience: &Patience, now| {
                    instance.looked_at(applied, patience, now);
                };
                self.store.let_happen("instances.look", id, seen).await?;
            }
            Err(_) => {
                let unseen =
                    |instance: &mut Instance, patience: &Patience, now| instance.not_looked_at(patience, now);
                self.store.let_happen("instances.look", id, unseen).await?;
            }
        }
        Ok(())
    }

    /// Takes one step; answers the instance when it came to something.
    async fn take(&self, step: Step, instance: &Instance) -> Result<Option<Instance>, Error> {
        let (id, number) = (instance.instance_id, instance.gate.step);
        let outcome = match step {
            Step::AccountOpen => self.billing.open_account(instance).await.map(|()| None),
            Step::AccountState => self.billing.set_account_state(instance).await.map(|()| None),
            Step::Committed => self.delivery.apply(instance).await.map(Some),
            Step::Applied => self.delivery.applied_revision(instance).await,
            Step::Removed => self.delivery.remove(instance).await.map(Some),
        };
        let revision = match outcome {
            Err(setback) => return self.set_back(step, instance, setback).await.map(|()| None),
            Ok(revision) => revision,
        };
        if step == Step::Applied && revision != Some(instance.revision) {
            let awaited = |instance: &mut Instance, patience: &Patience, now| instance.awaited(patience, now);
            self.store.let_happen("instances.await_applied", id, awaited).await?;
            return Ok(None);
        }
        let (site, taken) = taken(step, number, revision.unwrap_or_default());
        self.store.let_happen(site, id, taken).await.map(Some)
    }

    async fn set_back(&self, step: Step, instance: &Instance, setback: Setback) -> Result<(), Error> {
        let (id, setback) = (instance.instance_id, &setback);
        tracing::info!(
            instance_id = %id,
            step = step.as_str(),
            reason = setback.reason,
            message = setback.message,
            permanent = setback.permanent,
            "step came to nothing"
        );
        let set_back = |instance: &mut Instance, patience: &Patience, now| {
            instance.set_back(step, setback, patience, now);
        };
        self.store.let_happen("instances.set_back", id, set_back).await.map(|_| ())
    }
}

/// What comes of a step for the instance.
type Taken = dyn Fn(&mut Instance, &Patience, Time) + Send + Sync;

/// What a step that was taken means for the instance, and the site of its write. `number` is the step of the
/// account's state, `revision` what delivery answered.
fn taken(step: Step, number: i64, revision: i64) -> (&'static str, Box<Taken>) {
    match step {
        Step::AccountOpen => {
            ("instances.open_account", Box::new(|one, patience, now| one.account_opened(patience, now)))
        }
        Step::AccountState => (
            "instances.set_account_state",
            Box::new(move |one, patience, now| one.account_set(number, patience, now)),
        ),
        Step::Committed => {
            ("instances.commit", Box::new(move |one, patience, now| one.committed(revision, patience, now)))
        }
        Step::Applied => {
            ("instances.applied", Box::new(move |one, patience, now| one.applied(revision, patience, now)))
        }
        Step::Removed => {
            ("instances.removed", Box::new(move |one, patience, now| one.removed(revision, patience, now)))
        }
    }
}
