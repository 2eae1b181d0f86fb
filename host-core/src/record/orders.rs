//! The numbers of orders, and of what people are told by them. Those of orders lie below 0x40.

use super::bytes::{In, Out, Wrong};
use super::wire::{Numbered, Wire, fields, variants};
use crate::action::{Action, Ending, Why};
use crate::fleet::death::{Death, Intent};
use crate::fleet::notice::FleetNotice;
use crate::fleet::output::LineEnd;
use crate::notice::Notice;
use crate::sys::StdStream;

variants! {
    Action {
        1 = Call { service, callback };
        2 = Receive { service, socket, readiness };
        3 = Watch { socket, interest };
        4 = Unwatch { socket };
        5 = Look;
        6 = EndOnNextSignal;
        7 = NotifyFailure { service, callback, why };
        8 = CloseService { service };
        9 = Tell { service, notice };
        10 = Spawn { worker };
        11 = SignalWorker { worker, signal };
        12 = Nudge { worker };
        13 = ReadBeats { fleet };
        14 = ReadChildNews { reap_strangers };
        15 = KillAll;
        16 = TellFleet { fleet, notice };
        17 = Finish(ending);
        18 = Mind { worker, lanes };
        19 = ReopenFiles;
        20 = Reopen { worker };
        21 = ReadMemory { fleet };
        22 = AskScale { fleet };
    }
    Why {
        1 = Callback;
        2 = NoProgress { wakes, ended };
        3 = NotWatched { errno };
    }
    Ending {
        1 = Stopped;
        2 = StoppedAtOnce;
        3 = ServiceFailed;
        4 = FleetGivenUp { fleet };
        5 = Threads { count };
        6 = SystemFailed { call, errno };
    }
    Notice {
        1 = Listening { address };
        2 = ListeningAt { path };
        3 = Started { services };
        4 = Added;
        5 = Dispatch(callback);
        6 = ConnectFailed { attempt, retry_after };
        7 = AcceptPaused { pause };
        8 = Stopping { signal };
        9 = Draining { signal };
        10 = DrainCutShort { services };
        11 = SignalIgnored { signal };
        12 = StrangerReaped { pid };
        13 = BodyFailed { worker };
        14 = Fleet(notice);
        15 = Stopped;
        16 = RecordingStopped { facts, errno };
        17 = ManagerLost { errno };
        18 = LogOpened { pid };
        19 = LogFailed { errno };
        20 = LogLost { lines };
        21 = NotReopened { output, errno };
        22 = Output { worker, pid, generation, stream, end };
        23 = OutputLeftOut { worker, pid, generation, lines };
        24 = PolicyFailed;
        25 = ServiceFailed { callback };
        26 = OutputsKept { worker, errno };
    }
    FleetNotice {
        1 = Starting { workers };
        2 = Spawned { worker, pid };
        3 = SpawnFailed { worker, error, retry_after };
        4 = Ready { worker, after };
        5 = Late { worker, age };
        6 = Extended { worker, until };
        7 = Softened { worker, signal };
        8 = Killed { worker, intent };
        9 = KillHeld { worker, until };
        10 = Outage;
        11 = OutageOver;
        12 = Asked { worker, intent, signal };
        13 = SignalFailed { worker, signal, errno };
        14 = Stopped { worker };
        15 = Continued { worker };
        16 = Died(death);
        17 = Resting { slot, failures, rest };
        18 = Retired { slot };
        19 = Stable { worker };
        20 = Degraded { retry_after };
        21 = GivenUp;
        22 = Recovered;
        23 = Resized { workers };
        24 = Garbled { worker, garbled };
        25 = Empty;
        26 = Scaled { workers, before, idle, busy };
        27 = Unconfined { worker, error };
        28 = TooLarge { worker, bytes, bytes_max };
        29 = MemoryUnread { worker, errno };
    }
    StdStream {
        1 = Stdout;
        2 = Stderr;
    }
    LineEnd {
        1 = Newline;
        2 = TooLong;
        3 = Unfinished;
    }
    Intent {
        1 = Hung;
        2 = NotReady;
        3 = Surplus;
        4 = ServedEnough;
        5 = Sibling;
        6 = FleetStops;
        7 = Drain;
        8 = Stop;
        9 = TooLarge;
    }
}

fields! {
    Death { worker, pid, at, status, intent, killed, lived, ready_for, beat_age, unconfined }
}
