//! Readiness: who watches what, and who is told.

use crate::check::Violation;
use crate::kernel::process::{Object, Run};
use crate::kernel::{Call, Happening, Kernel, Nanos, Pid};
use crate::trace::Kind;
use host_core::sys::{Errno, Handle, Interest, PollEvent, Readiness};

/// A registration with a process's poller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) pid: Pid,
    pub(crate) handle: Handle,
    key: u64,
    interest: Interest,
    /// It stands in the process's list of those that may be ready.
    queued: bool,
    /// How many times in a row it was reported and nothing came of it.
    idle_reports: u32,
    /// What was reported last.
    told: Readiness,
}

/// How many events a wait reports at most: few, so that "the rest comes next time" happens.
const EVENTS_MAX: usize = 64;

/// S34: how many times in a row a socket may be reported with nothing coming of it. More than any
/// sane `empty_wakes_max`.
const IDLE_REPORTS_MAX: u32 = 64;

impl Kernel {
    fn watch_of(&mut self, pid: Pid, object: Object) -> &mut Option<Watch> {
        match object {
            Object::Listener(listener) => &mut self.net.listeners[listener as usize].watch,
            Object::Conn { conn, side } => &mut self.net.end(conn, side).watch,
            Object::Signals => &mut self.processes[pid as usize].signal_watch,
        }
    }

    /// What holds of an object now.
    pub(crate) fn holds(&mut self, pid: Pid, object: Object) -> Holds {
        match object {
            Object::Listener(listener) => Holds {
                readable: !self.net.listeners[listener as usize].queue.is_empty(),
                ..Holds::default()
            },
            Object::Conn { conn, side } => self.net.holds(conn, side),
            Object::Signals => {
                let process = self.process(pid);
                Holds { readable: process.pending & process.blocked != 0, ..Holds::default() }
            }
        }
    }

    pub(crate) fn poll_add(
        &mut self,
        pid: Pid,
        handle: Handle,
        key: u64,
        interest: Interest,
    ) -> Result<(), Errno> {
        let Some(object) = self.process(pid).object(handle) else {
            return self.failed(pid, Call::PollAdd, Errno::BADF);
        };
        if self.watch_of(pid, object).is_some() {
            return self.failed(pid, Call::PollAdd, Errno::EXIST);
        }
        *self.watch_of(pid, object) = Some(Watch {
            pid,
            handle,
            key,
            interest,
            queued: false,
            idle_reports: 0,
            told: Readiness::default(),
        });
        self.record(pid, Kind::PollAdd, handle.raw(), bits(interest));
        self.notify(pid, object);
        Ok(())
    }

    pub(crate) fn poll_modify(
        &mut self,
        pid: Pid,
        handle: Handle,
        key: u64,
        interest: Interest,
    ) -> Result<(), Errno> {
        let Some(object) = self.process(pid).object(handle) else {
            return self.failed(pid, Call::PollModify, Errno::BADF);
        };
        let Some(watch) = self.watch_of(pid, object) else {
            return self.failed(pid, Call::PollModify, Errno::NOENT);
        };
        watch.key = key;
        watch.interest = interest;
        watch.idle_reports = 0;
        self.record(pid, Kind::PollModify, handle.raw(), bits(interest));
        self.notify(pid, object);
        Ok(())
    }

    pub(crate) fn poll_delete(&mut self, pid: Pid, handle: Handle) -> Result<(), Errno> {
        let Some(object) = self.process(pid).object(handle) else {
            return self.failed(pid, Call::PollDelete, Errno::BADF);
        };
        match self.watch_of(pid, object).take() {
            None => return self.failed(pid, Call::PollDelete, Errno::NOENT),
            Some(watch) if watch.queued => self.process(pid).ready.retain(|ready| *ready != handle),
            Some(_) => {}
        }
        self.record(pid, Kind::PollDelete, handle.raw(), 0);
        Ok(())
    }

