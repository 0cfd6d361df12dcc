//! What comes of the steps that the loop takes: each outcome changes the noun, tells it as an event and says
//! when to look again. News that comes too late, twice or out of order changes nothing.

use souk_types::Time;

use super::{
    AccountState, Agenda, Condition, Drift, Happening, Instance, Patience, Served, Setback, State, Status,
    Step, Trigger, state::transition,
};

/// Why the condition Synced does not hold.
const DRIFT_FOUND: &str = "DriftFound";

impl Instance {
    /// Moves by news, which is never refused: the table says so, and its tests.
    fn moved(&mut self, trigger: Trigger) {
        if let Ok(stand) = transition(self.stand, trigger) {
            self.stand = stand;
        }
    }

    /// Billing opened its account.
    pub fn account_opened(&mut self, patience: &Patience, now: Time) {
        if self.conditions.hold(Step::AccountOpen) {
            return;
        }
        let before = self.state();
        self.moved(Trigger::AccountOpened);
        self.conditions.set(Step::AccountOpen, Status::True, ("Opened", "the account is open".into()), now);
        if before == State::Requested {
            self.hurry(now);
            self.tell(Happening::AccountOpened, "the account is open".into(), now);
        } else if !self.state().is_live() && self.gate.answered {
            // It was taken down meanwhile, and billing knew no account to close then.
            self.gate.step += 1;
            self.gate.answered = false;
            self.hurry(now);
        }
        self.arrange(patience, now);
    }

    /// Billing answered a step of the account's state; one that is not the present one changes nothing.
    pub fn account_set(&mut self, step: i64, patience: &Patience, now: Time) {
        if self.gate.step != step || self.gate.answered {
            return;
        }
        self.gate.answered = true;
        let (happening, word) = match self.gate.asked {
            AccountState::Active => (Happening::AccountActive, "the account spends"),
            AccountState::Frozen => (Happening::AccountFrozen, "the account spends nothing"),
            AccountState::Closed => (Happening::AccountClosed, "the account is closed"),
        };
        let reason = self.gate.asked.as_str();
        self.conditions.set(Step::AccountState, Status::True, (reason, word.into()), now);
        self.hurry(now);
        self.tell(happening, word.into(), now);
        self.arrange(patience, now);
    }

    /// Delivery holds its desired state at `revision`. Where that is newer than anything asked for here, this
    /// database is an older copy than the repository: the revision goes beyond it and is committed anew.
    pub fn committed(&mut self, revision: i64, patience: &Patience, now: Time) {
        if !self.pending().contains(&Step::Committed) || revision < self.revision {
            return;
        }
        if revision > self.revision {
            return self.overtaken(Step::Committed, revision, patience, now);
        }
        let message = format!("revision {revision} is committed");
        self.conditions.set(Step::Committed, Status::True, ("Committed", message.clone()), now);
        self.tell(Happening::Committed, message, now);
        self.hurry(now);
        self.arrange(patience, now);
    }

    /// The repository holds a revision that was never asked for here.
    fn overtaken(&mut self, step: Step, revision: i64, patience: &Patience, now: Time) {
        self.revision = revision.saturating_add(1);
        let message = format!("the repository holds revision {revision}; {} follows", self.revision);
        self.conditions.set(step, Status::Unknown, ("Overtaken", message.clone()), now);
        self.tell(Happening::Drifted, message, now);
        self.hurry(now);
        self.arrange(patience, now);
    }

