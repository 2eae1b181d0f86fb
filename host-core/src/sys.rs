//! The syscall seam: what the driver asks of an operating system.
//!
//! A method is about what one system call is. All take `&self`, so that a stream can hold the same
//! system as the loop that waits for it. Only [`Sys::poll_wait`] and [`Sys::wait`] block, and
//! [`Processes::print`] where nobody reads; every other method returns at once, with [`Errno::AGAIN`] where a
//! blocking call would wait.
//!
//! Two implementations exist, the real kernel and the simulated one. The contract below is what both
//! are tested against.

mod confinement;
mod errno;
pub mod pid_file;
mod processes;
mod types;

pub use confinement::{Account, ConfineError, Confinement, Limit, Step, User};
pub use errno::Errno;
pub use pid_file::PidFileError;
pub use processes::{Birth, Body, Child, ChildNews, ExitStatus, ForkError, OnHostDeath, Pid, Processes};
pub use types::{
    Fact, Handle, Interest, ManagerWants, Panic, Passed, Place, PollEvent, Readiness, ShutdownHow, Signal,
    SlotReading, SlotsId, StdStream, UnixPath,
};

use crate::id::ServiceId;
use crate::notice::Record;
use crate::service::kick::Site;
use crate::time::{Duration, Instant, WallTime};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// An operating system as the driver sees it.
///
/// Handles are opaque and per process. Using a handle after [`close`](Self::close) answers
/// [`Errno::BADF`]; it never names a younger socket.
pub trait Sys: Processes {
    // Clocks and randomness

    /// The monotonic clock (CLOCK_MONOTONIC). Never goes back.
    fn now(&self) -> Instant;

    /// The wall clock (CLOCK_REALTIME): for log lines only.
    fn wall(&self) -> WallTime;

    /// 64 random bits, to seed the jitter of this host (getrandom(2)).
    fn random(&self) -> u64;

    // Sockets. All are non-blocking and close-on-exec.

    /// A TCP socket bound to `address` and listening (socket, SO_REUSEADDR, bind, listen).
    ///
    /// # Errors
    /// Whatever socket(2), bind(2) or listen(2) answer; nothing stays open then.
    fn listen(&self, address: SocketAddr, backlog: u32) -> Result<Handle, Errno>;

    /// `count` TCP sockets bound to one `address` and listening, at least one: the kernel spreads connections
    /// over them as they come, and closing the last holder of one resets what is queued there (socket(7),
    /// SO_REUSEPORT). All or nothing. Another such group, or a socket of [`listen`](Self::listen), at the
    /// same address is refused, as two of those refuse each other.
    ///
    /// # Errors
    /// Whatever socket(2), setsockopt(2), bind(2) or listen(2) answer; nothing stays open then.
    fn listen_spread(&self, address: SocketAddr, backlog: u32, count: u32) -> Result<Vec<Handle>, Errno>;

    /// A Unix stream socket bound to `path` and listening. A socket that was left behind there, and at which
    /// nobody listens, is replaced. Closing the handle in the process that bound it removes the path, if
    /// it is still that of this socket.
    ///
    /// Its connections come from [`accept`](Self::accept), whose address is unspecified; the addresses of
    /// its own cannot be asked for.
    ///
    /// # Errors
    /// [`Errno::ADDRINUSE`] if somebody listens there, [`Errno::EXIST`] if something else is there than a
    /// socket; whatever socket(2), bind(2) or listen(2) answer.
    fn listen_unix(&self, path: &UnixPath, backlog: u32) -> Result<Handle, Errno>;

    /// The descriptors that whoever started this process has passed to it as listeners; asked once, by a host that
    /// begins, and none from then on. They are non-blocking and close-on-exec from here on.
    fn passed(&self) -> Vec<Passed> {
        Vec::new()
    }

