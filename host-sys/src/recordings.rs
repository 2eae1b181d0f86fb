//! The files that hosts are recorded in.

use host_core::sys::Handle;
use rustix::fd::OwnedFd;
use rustix::fs::{self, CWD, FileType, Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::process::{Resource, getrlimit};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What is added to the name of the recording that was there before.
const BEFORE: &str = ".1";

/// The recordings that one [`Linux`](crate::Linux) has open; a child knows none.
#[derive(Debug, Default)]
pub(crate) struct Recordings(RefCell<BTreeMap<Handle, Recording>>);

#[derive(Debug)]
struct Recording {
    path: String,
    written: u64,
}

/// A new file for this user alone. One that was there and is not empty is kept beside it: a host that is started
/// again must not wipe out what led to that.
pub(crate) fn create(path: &str) -> Result<OwnedFd> {
    match fs::lstat(path) {
        Ok(there) if FileType::from_raw_mode(there.st_mode) != FileType::RegularFile => {
            return Err(Errno::EXIST);
        }
        Ok(there) if there.st_size == 0 => {}
        Ok(_) => fs::rename(path, format!("{path}{BEFORE}"))?,
        Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    fs::openat(CWD, path, flags, Mode::RUSR | Mode::WUSR)
}

impl Recordings {
    pub(crate) fn add(&self, handle: Handle, path: &str) {
        self.0.borrow_mut().insert(handle, Recording { path: path.to_owned(), written: 0 });
    }

    /// How many of so many bytes may be written. Beyond the size that a file of this process may have the kernel
    /// sends XFSZ, which ends it (setrlimit(2)); somebody may change that at any time (prlimit(2)).
    pub(crate) fn room(&self, handle: Handle, length: usize) -> Result<usize> {
        let open = self.0.borrow();
        let recording = open.get(&handle).ok_or(Errno::BADF)?;
        let size_max = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        let left = size_max.saturating_sub(recording.written);
        match usize::try_from(left).unwrap_or(usize::MAX).min(length) {
            0 if length > 0 => Err(Errno::FBIG),
            room => Ok(room),
        }
    }

    pub(crate) fn wrote(&self, handle: Handle, length: usize) {
        if let Some(recording) = self.0.borrow_mut().get_mut(&handle) {
            recording.written += length as u64;
        }
    }

    /// One that nothing was written to belongs to a host that never began: nothing of it is left.
    pub(crate) fn close(&self, handle: Handle) {
        let Some(recording) = self.0.borrow_mut().remove(&handle) else { return };
        if recording.written == 0 {
            // It is of no use to anybody, and of no harm.
            let _ = fs::unlink(recording.path);
        }
    }
}
