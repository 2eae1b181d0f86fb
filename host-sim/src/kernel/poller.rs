//! Readiness: who watches what, and who is told.
//!
//! Each process has one poller. An open file may be watched by several, and one that several hold goes on
//! being reported to whoever closed it without taking it out first.

use crate::check::Violation;
use crate::choice::Stream;
use crate::kernel::files::{FileId, Object};
use crate::kernel::process::Run;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Happening, Index, Kernel, Nanos};
use crate::marks::sometimes;
use crate::trace::Kind;
use host_core::sys::{Errno, Handle, Interest, PollEvent, Readiness};
use std::collections::VecDeque;

/// A registration, by its place in its process's poller.
pub(crate) type WatchId = u32;

/// A registration with a process's poller.
#[derive(Clone, Copy, Debug)]
struct Watch {
    file: FileId,
    handle: Handle,
    key: u64,
    interest: Interest,
    /// One of several that watch the same listener.
    shared: bool,
    /// Its descriptor is closed, and others hold the file.
    ghost: bool,
    /// It stands in the process's list of those that may be ready.
    queued: bool,
    /// Reported once without reason.
    spurious: bool,
    /// How many times in a row it was reported and nothing came of it.
    idle_reports: u32,
    /// What was reported last.
    told: Readiness,
}

impl Watch {
    /// Whether it is only woken in turn (EPOLLEXCLUSIVE): while it reads and nothing else.
    fn is_exclusive(&self) -> bool {
        self.shared && self.interest == Interest::READ
    }
}

/// What one process watches.
#[derive(Debug, Default)]
pub(crate) struct Poller {
    watches: Vec<Option<Watch>>,
    free: Vec<WatchId>,
    /// Those that may be ready, the longest waiting first.
    ready: VecDeque<WatchId>,
}

impl Poller {
    fn add(&mut self, watch: Watch) -> WatchId {
        match self.free.pop() {
            Some(id) => {
                self.watches[id as usize] = Some(watch);
                id
            }
            None => {
                self.watches.push(Some(watch));
                self.watches.len() as WatchId - 1
            }
        }
    }

    fn get(&mut self, id: WatchId) -> Option<&mut Watch> {
        self.watches.get_mut(id as usize)?.as_mut()
    }

    /// Takes a registration out; its file.
    pub(crate) fn remove(&mut self, id: WatchId) -> Option<FileId> {
        let watch = self.watches.get_mut(id as usize)?.take()?;
        self.free.push(id);
        if watch.queued {
            self.ready.retain(|ready| *ready != id);
        }
        Some(watch.file)
    }

    /// The descriptor of a registration was closed, and the file stays open elsewhere; its key, if the
    /// poller is still there.
    pub(crate) fn make_ghost(&mut self, id: WatchId) -> Option<u64> {
        let watch = self.get(id)?;
        watch.ghost = true;
        Some(watch.key)
    }
}

/// How many events a wait reports at most: few, so that "the rest comes next time" happens.
const EVENTS_MAX: usize = 64;

/// S34: how many times in a row a socket may be reported with nothing coming of it. More than any
/// sane `empty_wakes_max`.
const IDLE_REPORTS_MAX: u32 = 64;

/// Out of so many connections that several wait for, one wakes two of them (K27).
const HERD_ONE_IN: u32 = 16;

impl Kernel {
    /// What holds of an object now, for `me`.
    pub(crate) fn holds(&mut self, me: Index, object: Object) -> Holds {
        let readable = match object {
            Object::Conn { conn, side } => return self.net.holds(conn, side),
            Object::Channel { channel, side } => return self.channel_holds(channel, side),
            Object::Pipe { pipe, writes } => return self.pipe_holds(pipe, writes),
            Object::Child(child) => return self.child_holds(child),
            Object::Listener(listener) => !self.net.listeners[listener as usize].queue.is_empty(),
            Object::Signals(set) => self.process(me).signals.readable() & set != 0,
            Object::Quit(worker) => self.process(worker).quit_asked && self.honours(Rule::QuitIsReadable),
            Object::Bell(host) => self.process(host).rung,
            // Nobody watches one.
            Object::Recording(_) | Object::PidFile(_) => true,
        };
        // What tells a worker to quit has room for more (eventfd(2)).
        let writable = matches!(object, Object::Quit(_) | Object::Bell(_));
        Holds { readable, writable, ..Holds::default() }
    }