    /// A TCP socket whose connection to `address` has begun (connect(2); "in progress" is success).
    ///
    /// It becomes writable when the connection stands or has failed; [`take_error`](Self::take_error) tells which.
    ///
    /// # Errors
    /// Whatever socket(2) or connect(2) answer at once; nothing stays open then.
    fn connect(&self, address: SocketAddr) -> Result<Handle, Errno>;

    /// The next connection in the queue of `listener`, and who it is from (accept4(2)).
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if there is none; [`Errno::MFILE`] leaves the connection in the queue, and the
    /// listener readable.
    fn accept(&self, listener: Handle) -> Result<(Handle, SocketAddr), Errno>;

    /// Reads up to `buffer.len()` bytes; 0 means that the peer has finished sending (recv(2)).
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if nothing is there yet.
    fn read(&self, socket: Handle, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes a prefix of `bytes` and says how long it was (send(2), MSG_NOSIGNAL).
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if there is no room yet; [`Errno::PIPE`] after the connection ended.
    fn write(&self, socket: Handle, bytes: &[u8]) -> Result<usize, Errno>;

    /// Ends one or both directions of a connection (shutdown(2)).
    ///
    /// # Errors
    /// [`Errno::NOTCONN`] if there is no connection.
    fn shutdown(&self, socket: Handle, how: ShutdownHow) -> Result<(), Errno>;

    /// The pending error of a socket, cleared by asking (SO_ERROR).
    ///
    /// # Errors
    /// [`Errno::BADF`] for a closed handle.
    fn take_error(&self, socket: Handle) -> Result<Option<Errno>, Errno>;

    /// Sends small writes at once, without waiting for the acknowledgement of earlier ones (TCP_NODELAY).
    ///
    /// # Errors
    /// Whatever setsockopt(2) answers.
    fn set_nodelay(&self, socket: Handle, on: bool) -> Result<(), Errno>;

    /// The address that a socket is bound to; tells the port that the kernel chose for port 0.
    ///
    /// # Errors
    /// [`Errno::BADF`] for a closed handle.
    fn local_address(&self, socket: Handle) -> Result<SocketAddr, Errno>;

    /// The address at the other end.
    ///
    /// # Errors
    /// [`Errno::NOTCONN`] if there is no connection.
    fn peer_address(&self, socket: Handle) -> Result<SocketAddr, Errno>;

    /// Closes a handle. Closing twice does nothing. Unread bytes make it a reset for the peer.
    ///
    /// The caller takes it out of the poller first: after a fork somebody else may hold the description,
    /// and then closing does not end the registration.
    fn close(&self, handle: Handle);

    // The poller: one per process, level-triggered.

    /// Reports `handle` under `key` from here on, while one of `interest` holds.
    ///
    /// # Errors
    /// [`Errno::EXIST`] if it is registered already; whatever epoll_ctl(2) answers.
    fn poll_add(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno>;

    /// As [`poll_add`](Self::poll_add) for reading a listener that other processes watch as well: a
    /// connection wakes at least one of them, and not all (EPOLLEXCLUSIVE). Only those who wait at that
    /// moment are woken: one who is woken and then does not accept leaves the connection to chance.
    ///
    /// # Errors
    /// As [`poll_add`](Self::poll_add).
    fn poll_add_shared(&self, handle: Handle, key: u64) -> Result<(), Errno>;

    /// Changes what is reported of a registered handle.
    ///
    /// # Errors
    /// [`Errno::NOENT`] if it is not registered.
    fn poll_modify(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno>;

    /// Reports `handle` no longer.
    ///
    /// # Errors
    /// [`Errno::NOENT`] if it is not registered.
    fn poll_delete(&self, handle: Handle) -> Result<(), Errno>;

    /// Blocks until something registered is ready or `deadline` has come; `None` waits for ever.
    ///
    /// Replaces the contents of `events`; none at all means that the deadline has come. A deadline that
    /// has passed is a look without waiting. At most some hundred events come at once; the rest is
    /// reported by the next call.
    ///
    /// # Errors
    /// [`Errno::INTR`] if a signal handler ran; whatever epoll_pwait2(2) answers.
    fn poll_wait(&self, events: &mut Vec<PollEvent>, deadline: Option<Instant>) -> Result<(), Errno>;

    /// Blocks until `handle` is ready for one of `interest` or `deadline` has come (poll(2)).
    ///
    /// # Errors
    /// [`Errno::TIMEDOUT`] at the deadline, [`Errno::INTR`] if a signal handler ran.
    fn wait(&self, handle: Handle, interest: Interest, deadline: Option<Instant>)
    -> Result<Readiness, Errno>;

    // Signals

    /// Blocks `signals` for this process and gives a handle that is readable while one is pending (signalfd(2)).
    ///
    /// TTIN, TTOU and WINCH that a terminal sends, not a process, are not told: they mean the window.
    ///
    /// # Errors
    /// Whatever signalfd(2) answers.
    fn signals(&self, signals: &[Signal]) -> Result<Handle, Errno>;

    /// Takes one pending signal: the lowest number first, duplicates merged (signal(7)).
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if none is pending.
    fn signal_read(&self, handle: Handle) -> Result<Signal, Errno>;

    /// From here on each of `signals` ends this process at once, even inside a callback that never
    /// returns: default disposition, unblocked. One that is pending already strikes now. As process 1, which no signal
    /// ends by default (pid_namespaces(7)), it exits with 128 and the signal's number.
    ///
    /// # Errors
    /// Whatever sigaction(2) answers.
    fn signals_end_process(&self, signals: &[Signal]) -> Result<(), Errno>;

    // Heartbeat and kick

    /// From here on USR1 ends this process if its heartbeat is older than `threshold`, by
    /// [`kick::verdict`](crate::service::kick::verdict); otherwise it does nothing.
    ///
    /// # Errors
    /// [`Errno::BUSY`] if another host in this process holds the kick; whatever sigaction(2) answers.
    fn kick_arm(&self, threshold: Duration) -> Result<(), Errno>;

    /// Makes `name` known to the kick, which must not allocate when it needs it.
    fn kick_name(&self, service: ServiceId, name: &str);

    /// Gives the kick and the signals back as they were before; the end of a host that does not end
    /// its process. Does nothing if nothing was armed.
    fn kick_disarm(&self);

    /// Stores the heartbeat: alive at `at`, and about to do what `site` says.
    fn beat(&self, at: Instant, site: Site);

    // Recordings

    /// A new file for a recording, which this user alone may read. A file that was there is kept, under the
    /// same name and `.1`, unless it is empty; closing one that nothing was written to removes it.
    ///
    /// # Errors
    /// [`Errno::EXIST`] if something else is there than a file; whatever open(2) or rename(2) answer.
    fn record_create(&self, path: &str) -> Result<Handle, Errno> {
        let _ = path;
        Err(Errno::NOSYS)
    }

    /// Appends a prefix of `bytes` to a recording and says how long it was (write(2)).
    ///
    /// # Errors
    /// [`Errno::NOSPC`] if the disk is full, [`Errno::FBIG`] at the limit of this process (RLIMIT_FSIZE),
    /// which never ends the process; whatever write(2) answers.
    fn record_write(&self, recording: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        let _ = (recording, bytes);
        Err(Errno::NOSYS)
    }

    // Log files

    /// Opens the file at `path` to append to, and makes it if there is none; for its user to write and its group to
    /// read (open(2), O_APPEND). It may be a device or a named pipe as well; never does writing wait for anybody.
    ///
    /// # Errors
    /// [`Errno::NXIO`] for a pipe that nobody reads; whatever open(2) answers.
    fn log_open(&self, path: &str) -> Result<Handle, Errno> {
        let _ = path;
        Err(Errno::NOSYS)
    }

    /// Appends a prefix of `bytes` to a log and says how long it was (write(2)).
    ///
    /// # Errors
    /// [`Errno::NOSPC`] if the disk is full, [`Errno::FBIG`] at the limit of this process (RLIMIT_FSIZE), which
    /// never ends the process; [`Errno::AGAIN`] if a reader is slow; whatever write(2) answers.
    fn log_write(&self, log: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        let _ = (log, bytes);
        Err(Errno::NOSYS)
    }

    /// Makes the file at `path` what this process prints on, opened like a log; children are born with it
    /// (dup2(2)). It stays so when the host ends. Children that were born before get it by
    /// [`hand_outputs`](crate::sys::Processes::hand_outputs).
    ///
    /// # Errors
    /// As [`log_open`](Self::log_open); nothing has changed then.
    fn redirect(&self, output: StdStream, path: &str) -> Result<(), Errno> {
        let _ = (output, path);
        Err(Errno::NOSYS)
    }

    /// A handle that is readable when a kick has come that found this host alive; asked once, by a host
    /// whose kick is armed.
    ///
    /// # Errors
    /// Whatever eventfd(2) answers.
    fn kick_bell(&self) -> Result<Handle, Errno> {
        Err(Errno::NOSYS)
    }

    /// Such a kick was heard: the handle is readable again with the next one.
    fn kick_heard(&self, bell: Handle) {
        let _ = bell;
    }

    // Pid files

    /// Makes the file at `path` that of this process: locked while the handle is open (flock(2)), with the
    /// process's number and a newline in it. A file that nobody has locked is taken over, whatever it says: whoever
    /// wrote it is dead. A reader finds nothing, the number before, or this one, and never a mixture.
    ///
    /// Closing the handle in the process that took it removes the file first, if it still stands at its path. A
    /// child that keeps the handle keeps the lock as well (K19).
    ///
    /// # Errors
    /// [`PidFileError::Taken`] if somebody else has it; whatever open(2) or write(2) answer, and
    /// [`Errno::EXIST`] if something else is there than a file; nothing of it is left then.
    fn pid_file(&self, path: &str) -> Result<Handle, PidFileError> {
        let _ = path;
        Err(PidFileError::of("open", Errno::NOSYS))
    }

    // The service manager

    /// Who started this process and wants to be told how it is (sd_notify(3)), if there is such a one; asked
    /// once, by a host that begins.
    fn manager(&self) -> Option<ManagerWants> {
        None
    }

    /// Tells the service manager: lines like `READY=1`, in one datagram.
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if it has not read what was told before; whatever sendto(2) answers.
    fn notify(&self, message: &str) -> Result<(), Errno> {
        let _ = message;
        Err(Errno::NOSYS)
    }

    // User code

    /// Calls `code`, and turns a panic in it into a value (`core` has no `catch_unwind`).
    ///
    /// # Errors
    /// The panic and its message.
    fn run_user(&self, code: &mut dyn FnMut()) -> Result<(), Panic>;

    /// Declares that the caller computes for `duration`. The real kernel does nothing; a simulated
    /// process, which cannot be observed computing, spends that much virtual time.
    fn work(&self, duration: Duration);

    // Telling people

    /// Whether anybody would read the record of a mere dispatch; asked once, since a record of each
    /// would cost more than the dispatch.
    fn wants_dispatches(&self) -> bool;

    /// Writes a line of the log.
    fn tell(&self, record: &Record<'_>);

    /// Prints this where somebody may read it, unless [`tell`](Self::tell) has reached anybody: for what must not be missed
    /// by an author who has no log yet.
    fn tell_aloud(&self, record: &Record<'_>);

    /// Whether [`witness`](Self::witness) wants to be called; asked once.
    fn witnesses(&self) -> bool {
        false
    }

    /// Sees each fact and order as they pass: for recording and for checking, never for deciding.
    fn witness(&self, fact: Fact<'_>) {
        let _ = fact;
    }
}
