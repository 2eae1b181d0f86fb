//! What a worker prints on, taken from its host inside a signal.
//!
//! # Safety
//!
//! The handler makes system calls only.

#![allow(unsafe_code, reason = "receiving a file inside a signal handler has no safe interface")]

use host_core::sys::StdStream;
use rustix::fd::{IntoRawFd as _, OwnedFd};
use std::ffi::c_int;
use std::mem::{MaybeUninit, size_of};
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

/// Which outputs of this process are files: a bit each.
static REDIRECTED: AtomicU8 = AtomicU8::new(0);
/// Where a worker gets its files from; none in a host.
static FILES: AtomicI32 = AtomicI32::new(-1);

/// This process prints `output` on a file from here on.
pub(crate) fn remember_output(output: StdStream) {
    REDIRECTED.fetch_or(1 << output.index(), Ordering::Relaxed);
}

/// Which outputs of this process are files: a bit each, by [`StdStream::index`].
pub(crate) fn redirected() -> u8 {
    REDIRECTED.load(Ordering::Relaxed)
}

/// From here on the handler takes files from this socket, which stays open for ever.
pub(crate) fn take_files_from(socket: OwnedFd) {
    FILES.store(socket.into_raw_fd(), Ordering::Relaxed);
}

/// Room for one message: two descriptors.
#[repr(C)]
struct Control {
    head: libc::cmsghdr,
    files: [c_int; 2],
}

/// Prints on the files that the host has sent from here on, on the last of several. Async-signal-safe: recvmsg(2), dup2(2),
/// write(2) and close(2).
pub(super) fn take_files() {
    let socket = FILES.load(Ordering::Relaxed);
    while socket >= 0 && take_one_message(socket) {}
}

/// Whether there was one.
fn take_one_message(socket: c_int) -> bool {
    let mut outputs = 0_u8;
    let mut vector = libc::iovec { iov_base: ptr::from_mut(&mut outputs).cast(), iov_len: 1 };
    let mut control = MaybeUninit::<Control>::zeroed();
    // SAFETY: a msghdr is plain integers and pointers; zeros are valid.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of::<Control>() as _;
    // SAFETY: all that `message` points to lives on this stack, and is as long as it says.
    let received =
        unsafe { libc::recvmsg(socket, &raw mut message, libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC) };
    if received <= 0 {
        return false;
    }
    // SAFETY: any bytes are a valid `Control`, and all of it began as zeros.
    let Control { head, files } = unsafe { control.assume_init() };
    let is_files = head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SCM_RIGHTS;
    let room = head.cmsg_len.saturating_sub(size_of::<libc::cmsghdr>());
    let mut files = files.into_iter().take(if is_files { room / size_of::<c_int>() } else { 0 });
    for output in StdStream::ALL {
        if outputs & 1 << output.index() == 0 {
            continue;
        }
        match files.next() {
            Some(file) => {
                // SAFETY: both are descriptors; the one that is replaced belongs to the process's output as such.
                unsafe { libc::dup2(file, descriptor(output)) };
                // SAFETY: the kernel has made `file` for this function, and nobody else knows it.
                unsafe { libc::close(file) };
            }
            // The kernel had no descriptor left for it.
            None => say(output),
        }
    }
    true
}

fn say(output: StdStream) {
    let words: &[u8] = match output {
        StdStream::Stdout => {
            b"stdout has a new file, and there is no descriptor left for it; the file before is kept\n"
        }
        StdStream::Stderr => {
            b"stderr has a new file, and there is no descriptor left for it; the file before is kept\n"
        }
    };
    // SAFETY: `words` is as long as is said.
    unsafe { libc::write(descriptor(StdStream::Stderr), words.as_ptr().cast(), words.len()) };
}

const fn descriptor(output: StdStream) -> c_int {
    match output {
        StdStream::Stdout => libc::STDOUT_FILENO,
        StdStream::Stderr => libc::STDERR_FILENO,
    }
}
