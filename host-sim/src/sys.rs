//! `Sys` for one simulated process: each call takes virtual time, and may let others run.

use crate::check::Violation;
use crate::choice::Stream;
use crate::coroutine::Gate;
use crate::kernel::poller::{COMPUTING, POLLING};
use crate::kernel::process::{ExitStatus, bit};
use crate::kernel::{Call, Kernel, Nanos, Pid};
use crate::trace::{Kind, StableHasher};
use host_core::error::ServiceError;
use host_core::id::ServiceId;
use host_core::notice::{Level, Notice, Record};
use host_core::service::kick::Site;
use host_core::sys::{Errno, Fact, Handle, Interest, Panic, PollEvent, Readiness, ShutdownHow, Signal, Sys};
use host_core::time::{Instant, WallTime};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// The operating system as one simulated process sees it.
pub(crate) struct SimSys {
    pub(crate) kernel: Rc<RefCell<Kernel>>,
    pub(crate) pid: Pid,
    pub(crate) gate: Rc<Gate>,
}

impl SimSys {
    /// A system call: `code` happens at once, its cost passes, and others may run meanwhile.
    fn call<T>(&self, code: impl FnOnce(&mut Kernel) -> T) -> T {
        let (answer, alone) = {
            let kernel = &mut *self.kernel.borrow_mut();
            let answer = code(kernel);
            let alone = if kernel.process(self.pid).status.is_some() || std::thread::panicking() {
                // A process that is being unwound has no effect on time.
                true
            } else {
                let cost = kernel.call_cost(self.pid);
                kernel.spend(self.pid, cost)
            };
            (answer, alone)
        };
        if !alone {
            self.gate.give_way();
        }
        answer
    }

    /// A system call that a signal may interrupt before it does anything.
    fn interruptible<T>(&self, code: impl FnOnce(&mut Kernel) -> Result<T, Errno>) -> Result<T, Errno> {
        self.call(|kernel| {
            if kernel.process(self.pid).status.is_some() {
                return Err(Errno::BADF);
            }
            if kernel.laid.interrupt && kernel.choices.choose(Stream::Call, self.pid, 8) == 7 {
                return Err(Errno::INTR);
            }
            code(kernel)
        })
    }

    /// Whether this process is dead and only its destructors still run.
    fn is_dead(&self) -> bool {
        self.kernel.borrow_mut().process(self.pid).status.is_some()
    }

    /// A process that ended itself by a call is unwound from that call.
    fn stop_here_if_dead(&self) {
        if self.is_dead() && !std::thread::panicking() {
            self.gate.give_way();
        }
    }

    /// Gives way until the kernel lets this process go on.
    fn give_way(&self) {
        if !self.is_dead() && !std::thread::panicking() {
            self.gate.give_way();
        }
    }

    /// Lets time pass in which this process computes.
    fn compute(&self, nanos: Nanos) {
        if self.is_dead() || std::thread::panicking() {
            return;
        }
        let alone = {
            let kernel = &mut *self.kernel.borrow_mut();
            kernel.record(self.pid, Kind::Work, nanos, 0);
            kernel.process(self.pid).doing = COMPUTING;
            kernel.spend(self.pid, nanos)
        };
        if !alone {
            self.gate.give_way();
        }
        self.kernel.borrow_mut().process(self.pid).doing = "running";
    }

    /// What a fault does to a callback that is about to run.
    fn suffer(&self) {
        let slow = {
            let kernel = &mut *self.kernel.borrow_mut();
            if kernel.host != Some(self.pid) || kernel.process(self.pid).status.is_some() {
                return;
            }
            let in_callback = matches!(kernel.process(self.pid).site, Site::In(..));
            if in_callback && std::mem::take(&mut kernel.laid.hang) {
                let now = kernel.now;
                kernel.process(self.pid).hung_since = Some(now);
                kernel.hang(self.pid);
                None
            } else {
                Some(std::mem::take(&mut kernel.laid.slow_callback))
            }
        };
        match slow {
            Some(0) => {}
            Some(nanos) => self.compute(nanos),
            // Never resumed: a kick or a kill ends the process, which unwinds from here.
            None => loop {
                self.gate.give_way();
            },
        }
    }
}

