//! What a fleet tells the people who run it.

use crate::fleet::death::{Death, Intent};
use crate::fleet::message::Garbled;
use crate::id::{Slot, WorkerId};
use crate::notice::Level;
use crate::sys::{ConfineError, Errno, ForkError, Pid, Signal};
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
    /// The load calls for another number of workers.
    Scaled {
        /// How many are wanted.
        workers: u32,
        /// How many were.
        before: u32,
        /// How many could serve at once, when that was decided.
        idle: u32,
        /// How many could not.
        busy: u32,
    },
    /// A worker has more memory than it may, and is to be replaced.
    TooLarge {
        /// Who.
        worker: WorkerId,
        /// How much, in bytes.
        bytes: u64,
        /// How much it may have.
        bytes_max: u64,
    },
    /// It could not be read how much memory a worker has: until it can be, nobody knows whether that is too much.
    MemoryUnread {
        /// Who.
        worker: WorkerId,
        /// What the system answered.
        errno: Errno,
    },
    /// A worker sent something that is no message.
    Garbled {
        /// Who.
        worker: WorkerId,
        /// What it was like.
        garbled: Garbled,
    },
    /// A worker could not confine itself as its fleet says, and ends before any user code.
    Unconfined {
        /// Who.
        worker: WorkerId,
        /// In which step, and what the system answered.
        error: ConfineError,
    },
    /// Nobody is left in the fleet.
    Empty,
}

impl FleetNotice {
    /// The worker that it is about, if it is about one.
    pub const fn worker(&self) -> Option<WorkerId> {
        match self {
            Self::Spawned { worker, .. }
            | Self::SpawnFailed { worker, .. }
            | Self::Ready { worker, .. }
            | Self::Late { worker, .. }
            | Self::Extended { worker, .. }
            | Self::Softened { worker, .. }
            | Self::Killed { worker, .. }
            | Self::KillHeld { worker, .. }
            | Self::Asked { worker, .. }
            | Self::SignalFailed { worker, .. }
            | Self::Stopped { worker }
            | Self::Continued { worker }
            | Self::Died(Death { worker, .. })
            | Self::Stable { worker }
            | Self::Garbled { worker, .. }
            | Self::Unconfined { worker, .. }
            | Self::TooLarge { worker, .. }
            | Self::MemoryUnread { worker, .. } => Some(*worker),
            Self::Starting { .. }
            | Self::Outage
            | Self::OutageOver
            | Self::Resting { .. }
            | Self::Retired { .. }
            | Self::Degraded { .. }
            | Self::GivenUp
            | Self::Recovered
            | Self::Resized { .. }
            | Self::Scaled { .. }
            | Self::Empty => None,
        }
    }

    /// The number of the process that it is about, if it tells one.
    pub const fn pid(&self) -> Option<Pid> {
        if let Self::Spawned { pid, .. } | Self::Died(Death { pid, .. }) = self { Some(*pid) } else { None }
    }

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
            | Self::Scaled { .. }
            | Self::TooLarge { .. }
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
            | Self::Unconfined { .. }
            | Self::MemoryUnread { .. }
            | Self::Garbled { .. } => Level::Warn,
        }
    }
}

