//! Pid files: whose it is, is told by a lock, and not by the number in it.
//!
//! The lock is that of an open file (flock(2)): it ends with the last descriptor of it, so with a host that is
//! killed; workers have none. A lock of fcntl(2) would go with any descriptor of the file that is closed (K19).

use host_core::sys::{Handle, Pid, PidFileError};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{
    CWD, FileType, FlockOperation, Mode, OFlags, Stat, flock, fstat, ftruncate, openat, stat, unlink,
};
use rustix::io::{Errno, pread, pwrite};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How often somebody else may remove the file between its opening and its lock.
const ATTEMPTS: u32 = 100;
/// No number has as many digits.
const NUMBER_LENGTH_MAX: usize = 20;
/// No pid file has as many bytes.
const TEXT_MAX: usize = 1024;

/// The pid files that one [`Linux`](crate::Linux) has; a child has none.
#[derive(Debug, Default)]
pub(crate) struct PidFiles(RefCell<BTreeMap<Handle, Taken>>);

/// A pid file that is this process's.
#[derive(Debug)]
pub(crate) struct Taken {
    /// From the root, for the working directory may change.
    path: PathBuf,
    /// Which file it is: another one at the same path is another host's.
    device: u64,
    inode: u64,
}

/// Makes the file at `path` that of process `pid`.
pub(crate) fn take(path: &str, pid: Pid) -> Result<(OwnedFd, Taken), PidFileError> {
    let path = std::path::absolute(path).map_err(|error| {
        // An empty path, or a working directory that is gone.
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::NOENT);
        failed("getcwd", errno)
    })?;
    for _ in 0..ATTEMPTS {
        let fd = open(&path)?;
        match flock(&fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(PidFileError::Taken { by: number(fd.as_fd()) }),
            Err(errno) => return Err(failed("flock", errno)),
        }
        let found = fstat(&fd).map_err(|errno| failed("fstat", errno))?;
        let taken = Taken { path: path.clone(), device: found.st_dev, inode: found.st_ino };
        // Whoever had it may have removed it before it gave the lock back: then it has no name any more.
        if !taken.is_there() {
            continue;
        }
        if is_text(fd.as_fd()).map_err(|errno| failed("read", errno))? {
            return Err(PidFileError::Foreign);
        }
        if let Err(error) = write(fd.as_fd(), pid) {
            taken.remove(fd.as_fd());
            return Err(error);
        }
        return Ok((fd, taken));
    }
    Err(failed("open", Errno::AGAIN))
}

fn open(path: &Path) -> Result<OwnedFd, PidFileError> {
    // Not one that somebody has put there for root to follow, nor one that waits for its other end.
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
    let fd = openat(CWD, path, flags, mode).map_err(|errno| failed("open", errno))?;
    let found = fstat(&fd).map_err(|errno| failed("fstat", errno))?;
    if FileType::from_raw_mode(found.st_mode) == FileType::RegularFile {
        Ok(fd)
    } else {
        Err(failed("open", Errno::EXIST))
    }
}

/// Empties the file and writes the number into it: who reads it meanwhile finds nothing, or all of it.
fn write(file: BorrowedFd<'_>, pid: Pid) -> Result<(), PidFileError> {
    ftruncate(file, 0).map_err(|errno| failed("ftruncate", errno))?;
    let line = format!("{pid}\n");
    match pwrite(file, line.as_bytes(), 0).map_err(|errno| failed("write", errno))? {
        written if written == line.len() => Ok(()),
        _ => Err(failed("write", Errno::NOSPC)),
    }
}

/// The number in a file, if it is one.
fn number(file: BorrowedFd<'_>) -> Option<Pid> {
    let mut text = [0; NUMBER_LENGTH_MAX];
    let length = pread(file, &mut text, 0).ok()?;
    let number = str::from_utf8(&text[..length]).ok()?.trim().parse().ok()?;
    (number > 0).then_some(Pid(number))
}

/// Whether it is something else than a pid file, such as a log or settings: it has more than one word. A single one that
/// is no number is what somebody has left of one.
fn is_text(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mut text = [0; TEXT_MAX];
    let length = pread(file, &mut text, 0)?;
    let words = text[..length].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    Ok(length == TEXT_MAX || words.count() > 1)
}

fn failed(call: &'static str, errno: Errno) -> PidFileError {
    PidFileError::of(call, crate::linux::errno(errno))
}

impl Taken {
    /// Whether the path names this very file.
    fn is_there(&self) -> bool {
        let ours = |found: Stat| (found.st_dev, found.st_ino) == (self.device, self.inode);
        stat(&self.path).is_ok_and(ours)
    }

    /// `file` is what it was taken by.
    fn remove(&self, file: BorrowedFd<'_>) {
        // It is locked: nobody who wants it has it, and whoever removes it by hand wants the same.
        if self.is_there() && unlink(&self.path).is_err() {
            // Who may not write to the directory may write to the file: at least it names nobody any more.
            let _ = ftruncate(file, 0);
        }
    }
}

impl PidFiles {
    pub(crate) fn add(&self, handle: Handle, taken: Taken) {
        self.0.borrow_mut().insert(handle, taken);
    }

    /// Removes the file of a handle that is about to be closed, and unlocked by that.
    pub(crate) fn leave(&self, handle: Handle, file: BorrowedFd<'_>) {
        if let Some(taken) = self.0.borrow_mut().remove(&handle) {
            taken.remove(file);
        }
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
    fn what_is_no_number_names_nobody() {
        for (text, expected) in [
            ("17\n", Some(17)),
            (" 17", Some(17)),
            ("", None),
            ("0\n", None),
            ("-1\n", None),
            ("seventeen\n", None),
            ("99999999999999999999", None),
        ] {
            let path = scratch("number");
            std::fs::write(&path, text).unwrap();
            let file = std::fs::File::open(&path).unwrap();
            assert_eq!(number(file.as_fd()), expected.map(Pid), "{text:?}");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_longer_number_that_was_there_leaves_nothing_behind() {
        let path = scratch("longer");
        std::fs::write(&path, "4000000000\n").unwrap();
        let (fd, taken) = take(path.to_str().unwrap(), Pid(7)).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "7\n");
        taken.remove(fd.as_fd());
        assert!(!path.exists());
    }

    #[test]
    fn a_file_that_took_its_place_is_left_alone() {
        let path = scratch("place");
        let (fd, taken) = take(path.to_str().unwrap(), Pid(7)).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "another's").unwrap();
        taken.remove(fd.as_fd());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "another's");
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = std::env::temp_dir();
        let link = scratch("link");
        std::os::unix::fs::symlink("/tmp/nowhere", &link).unwrap();
        for (path, errno) in [
            (directory.to_str().unwrap(), host_core::sys::Errno::from_raw(21)),
            (link.to_str().unwrap(), host_core::sys::Errno::from_raw(40)),
            ("/tmp/no-such-directory/x.pid", host_core::sys::Errno::NOENT),
            ("/dev/null", host_core::sys::Errno::EXIST),
        ] {
            let refused = take(path, Pid(7)).map(|_| ()).unwrap_err();
            assert_eq!(refused, PidFileError::of("open", errno), "{path}");
        }
        std::fs::remove_file(link).unwrap();
    }
}
