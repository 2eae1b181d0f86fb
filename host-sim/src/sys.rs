//! `Sys` for one simulated process: each call takes virtual time, and may let others run.

mod pid_file;
mod processes;

use crate::check::Violation;
use crate::check::truth::pauses::Kind as Pause;
use crate::choice::Stream;
use crate::coroutine::Gate;
use crate::kernel::files::Object;
use crate::kernel::poller::{COMPUTING, POLLING};
use crate::kernel::rules::Rule;
use crate::kernel::signals::{Disposition, Signals, set_of};
use crate::kernel::{Call, Index, Kernel, MILLISECOND, Nanos};
use crate::marks::sometimes;
use crate::story::Aside;
use crate::trace::{Kind, StableHasher, Who};
use host_core::fleet::beat::Pace;
use host_core::fleet::output::LineEnd;
use host_core::id::ServiceId;
use host_core::notice::{Level, Notice, Record};
use host_core::service::kick::Site;
use host_core::sys::{
    Errno, ExitStatus, Fact, Handle, Interest, ManagerWants, Panic, Passed, PidFileError, PollEvent,
    Readiness, ShutdownHow, Signal, StdStream, Sys, UnixPath,
};
use host_core::time::{Instant, WallTime};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Work of a host that is shorter delays nothing that any rule measures.
const NOTICEABLE: Nanos = MILLISECOND;
/// Work that is shorter makes nobody late: no heartbeat timeout may be as short.
const LONG: Nanos = 20 * MILLISECOND;

/// The operating system as one simulated process sees it.
pub(crate) struct SimSys {
    pub(crate) kernel: Rc<RefCell<Kernel>>,
    pub(crate) me: Index,
    pub(crate) gate: Rc<Gate>,
}

impl SimSys {
    /// A system call: `code` happens at once, its cost passes, and others may run meanwhile.
    fn call<T>(&self, code: impl FnOnce(&mut Kernel) -> T) -> T {
        self.call_that_costs(None, code)
    }

    /// As [`call`](Self::call), for one that usually takes this long.
    fn call_that_costs<T>(&self, usual: Option<Nanos>, code: impl FnOnce(&mut Kernel) -> T) -> T {
        let mut borrowed = self.kernel.borrow_mut();
        if borrowed.process(self.me).hangs_next {
            drop(borrowed);
            self.hang_if_told();
            borrowed = self.kernel.borrow_mut();
        }
        let kernel = &mut *borrowed;
        let answer = code(kernel);
        let now = kernel.now;
        let process = kernel.process(self.me);
        // A process that is being unwound has no effect on time.
        if process.status.is_some() || std::thread::panicking() {
            return answer;
        }
        process.pulses = 0;
        process.truth.progress = now;
        let cost = match usual {
            None => kernel.call_cost(self.me),
            Some(usual) => kernel.cost(self.me, usual),
        };
        let alone = kernel.spend(self.me, cost);
        drop(borrowed);
        if !alone {
            self.gate.give_way();
        }
        answer
    }

    /// A fault: this process computes for ever from here on.
    fn hang_if_told(&self) {
        {
            let kernel = &mut *self.kernel.borrow_mut();
            let process = kernel.process(self.me);
            if !process.hangs_next || !process.is_living() || std::thread::panicking() {
                return;
            }
            // It is user code that hangs, and none runs between the end of a wait and the sign of life after it.
            if kernel.has_told_that_it_waits(self.me) {
                return;
            }
            kernel.hang(self.me, "computing for ever");
        }
        self.never_go_on();
    }

    /// Never resumed: a signal ends the process, which unwinds from here.
    fn never_go_on(&self) -> ! {
        loop {
            self.gate.give_way();
        }
    }

    /// A system call that a signal may interrupt before it does anything.
    fn interruptible<T>(&self, code: impl FnOnce(&mut Kernel) -> Result<T, Errno>) -> Result<T, Errno> {
        self.call(|kernel| {
            if kernel.process(self.me).status.is_some() {
                return Err(Errno::BADF);
            }
            if kernel.is_interrupted(self.me) {
                return Err(Errno::INTR);
            }
            code(kernel)
        })
    }