    /// Its desired state is applied at `revision`: that is served from now on.
    pub fn applied(&mut self, revision: i64, patience: &Patience, now: Time) {
        let waits = self.pending().iter().any(|step| matches!(step, Step::Committed | Step::Applied));
        if !waits || revision != self.revision {
            return;
        }
        // What is applied was committed: its news may come before the answer to Apply.
        self.committed(revision, patience, now);
        let first = self.state() == State::Provisioning;
        self.moved(Trigger::Applied);
        self.config.served = Some(Served { revision, effective: self.config.effective.clone() });
        let message = format!("revision {revision} is applied");
        self.conditions.set(Step::Applied, Status::True, ("Applied", message.clone()), now);
        self.conditions.set_synced(Status::True, ("Applied", whole(revision)), now);
        if first {
            self.tell(Happening::Activated, format!("serves at {}", self.path()), now);
        } else {
            self.tell(Happening::ConfigApplied, message, now);
        }
        if self.state() == State::Paused && first {
            self.tell(Happening::Paused, format!("held by {}", self.stand.reasons()), now);
        }
        self.arrange(patience, now);
    }

    /// It is not applied yet; looked at again after a while.
    pub fn awaited(&mut self, patience: &Patience, now: Time) {
        if self.pending().contains(&Step::Applied) {
            self.later(patience, now);
        }
    }

    /// Delivery holds that it is no more, at `revision`: nothing is left of it. Where that is newer than what
    /// was asked for, it is a newer desired state that stands instead: the removal goes beyond it.
    pub fn removed(&mut self, revision: i64, patience: &Patience, now: Time) {
        if self.pending() != [Step::Removed] {
            return;
        }
        if revision > self.revision {
            return self.overtaken(Step::Removed, revision, patience, now);
        }
        self.moved(Trigger::Removed);
        self.conditions.set(Step::Removed, Status::True, ("Removed", "nothing is applied".into()), now);
        self.tell(Happening::Terminated, "nothing is left of it".into(), now);
        self.arrange(patience, now);
    }

    /// A step came to nothing: it is tried again, or provisioning fails.
    pub fn set_back(&mut self, step: Step, setback: &Setback, patience: &Patience, now: Time) {
        if !self.pending().contains(&step) {
            return;
        }
        if setback.permanent && self.state().is_coming() && Step::FIRST.contains(&step) {
            return self.fail(step, setback, patience, now);
        }
        let fresh = self.conditions.get(step).is_none_or(|condition| condition.reason != setback.reason);
        self.conditions.set(step, Status::False, (&setback.reason, setback.told()), now);
        self.later(patience, now);
        if fresh {
            self.tell(Happening::Delayed, format!("{}: {}", step.as_str(), setback.message), now);
        }
    }

    /// Its deadline passed: silence gets a stated cause. What was on its way to serve fails; what serves, or
    /// ends, goes on with a condition that says so and a later deadline.
    pub fn expired(&mut self, patience: &Patience, now: Time) {
        let Some((step, deadline)) = self.waiting() else { return };
        if now < deadline {
            return;
        }
        let seen = self.conditions.get(step).map_or_else(String::new, |condition| {
            format!(", last seen: {} ({})", condition.message, condition.reason)
        });
        let setback = Setback {
            reason: "DeadlineExceeded".to_owned(),
            message: format!("not done in time{seen}"),
            remedy: "check that billing and delivery answer; it is tried again by itself",
            permanent: true,
        };
        if self.state().is_coming() {
            return self.fail(step, &setback, patience, now);
        }
        self.conditions.set(step, Status::False, (&setback.reason, setback.told()), now);
        self.agenda.failures = self.agenda.failures.saturating_add(1);
        self.agenda.deadline_time = Some(now + patience.extension(self.agenda.failures));
        self.hurry(now);
        self.tell(Happening::Delayed, format!("{}: {}", step.as_str(), setback.told()), now);
        self.arrange(patience, now);
    }

    fn fail(&mut self, step: Step, setback: &Setback, patience: &Patience, now: Time) {
        self.moved(Trigger::Failed);
        self.conditions.set(step, Status::False, (&setback.reason, setback.told()), now);
        let failures = self.agenda.failures;
        self.agenda = Agenda {
            attempts: 0,
            failures: failures.saturating_add(1),
            next_attempt_time: Some(now + patience.rest(failures)),
            deadline_time: None,
        };
        self.tell(Happening::Failed, format!("{}: {}", step.as_str(), setback.told()), now);
        self.arrange(patience, now);
    }

