//! A snapshot of a fleet, for the application to read.

use crate::fleet::beat::Beat;
use crate::fleet::counters::Counters;
use crate::fleet::death::{Death, Intent};
use crate::id::{Slot, WorkerId};
use crate::sys::Pid;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;

/// How a fleet is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Health {
    /// As configured.
    #[default]
    Well,
    /// Its restart budget is used up; it is tried again slowly.
    Degraded,
    /// Its restart budget is used up, and it was given up.
    GivenUp,
}

/// What a worker does, as far as the host knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum WorkerState {
    /// It was forked and has not said that it can serve.
    Booting,
    /// It can serve.
    Ready,
    /// It was asked to end, or killed.
    Leaving {
        /// Why.
        intent: Intent,
        /// Whether it was killed.
        killed: bool,
    },
}

/// One worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct WorkerStatus {
    /// Who.
    pub worker: WorkerId,
    /// Its number.
    pub pid: Pid,
    /// When it was forked.
    pub born: Instant,
    /// Since when it can serve, if it has said that it can.
    pub ready_since: Option<Instant>,
    /// What it does.
    pub state: WorkerState,
    /// Its last sign of life as of the host's last look, which may be a heartbeat timeout ago.
    pub beat: Option<Beat>,
    /// Until when it may be silent, if it has asked for that.
    pub extended_until: Option<Instant>,
    /// How many requests it had served at the last look.
    pub requests: u64,
    /// How many connections it had in hand then.
    pub connections: u64,
    /// How much memory it had when that was last read, in bytes; nobody reads it where there is no bound.
    pub memory: Option<u64>,
    /// Whether it is stopped.
    pub stopped: bool,
}

/// One fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FleetStatus {
    /// Its name.
    pub name: String,
    /// How many workers are wanted.
    pub wanted: u32,
    /// How it is.
    pub health: Health,
    /// More workers are late than may be killed.
    pub outage: bool,
    /// Its workers, by slot.
    pub workers: Vec<WorkerStatus>,
    /// Slots that wait for their next worker.
    pub resting: Vec<Slot>,
    /// Slots that stay empty.
    pub retired: Vec<Slot>,
    /// The last deaths, the oldest first.
    pub deaths: Vec<Death>,
    /// What has happened since the host began.
    pub counters: Counters,
}

impl FleetStatus {
    /// How many workers can serve and were not asked to end.
    pub fn ready(&self) -> usize {
        self.workers.iter().filter(|worker| worker.state == WorkerState::Ready).count()
    }
}
