//! The making of a workspace, step by step: the one write of tenancy that spans services.
//!
//! org + `default` project (one transaction) → the wallet is open → the trial is granted → READY. Each
//! step is safe to repeat; who may try it when stands here, who tries it stands in `service`.

use std::{str::FromStr, time::Duration};

use souk_types::{Credits, OrgId, ProjectId, Time, UserId};

/// How long the call that made a row has it for itself before the loop looks at it.
pub(crate) const HEAD_START: Duration = Duration::from_secs(10);
/// The first pause after a failed try; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The wallet is to be opened.
    OpeningWallet,
    /// The trial is to be granted.
    GrantingTrial,
    /// Nothing.
    Ready,
}

/// No state has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state of a workspace is called {0:?}")]
pub(crate) struct UnknownState(String);

impl State {
    /// The name as it stands in tables.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::OpeningWallet => "OPENING_WALLET",
            Self::GrantingTrial => "GRANTING_TRIAL",
            Self::Ready => "READY",
        }
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let all = [Self::OpeningWallet, Self::GrantingTrial, Self::Ready];
        all.into_iter().find(|state| state.as_str() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

/// An org on its way to a wallet. One row an org; a user's own workspace is the row that names them in
/// `trial_user`, and there is one such row a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Workspace {
    /// The org.
    pub(crate) org_id: OrgId,
    /// Its default project.
    pub(crate) project_id: ProjectId,
    /// Whose own workspace it is; `None` for orgs made by `CreateOrg`.
    pub(crate) trial_user: Option<UserId>,
    /// What is granted; fixed when the row is made, so that a repeat asks for the same.
    pub(crate) trial: Credits,
    /// Why nothing is granted; empty: it is, or there is nothing to grant.
    pub(crate) trial_refused: String,
    /// What is still to be done.
    pub(crate) state: State,
    /// Tries that failed since the last step that succeeded.
    pub(crate) attempts: i64,
    /// When the loop tries next; `None` when it does not: READY, or parked until somebody asks again.
    pub(crate) next_attempt_time: Option<Time>,
    /// Why the last try failed; empty when it did not.
    pub(crate) last_reason: String,
    /// Row version.
    pub(crate) version: i64,
}

impl Workspace {
    /// The row after its present step succeeded.
    #[must_use]
    pub(crate) fn stepped(&self, now: Time) -> Self {
        let state = match (self.state, self.trial_user) {
            (State::OpeningWallet, Some(_)) if self.trial > Credits::ZERO => State::GrantingTrial,
            (State::OpeningWallet | State::GrantingTrial | State::Ready, _) => State::Ready,
        };
        let next = (state != State::Ready).then(|| now + HEAD_START);
        Self { state, attempts: 0, next_attempt_time: next, last_reason: String::new(), ..self.changed() }
    }

    /// The row after its present step failed with `reason`. What no repeat will mend is parked.
    #[must_use]
    pub(crate) fn failed(&self, now: Time, reason: &str, transient: bool) -> Self {
        let attempts = self.attempts.saturating_add(1);
        let next = transient.then(|| now + pause(attempts));
        Self { attempts, next_attempt_time: next, last_reason: reason.to_owned(), ..self.changed() }
    }

    fn changed(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// What repeats of the opening of the wallet have in common.
    #[must_use]
    pub(crate) fn wallet_request_id(&self) -> String {
        format!("workspace:{}", self.org_id)
    }

    /// What repeats of the grant have in common, and its source in the ledger: once a user, for ever.
    #[must_use]
    pub(crate) fn trial_request_id(&self) -> Option<String> {
        self.trial_user.map(|user| format!("trial:{user}"))
    }
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(10);
    FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_micros(1_000_000_000);

    fn workspace(trial_user: Option<UserId>, trial: i64) -> Workspace {
        Workspace {
            org_id: OrgId::from_bits(1),
            project_id: ProjectId::from_bits(2),
            trial_user,
            trial: Credits::from_micros(trial),
            trial_refused: String::new(),
            state: State::OpeningWallet,
            attempts: 3,
            next_attempt_time: Some(NOW),
            last_reason: "UNAVAILABLE".into(),
            version: 1,
        }
    }

    #[test]
    fn only_a_users_own_workspace_with_a_trial_is_granted_one() {
        let user = Some(UserId::from_bits(3));
        let granted = workspace(user, 1).stepped(NOW);
        assert_eq!((granted.state, granted.attempts, granted.version), (State::GrantingTrial, 0, 2));
        assert_eq!(granted.stepped(NOW).state, State::Ready);
        for straight in [workspace(None, 1), workspace(user, 0)] {
            let ready = straight.stepped(NOW);
            assert_eq!((ready.state, ready.next_attempt_time), (State::Ready, None));
        }
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_hopeless_tries_park() {
        let mut row = workspace(None, 0);
        let mut last = Duration::ZERO;
        for _ in 0..70 {
            row = row.failed(NOW, "UNAVAILABLE", true);
            let pause = row.next_attempt_time.unwrap().since(NOW);
            assert!(pause >= last && pause <= LONGEST_PAUSE);
            last = pause;
        }
        assert_eq!(last, LONGEST_PAUSE);
        let parked = row.failed(NOW, "PERMISSION_DENIED", false);
        assert_eq!((parked.next_attempt_time, parked.state), (None, State::OpeningWallet));
    }

    #[test]
    fn repeats_have_names_of_their_own() {
        let row = workspace(Some(UserId::from_bits(3)), 1);
        assert_eq!(row.trial_request_id().unwrap(), format!("trial:{}", UserId::from_bits(3)));
        assert!(row.wallet_request_id().is_ascii() && row.wallet_request_id().len() < 255);
    }

    #[test]
    fn states_read_back() {
        for state in [State::OpeningWallet, State::GrantingTrial, State::Ready] {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("READ".parse::<State>().is_err());
    }
}
