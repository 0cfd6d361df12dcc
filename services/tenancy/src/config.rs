//! What an operator may set of tenancy. Every limit has a default; nothing secret stands here.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::{config::Section, token::MEMBERSHIPS};
use souk_types::Credits;

/// The section `[tenancy]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What a new user's workspace is granted, in whole credits; 0 grants nothing. Default 1000.
    pub trial_credits: i64,
    /// How long a sign-in link can be redeemed, in minutes. Default 10, at most 60.
    pub sign_in_link_minutes: u64,
    /// How long a session lasts, in days. Default 30, at most 365.
    pub session_days: u64,
    /// Orgs that one user may belong to. Default and at most 100: a mesh token carries no more.
    pub max_orgs_per_user: u64,
    /// Projects that one org may hold. Default 100, at most 1000.
    pub max_projects_per_org: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            trial_credits: 1000,
            sign_in_link_minutes: 10,
            session_days: 30,
            max_orgs_per_user: 100,
            max_projects_per_org: 100,
        }
    }
}

impl Config {
    /// What a new user's workspace is granted; a sum beyond what credits can be is refused by `check`.
    #[must_use]
    pub fn trial(&self) -> Credits {
        Credits::from_whole(self.trial_credits).unwrap_or(Credits::ZERO)
    }

    /// Memberships that a credential is resolved to at the most, whatever was configured when they were made.
    #[must_use]
    pub fn memberships() -> u64 {
        u64::try_from(MEMBERSHIPS).unwrap_or(u64::MAX)
    }

    /// How long a sign-in link can be redeemed.
    #[must_use]
    pub const fn link_life(&self) -> Duration {
        Duration::from_secs(self.sign_in_link_minutes.saturating_mul(60))
    }

    /// How long a session lasts.
    #[must_use]
    pub const fn session_life(&self) -> Duration {
        Duration::from_secs(self.session_days.saturating_mul(24 * 3600))
    }
}

impl Section for Config {
    const NAME: &'static str = "tenancy";

    fn check(&self, mistakes: &mut Vec<String>) {
        let whole = |name: &str, value: u64, most: u64| {
            (value == 0 || value > most).then(|| format!("{name}: from 1 to {most}"))
        };
        if self.trial_credits < 0 || Credits::from_whole(self.trial_credits).is_none() {
            mistakes.push("trial_credits: 0 or more, and no more than a wallet can hold".to_owned());
        }
        mistakes.extend(whole("sign_in_link_minutes", self.sign_in_link_minutes, 60));
        mistakes.extend(whole("session_days", self.session_days, 365));
        mistakes.extend(whole("max_orgs_per_user", self.max_orgs_per_user, Self::memberships()));
        mistakes.extend(whole("max_projects_per_org", self.max_projects_per_org, 1000));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound_and_bounds_are_said_all_at_once() {
        let mut mistakes = Vec::new();
        Config::default().check(&mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let bad = Config {
            trial_credits: i64::MAX,
            sign_in_link_minutes: 0,
            session_days: 366,
            max_orgs_per_user: 101,
            max_projects_per_org: 0,
        };
        bad.check(&mut mistakes);
        assert_eq!(mistakes.len(), 5, "{mistakes:?}");
    }
}
