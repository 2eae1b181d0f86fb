//! One process that may be anybody's child, held by a pidfd: its number cannot come to mean another.

use super::clock::Stopwatch;
use super::stat::{ProcessId, Stat, State, TICKS};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// A process that may be anybody's child.
#[derive(Debug)]
pub struct Handle {
    id: ProcessId,
    pidfd: OwnedFd,
}

impl Handle {
    /// The process that has this number now, zombies included.
    pub fn of(pid: u32) -> Option<Self> {
        let pidfd = pidfd_open(number(pid)?, PidfdFlags::empty()).ok()?;
        // Whoever the descriptor means has not been reaped, if it is still there after this look.
        let stat = Stat::of(pid)?;
        let handle = Self { id: stat.id, pidfd };
        handle.is_unreaped().then_some(handle)
    }

    /// Its number and its start.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.id.pid
    }

    /// Sends a signal to it. A zombie takes it without effect.
    ///
    /// # Errors
    /// `NotFound` if it is gone; `PermissionDenied` if it is somebody else's.
    pub fn signal(&self, signal: Signal) -> std::io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Err(Errno::SRCH) => Err(std::io::ErrorKind::NotFound.into()),
            answer => Ok(answer?),
        }
    }

    /// Whether it ends within this time; as a zombie it has.
    pub fn ends_within(&self, bound: Duration) -> bool {
        is_ready(&self.pidfd, bound)
    }

    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        !self.ends_within(Duration::ZERO)
    }

    /// What it does; `None` once it was reaped.
    pub fn state(&self) -> Option<State> {
        Some(self.stat()?.state)
    }

    /// How long it was on a processor, itself and its threads; `None` once it was reaped. Counted in steps of
    /// 10 ms.
    pub fn cpu_time(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.stat()?.ticks * 1000 / TICKS))
    }

    fn stat(&self) -> Option<Stat> {
        Stat::of(self.id.pid).filter(|stat| stat.id == self.id)
    }

    /// Whether its number is still its own.
    fn is_unreaped(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        // Readable as a zombie, and hung up once it was reaped (Linux 6.9 and later); before, a look at
        // the start time of its number is all that can be had.
        poll(&mut fds, Some(&Timespec::default())).is_ok() && !fds[0].revents().contains(PollFlags::HUP)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

pub(super) fn number(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Waits until a descriptor is readable (or a process has ended); false after `bound`.
pub(super) fn is_ready(fd: impl AsFd, bound: Duration) -> bool {
    is_any_ready(&mut [PollFd::new(&fd, PollFlags::IN)], bound)
}

/// Waits until something has happened to one of them; false after `bound`.
pub(super) fn is_any_ready(fds: &mut [PollFd<'_>], bound: Duration) -> bool {
    let watch = Stopwatch::start();
    loop {
        let left = timespec(watch.left_of(bound));
        match poll(fds, Some(&left)) {
            Err(Errno::INTR) => {}
            answer => return answer.is_ok_and(|count| count > 0),
        }
    }
}

/// The longest time that fits, if it does not.
pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 })
}
