//! The part of the syscall seam that has to do with processes: forking, watching and ending children,
//! and what a worker asks of the system that its host gave it.

use super::confinement::{Account, ConfineError, Confinement, Step, User};
use super::types::{Interest, Readiness, Signal, SlotReading, SlotsId, StdStream};
use super::{Errno, Handle, Sys};
use crate::fleet::beat::Pace;
use crate::fleet::memory::MemoryFigure;
use crate::time::{Duration, Instant};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::fmt;

/// The number of a process, as the kernel gives it. It is used again after the process was reaped, so
/// it identifies nobody for long: signals go through a child's handle (pidfd_open(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Pid(pub u32);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// How a process ended (waitid(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum ExitStatus {
    /// By itself, with this status.
    Code(u8),
    /// By a signal.
    Signal {
        /// Its number; any signal of the system, not only those of [`Signal`].
        number: u8,
        /// Whether it left a core.
        core: bool,
    },
    /// Nobody knows: somebody else in this process has reaped it.
    Unknown,
}

impl ExitStatus {
    /// Ended by `signal`, without a core.
    pub const fn by(signal: Signal) -> Self {
        Self::Signal { number: signal.number(), core: false }
    }
}

/// `exit status 70`, `signal KILL`, `signal ABRT, core dumped`, `unknown status`.
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Unknown => f.write_str("unknown status: somebody else reaped it"),
            Self::Signal { number, core } => {
                match Signal::from_number(u32::from(number)) {
                    Some(signal) => write!(f, "signal {signal}")?,
                    None => write!(f, "signal {number}")?,
                }
                if core { f.write_str(", core dumped") } else { Ok(()) }
            }
        }
    }
}

/// What becomes of a worker whose host has died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnHostDeath {
    /// It is killed by the kernel at once, whatever it does. The default.
    #[default]
    Exit,
    /// It is asked to quit, and killed by its own alarm when the fleet's drain timeout has passed.
    Drain,
}

/// What a child is born with, beside its body.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// Its process title: `echo: worker 3 (gen 1)`.
    pub title: &'a str,
    /// Those of the parent's handles that the child keeps, under the same names. All others that the
    /// parent's system knows are closed in the child; what user code opened by itself stays open.
    pub keep: &'a [Handle],
    /// The writing ends of pipes that the child has as its standard output and standard error (dup2(2)), and not as
    /// handles; without them it prints where its parent does.
    pub output: Option<[Handle; 2]>,
    /// The heartbeat slot that it writes: which page, which slot, and the incarnation to sign with.
    pub slot: (SlotsId, u32, u32),
    /// What becomes of it when its parent dies.
    pub on_host_death: OnHostDeath,
    /// How long it may drain after its parent died, in [`OnHostDeath::Drain`].
    pub drain_timeout: Duration,
}

/// The body of a child: it is given the child's own system, and answers its exit status.
pub type Body = Box<dyn FnOnce(Rc<dyn Sys>) -> u8>;

/// A child that was forked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Child {
    /// Its number.
    pub pid: Pid,
    /// Its handle: readable when it has ended. Closing it does not reap it.
    pub handle: Handle,
}

/// Why a fork failed; there is no child then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ForkError {
    /// This process has more threads than the one that forks. That does not get better.
    #[error(
        "this process has {count} threads, and a fork copies only the one that forks: whatever the others had locked stays locked for ever in the child; fork before threads are started, or start them in the workers"
    )]
    Threads {
        /// How many there are.
        count: u32,
    },
    /// A system call answered this; it may be another answer next time (EAGAIN, ENOMEM, EMFILE).
    #[error("{call} failed: {errno}")]
    System {
        /// The system call.
        call: &'static str,
        /// What it answered.
        errno: Errno,
    },
}

/// News of a child, other than its death: that is told by its handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChildNews {
    /// It was stopped (SIGSTOP and its like).
    Stopped(Pid),
    /// It was continued.
    Continued(Pid),
    /// A child that nobody here forked – adopted as subreaper or as process 1 – had ended, and was reaped.
    StrangerReaped(Pid),
}

/// Processes, as the driver and the worker runtime see them.
pub trait Processes {
    // As a parent

    /// The number of this process (getpid(2)).
    fn pid(&self) -> Pid;

    /// How many threads this process has; more than one forbids to fork.
    ///
    /// # Errors
    /// Whatever reading `/proc/self/task` answers.
    fn threads(&self) -> Result<u32, Errno>;

