//! Orders: what the [`Host`](crate::host::Host) wants done.

use crate::fleet::lanes::Lanes;
use crate::fleet::notice::FleetNotice;
use crate::id::{FleetId, ServiceId, SocketId, WorkerId};
use crate::notice::Notice;
use crate::service::kick::Callback;
use crate::sys::{Errno, Interest, Readiness, Signal};
use alloc::collections::VecDeque;

/// Where orders go.
pub(crate) type Orders = VecDeque<Action>;

/// An order to the world. One that can fail answers with an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Call a callback; answers [`Event::Returned`](crate::event::Event::Returned).
    Call {
        /// Whose.
        service: ServiceId,
        /// Which; never [`Callback::Receive`].
        callback: Callback,
    },
    /// Call `receive`; answers [`Event::Returned`](crate::event::Event::Returned).
    Receive {
        /// Whose.
        service: ServiceId,
        /// The socket that is ready.
        socket: SocketId,
        /// What it is ready for.
        readiness: Readiness,
    },
    /// Report this socket from here on; answers only if that fails.
    Watch {
        /// The socket.
        socket: SocketId,
        /// What to report; never nothing.
        interest: Interest,
    },
    /// Report this socket no longer.
    Unwatch {
        /// The socket.
        socket: SocketId,
    },
    /// See what is ready, without waiting; answers with events and a tick.
    Look,
    /// From here on let INT and TERM end the process at once.
    EndOnNextSignal,
    /// Tell the application's notifier, once, that this service failed.
    NotifyFailure {
        /// The service.
        service: ServiceId,
        /// The callback.
        callback: Callback,
        /// Why.
        why: Why,
    },
    /// Close all sockets of a service and drop it.
    CloseService {
        /// The service.
        service: ServiceId,
    },
    /// Tell people.
    Tell {
        /// The service that it is about, if there is one.
        service: Option<ServiceId>,
        /// What to tell.
        notice: Notice,
    },
    /// Fork a worker; answers [`Event::Spawned`](crate::event::Event::Spawned) or
    /// [`Event::SpawnFailed`](crate::event::Event::SpawnFailed).
    Spawn {
        /// Who it will be.
        worker: WorkerId,
    },
    /// Send a worker a signal; answers only if that fails.
    SignalWorker {
        /// To whom.
        worker: WorkerId,
        /// Which.
        signal: Signal,
    },
    /// Tell a worker to look for connections that nobody was woken for.
    Nudge {
        /// Whom.
        worker: WorkerId,
    },
    /// Tell a worker which lanes of its fleet's spread listeners it minds from here on; answers only if that
    /// fails.
    Mind {
        /// Whom.
        worker: WorkerId,
        /// All that it minds.
        lanes: Lanes,
    },
    /// Read the slots of all workers of a fleet; answers [`Event::Beats`](crate::event::Event::Beats).
    ReadBeats {
        /// The fleet.
        fleet: FleetId,
    },
    /// Open the files of the log and of both outputs anew; what cannot be opened stays, and is told.
    ReopenFiles,
    /// Hand a worker the files that the host prints on now; answers nothing, and what cannot be handed over is told.
    Reopen {
        /// Whom.
        worker: WorkerId,
    },
    /// Read how much memory the workers of a fleet have, those whose turn it is, for some milliseconds at most; answers
    /// [`Event::Memory`](crate::event::Event::Memory).
    ReadMemory {
        /// The fleet.
        fleet: FleetId,
    },
    /// Ask the author's function how many workers of a fleet are wanted; answers
    /// [`Event::ScaleAnswered`](crate::event::Event::ScaleAnswered), or not at all if it panics.
    AskScale {
        /// The fleet.
        fleet: FleetId,
    },
    /// Ask which children were stopped or continued; answers with an event each.
    ReadChildNews {
        /// Reap children that nobody here forked as well.
        reap_strangers: bool,
    },
    /// Kill every worker and wait for its end: the loop cannot go on, and nobody is left behind.
    KillAll,
    /// Tell people about a fleet.
    TellFleet {
        /// Which.
        fleet: FleetId,
        /// What to tell.
        notice: FleetNotice,
    },
    /// End the loop; nothing follows.
    Finish(Ending),
}

/// Why a service failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// Its callback returned an error or panicked; the driver kept which.
    Callback,
    /// It did nothing with a socket that was ready this many times in a row.
    NoProgress {
        /// How many times.
        wakes: u32,
        /// Whether the peer had ended the connection.
        ended: bool,
    },
    /// One of its sockets cannot be watched.
    NotWatched {
        /// What the operating system answered.
        errno: Errno,
    },
}

/// How the loop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Orderly: all services were told.
    Stopped,
    /// By a second signal, before all services were told.
    StoppedAtOnce,
    /// A service failed; the notifier knows which.
    ServiceFailed,
    /// A fleet has used up its restart budget, and is configured to take the host with it.
    FleetGivenUp {
        /// Which.
        fleet: FleetId,
    },
    /// The process has more threads than one: its workers cannot be forked.
    Threads {
        /// How many.
        count: u32,
    },
    /// A call that the host cannot do without failed.
    SystemFailed {
        /// The system call.
        call: &'static str,
        /// What it answered.
        errno: Errno,
    },
}
