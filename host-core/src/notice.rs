//! What a host tells the people who run it: no orders, and nothing that it waits for.

use crate::fleet::notice::FleetNotice;
use crate::id::{FleetId, ServiceId, WorkerId};
use crate::service::kick::Callback;
use crate::sys::{Errno, Pid, Signal, UnixPath};
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
    /// The body of this worker, of the fleet that is the subject, ended with the error of the record.
    BodyFailed {
        /// Who.
        worker: WorkerId,
    },
    /// A function by which the author decides about the fleet that is the subject has panicked, with the error of the
    /// record: nothing changes.
    PolicyFailed,
    /// Something about a fleet, which is the subject.
    Fleet(FleetNotice),
    /// The recording of this host ends; the host goes on.
    RecordingStopped {
        /// How many facts stand in it.
        facts: u64,
        /// What the system answered; `None` if the recording is as large as it may be.
        errno: Option<Errno>,
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
            | Self::Stopped => Level::Info,
            Self::Fleet(notice) => notice.level(),
            Self::ConnectFailed { .. }
            | Self::AcceptPaused { .. }
            | Self::BodyFailed { .. }
            | Self::PolicyFailed
            | Self::RecordingStopped { .. }
            | Self::ManagerLost { .. }
            | Self::DrainCutShort { .. } => Level::Warn,
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
            Notice::BodyFailed { worker } => {
                let error = self.error.map(|error| format!(": {error}")).unwrap_or_default();
                write!(f, "fleet `{subject}`: {worker} failed{error}")
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
    use alloc::string::ToString;

    #[test]
    fn each_notice_reads_as_a_line_with_its_level() {
        let address = "127.0.0.1:80".parse().unwrap();
        let ms = Duration::from_millis;
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
                Notice::ManagerLost { errno: Errno::CONNREFUSED },
                Level::Warn,
                "the service manager cannot be told anything: connection refused (ECONNREFUSED); NOTIFY_SOCKET is its address",
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
                notice: &notice,
            };
            assert_eq!(record.to_string(), line);
            assert_eq!(notice.level(), level, "{line}");
        }
    }
}
