//! Making a process, hearing of one, and what a worker does inside the signal that asks it to quit.
//!
//! # Safety
//!
//! No number of a process or of a descriptor leaves or enters but what the kernel gave; what a handler calls is
//! async-signal-safe.

#![allow(unsafe_code, reason = "making a process and what a signal handler may do have no safe interface")]

use super::check;
use host_core::time::Duration;
use rustix::fd::{AsRawFd as _, BorrowedFd};
use rustix::io::{Errno, Result};
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// Makes a copy of this process; answers its number, or nothing in the copy (fork(2)).
///
/// Whoever calls this has looked that there is one thread only: the copy of a lock that another thread
/// holds is never released. That is a deadlock and no unsoundness.
pub(crate) fn fork() -> Result<Option<u32>> {
    // SAFETY: the child is a copy of the one thread that there is, so it may do all that its parent may.
    let pid = check(unsafe { libc::fork() })?;
    // Never negative: `check` has seen to that.
    Ok(if pid == 0 { None } else { Some(pid.cast_unsigned()) })
}

/// Whether the kernel knows of no other thread of this process; unshare(2) refuses what threads share if there is
/// one, and otherwise does nothing. One system call, where a look at /proc is a walk along a path.
///
/// False as well where a sandbox forbids the question.
pub(crate) fn is_single_threaded() -> bool {
    // SAFETY: it changes nothing: there is nobody to stop sharing with.
    unsafe { libc::unshare(libc::CLONE_THREAD) == 0 }
}

/// A child was stopped or continued.
pub(crate) enum Stop {
    Stopped(u32),
    Continued(u32),
}

/// The next child that was stopped or continued. Never takes how one ended, which is not asked for.
pub(crate) fn next_stop() -> Result<Option<Stop>> {
    let info = wait_for_any(libc::WSTOPPED | libc::WCONTINUED)?;
    Ok(info.map(
        |(pid, code)| {
            if code == libc::CLD_CONTINUED { Stop::Continued(pid) } else { Stop::Stopped(pid) }
        },
    ))
}

/// A child that has ended and was not reaped; it stays as it is. The same one again until that changes.
pub(crate) fn next_ended() -> Result<Option<u32>> {
    Ok(wait_for_any(libc::WEXITED | libc::WNOWAIT)?.map(|(pid, _)| pid))
}

/// Whose state has changed and how (`si_code`); rustix does not tell whose.
fn wait_for_any(what: c_int) -> Result<Option<(u32, c_int)>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    loop {
        // SAFETY: `info` is writable and of the right type.
        match check(unsafe { libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), what | libc::WNOHANG) }) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: zeros are a valid siginfo_t, and what waitid has written is one.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid fills in these fields, or leaves the zeros if there is no news.
    let pid = unsafe { info.si_pid() }.cast_unsigned();
    Ok(if pid == 0 { None } else { Some((pid, info.si_code)) })
}

/// What a signal handler rings to wake its process: the number of an eventfd(2), or none.
pub(crate) struct Bell(AtomicI32);

/// Tells a worker that it is asked to quit.
pub(crate) static QUIT_BELL: Bell = Bell(AtomicI32::new(-1));
/// Tells a host that a kick has found it alive. Another one: a process may be both.
pub(crate) static KICK_BELL: Bell = Bell(AtomicI32::new(-1));

impl Bell {
    /// From here on [`ring`](Self::ring) makes `eventfd` readable; nobody's if there is none. The caller takes it back
    /// before it is closed.
    pub(crate) fn hang(&self, eventfd: Option<BorrowedFd<'_>>) {
        self.0.store(eventfd.map_or(-1, |eventfd| eventfd.as_raw_fd()), Ordering::Release);
    }

    /// Makes it readable, if there is one. Async-signal-safe.
    pub(crate) fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: `one` is as long as is said. Without a bell the number is -1, which the kernel refuses. A full
        // counter refuses as well, and is readable.
        unsafe { libc::write(self.0.load(Ordering::Acquire), one.as_ptr().cast(), one.len()) };
    }
}

/// Makes the kernel send ALRM to this process after `delay` (setitimer(2)). Async-signal-safe on Linux,
/// where it is one system call.
pub(crate) fn alarm_once(delay: Duration) {
    // None at all would take the alarm back.
    let micros = delay.as_micros().clamp(1, i32::MAX as u128 * 1_000_000) as i64;
    let value = libc::timeval { tv_sec: (micros / 1_000_000) as _, tv_usec: (micros % 1_000_000) as _ };
    let once = libc::itimerval { it_interval: libc::timeval { tv_sec: 0, tv_usec: 0 }, it_value: value };
    // SAFETY: `once` is a valid timer; the old one is not asked for.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &once, ptr::null_mut()) };
}
