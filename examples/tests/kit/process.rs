//! A process that may be somebody else's child, and what these tests ask of it.

use super::{BOUND, Stopwatch, pass};
use harness::process::{Handle, Signal, State};
use std::fs;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    handle: Handle,
}

impl Process {
    /// The one that has this number now.
    pub(crate) fn of(pid: u32) -> Self {
        let handle = Handle::of(pid).unwrap_or_else(|| panic!("there is no process {pid}"));
        Self { pid, handle }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.handle.signal(signal).unwrap();
    }

    /// Whether it ends within this time; as a zombie it has.
    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        self.handle.ends_within(bound)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.handle.is_alive()
    }

    /// How long it was on a processor.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.handle.cpu_time().unwrap()
    }

    /// How often it has gone to rest by itself (proc_pid_status(5), `voluntary_ctxt_switches`).
    pub(crate) fn rested(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let figure = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        figure.and_then(|figure| figure.trim().parse().ok()).expect("it is alive")
    }

    /// For how long it would have run and had no processor: the machine's fault, not its own.
    pub(crate) fn starved(&self) -> Duration {
        // A kernel may be built without (sched-stats.rst).
        let figures = fs::read_to_string(format!("/proc/{}/schedstat", self.pid)).unwrap_or_default();
        let nanos = figures.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
        Duration::from_nanos(nanos.unwrap_or(0))
    }

    /// Waits until it waits for something itself.
    pub(crate) fn rests(&self) {
        let watch = Stopwatch::start();
        while self.handle.state() != Some(State::Sleeping) {
            assert!(watch.elapsed() < BOUND, "process {} does not come to rest", self.pid);
            pass(Duration::from_millis(1));
        }
    }
}
