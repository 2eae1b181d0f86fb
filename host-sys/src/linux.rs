//! [`Linux`]: each method of the seam, and the place in this crate that does it.

use crate::daemon::Launcher;
use crate::facade::{self, TARGET};
use crate::handles::Handles;
use crate::kick::Kick;
use crate::manager::{self, Manager};
use crate::passed;
use crate::pid_file::{self, PidFiles};
use crate::poller::{self, Poller};
use crate::process::Children;
use crate::recordings::{self, Recordings};
use crate::signals::{self, Signals};
use crate::slots::Slots;
use crate::unix::{self, Bound};
use crate::{birth, clock, logs, raw, socket};
use host_core::fleet::beat::{Beat, Pace};
use host_core::id::ServiceId;
use host_core::notice::Record;
use host_core::service::kick::Site;
use host_core::sys::{
    Errno, Handle, Interest, ManagerWants, Panic, Passed, PidFileError, PollEvent, Processes as _, Readiness,
    ShutdownHow, Signal, StdStream, Sys, UnixPath,
};
use host_core::time::{Duration, Instant, WallTime};
use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::io::{Result as Answer, retry_on_intr};
use rustix::rand::{GetRandomFlags, getrandom};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// The Linux kernel, as one host sees it.
///
/// Dropping it closes what is still open and gives back the signals that were taken. Children that are
/// left stay as they are: nobody is told how they end.
///
/// It stays in its thread, whose signal mask it changes.
pub struct Linux {
    pub(crate) handles: RefCell<Handles>,
    /// The paths that this process has bound: a child knows none, and removes none.
    paths: RefCell<BTreeMap<Handle, Bound>>,
    recordings: Recordings,
    pid_files: PidFiles,
    manager: Manager,
    pub(crate) launcher: Rc<Launcher>,
    pub(crate) poller: Poller,
    pub(crate) signals: Signals,
    kick: Kick,
    pub(crate) children: Children,
    pub(crate) slots: Slots,
    /// Readable once this worker was asked to quit; none in a process that is no worker.
    pub(crate) bell: Option<Handle>,
    /// Readable when a kick has found this host alive, if it wants to know.
    kick_bell: Cell<Option<Handle>>,
    stays_in_its_thread: PhantomData<Rc<()>>,
}

impl Linux {
    /// A system with nothing open but its poller.
    ///
    /// # Errors
    /// Whatever epoll_create1(2) answers.
    pub fn new() -> Result<Self, Errno> {
        let poller = Poller::new().map_err(errno)?;
        Ok(Self::of_parts(Handles::default(), poller, Slots::default(), None))
    }

    /// The system of a daemon.
    pub(crate) fn launched(launcher: Rc<Launcher>) -> Result<Self, Errno> {
        let mut sys = Self::new()?;
        sys.launcher = launcher;
        Ok(sys)
    }

    /// The system that a worker is born with.
    pub(crate) fn of_worker(handles: Handles, poller: Poller, slots: Slots, bell: Handle) -> Self {
        Self::of_parts(handles, poller, slots, Some(bell))
    }

    fn of_parts(handles: Handles, poller: Poller, slots: Slots, bell: Option<Handle>) -> Self {
        Self {
            handles: RefCell::new(handles),
            paths: RefCell::default(),
            recordings: Recordings::default(),
            pid_files: PidFiles::default(),
            manager: Manager::default(),
            launcher: Rc::default(),
            poller,
            signals: Signals::default(),
            kick: Kick::default(),
            children: Children::default(),
            slots,
            bell,
            kick_bell: Cell::new(None),
            stays_in_its_thread: PhantomData,
        }
    }

    /// One look-up, one system call.
    #[inline]
    pub(crate) fn with<T>(
        &self,
        handle: Handle,
        call: impl FnOnce(BorrowedFd<'_>) -> Answer<T>,
    ) -> Result<T, Errno> {
        let handles = self.handles.borrow();
        handles.get(handle).and_then(|open| call(open.fd.as_fd())).map_err(errno)
    }

    fn opened(&self, fd: Answer<OwnedFd>) -> Result<Handle, Errno> {
        fd.map(|fd| self.handles.borrow_mut().insert(fd)).map_err(errno)
    }
}

impl std::fmt::Debug for Linux {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Linux")
            .field("handles", &self.handles)
            .field("kick", &self.kick)
            .field("children", &self.children)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}

/// A host that ends by a panic or an early return leaves no handler behind that judges a dead heartbeat.
impl Drop for Linux {
    fn drop(&mut self) {
        self.kick.disarm(&self.signals);
    }
}

impl Sys for Linux {
    #[inline]
    fn now(&self) -> Instant {
        clock::now()
    }

    fn wall(&self) -> WallTime {
        clock::wall()
    }

