//! A system that records each call and answers by script, and services made of closures.
//!
//! The record of a run is a list of words: `listen h1`, `poll_add h1 r`, `beat connect 0`, `wait 5000`.
//! Handles are numbered in the order in which they were opened.

use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::memory::MemoryFigure;
use host_core::fleet::reason;
use host_core::id::ServiceId;
use host_core::notice::Record;
use host_core::service::kick::Site;
use host_core::sys::{
    Account, Birth, Body, Child, ChildNews, ConfineError, Confinement, Errno, ExitStatus, Fact, ForkError,
    Handle, Interest, ManagerWants, Panic, Passed, Pid, PidFileError, PollEvent, Processes, Readiness,
    ShutdownHow, Signal, SlotReading, SlotsId, StdStream, Step, Sys, UnixPath, User,
};
use host_core::time::{Duration, Instant, WallTime};
use host_core::{Connected, Context, Drained, Listener, Ready, Result, Service, Stream};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// More waits than any test needs: a host that waits more often never ends.
const WAITS_MAX: u32 = 200;
/// And a record that is longer than this is that of a loop without any wait.
const RECORD_MAX: usize = 10_000;

/// What one wait of the poller answers.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    /// These handles are ready; readable if nothing else is said.
    Ready(Vec<u64>),
    /// This handle is ready for this.
    As(u64, Readiness),
    /// This handle is ready, and it takes this long until that is read.
    After(Duration, u64),
    /// A key that may be nobody's.
    Key(u64),
    /// Nothing came until the deadline.
    Nothing,
    Fails(Errno),
    /// This worker is asked to quit, and its handle for that is ready.
    Quit(u64),
    /// As [`Quit`](Self::Quit), and another handle is ready as well.
    QuitAnd(u64, u64),
}

/// The system.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) now: Cell<u64>,
    pub(crate) wants_dispatches: Cell<bool>,
    /// Whether facts and orders are recorded, as `fact: …` and `order: …`.
    pub(crate) witnesses: Cell<bool>,
    /// Who started this process, if it wants to be told how it is.
    pub(crate) managed: Cell<Option<ManagerWants>>,
    /// What it was started with.
    pub(crate) passed: RefCell<Vec<Passed>>,
    record: RefCell<Vec<String>>,
    /// What was written to the recording of the host itself.
    pub(crate) recorded: RefCell<Vec<u8>>,
    /// What the next calls of a name answer; without a script they succeed.
    answers: RefCell<BTreeMap<&'static str, VecDeque<core::result::Result<usize, Errno>>>>,
    reports: RefCell<VecDeque<Report>>,
    handles: Cell<u64>,
    keys: RefCell<BTreeMap<Handle, u64>>,
    waits: Cell<u32>,
    family: Family,
}

/// What one read answers.
type Packet = core::result::Result<Vec<u8>, Errno>;

/// What a [`Fake`] knows of processes. Nobody is born by default but a name and a handle.
#[derive(Default)]
struct Family {
    /// Where a fork runs its body, if it does: the child's own system.
    child: RefCell<Option<Rc<Fake>>>,
    /// What can be read from a handle, before the script for all handles.
    packets: RefCell<BTreeMap<Handle, VecDeque<Packet>>>,
    /// Both ends of each channel: what is written to them is recorded byte by byte.
    channels: RefCell<BTreeSet<Handle>>,
    news: RefCell<VecDeque<ChildNews>>,
    /// How the next children that are reaped have ended; `None` while they live.
    ends: RefCell<VecDeque<core::result::Result<Option<ExitStatus>, Errno>>>,
    /// The moment of the last beat in each slot.
    beats: RefCell<BTreeMap<u32, Beat>>,
    forks: Cell<u32>,
    /// What each worker is sure to fail in.
    foreseen: RefCell<Vec<ConfineError>>,
    /// In a worker: it was asked to quit.
    quit: Cell<bool>,
    quit_handle: Cell<Option<Handle>>,
}

