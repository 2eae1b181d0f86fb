//! What a machine is made of beside the application, and what is true on it: for tests and rules.

use super::Sim;
use crate::kernel::pid_files::Cut;
use crate::kernel::process::{Life, Process, Run};
use crate::kernel::rules::Rule;
use host_core::App;
use host_core::sys::{ExitStatus, ManagerWants, Pid, Signal};
use host_core::time::{Duration, Instant};
use std::net::SocketAddr;

/// What a worker truly is, whatever its host believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It runs, or its turn is planned.
    Running,
    /// It waits for something in a system call.
    Blocked,
    /// A signal stopped it.
    Stopped,
    /// It has ended, and its host cannot know yet.
    Exiting(ExitStatus),
    /// It has ended, and was not reaped.
    Zombie(ExitStatus),
}

/// One worker, as it truly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkerView {
    /// Its number; another worker may have had it.
    pub pid: Pid,
    /// The slot that it was born for.
    pub slot: u32,
    /// Which worker of that slot it is.
    pub incarnation: u32,
    /// What it does.
    pub state: WorkerState,
    /// Since when it hangs for ever, by a fault.
    pub hung_since: Option<Instant>,
    /// When it last did anything: a system call, a sign of life, the end of declared work.
    pub progress: Instant,
    /// Its host has died.
    pub orphaned: bool,
}

impl WorkerView {
    fn of(process: &Process) -> Option<Self> {
        let (pid, seat) = (process.number?, process.seat?);
        let state = match (process.life, process.status) {
            (Life::Exiting, Some(status)) => WorkerState::Exiting(status),
            (Life::Zombie, Some(status)) => WorkerState::Zombie(status),
            (Life::Living, _) if process.stopped => WorkerState::Stopped,
            (Life::Living, _) if matches!(process.run, Run::Blocked { interruptible: true }) => {
                WorkerState::Blocked
            }
            (Life::Living, _) => WorkerState::Running,
            (Life::Exiting | Life::Zombie | Life::Gone, _) => return None,
        };
        Some(Self {
            pid,
            slot: seat.slot,
            incarnation: seat.incarnation,
            state,
            hung_since: process.truth.hung_since.map(Instant::from_nanos),
            progress: Instant::from_nanos(process.truth.progress),
            orphaned: process.stranger || process.parent.is_none(),
        })
    }
}

impl Sim {
    /// Process numbers are below `max`, and used again: with a small one the same number comes back in
    /// every run. Number 1 is init's, the host has the first of the others.
    ///
    /// # Panics
    /// If `max` leaves no number for the host.
    pub fn pid_max(&mut self, max: u32) {
        self.kernel.borrow_mut().numbers.set_max(max);
    }

    /// Hosts that begin from here on are started by this user, and not by root: they may neither become another one nor
    /// give their workers more than they have.
    pub fn user(&mut self, number: u32) {
        self.kernel.borrow_mut().user = number;
    }

    /// How many processors the machine has. By default 2.
    pub fn processors(&mut self, count: u32) {
        self.kernel.borrow_mut().processors = count.max(1);
    }

    /// How many threads each process has. By default 1; with more, forking is refused.
    pub fn threads(&mut self, count: u32) {
        self.kernel.borrow_mut().threads = count.max(1);
    }

    /// Processes that are started from here on adopt the orphans among their descendants
    /// (PR_SET_CHILD_SUBREAPER), as process 1 of a container does.
    pub fn subreaper(&mut self) {
        self.kernel.borrow_mut().subreaper = true;
    }

    /// System calls, births, wakes and the network take now more time and now less from here on: processes
    /// interleave as the seed decides.
    pub fn unsteady(&mut self) {
        let laid = &mut self.kernel.borrow_mut().laid;
        laid.jitter = true;
        laid.latency = true;
    }

    /// Breaks a rule of the kernel, for those who ask whether somebody would notice.
    #[doc(hidden)]
    pub fn break_rule(&mut self, rule: Rule) {
        self.kernel.borrow_mut().broken_rule = Some(rule);
    }

    /// How many bytes are free on the disk from here on; then writing fails with ENOSPC. By default as many as
    /// anybody wants.
    pub fn disk_space(&mut self, bytes: u64) {
        self.kernel.borrow_mut().disk.space = bytes;
    }

    /// What a host has recorded at this path, up to its last write; the hosts that recorded there before, and were
    /// killed, are in [`recordings`](Self::recordings).
    pub fn recording(&self, path: &str) -> Option<Vec<u8>> {
        self.kernel.borrow().disk.file(path).map(<[u8]>::to_vec)
    }

    /// What each host has recorded at this path, the first first.
    pub fn recordings(&self, path: &str) -> Vec<Vec<u8>> {
        self.kernel.borrow().disk.all(path).map(<[u8]>::to_vec).collect()
    }

    /// Hosts that begin from here on are told that a service manager has started them (`NOTIFY_SOCKET`), which thinks
    /// after `watchdog` without a sign that they hang.
    pub fn managed(&mut self, watchdog: Option<Duration>) {
        self.kernel.borrow_mut().manager = Some(ManagerWants { watchdog, awaits_start: false });
    }