impl Sys for SimSys {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.kernel.borrow().now)
    }

    fn wall(&self) -> WallTime {
        let kernel = self.kernel.borrow();
        WallTime(i128::from(kernel.now) + kernel.wall_offset)
    }

    fn random(&self) -> u64 {
        let kernel = &mut *self.kernel.borrow_mut();
        let mut half = || u64::from(kernel.choices.choose(Stream::User, self.pid, u32::MAX));
        half() << 32 | half()
    }

    fn listen(&self, address: SocketAddr, backlog: u32) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.listen(self.pid, address, backlog))
    }

    fn connect(&self, address: SocketAddr) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.connect(self.pid, address))
    }

    fn accept(&self, listener: Handle) -> Result<(Handle, SocketAddr), Errno> {
        self.interruptible(|kernel| kernel.accept(self.pid, listener))
    }

    fn read(&self, socket: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.read(self.pid, socket, buffer))
    }

    fn write(&self, socket: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.write(self.pid, socket, bytes))
    }

    fn shutdown(&self, socket: Handle, how: ShutdownHow) -> Result<(), Errno> {
        self.call(|kernel| kernel.shutdown(self.pid, socket, how))
    }

    fn take_error(&self, socket: Handle) -> Result<Option<Errno>, Errno> {
        self.call(|kernel| kernel.take_error(self.pid, socket))
    }

    fn set_nodelay(&self, socket: Handle, _on: bool) -> Result<(), Errno> {
        self.call(|kernel| kernel.addresses(self.pid, socket).map(drop))
    }

    fn local_address(&self, socket: Handle) -> Result<SocketAddr, Errno> {
        self.call(|kernel| Ok(kernel.addresses(self.pid, socket)?.0))
    }

    fn peer_address(&self, socket: Handle) -> Result<SocketAddr, Errno> {
        self.call(|kernel| kernel.addresses(self.pid, socket)?.1.ok_or(Errno::NOTCONN))
    }

    fn close(&self, handle: Handle) {
        self.call(|kernel| kernel.close(self.pid, handle));
    }

    fn poll_add(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_add(self.pid, handle, key, interest))
    }

    fn poll_modify(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_modify(self.pid, handle, key, interest))
    }

    fn poll_delete(&self, handle: Handle) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_delete(self.pid, handle))
    }

    fn poll_wait(&self, events: &mut Vec<PollEvent>, deadline: Option<Instant>) -> Result<(), Errno> {
        let deadline = deadline.map(Instant::as_nanos);
        loop {
            let found = self.interruptible(|kernel| {
                kernel.collect(self.pid, events);
                let due = deadline.is_some_and(|deadline| deadline <= kernel.now);
                if !events.is_empty() || due {
                    let count = events.len() as u64;
                    kernel.record(self.pid, Kind::PollWait, deadline.unwrap_or(u64::MAX), count);
                    kernel.count_look(self.pid, due && events.is_empty());
                    return Ok(true);
                }
                Ok(false)
            })?;
            if found {
                return Ok(());
            }
            {
                let kernel = &mut *self.kernel.borrow_mut();
                // Something may have come while the call's own cost passed.
                if kernel.any_ready(self.pid) || kernel.process(self.pid).status.is_some() {
                    continue;
                }
                if std::thread::panicking() {
                    return Err(Errno::INTR);
                }
                kernel.block(self.pid, deadline, POLLING);
                if Some(self.pid) == kernel.host {
                    let now = kernel.now;
                    kernel.checks.on_waiting(now, true);
                }
            }
            self.give_way();
            let kernel = &mut *self.kernel.borrow_mut();
            if Some(self.pid) == kernel.host {
                let now = kernel.now;
                kernel.checks.on_waiting(now, false);
            }
            let process = kernel.process(self.pid);
            process.doing = "running";
            if std::mem::take(&mut process.interrupted) {
                events.clear();
                return kernel.failed(self.pid, Call::PollWait, Errno::INTR);
            }
        }
    }

    fn wait(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<Readiness, Errno> {
        let deadline = deadline.map(Instant::as_nanos);
        loop {
            let found = self.interruptible(|kernel| {
                let object = kernel.process(self.pid).object(handle).ok_or(Errno::BADF)?;
                let told = kernel.holds(self.pid, object).told(interest);
                if !told.is_none() {
                    return Ok(Some(told));
                }
                if deadline.is_some_and(|deadline| deadline <= kernel.now) {
                    return kernel.failed(self.pid, Call::Wait, Errno::TIMEDOUT);
                }
                Ok(None)
            })?;
            if let Some(readiness) = found {
                return Ok(readiness);
            }
            {
                let kernel = &mut *self.kernel.borrow_mut();
                let Some(object) = kernel.process(self.pid).object(handle) else { return Err(Errno::BADF) };
                if !kernel.holds(self.pid, object).told(interest).is_none() {
                    continue;
                }
                if std::thread::panicking() {
                    return Err(Errno::INTR);
                }
                kernel.wait_for(self.pid, object);
                kernel.record(self.pid, Kind::Wait, handle.raw(), u64::from(interest.writable));
                kernel.block(
                    self.pid,
                    deadline,
                    if interest.writable { "waiting to write" } else { "waiting to read" },
                );
            }
            self.give_way();
            let kernel = &mut *self.kernel.borrow_mut();
            let process = kernel.process(self.pid);
            process.doing = "running";
            if std::mem::take(&mut process.interrupted) {
                return kernel.failed(self.pid, Call::Wait, Errno::INTR);
            }
        }
    }

    fn signals(&self, signals: &[Signal]) -> Result<Handle, Errno> {
        self.call(|kernel| {
            let process = kernel.process(self.pid);
            process.blocked |= signals.iter().fold(0, |set, signal| set | bit(*signal));
            let handle = process.open(crate::kernel::process::Object::Signals).ok_or(Errno::MFILE)?;
            process.signal_handle = Some(handle);
            Ok(handle)
        })
    }

    fn signal_read(&self, handle: Handle) -> Result<Signal, Errno> {
        self.call(|kernel| {
            let process = kernel.process(self.pid);
            let object = process.object(handle).ok_or(Errno::BADF)?;
            // K3: the lowest number first.
            let readable = process.pending & process.blocked;
            let next = Signal::ALL.into_iter().find(|signal| readable & bit(*signal) != 0);
            kernel.progressed(self.pid, object, true);
            let Some(signal) = next else { return Err(Errno::AGAIN) };
            kernel.process(self.pid).pending &= !bit(signal);
            kernel.record(self.pid, Kind::SignalRead, u64::from(signal.number()), 0);
            Ok(signal)
        })
    }

    fn signals_end_process(&self, signals: &[Signal]) -> Result<(), Errno> {
        self.call(|kernel| {
            let set = signals.iter().fold(0, |set, signal| set | bit(*signal));
            kernel.process(self.pid).blocked &= !set;
            kernel.take_signals(self.pid);
            Ok(())
        })?;
        // What was pending may have ended this process: then it goes no further.
        self.stop_here_if_dead();
        Ok(())
    }

    fn kick_arm(&self, threshold: Duration) -> Result<(), Errno> {
        self.call(|kernel| {
            let process = kernel.process(self.pid);
            if process.kick.is_some() {
                return Err(Errno::BUSY);
            }
            process.kick = Some(threshold);
            Ok(())
        })
    }

    fn kick_name(&self, service: ServiceId, name: &str) {
        let kernel = &mut *self.kernel.borrow_mut();
        let names = &mut kernel.process(self.pid).names;
        if names.len() <= service.index() {
            names.resize(service.index() + 1, String::new());
        }
        names[service.index()] = name.to_owned();
    }

    fn kick_disarm(&self) {
        self.call(|kernel| {
            let process = kernel.process(self.pid);
            process.kick = None;
            process.blocked = 0;
        });
    }

    fn beat(&self, at: Instant, site: Site) {
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.record(self.pid, Kind::Beat, site.pack(), 0);
        let process = kernel.process(self.pid);
        process.beat = at;
        process.site = site;
    }

    fn run_user(&self, code: &mut dyn FnMut()) -> Result<(), Panic> {
        self.suffer();
        match catch_unwind(AssertUnwindSafe(code)) {
            Ok(()) => Ok(()),
            // The unwinding of a killed process is nobody's panic.
            Err(payload) if self.is_dead() => resume_unwind(payload),
            Err(payload) => Err(Panic { message: panic_message(&*payload) }),
        }
    }

    fn work(&self, duration: Duration) {
        self.compute(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    fn wants_dispatches(&self) -> bool {
        false
    }

    fn tell(&self, record: &Record<'_>) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let (Notice::Listening { address }, Some(name)) = (record.notice, record.subject) {
            kernel.addresses.insert(name.to_owned(), *address);
        }
        let now = kernel.now;
        if record.notice.level() > Level::Debug {
            kernel.trace.note(now, crate::trace::Who(self.pid), record.to_string());
        }
    }

    fn tell_failure(&self, failure: &ServiceError) {
        let words = failure.to_string();
        self.kernel.borrow_mut().say(self.pid, words);
    }

    fn witnesses(&self) -> bool {
        true
    }

    fn witness(&self, fact: Fact<'_>) {
        let kernel = &mut *self.kernel.borrow_mut();
        match &fact {
            Fact::Event(_, event) => kernel.record(self.pid, Kind::HostEvent, StableHasher::of(event), 0),
            Fact::Action(action) => kernel.record(self.pid, Kind::HostAction, StableHasher::of(action), 0),
            Fact::Begin(config) => kernel.expect_config(config),
            Fact::Settled(_) => {}
        }
        let now = kernel.now;
        let Kernel { checks, violation, .. } = kernel;
        checks.on_fact(now, &fact, violation);
    }
}

/// What a panic said.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(words) = payload.downcast_ref::<&str>() {
        (*words).to_owned()
    } else if let Some(words) = payload.downcast_ref::<String>() {
        words.clone()
    } else {
        "a panic without words".to_owned()
    }
}

/// How a process body ended, when it was not killed.
pub(crate) fn exit(kernel: &Rc<RefCell<Kernel>>, pid: Pid, body: impl FnOnce() -> u8) {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(status) => kernel.borrow_mut().end(pid, ExitStatus::Code(status)),
        Err(payload) => {
            let mut borrowed = kernel.borrow_mut();
            if borrowed.process(pid).status.is_some() {
                drop(borrowed);
                resume_unwind(payload);
            }
            let name = borrowed.process(pid).name.clone();
            let message = panic_message(&*payload);
            if borrowed.host == Some(pid) {
                borrowed.violate(Violation::new(
                    "S45",
                    format!("`{name}` panicked outside user code: {message}"),
                ));
            } else {
                borrowed.violate(Violation::new("test", format!("`{name}` panicked: {message}")));
            }
            borrowed.end(pid, ExitStatus::Code(101));
        }
    }
}