    /// Something happened to an object: tells whoever watches it or waits for it.
    pub(crate) fn notify(&mut self, pid: Pid, object: Object) {
        let holds = self.holds(pid, object);
        let waiters = match object {
            Object::Conn { conn, side } => std::mem::take(&mut self.net.end(conn, side).waiters),
            Object::Listener(_) | Object::Signals => Vec::new(),
        };
        for waiter in waiters {
            self.wake(waiter);
        }
        let Some(watch) = self.watch_of(pid, object) else { return };
        if watch.queued || holds.told(watch.interest).is_none() {
            return;
        }
        watch.queued = true;
        let (watcher, handle) = (watch.pid, watch.handle);
        let process = self.process(watcher);
        process.ready.push_back(handle);
        if process.doing == POLLING {
            self.wake(watcher);
        }
    }

    pub(crate) fn notify_handle(&mut self, pid: Pid, handle: Handle) {
        if let Some(object) = self.process(pid).object(handle) {
            self.notify(pid, object);
        }
    }

    /// Something came of a report: a read of one that it can be read, a write of one that it can be written.
    pub(crate) fn progressed(&mut self, pid: Pid, object: Object, read: bool) {
        if let Some(watch) = self.watch_of(pid, object)
            && (if read { watch.told.readable } else { watch.told.writable })
        {
            watch.idle_reports = 0;
        }
    }

    /// What is ready now, level-triggered: what is told stays in the list.
    pub(crate) fn collect(&mut self, pid: Pid, events: &mut Vec<PollEvent>) {
        events.clear();
        let most = if self.laid.single_events { 1 } else { EVENTS_MAX };
        for _ in 0..self.process(pid).ready.len() {
            if events.len() == most {
                break;
            }
            let Some(handle) = self.process(pid).ready.pop_front() else { break };
            let Some(object) = self.process(pid).object(handle) else { continue };
            let holds = self.holds(pid, object);
            let Some(watch) = self.watch_of(pid, object) else { continue };
            let told = holds.told(watch.interest);
            if told.is_none() {
                watch.queued = false;
                continue;
            }
            watch.idle_reports += 1;
            watch.told = told;
            let (key, idle) = (watch.key, watch.idle_reports);
            events.push(PollEvent { key, readiness: told });
            self.process(pid).ready.push_back(handle);
            if idle > IDLE_REPORTS_MAX {
                let detail = format!("a socket was reported {idle} times in a row and nothing came of it");
                self.violate(Violation::new("S34", detail));
            }
        }
    }

    /// Whether a wait would report something; drops from the list what would not be.
    pub(crate) fn any_ready(&mut self, pid: Pid) -> bool {
        while let Some(handle) = self.process(pid).ready.front().copied() {
            if let Some(object) = self.process(pid).object(handle) {
                let holds = self.holds(pid, object);
                if let Some(watch) = self.watch_of(pid, object) {
                    if !holds.told(watch.interest).is_none() {
                        return true;
                    }
                    watch.queued = false;
                }
            }
            self.process(pid).ready.pop_front();
        }
        false
    }

    /// S34: looks without waiting that find nothing, time and again, are a spin, unless it was asked for.
    pub(crate) fn count_look(&mut self, pid: Pid, empty: bool) {
        let process = self.process(pid);
        process.empty_looks = if empty { process.empty_looks + 1 } else { 0 };
        if process.empty_looks > EMPTY_LOOKS_MAX && !process.may_spin {
            let detail = format!(
                "the poller was asked {EMPTY_LOOKS_MAX} times in a row, without waiting, and had nothing"
            );
            self.violate(Violation::new("S34", detail));
        }
    }

    /// The process in `pid` is woken by the next thing that happens to `object`.
    pub(crate) fn wait_for(&mut self, pid: Pid, object: Object) {
        if let Object::Conn { conn, side } = object {
            self.net.end(conn, side).waiters.push(pid);
        }
    }

    /// Blocks the calling process until it is woken or `deadline`; it then has to look again.
    pub(crate) fn block(&mut self, pid: Pid, deadline: Option<Nanos>, doing: &'static str) {
        let process = self.process(pid);
        process.doing = doing;
        process.empty_looks = 0;
        let turn = process.next_turn(Run::Blocked { interruptible: true });
        if let Some(at) = deadline {
            self.plan_at(at, Happening::Run { pid, turn });
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
