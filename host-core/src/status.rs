//! A snapshot of the whole host, for the application to read or to show.
//!
//! With the feature `serde` it can be serialised: ids, numbers of processes and moments (in nanoseconds of the monotonic
//! clock) are numbers, everything else has the names that it has here.

use crate::fleet::crew::Stop;
use crate::fleet::status::FleetStatus;
use crate::id::ServiceId;
use crate::service::roster::Phase;
use crate::time::Instant;
use alloc::string::String;
use alloc::vec::Vec;

/// How a host is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct HostStatus {
    /// The moment of the last fact that it knows. Ages are counted from it.
    pub at: Instant,
    /// How many turns have begun.
    pub turns: u64,
    /// How it stops, if it was asked to, or since a service has ended it.
    pub stopping: Option<Stopping>,
    /// Its services, in order of addition.
    pub services: Vec<ServiceStatus>,
    /// Its fleets, in order of addition.
    pub fleets: Vec<FleetStatus>,
}

/// How a host stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Stopping {
    /// What was begun is finished first.
    Drain,
    /// Workers end without an epilogue.
    AtOnce,
    /// The kernel ends them.
    Now,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ServiceStatus {
    /// Which.
    pub service: ServiceId,
    /// What it is called; a [`Host`](crate::host::Host) alone does not know that.
    pub name: Option<String>,
    /// What it does.
    pub state: ServiceState,
    /// How many times `connect` came to stand.
    pub connects: u32,
    /// How many tries in a row did not connect, or connected and ended before anything came through.
    pub attempt: u32,
}

/// How far a service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ServiceState {
    /// It has no connection; `connect` is called when it is due.
    Unconnected,
    /// It has one, and `prepare` is due.
    Connected,
    /// It waits for its sockets.
    Prepared,
    /// It was closed for good.
    Closed,
}

impl From<Stop> for Stopping {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Drain => Self::Drain,
            Stop::AtOnce => Self::AtOnce,
            Stop::Now => Self::Now,
        }
    }
}

impl From<Phase> for ServiceState {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Unconnected => Self::Unconnected,
            Phase::Connected => Self::Connected,
            Phase::Prepared => Self::Prepared,
            Phase::Closed => Self::Closed,
        }
    }
}
