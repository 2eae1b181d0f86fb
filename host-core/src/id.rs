//! The names of things: small, ordered, never reused for something else.

use crate::sys::StdStream;
use core::fmt;

/// A hosted service: 0..n, dense, in order of addition. Never reused within one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ServiceId(u32);

impl ServiceId {
    /// The service added as number `index` (0-based).
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place in order of addition, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The same number as it is packed into a heartbeat word.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}", self.0)
    }
}

/// One open socket of one service.
///
/// The index is a seat that is reused; the generation is the nth socket to sit there. So a report of
/// readiness that arrives after the socket was closed names nobody and is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(
    /// The generation above the index, in one word: it is compared in every author's map of sockets, and is
    /// the poller's key.
    u64,
);

impl SocketId {
    /// The `generation`th socket in seat `index`.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | index as u64)
    }

    /// The seat, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as u32 as usize
    }

    /// How many sockets sat here before.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The id as a poller key.
    pub const fn key(self) -> u64 {
        self.0
    }

    /// The id that [`key`](Self::key) was made from.
    pub const fn from_key(key: u64) -> Self {
        Self(key)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket {}.{}", self.index(), self.generation())
    }
}

/// One fleet of a host, in the order of addition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FleetId(u16);

impl FleetId {
    /// How many fleets a host can have: what a poller key has room for.
    pub const COUNT_MAX: usize = 1 << 12;

    /// The fleet of this number, from 0.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number, from 0.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The number, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for FleetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fleet {}", self.0)
    }
}

/// A stable seat in a fleet, from 0; it outlives the workers that sit there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Slot(u16);

impl Slot {
    /// How many slots a fleet can have: what a poller key has room for.
    pub const COUNT_MAX: usize = 1 << 16;

    /// The slot of this number, from 0.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// The number, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The nth worker to sit in a slot. A late fact about an earlier one names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct WorkerId {
    /// Its fleet.
    pub fleet: FleetId,
    /// Where it sits.
    pub slot: Slot,
    /// The how manyeth to sit there, from 1.
    pub incarnation: u32,
}

/// What the poller reports of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkerHandle {
    /// The process itself: readable when it has ended.
    Process,
    /// The host's end of its channel.
    Channel,
    /// Where the host reads what it prints.
    Output(StdStream),
}

impl WorkerId {
    /// Set in the poller key of every worker, and of no socket: those count up from zero.
    const MARK: u64 = 1 << 63;
    const CHANNEL: u64 = 1 << 62;
    const STDOUT: u64 = 1 << 61;
    const STDERR: u64 = 1 << 60;

    /// The poller key of one of its handles.
    pub const fn key(self, handle: WorkerHandle) -> u64 {
        let handle = match handle {
            WorkerHandle::Process => 0,
            WorkerHandle::Channel => Self::CHANNEL,
            WorkerHandle::Output(StdStream::Stdout) => Self::STDOUT,
            WorkerHandle::Output(StdStream::Stderr) => Self::STDERR,
        };
        Self::MARK
            | handle
            | (self.fleet.0 as u64) << 48
            | (self.slot.0 as u64) << 32
            | self.incarnation as u64
    }

    /// The worker and its handle that [`key`](Self::key) was made from; `None` for the key of something else.
    pub const fn from_key(key: u64) -> Option<(Self, WorkerHandle)> {
        if key & Self::MARK == 0 || key == u64::MAX {
            return None;
        }
        let handle = match key & (Self::CHANNEL | Self::STDOUT | Self::STDERR) {
            0 => WorkerHandle::Process,
            Self::STDOUT => WorkerHandle::Output(StdStream::Stdout),
            Self::STDERR => WorkerHandle::Output(StdStream::Stderr),
            _ => WorkerHandle::Channel,
        };
        let fleet = FleetId((key >> 48) as u16 & (Self::FLEETS - 1));
        let worker = Self { fleet, slot: Slot((key >> 32) as u16), incarnation: key as u32 };
        Some((worker, handle))
    }

    const FLEETS: u16 = FleetId::COUNT_MAX as u16;
}

/// `worker 3 (incarnation 1)`.
impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {} (incarnation {})", self.slot, self.incarnation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_survives_the_poller_key_and_is_never_taken_for_a_socket() {
        for (fleet, slot, incarnation) in [(0, 0, 0), (0, 0, 1), (4095, u16::MAX, u32::MAX - 1), (7, 300, 9)]
        {
            let worker = WorkerId { fleet: FleetId::new(fleet), slot: Slot::new(slot), incarnation };
            let output = StdStream::ALL.map(WorkerHandle::Output);
            for handle in [WorkerHandle::Process, WorkerHandle::Channel].into_iter().chain(output) {
                assert_eq!(WorkerId::from_key(worker.key(handle)), Some((worker, handle)));
            }
        }
        assert_eq!(WorkerId::from_key(SocketId::new(u32::MAX, 7).key()), None);
        assert_eq!(WorkerId::from_key(u64::MAX), None);
    }

    #[test]
    fn a_socket_id_survives_the_poller_key() {
        for (index, generation) in [(0, 0), (1, 0), (0, 1), (u32::MAX, 7), (7, u32::MAX)] {
            let id = SocketId::new(index, generation);
            assert_eq!(SocketId::from_key(id.key()), id);
            assert_eq!((id.index(), id.generation()), (index as usize, generation));
        }
    }
}