    /// Whether this process is dead and only its destructors still run.
    fn is_dead(&self) -> bool {
        self.kernel.borrow_mut().process(self.me).status.is_some()
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
            kernel.record(self.me, Kind::Work, nanos, 0);
            kernel.process(self.me).doing = COMPUTING;
            if nanos >= NOTICEABLE {
                kernel.check_pause(self.me, Pause::Busy);
            }
            if nanos >= LONG {
                kernel.process(self.me).truth.computing_since = Some(kernel.now);
                kernel.check_silence(self.me);
            }
            kernel.spend(self.me, nanos)
        };
        if !alone {
            self.gate.give_way();
        }
        let kernel = &mut *self.kernel.borrow_mut();
        if nanos >= NOTICEABLE {
            kernel.check_resumption(self.me, Pause::Busy);
        }
        let now = kernel.now;
        let process = kernel.process(self.me);
        process.truth.computing_since = None;
        process.doing = "running";
        process.pulses = 0;
        process.truth.progress = now;
    }

    /// What a fault does to user code that is about to run.
    fn suffer(&self) {
        self.hang_if_told();
        let slow = {
            let kernel = &mut *self.kernel.borrow_mut();
            if kernel.host != Some(self.me) || kernel.process(self.me).status.is_some() {
                return;
            }
            let in_callback = matches!(kernel.process(self.me).site, Site::In(..) | Site::Deciding(_));
            if in_callback && std::mem::take(&mut kernel.laid.hang) {
                kernel.hang_host(self.me);
                None
            } else {
                Some(std::mem::take(&mut kernel.laid.slow_callback))
            }
        };
        match slow {
            Some(0) => {}
            Some(nanos) => self.compute(nanos),
            None => self.never_go_on(),
        }
    }

    /// Waits for one handle (poll(2)); if `quitting`, also for being asked to quit.
    fn wait_for(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
        quitting: bool,
    ) -> Result<Readiness, Errno> {
        let deadline = deadline.map(Instant::as_nanos);
        loop {
            let found = self.interruptible(|kernel| {
                let object = kernel.object(self.me, handle).ok_or(Errno::BADF)?;
                let told = kernel.holds(self.me, object).told(interest);
                if !told.is_none() {
                    return Ok(Some(told));
                }
                if quitting && kernel.process(self.me).quit_asked {
                    return kernel.failed(self.me, Call::Wait, Errno::CANCELED);
                }
                if kernel.is_due(deadline) {
                    return kernel.failed(self.me, Call::Wait, Errno::TIMEDOUT);
                }
                Ok(None)
            })?;
            if let Some(readiness) = found {
                return Ok(readiness);
            }
            {
                let kernel = &mut *self.kernel.borrow_mut();
                let Some(file) = kernel.file(self.me, handle) else { return Err(Errno::BADF) };
                let object = kernel.files.get(file).object;
                let ready = !kernel.holds(self.me, object).told(interest).is_none();
                // It may have come while the call's own cost passed.
                if ready || quitting && kernel.process(self.me).quit_asked {
                    continue;
                }
                if std::thread::panicking() {
                    return Err(Errno::INTR);
                }
                kernel.wait_for(self.me, file);
                kernel.record(self.me, Kind::Wait, handle.raw(), u64::from(interest.writable));
                let doing = if interest.writable { "waiting to write" } else { "waiting to read" };
                kernel.block(self.me, deadline, doing);
            }
            self.give_way();
            let kernel = &mut *self.kernel.borrow_mut();
            kernel.wait_no_longer(self.me);
            let process = kernel.process(self.me);
            process.doing = "running";
            // Whoever is asked to quit is interrupted for it: the next look tells that.
            if std::mem::take(&mut process.interrupted) && !(quitting && process.quit_asked) {
                return kernel.failed(self.me, Call::Wait, Errno::INTR);
            }
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
        let mut half = || u64::from(kernel.choices.choose(Stream::User, self.me, u32::MAX));
        half() << 32 | half()
    }

    fn listen(&self, address: SocketAddr, backlog: u32) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.listen(self.me, address, backlog))
    }

    fn listen_spread(&self, address: SocketAddr, backlog: u32, count: u32) -> Result<Vec<Handle>, Errno> {
        self.call(|kernel| kernel.listen_spread(self.me, address, backlog, count))
    }

    fn listen_unix(&self, path: &UnixPath, backlog: u32) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.listen_unix(self.me, *path, backlog))
    }

    fn connect(&self, address: SocketAddr) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.connect(self.me, address))
    }

    fn accept(&self, listener: Handle) -> Result<(Handle, SocketAddr), Errno> {
        self.interruptible(|kernel| kernel.accept(self.me, listener))
    }

    fn read(&self, socket: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.read(self.me, socket, buffer))
    }

    fn write(&self, socket: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.write(self.me, socket, bytes))
    }

    fn shutdown(&self, socket: Handle, how: ShutdownHow) -> Result<(), Errno> {
        self.call(|kernel| kernel.shutdown(self.me, socket, how))
    }

    fn take_error(&self, socket: Handle) -> Result<Option<Errno>, Errno> {
        self.call(|kernel| kernel.take_error(self.me, socket))
    }

    fn set_nodelay(&self, socket: Handle, _on: bool) -> Result<(), Errno> {
        self.call(|kernel| match kernel.addresses(self.me, socket) {
            // Of no other family is there such an option.
            Err(Errno::AFNOSUPPORT) => Err(Errno::OPNOTSUPP),
            answer => answer.map(drop),
        })
    }

    fn local_address(&self, socket: Handle) -> Result<SocketAddr, Errno> {
        self.call(|kernel| Ok(kernel.addresses(self.me, socket)?.0))
    }

    fn peer_address(&self, socket: Handle) -> Result<SocketAddr, Errno> {
        self.call(|kernel| kernel.addresses(self.me, socket)?.1.ok_or(Errno::NOTCONN))
    }

    fn close(&self, handle: Handle) {
        self.leave_pid_file(handle);
        self.call(|kernel| {
            // What tells a worker to quit stays open for as long as it may be told.
            if kernel.process(self.me).quit_handle != Some(handle) {
                kernel.close(self.me, handle);
            }
        });
    }

    fn poll_add(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_add(self.me, handle, key, interest, false))
    }

    fn poll_add_shared(&self, handle: Handle, key: u64) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_add(self.me, handle, key, Interest::READ, true))
    }

    fn poll_modify(&self, handle: Handle, key: u64, interest: Interest) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_modify(self.me, handle, key, interest))
    }

    fn poll_delete(&self, handle: Handle) -> Result<(), Errno> {
        self.call(|kernel| kernel.poll_delete(self.me, handle))
    }

    fn poll_wait(&self, events: &mut Vec<PollEvent>, deadline: Option<Instant>) -> Result<(), Errno> {
        let deadline = deadline.map(Instant::as_nanos);
        loop {
            let found = self.call(|kernel| {
                if kernel.process(self.me).status.is_some() {
                    return Err(Errno::BADF);
                }
                kernel.collect(self.me, events);
                let due = kernel.is_due(deadline);
                // Only a wait is interrupted: what is there is told, and a look comes back (epoll_wait(2)).
                if events.is_empty() && !due && kernel.is_interrupted(self.me) {
                    return Err(Errno::INTR);
                }
                if !events.is_empty() || due {
                    let count = events.len() as u64;
                    kernel.record(self.me, Kind::PollWait, deadline.unwrap_or(u64::MAX), count);
                    // Told one thing at a time it may take many until it hears of the one.
                    if !kernel.laid.single_events {
                        kernel.process(self.me).count_poll();
                    }
                    kernel.count_look(self.me, due && events.is_empty());
                    if Some(self.me) == kernel.host {
                        let now = kernel.now;
                        kernel.checks.on_waiting(now, false);
                    }
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
                if kernel.any_ready(self.me) || kernel.process(self.me).status.is_some() {
                    continue;
                }
                if std::thread::panicking() {
                    return Err(Errno::INTR);
                }
                if Some(self.me) == kernel.host {
                    kernel.check_before_wait(self.me);
                }
                kernel.block(self.me, deadline, POLLING);
                if Some(self.me) == kernel.host {
                    let now = kernel.now;
                    kernel.checks.on_waiting(now, true);
                }
            }
            self.give_way();
            let kernel = &mut *self.kernel.borrow_mut();
            if Some(self.me) == kernel.host {
                let now = kernel.now;
                kernel.checks.on_waiting(now, false);
            }
            let process = kernel.process(self.me);
            process.doing = "running";
            if std::mem::take(&mut process.interrupted) {
                events.clear();
                return kernel.failed(self.me, Call::PollWait, Errno::INTR);
            }
        }
    }

    fn wait(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<Readiness, Errno> {
        self.wait_for(handle, interest, deadline, false)
    }

    fn signals(&self, signals: &[Signal]) -> Result<Handle, Errno> {
        self.call(|kernel| {
            let Some(handle) = kernel.open(self.me, Object::Signals(set_of(signals))) else {
                return kernel.failed(self.me, Call::Signals, Errno::MFILE);
            };
            let file = kernel.file(self.me, handle);
            let mine = &mut kernel.process(self.me).signals;
            mine.block(signals);
            mine.files.extend(file);
            Ok(handle)
        })
    }

    fn signal_read(&self, handle: Handle) -> Result<Signal, Errno> {
        self.call(|kernel| {
            let set = match kernel.object(self.me, handle) {
                Some(Object::Signals(set)) => set,
                Some(_) => return Err(Errno::INVAL),
                None => return Err(Errno::BADF),
            };
            kernel.progressed(self.me, handle, true);
            let lowest = kernel.honours(Rule::LowestSignalFirst);
            let signal = kernel.process(self.me).signals.read(set, lowest).ok_or(Errno::AGAIN)?;
            kernel.record(self.me, Kind::SignalRead, u64::from(signal.number()), 0);
            Ok(signal)
        })
    }

    fn signals_end_process(&self, signals: &[Signal]) -> Result<(), Errno> {
        self.call(|kernel| {
            let mine = &mut kernel.process(self.me).signals;
            mine.set(signals, Disposition::Default);
            mine.unblock(signals);
            kernel.take_signals(self.me);
            Ok(())
        })?;
        // What was pending may have ended this process: then it goes no further.
        self.stop_here_if_dead();
        Ok(())
    }

    fn kick_arm(&self, threshold: Duration) -> Result<(), Errno> {
        self.call(|kernel| {
            let process = kernel.process(self.me);
            if process.kick.is_some() {
                return Err(Errno::BUSY);
            }
            process.kick = Some(threshold);
            process.signals.set(&[Signal::Usr1], Disposition::Kick);
            Ok(())
        })
    }

    fn kick_name(&self, service: ServiceId, name: &str) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let Some(book) = kernel.trace.book_mut() {
            book.services.insert((self.me, service.number()), name.to_owned());
        }
        let names = &mut kernel.process(self.me).names;
        if names.len() <= service.index() {
            names.resize(service.index() + 1, String::new());
        }
        names[service.index()] = name.to_owned();
    }

    fn kick_disarm(&self) {
        self.call(|kernel| {
            let process = kernel.process(self.me);
            process.kick = None;
            let is_worker = process.seat.is_some();
            let before = if is_worker { Signals::of_a_worker() } else { Signals::default() };
            process.signals.set_back(&before);
            // What came too late to be read strikes whoever had the signals before.
            kernel.take_signals(self.me);
        });
        self.stop_here_if_dead();
    }

    fn beat(&self, at: Instant, site: Site) {
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.record(self.me, Kind::Beat, site.pack(), 0);
        let now = kernel.now;
        if Some(self.me) == kernel.host && matches!(site, Site::Deciding(_)) {
            kernel.checks.on_deciding(now);
        }
        let process = kernel.process(self.me);
        process.beat = at;
        process.site = site;
        if process.seat.is_some() {
            kernel.pulse(self.me, if site == Site::Waiting { Pace::Waiting } else { Pace::Busy });
        }
    }

    fn manager(&self) -> Option<ManagerWants> {
        let kernel = self.kernel.borrow();
        kernel.manager.filter(|_| kernel.host == Some(self.me))
    }

    fn notify(&self, message: &str) -> Result<(), Errno> {
        self.call(|kernel| {
            let now = kernel.now;
            kernel.trace.note(
                now,
                Who(self.me),
                format!("tells its manager: {}", message.replace('\n', ", ")),
            );
            kernel.notified.push((now, message.to_owned()));
            Ok(())
        })
    }

    fn pid_file(&self, path: &str) -> Result<Handle, PidFileError> {
        self.take_pid_file(path)
    }

    fn passed(&self) -> Vec<Passed> {
        self.call(|kernel| kernel.passed(self.me))
    }

    fn log_open(&self, path: &str) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.log_open(self.me, path))
    }

    fn log_write(&self, log: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.log_write(self.me, log, bytes))
    }

    fn redirect(&self, output: StdStream, path: &str) -> Result<(), Errno> {
        self.call(|kernel| kernel.redirect(self.me, output, path))
    }

    fn kick_bell(&self) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.kick_bell(self.me))
    }

    fn kick_heard(&self, _: Handle) {
        self.call(|kernel| kernel.process(self.me).rung = false);
    }

    fn record_create(&self, path: &str) -> Result<Handle, Errno> {
        self.call(|kernel| kernel.record_create(self.me, path))
    }

    fn record_write(&self, recording: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        self.interruptible(|kernel| kernel.record_write(self.me, recording, bytes))
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
        if let (Notice::ListeningAt { path }, Some(name)) = (record.notice, record.subject)
            && let Some(address) = kernel.net.at_path(path)
        {
            kernel.addresses.insert(name.to_owned(), address);
        }
        told(record);
        if matches!(record.notice, Notice::ServiceFailed { .. }) {
            // Its last words: what it ends with is told by them.
            return kernel.say(self.me, record.to_string());
        }
        let now = kernel.now;
        if record.notice.level() > Level::Debug {
            kernel.trace.note(now, Who(self.me), record.to_string());
        }
    }

    fn tell_aloud(&self, _: &Record<'_>) {}

    fn witnesses(&self) -> bool {
        true
    }

    fn witness(&self, fact: Fact<'_>) {
        self.check(&fact);
        // A host that goes round without a system call would never give way, and the run would not end.
        if self.kernel.borrow().violation.is_some() {
            self.give_way();
        }
    }
}

