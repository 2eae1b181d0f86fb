//! Children, as their parent sees them, and what a worker asks of the system: [`Processes`].

use crate::linux::{Linux, errno};
use crate::raw::{self, AllBlocked, Stop};
use crate::{accounts, birth, clock, confine, hand_over, memory, output, poller, processors};
use host_core::fleet::beat::Pace;
use host_core::fleet::memory::MemoryFigure;
use host_core::sys::{
    Account, Birth, Body, Child, ChildNews, ConfineError, Confinement, Errno, ExitStatus, ForkError, Handle,
    Interest, Pid, Processes, Readiness, Signal, SlotReading, SlotsId, StdStream, User,
};
use host_core::time::{Duration, Instant};
use rustix::fd::{AsFd as _, OwnedFd};
use rustix::io::{Result as Answer, retry_on_intr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{
    self, PidfdFlags, WaitId, WaitIdOptions, WaitIdStatus, getpid, kill_process, pidfd_open,
    pidfd_send_signal, waitid,
};
use std::cell::RefCell;

/// How long a thread that was joined may still be listed: it wakes who joins it before it is gone. Usually
/// some microseconds; on a busy machine it waits for its turn to go.
const JOINED: Duration = Duration::from_millis(100);

/// The children that one [`Linux`] forked and has not reaped.
#[derive(Debug, Default)]
pub(crate) struct Children(RefCell<Vec<Ours>>);

#[derive(Debug)]
struct Ours {
    child: Child,
    /// Through which it is handed what it prints on, where that is in files.
    files: Option<OwnedFd>,
}

impl Children {
    fn has(&self, pid: Pid) -> bool {
        self.0.borrow().iter().any(|ours| ours.child.pid == pid)
    }

    /// In a child: they are its siblings.
    pub(crate) fn let_go(&self) {
        self.0.take();
    }
}

impl Processes for Linux {
    fn pid(&self) -> Pid {
        seen(getpid())
    }

    fn threads(&self) -> Result<u32, Errno> {
        threads().map_err(errno)
    }

    fn processors(&self) -> u32 {
        processors::count()
    }

    fn user(&self, user: &Account, group: Option<u32>) -> Result<Option<User>, Errno> {
        accounts::user(user, group)
    }

    fn group(&self, name: &str) -> Result<Option<u32>, Errno> {
        accounts::group(name)
    }

    fn foresee(&self, confinement: &Confinement) -> Vec<ConfineError> {
        confine::foresee(confinement)
    }

    fn confine(&self, confinement: &Confinement) -> Result<(), ConfineError> {
        confine::confine(confinement)
    }

    fn fork(&self, birth: &Birth<'_>, body: Body) -> Result<Child, ForkError> {
        self.check(birth)?;
        alone()?;
        self.signals.keep_children().map_err(failed("sigaction"))?;
        let host = getpid();
        // What its host reads is in no file.
        let on_files = raw::redirected() != 0 && birth.output.is_none();
        let files = on_files.then(hand_over::pair).transpose().map_err(failed("socketpair"))?;
        let (files, its_files) = files.unzip();
        // A handler of the parent's that ran in the child would act as the parent.
        let blocked = AllBlocked::new();
        birth::flush();
        let Some(pid) = raw::fork().map_err(failed("fork"))? else {
            birth::live(self, host, birth, its_files, body)
        };
        drop(blocked);
        let handle = match pidfd_open(of(pid), PidfdFlags::empty()) {
            Ok(pidfd) => self.handles.borrow_mut().insert(pidfd),
            Err(errno) => {
                // No child without its handle. Its number is its own until it is reaped.
                let _ = kill_process(of(pid), process::Signal::KILL);
                let _ = retry_on_intr(|| waitid(WaitId::Pid(of(pid)), WaitIdOptions::EXITED));
                return Err(failed("pidfd_open")(errno));
            }
        };
        let child = Child { pid: Pid(pid), handle };
        self.children.0.borrow_mut().push(Ours { child, files });
        Ok(child)
    }

    fn reap(&self, child: Handle, wait: bool) -> Result<Option<ExitStatus>, Errno> {
        let mut options = WaitIdOptions::EXITED;
        options.set(WaitIdOptions::NOHANG, !wait);
        let answer = self.with(child, |pidfd| retry_on_intr(|| waitid(WaitId::PidFd(pidfd), options)));
        let is_gone = matches!(answer, Ok(Some(_)) | Err(Errno::CHILD));
        if is_gone {
            // Its number may be that of a stranger from here on.
            self.children.0.borrow_mut().retain(|ours| ours.child.handle != child);
        }
        Ok(answer?.map(|status| how(&status)))
    }

    fn signal_child(&self, child: Handle, signal: Signal) -> Result<(), Errno> {
        let signal = process::Signal::from_named_raw(signal.number().into()).ok_or(Errno::INVAL)?;
        self.with(child, |pidfd| pidfd_send_signal(pidfd, signal))
    }

    fn hand_outputs(&self, child: Handle) -> Result<(), Errno> {
        self.with(child, |_| Ok(()))?;
        let ours = self.children.0.borrow();
        let known = ours.iter().find(|ours| ours.child.handle == child).ok_or(Errno::SRCH)?;
        let files = known.files.as_ref().ok_or(Errno::NOTCONN)?;
        hand_over::send(files.as_fd()).map_err(errno)?;
        self.signal_child(child, Signal::Usr1)
    }

    fn memory(&self, child: Handle, figure: MemoryFigure) -> Result<u64, Errno> {
        // Its number is its own until it is reaped.
        let ours = self.children.0.borrow();
        let pid = ours.iter().map(|ours| ours.child).find(|ours| ours.handle == child).map(|ours| ours.pid);
        match memory::of(pid.ok_or(Errno::SRCH)?, figure) {
            // It ends at this moment.
            Err(rustix::io::Errno::SRCH) => Ok(0),
            answer => answer.map_err(errno),
        }
    }

    fn child_news(&self, reap_strangers: bool) -> Option<ChildNews> {
        // Without any child there is no news: ECHILD.
        let stop = raw::next_stop().unwrap_or(None).map(|stop| match stop {
            Stop::Stopped(pid) => ChildNews::Stopped(Pid(pid)),
            Stop::Continued(pid) => ChildNews::Continued(Pid(pid)),
        });
        stop.or_else(|| if reap_strangers { self.reap_a_stranger() } else { None })
    }

    fn channel(&self) -> Result<(Handle, Handle), Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(errno)?;
        let mut handles = self.handles.borrow_mut();
        Ok((handles.insert(one), handles.insert(other)))
    }

    fn pipe(&self) -> Result<(Handle, Handle), Errno> {
        let (reading, writing) = output::pipe().map_err(errno)?;
        let mut handles = self.handles.borrow_mut();
        Ok((handles.insert(reading), handles.insert(writing)))
    }

    fn pipe_read(&self, pipe: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.with(pipe, |fd| rustix::io::read(fd, buffer))
    }

    fn print(&self, stream: StdStream, bytes: &[u8]) -> Result<usize, Errno> {
        output::print(stream, bytes).map_err(errno)
    }

    fn slots(&self, count: u32) -> Result<SlotsId, Errno> {
        self.slots.add(count).map_err(errno)
    }

    fn slot_claim(&self, slots: SlotsId, slot: u32, _: u32) {
        self.slots.claim(slots, slot);
    }

    fn slot_read(&self, slots: SlotsId, slot: u32, incarnation: u32) -> SlotReading {
        self.slots.read(slots, slot, incarnation)
    }

    #[inline]
    fn pulse(&self, pace: Pace) {
        self.slots.pulse(pace);
    }

    fn slot_extend(&self, until: Instant) {
        self.slots.extend(until);
    }

    #[inline]
    fn slot_count(&self, requests: u64) {
        self.slots.count(requests);
    }

    #[inline]
    fn slot_busy(&self, connections: u64) {
        self.slots.busy(connections);
    }

    #[inline]
    fn quit_asked(&self) -> bool {
        birth::is_asked_to_quit()
    }

    fn quit_handle(&self) -> Result<Handle, Errno> {
        self.bell.ok_or(Errno::NOSYS)
    }

    fn wait_or_quit(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> Result<Readiness, Errno> {
        let handles = self.handles.borrow();
        let fd = handles.get(handle).map_err(errno)?.fd.as_fd();
        let Some(bell) = self.bell else { return poller::wait_for(fd, interest, deadline).map_err(errno) };
        let bell = handles.get(bell).map_err(errno)?.fd.as_fd();
        loop {
            match poller::wait_for_either(fd, interest, bell, deadline) {
                // It was the handler that rang: what it rang is readable.
                Err(rustix::io::Errno::INTR) if birth::is_asked_to_quit() => {}
                answer => return answer.map_err(errno)?.ok_or(Errno::CANCELED),
            }
        }
    }
}

impl Linux {
    /// What is wrong with the order itself is found before there is a child.
    fn check(&self, birth: &Birth<'_>) -> Result<(), ForkError> {
        let handles = self.handles.borrow();
        let needed = birth.keep.iter().chain(birth.output.iter().flatten());
        if let Some(errno) = needed.into_iter().find_map(|kept| handles.get(*kept).err()) {
            return Err(failed("fork")(errno));
        }
        let (page, slot, _) = birth.slot;
        if self.slots.has(page, slot) { Ok(()) } else { Err(failed("fork")(rustix::io::Errno::INVAL)) }
    }

    fn reap_a_stranger(&self) -> Option<ChildNews> {
        let ended = Pid(raw::next_ended().ok()??);
        let reap = |pid: Pid| {
            let ended = || waitid(WaitId::Pid(of(pid.0)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            let reaped = matches!(retry_on_intr(ended), Ok(Some(_)));
            reaped.then_some(ChildNews::StrangerReaped(pid))
        };
        if !self.children.has(ended) {
            return reap(ended);
        }
        // One of ours has ended, and hides those who ended after it: no more CHLD may come when it is reaped.
        let all = offspring().unwrap_or_default();
        all.into_iter().filter(|pid| !self.children.has(*pid)).find_map(reap)
    }
}

/// The threads are the directories of this one, whose links are each of theirs and two of its own.
fn threads() -> Answer<u32> {
    let links = rustix::fs::stat("/proc/self/task")?.st_nlink;
    Ok(u32::try_from(links.saturating_sub(2)).unwrap_or(u32::MAX))
}

pub(crate) fn alone() -> Result<(), ForkError> {
    if raw::is_single_threaded() {
        return Ok(());
    }
    let patience = clock::now() + JOINED;
    loop {
        let count = threads().map_err(failed("stat of /proc/self/task"))?;
        if count <= 1 {
            return Ok(());
        }
        if clock::now() >= patience {
            return Err(ForkError::Threads { count });
        }
        std::thread::yield_now();
    }
}

/// All children of this process, the dead ones too (proc_tid_children(5)).
fn offspring() -> std::io::Result<Vec<Pid>> {
    let own = getpid().as_raw_pid();
    let list = std::fs::read_to_string(format!("/proc/self/task/{own}/children"))?;
    Ok(list.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid).collect())
}

/// How it ended. The kernel keeps eight bits of either.
fn how(status: &WaitIdStatus) -> ExitStatus {
    match status.terminating_signal() {
        Some(number) => ExitStatus::Signal { number: number as u8, core: status.dumped() },
        None => ExitStatus::Code(status.exit_status().unwrap_or_default() as u8),
    }
}

fn failed(call: &'static str) -> impl Fn(rustix::io::Errno) -> ForkError {
    move |number| ForkError::System { call, errno: errno(number) }
}

pub(crate) fn of(pid: u32) -> process::Pid {
    process::Pid::from_raw(pid.cast_signed()).expect("no process of one's own has the number zero")
}

pub(crate) fn seen(pid: process::Pid) -> Pid {
    Pid(pid.as_raw_pid().cast_unsigned())
}
