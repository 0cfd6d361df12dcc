//! What an operator may set of instances.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

use crate::model::Patience;

/// The section `[instances]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long CreateInstance and AutoActivate wait for the commit, in milliseconds. Default 2000.
    pub commit_wait_millis: u32,
    /// How long a step may take before its silence gets a stated cause, in seconds: provisioning fails, a
    /// pause, a configuration or an end goes on with a condition. Default 600.
    pub deadline_seconds: u32,
    /// The pause before the second try of a step, in milliseconds; doubled for each further one. Default 200.
    pub first_pause_millis: u32,
    /// The longest pause between two tries of a step, in seconds. Default 30.
    pub longest_pause_seconds: u32,
    /// How long a failed instance rests before it is tried again by itself, in seconds; doubled for each
    /// further failure, up to six hours. Default 300.
    pub rest_seconds: u32,
    /// How often an instance that is as it should be is looked at, in seconds: what is applied is compared.
    /// Default 21600.
    pub look_again_seconds: u32,
    /// How often the loop looks for due instances without being woken, in milliseconds. Default 500.
    pub look_millis: u32,
    /// How many due instances one turn takes, and how many are worked on at the same time. Default 64.
    pub batch: u32,
    /// How many instances of an org or offering one turn brings in line with its wallet or life. Default 100.
    pub sweep_batch: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            commit_wait_millis: 2000,
            deadline_seconds: 600,
            first_pause_millis: 200,
            longest_pause_seconds: 30,
            rest_seconds: 300,
            look_again_seconds: 21_600,
            look_millis: 500,
            batch: 64,
            sweep_batch: 100,
        }
    }
}

impl Config {
    pub(crate) fn patience(&self) -> Patience {
        Patience {
            deadline: Duration::from_secs(self.deadline_seconds.into()),
            first_pause: Duration::from_millis(self.first_pause_millis.into()),
            longest_pause: Duration::from_secs(self.longest_pause_seconds.into()),
            rest: Duration::from_secs(self.rest_seconds.into()),
            look_again: Duration::from_secs(self.look_again_seconds.into()),
        }
    }

    pub(crate) fn commit_wait(&self) -> Duration {
        Duration::from_millis(self.commit_wait_millis.into())
    }

    pub(crate) fn look(&self) -> Duration {
        Duration::from_millis(self.look_millis.into())
    }
}

impl Section for Config {
    const NAME: &'static str = "instances";

    fn check(&self, mistakes: &mut Vec<String>) {
        for (key, value, least, most) in [
            ("commit_wait_millis", self.commit_wait_millis, 0, 10_000),
            ("deadline_seconds", self.deadline_seconds, 1, 86_400),
            ("first_pause_millis", self.first_pause_millis, 1, 60_000),
            ("longest_pause_seconds", self.longest_pause_seconds, 1, 3600),
            ("rest_seconds", self.rest_seconds, 1, 21_600),
            ("look_millis", self.look_millis, 10, 60_000),
            ("look_again_seconds", self.look_again_seconds, 60, 604_800),
            ("batch", self.batch, 1, 1000),
            ("sweep_batch", self.sweep_batch, 1, 1000),
        ] {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("{key}: must be from {least} to {most}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_good_and_every_bad_limit_is_named() {
        let mut mistakes = Vec::new();
        Config::default().check(&mut mistakes);
        assert_eq!(mistakes, Vec::<String>::new());
        let bad = Config { deadline_seconds: 0, look_millis: 1, batch: 0, ..Config::default() };
        bad.check(&mut mistakes);
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    }
}
