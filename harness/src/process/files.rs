//! Waiting for a file that does not exist, by inotify(7).

use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
use rustix::io::Errno;
use std::io::Result;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

/// Readable when something has happened to a path, or to the nearest directory above it that exists.
pub(super) struct Watch {
    inotify: OwnedFd,
    path: PathBuf,
}

impl Watch {
    pub(super) fn new(path: &Path) -> Result<Self> {
        let inotify = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        Ok(Self { inotify, path: std::path::absolute(path)? })
    }

    /// Forgets what has happened, and waits for what comes next: perhaps nearer to the file than before.
    pub(super) fn renew(&self) {
        let mut events = [0; 4096];
        while matches!(rustix::io::read(&self.inotify, &mut events), Ok(1..) | Err(Errno::INTR)) {}
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::MODIFY
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::ATTRIB
            | WatchFlags::MOVE_SELF
            | WatchFlags::DELETE_SELF;
        // The directory may go between the look and the watch: then the one above it is tried.
        for directory in self.path.ancestors().skip(1) {
            if add_watch(&self.inotify, directory, flags).is_ok() {
                return;
            }
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
