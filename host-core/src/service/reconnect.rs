//! When to call `connect` again.

use crate::error::{Milliseconds, Mistake};
use crate::random::Random;
use crate::time::Duration;
use alloc::format;
use alloc::string::ToString;

/// When `connect` is tried again after it did not connect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reconnect {
    /// In the next turn, and a turn ends at least once a poll period (ProcessHost 1.1, 3). The default.
    #[default]
    EachTurn,
    /// After a delay that doubles with each try in a row, up to a bound.
    Backoff {
        /// The first delay.
        first: Duration,
        /// The longest delay.
        max: Duration,
    },
}

/// What it means that `connect` returned an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnConnectError {
    /// The host ends with that error. The default.
    #[default]
    End,
    /// As if it had answered "not yet", with a warning.
    Retry,
}

impl Reconnect {
    /// Delays that double from `first` up to `max`, each shortened by up to half at random, so that
    /// many hosts do not knock at one door in step.
    pub const fn backoff(first: Duration, max: Duration) -> Self {
        Self::Backoff { first, max }
    }

    /// How long to wait before the next try, after `attempt` tries in a row that did not connect
    /// (1 is the first); `None` is the next turn.
    pub(crate) fn delay(self, attempt: u32, random: &mut Random) -> Option<Duration> {
        match self {
            Self::EachTurn => None,
            Self::Backoff { first, max } => {
                let doublings = attempt.saturating_sub(1).min(31);
                let full = first.saturating_mul(1 << doublings).min(max);
                let nanos = u64::try_from(full.as_nanos()).unwrap_or(u64::MAX);
                Some(Duration::from_nanos(nanos - random.below(nanos / 2 + 1)))
            }
        }
    }

    /// What is wrong with it, for the service called `name`.
    pub(crate) fn mistake(self, name: &str) -> Option<Mistake> {
        let Self::Backoff { first, max } = self else { return None };
        let (field, found) = (format!("reconnect of service `{name}`"), Milliseconds(first));
        if first.is_zero() {
            Some(Mistake {
                field,
                found: found.to_string(),
                wanted: "must begin with a delay longer than zero".into(),
            })
        } else if max < first {
            let found = format!("{found} up to {}", Milliseconds(max));
            Some(Mistake { field, found, wanted: "must not end below its first delay".into() })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn delays_double_up_to_the_bound_and_jitter_takes_away_at_most_half() {
        let policy = Reconnect::backoff(10 * MS, 60 * MS);
        let mut random = Random::new(1);
        for (attempt, full) in [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (40, 60), (u32::MAX, 60)] {
            let (mut least, mut most) = (Duration::MAX, Duration::ZERO);
            for _ in 0..500 {
                let delay = policy.delay(attempt, &mut random).unwrap();
                (least, most) = (least.min(delay), most.max(delay));
            }
            assert!(least >= full * MS / 2 && least < full * MS * 52 / 100, "attempt {attempt}: {least:?}");
            assert!(most <= full * MS && most > full * MS * 98 / 100, "attempt {attempt}: {most:?}");
        }
    }

    #[test]
    fn half_of_a_delay_can_be_taken_away_exactly_and_all_of_it_never() {
        let mut random = Random::new(1);
        for (nanos, least) in [(1, 1), (2, 1), (3, 2), (4, 2)] {
            let delay = Duration::from_nanos(nanos);
            let delays: alloc::collections::BTreeSet<_> =
                (0..100).map(|_| Reconnect::backoff(delay, delay).delay(1, &mut random).unwrap()).collect();
            let expected = (least..=nanos).map(Duration::from_nanos).collect();
            assert_eq!(delays, expected, "{nanos} ns");
        }
    }

    #[test]
    fn each_turn_has_no_delay() {
        assert_eq!(Reconnect::EachTurn.delay(9, &mut Random::new(0)), None);
    }

    #[test]
    fn absurdly_long_delays_do_not_overflow() {
        let policy = Reconnect::backoff(Duration::MAX, Duration::MAX);
        assert!(policy.delay(u32::MAX, &mut Random::new(0)).unwrap() > Duration::from_secs(1 << 32));
    }

    #[test]
    fn contradictory_backoffs_are_refused() {
        let rows = [
            (Reconnect::EachTurn, None),
            (Reconnect::backoff(MS, MS), None),
            (
                Reconnect::backoff(Duration::ZERO, MS),
                Some("reconnect of service `x` is 0 ms, but must begin with a delay longer than zero"),
            ),
            (
                Reconnect::backoff(2 * MS, MS),
                Some("reconnect of service `x` is 2 ms up to 1 ms, but must not end below its first delay"),
            ),
        ];
        for (policy, expected) in rows {
            assert_eq!(policy.mistake("x").map(|mistake| mistake.to_string()).as_deref(), expected);
        }
    }
}
