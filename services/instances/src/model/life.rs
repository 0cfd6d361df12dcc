//! What may happen to an instance: each happening changes the noun, tells it as an event and says when to
//! look again. Every change of state goes through `transition`; a happening that comes too late or twice
//! changes nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_types::Time;

use super::{
    Agenda, Conditions, Draft, Illegal, Instance, PauseReason, State, Status, Step, Trigger,
    state::transition,
};

/// How many events an instance carries with it; the table has all.
pub const RING: usize = 15;
/// The longest pause before a failed instance is tried again by itself.
const LONGEST_REST: Duration = Duration::from_secs(6 * 3600);

/// How long is waited for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the request, or the retry, to ACTIVE.
    pub deadline: Duration,
    /// Before the second try of a step; doubled for each further one.
    pub first_pause: Duration,
    /// Between two tries of a step at the most.
    pub longest_pause: Duration,
    /// Before a failed instance is tried again; doubled for each further failure, up to six hours.
    pub rest: Duration,
}

impl Patience {
    fn pause(&self, attempts: u32) -> Duration {
        self.first_pause.saturating_mul(2_u32.saturating_pow(attempts.min(20))).min(self.longest_pause)
    }

    fn rest(&self, failures: u32) -> Duration {
        self.rest.saturating_mul(2_u32.saturating_pow(failures.min(20))).min(LONGEST_REST.max(self.rest))
    }
}

/// Why a step came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// One word for programs: `BillingUnavailable`, `ScheduleNotFound`.
    pub reason: String,
    /// One clause for people.
    pub message: String,
    /// What to do about it; empty when waiting is enough.
    pub remedy: &'static str,
    /// Whether trying again is of no use until somebody acts.
    pub permanent: bool,
}

impl Setback {
    fn told(&self) -> String {
        if self.remedy.is_empty() {
            self.message.clone()
        } else {
            format!("{}; {}", self.message, self.remedy)
        }
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Happening {
    /// It was asked for.
    Requested,
    /// Its account was opened.
    AccountOpened,
    /// Its desired state was committed.
    Committed,
    /// Its desired state was applied: it serves.
    Activated,
    /// A step came to nothing and is tried again.
    Delayed,
    /// Provisioning failed.
    Failed,
    /// Provisioning began anew.
    Retried,
    /// It does not serve, or has one more reason not to.
    Paused,
    /// A reason to pause is gone.
    Resumed,
}

impl Happening {
    /// The word for programs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "Requested",
            Self::AccountOpened => "AccountOpened",
            Self::Committed => "Committed",
            Self::Activated => "Activated",
            Self::Delayed => "Delayed",
            Self::Failed => "Failed",
            Self::Retried => "Retried",
            Self::Paused => "Paused",
            Self::Resumed => "Resumed",
        }
    }

    /// The kind of the event that other parts hear; `None` where the state did not change.
    #[must_use]
    pub const fn kind(self) -> Option<&'static str> {
        match self {
            Self::Requested => Some("souk.instances.v1.InstanceRequested"),
            Self::AccountOpened => Some("souk.instances.v1.InstanceProvisioning"),
            Self::Activated => Some("souk.instances.v1.InstanceActivated"),
            Self::Failed => Some("souk.instances.v1.InstanceFailed"),
            Self::Retried => Some("souk.instances.v1.InstanceRetried"),
            Self::Paused => Some("souk.instances.v1.InstancePaused"),
            Self::Resumed => Some("souk.instances.v1.InstanceResumed"),
            Self::Committed | Self::Delayed => None,
        }
    }
}

/// Something that happened to an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When.
    pub occur_time: Time,
    /// What, for programs.
    pub happening: Happening,
    /// What, for people.
    pub message: String,
}

impl Instance {
    /// A new instance, due at once.
    #[must_use]
    pub fn requested(draft: Draft, patience: &Patience, now: Time) -> Self {
        let mut instance = Self {
            instance_id: draft.instance_id,
            org_id: draft.org_id,
            project_id: draft.project_id,
            pins: draft.pins,
            source_ref: draft.source_ref,
            automatic: draft.automatic,
            state: State::Requested,
            conditions: Conditions::new(now),
            events: Vec::new(),
            event_count: 0,
            revision: 1,
            agenda: Agenda::default(),
            create_time: now,
            update_time: now,
            version: 1,
        };
        instance.agenda.next_attempt_time = Some(now);
        instance.agenda.deadline_time = Some(now + patience.deadline);
        let asked =
            format!("{} asked for under plan {}", instance.pins.offering_slug, instance.pins.plan_slug);
        instance.tell(Happening::Requested, asked, now);
        instance
    }

