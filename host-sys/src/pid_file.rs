//! The system calls of pid files; in which order they come is `host_core`'s.

use crate::linux::errno as errno_of;
use host_core::sys::pid_file::{PidFileCalls, leave, take};
use host_core::sys::{Errno, Handle, Pid, PidFileError};
use rustix::fd::OwnedFd;
use rustix::fs::{
    CWD, FileType, FlockOperation, Mode, OFlags, flock, fstat, ftruncate, openat, stat, unlink,
};
use rustix::io::{self, pread, pwrite};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The pid files that one [`Linux`](crate::Linux) has; a child has none.
#[derive(Debug, Default)]
pub(crate) struct PidFiles(RefCell<BTreeMap<Handle, Taken>>);

/// A pid file that is this process's.
#[derive(Debug)]
pub(crate) struct Taken {
    path: Path,
    file: Named,
}

/// From the root, for the working directory may change.
#[derive(Debug)]
struct Path(PathBuf);

/// An open file, and which one it is: another one at the same path is another host's.
#[derive(Debug)]
struct Named {
    /// Until it is one of the process's handles.
    fd: Option<OwnedFd>,
    device: u64,
    inode: u64,
}

/// Makes the file at `path` that of process `pid`.
pub(crate) fn take_at(path: &str, pid: Pid) -> Result<(OwnedFd, Taken), PidFileError> {
    let path = Path(std::path::absolute(path).map_err(|error| {
        // An empty path, or a working directory that is gone.
        let errno = io::Errno::from_io_error(&error).unwrap_or(io::Errno::NOENT);
        PidFileError::of("getcwd", errno_of(errno))
    })?);
    let mut file = take(&path, pid)?;
    let fd = file.fd.take().expect("it was just opened");
    Ok((fd, Taken { path, file }))
}

impl Named {
    fn fd(&self) -> Result<&OwnedFd, Errno> {
        self.fd.as_ref().ok_or(Errno::BADF)
    }
}

impl PidFileCalls for Path {
    type File = Named;

    fn open(&self) -> Result<Named, Errno> {
        // Not one that somebody has put there for root to follow, nor one that waits for its other end.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let fd = openat(CWD, &self.0, flags, mode).map_err(errno_of)?;
        let found = fstat(&fd).map_err(errno_of)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile {
            Ok(Named { fd: Some(fd), device: found.st_dev, inode: found.st_ino })
        } else {
            Err(Errno::EXIST)
        }
    }

    fn lock(&self, file: &Named) -> Result<(), Errno> {
        flock(file.fd()?, FlockOperation::NonBlockingLockExclusive).map_err(errno_of)
    }

    fn is_there(&self, file: &Named) -> bool {
        stat(&self.0).is_ok_and(|found| (found.st_dev, found.st_ino) == (file.device, file.inode))
    }

    fn read(&self, file: &Named, buffer: &mut [u8]) -> Result<usize, Errno> {
        pread(file.fd()?, buffer, 0).map_err(errno_of)
    }

    fn empty(&self, file: &Named) -> Result<(), Errno> {
        ftruncate(file.fd()?, 0).map_err(errno_of)
    }

    fn write(&self, file: &Named, bytes: &[u8]) -> Result<usize, Errno> {
        pwrite(file.fd()?, bytes, 0).map_err(errno_of)
    }

    fn unlink(&self) -> Result<(), Errno> {
        unlink(&self.0).map_err(errno_of)
    }

    fn close(&self, file: Named) {
        drop(file);
    }
}

impl PidFiles {
    pub(crate) fn add(&self, handle: Handle, taken: Taken) {
        self.0.borrow_mut().insert(handle, taken);
    }

    /// Removes the file of a handle that is about to be closed, and unlocked by that.
    /// `fd` is what the handle names.
    pub(crate) fn leave(&self, handle: Handle, fd: &OwnedFd) {
        if let Some(taken) = self.0.borrow_mut().remove(&handle) {
            taken.leave(fd);
        }
    }
}

impl Taken {
    fn leave(mut self, fd: &OwnedFd) {
        // The same open file: the lock is given back when both are closed.
        self.file.fd = fd.try_clone().ok();
        leave(&self.path, &self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("host-pid-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_longer_number_that_was_there_leaves_nothing_behind() {
        let path = scratch("longer");
        std::fs::write(&path, "4000000000\n").unwrap();
        let (fd, taken) = take_at(path.to_str().unwrap(), Pid(7)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "7\n");
        taken.leave(&fd);
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_took_its_place_is_left_alone() {
        let path = scratch("place");
        let (fd, taken) = take_at(path.to_str().unwrap(), Pid(7)).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another's").unwrap();
        taken.leave(&fd);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another's");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = std::env::temp_dir();
        let link = scratch("link");
        std::os::unix::fs::symlink("/tmp/nowhere", &link).unwrap();
        for (path, errno) in [
            (directory.to_str().unwrap(), Errno::from_raw(21)),
            (link.to_str().unwrap(), Errno::from_raw(40)),
            ("/tmp/no-such-directory/x.pid", Errno::NOENT),
            ("/dev/null", Errno::EXIST),
        ] {
            let refused = take_at(path, Pid(7)).map(|_| ()).unwrap_err();
            assert_eq!(refused, PidFileError::of("open", errno), "{path}");
        }
        std::fs::remove_file(link).unwrap();
    }
}