    /// A failed instance begins anew by itself; steps that were taken are asked for again and answered as
    /// before.
    pub fn retried(&mut self, patience: &Patience, now: Time) {
        if self.state() == State::Failed {
            self.moved(Trigger::Retried);
            self.begun_anew(patience, now);
        }
    }

    pub(super) fn begun_anew(&mut self, patience: &Patience, now: Time) {
        for step in Step::FIRST {
            self.conditions.set(step, Status::Unknown, ("Retrying", "begun anew".into()), now);
        }
        self.agenda.deadline_time = Some(now + patience.deadline);
        self.hurry(now);
        self.tell(Happening::Retried, "provisioning begins anew".into(), now);
        self.arrange(patience, now);
    }

    /// What delivery has applied of an instance that waits for nothing. Anything but what is served is
    /// committed again.
    pub fn looked_at(&mut self, applied: Option<i64>, patience: &Patience, now: Time) {
        if !self.state().is_there() || !self.pending().is_empty() {
            return;
        }
        if applied == Some(self.served().0) {
            if self.conditions.synced().is_none() {
                // Applied before this condition was known of.
                self.conditions.set_synced(Status::True, ("Applied", whole(self.served().0)), now);
            }
            self.agenda.next_attempt_time = Some(now + patience.look_again);
        } else {
            let found =
                applied.map_or_else(|| "nothing".to_owned(), |revision| format!("revision {revision}"));
            let message = format!("{found} is applied instead of revision {}", self.revision);
            self.conditions.set_synced(Status::False, (DRIFT_FOUND, message.clone()), now);
            self.tell(Happening::Drifted, message, now);
            self.revise("Drifted", now);
        }
        self.arrange(patience, now);
    }

    /// Delivery found what somebody else changed of it in the repository, and writes it again by itself. It
    /// goes on serving what was applied. News of a revision that is not served is too old or too new to say.
    pub fn drift_found(&mut self, drift: &Drift, patience: &Patience, now: Time) {
        if !self.state().is_there() || drift.revision != self.served().0 {
            return;
        }
        self.conditions.set_synced(Status::False, (DRIFT_FOUND, drift.told()), now);
        self.tell(Happening::Drifted, drift.told(), now);
        self.arrange(patience, now);
    }

    /// Delivery wrote it again, as it stood at `revision` or as it stands since.
    pub fn drift_mended(&mut self, revision: i64, patience: &Patience, now: Time) {
        if self.conditions.synced().is_none_or(Condition::holds) {
            return;
        }
        self.conditions.set_synced(Status::True, ("Mended", whole(revision)), now);
        self.tell(Happening::Mended, whole(revision), now);
        self.arrange(patience, now);
    }

    /// What it should be changed: the new revision is to be committed and applied.
    pub(super) fn revise(&mut self, reason: &str, now: Time) {
        self.revision = self.revision.saturating_add(1);
        let message = format!("revision {} is on its way", self.revision);
        for step in [Step::Committed, Step::Applied] {
            self.conditions.set(step, Status::Unknown, (reason, message.clone()), now);
        }
        self.hurry(now);
    }

    /// It cannot be looked at now; later.
    pub fn not_looked_at(&mut self, patience: &Patience, now: Time) {
        if self.pending().is_empty() && self.state().is_there() {
            self.agenda.next_attempt_time = Some(now + patience.rest);
            self.arrange(patience, now);
        }
    }

    /// The same steps again after a growing pause, but not beyond the deadline.
    fn later(&mut self, patience: &Patience, now: Time) {
        let next = now + patience.pause(self.agenda.attempts);
        self.agenda.attempts = self.agenda.attempts.saturating_add(1);
        self.agenda.next_attempt_time = Some(self.agenda.deadline_time.map_or(next, |end| next.min(end)));
        self.arrange(patience, now);
    }
}

fn whole(revision: i64) -> String {
    format!("the repository holds revision {revision} as it was committed")
}
