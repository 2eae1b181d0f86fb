//! How a host ends other than well.

use crate::service::kick::Callback;
use crate::sys::{Errno, Panic};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// What a callback may fail with: any error at all.
pub type Error = Box<dyn core::error::Error + 'static>;

/// What a callback answers.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// Why `run` came back without a stop.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The description of the application is wrong; nothing was started.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service failed; all services were closed.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The operating system refused the host itself something that it cannot do without.
    #[error("the host cannot go on: {call} failed: {errno}")]
    System {
        /// The system call.
        call: &'static str,
        /// What it answered.
        errno: Errno,
    },
    /// A fleet has used up its restart budget, and is configured to take the host with it.
    #[error("fleet `{fleet}` is given up: too many of its workers died young; the last of them: {last}")]
    FleetGivenUp {
        /// Its name.
        fleet: String,
        /// The last death, in words.
        last: String,
    },
    /// The process has more threads than one: no worker can be forked.
    #[error("{}", crate::sys::ForkError::Threads { count: *count })]
    Threads {
        /// How many.
        count: u32,
    },
    /// A second INT or TERM arrived while the host was stopping.
    #[error("stopped at once by a second signal")]
    StoppedAtOnce,
    /// A host that was to become a daemon has ended before it served.
    #[error("{words}")]
    NotStarted {
        /// Its exit status, or 71 if nobody knows or it was stopped in order.
        status: u8,
        /// Why, in its own words.
        words: String,
    },
}

/// The exit status of a process whose host ended; the numbers follow sysexits.h where it has one.
pub mod exit {
    use super::RunError;

    /// An orderly stop.
    pub const STOPPED: u8 = 0;
    /// A fleet has used up its restart budget and took the host with it (EX_UNAVAILABLE).
    pub const FLEET_GIVEN_UP: u8 = 69;
    /// A service failed or panicked (EX_SOFTWARE).
    pub const SERVICE_FAILED: u8 = 70;
    /// The operating system refused the host itself something (EX_OSERR).
    pub const SYSTEM_FAILED: u8 = 71;
    /// A kick found the host hung (EX_TEMPFAIL: start it again).
    pub const KICKED: u8 = 75;
    /// A worker could not confine itself as its fleet says, and has run no user code (EX_NOPERM).
    pub const UNCONFINED: u8 = 77;
    /// The description of the application is wrong (EX_CONFIG: starting it again is of no use).
    pub const CONFIG: u8 = 78;
    /// A worker whose body panicked, as a Rust program's own status for that is.
    pub const PANICKED: u8 = 101;
    /// A second stop signal ended the host before its services were told. A signal that strikes while
    /// a callback hangs ends the process itself, with that signal's own status; process 1, which it cannot end, exits
    /// with 128 and the signal's number.
    pub const STOPPED_AT_ONCE: u8 = 130;

    /// The exit status for what `run` answered.
    pub const fn status(result: &Result<(), RunError>) -> u8 {
        match result {
            Ok(()) => STOPPED,
            Err(RunError::Config(_)) => CONFIG,
            Err(RunError::Service(_)) => SERVICE_FAILED,
            Err(RunError::System { .. } | RunError::Threads { .. }) => SYSTEM_FAILED,
            Err(RunError::FleetGivenUp { .. }) => FLEET_GIVEN_UP,
            Err(RunError::StoppedAtOnce) => STOPPED_AT_ONCE,
            Err(RunError::NotStarted { status, .. }) => *status,
        }
    }
}

/// A service failed: which, where, and with what.
#[derive(Debug)]
pub struct ServiceError {
    /// The service's name.
    pub service: String,
    /// The callback that failed.
    pub callback: Callback,
    /// What went wrong.
    pub cause: Cause,
}

impl ServiceError {
    /// The callback's own error, if it returned one and it is an `E`.
    pub fn downcast_ref<E: core::error::Error + 'static>(&self) -> Option<&E> {
        match &self.cause {
            Cause::Returned(error) => error.downcast_ref(),
            Cause::Panicked(_) | Cause::NoProgress { .. } | Cause::NotWatched { .. } => None,
        }
    }
}

/// ``service `web` failed in receive: connection reset by peer (ECONNRESET)``.
impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, callback, cause } = self;
        write!(f, "service `{service}` failed in {callback}: {cause}")
    }
}

impl core::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.cause {
            Cause::Returned(error) => Some(&**error),
            Cause::Panicked(panic) => Some(panic),
            Cause::NotWatched { errno } => Some(errno),
            Cause::NoProgress { .. } => None,
        }
    }
}

/// What went wrong in a service.
#[derive(Debug)]
pub enum Cause {
    /// The callback returned this error.
    Returned(Error),
    /// The callback panicked.
    Panicked(Panic),
    /// A socket was reported ready time and again, and the service neither read, wrote, accepted nor
    /// closed: going on would spin.
    NoProgress {
        /// How many times in a row.
        wakes: u32,
        /// Whether the peer had ended the connection, the usual reason.
        ended: bool,
    },
    /// The operating system refused to watch a socket of this service.
    NotWatched {
        /// What it answered.
        errno: Errno,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned(error) => write!(f, "{error}"),
            Self::Panicked(panic) => write!(f, "{panic}"),
            Self::NoProgress { wakes, ended: true } => write!(
                f,
                "the peer ended a connection and the service left it open and ready {wakes} times; close it, or take away its interest"
            ),
            Self::NoProgress { wakes, ended: false } => write!(
                f,
                "a socket was ready {wakes} times and the service did not do what it was ready for, nor close it; read, write or accept, or take away its interest"
            ),
            Self::NotWatched { errno } => write!(f, "the system cannot watch one of its sockets: {errno}"),
        }
    }
}

