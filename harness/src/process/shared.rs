//! What is known of one process and its tree: shared by the test, which waits, and the collector, which watches.

use super::clock::Stopwatch;
use super::family::Family;
use super::lines::Lines;
use super::timeline::{Event, Timeline};
use super::tree::Tree;
use rustix::event::{EventfdFlags, eventfd};
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long until somebody who waits for a birth looks again, if nothing happens meanwhile of which the kernel
/// tells: it tells nobody but the parent of a birth.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How much longer than a look the pause after it is at least: to look costs the tree a processor.
pub(super) const LOOK_SHARE: u32 = 4;

/// One of the two streams in which a process says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "standard output",
            Self::Stderr => "standard error",
        })
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: String,
    pub(super) begun: Stopwatch,
    /// Wakes the collector.
    pub(super) bell: OwnedFd,
    state: Mutex<State>,
    /// Something was collected.
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) family: Family,
    pub(super) timeline: Timeline,
    pub(super) said: [Lines; 2],
    /// Up to which line of each the expectations have read.
    pub(super) read: [u64; 2],
    /// What came through `NOTIFY_SOCKET`, line by line, and how many of them the expectations have read.
    pub(super) notified: Vec<String>,
    pub(super) notified_read: usize,
    /// What is to be written to standard input, and whether that is all.
    pub(super) input: VecDeque<u8>,
    pub(super) is_input_over: bool,
    /// How often the collector was asked to collect all that there is, and how often it has.
    asked: u64,
    pub(super) answered: u64,
    /// Whether the collector runs.
    pub(super) is_collecting: bool,
    /// Whether the tree is gone, and the collector shall end.
    pub(super) is_over: bool,
    /// Whether a failure has been reported.
    pub(super) is_reported: bool,
}

impl State {
    pub(super) fn new(family: Family, timeline: Timeline) -> Self {
        Self {
            family,
            timeline,
            said: Default::default(),
            read: [0; 2],
            notified: Vec::new(),
            notified_read: 0,
            input: VecDeque::new(),
            is_input_over: false,
            asked: 0,
            answered: 0,
            is_collecting: false,
            is_over: false,
            is_reported: false,
        }
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked
    }

    /// Looks at the tree: whether there is somebody new.
    pub(super) fn look(&mut self) -> bool {
        self.family.look(&mut self.timeline)
    }

    pub(super) fn note(&mut self, event: Event) {
        self.timeline.note(event);
    }
}

impl Shared {
    pub(super) fn new(name: String, begun: Stopwatch, bell: OwnedFd, state: State) -> Self {
        Self { name, begun, bell, state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(super) fn bell() -> rustix::io::Result<OwnedFd> {
        eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
    }

    /// A test that fails while it holds this leaves nothing half done: it may be used on.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait that something was collected.
    pub(super) fn tell(&self) {
        self.changed.notify_all();
    }

    /// Wakes the collector.
    pub(super) fn ring(&self) {
        // A counter that is full has been rung already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// Waits until `find` finds something, at most until `bound` after now; whatever is collected is looked at.
    pub(super) fn wait<T>(
        &self,
        bound: Duration,
        mut find: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let watch = Stopwatch::start();
        let mut state = self.lock();
        loop {
            let found = find(&mut state);
            let left = watch.left_of(bound);
            if found.is_some() || left.is_zero() {
                return found;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// As [`Self::wait`], for what only a look at the tree can tell: it is looked at after each event, and
    /// after a short pause if there is none. `find` is called without a lock: it may ask the process anything.
    pub(super) fn wait_looking<T>(
        &self,
        bound: Duration,
        mut find: impl FnMut(&Tree) -> Option<T>,
    ) -> Option<T> {
        let watch = Stopwatch::start();
        loop {
            let looking = Stopwatch::start();
            let mut state = self.lock();
            if state.look() {
                // The collector shall watch for their deaths.
                self.ring();
            }
            let tree = state.family.tree();
            drop(state);
            let pause = LOOK_AGAIN.max(looking.elapsed() * LOOK_SHARE);
            let found = find(&tree);
            let left = watch.left_of(bound);
            if found.is_some() || left.is_zero() {
                return found;
            }
            // What happened between the look and this is found by the next look.
            self.wait_for_anything(left.min(pause));
        }
    }

    /// Waits until something is collected; at most so long.
    pub(super) fn wait_for_anything(&self, bound: Duration) {
        let state = self.lock();
        drop(self.changed.wait_timeout(state, bound));
    }

    /// Looks at the tree, after all was collected that was there.
    pub(super) fn look(&self) -> MutexGuard<'_, State> {
        self.catch_up();
        let mut state = self.lock();
        if state.look() {
            self.ring();
        }
        state
    }

    /// Waits until all was collected that was there before.
    pub(super) fn catch_up(&self) {
        // The collector is one turn of its loop away.
        const BOUND: Duration = Duration::from_secs(5);
        let mut asked = 0;
        let caught_up = |state: &mut State| {
            if asked == 0 {
                state.asked += 1;
                asked = state.asked;
                self.ring();
            }
            (state.answered >= asked || !state.is_collecting).then_some(())
        };
        let _ = self.wait(BOUND, caught_up);
    }
}
