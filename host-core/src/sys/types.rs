//! The small values that pass through the syscall seam.

use crate::action::Action;
use crate::config::HostConfig;
use crate::event::Event;
use crate::fleet::beat::Beat;
use crate::host::Host;
use crate::sys::Errno;
use crate::time::{Duration, Instant};
use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::ops::BitOr;

/// An open descriptor of the calling process; what the number means is the implementation's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u64);

impl Handle {
    /// For implementations of [`Sys`](super::Sys).
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// For implementations of [`Sys`](super::Sys).
    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// What one wants to be told of a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Interest {
    /// When it can be read, or accepted from, or has ended.
    pub readable: bool,
    /// When it can be written, or has ended.
    pub writable: bool,
}

impl Interest {
    /// Nothing: the socket is left alone, even if it ends.
    pub const NONE: Self = Self { readable: false, writable: false };
    /// Readable.
    pub const READ: Self = Self { readable: true, writable: false };
    /// Writable.
    pub const WRITE: Self = Self { readable: false, writable: true };

    /// Whether nothing is wanted.
    pub const fn is_none(self) -> bool {
        !self.readable && !self.writable
    }
}

/// Both: `Interest::READ | Interest::WRITE`.
impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { readable: self.readable || other.readable, writable: self.writable || other.writable }
    }
}

/// What holds of a socket now. A socket that failed or was hung up counts as both readable and
/// writable: the next read or write tells how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Readiness {
    /// A read or an accept would not wait.
    pub readable: bool,
    /// A write would not wait.
    pub writable: bool,
    /// The peer has finished sending, or the connection has failed.
    pub ended: bool,
}

impl Readiness {
    /// The part of it that somebody with `interest` is told.
    pub const fn within(self, interest: Interest) -> Self {
        Self {
            readable: self.readable && interest.readable,
            writable: self.writable && interest.writable,
            ended: self.ended && !interest.is_none(),
        }
    }

    /// Whether there is nothing to tell.
    pub const fn is_none(self) -> bool {
        !self.readable && !self.writable
    }

    /// Either of the two.
    pub const fn union(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            writable: self.writable || other.writable,
            ended: self.ended || other.ended,
        }
    }
}

/// One report of the poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PollEvent {
    /// The key that the handle was registered under.
    pub key: u64,
    /// What holds of it.
    pub readiness: Readiness,
}

/// The path of a Unix socket, in place: short by nature (sun_path of unix(7)).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixPath {
    bytes: [u8; Self::LENGTH_MAX],
    length: u8,
}

impl UnixPath {
    /// How many bytes a path may have.
    pub const LENGTH_MAX: usize = 107;

    /// `path` as the address of a socket; `None` if it is empty, too long, or has a zero byte.
    pub fn new(path: &str) -> Option<Self> {
        let fits = (1..=Self::LENGTH_MAX).contains(&path.len()) && !path.contains('\0');
        fits.then(|| {
            let mut bytes = [0; Self::LENGTH_MAX];
            bytes[..path.len()].copy_from_slice(path.as_bytes());
            Self { bytes, length: path.len() as u8 }
        })
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.length)]).expect("made from a string")
    }
}

impl fmt::Display for UnixPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for UnixPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// Where a listener is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// An internet address.
    Ip(SocketAddr),
    /// A path; one that begins with `@` is a name of its own kind (unix(7), abstract).
    Unix(UnixPath),
}

/// `127.0.0.1:80`, `unix:/run/x.sock`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
        }
    }
}

/// A descriptor that this process was given by whoever started it, as a listener (sd_listen_fds(3)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Passed {
    /// Its number, for people.
    pub number: u32,
    /// Its name; `unknown` if it was given none.
    pub name: String,
    /// What it is from here on, and where it listens; or why it is no stream socket that does: [`Errno::BADF`] if there
    /// is none of this number that this process was given.
    pub listener: Result<(Handle, Place), Errno>,
}

/// Where a process prints (stdout(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StdStream {
    /// Standard output, descriptor 1.
    Stdout,
    /// Standard error, descriptor 2.
    Stderr,
}

impl StdStream {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// Its place among [`ALL`](Self::ALL).
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `stdout`, `stderr`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// `stdout`.
impl fmt::Display for StdStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which direction of a connection to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShutdownHow {
    /// No more bytes will be read.
    Read,
    /// No more bytes will be written; the peer reads the end.
    Write,
    /// Both.
    Both,
}

/// Declares the signals, in the order of their numbers on Linux (signal(7)).
macro_rules! signals {
    ($($name:ident = $number:literal, $posix:literal, $words:literal;)*) => {
        /// A standard signal, with Linux's number (signal(7)).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Signal {
            $(#[doc = $words] $name = $number,)*
        }

        impl Signal {
            /// All of them, the lowest number first.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// As `kill(1)` takes it: `TERM`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $posix),* }
            }
        }
    };
}

