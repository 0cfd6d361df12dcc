//! Time that moves when it is told to, and randomness that repeats itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use souk_types::{Clock, Random, Time};

/// 2026-01-01T00:00:00Z: where a stopped clock stands unless told otherwise.
pub const NEW_YEAR: Time = Time::from_micros(1_767_225_600_000_000);

/// A clock that stands still.
#[derive(Debug)]
pub struct StoppedClock(AtomicI64);

impl StoppedClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn at(now: Time) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.micros())))
    }

    /// A clock that stands at `NEW_YEAR`.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::at(NEW_YEAR)
    }

    /// Puts the hands elsewhere, also back.
    pub fn set(&self, now: Time) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }

    /// Moves the hands forward and says where they stand.
    pub fn advance(&self, span: Duration) -> Time {
        let now = self.now() + span;
        self.set(now);
        now
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Time {
        Time::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Bytes that look random and are the same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// The bytes of this seed, from their beginning.
    #[must_use]
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(seed)))
    }
}

impl Random for SeededRandom {
    fn fill(&self, out: &mut [u8]) {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        for chunk in out.chunks_mut(8) {
            let mut word = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            for (slot, byte) in chunk.iter_mut().zip(word.to_le_bytes()) {
                *slot = byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_no_byte_twice_in_a_row() {
        let draw = |seed| {
            let mut bytes = [0_u8; 37];
            SeededRandom::new(seed).fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let random = SeededRandom::new(1);
        let (mut first, mut second) = ([0_u8; 16], [0_u8; 16]);
        random.fill(&mut first);
        random.fill(&mut second);
        assert_ne!(first, second);
    }

    #[test]
    fn the_clock_moves_when_told() {
        let clock = StoppedClock::new();
        assert_eq!(clock.now(), NEW_YEAR);
        assert_eq!(clock.advance(Duration::from_secs(2)).micros(), NEW_YEAR.micros() + 2_000_000);
    }
}