/// The rest of a line that begins with the fleet's name.
impl fmt::Display for FleetNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting { workers: 1 } => f.write_str("starting 1 worker"),
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
            Self::Resized { workers: 1 } => f.write_str("1 worker is wanted"),
            Self::Resized { workers } => write!(f, "{workers} workers are wanted"),
            Self::Scaled { workers, before, idle, busy } => {
                write!(f, "{workers} workers are wanted and not {before}: {idle} idle, {busy} busy")
            }
            Self::TooLarge { worker, bytes, bytes_max } => write!(
                f,
                "{worker} has {:.1} MiB of memory and may have {:.1}: it is replaced",
                mebibytes(*bytes),
                mebibytes(*bytes_max)
            ),
            Self::MemoryUnread { worker, errno } => {
                write!(f, "{worker}: its memory cannot be read: {errno}")
            }
            Self::Garbled { worker, garbled } => write!(f, "{worker} sent no message: {garbled}"),
            Self::Unconfined { worker, error } => {
                write!(f, "{worker} cannot be confined as its fleet says: {error}")
            }
            Self::Empty => f.write_str("nobody is left"),
        }
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::FleetId;
    use crate::sys::{ExitStatus, Step};
    use alloc::string::ToString;

    const MS: Duration = Duration::from_millis(1);
    const WORKER: WorkerId = WorkerId { fleet: FleetId::new(0), slot: Slot::new(3), incarnation: 2 };

    fn died(intent: Option<Intent>) -> FleetNotice {
        FleetNotice::Died(Death {
            worker: WORKER,
            pid: Pid(812),
            at: Instant::ZERO,
            status: ExitStatus::Code(0),
            intent,
            killed: false,
            lived: 7 * MS,
            ready_for: Some(MS),
            unconfined: None,
            beat_age: None,
        })
    }

    #[test]
    fn each_notice_reads_as_a_line_with_its_level() {
        let (worker, slot, until) = (WORKER, Slot::new(3), Instant::from_nanos(2_500_000_000));
        let (signal, intent) = (Signal::Quit, Intent::Surplus);
        let error = ForkError::System { call: "clone3", errno: Errno::AGAIN };
        let garbled = Garbled { first: 9, length: 3 };
        let rows = [
            (FleetNotice::Starting { workers: 4 }, Level::Info, "starting 4 workers"),
            (
                FleetNotice::Spawned { worker, pid: Pid(812) },
                Level::Info,
                "worker 3 (incarnation 2) created, pid 812",
            ),
            (
                FleetNotice::SpawnFailed { worker, error, retry_after: 75 * MS },
                Level::Warn,
                "worker 3 (incarnation 2) cannot be created: clone3 failed: not possible now, try again (EAGAIN); again in 75 ms",
            ),
            (
                FleetNotice::Ready { worker, after: Duration::from_micros(4_087) },
                Level::Info,
                "worker 3 (incarnation 2) is ready after 4.087 ms",
            ),
            (
                FleetNotice::Late { worker, age: 5_000 * MS },
                Level::Warn,
                "worker 3 (incarnation 2) has been silent for 5000 ms",
            ),
            (
                FleetNotice::Extended { worker, until },
                Level::Info,
                "worker 3 (incarnation 2) may be silent until 2.500000s",
            ),
            (
                FleetNotice::Softened { worker, signal: Signal::Abrt },
                Level::Warn,
                "worker 3 (incarnation 2) is late: sent ABRT before KILL",
            ),
            (
                FleetNotice::Killed { worker, intent: Intent::Hung },
                Level::Warn,
                "worker 3 (incarnation 2) killed: it gave no sign of life",
            ),
            (
                FleetNotice::KillHeld { worker, until },
                Level::Warn,
                "worker 3 (incarnation 2) is late and not killed before 2.500000s: the kill budget is used up",
            ),
            (
                FleetNotice::Outage,
                Level::Warn,
                "outage: more workers are late than may be killed; look at what all of them wait for",
            ),
            (FleetNotice::OutageOver, Level::Info, "the outage is over"),
            (
                FleetNotice::Asked { worker, intent, signal },
                Level::Info,
                "worker 3 (incarnation 2) sent QUIT: there are more workers than wanted",
            ),
            (
                FleetNotice::SignalFailed { worker, signal, errno: Errno::ACCES },
                Level::Warn,
                "worker 3 (incarnation 2) cannot be sent QUIT: permission denied (EACCES)",
            ),
            (
                FleetNotice::Stopped { worker },
                Level::Warn,
                "worker 3 (incarnation 2) was stopped by somebody",
            ),
            (FleetNotice::Continued { worker }, Level::Info, "worker 3 (incarnation 2) was continued"),
            (
                died(None),
                Level::Warn,
                "worker 3 (incarnation 2), pid 812, ended with exit status 0 after 7 ms, unasked",
            ),
            (
                died(Some(Intent::NotReady)),
                Level::Warn,
                "worker 3 (incarnation 2), pid 812, ended with exit status 0 after 7 ms, asked to because it was not ready in time",
            ),
            (
                died(Some(Intent::Drain)),
                Level::Info,
                "worker 3 (incarnation 2), pid 812, ended with exit status 0 after 7 ms, asked to because the host drains",
            ),
            (
                FleetNotice::Resting { slot, failures: 2, rest: 75 * MS },
                Level::Warn,
                "slot 3: 2 workers in a row died young; the next in 75 ms",
            ),
            (FleetNotice::Retired { slot }, Level::Info, "slot 3 stays empty, as its exit policy says"),
            (
                FleetNotice::Stable { worker },
                Level::Info,
                "worker 3 (incarnation 2) is stable: the young deaths before it are forgiven",
            ),
            (
                FleetNotice::Degraded { retry_after: 30_000 * MS },
                Level::Warn,
                "degraded: too many workers died young; each slot is tried again after 30000 ms",
            ),
            (FleetNotice::GivenUp, Level::Warn, "given up: too many workers died young"),
            (FleetNotice::Recovered, Level::Info, "recovered"),
            (FleetNotice::Resized { workers: 5 }, Level::Info, "5 workers are wanted"),
            (
                FleetNotice::Scaled { workers: 5, before: 4, idle: 0, busy: 4 },
                Level::Info,
                "5 workers are wanted and not 4: 0 idle, 4 busy",
            ),
            (
                FleetNotice::TooLarge { worker, bytes: 130 << 20, bytes_max: 128_500_000 },
                Level::Info,
                "worker 3 (incarnation 2) has 130.0 MiB of memory and may have 122.5: it is replaced",
            ),
            (
                FleetNotice::MemoryUnread { worker, errno: Errno::ACCES },
                Level::Warn,
                "worker 3 (incarnation 2): its memory cannot be read: permission denied (EACCES)",
            ),
            (
                FleetNotice::Garbled { worker, garbled },
                Level::Warn,
                "worker 3 (incarnation 2) sent no message: 3 bytes that begin with 9 are no message",
            ),
            (
                FleetNotice::Unconfined {
                    worker,
                    error: ConfineError { step: Step::User, errno: Errno::PERM },
                },
                Level::Warn,
                "worker 3 (incarnation 2) cannot be confined as its fleet says: setuid failed: operation not permitted (EPERM)",
            ),
            (FleetNotice::Empty, Level::Info, "nobody is left"),
        ];
        for (notice, level, line) in rows {
            assert_eq!(notice.to_string(), line);
            assert_eq!(notice.level(), level, "{line}");
        }
    }
}
