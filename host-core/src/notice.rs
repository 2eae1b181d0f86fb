//! What a host tells the people who run it: no orders, and nothing that it waits for.

use crate::fleet::notice::FleetNotice;
use crate::fleet::output::LineEnd;
use crate::id::{FleetId, ServiceId, WorkerId};
use crate::service::kick::Callback;
use crate::sys::{Errno, Pid, Signal, StdStream, UnixPath};
use crate::time::{Duration, Instant, WallTime};
use alloc::format;
use core::fmt;
use core::net::SocketAddr;

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For finding out what happened in detail.
    Debug,
    /// The ordinary course.
    Info,
    /// Something is amiss and the host copes.
    Warn,
    /// A service has failed, and the host ends for it.
    Error,
}

/// `DEBUG`, `INFO`, `WARN`, `ERROR`.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
        })
    }
}

/// Something told to the application and its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// A named listener of the application is bound here.
    Listening {
        /// The bound address; with port 0 asked for, the port that the kernel chose.
        address: SocketAddr,
    },
    /// A named listener of the application is bound to this path.
    ListeningAt {
        /// The path of the Unix socket.
        path: UnixPath,
    },
    /// The loop begins.
    Started {
        /// How many services it begins with.
        services: u32,
    },
    /// A service was added.
    Added,
    /// A callback is about to be called.
    Dispatch(Callback),
    /// `connect` failed and its service's policy says to try again.
    ConnectFailed {
        /// The nth try in a row that did not connect, from 1.
        attempt: u32,
        /// Until the next try; zero means in the next turn.
        retry_after: Duration,
    },
    /// A callback of the service that is the subject has failed, with the error of the record, a
    /// [`ServiceError`](crate::error::ServiceError): the host ends.
    ServiceFailed {
        /// Which callback.
        callback: Callback,
    },
    /// Descriptors or memory ran out at an accept; the listener is left alone for a while.
    AcceptPaused {
        /// For how long.
        pause: Duration,
    },
    /// An orderly stop begins.
    Stopping {
        /// The signal that asked for it; `None` if the application did.
        signal: Option<Signal>,
    },
    /// A drain begins: what was begun is finished, then the host stops.
    Draining {
        /// The signal that asked for it; `None` if the application did.
        signal: Option<Signal>,
    },
    /// The time of a drain is over: services that have not finished are stopped.
    DrainCutShort {
        /// How many.
        services: u32,
    },
    /// A signal came that has no meaning here.
    SignalIgnored {
        /// Which.
        signal: Signal,
    },
    /// A child that nobody here forked had ended, and was reaped.
    StrangerReaped {
        /// Its number.
        pid: Pid,
    },
    /// The body of this worker, of the fleet that is the subject, ended with an error: the text of the record. A worker whose
    /// host is gone tells it itself, and then it is the error of the record.
    BodyFailed {
        /// Who.
        worker: WorkerId,
    },
    /// A function by which the author decides about the fleet that is the subject has panicked, with the error of the
    /// record: nothing changes.
    PolicyFailed,
    /// Something about a fleet, which is the subject.
    Fleet(FleetNotice),
    /// A line that a worker of the fleet that is the subject has printed: the text of the record.
    Output {
        /// Who.
        worker: WorkerId,
        /// Its number.
        pid: Pid,
        /// Which version of code and configuration it runs.
        generation: u32,
        /// Where.
        stream: StdStream,
        /// How the line ended.
        end: LineEnd,
    },
    /// A worker has printed more lines than its fleet's `output_rate` in a second: some were left out.
    OutputLeftOut {
        /// Who.
        worker: WorkerId,
        /// Its number.
        pid: Pid,
        /// Which version of code and configuration it runs.
        generation: u32,
        /// How many lines, or pieces of long ones.
        lines: u64,
    },
    /// The recording of this host ends; the host goes on.
    RecordingStopped {
        /// How many facts stand in it.
        facts: u64,
        /// What the system answered; `None` if the recording is as large as it may be.
        errno: Option<Errno>,
    },
    /// A file of the log is written from here on: the first line that it gets.
    LogOpened {
        /// The number of the host.
        pid: Pid,
    },
    /// Lines cannot be written to the log; they are counted, and the host goes on.
    LogFailed {
        /// What the system answered.
        errno: Errno,
    },
    /// Lines can be written again; the first one after a [`LogFailed`](Self::LogFailed).
    LogLost {
        /// How many could not.
        lines: u64,
    },
    /// One of the files could not be opened anew: the one before is kept.
    NotReopened {
        /// Which; `None` for that of the log.
        output: Option<StdStream>,
        /// What the system answered.
        errno: Errno,
    },
    /// A worker of the fleet that is the subject cannot be handed the files that the host prints on now, and prints on those
    /// before.
    OutputsKept {
        /// Who.
        worker: WorkerId,
        /// Why.
        errno: Errno,
    },
    /// The service manager cannot be told anything any more; the host goes on without it.
    ManagerLost {
        /// What the system answered.
        errno: Errno,
    },
    /// All services were told and closed.
    Stopped,
}

