//! The process's own time and randomness: the only place that asks the surroundings.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use souk_types::{Clock, Random, Time};

/// The machine's clock.
#[derive(Debug, Default)]
pub struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine for the time")]
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The machine's randomness, fit for keys.
#[derive(Debug, Default)]
pub struct MachineRandom {
    source: SystemRandom,
}

impl Random for MachineRandom {
    fn fill(&self, out: &mut [u8]) {
        // A machine without randomness must not make keys or ids.
        assert!(self.source.fill(out).is_ok(), "the machine gives no randomness");
    }
}
