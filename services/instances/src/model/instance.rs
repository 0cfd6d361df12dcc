//! The noun, and what each change of it has in common: it is told as an event, and says when to look again.

use serde_json::{Map, Value};
use souk_types::{
    Time,
    id::{InstanceId, OrgId, ProjectId},
};

use super::{
    AccountState, Conditions, Config, Draft, Event, Gate, Happening, Patience, PauseReason, Pins, Stand,
    State, Status, Step, effective, life::RING,
};

/// A tenant's activation of an offering version.
#[derive(Clone, Debug, PartialEq)]
pub struct Instance {
    /// Its id.
    pub instance_id: InstanceId,
    /// The org.
    pub org_id: OrgId,
    /// The project.
    pub project_id: ProjectId,
    /// What it was made from; catalog is not asked again.
    pub pins: Pins,
    /// What caused it, e.g. `saleor:<order>:<line>`; empty when a person did.
    pub source_ref: String,
    /// Whether AutoActivate made it: of these a project has one live one for an offering.
    pub automatic: bool,
    /// Where it stands, and what holds it.
    pub stand: Stand,
    /// Where each step of its life stands.
    pub conditions: Conditions,
    /// The last events, newest last.
    pub events: Vec<Event>,
    /// How many events there were in all.
    pub event_count: i64,
    /// Counts changes of what it should be, from 1.
    pub revision: i64,
    /// Its configuration.
    pub config: Config,
    /// The account as it wants it.
    pub gate: Gate,
    /// When its offering's life ends.
    pub end_time: Option<Time>,
    /// When it is looked at next.
    pub agenda: Agenda,
    /// When it was asked for.
    pub create_time: Time,
    /// When it last changed.
    pub update_time: Time,
    /// Row version.
    pub version: i64,
}

/// When an instance is looked at next, and how patient the loop still is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Tries of the present steps that came to nothing.
    pub attempts: u32,
    /// How often it failed, or passed a deadline, since it last came where it should be.
    pub failures: u32,
    /// When it is due; `None` for what is gone for good.
    pub next_attempt_time: Option<Time>,
    /// When silence becomes a stated cause; `None` while nothing is waited for.
    pub deadline_time: Option<Time>,
}

impl Instance {
    /// A new instance, asked for at `now`.
    #[must_use]
    pub fn requested(draft: Draft, patience: &Patience, now: Time) -> Self {
        let mut instance = Self {
            instance_id: draft.instance_id,
            org_id: draft.org_id,
            project_id: draft.project_id,
            pins: draft.pins,
            source_ref: draft.source_ref,
            automatic: draft.automatic,
            stand: Stand::REQUESTED,
            conditions: Conditions::new(now),
            events: Vec::new(),
            event_count: 0,
            revision: 1,
            config: Config { overrides: Map::new(), effective: draft.effective, served: None },
            gate: Gate::default(),
            end_time: None,
            agenda: Agenda::default(),
            create_time: now,
            update_time: now,
            version: 1,
        };
        let asked =
            format!("{} asked for under plan {}", instance.pins.offering_slug, instance.pins.plan_slug);
        instance.tell(Happening::Requested, asked, now);
        instance.arrange(patience, now);
        instance
    }

    /// The state it is in.
    #[must_use]
    pub const fn state(&self) -> State {
        self.stand.state()
    }

