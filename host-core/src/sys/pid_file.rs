//! Pid files: whose it is, is told by a lock, and not by the number in it.
//!
//! The lock is that of an open file (flock(2)): it ends with the last descriptor of it, so with a host that is
//! killed; workers have none. A lock of fcntl(2) would go with any descriptor of the file that is closed (K19).
//!
//! In which order the system calls come is decided here, once for every world: a simulation may so end a host between
//! any two of them, and have another one run there.

use super::{Errno, Pid};
use alloc::format;

/// How often somebody else may remove the file between its opening and its lock.
const ATTEMPTS: u32 = 100;
/// No number has as many digits.
const NUMBER_LENGTH_MAX: usize = 20;
/// No pid file has as many bytes.
const TEXT_MAX: usize = 1024;

/// Why a process cannot have a pid file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PidFileError {
    /// Another process that lives has it.
    #[error("{}", taken(*by))]
    Taken {
        /// The number that stands in it, if a number does: of whom it is while that process has it.
        by: Option<Pid>,
    },
    /// More than one word stands in it: it is something else, and was left as it is.
    #[error("has other content than a process number: take another path, or remove the file")]
    Foreign,
    /// A system call answered this.
    #[error("{call} failed: {errno}")]
    System {
        /// The system call.
        call: &'static str,
        /// What it answered.
        errno: Errno,
    },
}

impl PidFileError {
    /// For implementations of [`Sys`](super::Sys): `errno` was the answer of `call`.
    pub const fn of(call: &'static str, errno: Errno) -> Self {
        Self::System { call, errno }
    }
}

/// For implementations of [`Sys`](super::Sys): the system calls that a pid file takes, at one path, a method each.
pub trait PidFileCalls {
    /// The file, open. Whoever has it keeps its lock; so it is not closed by being dropped, but by [`close`](Self::close).
    type File;

    /// Opens the file for reading and writing, or makes it (open(2), O_CREAT).
    ///
    /// # Errors
    /// [`Errno::EXIST`] if something else is there than a file; whatever open(2) answers.
    fn open(&self) -> Result<Self::File, Errno>;

    /// Locks the file, if nobody else has (flock(2), LOCK_EX and LOCK_NB).
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if somebody else has.
    fn lock(&self, file: &Self::File) -> Result<(), Errno>;

    /// Whether the path names this very file (stat(2)).
    fn is_there(&self, file: &Self::File) -> bool;

    /// Reads from the beginning (pread(2)).
    ///
    /// # Errors
    /// Whatever pread(2) answers.
    fn read(&self, file: &Self::File, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Takes all out of the file (ftruncate(2)).
    ///
    /// # Errors
    /// Whatever ftruncate(2) answers.
    fn empty(&self, file: &Self::File) -> Result<(), Errno>;

    /// Writes at the beginning (pwrite(2)); a disk that is full may take a part.
    ///
    /// # Errors
    /// Whatever pwrite(2) answers.
    fn write(&self, file: &Self::File, bytes: &[u8]) -> Result<usize, Errno>;

    /// Removes what the path names (unlink(2)).
    ///
    /// # Errors
    /// Whatever unlink(2) answers.
    fn unlink(&self) -> Result<(), Errno>;

    /// Closes the file, and gives the lock back with it.
    fn close(&self, file: Self::File);
}

/// Makes a pid file that of process `pid`: it is that until it is [left](leave) and closed.
///
/// # Errors
/// As [`Sys::pid_file`](super::Sys::pid_file).
pub fn take<C: PidFileCalls>(calls: &C, pid: Pid) -> Result<C::File, PidFileError> {
    for _ in 0..ATTEMPTS {
        let file = calls.open().map_err(failed("open"))?;
        match occupy(calls, &file, pid) {
            Ok(true) => return Ok(file),
            Ok(false) => calls.close(file),
            Err(error) => {
                calls.close(file);
                return Err(error);
            }
        }
    }
    Err(PidFileError::of("open", Errno::AGAIN))
}

/// Before the file is closed: removes it, unless another one has its place. One that may not be removed, as in a directory
/// to which the process may not write, is left empty: its number may be anybody's from here on.
pub fn leave<C: PidFileCalls>(calls: &C, file: &C::File) {
    // It is locked: nobody who wants it has it, and whoever removes it by hand wants the same.
    if calls.is_there(file) && calls.unlink().is_err() {
        // At least it names nobody any more.
        let _ = calls.empty(file);
    }
}

/// Takes an open file; whether it has a name still.
fn occupy<C: PidFileCalls>(calls: &C, file: &C::File, pid: Pid) -> Result<bool, PidFileError> {
    match calls.lock(file) {
        Ok(()) => {}
        Err(Errno::AGAIN) => return Err(PidFileError::Taken { by: number(calls, file) }),
        Err(errno) => return Err(failed("flock")(errno)),
    }
    // Whoever had it may have removed it before it gave the lock back: then it has no name any more.
    if !calls.is_there(file) {
        return Ok(false);
    }
    if is_text(calls, file).map_err(failed("read"))? {
        return Err(PidFileError::Foreign);
    }
    write(calls, file, pid).inspect_err(|_| leave(calls, file))?;
    Ok(true)
}

/// Empties the file and writes the number into it: who reads it meanwhile finds nothing, or all of it.
fn write<C: PidFileCalls>(calls: &C, file: &C::File, pid: Pid) -> Result<(), PidFileError> {
    calls.empty(file).map_err(failed("ftruncate"))?;
    let line = format!("{pid}\n");
    // A disk that is nearly full would take some digits of it, which are the number of another process. So the room comes
    // first: of what stands there already, no part is ever refused.
    write_whole(calls, file, "\n".repeat(line.len()).as_bytes())?;
    write_whole(calls, file, line.as_bytes())
}

fn write_whole<C: PidFileCalls>(calls: &C, file: &C::File, bytes: &[u8]) -> Result<(), PidFileError> {
    match calls.write(file, bytes).map_err(failed("write"))? {
        written if written == bytes.len() => Ok(()),
        _ => Err(PidFileError::of("write", Errno::NOSPC)),
    }
}

/// The number in a file, if it is one.
fn number<C: PidFileCalls>(calls: &C, file: &C::File) -> Option<Pid> {
    let mut text = [0; NUMBER_LENGTH_MAX];
    let length = calls.read(file, &mut text).ok()?;
    number_in(&text[..length])
}

fn number_in(text: &[u8]) -> Option<Pid> {
    let number = str::from_utf8(text).ok()?.trim().parse().ok()?;
    (number > 0).then_some(Pid(number))
}

/// Whether it is something else than a pid file, such as a log or settings: it has more than one word. A single one that
/// is no number is what somebody has left of one.
fn is_text<C: PidFileCalls>(calls: &C, file: &C::File) -> Result<bool, Errno> {
    let mut text = [0; TEXT_MAX];
    let length = calls.read(file, &mut text)?;
    let words = text[..length].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    Ok(length == TEXT_MAX || words.count() > 1)
}

fn failed(call: &'static str) -> impl Fn(Errno) -> PidFileError {
    move |errno| PidFileError::of(call, errno)
}

fn taken(by: Option<Pid>) -> alloc::string::String {
    match by {
        Some(pid) => alloc::format!("process {pid} runs and has it: stop that one, or take another path"),
        None => "a process that runs has it: stop that one, or take another path".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(number_in(text.as_bytes()), expected.map(Pid), "{text:?}");
        }
    }
}
