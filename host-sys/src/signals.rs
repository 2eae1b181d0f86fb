//! Signals as a descriptor, and giving them back as they were.

use crate::raw::{self, Disposition};
use host_core::sys::Signal;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::cell::RefCell;

/// The size of `struct signalfd_siginfo` (signalfd(2)); its first four bytes are the number.
const SIGINFO_LENGTH: usize = 128;

/// The signals that one [`Linux`](crate::Linux) took over.
#[derive(Default)]
pub(crate) struct Signals {
    /// One entry a signal, in the order in which they were first touched.
    before: RefCell<Vec<Before>>,
}

/// How a signal was before it was touched.
struct Before {
    signal: Signal,
    blocked: bool,
    disposition: Disposition,
}

impl Signals {
    /// Blocks `signals` and gives a descriptor that they are read from.
    pub(crate) fn take(&self, signals: &[Signal]) -> Result<OwnedFd> {
        // First, because it may fail: then nothing has changed.
        let fd = raw::signalfd(signals)?;
        self.remember(signals)?;
        raw::set_blocked(signals, true)?;
        Ok(fd)
    }

    /// Makes each of `signals` end this process at once.
    pub(crate) fn end_process(&self, signals: &[Signal]) -> Result<()> {
        self.remember(signals)?;
        for signal in signals {
            Disposition::default_action().install(*signal)?;
        }
        raw::set_blocked(signals, false)
    }

    /// Makes USR1 the kick.
    pub(crate) fn catch_kick(&self) -> Result<()> {
        self.remember(&[Signal::Usr1])?;
        Disposition::kick().install(Signal::Usr1)?;
        // Whoever started this process may have blocked it: a mask survives fork and exec.
        raw::set_blocked(&[Signal::Usr1], false)
    }

    /// Gives all signals back as they were.
    pub(crate) fn restore(&self) {
        for Before { signal, blocked, disposition } in self.before.take().into_iter().rev() {
            // The disposition first: a signal that is pending strikes when it is unblocked, and belongs to
            // whoever had it before. Neither call can fail with what the kernel itself answered; only KILL
            // and STOP are refused, and those were never changed.
            let _ = disposition.install(signal);
            let _ = raw::set_blocked(&[signal], blocked);
        }
    }

    fn remember(&self, signals: &[Signal]) -> Result<()> {
        let mut all = self.before.borrow_mut();
        for signal in signals.iter().copied() {
            if all.iter().all(|before| before.signal != signal) {
                let (blocked, disposition) = (raw::is_blocked(signal)?, Disposition::of(signal)?);
                all.push(Before { signal, blocked, disposition });
            }
        }
        Ok(())
    }
}

/// Takes one pending signal from a descriptor that [`Signals::take`] gave.
pub(crate) fn read(fd: BorrowedFd<'_>) -> Result<Signal> {
    let mut info = [0; SIGINFO_LENGTH];
    // A buffer for one, so that it takes one and leaves the rest pending.
    let length = rustix::io::read(fd, &mut info)?;
    let number = info[..length].first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    // Only a descriptor that is not one of signals answers anything else.
    number.and_then(Signal::from_number).ok_or(Errno::INVAL)
}
