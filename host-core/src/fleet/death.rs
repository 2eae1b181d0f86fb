//! Why a worker died: what the host had ordered, what the kernel told, and how it lived.

use crate::id::WorkerId;
use crate::sys::{ConfineError, ExitStatus, Pid};
use crate::time::{Duration, Instant};
use alloc::collections::VecDeque;
use core::fmt;

/// Why the host asked a worker to end, or ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Intent {
    /// It gave no sign of life for longer than its heartbeat timeout.
    Hung,
    /// It was not ready within its boot timeout.
    NotReady,
    /// The fleet has more workers than are wanted.
    Surplus,
    /// It has served its number of requests, and its replacement is ready.
    ServedEnough,
    /// It had more memory than it may, and its replacement is ready.
    TooLarge,
    /// A worker of a fleet that this one belongs together with has died.
    Sibling,
    /// Its fleet stops because its restart budget is used up.
    FleetStops,
    /// The host drains.
    Drain,
    /// The host stops at once.
    Stop,
}

impl Intent {
    /// Whether the worker was at fault: its death counts as one that nobody asked for.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Hung | Self::NotReady)
    }
}

/// `it was hung`, as in the sentence "killed because …".
impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hung => "it gave no sign of life",
            Self::NotReady => "it was not ready in time",
            Self::Surplus => "there are more workers than wanted",
            Self::ServedEnough => "it has served its number of requests",
            Self::TooLarge => "it had too much memory",
            Self::Sibling => "a worker that it belongs with has died",
            Self::FleetStops => "its fleet has used up its restart budget",
            Self::Drain => "the host drains",
            Self::Stop => "the host stops",
        })
    }
}

/// One death, for the history.
///
/// Intent and status need not agree: a KILL may lose the race against an exit with status 0 (K9). Both
/// are kept; the restart policy goes by the intent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Death {
    /// Who.
    pub worker: WorkerId,
    /// Its number.
    pub pid: Pid,
    /// When the host heard of it.
    pub at: Instant,
    /// How it ended, as the kernel tells.
    pub status: ExitStatus,
    /// Why the host had asked it to end or ended it; `None` if it had not.
    pub intent: Option<Intent>,
    /// The host sent KILL, not merely a signal that asks.
    pub killed: bool,
    /// How long it lived, from the fork.
    pub lived: Duration,
    /// How long it could serve; `None` if it never said that it can.
    pub ready_for: Option<Duration>,
    /// Why it could not confine itself as its fleet says, if it could not: none of its user code has run.
    pub unconfined: Option<ConfineError>,
    /// How old its last sign of life was, as far as the host had looked; `None` if it had seen none.
    pub beat_age: Option<Duration>,
}

/// `worker 3 (incarnation 1), pid 812, ended by signal KILL after 5003 ms, killed because it gave no sign of
/// life; last sign of life 5001 ms ago`.
impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, pid, status, intent, killed, lived, ready_for, unconfined, beat_age, .. } = self;
        write!(f, "{worker}, pid {pid}, ended with {status} after {} ms", lived.as_millis())?;
        match (intent, killed) {
            (Some(intent), true) => write!(f, ", killed because {intent}")?,
            (Some(intent), false) => write!(f, ", asked to because {intent}")?,
            (None, _) => f.write_str(", unasked")?,
        }
        if ready_for.is_none() {
            f.write_str(", before it was ready")?;
        }
        if let Some(error) = unconfined {
            write!(f, "; it could not be confined: {error}")?;
        }
        match beat_age {
            Some(age) => write!(f, "; last seen alive {} ms ago", age.as_millis()),
            None => Ok(()),
        }
    }
}

/// The last deaths of a fleet, bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct History {
    deaths: VecDeque<Death>,
}

impl History {
    /// One more; the oldest is forgotten if there are more than `kept`.
    pub(crate) fn note(&mut self, death: Death, kept: u32) {
        while self.deaths.len() >= kept.max(1) as usize {
            self.deaths.pop_front();
        }
        if kept > 0 {
            self.deaths.push_back(death);
        }
    }

    /// All that are kept, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Death> {
        self.deaths.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{FleetId, Slot};
    use crate::sys::{Errno, Signal, Step};
    use alloc::string::ToString;
    use alloc::vec::Vec;

    const MS: Duration = Duration::from_millis(1);

    fn death(incarnation: u32) -> Death {
        Death {
            worker: WorkerId { fleet: FleetId::new(0), slot: Slot::new(3), incarnation },
            pid: Pid(812),
            at: Instant::ZERO,
            status: ExitStatus::by(Signal::Kill),
            intent: Some(Intent::Hung),
            killed: true,
            lived: 5003 * MS,
            ready_for: Some(5002 * MS),
            unconfined: None,
            beat_age: Some(5001 * MS),
        }
    }

    #[test]
    fn a_death_reads_as_a_sentence() {
        let rows = [
            (
                death(1),
                "worker 3 (incarnation 1), pid 812, ended with signal KILL after 5003 ms, killed because it gave no sign of life; last seen alive 5001 ms ago",
            ),
            (
                Death {
                    status: ExitStatus::Code(70),
                    intent: None,
                    killed: false,
                    ready_for: None,
                    beat_age: None,
                    ..death(2)
                },
                "worker 3 (incarnation 2), pid 812, ended with exit status 70 after 5003 ms, unasked, before it was ready",
            ),
            (
                Death {
                    status: ExitStatus::Code(0),
                    intent: Some(Intent::Surplus),
                    killed: false,
                    beat_age: None,
                    ..death(3)
                },
                "worker 3 (incarnation 3), pid 812, ended with exit status 0 after 5003 ms, asked to because there are more workers than wanted",
            ),
            (
                Death {
                    status: ExitStatus::Code(77),
                    intent: None,
                    killed: false,
                    ready_for: None,
                    beat_age: None,
                    unconfined: Some(ConfineError { step: Step::User, errno: Errno::AGAIN }),
                    ..death(4)
                },
                "worker 3 (incarnation 4), pid 812, ended with exit status 77 after 5003 ms, unasked, before it was ready; it could not be confined: setuid failed: not possible now, try again (EAGAIN)",
            ),
        ];
        for (death, words) in rows {
            assert_eq!(death.to_string(), words);
        }
    }

    #[test]
    fn the_history_keeps_the_youngest() {
        let mut history = History::default();
        for incarnation in 1..=5 {
            history.note(death(incarnation), 3);
        }
        let kept: Vec<_> = history.iter().map(|death| death.worker.incarnation).collect();
        assert_eq!(kept, [3, 4, 5]);
        history.note(death(6), 0);
        assert!(history.iter().next().is_none());
    }

    #[test]
    fn only_a_late_worker_is_at_fault() {
        let faults = [Intent::Hung, Intent::NotReady];
        let others = [
            Intent::Surplus,
            Intent::ServedEnough,
            Intent::TooLarge,
            Intent::Sibling,
            Intent::FleetStops,
            Intent::Drain,
            Intent::Stop,
        ];
        assert!(faults.iter().all(|intent| intent.is_fault()));
        assert!(others.iter().all(|intent| !intent.is_fault()));
    }
}
