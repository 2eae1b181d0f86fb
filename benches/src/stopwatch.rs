//! What something cost, in time on the wall and on the processor.

use rustix::time::{ClockId, clock_gettime};

/// A running measurement.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: u64,
    cpu: u64,
}

impl Stopwatch {
    /// Begins to measure.
    pub fn start() -> Self {
        // The wall last, and in `stop` first: then it spans the events and nothing else.
        let cpu = nanos(ClockId::ThreadCPUTime);
        Self { wall: nanos(ClockId::Monotonic), cpu }
    }

    /// Ends a measurement in which there were so many `events`.
    pub fn stop(self, events: u64) -> Cost {
        let wall = nanos(ClockId::Monotonic) - self.wall;
        Cost { events, wall, cpu: nanos(ClockId::ThreadCPUTime) - self.cpu }
    }
}

fn nanos(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    // Neither of these clocks is ever negative.
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What some events cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// How many there were.
    pub events: u64,
    /// Nanoseconds that passed (CLOCK_MONOTONIC).
    pub wall: u64,
    /// Nanoseconds that this thread computed, in the kernel and outside (CLOCK_THREAD_CPUTIME_ID): does
    /// not count what other programs took.
    pub cpu: u64,
}

impl Cost {
    /// Nanoseconds on the wall for one event.
    pub fn wall_each(&self) -> f64 {
        self.wall as f64 / self.events.max(1) as f64
    }

    /// Nanoseconds on the processor for one event.
    pub fn cpu_each(&self) -> f64 {
        self.cpu as f64 / self.events.max(1) as f64
    }
}