impl SimSys {
    /// A fact or an order of the event loop in this process passes.
    fn check(&self, fact: &Fact<'_>) {
        let kernel = &mut *self.kernel.borrow_mut();
        match fact {
            Fact::Event(_, event) => {
                kernel.record(self.me, Kind::HostEvent, StableHasher::of(event), 0);
                kernel.trace.aside(|| Aside::Fact((*event).clone()));
            }
            Fact::Action(action) => {
                kernel.record(self.me, Kind::HostAction, StableHasher::of(action), 0);
                kernel.trace.aside(|| Aside::Order((*action).clone()));
            }
            Fact::Begin(config) => kernel.expect_config(self.me, config),
            Fact::Settled(_) => {}
        }
        if Some(self.me) == kernel.host {
            kernel.check_fact(self.me, fact);
        }
        let now = kernel.now;
        if kernel.process(self.me).seat.is_none() {
            let Kernel { checks, violation, .. } = kernel;
            checks.on_fact(now, fact, violation);
            return kernel.check_stop(self.me);
        }
        // An event loop in a worker has rules of its own to keep.
        let mut checks = kernel.process(self.me).checks.take().unwrap_or_default();
        checks.on_fact(now, fact, &mut kernel.violation);
        kernel.process(self.me).checks = Some(checks);
    }
}

