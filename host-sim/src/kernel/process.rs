//! What the kernel knows of one process.

use crate::kernel::{Nanos, Pid};
use host_core::service::kick::Site;
use host_core::sys::{Handle, Signal};
use host_core::time::Instant;
use std::collections::VecDeque;
use std::time::Duration;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this status.
    Code(u8),
    /// By this signal.
    Signal(Signal),
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// It has a turn planned.
    Runnable,
    /// It is the one that runs.
    Running,
    /// It waits for something.
    Blocked { interruptible: bool },
    /// It will never run again.
    Ended,
}

/// An open descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Listener(u32),
    Conn { conn: u32, side: u8 },
    Signals,
}

/// A seat for a descriptor: the generation makes a stale handle name nobody.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    generation: u32,
    object: Option<Object>,
}

pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) run: Run,
    /// Which planned turn is the valid one.
    pub(crate) turn: u64,
    /// It has run at all.
    pub(crate) begun: bool,
    pub(crate) stopped: bool,
    /// Its turn came while it was stopped.
    pub(crate) owed: bool,
    pub(crate) interrupted: bool,
    pub(crate) status: Option<ExitStatus>,
    pub(crate) fds: Vec<Seat>,
    pub(crate) open: usize,
    pub(crate) fd_limit: usize,
    // Signals.
    pub(crate) pending: u64,
    pub(crate) blocked: u64,
    pub(crate) signal_handle: Option<Handle>,
    pub(crate) signal_watch: Option<super::poller::Watch>,
    // The poller: handles that may be ready, the longest waiting first.
    pub(crate) ready: VecDeque<Handle>,
    // Heartbeat.
    pub(crate) kick: Option<Duration>,
    pub(crate) beat: Instant,
    pub(crate) site: Site,
    pub(crate) names: Vec<String>,
    /// Lines on standard error.
    pub(crate) said: Vec<String>,
    /// What it is doing, for a report of who is waiting for what.
    pub(crate) doing: &'static str,
    /// How many looks at the poller in a row found nothing, and whether that was asked for.
    pub(crate) empty_looks: u32,
    pub(crate) may_spin: bool,
    /// It hangs in a callback for ever, by a fault.
    pub(crate) hung_since: Option<Nanos>,
}

/// The usual soft limit of open descriptors.
const FD_LIMIT: usize = 1024;

impl Process {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            run: Run::Runnable,
            turn: 0,
            begun: false,
            stopped: false,
            owed: false,
            interrupted: false,
            status: None,
            fds: Vec::new(),
            open: 0,
            fd_limit: FD_LIMIT,
            pending: 0,
            blocked: 0,
            signal_handle: None,
            signal_watch: None,
            ready: VecDeque::new(),
            kick: None,
            beat: Instant::ZERO,
            site: Site::Loop,
            names: Vec::new(),
            said: Vec::new(),
            doing: "starting",
            empty_looks: 0,
            may_spin: false,
            hung_since: None,
        }
    }

    /// Makes every turn planned so far void; the number of the next one.
    pub(crate) fn next_turn(&mut self, run: Run) -> u64 {
        self.run = run;
        self.turn += 1;
        self.turn
    }

    /// Gives a descriptor for `object`; `None` at the limit.
    pub(crate) fn open(&mut self, object: Object) -> Option<Handle> {
        if self.open >= self.fd_limit {
            return None;
        }
        let index = self.fds.iter().position(|seat| seat.object.is_none()).unwrap_or_else(|| {
            self.fds.push(Seat::default());
            self.fds.len() - 1
        });
        self.open += 1;
        self.fds[index].object = Some(object);
        Some(Handle::from_raw(u64::from(self.fds[index].generation) << 32 | index as u64))
    }

    /// What a handle names.
    pub(crate) fn object(&self, handle: Handle) -> Option<Object> {
        let seat = self.fds.get(handle.raw() as u32 as usize)?;
        seat.object.filter(|_| seat.generation == (handle.raw() >> 32) as u32)
    }

    /// Takes a descriptor out.
    pub(crate) fn forget(&mut self, handle: Handle) -> Option<Object> {
        let object = self.object(handle)?;
        let seat = &mut self.fds[handle.raw() as u32 as usize];
        seat.object = None;
        seat.generation += 1;
        self.open -= 1;
        Some(object)
    }

    /// All open handles.
    pub(crate) fn handles(&self) -> Vec<Handle> {
        let open = self.fds.iter().enumerate().filter(|(_, seat)| seat.object.is_some());
        open.map(|(index, seat)| Handle::from_raw(u64::from(seat.generation) << 32 | index as u64)).collect()
    }
}

/// A signal as a bit of a set.
pub(crate) const fn bit(signal: Signal) -> u64 {
    1 << signal.number()
}

/// Who a process waits behind: nobody is called twice for one wake.
pub(crate) type Waiters = Vec<Pid>;
