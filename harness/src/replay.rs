//! Replay: what a recorded host was told, told to a fresh one, which must order the same.
//!
//! ```no_run
//! let replay = harness::replay("/var/tmp/echo.rec")?;
//! println!("{}", replay.summary());
//! replay.check()?;                       // the same decisions, byte for byte
//! replay.fuzz_around(1000).check()?;     // and whatever else might have come of it breaks no rule
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A recording is made by [`App::record`](host_core::App::record), or by [`Sim::recording`](crate::Sim::recording) in
//! a simulated run. It holds facts and no system calls, so that neither the application nor its machine is needed.
//!
//! What a check can find: a decision that depends on something that is no recorded fact; a version of
//! `host-core` that decides otherwise than the one that was recorded; and, around what happened, a panic or a
//! broken invariant.

#![expect(clippy::result_large_err, reason = "a difference is made once, and ends what asked for it")]

mod neighbours;
mod summary;

pub use neighbours::{Broken, Demand, Neighbours};
pub use summary::{Death, Summary};

use crate::check::quiet;
use host_core::action::Action;
use host_core::event::Event;
use host_core::host::Host;
use host_core::record::reader::{Entry, ReadError, Reader};
use host_core::record::writer::order_bytes;
use host_core::record::{Begin, End, Text};
use host_core::time::Instant;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Reads the recording at `path`.
///
/// # Errors
/// If there is no such file, or it is no recording that this version can read to its end.
pub fn replay(path: impl AsRef<Path>) -> Result<Replay, OpenError> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|error| OpenError::File { path: path.to_owned(), error })?;
    Replay::of(bytes).map_err(|error| OpenError::Recording { path: path.to_owned(), error })
}

/// Why a recording cannot be replayed.
#[derive(Debug)]
pub enum OpenError {
    /// The file cannot be read.
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// What is in it is no recording, or was changed.
    Recording {
        /// Which file.
        path: PathBuf,
        /// What was found, and what is wanted.
        error: ReadError,
    },
}

impl std::error::Error for OpenError {}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Recording { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

/// One fact of a recording, and the orders that it brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it was told.
    pub at: Instant,
    /// The fact.
    pub event: Event,
    /// The orders.
    pub orders: Vec<Action>,
}

/// A recording that can be told to a fresh host. It is read anew each time: the facts take ten times the room of the
/// bytes.
#[derive(Clone, Debug)]
pub struct Replay {
    bytes: Vec<u8>,
    begin: Begin,
    text: Text,
    facts: usize,
    end: Option<End>,
    torn: usize,
}

impl Replay {
    /// The recording that these bytes are.
    ///
    /// # Errors
    /// If they are none, or were changed. A tail that is not whole is left out.
    pub fn of(bytes: impl Into<Vec<u8>>) -> Result<Self, ReadError> {
        let bytes = bytes.into();
        let mut reader = Reader::new(&bytes)?;
        let (mut facts, mut end) = (0, None);
        while let Some(entry) = reader.next_entry()? {
            match entry {
                Entry::Event(..) => facts += 1,
                Entry::Action(_) => {}
                Entry::End(found) => end = Some(found),
            }
        }
        let (begin, text, torn) = (reader.begin().clone(), reader.text(), reader.torn());
        Ok(Self { bytes, begin, text, facts, end, torn })
    }

    /// Which host was recorded.
    pub const fn begin(&self) -> &Begin {
        &self.begin
    }