/// The description of an application is wrong: every mistake at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// At least one, in the order in which the fields were given.
    pub mistakes: Vec<Mistake>,
}

impl core::error::Error for ConfigError {}

/// One line for the count, then one a mistake.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        write!(
            f,
            "the application cannot start: {count} {}",
            if count == 1 { "mistake" } else { "mistakes" }
        )?;
        for mistake in &self.mistakes {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

/// One wrong value in the description of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The field, as the author wrote it: ``listen `web` ``.
    pub field: String,
    /// The value found there.
    pub found: String,
    /// What is allowed, or what to do.
    pub wanted: String,
}

/// `heartbeat_threshold is 50 ms, but must be longer than poll_period (5000 ms)`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, found, wanted } = self;
        write!(f, "{field} is {found}, but {wanted}")
    }
}

/// A duration as people write it in a setting: `50 ms`, `0.5 ms`.
pub(crate) struct Milliseconds(pub(crate) Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (whole, fraction) = (nanos / 1_000_000, nanos % 1_000_000);
        if fraction == 0 {
            return write!(f, "{whole} ms");
        }
        let digits = alloc::format!("{fraction:06}");
        write!(f, "{whole}.{} ms", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::{format, vec};

    fn failure(cause: Cause) -> ServiceError {
        ServiceError { service: "web".into(), callback: Callback::Receive, cause }
    }

    #[test]
    fn each_cause_says_what_was_found_and_what_to_do() {
        let panic = Panic { message: "index out of bounds".into() };
        let rows = [
            (Cause::Returned(Errno::PIPE.into()), "the connection has ended (EPIPE)"),
            (Cause::Panicked(panic), "panicked: index out of bounds"),
            (
                Cause::NoProgress { wakes: 16, ended: true },
                "the peer ended a connection and the service left it open and ready 16 times; close it, or take away its interest",
            ),
            (
                Cause::NoProgress { wakes: 16, ended: false },
                "a socket was ready 16 times and the service did not do what it was ready for, nor close it; read, write or accept, or take away its interest",
            ),
            (
                Cause::NotWatched { errno: Errno::NOSPC },
                "the system cannot watch one of its sockets: no space left (ENOSPC)",
            ),
        ];
        for (cause, words) in rows {
            assert_eq!(failure(cause).to_string(), format!("service `web` failed in receive: {words}"));
        }
    }

    #[test]
    fn the_callbacks_own_error_can_be_had_back() {
        use core::error::Error as _;
        let returned = failure(Cause::Returned(Errno::PIPE.into()));
        assert_eq!(returned.downcast_ref::<Errno>(), Some(&Errno::PIPE));
        assert!(returned.source().is_some());
        let spinning = failure(Cause::NoProgress { wakes: 1, ended: false });
        assert_eq!(spinning.downcast_ref::<Errno>(), None);
        assert!(spinning.source().is_none());
        assert!(failure(Cause::NotWatched { errno: Errno::NOSPC }).source().is_some());
        assert!(failure(Cause::Panicked(Panic { message: "x".into() })).source().is_some());
    }

    #[test]
    fn a_config_error_lists_every_mistake() {
        let mistake =
            |field: &str| Mistake { field: field.into(), found: "0".into(), wanted: "must be more".into() };
        let one = ConfigError { mistakes: vec![mistake("burst")] };
        assert_eq!(
            one.to_string(),
            "the application cannot start: 1 mistake\n  burst is 0, but must be more"
        );
        let two = ConfigError { mistakes: vec![mistake("burst"), mistake("backlog")] };
        assert_eq!(
            two.to_string(),
            "the application cannot start: 2 mistakes\n  burst is 0, but must be more\n  backlog is 0, but must be more"
        );
    }

    #[test]
    fn each_ending_has_its_own_exit_status() {
        let rows = [
            (Ok(()), exit::STOPPED),
            (Err(RunError::Config(ConfigError { mistakes: vec![] })), exit::CONFIG),
            (Err(RunError::Service(failure(Cause::Returned(Errno::IO.into())))), exit::SERVICE_FAILED),
            (Err(RunError::System { call: "epoll_wait", errno: Errno::BADF }), exit::SYSTEM_FAILED),
            (Err(RunError::StoppedAtOnce), exit::STOPPED_AT_ONCE),
            (Err(RunError::NotStarted { status: 78, words: "x".into() }), 78),
        ];
        for (result, status) in rows {
            assert_eq!(exit::status(&result), status, "{result:?}");
        }
    }

    #[test]
    fn milliseconds_print_without_a_needless_fraction() {
        let rows = [(5_000_000, "5 ms"), (500_000, "0.5 ms"), (1_000_001, "1.000001 ms"), (0, "0 ms")];
        for (nanos, words) in rows {
            assert_eq!(Milliseconds(Duration::from_nanos(nanos)).to_string(), words);
        }
    }
}
