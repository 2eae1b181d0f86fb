//! The host's own monotonic time, so that a moment can be built, printed, compared and replayed.

use core::fmt;
use core::ops::{Add, Sub};
pub use core::time::Duration;

/// A moment on the monotonic clock: nanoseconds since an origin that the [`Sys`](crate::sys::Sys)
/// implementation chose once.
///
/// Not `std::time::Instant`, which cannot be constructed: a table test, a fuzzer and a recorded run
/// all need to. Arithmetic saturates; 2^64 ns are 584 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// The moment `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

/// Seconds with six decimals, as in a log line: `12.000345s`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000 / 1_000)
    }
}

/// Wall-clock time in nanoseconds since the Unix epoch: for log lines, never for a decision.
///
/// It may jump by years in either direction; nothing in this crate compares two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct WallTime(pub i128);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let last = Instant::from_nanos(u64::MAX);
        assert_eq!(last + Duration::from_secs(1), last);
        assert_eq!(Instant::ZERO - Duration::from_secs(1), Instant::ZERO);
        assert_eq!(Instant::ZERO.since(last), Duration::ZERO);
        assert_eq!(last.since(last - Duration::from_nanos(7)), Duration::from_nanos(7));
    }

    #[test]
    fn it_prints_seconds_with_six_decimals() {
        assert_eq!(alloc::format!("{}", Instant::from_nanos(12_000_345_678)), "12.000345s");
    }
}
