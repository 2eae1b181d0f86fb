//! Deadlines, the earliest first.

use crate::id::{FleetId, ServiceId, Slot, SocketId, WorkerId};
use crate::time::Instant;
use alloc::collections::{BTreeMap, BTreeSet};
use core::fmt;

/// When to do what. Ties are broken in the order of this list, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// When the turn ends although nothing happened.
    PollPeriod,
    /// When to call `connect` again.
    Reconnect(ServiceId),
    /// When to call `wake`.
    Wake(ServiceId),
    /// When to accept again after descriptors or memory ran out.
    AcceptRest(SocketId),
    /// When the services of a drain must have finished.
    DrainEnd,
    /// When to read the beats of a fleet: the earliest moment at which somebody could be late.
    Look(FleetId),
    /// When a worker must be ready.
    Boot(WorkerId),
    /// When a worker that was asked to end is killed.
    Grace(WorkerId),
    /// When a worker has lived long enough to be forgiven the deaths of its predecessors.
    Stable(WorkerId),
    /// When a slot gets its next worker.
    Respawn(FleetId, Slot),
    /// When to fork again after a fork failed.
    ForkAgain(FleetId),
    /// When to tell workers their lanes again after that failed.
    MindAgain(FleetId),
    /// When to read how much memory the workers of a fleet have.
    Sample(FleetId),
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PollPeriod => f.write_str("end of the poll period"),
            Self::Reconnect(service) => write!(f, "reconnect of {service}"),
            Self::Wake(service) => write!(f, "wake of {service}"),
            Self::AcceptRest(socket) => write!(f, "end of the accept rest of {socket}"),
            Self::DrainEnd => f.write_str("end of the drain"),
            Self::Look(fleet) => write!(f, "look at the beats of {fleet}"),
            Self::Boot(worker) => write!(f, "boot timeout of {worker} of {}", worker.fleet),
            Self::Grace(worker) => write!(f, "end of the grace of {worker} of {}", worker.fleet),
            Self::Stable(worker) => write!(f, "stability of {worker} of {}", worker.fleet),
            Self::Respawn(fleet, slot) => write!(f, "next worker in slot {slot} of {fleet}"),
            Self::ForkAgain(fleet) => write!(f, "next fork for {fleet}"),
            Self::Sample(fleet) => write!(f, "look at the memory of {fleet}"),
            Self::MindAgain(fleet) => write!(f, "next word about the lanes of {fleet}"),
        }
    }
}

/// A moment and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// What for.
    pub timer: Timer,
}

/// The set timers: at most one moment each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Timers {
    at: BTreeMap<Timer, Instant>,
    order: BTreeSet<Deadline>,
}

impl Timers {
    /// Sets `timer` to `at`, whatever it was before.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.clear(timer);
        self.at.insert(timer, at);
        self.order.insert(Deadline { at, timer });
    }

    /// Takes `timer` back.
    pub(crate) fn clear(&mut self, timer: Timer) {
        if let Some(at) = self.at.remove(&timer) {
            self.order.remove(&Deadline { at, timer });
        }
    }

    /// When `timer` is set to come.
    pub(crate) fn at(&self, timer: Timer) -> Option<Instant> {
        self.at.get(&timer).copied()
    }

    /// The earliest.
    pub(crate) fn next(&self) -> Option<Deadline> {
        self.order.first().copied()
    }

    /// Takes out the earliest if its moment has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let Deadline { timer, .. } = self.next().filter(|deadline| deadline.at <= now)?;
        self.clear(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    const A: ServiceId = ServiceId::new(0);
    const B: ServiceId = ServiceId::new(1);
    const F: FleetId = FleetId::new(0);
    const W: WorkerId = WorkerId { fleet: F, slot: Slot::new(3), incarnation: 2 };

    fn at(nanos: u64) -> Instant {
        Instant::from_nanos(nanos)
    }

    #[test]
    fn due_timers_come_in_order_of_time_then_kind_then_id() {
        let mut timers = Timers::default();
        timers.set(Timer::Wake(A), at(5));
        timers.set(Timer::Reconnect(B), at(5));
        timers.set(Timer::Reconnect(A), at(5));
        timers.set(Timer::Wake(B), at(4));
        timers.set(Timer::AcceptRest(SocketId::new(0, 0)), at(6));
        assert_eq!(timers.pop_due(at(3)), None);
        let due: Vec<_> = core::iter::from_fn(|| timers.pop_due(at(5))).collect();
        assert_eq!(due, [Timer::Wake(B), Timer::Reconnect(A), Timer::Reconnect(B), Timer::Wake(A)]);
        assert_eq!(timers.next().unwrap().at, at(6));
    }

    #[test]
    fn setting_again_replaces_and_clearing_takes_back() {
        let mut timers = Timers::default();
        timers.set(Timer::Wake(A), at(5));
        timers.set(Timer::Wake(A), at(9));
        assert_eq!(timers.pop_due(at(8)), None);
        assert_eq!(timers.next(), Some(Deadline { at: at(9), timer: Timer::Wake(A) }));
        timers.clear(Timer::Wake(A));
        timers.clear(Timer::Wake(A));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn each_timer_says_what_it_is_for() {
        let rows = [
            (Timer::PollPeriod, "end of the poll period"),
            (Timer::Reconnect(A), "reconnect of service 0"),
            (Timer::Wake(B), "wake of service 1"),
            (Timer::AcceptRest(SocketId::new(2, 1)), "end of the accept rest of socket 2.1"),
            (Timer::Look(F), "look at the beats of fleet 0"),
            (Timer::Boot(W), "boot timeout of worker 3 (incarnation 2) of fleet 0"),
            (Timer::Grace(W), "end of the grace of worker 3 (incarnation 2) of fleet 0"),
            (Timer::Stable(W), "stability of worker 3 (incarnation 2) of fleet 0"),
            (Timer::Respawn(F, Slot::new(3)), "next worker in slot 3 of fleet 0"),
            (Timer::ForkAgain(F), "next fork for fleet 0"),
            (Timer::Sample(F), "look at the memory of fleet 0"),
            (Timer::MindAgain(F), "next word about the lanes of fleet 0"),
        ];
        for (timer, words) in rows {
            assert_eq!(timer.to_string(), words);
        }
    }
}
