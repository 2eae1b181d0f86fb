//! What a worker prints on, opened anew inside a signal.
//!
//! # Safety
//!
//! The handler makes system calls only, and reads paths that are never freed.

#![allow(unsafe_code, reason = "opening a file inside a signal handler has no safe interface")]

use host_core::sys::StdStream;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The paths of both outputs, where they have one; each is leaked, since a handler may be reading it.
static PATHS: [AtomicPtr<c_char>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];

/// From here on [`reopen`] opens this file for `output`. The path is kept for ever, once for each path.
pub(crate) fn remember_output(output: StdStream, path: CString) {
    let place = &PATHS[output as usize];
    if known(place).is_none_or(|before| before != path.as_c_str()) {
        place.store(path.into_raw(), Ordering::Release);
    }
}

/// Whether any output has a path.
pub(crate) fn has_outputs() -> bool {
    PATHS.iter().any(|place| known(place).is_some())
}

/// Opens anew what this process prints on; what cannot be opened stays, and says so on the file that stays.
/// Async-signal-safe: open(2), dup3(2), fcntl(2), write(2) and close(2).
pub(super) fn reopen() {
    for output in StdStream::ALL {
        let Some(path) = known(&PATHS[output as usize]) else { continue };
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_APPEND | libc::O_CLOEXEC | libc::O_NOCTTY;
        // SAFETY: `path` ends with a zero, and lives for ever.
        let file = unsafe { libc::open(path.as_ptr(), flags | libc::O_NONBLOCK, 0o640) };
        if file < 0 {
            say(output);
            continue;
        }
        // SAFETY: `file` was opened above, and is this function's own. Whoever prints expects to wait for a reader:
        // F_SETFL takes O_NONBLOCK away, and leaves what cannot be changed.
        unsafe { libc::fcntl(file, libc::F_SETFL, libc::O_APPEND) };
        // SAFETY: both are descriptors; the one that is replaced belongs to the process's output as such.
        unsafe { libc::dup2(file, descriptor(output)) };
        // SAFETY: as above.
        unsafe { libc::close(file) };
    }
}

fn say(output: StdStream) {
    let words: &[u8] = match output {
        StdStream::Stdout => b"stdout cannot be opened anew; the file before is kept\n",
        StdStream::Stderr => b"stderr cannot be opened anew; the file before is kept\n",
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

fn known(place: &AtomicPtr<c_char>) -> Option<&'static CStr> {
    let path = place.load(Ordering::Acquire);
    // SAFETY: what is stored came from `CString::into_raw`, and is never freed.
    (!path.is_null()).then(|| unsafe { CStr::from_ptr(path) })
}