impl Fake {
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self::default())
    }

    /// What the next calls of `name` answer.
    pub(crate) fn answer(
        &self,
        name: &'static str,
        answers: impl IntoIterator<Item = core::result::Result<usize, Errno>>,
    ) {
        self.answers.borrow_mut().entry(name).or_default().extend(answers);
    }

    /// The next call of `name` fails.
    pub(crate) fn fail(&self, name: &'static str, errno: Errno) {
        self.answer(name, [Err(errno)]);
    }

    /// What the next waits answer. When all have, each wait takes until its deadline.
    pub(crate) fn report(&self, reports: impl IntoIterator<Item = Report>) {
        self.reports.borrow_mut().extend(reports);
    }

    /// A system for a child, whose handles are numbered from `first`: the next forks run their bodies on it.
    pub(crate) fn bears(&self, first: u64) -> Rc<Self> {
        let child = Self::new();
        child.handles.set(first - 1);
        *self.family.child.borrow_mut() = Some(Rc::clone(&child));
        child
    }

    /// What the next question after it answers: what each worker is sure to fail in.
    pub(crate) fn foresees(&self, errors: impl IntoIterator<Item = ConfineError>) {
        self.family.foreseen.borrow_mut().extend(errors);
    }

    /// What the next reads of `handle` answer, one packet each.
    pub(crate) fn says(&self, handle: u64, packets: impl IntoIterator<Item = Packet>) {
        self.family.packets.borrow_mut().entry(Handle::from_raw(handle)).or_default().extend(packets);
    }

    /// What the next calls of `reap` answer; without a script each child lives.
    pub(crate) fn ends(
        &self,
        ends: impl IntoIterator<Item = core::result::Result<Option<ExitStatus>, Errno>>,
    ) {
        self.family.ends.borrow_mut().extend(ends);
    }

    /// What the next calls of `child_news` answer, and then nothing.
    pub(crate) fn news(&self, news: impl IntoIterator<Item = ChildNews>) {
        self.family.news.borrow_mut().extend(news);
    }

    /// What is read from a slot from here on.
    pub(crate) fn beats_in(&self, slot: u32, beat: Beat) {
        self.family.beats.borrow_mut().insert(slot, beat);
    }

    /// This worker is asked to quit.
    pub(crate) fn quit(&self) {
        self.family.quit.set(true);
    }

    /// The handles that are registered with the poller.
    pub(crate) fn registered(&self) -> Vec<u64> {
        self.keys.borrow().keys().map(|handle| handle.raw()).collect()
    }

    /// Adds a line of a test's own to the record.
    pub(crate) fn note(&self, words: impl Into<String>) {
        let mut record = self.record.borrow_mut();
        // What is closed while a test fails is recorded without another failure.
        let goes_on = record.len() < RECORD_MAX || std::thread::panicking();
        assert!(goes_on, "the host runs in circles");
        record.push(words.into());
    }

    /// The whole record.
    pub(crate) fn record(&self) -> Vec<String> {
        self.record.borrow().clone()
    }

    /// Those lines of the record that begin with one of `words`.
    pub(crate) fn lines(&self, words: &[&str]) -> Vec<String> {
        self.record
            .borrow()
            .iter()
            .filter(|line| words.iter().any(|word| line.starts_with(word)))
            .cloned()
            .collect()
    }

    fn take(
        &self,
        name: &'static str,
        default: core::result::Result<usize, Errno>,
    ) -> core::result::Result<usize, Errno> {
        self.answers.borrow_mut().get_mut(name).and_then(VecDeque::pop_front).unwrap_or(default)
    }

    fn handle(&self) -> Handle {
        self.handles.set(self.handles.get() + 1);
        Handle::from_raw(self.handles.get())
    }

    fn until(&self, deadline: Option<Instant>) -> String {
        match deadline {
            None => "for ever".into(),
            Some(at) => at.since(self.now()).as_millis().to_string(),
        }
    }
}

fn h(handle: Handle) -> String {
    format!("h{}", handle.raw())
}

fn rw(interest: Interest) -> &'static str {
    match (interest.readable, interest.writable) {
        (true, true) => "rw",
        (true, false) => "r",
        (false, true) => "w",
        (false, false) => "nothing",
    }
}

pub(crate) const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
pub(crate) const ADDRESS: &str = "10.0.0.1:7";
pub(crate) const PEER: &str = "10.0.0.2:9";

