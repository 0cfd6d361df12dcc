//! What an operator may set for billing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_kit::config::Section;

use crate::model::command::MAX_TTL;

/// The section `[billing]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How long a reservation holds when the caller does not say, in seconds. 900 (15 minutes).
    pub reservation_seconds: u64,
    /// How many queued commands one commit carries at the most. 256.
    pub batch: usize,
    /// How often expired reservations and lots are looked for, in milliseconds. 1000.
    pub sweep_millis: u64,
    /// How many expired reservations, or wallets with expired lots, one turn takes at the most. 256.
    pub sweep_batch: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { reservation_seconds: 900, batch: 256, sweep_millis: 1000, sweep_batch: 256 }
    }
}

impl Config {
    pub(crate) const fn reservation_ttl(&self) -> Duration {
        Duration::from_secs(self.reservation_seconds)
    }

    pub(crate) const fn sweep_pause(&self) -> Duration {
        Duration::from_millis(self.sweep_millis)
    }
}

impl Section for Config {
    const NAME: &'static str = "billing";

    fn check(&self, mistakes: &mut Vec<String>) {
        if self.reservation_seconds == 0 || self.reservation_ttl() > MAX_TTL {
            mistakes.push("reservation_seconds: 1 second to 24 hours".to_owned());
        }
        if !(1..=1024).contains(&self.batch) {
            mistakes.push("batch: 1 to 1024 commands".to_owned());
        }
        if !(10..=60_000).contains(&self.sweep_millis) {
            mistakes.push("sweep_millis: 10 milliseconds to 1 minute".to_owned());
        }
        if !(1..=1024).contains(&self.sweep_batch) {
            mistakes.push("sweep_batch: 1 to 1024 reservations or wallets".to_owned());
        }
    }
}