    pub(crate) fn poll_add(
        &mut self,
        me: Index,
        handle: Handle,
        key: u64,
        interest: Interest,
        shared: bool,
    ) -> Result<(), Errno> {
        let Some(file) = self.file(me, handle) else {
            return self.failed(me, Call::PollAdd, Errno::BADF);
        };
        let process = self.process(me);
        if process.descriptors.watch(handle).is_some() {
            return self.failed(me, Call::PollAdd, Errno::EXIST);
        }
        let watch = process.poller.add(Watch {
            file,
            handle,
            key,
            interest,
            shared,
            ghost: false,
            queued: false,
            spurious: false,
            idle_reports: 0,
            told: Readiness::default(),
        });
        process.descriptors.set_watch(handle, Some(watch));
        self.files.get(file).watchers.push((me, watch));
        self.record(me, Kind::PollAdd, handle.raw(), bits(interest));
        // Registering looks at what is there already, for shared registrations too.
        if !shared || self.honours(Rule::SharedLooksAtOnce) {
            self.queue_if_ready(me, watch);
        }
        Ok(())
    }

    pub(crate) fn poll_modify(
        &mut self,
        me: Index,
        handle: Handle,
        key: u64,
        interest: Interest,
    ) -> Result<(), Errno> {
        if self.file(me, handle).is_none() {
            return self.failed(me, Call::PollModify, Errno::BADF);
        }
        let Some(id) = self.process(me).descriptors.watch(handle) else {
            return self.failed(me, Call::PollModify, Errno::NOENT);
        };
        let Some(watch) = self.process(me).poller.get(id) else {
            return self.failed(me, Call::PollModify, Errno::NOENT);
        };
        watch.key = key;
        watch.interest = interest;
        watch.idle_reports = 0;
        if watch.shared {
            // It can only be taken out and put in again (epoll_ctl(2), EINVAL), which makes it the last.
            let file = watch.file;
            let watchers = &mut self.files.get(file).watchers;
            watchers.retain(|watcher| *watcher != (me, id));
            watchers.push((me, id));
        }
        self.record(me, Kind::PollModify, handle.raw(), bits(interest));
        self.queue_if_ready(me, id);
        Ok(())
    }

    pub(crate) fn poll_delete(&mut self, me: Index, handle: Handle) -> Result<(), Errno> {
        if self.file(me, handle).is_none() {
            return self.failed(me, Call::PollDelete, Errno::BADF);
        }
        let Some(id) = self.process(me).descriptors.watch(handle) else {
            return self.failed(me, Call::PollDelete, Errno::NOENT);
        };
        self.process(me).descriptors.set_watch(handle, None);
        if self.honours(Rule::DeletedIsSilent) {
            self.drop_watch(me, id);
        }
        self.record(me, Kind::PollDelete, handle.raw(), 0);
        Ok(())
    }

    fn drop_watch(&mut self, me: Index, id: WatchId) {
        if let Some(file) = self.process(me).poller.remove(id) {
            self.files.get(file).watchers.retain(|watcher| *watcher != (me, id));
        }
    }

    /// The poller of a process that ended goes with it.
    pub(crate) fn drop_poller(&mut self, me: Index) {
        let poller = std::mem::take(&mut self.process(me).poller);
        for (id, watch) in poller.watches.into_iter().enumerate() {
            if let Some(watch) = watch {
                let id = id as WatchId;
                self.files.get(watch.file).watchers.retain(|watcher| *watcher != (me, id));
            }
        }
    }

    /// Something happened to a file: tells whoever watches it or waits for it.
    pub(crate) fn notify(&mut self, file: FileId) {
        self.wake_waiters(file);
        let mut shared = false;
        for place in 0..self.files.get(file).watchers.len() {
            let (watcher, id) = self.files.get(file).watchers[place];
            if self.process(watcher).poller.get(id).is_some_and(|watch| watch.is_exclusive()) {
                shared = true;
            } else {
                self.queue_if_ready(watcher, id);
            }
        }
        if shared {
            self.notify_shared(file);
        }
    }

    /// Wakes whoever waits for a file in a call of its own: all of them (poll(2)).
    pub(crate) fn wake_waiters(&mut self, file: FileId) {
        let mut waiters = std::mem::take(&mut self.files.get(file).waiters);
        let herd = waiters.len() > 1;
        for waiter in waiters.drain(..) {
            if herd { self.wake_in_a_herd(waiter) } else { self.wake(waiter) }
        }
        // Its memory serves again.
        self.files.get(file).waiters = waiters;
    }

