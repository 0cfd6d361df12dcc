//! How long a step that failed rests before it is tried again.

use std::time::Duration;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(30);

/// How long what waits for a person rests before it is looked at again: nobody tells commerce when they have acted.
pub const SLOW: Duration = Duration::from_secs(5 * 60);

/// The pause after `attempts` failures; what the refuser asked for where that is longer.
#[must_use]
pub fn pause(attempts: i64, asked: Option<Duration>) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    let grown = FIRST.saturating_mul(2_u32.saturating_pow(doublings));
    grown.max(asked.unwrap_or_default()).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        assert_eq!(pause(1, None), FIRST);
        assert_eq!(pause(3, None), Duration::from_millis(800));
        assert_eq!(pause(1, Some(Duration::from_secs(2))), Duration::from_secs(2));
        for attempts in [i64::MIN, 0, 9, 1000, i64::MAX] {
            assert!(pause(attempts, Some(Duration::from_secs(3600))) <= LONGEST, "{attempts}");
        }
    }
}
