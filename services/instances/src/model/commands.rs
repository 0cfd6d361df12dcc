//! What people, commerce, the org's wallet and the offering's life do to an instance.

use serde_json::{Map, Value};
use souk_types::Time;

use super::{
    Happening, Instance, Patience, PauseReason, Refused, State, Status, Step, Trigger, state::transition,
};

/// What holds or ends instances from outside, as it stands now. An instance is brought in line with it
/// whenever it is written and whenever it changes, so the order in which news travels does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// The org's wallet holds nothing.
    pub wallet_depleted: bool,
    /// The operator paused the offering.
    pub offering_paused: bool,
    /// The offering's life has ended.
    pub offering_ended: bool,
    /// When the offering's life ends.
    pub end_time: Option<Time>,
}

impl Instance {
    /// Somebody pauses it. What is on its way is paused the moment it would serve.
    ///
    /// # Errors
    /// When it is on its way out.
    pub fn pause(
        &mut self,
        reason: PauseReason,
        by: &str,
        patience: &Patience,
        now: Time,
    ) -> Result<(), Refused> {
        let stand = transition(self.stand, Trigger::Pause(reason))?;
        if stand != self.stand {
            self.stand = stand;
            self.tell(Happening::Paused, format!("{} by {by}", reason.as_str()), now);
            self.arrange(patience, now);
        }
        Ok(())
    }

    /// Somebody takes a reason away; what failed is tried again.
    ///
    /// # Errors
    /// When it is on its way out, or held by other reasons only.
    pub fn resume(
        &mut self,
        reason: PauseReason,
        by: &str,
        patience: &Patience,
        now: Time,
    ) -> Result<(), Refused> {
        let stand = transition(self.stand, Trigger::Resume(reason))?;
        let (failed, held) = (self.state() == State::Failed, self.stand.reasons().contains(reason));
        self.stand = stand;
        if held {
            self.tell(Happening::Resumed, format!("{} taken away by {by}", reason.as_str()), now);
        }
        if failed {
            self.begun_anew(patience, now);
        }
        self.arrange(patience, now);
        Ok(())
    }

    /// It is taken down for good; again changes nothing.
    pub fn terminate(&mut self, why: &str, patience: &Patience, now: Time) {
        let Ok(stand) = transition(self.stand, Trigger::Terminate) else { return };
        if stand == self.stand {
            return;
        }
        self.stand = stand;
        // Delivery wants a revision above every one that may have been applied.
        self.revision = self.revision.saturating_add(1);
        self.agenda.failures = 0;
        self.agenda.deadline_time = None;
        self.conditions.set(
            Step::Removed,
            Status::Unknown,
            ("Waiting", "the account is closed first".into()),
            now,
        );
        self.tell(Happening::Terminating, why.to_owned(), now);
        self.arrange(patience, now);
    }

    /// Its tenant gives it another configuration: these overrides, of which `effective` comes. What is served
    /// stays so until the new revision is applied.
    ///
    /// # Errors
    /// When it is on its way out.
    pub fn configure(
        &mut self,
        overrides: Map<String, Value>,
        effective: Map<String, Value>,
        patience: &Patience,
        now: Time,
    ) -> Result<(), Refused> {
        transition(self.stand, Trigger::Configure)?;
        if overrides == self.config.overrides {
            return Ok(());
        }
        self.config.effective = effective;
        self.config.overrides = overrides;
        self.agenda.deadline_time = None;
        if self.state() == State::Failed {
            // It is begun anew by itself or by a resume, with the new revision then.
            self.revision = self.revision.saturating_add(1);
        } else {
            self.revise("ConfigUpdated", now);
        }
        self.tell(Happening::ConfigUpdated, format!("revision {} is asked for", self.revision), now);
        self.arrange(patience, now);
        Ok(())
    }

    /// Brings it in line with what holds or ends it from outside.
    pub fn align(&mut self, levels: &Levels, patience: &Patience, now: Time) {
        if !self.state().is_live() {
            return;
        }
        self.level(PauseReason::WalletDepleted, levels.wallet_depleted, now);
        self.level(PauseReason::OfferingPaused, levels.offering_paused, now);
        if levels.end_time.is_some() && levels.end_time != self.end_time {
            self.end_time = levels.end_time;
            let message = "its offering's life ends; it is terminated then".to_owned();
            self.tell(Happening::EndAnnounced, message, now);
        }
        if levels.offering_ended || self.end_time.is_some_and(|end| end <= now) {
            self.terminate("its offering's life has ended", patience, now);
        }
        self.arrange(patience, now);
    }

    fn level(&mut self, reason: PauseReason, holds: bool, now: Time) {
        let trigger = if holds { Trigger::Held(reason) } else { Trigger::Released(reason) };
        let Ok(stand) = transition(self.stand, trigger) else { return };
        if stand == self.stand {
            return;
        }
        self.stand = stand;
        let (happening, message) = match (reason, holds) {
            (PauseReason::WalletDepleted, true) => (Happening::Paused, "the wallet is empty; top it up"),
            (PauseReason::WalletDepleted, false) => (Happening::Resumed, "the wallet was topped up"),
            (_, true) => (Happening::Paused, "the operator paused the offering"),
            (_, false) => (Happening::Resumed, "the operator resumed the offering"),
        };
        self.tell(happening, message.to_owned(), now);
    }
}
