//! Facts: what happened, told to the [`Host`](crate::host::Host).

use crate::fleet::config::Restart;
use crate::fleet::message::{FromWorker, Garbled};
use crate::id::{FleetId, ServiceId, SocketId, WorkerId};
use crate::service::kick::Callback;
use crate::service::reconnect::{OnConnectError, Reconnect};
use crate::sys::{Errno, ExitStatus, ForkError, Interest, Pid, Readiness, Signal, SlotReading};
use crate::time::Instant;
use alloc::vec::Vec;

/// A fact about the world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The loop begins.
    Started {
        /// After how many turns it ends by itself; `None` never.
        turns_max: Option<u64>,
    },
    /// A service was added. Ids are given in order: the nth service added has id n.
    Added {
        /// The new service.
        service: ServiceId,
        /// When to try again after a connect that did not connect.
        reconnect: Reconnect,
        /// What a failed connect means.
        on_connect_error: OnConnectError,
    },
    /// A socket was opened for a service.
    Opened {
        /// The new socket.
        socket: SocketId,
        /// Whose it is.
        service: ServiceId,
        /// What the service wants to be told of it.
        interest: Interest,
    },
    /// A service wants to be told something else of a socket.
    InterestChanged {
        /// The socket.
        socket: SocketId,
        /// What is wanted from here on.
        interest: Interest,
    },
    /// A socket was closed by the service that had it.
    Closed {
        /// The former socket.
        socket: SocketId,
    },
    /// A service wants [`wake`](crate::app::Service::wake) called at this moment; `None` takes it back.
    WakeAsked {
        /// The service.
        service: ServiceId,
        /// The moment.
        at: Option<Instant>,
    },
    /// A service wants its `connect` called again although it has sockets.
    ReconnectAsked {
        /// The service.
        service: ServiceId,
        /// A try has failed: `connect` is called when the service's policy says, not in the next turn.
        failed: bool,
    },
    /// A callback came back.
    Returned {
        /// Whose callback.
        service: ServiceId,
        /// Which.
        callback: Callback,
        /// How it ended.
        outcome: Outcome,
    },
    /// The poller reported a socket.
    Ready {
        /// The socket; perhaps one that was closed meanwhile.
        socket: SocketId,
        /// What holds of it.
        readiness: Readiness,
    },
    /// The operating system refused to watch a socket.
    WatchFailed {
        /// The socket.
        socket: SocketId,
        /// What it answered.
        errno: Errno,
    },
    /// A call that the host cannot do without failed.
    SystemFailed {
        /// The system call.
        call: &'static str,
        /// What it answered.
        errno: Errno,
    },
    /// A signal was read.
    Signalled(Signal),
    /// The application asked for an orderly stop.
    StopAsked,
    /// The application asked for a drain.
    DrainAsked,
    /// A worker was forked.
    Spawned {
        /// Who.
        worker: WorkerId,
        /// Its number.
        pid: Pid,
    },
    /// A worker could not be forked.
    SpawnFailed {
        /// Who it would have been.
        worker: WorkerId,
        /// Why not.
        error: ForkError,
    },
    /// A worker has said something.
    WorkerSaid {
        /// Who.
        worker: WorkerId,
        /// What, or what it was like if it was no message.
        message: Result<FromWorker, Garbled>,
    },
    /// A worker has died and was reaped.
    WorkerExited {
        /// Who.
        worker: WorkerId,
        /// How it ended.
        status: ExitStatus,
    },
    /// A signal could not be sent to a worker.
    SignalFailed {
        /// To whom.
        worker: WorkerId,
        /// Which.
        signal: Signal,
        /// What the system answered.
        errno: Errno,
    },
    /// A worker could not be told which lanes to mind: its channel is full, or it is about to be reaped.
    MindFailed {
        /// Who.
        worker: WorkerId,
    },
    /// What the slots of a fleet's workers hold at this moment.
    Beats {
        /// The fleet.
        fleet: FleetId,
        /// By worker, in the order of slots.
        readings: Vec<(WorkerId, SlotReading)>,
    },
    /// How much memory the workers of a fleet have.
    Memory {
        /// The fleet.
        fleet: FleetId,
        /// In bytes, or why it cannot be read; by worker, in the order of slots.
        readings: Vec<(WorkerId, Result<u64, Errno>)>,
    },
    /// The author's function wants so many workers.
    ScaleAnswered {
        /// Of which fleet.
        fleet: FleetId,
        /// How many; at least one and at most the fleet's most, whatever it is.
        workers: u32,
    },
    /// The author's function has judged how a worker ended; its death follows.
    ExitJudged {
        /// Who.
        worker: WorkerId,
        /// Whether it gets a successor.
        restart: Restart,
    },
    /// A child was stopped; perhaps nobody's worker.
    ChildStopped {
        /// Its number.
        pid: Pid,
    },
    /// A child was continued; perhaps nobody's worker.
    ChildContinued {
        /// Its number.
        pid: Pid,
    },
    /// A child that nobody here forked had ended, and was reaped.
    StrangerReaped {
        /// Its number, which is free again.
        pid: Pid,
    },
    /// The application wants another number of workers.
    ResizeAsked {
        /// Of which fleet.
        fleet: FleetId,
        /// How many; the fleet's most if it is more.
        workers: u32,
    },
    /// The application wants as many workers as before WINCH.
    RestoreAsked {
        /// Of which fleet.
        fleet: FleetId,
    },
    /// Whoever waits for this host to serve does so no longer, since this fleet has used up its restart budget.
    StartAbandoned {
        /// The fleet.
        fleet: FleetId,
    },
    /// All that was known at this moment has been told. Also sent when a wait ended with nothing:
    /// time itself is a fact. A needless one changes nothing.
    Tick,
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Well. For a connect: it stands.
    Done(Activity),
    /// Only of a connect: there is nothing to connect to yet.
    NotYet,
    /// It returned an error or panicked; the driver keeps which.
    Failed,
}

/// What a callback did with the socket that it was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// Something of what it was ready for: bytes went through in that direction, a connection was
    /// accepted, or the system said that there is nothing left to do.
    Progress,
    /// Nothing at all: it is as ready as before.
    Nothing,
    /// It accepted until descriptors or memory ran out: it stays ready, and trying again is of no use yet.
    Starved,
}
