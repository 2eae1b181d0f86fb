//! What a process prints on, handed to its children: a file that they could not open themselves – in a directory that
//! is not theirs, or beyond their root – is theirs by this (unix(7), SCM_RIGHTS).
//!
//! It goes through a socket of its own, which only a signal handler reads, so that a worker takes it whatever it does.

use crate::raw;
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::{IoSlice, Result, retry_on_intr};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg,
    socketpair,
};
use std::mem::MaybeUninit;

/// The parent's end and the child's.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// Sends the files that this process prints on: one byte that says which, and their descriptors.
pub(crate) fn send(socket: BorrowedFd<'_>) -> Result<()> {
    let outputs = raw::redirected();
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let all = [stdout.as_fd(), stderr.as_fd()];
    let files: Vec<_> = (0..2).filter(|index| outputs & 1 << index != 0).map(|index| all[index]).collect();
    if files.is_empty() {
        return Ok(());
    }
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut room);
    let fits = control.push(SendAncillaryMessage::ScmRights(&files));
    assert!(fits, "there is room for two");
    let words = [outputs];
    let send =
        || sendmsg(socket, &[IoSlice::new(&words)], &mut control, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    retry_on_intr(send).map(drop)
}
