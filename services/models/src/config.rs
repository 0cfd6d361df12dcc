//! What an operator may set of the models service.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

/// The section `[models]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a replaced key stays in the secret store, in seconds: calls that have begun may still need
    /// it. Default 600.
    pub replaced_key_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { replaced_key_seconds: 600 }
    }
}

impl Config {
    pub(crate) fn replaced_key(&self) -> Duration {
        Duration::from_secs(u64::from(self.replaced_key_seconds))
    }
}

impl Section for Config {
    const NAME: &'static str = "models";

    fn check(&self, mistakes: &mut Vec<String>) {
        if !(60..=86_400).contains(&self.replaced_key_seconds) {
            mistakes.push("replaced_key_seconds: must be from 60 to 86400".to_owned());
        }
    }
}
