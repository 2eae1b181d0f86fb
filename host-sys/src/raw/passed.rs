//! Descriptors that whoever started this process has opened for it.
//!
//! # Safety
//!
//! A number becomes an [`OwnedFd`] here. What this process has opened itself is closed on exec, all of it, and so is told
//! apart from what it has inherited; that nobody else in it takes what was inherited for its own is the word of whoever
//! has set `LISTEN_PID` to its number (sd_listen_fds(3)).

#![allow(unsafe_code, reason = "a descriptor that was inherited is known by its number only")]

use rustix::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use rustix::io::{FdFlags, fcntl_getfd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first of them (SD_LISTEN_FDS_START).
const FIRST: u32 = 3;

/// Whether they have an owner: there are these descriptors once in a process, and their numbers are used again.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The descriptors that this process was started with, `count` of them, with their numbers; they end with the first that
/// is not there, since the count is wrong then. To the first who asks, and nothing afterwards.
pub(crate) fn passed_descriptors(count: u32) -> Vec<(u32, Option<OwnedFd>)> {
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Vec::new();
    }
    let mut passed = Vec::new();
    for number in (FIRST..).take(count as usize) {
        let fd = i32::try_from(number).ok().filter(|number| is_inherited(*number));
        // SAFETY: it is open and was inherited, and is given away once, as `TAKEN` says.
        passed.push((number, fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })));
        if fd.is_none() {
            break;
        }
    }
    passed
}

/// Whether a descriptor is open that is not closed on exec.
fn is_inherited(number: i32) -> bool {
    // SAFETY: it is not -1. That it may be closed is what the kernel is asked, and nothing else is done with it.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_getfd(fd).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
}