impl Notice {
    /// The worker that it is about, if it is about one.
    pub const fn worker(&self) -> Option<WorkerId> {
        match self {
            Self::Fleet(notice) => notice.worker(),
            Self::BodyFailed { worker }
            | Self::OutputsKept { worker, .. }
            | Self::Output { worker, .. }
            | Self::OutputLeftOut { worker, .. } => Some(*worker),
            Self::Listening { .. }
            | Self::ListeningAt { .. }
            | Self::Started { .. }
            | Self::Added
            | Self::Dispatch(_)
            | Self::ConnectFailed { .. }
            | Self::ServiceFailed { .. }
            | Self::AcceptPaused { .. }
            | Self::Stopping { .. }
            | Self::Draining { .. }
            | Self::DrainCutShort { .. }
            | Self::SignalIgnored { .. }
            | Self::StrangerReaped { .. }
            | Self::PolicyFailed
            | Self::RecordingStopped { .. }
            | Self::LogOpened { .. }
            | Self::LogFailed { .. }
            | Self::LogLost { .. }
            | Self::NotReopened { .. }
            | Self::ManagerLost { .. }
            | Self::Stopped => None,
        }
    }

    /// The number of the process that it is about, if it tells one.
    pub const fn pid(&self) -> Option<Pid> {
        match self {
            Self::Fleet(notice) => notice.pid(),
            Self::Output { pid, .. }
            | Self::OutputLeftOut { pid, .. }
            | Self::StrangerReaped { pid }
            | Self::LogOpened { pid } => Some(*pid),
            Self::Listening { .. }
            | Self::ListeningAt { .. }
            | Self::Started { .. }
            | Self::Added
            | Self::Dispatch(_)
            | Self::ConnectFailed { .. }
            | Self::ServiceFailed { .. }
            | Self::AcceptPaused { .. }
            | Self::Stopping { .. }
            | Self::Draining { .. }
            | Self::DrainCutShort { .. }
            | Self::SignalIgnored { .. }
            | Self::BodyFailed { .. }
            | Self::OutputsKept { .. }
            | Self::PolicyFailed
            | Self::RecordingStopped { .. }
            | Self::LogFailed { .. }
            | Self::LogLost { .. }
            | Self::NotReopened { .. }
            | Self::ManagerLost { .. }
            | Self::Stopped => None,
        }
    }

    /// How much it matters.
    pub const fn level(&self) -> Level {
        match self {
            Self::Added | Self::Dispatch(_) => Level::Debug,
            Self::Listening { .. }
            | Self::ListeningAt { .. }
            | Self::Started { .. }
            | Self::Stopping { .. }
            | Self::Draining { .. }
            | Self::SignalIgnored { .. }
            | Self::StrangerReaped { .. }
            | Self::LogOpened { .. }
            | Self::Output { stream: StdStream::Stdout, .. }
            | Self::Stopped => Level::Info,
            Self::Fleet(notice) => notice.level(),
            Self::ConnectFailed { .. }
            | Self::AcceptPaused { .. }
            | Self::BodyFailed { .. }
            | Self::Output { stream: StdStream::Stderr, .. }
            | Self::OutputLeftOut { .. }
            | Self::PolicyFailed
            | Self::RecordingStopped { .. }
            | Self::ManagerLost { .. }
            | Self::LogFailed { .. }
            | Self::LogLost { .. }
            | Self::NotReopened { .. }
            | Self::OutputsKept { .. }
            | Self::DrainCutShort { .. } => Level::Warn,
            Self::ServiceFailed { .. } => Level::Error,
        }
    }
}

