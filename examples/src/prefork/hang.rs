//! What workers must not do: the misdeeds that the supervision is tried with.

use host_core::time::{Duration, Instant};
use host_core::{Context, Worker};

/// Whoever knows the time in a worker, and can declare that some of it is spent.
pub trait Time {
    /// The moment.
    fn now(&self) -> Instant;
    /// Declares that what comes next takes so long: nothing on a real kernel. A simulated one, which cannot see
    /// code sleep, lets that much time go by.
    fn work(&self, duration: Duration);
}

impl Time for Worker {
    fn now(&self) -> Instant {
        self.now()
    }
    fn work(&self, duration: Duration) {
        self.work(duration);
    }
}

impl Time for Context<'_> {
    fn now(&self) -> Instant {
        self.now()
    }
    fn work(&self, duration: Duration) {
        self.work(duration);
    }
}

/// Sleeps, and gives no sign of life: on the real kernel in a system call, in a simulated run in simulated time.
#[expect(clippy::disallowed_methods, reason = "this is the code that hangs and that is to be found out")]
pub fn sleep(time: &impl Time, duration: Duration) {
    let until = time.now() + duration;
    time.work(duration);
    std::thread::sleep(until.since(time.now()));
}

/// Sleeps for ever.
pub fn sleep_for_ever(time: &impl Time) -> ! {
    loop {
        sleep(time, Duration::from_secs(3600));
    }
}

/// Computes for ever.
pub fn spin(time: &impl Time) -> ! {
    loop {
        time.work(Duration::from_millis(1));
        std::hint::spin_loop();
    }
}