    /// The step to take next; `None` when no step is left or its state takes none.
    #[must_use]
    pub fn next_step(&self) -> Option<Step> {
        let committed = self.conditions.of(Step::Committed).holds();
        match self.state {
            State::Requested => Some(Step::AccountOpen),
            State::Provisioning if committed => Some(Step::Applied),
            State::Provisioning => Some(Step::Committed),
            State::Active | State::Paused(_) | State::Terminating | State::Terminated | State::Failed => None,
        }
    }

    /// Whether a caller who waits for the commit has waited enough: it is committed, or will not be soon.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        !self.state.is_coming() || self.conditions.of(Step::Committed).holds()
    }

    /// Billing opened its account.
    ///
    /// # Errors
    /// Never while the state is one that takes it; a repeat changes nothing.
    pub fn account_opened(&mut self, now: Time) -> Result<(), Illegal> {
        if self.state != State::Requested {
            return Ok(());
        }
        self.state = transition(self.state, Trigger::AccountOpened)?;
        self.conditions.set(Step::AccountOpen, Status::True, ("Opened", "the account is open".into()), now);
        self.progressed(now);
        self.tell(Happening::AccountOpened, "the account is open".into(), now);
        Ok(())
    }

    /// Delivery committed its desired state at `revision`.
    pub fn committed(&mut self, revision: i64, now: Time) {
        let known = self.conditions.of(Step::Committed).holds();
        if self.state != State::Provisioning || revision < self.revision || known {
            return;
        }
        let message = format!("revision {revision} is committed");
        self.conditions.set(Step::Committed, Status::True, ("Committed", message.clone()), now);
        self.progressed(now);
        self.tell(Happening::Committed, message, now);
    }

    /// Its desired state is applied at `revision`. Where the org's wallet is `depleted` it is paused at once.
    ///
    /// # Errors
    /// Never while the state is one that takes it; another revision or a repeat changes nothing.
    pub fn applied(&mut self, revision: i64, depleted: bool, now: Time) -> Result<(), Illegal> {
        if self.state != State::Provisioning || revision != self.revision {
            return Ok(());
        }
        // What is applied was committed: its news may come before the answer to Apply.
        self.committed(revision, now);
        self.state = transition(self.state, Trigger::Applied)?;
        let message = format!("revision {revision} is applied");
        self.conditions.set(Step::Applied, Status::True, ("Applied", message), now);
        self.agenda = Agenda::default();
        self.tell(Happening::Activated, format!("serves at {}", self.path()), now);
        if depleted { self.wallet_depleted(now) } else { Ok(()) }
    }

    /// It is not applied yet; looked at again after a while.
    pub fn awaited(&mut self, patience: &Patience, now: Time) {
        if self.next_step() == Some(Step::Applied) {
            self.later(patience, now);
        }
    }

    /// A step came to nothing: it is tried again, or provisioning fails.
    ///
    /// # Errors
    /// Never while the state is one that takes it; news of a step that is not the next one changes nothing.
    pub fn set_back(
        &mut self,
        step: Step,
        setback: &Setback,
        patience: &Patience,
        now: Time,
    ) -> Result<(), Illegal> {
        if self.next_step() != Some(step) {
            return Ok(());
        }
        if setback.permanent {
            return self.fail(step, setback, patience, now);
        }
        let fresh = self.conditions.of(step).reason != setback.reason;
        self.conditions.set(step, Status::False, (&setback.reason, setback.told()), now);
        self.later(patience, now);
        if fresh {
            let message = format!("{}: {}", step.as_str(), setback.message);
            self.tell(Happening::Delayed, message, now);
        }
        Ok(())
    }

    /// Its deadline passed: silence becomes a failure with a stated cause.
    ///
    /// # Errors
    /// Never while the state is one that takes it; before the deadline nothing changes.
    pub fn expired(&mut self, patience: &Patience, now: Time) -> Result<(), Illegal> {
        let (Some(step), Some(deadline)) = (self.next_step(), self.agenda.deadline_time) else {
            return Ok(());
        };
        if now < deadline {
            return Ok(());
        }
        let condition = self.conditions.of(step);
        let setback = Setback {
            reason: "DeadlineExceeded".to_owned(),
            message: format!(
                "not done within {} s, last seen: {} ({})",
                patience.deadline.as_secs(),
                condition.message,
                condition.reason
            ),
            remedy: "check that billing and delivery answer; it is tried again by itself",
            permanent: true,
        };
        self.fail(step, &setback, patience, now)
    }

    fn fail(&mut self, step: Step, setback: &Setback, patience: &Patience, now: Time) -> Result<(), Illegal> {
        self.state = transition(self.state, Trigger::Failed)?;
        self.conditions.set(step, Status::False, (&setback.reason, setback.told()), now);
        let failures = self.agenda.failures;
        self.agenda = Agenda {
            attempts: 0,
            failures: failures.saturating_add(1),
            next_attempt_time: Some(now + patience.rest(failures)),
            deadline_time: None,
        };
        self.tell(Happening::Failed, format!("{}: {}", step.as_str(), setback.told()), now);
        Ok(())
    }

    /// A failed instance begins anew; steps that were taken are asked for again and answered as before.
    ///
    /// # Errors
    /// Never while the state is one that takes it; what has not failed is left alone.
    pub fn retried(&mut self, patience: &Patience, now: Time) -> Result<(), Illegal> {
        if self.state != State::Failed {
            return Ok(());
        }
        self.state = transition(self.state, Trigger::Retried)?;
        for step in Step::ALL {
            self.conditions.set(step, Status::Unknown, ("Retrying", "begun anew".into()), now);
        }
        self.agenda.attempts = 0;
        self.agenda.next_attempt_time = Some(now);
        self.agenda.deadline_time = Some(now + patience.deadline);
        self.tell(Happening::Retried, "provisioning begins anew".into(), now);
        Ok(())
    }

    /// The org's wallet holds nothing any more. Its account refuses by itself, so billing is told nothing.
    ///
    /// # Errors
    /// Never while the state is one that takes it; what does not serve is left alone.
    pub fn wallet_depleted(&mut self, now: Time) -> Result<(), Illegal> {
        let known = self.state.pause_reasons().contains(PauseReason::WalletDepleted);
        if known || !matches!(self.state, State::Active | State::Paused(_)) {
            return Ok(());
        }
        self.state = transition(self.state, Trigger::Paused(PauseReason::WalletDepleted))?;
        self.tell(Happening::Paused, "the wallet is empty; top it up".into(), now);
        Ok(())
    }

    /// The org's wallet holds something again.
    ///
    /// # Errors
    /// Never while the state is one that takes it; where the reason is not held nothing changes.
    pub fn wallet_refilled(&mut self, now: Time) -> Result<(), Illegal> {
        if !self.state.pause_reasons().contains(PauseReason::WalletDepleted) {
            return Ok(());
        }
        self.state = transition(self.state, Trigger::Resumed(PauseReason::WalletDepleted))?;
        self.tell(Happening::Resumed, "the wallet was topped up".into(), now);
        Ok(())
    }

    /// A step was taken: the next one is due at once.
    fn progressed(&mut self, now: Time) {
        self.agenda.attempts = 0;
        self.agenda.next_attempt_time = Some(now);
    }

    /// The same step again after a growing pause, but not beyond the deadline.
    fn later(&mut self, patience: &Patience, now: Time) {
        let next = now + patience.pause(self.agenda.attempts);
        self.agenda.attempts = self.agenda.attempts.saturating_add(1);
        self.agenda.next_attempt_time = Some(self.agenda.deadline_time.map_or(next, |end| next.min(end)));
    }

    fn tell(&mut self, happening: Happening, message: String, now: Time) {
        self.events.push(Event { occur_time: now, happening, message });
        let excess = self.events.len().saturating_sub(RING);
        self.events.drain(..excess);
        self.event_count = self.event_count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
