//! Processes as /proc shows them, and their ends as pidfds tell them.

use super::{BOUND, Stopwatch, is_ready, pass};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A process that may be somebody else's child.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pidfd: OwnedFd,
}

impl Process {
    /// The one that has this number now.
    pub(crate) fn of(pid: u32) -> Self {
        Self::find(pid).unwrap_or_else(|| panic!("there is no process {pid}"))
    }

    /// The one that has this number now, if there is one.
    pub(crate) fn find(pid: u32) -> Option<Self> {
        Some(Self { pid, pidfd: pidfd_open(number(pid), PidfdFlags::empty()).ok()? })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        pidfd_send_signal(&self.pidfd, signal).unwrap();
    }

    /// Whether it ends within this time; as a zombie it has.
    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        is_ready(&self.pidfd, bound)
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
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
        while Stat::of(self.pid).is_none_or(|stat| stat.state != 'S') {
            assert!(watch.elapsed() < BOUND, "process {} does not come to rest", self.pid);
            pass(Duration::from_millis(1));
        }
    }

    pub(crate) fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }
}

pub(crate) fn number(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).expect("no process has the number 0")
}

/// The children of a process that are alive, by their numbers.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    alive(|stat| stat.parent == parent)
}

/// The members of a process group that are alive.
pub(crate) fn members(group: u32) -> Vec<u32> {
    alive(|stat| stat.group == group)
}

/// All processes like this that are no zombies.
fn alive(is_meant: impl Fn(&Stat) -> bool) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap();
    let pids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let mut pids: Vec<u32> =
        pids.filter(|pid| Stat::of(*pid).is_some_and(|stat| is_meant(&stat) && stat.is_alive())).collect();
    pids.sort_unstable();
    pids
}

/// What /proc/PID/stat says (proc_pid_stat(5)).
pub(crate) struct Stat {
    state: char,
    parent: u32,
    group: u32,
    /// How long it was on a processor, in ticks of 10 ms.
    pub(crate) ticks: u64,
}

impl Stat {
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may hold anything.
        let fields: Vec<_> = line.rsplit_once(')')?.1.split_whitespace().collect();
        let count = |index: usize| fields[index].parse::<u64>().unwrap();
        Some(Self {
            state: fields[0].chars().next()?,
            parent: fields[1].parse().ok()?,
            group: fields[2].parse().ok()?,
            ticks: count(11) + count(12),
        })
    }

    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}