    fn random(&self) -> u64 {
        let mut bytes = [0; 8];
        match retry_on_intr(|| getrandom(&mut bytes, GetRandomFlags::empty())) {
            Ok(_) => u64::from_ne_bytes(bytes),
            // No kernel since 3.17 gets here. Jitter is not worth the end of a host: nanoseconds differ too.
            Err(_) => clock::now().as_nanos(),
        }
    }

    fn listen(&self, address: SocketAddr, backlog: u32) -> Result<Handle, Errno> {
        self.opened(socket::listen(address, backlog))
    }

    fn listen_spread(&self, address: SocketAddr, backlog: u32, count: u32) -> Result<Vec<Handle>, Errno> {
        let sockets = socket::listen_spread(address, backlog, count).map_err(errno)?;
        let mut handles = self.handles.borrow_mut();
        Ok(sockets.into_iter().map(|fd| handles.insert(fd)).collect())
    }

    fn listen_unix(&self, path: &UnixPath, backlog: u32) -> Result<Handle, Errno> {
        let (fd, bound) = unix::listen(path, backlog).map_err(errno)?;
        let handle = self.handles.borrow_mut().insert(fd);
        self.paths.borrow_mut().insert(handle, bound);
        Ok(handle)
    }

    fn passed(&self) -> Vec<Passed> {
        let name = |passed::Socket { number, name, listener }| {
            let listener = listener.map(|(fd, place)| (self.handles.borrow_mut().insert(fd), place));
            Passed { number, name, listener: listener.map_err(errno) }
        };
        passed::take(self.pid()).into_iter().map(name).collect()
    }

    fn connect(&self, address: SocketAddr) -> Result<Handle, Errno> {
        self.opened(socket::connect(address))
    }

    fn accept(&self, listener: Handle) -> Result<(Handle, SocketAddr), Errno> {
        let (fd, peer) = self.with(listener, socket::accept)?;
        Ok((self.handles.borrow_mut().insert(fd), peer))
    }

    #[inline]
    fn read(&self, socket: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with(socket, |fd| socket::read(fd, buffer))
    }

    #[inline]
    fn write(&self, socket: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.with(socket, |fd| socket::write(fd, bytes))
    }

    fn shutdown(&self, socket: Handle, how: ShutdownHow) -> Result<(), Errno> {
        self.with(socket, |fd| socket::shutdown(fd, how))
    }

    fn take_error(&self, socket: Handle) -> Result<Option<Errno>, Errno> {
        Ok(self.with(socket, socket::take_error)?.map(errno))
    }

    fn set_nodelay(&self, socket: Handle, on: bool) -> Result<(), Errno> {
        self.with(socket, |fd| socket::set_nodelay(fd, on))
    }

    fn local_address(&self, socket: Handle) -> Result<SocketAddr, Errno> {
        self.with(socket, socket::local_address)
    }

    fn peer_address(&self, socket: Handle) -> Result<SocketAddr, Errno> {
        self.with(socket, socket::peer_address)
    }

    fn close(&self, handle: Handle) {
        // A signal handler writes to it, by a number that must not become another's.
        if self.bell == Some(handle) {
            return;
        }
        // A handler writes to this one, too.
        if self.kick_bell.get() == Some(handle) {
            self.kick_bell.set(None);
            raw::KICK_BELL.hang(None);
        }
        let Some(mut open) = self.handles.borrow_mut().remove(handle) else { return };
        self.pid_files.leave(handle, &open.fd);
        let bound = self.paths.borrow_mut().remove(&handle);
        // Usually done by the caller. Were it forgotten while another process holds the description, the
        // poller would report for ever what nobody can take out any more.
        if open.watched.is_some() {
            let _ = self.poller.delete(&mut open);
        }
        drop(open);
        self.recordings.close(handle);
        if let Some(bound) = bound {
            bound.remove();
        }
    }

