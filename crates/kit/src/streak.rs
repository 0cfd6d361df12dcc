//! Failures in a row, and which of them are worth a line in the log. Parts that start side by side miss each
//! other for a moment; what is away for longer is said, less and less often, and said to be back.

use std::sync::atomic::{AtomicU32, Ordering};

/// The failure that is told first. A loop has tried for a second and a half by then.
const FIRST: u32 = 5;

/// Failures since the last success.
#[derive(Debug, Default)]
pub(crate) struct Streak(AtomicU32);

impl Streak {
    /// Counts a failure: how many there were in a row, and whether to tell of this one: the fifth, and whenever
    /// they doubled since.
    pub(crate) fn failed(&self) -> (u32, bool) {
        let count = self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        (count, count.is_multiple_of(FIRST) && (count / FIRST).is_power_of_two())
    }

    /// Notes a success: how many failures it ends, where they were told of.
    pub(crate) fn ended(&self) -> Option<u32> {
        // The common case writes nothing that other threads read.
        if self.0.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(self.0.swap(0, Ordering::Relaxed)).filter(|count| *count >= FIRST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_late_then_less_and_less_often_and_their_end_once() {
        let streak = Streak::default();
        let told = |most| (0..most).filter_map(|_| Some(streak.failed()).filter(|(_, tell)| *tell));
        assert_eq!(told(100).map(|(count, _)| count).collect::<Vec<_>>(), [5, 10, 20, 40, 80]);
        assert_eq!((streak.ended(), streak.ended()), (Some(100), None));
        assert_eq!(told(4).count(), 0, "a moment is nothing to tell");
        assert_eq!(streak.ended(), None, "nor its end");
    }
}
