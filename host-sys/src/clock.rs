//! The clocks of the kernel.

use host_core::time::{Duration, Instant, WallTime};
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// CLOCK_MONOTONIC itself, so that a signal handler, which has no host at hand, reads the same time.
pub(crate) fn now() -> Instant {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither part is ever negative: the clock starts at zero when the machine does.
    Instant::from_nanos(time.tv_sec as u64 * NANOS_PER_SECOND + time.tv_nsec as u64)
}

/// How far CLOCK_MONOTONIC_COARSE is behind while the kernel's ticks come in time: up to two of them. One
/// has passed since it was set, and it is set in whole ticks, to the end of the last (measured: 2.6 to
/// 7 ms, with ticks of 4 ms).
pub(crate) fn lag() -> Duration {
    let tick = clock_getres(ClockId::MonotonicCoarse);
    Duration::new(tick.tv_sec as u64, tick.tv_nsec as u32) * 2
}

/// A moment that is now or up to `lag` later, for a fifth of the price of [`now`].
#[inline]
pub(crate) fn about_now(lag: Duration) -> Instant {
    let time = clock_gettime(ClockId::MonotonicCoarse);
    Instant::from_nanos(time.tv_sec as u64 * NANOS_PER_SECOND + time.tv_nsec as u64) + lag
}

/// CLOCK_REALTIME.
pub(crate) fn wall() -> WallTime {
    let time = clock_gettime(ClockId::Realtime);
    WallTime(i128::from(time.tv_sec) * i128::from(NANOS_PER_SECOND) + i128::from(time.tv_nsec))
}

/// How long it is until `deadline`, as system calls take it; zero if that has passed.
pub(crate) fn until(deadline: Instant) -> Timespec {
    let nanos = deadline.since(now()).as_nanos() as u64;
    // 2^64 ns are fewer seconds than either type can hold.
    Timespec { tv_sec: (nanos / NANOS_PER_SECOND) as _, tv_nsec: (nanos % NANOS_PER_SECOND) as _ }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_exact_to_the_nanosecond_and_never_negative() {
        assert_eq!(until(Instant::ZERO), Timespec { tv_sec: 0, tv_nsec: 0 });
        let before = now();
        let left = until(before + Duration::new(3600, 7));
        let passed = now().since(before);
        let left = Duration::new(left.tv_sec as u64, left.tv_nsec as u32);
        assert!(left <= Duration::new(3600, 7), "{left:?}");
        assert!(left + passed >= Duration::new(3600, 7), "{left:?} after {passed:?}");
        let farthest = until(Instant::from_nanos(u64::MAX));
        assert!(farthest.tv_sec > 18_000_000_000, "{farthest:?}");
    }

    #[test]
    fn the_wall_clock_is_past_the_day_this_was_written() {
        assert!(wall().0 > 1_700_000_000 * i128::from(NANOS_PER_SECOND));
    }
}