    /// Its row version, as callers see it.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("v{}", self.version)
    }

    /// Where it is reached, below the gateway's host.
    #[must_use]
    pub fn path(&self) -> String {
        format!("/i/{}", self.instance_id)
    }

    /// The revision that is served, with its effective configuration; what is on its way before anything is.
    #[must_use]
    pub fn served(&self) -> (i64, &Map<String, Value>) {
        let served = self.config.served.as_ref().map(|served| (served.revision, &served.effective));
        served.unwrap_or((self.revision, &self.config.effective))
    }

    /// Capabilities that it serves, by name.
    #[must_use]
    pub fn capabilities(&self) -> Vec<String> {
        effective::capabilities(self.served().1)
    }

    /// Origins that may embed it.
    #[must_use]
    pub fn allowed_domains(&self) -> Vec<String> {
        effective::allowed_domains(self.served().1)
    }

    /// Whether a caller who waits for the commit has waited enough: it is committed, or will not be soon.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        !self.state().is_coming() || self.conditions.hold(Step::Committed)
    }

    /// What is to be done, in the order in which it is tried; one does not wait for another to succeed,
    /// save that APPLIED follows COMMITTED.
    #[must_use]
    pub fn pending(&self) -> Vec<Step> {
        let gate = (!self.gate.answered).then_some(Step::AccountState);
        match self.state() {
            State::Requested => vec![Step::AccountOpen],
            State::Provisioning | State::Active | State::Paused => {
                gate.into_iter().chain(self.coming()).collect()
            }
            State::Terminating => vec![gate.unwrap_or(Step::Removed)],
            State::Terminated => gate.into_iter().collect(),
            State::Failed => Vec::new(),
        }
    }

    /// The step of a revision that is not served yet.
    fn coming(&self) -> Option<Step> {
        let served = self.config.served.as_ref().is_some_and(|served| served.revision == self.revision);
        let committed = self.conditions.hold(Step::Committed);
        match (served, committed) {
            (true, _) => None,
            (false, true) => Some(Step::Applied),
            (false, false) => Some(Step::Committed),
        }
    }

    /// The step that it waits for, with the deadline of that; `None` once it is where it should be.
    #[must_use]
    pub fn waiting(&self) -> Option<(Step, Time)> {
        self.pending().first().copied().zip(self.agenda.deadline_time)
    }

    /// Whether it is to be looked at.
    #[must_use]
    pub fn is_due(&self, now: Time) -> bool {
        self.agenda.next_attempt_time.is_some_and(|next| next <= now)
    }

    /// Whether its offering's life has ended and its own has not.
    #[must_use]
    pub fn is_over(&self, now: Time) -> bool {
        self.state().is_live() && self.end_time.is_some_and(|end| end <= now)
    }

    /// What the account should be. An empty wallet refuses by itself, and at once serves again after a
    /// top-up: nobody waits for the account to thaw.
    fn wanted_account(&self) -> AccountState {
        if !self.state().is_live() {
            return AccountState::Closed;
        }
        let reasons = self.stand.reasons().without(PauseReason::WalletDepleted);
        if reasons.is_empty() { AccountState::Active } else { AccountState::Frozen }
    }

    /// Brings the account's next step and the agenda in line with what the instance has become. Every
    /// change ends with it, and it changes nothing where nothing changed.
    pub(super) fn arrange(&mut self, patience: &Patience, now: Time) {
        let gate = self.gate.towards(self.wanted_account());
        let open = self.conditions.hold(Step::AccountOpen) && self.state() != State::Failed;
        if gate != self.gate && (open || !self.state().is_live()) {
            self.gate = gate;
            let message =
                format!("billing is told that the account is {}", gate.asked.as_str().to_lowercase());
            self.conditions.set(Step::AccountState, Status::Unknown, ("Waiting", message), now);
            self.hurry(now);
        }
        if self.pending().is_empty() {
            self.rest(patience, now);
        } else if self.agenda.deadline_time.is_none() {
            self.agenda.deadline_time = Some(now + patience.deadline);
            self.hurry(now);
        }
        if let Some(end) = self.end_time.filter(|_| self.state().is_live()) {
            let next = self.agenda.next_attempt_time.map_or(end, |next| next.min(end));
            self.agenda.next_attempt_time = Some(next);
        }
    }

    /// Nothing is waited for: what is there is looked at now and then, what failed rests, what is gone is
    /// never looked at again.
    fn rest(&mut self, patience: &Patience, now: Time) {
        match self.state() {
            State::Failed => {}
            State::Terminated => self.agenda = Agenda::default(),
            _ if self.agenda.deadline_time.is_some() || self.agenda.next_attempt_time.is_none() => {
                let next_attempt_time = Some(now + patience.look_again);
                self.agenda = Agenda { next_attempt_time, ..Agenda::default() };
            }
            _ => {}
        }
    }

    /// What is to be done is due at once.
    pub(super) fn hurry(&mut self, now: Time) {
        self.agenda.attempts = 0;
        self.agenda.next_attempt_time = Some(now);
    }

    pub(super) fn tell(&mut self, happening: Happening, message: String, now: Time) {
        self.events.push(Event { occur_time: now, happening, message });
        let excess = self.events.len().saturating_sub(RING);
        self.events.drain(..excess);
        self.event_count = self.event_count.saturating_add(1);
    }
}
