//! Signals as a descriptor, and giving them back as they were.

use crate::raw::{self, Disposition};
use host_core::sys::Signal;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::process::getpid;
use std::cell::RefCell;

/// The size of `struct signalfd_siginfo` (signalfd(2)).
const SIGINFO_LENGTH: usize = 128;
/// Where it has the number (`ssi_signo`) and the origin (`ssi_code`), of four bytes each.
const NUMBER: usize = 0;
const ORIGIN: usize = 8;

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
        if signals.contains(&Signal::Chld) {
            // Where it is ignored, the kernel sends none.
            self.keep_children()?;
        }
        raw::set_blocked(signals, true)?;
        Ok(fd)
    }

    /// Makes children that end wait for their parent. Whoever started this process may have ignored CHLD,
    /// which survives exec: the kernel would reap them itself, and how they ended would be lost (K22).
    pub(crate) fn keep_children(&self) -> Result<()> {
        if Disposition::of(Signal::Chld)?.discards_children() {
            self.remember(&[Signal::Chld])?;
            Disposition::default_action().install(Signal::Chld)?;
        }
        Ok(())
    }

    /// Makes each of `signals` end this process at once.
    pub(crate) fn end_process(&self, signals: &[Signal]) -> Result<()> {
        self.remember(signals)?;
        let end = if getpid().is_init() {
            // The kernel drops what would end the first process of a container by default (pid_namespaces(7)).
            Disposition::exit_by_signal()
        } else {
            Disposition::default_action()
        };
        for signal in signals {
            end.install(*signal)?;
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
    loop {
        let mut info = [0; SIGINFO_LENGTH];
        // A buffer for one, so that it takes one and leaves the rest pending. The kernel writes all of it
        // or fails; what is not a descriptor of signals may write less.
        let length = rustix::io::read(fd, &mut info)?;
        let number = word(&info[..length], NUMBER).ok_or(Errno::INVAL)?;
        let signal = Signal::from_number(number).ok_or(Errno::INVAL)?;
        let origin = word(&info[..length], ORIGIN).ok_or(Errno::INVAL)?;
        if !is_about_the_window(signal, origin.cast_signed()) {
            return Ok(signal);
        }
    }
}

/// Whether a terminal means its window, or who may use it, by a signal that means workers when a process
/// sends it. What the kernel sends by itself has an origin above zero (sigaction(2), `si_code`).
fn is_about_the_window(signal: Signal, origin: i32) -> bool {
    matches!(signal, Signal::Ttin | Signal::Ttou | Signal::Winch) && origin > 0
}

fn word(info: &[u8], at: usize) -> Option<u32> {
    info.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_sends_is_about_its_window() {
        // SI_KERNEL, SI_USER, SI_QUEUE, SI_TKILL.
        for (origin, by_kernel) in [(0x80, true), (0, false), (-1, false), (-6, false)] {
            for signal in Signal::ALL.iter().copied() {
                let of_terminals = matches!(signal.name(), "TTIN" | "TTOU" | "WINCH");
                assert_eq!(
                    is_about_the_window(signal, origin),
                    by_kernel && of_terminals,
                    "{signal} {origin}"
                );
            }
        }
    }
}
