//! What an operator may set of the runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

/// The section `[runs]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Runs of one org that are at work at once, over all of its instances: nobody takes every place of the
    /// engines. Less than the runner's `runs_at_work`, or the share protects nobody. Default 128.
    pub org_runs: u32,
    /// How long CreateRun waits for an instance that is still being provisioned, in milliseconds.
    pub ready_wait_ms: u32,
    /// How long an engine may work on one run, in seconds.
    pub execute_seconds: u32,
    /// How long a run goes on that nobody listens to, in milliseconds.
    pub unheard_ms: u32,
    /// How long a run may wait for billing before it fails, in seconds.
    pub start_seconds: u32,
    /// How long a run belongs to a process that gives no sign of life, in seconds.
    pub lease_seconds: u32,
    /// The largest input where the plan states no limit, in bytes.
    pub input_bytes: u32,
    /// The largest sum of a run's outputs, in bytes. A run, its input and its first output twice, must fit
    /// into one message of 4 MiB.
    pub output_bytes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            org_runs: 128,
            ready_wait_ms: 10_000,
            execute_seconds: 600,
            unheard_ms: 5000,
            start_seconds: 30,
            lease_seconds: 15,
            input_bytes: 256 * 1024,
            output_bytes: 1024 * 1024,
        }
    }
}

impl Config {
    pub(crate) fn ready_wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.ready_wait_ms))
    }

    pub(crate) fn execute(&self) -> Duration {
        Duration::from_secs(u64::from(self.execute_seconds))
    }

    pub(crate) fn unheard(&self) -> Duration {
        Duration::from_millis(u64::from(self.unheard_ms))
    }

    pub(crate) fn start(&self) -> Duration {
        Duration::from_secs(u64::from(self.start_seconds))
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(u64::from(self.lease_seconds))
    }
}

impl Section for Config {
    const NAME: &'static str = "runs";

    fn check(&self, mistakes: &mut Vec<String>) {
        let mut bound = |name: &str, value: u32, least: u32, most: u32| {
            if !(least..=most).contains(&value) {
                mistakes.push(format!("{name}: must be from {least} to {most}"));
            }
        };
        bound("org_runs", self.org_runs, 1, 100_000);
        bound("ready_wait_ms", self.ready_wait_ms, 0, 60_000);
        bound("execute_seconds", self.execute_seconds, 1, 14_400);
        bound("unheard_ms", self.unheard_ms, 100, 600_000);
        bound("start_seconds", self.start_seconds, 1, 600);
        bound("lease_seconds", self.lease_seconds, 3, 300);
        bound("input_bytes", self.input_bytes, 1, 1024 * 1024);
        bound("output_bytes", self.output_bytes, 1, 1024 * 1024);
    }
}