    /// A connection came to a listener that several watch: one of those who wait for events is told, now
    /// and then two (K27).
    ///
    /// The kernel walks the registrations in the order in which they were made until it has woken
    /// somebody. Those that it passes are busy: they see the connection when they look next, and those
    /// behind do not. Observed on Linux 6.18, where the first that waits is the one; which of them is
    /// reached first when several processors go to sleep and wake is anybody's guess.
    fn notify_shared(&mut self, file: FileId) {
        let Object::Listener(listener) = self.files.get(file).object else { return };
        if !self.honours(Rule::SharedWakesOne) {
            return;
        }
        let count = self.files.get(file).watchers.len();
        let mut waiting = Vec::new();
        for place in 0..count {
            let (watcher, id) = self.files.get(file).watchers[place];
            let process = self.process(watcher);
            // One that is stopped in its wait has left it, and goes back when it is continued.
            let blocks = process.doing == POLLING && matches!(process.run, Run::Blocked { .. });
            let waits = blocks && !process.is_halted();
            if waits && process.poller.get(id).is_some_and(|watch| watch.is_exclusive()) {
                waiting.push(place);
            }
        }
        let others = waiting.len() as u32;
        let picked = self.choices.choose(Stream::Wake, listener, others) as usize;
        let woken = waiting.get(picked).copied();
        for place in 0..woken.unwrap_or(count) {
            if waiting.binary_search(&place).is_err() {
                self.queue_shared(file, place);
            }
        }
        sometimes!(woken.is_none(), "a connection comes while everybody is busy");
        sometimes!(others > 1, "a connection finds two who wait");
        let Some(woken) = woken else { return };
        self.queue_shared(file, woken);
        if others > 1 && self.choices.one_in(Stream::Wake, listener, HERD_ONE_IN) {
            sometimes!("one connection wakes two workers (K27)");
            self.queue_shared(file, waiting[(picked + 1) % waiting.len()]);
        }
    }

    fn queue_shared(&mut self, file: FileId, place: usize) {
        let (watcher, id) = self.files.get(file).watchers[place];
        if self.process(watcher).poller.get(id).is_some_and(|watch| watch.is_exclusive()) {
            self.queue_if_ready(watcher, id);
        }
    }

    /// Puts a registration into the list of its process if there is something to tell.
    fn queue_if_ready(&mut self, me: Index, id: WatchId) {
        let Some(watch) = self.process(me).poller.get(id) else { return };
        if watch.queued {
            return;
        }
        let (file, interest) = (watch.file, watch.interest);
        let object = self.files.get(file).object;
        if !self.tells(me, object, interest).is_none() {
            self.queue(me, id);
        }
    }

    fn queue(&mut self, me: Index, id: WatchId) {
        let process = self.process(me);
        if let Some(watch) = process.poller.get(id)
            && !std::mem::replace(&mut watch.queued, true)
        {
            process.poller.ready.push_back(id);
            if process.doing == POLLING {
                self.wake(me);
            }
        }
    }

    /// Reports a file once as readable although it is not.
    pub(crate) fn notify_falsely(&mut self, file: FileId) {
        for place in 0..self.files.get(file).watchers.len() {
            let (watcher, id) = self.files.get(file).watchers[place];
            if let Some(watch) = self.process(watcher).poller.get(id).filter(|watch| watch.interest.readable)
            {
                watch.spurious = true;
                self.queue(watcher, id);
            }
        }
    }

    /// What the poller tells of an object to somebody with `interest`.
    fn tells(&mut self, me: Index, object: Object, interest: Interest) -> Readiness {
        let all = !interest.is_none() && !self.honours(Rule::InterestDecides);
        self.holds(me, object).told(if all { Interest::READ | Interest::WRITE } else { interest })
    }

    /// Something came of a report: a read of one that it can be read, a write of one that it can be written.
    pub(crate) fn progressed(&mut self, me: Index, handle: Handle, read: bool) {
        let process = self.process(me);
        if let Some(id) = process.descriptors.watch(handle)
            && let Some(watch) = process.poller.get(id)
            && (if read { watch.told.readable } else { watch.told.writable })
        {
            watch.idle_reports = 0;
        }
    }

    /// What is told of a registration now.
    fn told(&mut self, me: Index, id: WatchId) -> Option<Readiness> {
        let watch = self.process(me).poller.get(id)?;
        let (file, interest, spurious) = (watch.file, watch.interest, watch.spurious);
        let object = self.files.get(file).object;
        let told = self.tells(me, object, interest);
        if told.is_none() && spurious {
            return Some(Readiness { readable: true, writable: false, ended: false });
        }
        (!told.is_none()).then_some(told)
    }

