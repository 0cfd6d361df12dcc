//! What an operator may set of the runner.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

/// The section `[runner]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Runs and checks that compute at once. Default 8.
    pub engines_at_work: u32,
    /// Runs at work at once, also those that wait for a model. Default 256.
    pub runs_at_work: u32,
    /// How long a call waits for an engine before it is refused, in milliseconds. Default 10 seconds.
    pub engine_wait_ms: u32,
    /// Flows kept ready to run, as the sum of their artifacts in bytes. Default 32 MiB.
    pub kept_flow_bytes: u32,
    /// Whether model endpoints are asked to stream their answers. Default true; false is for endpoints that
    /// cannot, whose runs then show an answer only when it is whole.
    pub stream_models: bool,
    /// How long a connection to a model endpoint may take, in milliseconds. Default 10 seconds.
    pub model_connect_ms: u32,
    /// How long a model endpoint may take to begin its answer, in milliseconds. Default 60 seconds.
    pub model_first_byte_ms: u32,
    /// How long a model endpoint may be silent within its answer, in milliseconds. Default 60 seconds.
    pub model_idle_ms: u32,
    /// How long a model's answer may take in all, in milliseconds. Default 10 minutes.
    pub model_whole_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engines_at_work: 8,
            runs_at_work: 256,
            engine_wait_ms: 10_000,
            kept_flow_bytes: 32 * 1024 * 1024,
            stream_models: true,
            model_connect_ms: 10_000,
            model_first_byte_ms: 60_000,
            model_idle_ms: 60_000,
            model_whole_ms: 600_000,
        }
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
        // Each run has a thread, and a process has 512 for all its parts.
        bound("runs_at_work", self.runs_at_work, 1, 400);
        for (name, value) in [
            ("model_connect_ms", self.model_connect_ms),
            ("model_first_byte_ms", self.model_first_byte_ms),
            ("model_idle_ms", self.model_idle_ms),
            ("model_whole_ms", self.model_whole_ms),
        ] {
            bound(name, value, 1, 3_600_000);
        }
        bound("engine_wait_ms", self.engine_wait_ms, 0, 20_000);
        bound("kept_flow_bytes", self.kept_flow_bytes, 0, 1024 * 1024 * 1024);
    }
}