/// A notice with what belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The moment, monotonic.
    pub at: Instant,
    /// The moment as a wall shows it.
    pub wall: WallTime,
    /// The service or listener that it is about, by name.
    pub subject: Option<&'a str>,
    /// The service that it is about, if it is one.
    pub service: Option<ServiceId>,
    /// The fleet that it is about, if it is one.
    pub fleet: Option<FleetId>,
    /// The error behind it, if there is one.
    pub error: Option<&'a dyn core::error::Error>,
    /// What a worker has printed, or why its body failed: one line, without control characters.
    pub text: Option<&'a str>,
    /// The notice itself.
    pub notice: &'a Notice,
}

/// One line, without time and level.
impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = self.subject.unwrap_or("-");
        match *self.notice {
            Notice::Listening { address } => write!(f, "listener `{subject}` is bound to {address}"),
            Notice::ListeningAt { path } => write!(f, "listener `{subject}` is bound to unix:{path}"),
            Notice::Started { services } => write!(f, "host started with {services} services"),
            Notice::Added => write!(f, "service `{subject}` added"),
            Notice::Dispatch(callback) => write!(f, "service `{subject}`: {callback}"),
            Notice::ConnectFailed { attempt, retry_after } => {
                let error = self.error.map(|error| format!(": {error}")).unwrap_or_default();
                let when = if retry_after.is_zero() {
                    "in the next turn".into()
                } else {
                    format!("in {} ms", retry_after.as_millis())
                };
                write!(f, "service `{subject}`: connect failed (try {attempt}){error}; again {when}")
            }
            Notice::AcceptPaused { pause } => write!(
                f,
                "service `{subject}`: out of descriptors or memory at accept; its listener rests for {} ms",
                pause.as_millis()
            ),
            Notice::Stopping { signal: Some(signal) } => write!(f, "stopping: {signal} received"),
            Notice::Draining { signal: Some(signal) } => write!(f, "draining: {signal} received"),
            Notice::Draining { signal: None } => write!(f, "draining: the application asked for it"),
            Notice::DrainCutShort { services } => {
                write!(f, "the drain takes too long: {services} services that have not finished are stopped")
            }
            Notice::SignalIgnored { signal } => write!(f, "{signal} received and ignored"),
            Notice::StrangerReaped { pid } => write!(f, "reaped pid {pid}, which nobody here forked"),
            Notice::ServiceFailed { callback } => match self.error {
                Some(error) => write!(f, "{error}"),
                None => write!(f, "service `{subject}` failed in {callback}"),
            },
            Notice::BodyFailed { worker } => {
                let error = self.error.map(|error| format!(": {error}"));
                let why = self.text.map(|text| format!(": {text}")).or(error).unwrap_or_default();
                write!(f, "fleet `{subject}`: {worker} failed{why}")
            }
            Notice::Output { worker, pid, generation, stream, end } => {
                let (slot, text) = (worker.slot, self.text.unwrap_or_default());
                let mark = match end {
                    LineEnd::Newline => "",
                    LineEnd::TooLong => " [goes on]",
                    LineEnd::Unfinished => " [no newline]",
                };
                write!(
                    f,
                    "fleet `{subject}`: worker {slot} (gen {generation}, pid {pid}) {stream}: {text}{mark}"
                )
            }
            Notice::OutputLeftOut { worker, pid, generation, lines } => {
                let slot = worker.slot;
                write!(
                    f,
                    "fleet `{subject}`: worker {slot} (gen {generation}, pid {pid}) prints too much: {lines} lines were left out"
                )
            }
            Notice::PolicyFailed => {
                let error = self.error.map(|error| format!(": {error}")).unwrap_or_default();
                write!(f, "fleet `{subject}`: a function that decides about it failed{error}")
            }
            Notice::Fleet(notice) => write!(f, "fleet `{subject}`: {notice}"),
            Notice::ManagerLost { errno } => {
                write!(
                    f,
                    "the service manager cannot be told anything: {errno}; NOTIFY_SOCKET is its address"
                )
            }
            Notice::LogOpened { pid } => write!(f, "the log of process {pid} begins"),
            Notice::LogFailed { errno } => {
                write!(f, "the log cannot be written: {errno}; lines are counted, and the host goes on")
            }
            Notice::LogLost { lines } => write!(f, "{lines} lines of the log were lost"),
            Notice::OutputsKept { worker, errno } => {
                write!(f, "fleet `{subject}`: {worker} keeps the files that it prints on: {errno}")
            }
            Notice::NotReopened { output, errno } => {
                let output = output.map_or("the log", StdStream::name);
                write!(f, "the file of {output} cannot be opened anew: {errno}; the one before is kept")
            }
            Notice::RecordingStopped { facts, errno: Some(errno) } => {
                write!(f, "the recording stops after {facts} facts: {errno}; the host goes on")
            }
            Notice::RecordingStopped { facts, errno: None } => {
                write!(
                    f,
                    "the recording stops after {facts} facts: it is as large as it may be; the host goes on"
                )
            }
            Notice::Stopping { signal: None } => write!(f, "stopping: the application asked for it"),
            Notice::Stopped => write!(f, "host stopped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Slot;
    use alloc::string::ToString;

    #[test]
    fn a_notice_tells_which_worker_and_process_it_is_about() {
        let worker = WorkerId { fleet: FleetId::new(0), slot: Slot::new(3), incarnation: 9 };
        let (pid, generation) = (Pid(7), 1);
        let (stream, end) = (StdStream::Stdout, LineEnd::Newline);
        for (notice, about, process) in [
            (Notice::BodyFailed { worker }, Some(worker), None),
            (Notice::Output { worker, pid, generation, stream, end }, Some(worker), Some(pid)),
            (Notice::OutputLeftOut { worker, pid, generation, lines: 2 }, Some(worker), Some(pid)),
            (Notice::Fleet(FleetNotice::Spawned { worker, pid }), Some(worker), Some(pid)),
            (Notice::Fleet(FleetNotice::Outage), None, None),
            (Notice::StrangerReaped { pid }, None, Some(pid)),
            (Notice::LogOpened { pid }, None, Some(pid)),
            (Notice::Stopped, None, None),
        ] {
            assert_eq!((notice.worker(), notice.pid()), (about, process), "{notice:?}");
        }
    }

    #[test]
    fn each_notice_reads_as_a_line_with_its_level() {
        let address = "127.0.0.1:80".parse().unwrap();
        let ms = Duration::from_millis;
        let worker = WorkerId { fleet: FleetId::new(0), slot: Slot::new(3), incarnation: 9 };
        let (pid, generation) = (Pid(1234), 1);
        let output = |stream, end| Notice::Output { worker, pid, generation, stream, end };
        let rows = [
            (Notice::Listening { address }, Level::Info, "listener `web` is bound to 127.0.0.1:80"),
            (
                Notice::ListeningAt { path: UnixPath::new("/run/web.sock").unwrap() },
                Level::Info,
                "listener `web` is bound to unix:/run/web.sock",
            ),
            (Notice::Started { services: 2 }, Level::Info, "host started with 2 services"),
            (Notice::Added, Level::Debug, "service `web` added"),
            (Notice::Dispatch(Callback::Wake), Level::Debug, "service `web`: wake"),
            (
                Notice::ConnectFailed { attempt: 3, retry_after: ms(250) },
                Level::Warn,
                "service `web`: connect failed (try 3): connection refused (ECONNREFUSED); again in 250 ms",
            ),
            (
                Notice::ConnectFailed { attempt: 1, retry_after: ms(0) },
                Level::Warn,
                "service `web`: connect failed (try 1): connection refused (ECONNREFUSED); again in the next turn",
            ),
            (
                Notice::AcceptPaused { pause: ms(100) },
                Level::Warn,
                "service `web`: out of descriptors or memory at accept; its listener rests for 100 ms",
            ),
            (Notice::Stopping { signal: Some(Signal::Term) }, Level::Info, "stopping: TERM received"),
            (Notice::Stopping { signal: None }, Level::Info, "stopping: the application asked for it"),
            (Notice::Draining { signal: Some(Signal::Quit) }, Level::Info, "draining: QUIT received"),
            (Notice::Draining { signal: None }, Level::Info, "draining: the application asked for it"),
            (
                Notice::DrainCutShort { services: 2 },
                Level::Warn,
                "the drain takes too long: 2 services that have not finished are stopped",
            ),
            (Notice::SignalIgnored { signal: Signal::Hup }, Level::Info, "HUP received and ignored"),
            (Notice::StrangerReaped { pid: Pid(7) }, Level::Info, "reaped pid 7, which nobody here forked"),
            (
                Notice::Fleet(FleetNotice::Outage),
                Level::Warn,
                "fleet `web`: outage: more workers are late than may be killed; look at what all of them wait for",
            ),
            (
                output(StdStream::Stdout, LineEnd::Newline),
                Level::Info,
                "fleet `web`: worker 3 (gen 1, pid 1234) stdout: words",
            ),
            (
                output(StdStream::Stderr, LineEnd::TooLong),
                Level::Warn,
                "fleet `web`: worker 3 (gen 1, pid 1234) stderr: words [goes on]",
            ),
            (
                output(StdStream::Stderr, LineEnd::Unfinished),
                Level::Warn,
                "fleet `web`: worker 3 (gen 1, pid 1234) stderr: words [no newline]",
            ),
            (
                Notice::OutputLeftOut { worker, pid, generation, lines: 12 },
                Level::Warn,
                "fleet `web`: worker 3 (gen 1, pid 1234) prints too much: 12 lines were left out",
            ),
            (
                Notice::ManagerLost { errno: Errno::CONNREFUSED },
                Level::Warn,
                "the service manager cannot be told anything: connection refused (ECONNREFUSED); NOTIFY_SOCKET is its address",
            ),
            (Notice::LogOpened { pid: Pid(7) }, Level::Info, "the log of process 7 begins"),
            (
                Notice::LogFailed { errno: Errno::NOSPC },
                Level::Warn,
                "the log cannot be written: no space left (ENOSPC); lines are counted, and the host goes on",
            ),
            (Notice::LogLost { lines: 3 }, Level::Warn, "3 lines of the log were lost"),
            (
                Notice::NotReopened { output: Some(StdStream::Stdout), errno: Errno::ACCES },
                Level::Warn,
                "the file of stdout cannot be opened anew: permission denied (EACCES); the one before is kept",
            ),
            (
                Notice::RecordingStopped { facts: 7, errno: Some(Errno::NOSPC) },
                Level::Warn,
                "the recording stops after 7 facts: no space left (ENOSPC); the host goes on",
            ),
            (
                Notice::RecordingStopped { facts: 7, errno: None },
                Level::Warn,
                "the recording stops after 7 facts: it is as large as it may be; the host goes on",
            ),
            (Notice::Stopped, Level::Info, "host stopped"),
        ];
        for (notice, level, line) in rows {
            let record = Record {
                at: Instant::ZERO,
                wall: WallTime(0),
                subject: Some("web"),
                service: Some(ServiceId::new(0)),
                fleet: None,
                error: Some(&Errno::CONNREFUSED),
                text: Some("words"),
                notice: &notice,
            };
            assert_eq!(record.to_string(), line);
            assert_eq!(notice.level(), level, "{line}");
        }
    }
}