/// What is remarkable of what is told without an order.
#[expect(clippy::wildcard_enum_match_arm, reason = "all else follows from an order, and has its marks there")]
fn told(record: &Record<'_>) {
    match record.notice {
        Notice::Output { end: LineEnd::TooLong, .. } => sometimes!("a worker prints a line that is too long"),
        Notice::Output { end: LineEnd::Unfinished, .. } => {
            sometimes!("a worker dies in the middle of a line")
        }
        Notice::OutputLeftOut { .. } => sometimes!("a worker prints more lines than are told"),
        _ => {}
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

/// Runs a process body; how it ended, when it was not killed.
pub(crate) fn exit(kernel: &Rc<RefCell<Kernel>>, me: Index, body: impl FnOnce() -> u8) {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(status) => kernel.borrow_mut().end(me, ExitStatus::Code(status)),
        Err(payload) => {
            let mut borrowed = kernel.borrow_mut();
            if borrowed.process(me).status.is_some() {
                drop(borrowed);
                resume_unwind(payload);
            }
            let name = borrowed.process(me).name.clone();
            let message = panic_message(&*payload);
            let rule = if borrowed.host == Some(me) { Some("S45") } else { Some("test") };
            // A worker's panic is its own affair: it is told, and ends the worker.
            let forked = borrowed.process(me).seat.is_some();
            if let Some(rule) = rule.filter(|_| !forked) {
                borrowed
                    .violate(Violation::new(rule, format!("`{name}` panicked outside user code: {message}")));
            } else {
                borrowed.say(me, format!("panicked: {message}"));
            }
            borrowed.end(me, ExitStatus::Code(PANICKED));
        }
    }
}

/// The status of a process whose body panicked, as Rust's own.
const PANICKED: u8 = 101;
