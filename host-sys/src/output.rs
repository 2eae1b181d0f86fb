//! Pipes for what workers print, and printing.

use crate::handles::Handles;
use host_core::sys::{Handle, StdStream};
use rustix::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Result, fcntl_dupfd_cloexec};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::stdio;

/// Below it are the descriptors that a process begins with.
const FIRST_OF_ONES_OWN: i32 = 3;

/// The reading end, which does not wait, and the writing end, which does.
pub(crate) fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe_with(PipeFlags::CLOEXEC)?;
    // Each end is an open file of its own: this is about the first one only.
    fcntl_setfl(&reading, fcntl_getfl(&reading)? | OFlags::NONBLOCK)?;
    Ok((above_the_standard_ones(reading)?, above_the_standard_ones(writing)?))
}

/// In a process without standard streams an end may get the number of one: then the host would print into its
/// own pipe, and a child that takes it over would have nothing to take over.
fn above_the_standard_ones(end: OwnedFd) -> Result<OwnedFd> {
    if end.as_raw_fd() >= FIRST_OF_ONES_OWN { Ok(end) } else { fcntl_dupfd_cloexec(&end, FIRST_OF_ONES_OWN) }
}

/// In a child: it prints into these from here on. The handles are for the caller to close.
pub(crate) fn take_over(handles: &Handles, [stdout, stderr]: [Handle; 2]) -> Result<()> {
    stdio::dup2_stdout(handles.get(stdout)?.fd.as_fd())?;
    stdio::dup2_stderr(handles.get(stderr)?.fd.as_fd())
}

/// Writes a prefix of `bytes` past the buffers of the standard library.
pub(crate) fn print(stream: StdStream, bytes: &[u8]) -> Result<usize> {
    match stream {
        StdStream::Stdout => rustix::io::write(std::io::stdout().as_fd(), bytes),
        StdStream::Stderr => rustix::io::write(std::io::stderr().as_fd(), bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn only_the_reading_end_does_not_wait_and_neither_is_inherited_by_a_program() {
        let (reading, writing) = pipe().unwrap();
        for (end, waits) in [(&reading, false), (&writing, true)] {
            assert_eq!(!fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK), waits);
            let flags = rustix::io::fcntl_getfd(end).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        }
        assert_eq!(rustix::io::read(&reading, &mut [0; 8]), Err(Errno::AGAIN));
    }
}
