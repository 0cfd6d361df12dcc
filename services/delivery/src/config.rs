//! What an operator may set of delivery.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

use crate::model::Env;

/// The section `[delivery]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The cell whose folder is written: `clusters/<env>/instances`. A DNS label.
    pub env: String,
    /// The desired-state repository, a path of this machine. Empty: `desired.git` in the part's directory.
    pub repository: PathBuf,
    /// How often the reconciler looks for commits that nobody announced, in milliseconds.
    pub reconcile_millis: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { env: "local".to_owned(), repository: PathBuf::new(), reconcile_millis: 1000 }
    }
}

impl Config {
    pub(crate) fn reconcile_pause(&self) -> Duration {
        Duration::from_millis(self.reconcile_millis.into())
    }
}

impl Section for Config {
    const NAME: &'static str = "delivery";

    fn check(&self, mistakes: &mut Vec<String>) {
        if let Err(violation) = Env::new(&self.env) {
            mistakes.push(format!("env: {}", violation.description));
        }
        if !(50..=60_000).contains(&self.reconcile_millis) {
            mistakes.push("reconcile_millis: must be from 50 to 60000".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_good_and_mistakes_are_named() {
        let check = |config: &Config| {
            let mut mistakes = Vec::new();
            config.check(&mut mistakes);
            mistakes
        };
        assert!(check(&Config::default()).is_empty());
        let bad = Config { env: "../x".to_owned(), reconcile_millis: 0, ..Config::default() };
        assert_eq!(check(&bad).len(), 2);
    }
}
