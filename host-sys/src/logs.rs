//! Files that are appended to: the log, and what a process prints on.

use crate::raw;
use host_core::sys::StdStream;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{self, CWD, FileType, Mode, OFlags};
use rustix::io::{self, Errno, Result};
use rustix::process::{Resource, getrlimit};
use rustix::stdio::{dup2_stderr, dup2_stdout};

/// Opens a log. Without waiting for a reader, where it is a pipe; and never the controlling terminal.
pub(crate) fn open(path: &str) -> Result<OwnedFd> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC | OFlags::NOCTTY;
    let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
    fs::openat(CWD, path, flags | OFlags::NONBLOCK, mode)
}

/// Writes as much as the size that a file of this process may have allows: beyond it the kernel sends XFSZ, which
/// ends the process (setrlimit(2)); somebody may change that at any time (prlimit(2)).
pub(crate) fn write(log: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize> {
    let mut room = bytes.len();
    if let Some(size_max) = getrlimit(Resource::Fsize).current {
        let there = fs::fstat(log)?;
        if FileType::from_raw_mode(there.st_mode) == FileType::RegularFile {
            let left = size_max.saturating_sub(there.st_size.cast_unsigned());
            room = usize::try_from(left).unwrap_or(usize::MAX).min(room);
        }
    }
    if room == 0 && !bytes.is_empty() {
        return Err(Errno::FBIG);
    }
    io::write(log, &bytes[..room])
}

/// Makes the file at `path` what this process prints on.
pub(crate) fn redirect(output: StdStream, path: &str) -> Result<()> {
    let file = open(path)?;
    // Whoever prints expects to wait for a reader, not an error.
    let flags = fs::fcntl_getfl(&file)?;
    fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    match output {
        StdStream::Stdout => dup2_stdout(file)?,
        StdStream::Stderr => dup2_stderr(file)?,
    }
    raw::remember_output(output);
    Ok(())
}
