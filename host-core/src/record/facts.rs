//! The numbers of facts. Below 0x7f, for their highest bit says something else.

use super::bytes::{In, Out, Wrong};
use super::wire::{Numbered, Wire, variants};
use crate::event::{Activity, Event, Outcome};

variants! {
    Event {
        1 = Started { turns_max };
        2 = Added { service, reconnect, on_connect_error };
        3 = Opened { socket, service, interest };
        4 = InterestChanged { socket, interest };
        5 = Closed { socket };
        6 = WakeAsked { service, at };
        7 = ReconnectAsked { service, failed };
        8 = Returned { service, callback, outcome };
        9 = Ready { socket, readiness };
        10 = WatchFailed { socket, errno };
        11 = SystemFailed { call, errno };
        12 = Signalled(signal);
        13 = StopAsked;
        14 = DrainAsked;
        15 = Spawned { worker, pid };
        16 = SpawnFailed { worker, error };
        17 = WorkerSaid { worker, message };
        18 = WorkerExited { worker, status };
        19 = SignalFailed { worker, signal, errno };
        20 = Beats { fleet, readings };
        21 = ChildStopped { pid };
        22 = ChildContinued { pid };
        23 = StrangerReaped { pid };
        24 = ResizeAsked { fleet, workers };
        25 = RestoreAsked { fleet };
        26 = Tick;
        27 = MindFailed { worker };
        28 = StartAbandoned { fleet };
        29 = Memory { fleet, readings };
        30 = ScaleAnswered { fleet, workers };
        31 = ExitJudged { worker, restart };
    }
    Outcome {
        1 = Done(activity);
        2 = NotYet;
        3 = Failed;
    }
    Activity {
        1 = Progress;
        2 = Nothing;
        3 = Starved;
    }
}
