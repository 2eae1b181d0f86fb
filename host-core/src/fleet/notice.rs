//! What a fleet tells the people who run it.

use crate::fleet::death::{Death, Intent};
use crate::fleet::message::Garbled;
use crate::id::{Slot, WorkerId};
use crate::notice::Level;
use crate::sys::{Errno, ForkError, Pid, Signal};
use crate::time::{Duration, Instant};
use core::fmt;

/// Something that happened in a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FleetNotice {
    /// The fleet begins to fork its workers.
    Starting {
        /// How many are wanted.
        workers: u32,
    },
    /// A worker was forked (preforker: "Created").
    Spawned {
        /// Who.
        worker: WorkerId,
        /// Its number.
        pid: Pid,
    },
    /// A worker could not be forked; it is tried again.
    SpawnFailed {
        /// Who would have been.
        worker: WorkerId,
        /// Why not.
        error: ForkError,
        /// Until the next try.
        retry_after: Duration,
    },
    /// A worker can serve.
    Ready {
        /// Who.
        worker: WorkerId,
        /// How long it took from its fork.
        after: Duration,
    },
    /// A worker has been silent for long.
    Late {
        /// Who.
        worker: WorkerId,
        /// For how long.
        age: Duration,
    },
    /// A worker has asked for more time, and has it.
    Extended {
        /// Who.
        worker: WorkerId,
        /// Until when.
        until: Instant,
    },
    /// A late worker was sent the soft signal, to leave evidence.
    Softened {
        /// Who.
        worker: WorkerId,
        /// The signal.
        signal: Signal,
    },
    /// A worker was killed.
    Killed {
        /// Who.
        worker: WorkerId,
        /// Why.
        intent: Intent,
    },
    /// A late worker is not killed yet: the kill budget is used up.
    KillHeld {
        /// Who.
        worker: WorkerId,
        /// When it is decided again.
        until: Instant,
    },
    /// More workers are late than may be killed: something that all of them wait for is down.
    Outage,
    /// Nobody is late any more whose kill was held back.
    OutageOver,
    /// A worker was asked to end.
    Asked {
        /// Who.
        worker: WorkerId,
        /// Why.
        intent: Intent,
        /// By which signal.
        signal: Signal,
    },
    /// A signal could not be sent.
    SignalFailed {
        /// To whom.
        worker: WorkerId,
        /// Which.
        signal: Signal,
        /// What the system answered.
        errno: Errno,
    },
    /// A worker was stopped by somebody.
    Stopped {
        /// Who.
        worker: WorkerId,
    },
    /// And continued.
    Continued {
        /// Who.
        worker: WorkerId,
    },
    /// A worker has died, and was reaped.
    Died(Death),
    /// A slot waits for its next worker.
    Resting {
        /// Which slot.
        slot: Slot,
        /// How many of its last workers died young, in a row.
        failures: u32,
        /// For how long.
        rest: Duration,
    },
    /// A slot stays empty: its last worker's exit status says so.
    Retired {
        /// Which slot.
        slot: Slot,
    },
    /// A worker has lived long enough: the young deaths before it, in its slot and in the budget, are forgiven.
    Stable {
        /// Who.
        worker: WorkerId,
    },
    /// The restart budget is used up: the fleet is tried again slowly.
    Degraded {
        /// Until each slot's next try.
        retry_after: Duration,
    },
    /// The restart budget is used up: the fleet stops, or its host.
    GivenUp,
    /// A worker has lived long enough: all is well again.
    Recovered,
    /// Another number of workers is wanted.
    Resized {
        /// How many.
        workers: u32,
    },
    /// A worker sent something that is no message.
    Garbled {
        /// Who.
        worker: WorkerId,
        /// What it was like.
        garbled: Garbled,
    },
    /// Nobody is left in the fleet.
    Empty,
}

impl FleetNotice {
    /// How much it matters.
    pub const fn level(&self) -> Level {
        match self {
            Self::Starting { .. }
            | Self::Spawned { .. }
            | Self::Ready { .. }
            | Self::Asked { .. }
            | Self::Continued { .. }
            | Self::OutageOver
            | Self::Stable { .. }
            | Self::Recovered
            | Self::Resized { .. }
            | Self::Retired { .. }
            | Self::Extended { .. }
            | Self::Empty => Level::Info,
            Self::Died(death) => match death.intent {
                Some(intent) if !intent.is_fault() => Level::Info,
                Some(_) | None => Level::Warn,
            },
            Self::SpawnFailed { .. }
            | Self::Late { .. }
            | Self::Softened { .. }
            | Self::Killed { .. }
            | Self::KillHeld { .. }
            | Self::Outage
            | Self::SignalFailed { .. }
            | Self::Stopped { .. }
            | Self::Resting { .. }
            | Self::Degraded { .. }
            | Self::GivenUp
            | Self::Garbled { .. } => Level::Warn,
        }
    }
}

/// The rest of a line that begins with the fleet's name.
impl fmt::Display for FleetNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting { workers } => write!(f, "starting {workers} workers"),
            Self::Spawned { worker, pid } => write!(f, "{worker} created, pid {pid}"),
            Self::SpawnFailed { worker, error, retry_after } => {
                write!(f, "{worker} cannot be created: {error}; again in {} ms", retry_after.as_millis())
            }
            Self::Ready { worker, after } => {
                write!(f, "{worker} is ready after {}.{:03} ms", after.as_millis(), after.as_micros() % 1_000)
            }
            Self::Late { worker, age } => write!(f, "{worker} has been silent for {} ms", age.as_millis()),
            Self::Extended { worker, until } => write!(f, "{worker} may be silent until {until}"),
            Self::Softened { worker, signal } => write!(f, "{worker} is late: sent {signal} before KILL"),
            Self::Killed { worker, intent } => write!(f, "{worker} killed: {intent}"),
            Self::KillHeld { worker, until } => {
                write!(f, "{worker} is late and not killed before {until}: the kill budget is used up")
            }
            Self::Outage => f.write_str(
                "outage: more workers are late than may be killed; look at what all of them wait for",
            ),
            Self::OutageOver => f.write_str("the outage is over"),
            Self::Asked { worker, intent, signal } => write!(f, "{worker} sent {signal}: {intent}"),
            Self::SignalFailed { worker, signal, errno } => {
                write!(f, "{worker} cannot be sent {signal}: {errno}")
            }
            Self::Stopped { worker } => write!(f, "{worker} was stopped by somebody"),
            Self::Continued { worker } => write!(f, "{worker} was continued"),
            Self::Died(death) => write!(f, "{death}"),
            Self::Resting { slot, failures, rest } => write!(
                f,
                "slot {slot}: {failures} workers in a row died young; the next in {} ms",
                rest.as_millis()
            ),
            Self::Stable { worker } => {
                write!(f, "{worker} is stable: the young deaths before it are forgiven")
            }
            Self::Retired { slot } => write!(f, "slot {slot} stays empty, as its exit policy says"),
            Self::Degraded { retry_after } => write!(
                f,
                "degraded: too many workers died young; each slot is tried again after {} ms",
                retry_after.as_millis()
            ),
            Self::GivenUp => f.write_str("given up: too many workers died young"),
            Self::Recovered => f.write_str("recovered"),
            Self::Resized { workers } => write!(f, "{workers} workers are wanted"),
            Self::Garbled { worker, garbled } => write!(f, "{worker} sent no message: {garbled}"),
            Self::Empty => f.write_str("nobody is left"),
        }
    }
}