    /// What it was told and what it ordered, in order.
    pub fn steps(&self) -> Steps<'_> {
        Steps { reader: Reader::new(&self.bytes).ok(), next: None }
    }

    /// How many facts it was told.
    pub const fn facts(&self) -> usize {
        self.facts
    }

    /// How the recording ends; `None` if the host was killed, or still runs.
    pub const fn end(&self) -> Option<End> {
        self.end
    }

    /// How many bytes at its end are no whole frame.
    pub const fn torn(&self) -> usize {
        self.torn
    }

    /// What stands in it, for people.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// Tells a fresh host the recorded facts, and demands the recorded orders, byte for byte.
    ///
    /// # Errors
    /// The first fact at which the orders differ, an invariant is broken, or the host panics.
    pub fn check(&self) -> Result<(), Difference> {
        self.check_with(|host, at, event| host.handle_event(at, event.clone()))
    }

    /// As [`check`](Self::check), with a host that is told each fact by `tell`: for trying what a recording finds.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_with(&self, tell: impl Fn(&mut Host, Instant, &Event)) -> Result<(), Difference> {
        let mut host = Host::new(self.begin.config.clone());
        let mut last = (Instant::ZERO, Event::Tick);
        for (number, step) in self.steps().enumerate() {
            last = (step.at, step.event.clone());
            let difference = |how| self.difference(number, (step.at, step.event.clone()), how);
            let given = quiet::run(|| {
                catch_unwind(AssertUnwindSafe(|| {
                    tell(&mut host, step.at, &step.event);
                    std::iter::from_fn(|| host.poll_action()).collect::<Vec<_>>()
                }))
            });
            let given = given.map_err(|payload| difference(How::Panicked(said(&*payload))))?;
            if !self.agrees(number, &step.orders, &given) {
                return Err(difference(How::Orders { recorded: step.orders.clone(), given }));
            }
            if let Some(rule) = host.broken_invariant() {
                return Err(difference(How::Broken(rule)));
            }
        }
        if self.end == Some(End::Host) && !host.is_ended() {
            return Err(self.difference(self.facts.saturating_sub(1), last, How::GoesOn));
        }
        Ok(())
    }

    fn difference(&self, number: usize, (at, event): (Instant, Event), how: How) -> Difference {
        Difference { number, at, event, version: self.begin.version.clone(), how }
    }

    /// Other runs that might as well have come of it: facts a little later or earlier, in another order within one
    /// wake, and wakes that are split and joined. `count` of them are tried.
    pub fn fuzz_around(&self, count: u64) -> Neighbours<'_> {
        Neighbours::new(self, count)
    }

    /// Whether these are the orders of fact `number`. The last fact of a host that was killed may have had more orders
    /// than were written.
    fn agrees(&self, number: usize, recorded: &[Action], given: &[Action]) -> bool {
        let is_cut = number + 1 == self.facts && self.end != Some(End::Host);
        let same_length = recorded.len() == given.len() || is_cut && recorded.len() < given.len();
        let bytes = |action: &Action| order_bytes(self.text, action);
        same_length && recorded.iter().zip(given).all(|(recorded, given)| bytes(recorded) == bytes(given))
    }
}

/// The facts of a recording with their orders: see [`Replay::steps`].
#[derive(Clone, Debug)]
pub struct Steps<'a> {
    /// `None` for what is no recording, which nobody can make a [`Replay`] of.
    reader: Option<Reader<'a>>,
    /// The fact whose orders come next.
    next: Option<Step>,
}

impl Iterator for Steps<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let reader = self.reader.as_mut()?;
        // It was read to its end before.
        while let Ok(Some(entry)) = reader.next_entry() {
            match entry {
                Entry::Event(at, event) => {
                    let step = self.next.replace(Step { at, event, orders: Vec::new() });
                    if step.is_some() {
                        return step;
                    }
                }
                // No host orders anything before its first fact.
                Entry::Action(action) => {
                    if let Some(step) = &mut self.next {
                        step.orders.push(action);
                    }
                }
                Entry::End(_) => {}
            }
        }
        self.next.take()
    }
}

/// Where a fresh host leaves the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The how manyeth fact, from 0.
    pub number: usize,
    /// Its moment.
    pub at: Instant,
    /// The fact.
    pub event: Event,
    /// The version of `host-core` that was recorded.
    pub version: String,
    /// In which way.
    pub how: How,
}

/// In which way a fresh host leaves a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It gives other orders.
    Orders {
        /// Those of the recording.
        recorded: Vec<Action>,
        /// Those of the fresh host.
        given: Vec<Action>,
    },
    /// It breaks an invariant.
    Broken(&'static str),
    /// It panics.
    Panicked(String),
    /// The recorded host had ended, and this one has not.
    GoesOn,
}

impl std::error::Error for Difference {}

/// The fact, then the orders side by side from the first that differs.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, at, event, version, how } = self;
        match how {
            How::Orders { recorded, given } => {
                writeln!(f, "fact {number} at {at} brings about other orders than were recorded")?;
                writeln!(f, "  fact     {event:?}")?;
                let same = recorded.iter().zip(given).take_while(|(one, other)| one == other).count();
                if same > 0 {
                    writeln!(f, "  same     {same} orders")?;
                }
                let told = |orders: &[Action]| {
                    let told: Vec<_> =
                        orders[same.min(orders.len())..].iter().map(|order| format!("{order:?}")).collect();
                    if told.is_empty() { "nothing more".to_owned() } else { told.join("\n           ") }
                };
                writeln!(f, "  recorded {}", told(recorded))?;
                writeln!(f, "  given    {}", told(given))?;
            }
            How::Broken(rule) => {
                writeln!(f, "fact {number} at {at} breaks an invariant: {rule}\n  fact     {event:?}")?;
            }
            How::Panicked(words) => {
                writeln!(f, "fact {number} at {at} makes the host panic: {words}\n  fact     {event:?}")?;
            }
            How::GoesOn => {
                writeln!(f, "after fact {number} at {at} the recorded host had ended, and this one goes on")?;
            }
        }
        write!(f, "  recorded by host-core {version}")
    }
}

/// What a panic said.
fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "nothing printable".to_owned())
}
