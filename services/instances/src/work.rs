//! The loop that brings instances to serve, one step at a time. Every step is idempotent under a request id
//! derived from the instance, so a step taken twice, by a crash or by another replica, is taken once.

pub(crate) mod followers;

use futures::{StreamExt as _, stream};

use crate::{
    error::Error,
    model::{Instance, Setback, State, Step},
    peers::{billing::Billing, delivery::Delivery},
    store::Store,
};

/// How many instances are worked on at the same time.
const AT_ONCE: usize = 16;

/// Takes instances from REQUESTED to ACTIVE.
#[derive(Clone)]
pub(crate) struct Provisioner {
    pub(crate) store: Store,
    pub(crate) billing: Billing,
    pub(crate) delivery: Delivery,
    pub(crate) batch: u64,
}

impl Provisioner {
    /// One turn: everything that is due, up to a batch. Says whether there may be more.
    pub(crate) async fn turn(&self) -> Result<bool, Error> {
        let due = self.store.due(self.batch).await?;
        let full = u64::try_from(due.len()).is_ok_and(|count| count >= self.batch);
        let outcomes: Vec<_> = stream::iter(due)
            .map(|instance| self.advance(instance))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        outcomes.into_iter().collect::<Result<(), Error>>()?;
        Ok(full)
    }

    /// Takes every step of one instance that can be taken now.
    async fn advance(&self, mut instance: Instance) -> Result<(), Error> {
        let id = instance.instance_id;
        if instance.state == State::Failed {
            let begun = |instance: &mut Instance, patience: &_, now| instance.retried(patience, now);
            instance = self.store.let_happen("instances.retry", id, begun).await?;
        }
        let late = instance.agenda.deadline_time.is_some_and(|deadline| deadline <= self.store.now());
        if late {
            let expired = |instance: &mut Instance, patience: &_, now| instance.expired(patience, now);
            self.store.let_happen("instances.expire", id, expired).await?;
            return Ok(());
        }
        // One round for each step at the most; what is left is due again.
        for _ in Step::ALL {
            let Some(step) = instance.next_step() else { return Ok(()) };
            match self.take(step, &instance).await? {
                Some(moved) => instance = moved,
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes one step; answers the instance when the next one can be taken at once.
    async fn take(&self, step: Step, instance: &Instance) -> Result<Option<Instance>, Error> {
        let id = instance.instance_id;
        match step {
            Step::AccountOpen => match self.billing.open_account(instance).await {
                Err(setback) => self.set_back(step, instance, setback).await,
                Ok(()) => {
                    let opened = |instance: &mut Instance, _: &_, now| instance.account_opened(now);
                    self.store.let_happen("instances.open_account", id, opened).await.map(Some)
                }
            },
            Step::Committed => match self.delivery.apply(instance).await {
                Err(setback) => self.set_back(step, instance, setback).await,
                Ok(revision) => {
                    let committed = |instance: &mut Instance, _: &_, now| {
                        instance.committed(revision, now);
                        Ok(())
                    };
                    self.store.let_happen("instances.commit", id, committed).await.map(Some)
                }
            },
            Step::Applied => match self.delivery.applied_revision(instance).await {
                Err(setback) => self.set_back(step, instance, setback).await,
                Ok(Some(revision)) if revision == instance.revision => {
                    self.store.applied(id, revision).await.map(Some)
                }
                Ok(_) => {
                    let awaited = |instance: &mut Instance, patience: &_, now| {
                        instance.awaited(patience, now);
                        Ok(())
                    };
                    self.store.let_happen("instances.await_applied", id, awaited).await.map(|_| None)
                }
            },
        }
    }

    async fn set_back(
        &self,
        step: Step,
        instance: &Instance,
        setback: Setback,
    ) -> Result<Option<Instance>, Error> {
        let (id, setback) = (instance.instance_id, &setback);
        tracing::info!(
            instance_id = %id,
            step = step.as_str(),
            reason = setback.reason,
            message = setback.message,
            permanent = setback.permanent,
            "step came to nothing"
        );
        let set_back =
            |instance: &mut Instance, patience: &_, now| instance.set_back(step, setback, patience, now);
        self.store.let_happen("instances.set_back", id, set_back).await.map(|_| None)
    }
}