    /// A socket that listens from here on, and that hosts which begin later are started with, under this name: what
    /// systemd does for a socket unit. It outlives them, and clients find it although no host has told of it.
    pub fn activated(&mut self, name: &str, address: SocketAddr) {
        self.kernel.borrow_mut().activate(name, address, App::BACKLOG);
    }

    /// Hosts that begin from here on are told that the launcher of a daemon waits for them to serve, as
    /// [`App::daemonize`](host_core::App::daemonize) has it: what it hears is in [`notified`](Self::notified).
    pub fn launched(&mut self) {
        self.kernel.borrow_mut().manager = Some(ManagerWants { watchdog: None, awaits_start: true });
    }

    /// What hosts have told it, with the moment: lines as in sd_notify(3).
    pub fn notified(&self) -> Vec<(Instant, String)> {
        let kernel = self.kernel.borrow();
        kernel.notified.iter().map(|(at, message)| (Instant::from_nanos(*at), message.clone())).collect()
    }

    /// The number of the host that lives; `None` while none does.
    pub fn host_pid(&self) -> Option<Pid> {
        let kernel = self.kernel.borrow();
        let host = &kernel.processes[kernel.host? as usize];
        host.number.filter(|_| host.is_living())
    }

    /// Renames the files of the host's log and of what it and its workers print on, each to its path and `.1`, and
    /// sends it USR1: what logrotate(8) does.
    pub fn rotate_logs(&mut self) {
        self.kernel.borrow_mut().rotate_all(false);
    }

    /// What was written to the log at this path since it was last rotated; `None` if there is no such file.
    pub fn log(&self, path: &str) -> Option<String> {
        self.kernel.borrow().disk.file(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Where the listener of this name is, as the last host that has bound it has told.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.kernel.borrow().addresses.get(listener).copied()
    }

    /// What the pid file at this path says, if there is one.
    pub fn pid_file(&self, path: &str) -> Option<String> {
        self.kernel.borrow().disk.pid_file(path)
    }

    /// Puts a file where a host may want its pid file, of this user: one that somebody has left there, say. What stood
    /// there is removed, as if by hand.
    pub fn place_pid_file(&mut self, path: &str, user: u32, text: &str) {
        self.remove_pid_file(path);
        self.kernel.borrow_mut().place_pid_file(path, user, text.as_bytes());
    }

    /// Removes a pid file by hand, whoever has it; whether there was one.
    pub fn remove_pid_file(&mut self, path: &str) -> bool {
        let kernel = &mut *self.kernel.borrow_mut();
        let found = kernel.disk.named(path);
        if let Some(file) = found {
            let file = &mut kernel.disk.pid_files[file];
            // Whoever has it has a file without a name from here on.
            (file.is_named, file.is_lost) = (false, true);
        }
        found.is_some()
    }

    /// The next host that uses its pid file is killed after `calls` more of the system calls that it makes for it, or, if
    /// it is only `held`, not scheduled for so long.
    pub fn cut_pid_file(&mut self, calls: u32, held: Option<Duration>) {
        let holds = held.map_or(0, super::nanos);
        self.kernel.borrow_mut().laid.pid_file_cut = Some(Cut { calls, holds });
    }

    /// Gives the host a child that it did not fork, and that dies at once.
    pub fn adopt_stranger(&mut self) {
        let kernel = &mut *self.kernel.borrow_mut();
        if let Some(host) = kernel.host.filter(|host| kernel.processes[*host as usize].is_living()) {
            kernel.adopt_stranger(host);
        }
    }

    /// All workers that are not gone: those of the host, and orphans of a host that died. In the order of
    /// their births.
    pub fn workers(&self) -> Vec<WorkerView> {
        let kernel = self.kernel.borrow();
        kernel.workers.iter().filter_map(|index| WorkerView::of(&kernel.processes[*index as usize])).collect()
    }

    /// How many workers the host has ever had.
    pub fn births(&self) -> usize {
        let kernel = self.kernel.borrow();
        kernel.processes.iter().filter(|process| process.seat.is_some()).count()
    }

    /// Sends the worker that has this number now a signal; whether there is one.
    pub fn signal_worker(&mut self, number: Pid, signal: Signal) -> bool {
        let kernel = &mut *self.kernel.borrow_mut();
        let owner = kernel.numbers.owner(number).filter(|index| kernel.workers.contains(index));
        if let Some(worker) = owner {
            kernel.signal(worker, signal);
        }
        owner.is_some()
    }

    /// How many descriptors the host has open.
    pub fn host_descriptors(&self) -> usize {
        let kernel = self.kernel.borrow();
        kernel.host.map_or(0, |host| kernel.processes[host as usize].descriptors.open)
    }

    /// How many children the host has that were not reaped, zombies included.
    pub fn children(&self) -> usize {
        let kernel = self.kernel.borrow();
        kernel.host.map_or(0, |host| kernel.processes[host as usize].children.len())
    }
}
