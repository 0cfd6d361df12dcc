//! What an operator may set of the runner.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

/// The section `[runner]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Runs and checks at work at once. Default 8.
    pub engines_at_work: u32,
    /// How long a call waits for an engine before it is refused, in milliseconds. Default 10 seconds.
    pub engine_wait_ms: u32,
    /// Flows kept ready to run, as the sum of their artifacts in bytes. Default 32 MiB.
    pub kept_flow_bytes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { engines_at_work: 8, engine_wait_ms: 10_000, kept_flow_bytes: 32 * 1024 * 1024 }
    }
}

impl Config {
    pub(crate) fn engine_wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.engine_wait_ms))
    }
}

impl Section for Config {
    const NAME: &'static str = "runner";

    fn check(&self, mistakes: &mut Vec<String>) {
        let mut bound = |name: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("{name}: must be from {least} to {most}"));
            }
        };
        bound("engines_at_work", self.engines_at_work, 1, 256);
        bound("engine_wait_ms", self.engine_wait_ms, 0, 20_000);
        bound("kept_flow_bytes", self.kept_flow_bytes, 0, 1024 * 1024 * 1024);
    }
}