signals! {
    Hup = 1, "HUP", "To a host: told and ignored, until reload has a meaning.";
    Int = 2, "INT", "Interrupt from the keyboard: stops a host at once.";
    Quit = 3, "QUIT", "Drains: no new work is taken, what was begun is finished.";
    Abrt = 6, "ABRT", "Ends a process and leaves evidence: a core, or a backtrace.";
    Kill = 9, "KILL", "Ends a process and cannot be caught.";
    Usr1 = 10, "USR1", "The kick: ends a host that hangs.";
    Segv = 11, "SEGV", "A process touched memory that is not its own.";
    Usr2 = 12, "USR2", "To a host: told and ignored, until upgrade has a meaning.";
    Alrm = 14, "ALRM", "A process's own alarm clock (alarm(2)).";
    Term = 15, "TERM", "Stops a host at once.";
    Chld = 17, "CHLD", "A child has ended, was stopped or was continued.";
    Cont = 18, "CONT", "Continues a stopped process.";
    Stop = 19, "STOP", "Stops a process and cannot be caught.";
    Ttin = 21, "TTIN", "To a host: one worker more.";
    Ttou = 22, "TTOU", "To a host: one worker less.";
    Winch = 28, "WINCH", "To a host: no workers; once more: as many as before.";
}

impl Signal {
    /// Its number on Linux.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The signal with this number, if it is one that the host knows.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|signal| u32::from(signal.number()) == number)
    }
}

/// `TERM`, as `kill(1)` takes it.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A page of heartbeat slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotsId(pub u32);

/// What a worker has published in its slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SlotReading {
    /// Its last sign of life; `None` before the first.
    pub beat: Option<Beat>,
    /// Until when it may be silent, if it has asked for that.
    pub extended_until: Option<Instant>,
    /// How many requests it has served.
    pub requests: u64,
    /// How many connections it has in hand: accepted, and not closed.
    pub connections: u64,
}

/// What a service manager wants of a process that it has started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ManagerWants {
    /// After so long without `WATCHDOG=1` it thinks that the process hangs; `None` if it does not ask.
    pub watchdog: Option<Duration>,
    /// Somebody waits for `READY=1` and for nothing else: the launcher of a daemon. A fleet that uses up its restart
    /// budget before that makes the start a failure, whatever becomes of such a fleet later.
    pub awaits_start: bool,
}

/// A panic of user code that was caught.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {message}")]
pub struct Panic {
    /// What the panic said, or that it said nothing printable.
    pub message: String,
}

/// What a witness sees: a run is exactly this sequence.
#[derive(Clone, Copy, Debug)]
pub enum Fact<'a> {
    /// The host begins, with this configuration.
    Begin(&'a HostConfig),
    /// A fact went in at this moment.
    Event(Instant, &'a Event),
    /// An order came out.
    Action(&'a Action),
    /// All orders of the last fact have come out; this is what the host knows.
    Settled(&'a Host),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_within_an_interest_tells_only_what_was_asked() {
        let all = Readiness { readable: true, writable: true, ended: true };
        let none = Readiness::default();
        let rows = [
            (Interest::NONE, none),
            (Interest::READ, Readiness { writable: false, ..all }),
            (Interest::WRITE, Readiness { readable: false, ..all }),
            (Interest::READ | Interest::WRITE, all),
        ];
        for (interest, told) in rows {
            assert_eq!(all.within(interest), told, "{interest:?}");
            assert_eq!(none.within(interest), none, "{interest:?}");
            assert_eq!(all.within(interest).is_none(), interest.is_none(), "{interest:?}");
            assert_eq!(told.union(none), told, "{interest:?}");
            assert_eq!(none.union(told), told, "{interest:?}");
        }
    }

    #[test]
    fn a_unix_path_is_what_fits_into_an_address() {
        let longest = "/".repeat(107);
        for path in ["/run/x.sock", "x", &longest] {
            assert_eq!(UnixPath::new(path).map(|path| alloc::format!("{path}")).as_deref(), Some(path));
        }
        for path in ["", "a\0b", &"/".repeat(108)] {
            assert_eq!(UnixPath::new(path), None, "{path:?}");
        }
    }

    #[test]
    fn a_signal_is_found_by_its_number_and_no_other() {
        for signal in Signal::ALL.iter().copied() {
            assert_eq!(Signal::from_number(u32::from(signal.number())), Some(signal), "{signal}");
        }
        assert_eq!(Signal::from_number(0), None);
        assert_eq!(Signal::from_number(64), None);
    }
}