    /// How many processors this process may use: affinity and the cgroup's quota, at least 1.
    fn processors(&self) -> u32;

    // What children are to give up

    /// Looks up a user, with the groups that it is in (getpwnam(3), getpwuid(3), getgrouplist(3)). `group` is its
    /// first one, if it is not the database that says so. `None` if there is no such user.
    ///
    /// # Errors
    /// Whatever reading the database answers.
    fn user(&self, user: &Account, group: Option<u32>) -> Result<Option<User>, Errno> {
        let _ = (user, group);
        Err(Errno::NOSYS)
    }

    /// Looks up a group (getgrnam(3)); `None` if there is none of that name.
    ///
    /// # Errors
    /// Whatever reading the database answers.
    fn group(&self, name: &str) -> Result<Option<u32>, Errno> {
        let _ = name;
        Err(Errno::NOSYS)
    }

    /// What each child of this process is sure to fail in when it confines itself like this: a directory that is not
    /// there, a change of user, group or root without the capabilities for it. Nothing of it is no promise.
    fn foresee(&self, confinement: &Confinement) -> Vec<ConfineError> {
        let _ = confinement;
        Vec::new()
    }

    /// Makes a child that runs `body` and exits with its answer (fork(2)).
    ///
    /// All or nothing: no child without its handle; under EMFILE the child is killed and reaped inside
    /// this call. In the child, before `body`: signals at the documented baseline (all dispositions at
    /// their default, none pending, none blocked, but: TERM and INT exit 0 at once without any hook;
    /// QUIT is remembered for [`quit_asked`](Self::quit_asked); HUP, PIPE, USR1, USR2, TTIN, TTOU and
    /// WINCH are ignored), the parent's death provided for, the title set, the handles not in `keep`
    /// closed. A panic of `body` is caught, told, and exits with 101.
    ///
    /// # Errors
    /// [`ForkError`]; nothing is left behind then. A closed handle in `keep` is [`Errno::BADF`], a slot that
    /// does not exist [`Errno::INVAL`].
    fn fork(&self, birth: &Birth<'_>, body: Body) -> Result<Child, ForkError>;

    /// Collects how a child ended (waitid(2) on its pidfd). `wait` blocks until it has.
    ///
    /// `None` while it lives: its handle may be readable too early. After `Some` the child is gone and
    /// its number free; the handle is still to be closed.
    ///
    /// # Errors
    /// [`Errno::CHILD`] if it was reaped before, by this call or by somebody else.
    fn reap(&self, child: Handle, wait: bool) -> Result<Option<ExitStatus>, Errno>;

    /// Hands a child the files that this process prints on (unix(7), `SCM_RIGHTS`), and tells it (USR1): it prints on them from
    /// then on, whatever it does at that moment and whatever it could open itself.
    ///
    /// # Errors
    /// [`Errno::SRCH`] or one of [`Errno::PIPE`] and [`Errno::CONNRESET`] if it has ended, [`Errno::AGAIN`] if it has not
    /// taken what it was handed many times before, [`Errno::NOTCONN`] if it prints on no files of its parent.
    fn hand_outputs(&self, child: Handle) -> Result<(), Errno> {
        let _ = child;
        Err(Errno::NOSYS)
    }

    /// Sends a child a signal (pidfd_send_signal(2)). Succeeds for one that has ended and was not reaped.
    ///
    /// # Errors
    /// [`Errno::SRCH`] after it was reaped.
    fn signal_child(&self, child: Handle, signal: Signal) -> Result<(), Errno>;

    /// How much memory a child has, in bytes (/proc/PID/statm, /proc/PID/smaps_rollup). One that has ended and was not reaped
    /// has none: 0, or [`Errno::SRCH`].
    ///
    /// # Errors
    /// [`Errno::SRCH`] after it was reaped; what open(2) and read(2) answer, such as [`Errno::MFILE`], and for
    /// [`MemoryFigure::Pss`] of a process that may not be looked at [`Errno::ACCES`].
    fn memory(&self, child: Handle, figure: MemoryFigure) -> Result<u64, Errno>;

    /// The next news of children that were stopped or continued; with `reap_strangers`, also of
    /// adopted ones that were reaped. Never takes the status of a child that [`fork`](Self::fork) made.
    /// Ask until `None` after each CHLD: those merge, and name nobody reliably (signal(7)).
    fn child_news(&self, reap_strangers: bool) -> Option<ChildNews>;

    /// Two ends of a channel that keeps the bounds of messages (socketpair(2), SOCK_SEQPACKET). They are read
    /// and written like sockets: one call is one message; a read of 0 is the end, or a message of no bytes, which
    /// nobody sends.
    ///
    /// # Errors
    /// Whatever socketpair(2) answers.
    fn channel(&self) -> Result<(Handle, Handle), Errno>;

    // Pipes: what children print

    /// A pipe: its reading end, which does not wait, and its writing end, which does, so that whoever prints more
    /// than is read waits and never hears of it (pipe2(2), O_CLOEXEC). It holds 64 KiB in pages (pipe(7)). The
    /// writing end is for [`Birth::output`], and nothing else.
    ///
    /// # Errors
    /// Whatever pipe2(2) answers; nothing stays open then.
    fn pipe(&self) -> Result<(Handle, Handle), Errno> {
        Err(Errno::NOSYS)
    }

    /// Reads up to `buffer.len()` bytes from a pipe (read(2)); 0 is the end: nobody holds its writing end any more.
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if nothing is there yet.
    fn pipe_read(&self, pipe: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        let _ = (pipe, buffer);
        Err(Errno::NOSYS)
    }

    /// Prints a prefix of `bytes` and says how long it was (write(2) to descriptor 1 or 2). Waits where there is no
    /// room; what is interrupted by a signal after some bytes were taken ends there.
    ///
    /// # Errors
    /// [`Errno::PIPE`] if nobody reads any more; whatever write(2) answers.
    fn print(&self, stream: StdStream, bytes: &[u8]) -> Result<usize, Errno> {
        let _ = (stream, bytes);
        Err(Errno::NOSYS)
    }

    // Heartbeat slots: memory that parent and children share

    /// A page of `count` slots, each claimed by nobody. It lives as long as this system.
    ///
    /// # Errors
    /// Whatever mmap(2) answers.
    fn slots(&self, count: u32) -> Result<SlotsId, Errno>;

    /// Empties a slot for `incarnation`; before the fork, so that nothing of a predecessor is left in it.
    fn slot_claim(&self, slots: SlotsId, slot: u32, incarnation: u32);

    /// What `incarnation` last stored in its slot. What another incarnation stored reads as nothing.
    fn slot_read(&self, slots: SlotsId, slot: u32, incarnation: u32) -> SlotReading;

    // As a child

    /// Does to this process what `confinement` says, in its order; what holds already is not asked for, and needs no
    /// privilege. Called once, in a child, before anything else: a process that fails in it must end, for it
    /// has some of its privileges and not others.
    ///
    /// That the child ends with its parent, as it was born to, goes on to hold, although the kernel takes that away
    /// with a change of user or group (PR_SET_PDEATHSIG).
    ///
    /// # Errors
    /// The step that failed, and what the system answered.
    fn confine(&self, confinement: &Confinement) -> Result<(), ConfineError> {
        if confinement.is_empty() {
            return Ok(());
        }
        Err(ConfineError { step: Step::User, errno: Errno::NOSYS })
    }

    /// Stores a sign of life in this worker's slot: alive now, and about to do what `pace` says. Costs
    /// nanoseconds. The stored moment is not earlier than the present one, and up to two ticks of the
    /// kernel's coarse clock later (8 ms at 250 Hz): a worker looks younger than it is, not older. Does
    /// nothing in a process that has no slot.
    fn pulse(&self, pace: Pace);

    /// Publishes until when this worker may be silent, for one long piece of work.
    fn slot_extend(&self, until: Instant);

    /// Publishes how many requests this worker has served.
    fn slot_count(&self, requests: u64);

    /// Publishes how many connections this worker has in hand.
    fn slot_busy(&self, connections: u64);

    /// Whether this worker was asked to quit (QUIT, or its host died and it is to drain). No system call.
    fn quit_asked(&self) -> bool;

    /// A handle that is readable once this worker was asked to quit; the same one each time.
    ///
    /// # Errors
    /// [`Errno::NOSYS`] in a process that is no worker.
    fn quit_handle(&self) -> Result<Handle, Errno>;

    /// As [`Sys::wait`], and also ends when this worker is asked to quit, or was before.
    ///
    /// # Errors
    /// [`Errno::CANCELED`] if it was asked to quit and `handle` is not ready; otherwise as [`Sys::wait`].
    fn wait_or_quit(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<Readiness, Errno>;
}