impl Sys for Fake {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.get())
    }

    fn wall(&self) -> WallTime {
        WallTime(i128::from(self.now.get()) + 1_000)
    }

    fn random(&self) -> u64 {
        self.note("random");
        0x5eed
    }

    fn listen_unix(&self, path: &UnixPath, backlog: u32) -> core::result::Result<Handle, Errno> {
        if let Err(errno) = self.take("listen_unix", Ok(0)) {
            self.note(format!("listen_unix {path} {backlog} {errno:?}"));
            return Err(errno);
        }
        let handle = self.handle();
        self.note(format!("listen_unix {} {path} {backlog}", h(handle)));
        Ok(handle)
    }

    fn listen(&self, _: SocketAddr, backlog: u32) -> core::result::Result<Handle, Errno> {
        if let Err(errno) = self.take("listen", Ok(0)) {
            self.note(format!("listen {backlog} {errno:?}"));
            return Err(errno);
        }
        let handle = self.handle();
        self.note(format!("listen {} {backlog}", h(handle)));
        Ok(handle)
    }

    fn listen_spread(
        &self,
        _: SocketAddr,
        backlog: u32,
        count: u32,
    ) -> core::result::Result<Vec<Handle>, Errno> {
        if let Err(errno) = self.take("listen_spread", Ok(0)) {
            self.note(format!("listen_spread {backlog} x{count} {errno:?}"));
            return Err(errno);
        }
        let handles: Vec<_> = (0..count).map(|_| self.handle()).collect();
        self.note(format!("listen_spread {} {backlog} x{count}", h(handles[0])));
        Ok(handles)
    }

    fn connect(&self, _: SocketAddr) -> core::result::Result<Handle, Errno> {
        self.take("connect", Ok(0))?;
        let handle = self.handle();
        self.note(format!("connect {}", h(handle)));
        Ok(handle)
    }

    fn accept(&self, listener: Handle) -> core::result::Result<(Handle, SocketAddr), Errno> {
        let answer = self.take("accept", Err(Errno::AGAIN));
        self.note(format!("accept {} {answer:?}", h(listener)));
        answer?;
        Ok((self.handle(), PEER.parse().expect("an address")))
    }

    fn read(&self, socket: Handle, buffer: &mut [u8]) -> core::result::Result<usize, Errno> {
        let packet = self.family.packets.borrow_mut().get_mut(&socket).and_then(VecDeque::pop_front);
        if let Some(packet) = packet {
            self.note(format!("read {} {packet:?}", h(socket)));
            let packet = packet?;
            buffer[..packet.len()].copy_from_slice(&packet);
            return Ok(packet.len());
        }
        let answer = self.take("read", Err(Errno::AGAIN));
        self.note(format!("read {} {answer:?}", h(socket)));
        Ok(answer?.min(buffer.len()))
    }

    fn write(&self, socket: Handle, bytes: &[u8]) -> core::result::Result<usize, Errno> {
        let answer = self.take("write", Ok(bytes.len()));
        if let Some(reason) = reason::decode(bytes) {
            self.note(format!("say {} failed: {reason} {answer:?}", h(socket)));
        } else if self.family.channels.borrow().contains(&socket) {
            self.note(format!("say {} {bytes:?} {answer:?}", h(socket)));
        } else {
            self.note(format!("write {} {answer:?}", h(socket)));
        }
        Ok(answer?.min(bytes.len()))
    }

    fn shutdown(&self, socket: Handle, how: ShutdownHow) -> core::result::Result<(), Errno> {
        self.note(format!("shutdown {} {how:?}", h(socket)));
        self.take("shutdown", Ok(0)).map(drop)
    }

    fn take_error(&self, socket: Handle) -> core::result::Result<Option<Errno>, Errno> {
        self.note(format!("take_error {}", h(socket)));
        // A script says which error was pending, zero is none.
        let raw = self.take("take_error", Ok(0))?;
        Ok((raw != 0).then(|| Errno::from_raw(i32::try_from(raw).expect("an error number"))))
    }

    fn set_nodelay(&self, socket: Handle, on: bool) -> core::result::Result<(), Errno> {
        self.note(format!("set_nodelay {} {on}", h(socket)));
        self.take("set_nodelay", Ok(0)).map(drop)
    }

    fn local_address(&self, _: Handle) -> core::result::Result<SocketAddr, Errno> {
        self.take("local_address", Ok(0))?;
        Ok(ADDRESS.parse().expect("an address"))
    }

    fn peer_address(&self, _: Handle) -> core::result::Result<SocketAddr, Errno> {
        self.take("peer_address", Ok(0))?;
        Ok(PEER.parse().expect("an address"))
    }

    fn close(&self, handle: Handle) {
        self.note(format!("close {}", h(handle)));
    }

    fn poll_add(&self, handle: Handle, key: u64, interest: Interest) -> core::result::Result<(), Errno> {
        self.note(format!("poll_add {} {}", h(handle), rw(interest)));
        self.take("poll_add", Ok(0))?;
        let before = self.keys.borrow_mut().insert(handle, key);
        assert_eq!(before, None, "{} is registered twice", h(handle));
        Ok(())
    }

    fn poll_add_shared(&self, handle: Handle, key: u64) -> core::result::Result<(), Errno> {
        self.note(format!("poll_add_shared {}", h(handle)));
        self.take("poll_add", Ok(0))?;
        let before = self.keys.borrow_mut().insert(handle, key);
        assert_eq!(before, None, "{} is registered twice", h(handle));
        Ok(())
    }

    fn poll_modify(&self, handle: Handle, key: u64, interest: Interest) -> core::result::Result<(), Errno> {
        self.note(format!("poll_modify {} {}", h(handle), rw(interest)));
        self.take("poll_modify", Ok(0))?;
        assert_eq!(self.keys.borrow().get(&handle), Some(&key), "{} keeps its key", h(handle));
        Ok(())
    }

    fn poll_delete(&self, handle: Handle) -> core::result::Result<(), Errno> {
        self.note(format!("poll_delete {}", h(handle)));
        self.take("poll_delete", Ok(0))?;
        self.keys.borrow_mut().remove(&handle).map(drop).ok_or(Errno::NOENT)
    }

    fn poll_wait(
        &self,
        events: &mut Vec<PollEvent>,
        deadline: Option<Instant>,
    ) -> core::result::Result<(), Errno> {
        self.waits.set(self.waits.get() + 1);
        assert!(self.waits.get() < WAITS_MAX, "the host never ends");
        self.note(format!("wait {}", self.until(deadline)));
        let report = self.reports.borrow_mut().pop_front().unwrap_or(Report::Nothing);
        let event = |handle: u64, readiness| {
            let key = *self
                .keys
                .borrow()
                .get(&Handle::from_raw(handle))
                .expect("only what is registered is reported");
            PollEvent { key, readiness }
        };
        events.clear();
        match report {
            Report::Ready(handles) => {
                events.extend(handles.into_iter().map(|handle| event(handle, READABLE)))
            }
            Report::As(handle, readiness) => events.push(event(handle, readiness)),
            Report::After(duration, handle) => {
                self.now.set((self.now() + duration).as_nanos());
                events.push(event(handle, READABLE));
            }
            Report::Key(key) => events.push(PollEvent { key, readiness: READABLE }),
            Report::Nothing => {
                let at = deadline.expect("a host that waits for ever is told something");
                self.now.set(self.now.get().max(at.as_nanos()));
            }
            Report::Fails(errno) => return Err(errno),
            Report::Quit(handle) => {
                self.quit();
                events.push(event(handle, READABLE));
            }
            Report::QuitAnd(handle, other) => {
                self.quit();
                events.extend([handle, other].map(|handle| event(handle, READABLE)));
            }
        }
        Ok(())
    }

    fn wait(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> core::result::Result<Readiness, Errno> {
        self.note(format!("wait_for {} {} {}", h(handle), rw(interest), self.until(deadline)));
        self.take("wait", Ok(0))?;
        Ok(Readiness { readable: true, writable: true, ended: false })
    }

    fn signals(&self, signals: &[Signal]) -> core::result::Result<Handle, Errno> {
        let answer = self.take("signals", Ok(0));
        self.note(format!("signals {signals:?}"));
        answer?;
        Ok(self.handle())
    }

    fn signal_read(&self, _: Handle) -> core::result::Result<Signal, Errno> {
        // A script says which signal is pending.
        let number = self.take("signal_read", Err(Errno::AGAIN))?;
        Ok(Signal::from_number(u32::try_from(number).expect("a signal")).expect("a signal"))
    }

    fn signals_end_process(&self, signals: &[Signal]) -> core::result::Result<(), Errno> {
        self.note(format!("signals_end_process {signals:?}"));
        self.take("signals_end_process", Ok(0)).map(drop)
    }

    fn kick_arm(&self, threshold: Duration) -> core::result::Result<(), Errno> {
        self.note(format!("kick_arm {}", threshold.as_millis()));
        self.take("kick_arm", Ok(0)).map(drop)
    }

    fn kick_name(&self, service: ServiceId, name: &str) {
        self.note(format!("kick_name {} {name}", service.number()));
    }

    fn kick_disarm(&self) {
        self.note("kick_disarm");
    }

    fn beat(&self, at: Instant, site: Site) {
        let at = at.as_nanos() / 1_000_000;
        self.note(match site {
            Site::Loop => format!("beat loop at {at}"),
            Site::Waiting => format!("beat waiting at {at}"),
            Site::Deciding(fleet) => format!("beat deciding about {fleet} at {at}"),
            Site::In(service, callback) => format!("beat {callback} {} at {at}", service.number()),
        });
    }

    fn run_user(&self, code: &mut dyn FnMut()) -> core::result::Result<(), Panic> {
        catch_unwind(AssertUnwindSafe(code)).map_err(|payload: Box<dyn Any + Send>| {
            let message = payload.downcast_ref::<&str>().copied().unwrap_or("nothing printable");
            Panic { message: message.into() }
        })
    }

    fn work(&self, duration: Duration) {
        self.now.set((self.now() + duration).as_nanos());
    }

    fn manager(&self) -> Option<ManagerWants> {
        self.managed.get()
    }

    fn notify(&self, message: &str) -> core::result::Result<(), Errno> {
        self.note(format!("notify {}", message.replace('\n', "; ")));
        self.take("notify", Ok(0)).map(drop)
    }

    fn passed(&self) -> Vec<Passed> {
        self.passed.take()
    }

    fn log_open(&self, path: &str) -> core::result::Result<Handle, Errno> {
        self.note(format!("log_open {path}"));
        self.take("log_open", Ok(0))?;
        Ok(self.handle())
    }

    fn log_write(&self, log: Handle, bytes: &[u8]) -> core::result::Result<usize, Errno> {
        let taken = self.take("log_write", Ok(bytes.len()))?.min(bytes.len());
        let text = String::from_utf8_lossy(&bytes[..taken]).replace('\n', "|");
        self.note(format!("log_write {} {text}", h(log)));
        Ok(taken)
    }

    fn redirect(&self, output: StdStream, path: &str) -> core::result::Result<(), Errno> {
        self.note(format!("redirect {output} {path}"));
        self.take("redirect", Ok(0)).map(drop)
    }

    fn kick_bell(&self) -> core::result::Result<Handle, Errno> {
        self.note("kick_bell");
        self.take("kick_bell", Ok(0))?;
        Ok(self.handle())
    }

    fn kick_heard(&self, bell: Handle) {
        self.note(format!("kick_heard {}", h(bell)));
    }

    fn pid_file(&self, path: &str) -> core::result::Result<Handle, PidFileError> {
        self.note(format!("pid_file {path}"));
        match self.take("pid_file", Ok(0)) {
            Ok(_) => Ok(self.handle()),
            Err(errno) => Err(PidFileError::of("open", errno)),
        }
    }

    fn record_create(&self, path: &str) -> core::result::Result<Handle, Errno> {
        let answer = self.take("record_create", Ok(0));
        self.note(format!("record_create {path}"));
        answer?;
        Ok(self.handle())
    }

    fn record_write(&self, _: Handle, bytes: &[u8]) -> core::result::Result<usize, Errno> {
        let taken = self.take("record_write", Ok(bytes.len()))?.min(bytes.len());
        self.note(format!("record_write {taken} of {}", bytes.len()));
        self.recorded.borrow_mut().extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn wants_dispatches(&self) -> bool {
        self.wants_dispatches.get()
    }

    fn tell(&self, record: &Record<'_>) {
        let line = record.to_string();
        let error = record.error.map(ToString::to_string).filter(|error| !line.ends_with(error));
        let error = error.map_or_else(String::new, |error| format!(" ({error})"));
        self.note(format!("tell {line}{error}"));
    }

    fn tell_aloud(&self, record: &Record<'_>) {
        self.note(format!("tell aloud {record}"));
    }

    fn witnesses(&self) -> bool {
        self.witnesses.get()
    }

    fn witness(&self, fact: Fact<'_>) {
        match fact {
            Fact::Begin(config) => {
                let strangers = if config.reap_strangers { " reaping strangers" } else { "" };
                self.note(format!("begin {}{strangers}", config.seed));
            }
            Fact::Event(_, Event::Returned { callback, outcome, .. }) => {
                self.note(format!("fact: {callback} {outcome:?}"));
            }
            Fact::Event(at, event) => self.note(format!("fact: {} {event:?}", at.as_nanos() / 1_000_000)),
            Fact::Action(Action::Tell { .. }) => self.note("order: tell"),
            Fact::Action(action) => self.note(format!("order: {action:?}")),
            Fact::Settled(host) => {
                assert_eq!(host.broken_invariant(), None);
                self.note("settled");
            }
        }
    }
}

impl Processes for Fake {
    fn pid(&self) -> Pid {
        Pid(self.take("pid", Ok(100)).map_or(0, |pid| pid as u32))
    }

    fn threads(&self) -> core::result::Result<u32, Errno> {
        self.take("threads", Ok(1)).map(|threads| threads as u32)
    }

    fn processors(&self) -> u32 {
        self.take("processors", Ok(2)).map_or(1, |processors| processors as u32)
    }

    fn user(&self, user: &Account, group: Option<u32>) -> core::result::Result<Option<User>, Errno> {
        self.note(format!("user {user} {group:?}"));
        match self.take("user", Ok(1000)) {
            Ok(number) => {
                let (number, group) = (number as u32, group.unwrap_or(number as u32));
                Ok(Some(User { number, group, groups: vec![group, 44] }))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn group(&self, name: &str) -> core::result::Result<Option<u32>, Errno> {
        self.note(format!("group {name}"));
        match self.take("group", Ok(7)) {
            Ok(number) => Ok(Some(number as u32)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    fn foresee(&self, confinement: &Confinement) -> Vec<ConfineError> {
        self.note(format!("foresee {confinement:?}"));
        self.family.foreseen.take()
    }

    fn confine(&self, confinement: &Confinement) -> core::result::Result<(), ConfineError> {
        self.note(format!("confine {confinement:?}"));
        self.take("confine", Ok(0)).map(drop).map_err(|errno| ConfineError { step: Step::User, errno })
    }

    fn fork(&self, birth: &Birth<'_>, body: Body) -> core::result::Result<Child, ForkError> {
        let keep: Vec<_> = birth.keep.iter().map(|handle| h(*handle)).collect();
        let (SlotsId(page), slot, incarnation) = birth.slot;
        let output = birth.output.map(|[out, err]| format!(" output {} {}", h(out), h(err)));
        let output = output.unwrap_or_default();
        let title = birth.title;
        self.note(format!("fork `{title}` keep {} slot {page}.{slot}.{incarnation}{output}", keep.join(" ")));
        self.take("fork", Ok(0)).map_err(|errno| ForkError::System { call: "clone3", errno })?;
        if let Ok(threads) = self.take("fork_threads", Err(Errno::NOENT)) {
            return Err(ForkError::Threads { count: threads as u32 });
        }
        let child = self.family.child.borrow().clone();
        if let Some(child) = child {
            child.family.channels.borrow_mut().extend(self.family.channels.borrow().iter());
            let status = body(Rc::<Self>::clone(&child));
            self.note(format!("body: exit status {status}"));
        }
        self.family.forks.set(self.family.forks.get() + 1);
        Ok(Child { pid: Pid(100 + self.family.forks.get()), handle: self.handle() })
    }

    fn reap(&self, child: Handle, wait: bool) -> core::result::Result<Option<ExitStatus>, Errno> {
        let waiting = if wait { " waiting" } else { "" };
        self.note(format!("reap {}{waiting}", h(child)));
        let alive = if wait { Ok(Some(ExitStatus::by(Signal::Kill))) } else { Ok(None) };
        self.family.ends.borrow_mut().pop_front().unwrap_or(alive)
    }

    fn signal_child(&self, child: Handle, signal: Signal) -> core::result::Result<(), Errno> {
        self.note(format!("signal {} {signal}", h(child)));
        self.take("signal_child", Ok(0)).map(drop)
    }

    fn hand_outputs(&self, child: Handle) -> core::result::Result<(), Errno> {
        let answer = self.take("hand_outputs", Ok(0)).map(drop);
        self.note(format!("hand_outputs {} {answer:?}", h(child)));
        answer
    }

    fn memory(&self, child: Handle, figure: MemoryFigure) -> core::result::Result<u64, Errno> {
        let answer = self.take("memory", Ok(0)).map(|bytes| bytes as u64);
        self.note(format!("memory {} {figure:?} {answer:?}", h(child)));
        answer
    }

    fn child_news(&self, reap_strangers: bool) -> Option<ChildNews> {
        let news = self.family.news.borrow_mut().pop_front();
        self.note(format!("child_news{} {news:?}", if reap_strangers { " and strangers" } else { "" }));
        news
    }

    fn channel(&self) -> core::result::Result<(Handle, Handle), Errno> {
        if let Err(errno) = self.take("channel", Ok(0)) {
            self.note(format!("channel {errno:?}"));
            return Err(errno);
        }
        let (ours, theirs) = (self.handle(), self.handle());
        self.note(format!("channel {} {}", h(ours), h(theirs)));
        self.family.channels.borrow_mut().extend([ours, theirs]);
        Ok((ours, theirs))
    }

    fn pipe(&self) -> core::result::Result<(Handle, Handle), Errno> {
        if let Err(errno) = self.take("pipe", Ok(0)) {
            self.note(format!("pipe {errno:?}"));
            return Err(errno);
        }
        let (reading, writing) = (self.handle(), self.handle());
        self.note(format!("pipe {} {}", h(reading), h(writing)));
        Ok((reading, writing))
    }

    fn pipe_read(&self, pipe: Handle, buffer: &mut [u8]) -> core::result::Result<usize, Errno> {
        let packet = self.family.packets.borrow_mut().get_mut(&pipe).and_then(VecDeque::pop_front);
        let answer = packet.unwrap_or(Err(Errno::AGAIN));
        let told = answer.as_ref().map(Vec::len);
        self.note(format!("pipe_read {} {told:?}", h(pipe)));
        let bytes = answer?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }

    fn print(&self, stream: StdStream, bytes: &[u8]) -> core::result::Result<usize, Errno> {
        let count = self.take("print", Ok(bytes.len()))?.min(bytes.len());
        self.note(format!("print {stream} {:?}", String::from_utf8_lossy(&bytes[..count])));
        Ok(count)
    }

    fn slots(&self, count: u32) -> core::result::Result<SlotsId, Errno> {
        self.note(format!("slots {count}"));
        self.take("slots", Ok(0)).map(|page| SlotsId(page as u32))
    }

    fn slot_claim(&self, SlotsId(page): SlotsId, slot: u32, incarnation: u32) {
        self.note(format!("claim {page}.{slot}.{incarnation}"));
    }

    fn slot_read(&self, SlotsId(page): SlotsId, slot: u32, incarnation: u32) -> SlotReading {
        self.note(format!("slot_read {page}.{slot}.{incarnation}"));
        SlotReading { beat: self.family.beats.borrow().get(&slot).copied(), ..SlotReading::default() }
    }

    fn pulse(&self, pace: Pace) {
        self.note(format!("pulse {pace:?}"));
    }

    fn slot_extend(&self, until: Instant) {
        self.note(format!("extend until {}", until.as_nanos() / 1_000_000));
    }

    fn slot_count(&self, requests: u64) {
        self.note(format!("count {requests}"));
    }

    fn slot_busy(&self, connections: u64) {
        self.note(format!("in hand {connections}"));
    }

    fn quit_asked(&self) -> bool {
        self.family.quit.get()
    }

    fn quit_handle(&self) -> core::result::Result<Handle, Errno> {
        self.take("quit_handle", Ok(0))?;
        let handle = self.family.quit_handle.get().unwrap_or_else(|| self.handle());
        self.family.quit_handle.set(Some(handle));
        Ok(handle)
    }

    fn wait_or_quit(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> core::result::Result<Readiness, Errno> {
        self.note(format!("wait_or_quit {} {} {}", h(handle), rw(interest), self.until(deadline)));
        let default = if self.quit_asked() { Err(Errno::CANCELED) } else { Ok(0) };
        self.take("wait_or_quit", default)?;
        Ok(Readiness { readable: true, writable: true, ended: false })
    }
}

/// The sockets that a [`Hooks`] service holds.
#[derive(Default)]
pub(crate) struct Held {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) streams: Vec<Stream>,
}

type Hook<T> = Box<dyn FnMut(&mut Held, &mut Context<'_>) -> Result<T>>;
type ReceiveHook = Box<dyn FnMut(&mut Held, &mut Context<'_>, Ready) -> Result>;

/// A service made of closures; one that is not given does nothing and succeeds.
pub(crate) struct Hooks {
    sys: Rc<Fake>,
    name: &'static str,
    held: Held,
    connect: Hook<Connected>,
    prepare: Hook<()>,
    receive: ReceiveHook,
    wake: Hook<()>,
    stop: Hook<()>,
    drain: Hook<Drained>,
    dropped: Box<dyn FnMut()>,
}

impl Hooks {
    pub(crate) fn new(sys: &Rc<Fake>, name: &'static str) -> Self {
        Self {
            sys: Rc::clone(sys),
            name,
            held: Held::default(),
            connect: Box::new(|_, _| Ok(Connected::Yes)),
            prepare: Box::new(|_, _| Ok(())),
            receive: Box::new(|_, _, _| Ok(())),
            wake: Box::new(|_, _| Ok(())),
            stop: Box::new(|_, _| Ok(())),
            drain: Box::new(|_, _| Ok(Drained::Yes)),
            dropped: Box::new(|| ()),
        }
    }

    pub(crate) fn connect(
        mut self,
        hook: impl FnMut(&mut Held, &mut Context<'_>) -> Result<Connected> + 'static,
    ) -> Self {
        self.connect = Box::new(hook);
        self
    }

    /// Connects once, to the listener `name`.
    pub(crate) fn takes(self, name: &'static str) -> Self {
        self.connect(move |held, cx| {
            held.listeners.push(cx.listener(name)?);
            Ok(Connected::Yes)
        })
    }

    /// Connects once, to some peer.
    pub(crate) fn talks(self) -> Self {
        self.connect(|held, cx| {
            held.streams.push(cx.connect_to(address())?);
            Ok(Connected::Yes)
        })
    }

    pub(crate) fn prepare(
        mut self,
        hook: impl FnMut(&mut Held, &mut Context<'_>) -> Result + 'static,
    ) -> Self {
        self.prepare = Box::new(hook);
        self
    }

    pub(crate) fn receive(
        mut self,
        hook: impl FnMut(&mut Held, &mut Context<'_>, Ready) -> Result + 'static,
    ) -> Self {
        self.receive = Box::new(hook);
        self
    }

    pub(crate) fn wake(mut self, hook: impl FnMut(&mut Held, &mut Context<'_>) -> Result + 'static) -> Self {
        self.wake = Box::new(hook);
        self
    }

    pub(crate) fn stop(mut self, hook: impl FnMut(&mut Held, &mut Context<'_>) -> Result + 'static) -> Self {
        self.stop = Box::new(hook);
        self
    }

    pub(crate) fn drain(
        mut self,
        hook: impl FnMut(&mut Held, &mut Context<'_>) -> Result<Drained> + 'static,
    ) -> Self {
        self.drain = Box::new(hook);
        self
    }

    pub(crate) fn dropped(mut self, hook: impl FnMut() + 'static) -> Self {
        self.dropped = Box::new(hook);
        self
    }

    /// With its name, for an application.
    pub(crate) fn hosted(self) -> host_core::Hosted {
        host_core::Hosted::new(self.name, self)
    }

    fn note(&self, callback: &str) {
        self.sys.note(format!("{}: {callback}", self.name));
    }
}

impl Service for Hooks {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.note("connect");
        (self.connect)(&mut self.held, cx)
    }

    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        self.note("prepare");
        (self.prepare)(&mut self.held, cx)
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result {
        self.note("receive");
        (self.receive)(&mut self.held, cx, ready)
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        self.note("wake");
        (self.wake)(&mut self.held, cx)
    }

    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Drained> {
        self.note("drain");
        (self.drain)(&mut self.held, cx)
    }

    fn stop(&mut self, cx: &mut Context<'_>) -> Result {
        self.note("stop");
        (self.stop)(&mut self.held, cx)
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.note("drop");
        (self.dropped)();
    }
}

pub(crate) fn address() -> SocketAddr {
    PEER.parse().expect("an address")
}