    fn poll_add(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno> {
        let mut handles = self.handles.borrow_mut();
        handles.get_mut(handle).and_then(|open| self.poller.add(open, key, interest)).map_err(errno)
    }

    fn poll_add_shared(&self, handle: Handle, key: u64) -> Result<(), Errno> {
        let mut handles = self.handles.borrow_mut();
        handles.get_mut(handle).and_then(|open| self.poller.add_shared(open, key)).map_err(errno)
    }

    fn poll_modify(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno> {
        let mut handles = self.handles.borrow_mut();
        handles.get_mut(handle).and_then(|open| self.poller.modify(open, key, interest)).map_err(errno)
    }

    fn poll_delete(&self, handle: Handle) -> Result<(), Errno> {
        let mut handles = self.handles.borrow_mut();
        handles.get_mut(handle).and_then(|open| self.poller.delete(open)).map_err(errno)
    }

    fn poll_wait(&self, events: &mut Vec<PollEvent>, deadline: Option<Instant>) -> Result<(), Errno> {
        self.poller.wait(events, deadline).map_err(errno)
    }

    fn wait(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<Readiness, Errno> {
        self.with(handle, |fd| poller::wait_for(fd, interest, deadline))
    }

    fn signals(&self, signals: &[Signal]) -> Result<Handle, Errno> {
        self.opened(self.signals.take(signals))
    }

    fn signal_read(&self, handle: Handle) -> Result<Signal, Errno> {
        self.with(handle, signals::read)
    }

    fn signals_end_process(&self, signals: &[Signal]) -> Result<(), Errno> {
        self.signals.end_process(signals).map_err(errno)
    }

    fn kick_arm(&self, threshold: Duration) -> Result<(), Errno> {
        self.kick.arm(threshold, &self.signals).map_err(errno)
    }

    fn kick_name(&self, service: ServiceId, name: &str) {
        self.kick.name(service, name);
    }

    fn kick_disarm(&self) {
        self.kick.disarm(&self.signals);
    }

    #[inline]
    fn beat(&self, at: Instant, site: Site) {
        self.kick.beat(at, site);
        let pace = if site == Site::Waiting { Pace::Waiting } else { Pace::Busy };
        self.slots.beat(Beat { at, pace });
    }

    fn log_open(&self, path: &str) -> Result<Handle, Errno> {
        self.opened(logs::open(path))
    }

    fn log_write(&self, log: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.with(log, |file| logs::write(file, bytes))
    }

    fn redirect(&self, output: StdStream, path: &str) -> Result<(), Errno> {
        // What stands in a buffer belongs to the file before.
        birth::flush();
        logs::redirect(output, path).map_err(errno)
    }

    fn kick_bell(&self) -> Result<Handle, Errno> {
        let bell = self.opened(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK))?;
        self.with(bell, |fd| {
            raw::KICK_BELL.hang(Some(fd));
            Ok(())
        })?;
        self.kick_bell.set(Some(bell));
        Ok(bell)
    }

    fn kick_heard(&self, bell: Handle) {
        // It is readable, or was heard already.
        let _ = self.with(bell, |fd| rustix::io::read(fd, &mut [0; 8]));
    }

    fn record_create(&self, path: &str) -> Result<Handle, Errno> {
        let handle = self.opened(recordings::create(path))?;
        self.recordings.add(handle, path);
        Ok(handle)
    }

    fn manager(&self) -> Option<ManagerWants> {
        let wants = manager::wants(self.pid());
        let awaits_start = self.launcher.waits();
        if awaits_start { Some(ManagerWants { awaits_start, ..wants.unwrap_or_default() }) } else { wants }
    }

    fn notify(&self, message: &str) -> Result<(), Errno> {
        if self.launcher.waits() && message.lines().any(|line| line == "READY=1") {
            self.launcher.serves(self.pid());
        }
        if manager::is_there() { self.manager.tell(message).map_err(errno) } else { Ok(()) }
    }

    fn pid_file(&self, path: &str) -> Result<Handle, PidFileError> {
        let (fd, taken) = pid_file::take_at(path, self.pid())?;
        let handle = self.handles.borrow_mut().insert(fd);
        self.pid_files.add(handle, taken);
        Ok(handle)
    }

    fn record_write(&self, recording: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        let room = self.recordings.room(recording, bytes.len()).map_err(errno)?;
        let written = self.with(recording, |file| rustix::io::write(file, &bytes[..room]))?;
        self.recordings.wrote(recording, written);
        Ok(written)
    }

    fn run_user(&self, code: &mut dyn FnMut()) -> Result<(), Panic> {
        // The caller closes the service whose code it was: nobody sees what the panic left half done.
        catch_unwind(AssertUnwindSafe(code)).map_err(|payload| Panic { message: said(payload) })
    }

    fn work(&self, _: Duration) {}

    fn wants_dispatches(&self) -> bool {
        log::log_enabled!(target: TARGET, log::Level::Debug)
    }

    fn tell(&self, record: &Record<'_>) {
        facade::tell(record);
    }

    fn tell_aloud(&self, record: &Record<'_>) {
        if facade::level(record) > log::max_level() {
            let _ = writeln!(std::io::stderr(), "{record}");
        }
    }
}

/// The same number under the seam's own type.
pub(crate) fn errno(errno: rustix::io::Errno) -> Errno {
    Errno::from_raw(errno.raw_os_error())
}

/// What a panic said.
pub(crate) fn said(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<&str>() {
        Ok(message) => (*message).into(),
        Err(payload) => match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(payload) => {
                // Its destructor is user code as well and may panic in turn, here where nobody catches it.
                std::mem::forget(payload);
                "with a value that is not text".into()
            }
        },
    }
}