    /// What is ready now, level-triggered: what is told stays in the list.
    pub(crate) fn collect(&mut self, me: Index, events: &mut Vec<PollEvent>) {
        events.clear();
        let most = if self.laid.single_events { 1 } else { EVENTS_MAX };
        for _ in 0..self.process(me).poller.ready.len() {
            if events.len() == most {
                break;
            }
            let Some(id) = self.process(me).poller.ready.pop_front() else { break };
            let told = self.told(me, id);
            let Some(watch) = self.process(me).poller.get(id) else { continue };
            let Some(told) = told else {
                watch.queued = false;
                continue;
            };
            watch.spurious = false;
            watch.idle_reports += 1;
            watch.told = told;
            let (key, idle) = (watch.key, watch.idle_reports);
            events.push(PollEvent { key, readiness: told });
            if self.honours(Rule::LevelTriggered) {
                self.process(me).poller.ready.push_back(id);
            } else if let Some(watch) = self.process(me).poller.get(id) {
                watch.queued = false;
            }
            if idle > IDLE_REPORTS_MAX {
                self.report_spin(me, id, idle);
            }
        }
    }

    fn report_spin(&mut self, me: Index, id: WatchId, idle: u32) {
        let Some(watch) = self.process(me).poller.get(id).copied() else { return };
        let what = if watch.ghost { "a closed descriptor that others hold" } else { "a socket" };
        let (name, handle) = (&self.process(me).name, watch.handle.raw());
        let detail = format!(
            "{what}, {handle:x} of `{name}`, was reported {idle} times in a row and nothing came of it"
        );
        self.violate(Violation::new("S34", detail));
    }

    /// Whether a wait would report something; drops from the list what would not be.
    pub(crate) fn any_ready(&mut self, me: Index) -> bool {
        while let Some(id) = self.process(me).poller.ready.front().copied() {
            if self.told(me, id).is_some() {
                return true;
            }
            let poller = &mut self.process(me).poller;
            if let Some(watch) = poller.get(id) {
                watch.queued = false;
            }
            poller.ready.pop_front();
        }
        false
    }

    /// S34: looks without waiting that find nothing, time and again, are a spin, unless it was asked for.
    pub(crate) fn count_look(&mut self, me: Index, empty: bool) {
        let process = self.process(me);
        process.empty_looks = if empty { process.empty_looks + 1 } else { 0 };
        if process.empty_looks > EMPTY_LOOKS_MAX && !process.may_spin {
            let detail = format!(
                "the poller was asked {EMPTY_LOOKS_MAX} times in a row, without waiting, and had nothing"
            );
            self.violate(Violation::new("S34", detail));
        }
    }

    /// `me` is woken by the next thing that happens to `file`.
    pub(crate) fn wait_for(&mut self, me: Index, file: FileId) {
        let waiters = &mut self.files.get(file).waiters;
        if let Err(place) = waiters.binary_search(&me) {
            waiters.insert(place, me);
        }
        self.process(me).waits_for = Some(file);
    }

    /// `me` goes on, for whatever reason.
    pub(crate) fn wait_no_longer(&mut self, me: Index) {
        if let Some(file) = self.process(me).waits_for.take() {
            let waiters = &mut self.files.get(file).waiters;
            if let Ok(place) = waiters.binary_search(&me) {
                waiters.remove(place);
            }
        }
    }

    /// Whether a wait that ends at `deadline` is over.
    pub(crate) fn is_due(&self, deadline: Option<Nanos>) -> bool {
        deadline.is_some_and(|deadline| deadline <= self.now || !self.honours(Rule::DeadlineIsWaitedFor))
    }

    /// Blocks the calling process until it is woken or `deadline`; it then has to look again.
    pub(crate) fn block(&mut self, me: Index, deadline: Option<Nanos>, doing: &'static str) {
        let process = self.process(me);
        process.doing = doing;
        process.empty_looks = 0;
        let turn = process.next_turn(Run::Blocked { interruptible: true });
        if let Some(at) = deadline {
            self.plan_at(at, Happening::Run { index: me, turn });
        }
    }
}

/// S34: how many looks in a row may find nothing.
const EMPTY_LOOKS_MAX: u32 = 1000;

/// What a process does that waits for its poller.
pub(crate) const POLLING: &str = "waiting for events";

/// What a process does that computes.
pub(crate) const COMPUTING: &str = "computing";

/// What holds of an object, as epoll(7) and poll(2) tell it apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer has finished sending (RDHUP): told to those who want to read.
    pub(crate) read_ended: bool,
    /// Both directions have ended, or there is an error (HUP, ERR): told to everybody, as both.
    pub(crate) hung_up: bool,
}

impl Holds {
    /// What somebody with `interest` is told.
    pub(crate) const fn told(self, interest: Interest) -> Readiness {
        if interest.is_none() {
            return Readiness { readable: false, writable: false, ended: false };
        }
        let read_ended = self.read_ended && interest.readable;
        Readiness {
            readable: self.readable && interest.readable || read_ended || self.hung_up,
            writable: self.writable && interest.writable || self.hung_up,
            ended: read_ended || self.hung_up,
        }
    }
}

fn bits(interest: Interest) -> u64 {
    u64::from(interest.readable) | u64::from(interest.writable) << 1
}
