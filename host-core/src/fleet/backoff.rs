//! How long a slot waits for its next worker.

use crate::error::Milliseconds;
use crate::random::Random;
use crate::time::Duration;
use alloc::format;
use alloc::string::{String, ToString};

/// No delay after the first young death in a row; then delays that double from `first` up to `max`,
/// each shortened by up to half at random, so that slots do not start in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The delay after the second young death in a row.
    pub first: Duration,
    /// The longest delay.
    pub max: Duration,
}

impl Default for Backoff {
    /// 100 ms up to 10 s: a worker that cannot start is tried a handful of times a minute.
    fn default() -> Self {
        Self { first: Duration::from_millis(100), max: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The delay after `failures` young deaths in a row, before jitter.
    pub fn full(self, failures: u32) -> Duration {
        match failures {
            0 | 1 => Duration::ZERO,
            more => self.first.saturating_mul(1 << (more - 2).min(31)).min(self.max),
        }
    }

    /// The delay after `failures` young deaths in a row: between half of [`full`](Self::full) and all of it.
    pub(crate) fn delay(self, failures: u32, random: &mut Random) -> Duration {
        let nanos = u64::try_from(self.full(failures).as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(nanos - random.below(nanos / 2 + 1))
    }

    /// What is wrong with it: found and wanted.
    pub(crate) fn mistake(self) -> Option<(String, &'static str)> {
        if self.first.is_zero() {
            Some((Milliseconds(self.first).to_string(), "must begin with a delay longer than zero"))
        } else if self.max < self.first {
            let found = format!("{} up to {}", Milliseconds(self.first), Milliseconds(self.max));
            Some((found, "must not end below its first delay"))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn jitter_takes_up_to_half_and_that_half_is_in_it() {
        let backoff = Backoff { first: Duration::from_nanos(2), max: Duration::from_nanos(2) };
        let mut random = Random::new(7);
        let mut seen: Vec<_> = (0..100).map(|_| backoff.delay(2, &mut random).as_nanos()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2]);
    }

    #[test]
    fn delays_double_up_to_the_bound_and_jitter_takes_away_at_most_half() {
        let backoff = Backoff { first: 10 * MS, max: 60 * MS };
        let mut random = Random::new(1);
        let rows = [(0, 0), (1, 0), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (40, 60), (u32::MAX, 60)];
        for (failures, full) in rows {
            assert_eq!(backoff.full(failures), full * MS, "{failures}");
            let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
            for _ in 0..500 {
                let delay = backoff.delay(failures, &mut random);
                (least, most) = (least.min(delay), most.max(delay));
            }
            assert!(least >= full * MS / 2 && least <= full * MS * 52 / 100, "{failures}: {least:?}");
            assert!(most <= full * MS && most >= full * MS * 98 / 100, "{failures}: {most:?}");
        }
    }

    #[test]
    fn absurdly_long_delays_do_not_overflow() {
        let backoff = Backoff { first: Duration::MAX, max: Duration::MAX };
        assert!(backoff.delay(u32::MAX, &mut Random::new(0)) > Duration::from_secs(1 << 32));
    }

    #[test]
    fn contradictory_backoffs_are_refused() {
        let mistake = |first, max| Backoff { first, max }.mistake();
        assert_eq!(mistake(MS, MS), None);
        let zero = ("0 ms".to_string(), "must begin with a delay longer than zero");
        assert_eq!(mistake(Duration::ZERO, MS), Some(zero));
        let less = ("2 ms up to 1 ms".to_string(), "must not end below its first delay");
        assert_eq!(mistake(2 * MS, MS), Some(less));
    }
}
