//! The simulated kernel: one object that owns everything a process can reach.
//!
//! It is a model of outcomes, not of mechanisms: there are no packets to lose, but a connection can be
//! refused, hang, be reset, deliver late and in pieces. What it must be true to is listed, with how it
//! was observed, at each rule (K1 and so on).

pub(crate) mod net;
pub(crate) mod poller;
pub(crate) mod process;

use crate::check::{Checks, Violation};
use crate::choice::{Choices, Stream};
use crate::fault::{Faults, Laid, Plan};
use crate::trace::{Kind, Trace, Who};
use host_core::sys::{Errno, Signal};
use net::Net;
use process::{ExitStatus, Process, Run};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;

/// A process, by number; never reused in a run.
pub(crate) type Pid = u32;

/// Virtual nanoseconds since the run began.
pub(crate) type Nanos = u64;

pub(crate) const MICROSECOND: Nanos = 1_000;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// What one system call costs: the order of magnitude of a cheap one on today's machines.
const CALL_COST: Nanos = 700;

/// Where a boot of the machine begins; so that no process sees time zero.
const BOOT: Nanos = SECOND;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A process goes on, if it still waits for this turn of its own.
    Run { pid: Pid, turn: u64 },
    /// Something reaches one side of a connection.
    Arrive { conn: u32, side: u8 },
    /// A connection request reaches its address.
    Syn { conn: u32, attempt: u32 },
    /// A signal reaches a process.
    Signal { pid: Pid, signal: Signal },
    /// A planned fault begins.
    Fault { index: usize, begins: bool },
    /// The operator looks after the host process.
    Operator,
}

/// Orders the heap: earliest first, then in order of planning.
#[derive(Debug)]
struct Planned {
    at: Nanos,
    number: u64,
    what: Happening,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The machine.
pub(crate) struct Kernel {
    pub(crate) now: Nanos,
    /// No fast path may pass this moment: the run pauses there.
    pub(crate) limit: Nanos,
    /// What the wall clock is ahead of the monotonic one; jumps.
    pub(crate) wall_offset: i128,
    heap: BinaryHeap<Reverse<Planned>>,
    planned: u64,
    pub(crate) processes: Vec<Process>,
    pub(crate) net: Net,
    pub(crate) choices: Choices,
    pub(crate) trace: Trace,
    pub(crate) checks: Checks,
    pub(crate) faults: Faults,
    /// What will go wrong, and when.
    pub(crate) plan: Plan,
    /// What lies upon system calls now.
    pub(crate) laid: Laid,
    pub(crate) violation: Option<Violation>,
    /// Ended processes whose bodies are still to be unwound.
    pub(crate) graveyard: Vec<Pid>,
    /// Named listeners as the host told them.
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
    /// The process that runs the application.
    pub(crate) host: Option<Pid>,
    /// Its heartbeat threshold.
    pub(crate) threshold: std::time::Duration,
}

impl Kernel {
    pub(crate) fn new(choices: Choices, full_trace: bool) -> Self {
        Self {
            now: BOOT,
            limit: BOOT,
            // Some day in 2026, so that log lines look like log lines.
            wall_offset: 1_790_000_000 * i128::from(SECOND),
            heap: BinaryHeap::new(),
            planned: 0,
            processes: Vec::new(),
            net: Net::default(),
            choices,
            trace: Trace::new(full_trace),
            checks: Checks::default(),
            faults: Faults::none(),
            plan: Plan::default(),
            laid: Laid::default(),
            violation: None,
            graveyard: Vec::new(),
            addresses: BTreeMap::new(),
            host: None,
            threshold: std::time::Duration::ZERO,
        }
    }

    // Time.

    /// Lets `what` happen `delay` from now.
    pub(crate) fn after(&mut self, delay: Nanos, what: Happening) {
        self.plan_at(self.now.saturating_add(delay), what);
    }

    pub(crate) fn plan_at(&mut self, at: Nanos, what: Happening) {
        self.planned += 1;
        self.heap.push(Reverse(Planned { at: at.max(self.now), number: self.planned, what }));
    }

    /// The next thing to happen up to the limit; moves the clock there.
    pub(crate) fn next(&mut self) -> Option<Happening> {
        if self.heap.peek()?.0.at > self.limit {
            return None;
        }
        let Reverse(next) = self.heap.pop()?;
        debug_assert!(next.at >= self.now, "time went back");
        self.now = next.at;
        Some(next.what)
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse(next)| next.at)
    }

    // Processes.

    pub(crate) fn record(&mut self, pid: Pid, kind: Kind, a: u64, b: u64) {
        self.trace.push(self.now, Who(pid), kind, a, b);
    }

    pub(crate) fn record_world(&mut self, kind: Kind, a: u64, b: u64) {
        self.trace.push(self.now, Who::WORLD, kind, a, b);
    }

    pub(crate) fn spawn(&mut self, name: String, delay: Nanos) -> Pid {
        let pid = self.processes.len() as Pid;
        self.processes.push(Process::new(name));
        self.record(pid, Kind::Spawn, u64::from(pid), 0);
        let turn = self.processes[pid as usize].next_turn(Run::Runnable);
        self.after(delay, Happening::Run { pid, turn });
        pid
    }

    pub(crate) fn process(&mut self, pid: Pid) -> &mut Process {
        &mut self.processes[pid as usize]
    }

    /// What a system call of `pid` costs, and with it how processes interleave.
    pub(crate) fn call_cost(&mut self, pid: Pid) -> Nanos {
        if self.laid.jitter {
            CALL_COST * (1 + Nanos::from(self.choices.choose(Stream::Schedule, pid, 16)))
        } else {
            CALL_COST
        }
    }

    /// Spends time in a process that runs; whether nothing else happens meanwhile, so that it can simply go on.
    pub(crate) fn spend(&mut self, pid: Pid, cost: Nanos) -> bool {
        let until = self.now + cost;
        let alone = self.next_at().is_none_or(|at| at > until);
        // A broken rule ends the run here, however long this process would go on alone.
        let goes_on = until <= self.limit && self.violation.is_none();
        if alone && goes_on && !self.process(pid).stopped {
            self.now = until;
            return true;
        }
        let turn = self.process(pid).next_turn(Run::Runnable);
        self.plan_at(until, Happening::Run { pid, turn });
        false
    }

    /// Wakes a blocked process.
    pub(crate) fn wake(&mut self, pid: Pid) {
        let process = &mut self.processes[pid as usize];
        if !matches!(process.run, Run::Blocked { .. }) {
            return;
        }
        let turn = process.next_turn(Run::Runnable);
        // The time a scheduler takes to switch.
        self.after(2 * MICROSECOND, Happening::Run { pid, turn });
    }

    /// Interrupts a blocked process: its call answers EINTR.
    pub(crate) fn interrupt(&mut self, pid: Pid) {
        let process = &mut self.processes[pid as usize];
        if matches!(process.run, Run::Blocked { interruptible: true }) {
            process.interrupted = true;
            self.wake(pid);
        }
    }

    /// Whether a process may run this turn now; if it is stopped, it runs when it is continued.
    pub(crate) fn may_run(&mut self, pid: Pid, turn: u64) -> bool {
        let process = &mut self.processes[pid as usize];
        if process.status.is_some() || process.turn != turn {
            return false;
        }
        if process.stopped {
            process.owed = true;
            return false;
        }
        process.run = Run::Running;
        process.begun = true;
        true
    }

    /// Ends a process: its descriptors are closed by the kernel, its body is unwound later.
    pub(crate) fn end(&mut self, pid: Pid, status: ExitStatus) {
        let process = &mut self.processes[pid as usize];
        if process.status.is_some() {
            return;
        }
        process.status = Some(status);
        process.run = Run::Ended;
        match status {
            ExitStatus::Code(code) => self.record(pid, Kind::Exit, u64::from(code), 0),
            ExitStatus::Signal(signal) => self.record(pid, Kind::Killed, u64::from(signal.number()), 0),
        }
        for handle in self.processes[pid as usize].handles() {
            self.close(pid, handle);
        }
        self.graveyard.push(pid);
        if Some(pid) == self.host {
            self.after(0, Happening::Operator);
        }
    }

    /// Whether the host runs, and neither hangs, computes at length, nor is about to be started.
    pub(crate) fn host_is_well(&self) -> bool {
        let Some(host) = self.host else { return true };
        let process = &self.processes[host as usize];
        let busy = process.doing == poller::COMPUTING;
        process.begun && !busy && process.status.is_none() && process.hung_since.is_none() && !process.stopped
    }

    // Signals.

    /// Delivers a signal (signal(7)).
    pub(crate) fn signal(&mut self, pid: Pid, signal: Signal) {
        if self.processes[pid as usize].status.is_some() {
            return;
        }
        self.record(pid, Kind::Signalled, u64::from(signal.number()), 0);
        match signal {
            Signal::Kill => self.end(pid, ExitStatus::Signal(Signal::Kill)),
            Signal::Stop => {
                self.process(pid).stopped = true;
                self.record(pid, Kind::Stop, 0, 0);
            }
            Signal::Cont => self.cont(pid),
            // K5: a stopped process takes others when it is continued; K3: duplicates merge.
            Signal::Int | Signal::Term | Signal::Usr1 => {
                self.process(pid).pending |= process::bit(signal);
                if !self.process(pid).stopped {
                    self.take_signals(pid);
                }
            }
        }
    }

    fn cont(&mut self, pid: Pid) {
        let process = self.process(pid);
        if !std::mem::take(&mut process.stopped) {
            return;
        }
        let owed = std::mem::take(&mut process.owed);
        self.record(pid, Kind::Continue, 0, 0);
        if owed {
            let turn = self.process(pid).turn;
            self.after(0, Happening::Run { pid, turn });
        }
        self.take_signals(pid);
    }

    /// Acts on what is pending and not held back for a signal descriptor, the lowest number first (K3).
    pub(crate) fn take_signals(&mut self, pid: Pid) {
        for signal in Signal::ALL {
            let bit = process::bit(signal);
            let process = self.process(pid);
            if process.pending & bit == 0 || process.status.is_some() {
                continue;
            }
            if process.blocked & bit != 0 {
                if let Some(handle) = process.signal_handle {
                    self.notify_handle(pid, handle);
                }
                continue;
            }
            process.pending &= !bit;
            match (signal, process.kick) {
                (Signal::Usr1, Some(threshold)) => self.kick(pid, threshold),
                // The default of each is to end the process.
                _ => self.end(pid, ExitStatus::Signal(signal)),
            }
        }
    }

    /// USR1 at a host that armed the kick: what its signal handler does.
    fn kick(&mut self, pid: Pid, threshold: std::time::Duration) {
        use host_core::error::exit;
        use host_core::service::kick::{Site, Verdict, last_words, verdict};
        use host_core::time::Instant;
        let now = Instant::from_nanos(self.now);
        let process = &self.processes[pid as usize];
        let (beat, site) = (process.beat, process.site);
        let decided = verdict(now, beat, site, threshold);
        let hung = matches!(decided, Verdict::Hung { .. });
        self.record(pid, Kind::Kick, now.since(beat).as_nanos() as u64, u64::from(hung));
        self.checks.on_kick(self.now, hung, threshold, &mut self.violation);
        match decided {
            Verdict::Alive => self.interrupt(pid),
            Verdict::Hung { age } => {
                let process = &self.processes[pid as usize];
                let name = match site {
                    Site::In(service, _) => process.names.get(service.index()).cloned().unwrap_or_default(),
                    Site::Loop | Site::Waiting => String::new(),
                };
                let mut words = String::new();
                let _ = last_words(&mut words, site, &name, age, threshold);
                self.say(pid, words.trim_end().to_owned());
                self.end(pid, ExitStatus::Code(exit::KICKED));
            }
        }
    }

    /// A fault: the callback that a process is in never comes back. The operator notices some time after
    /// the threshold.
    pub(crate) fn hang(&mut self, pid: Pid) {
        let process = self.process(pid);
        process.doing = "hanging in a callback";
        process.next_turn(Run::Blocked { interruptible: false });
        let patience = process.kick.unwrap_or_default() * 2 + std::time::Duration::from_secs(1);
        self.after(patience.as_nanos() as Nanos, Happening::Operator);
    }

    /// A host begins with these settings: what of them the kernel's own rules depend on.
    pub(crate) fn expect_config(&mut self, config: &host_core::config::HostConfig) {
        if let Some(host) = self.host {
            self.process(host).may_spin = config.poll_period.is_some_and(|period| period.is_zero());
            self.threshold = config.heartbeat_threshold;
        }
    }

    /// A line on a process's standard error.
    pub(crate) fn say(&mut self, pid: Pid, words: String) {
        self.trace.note(self.now, Who(pid), words.clone());
        self.process(pid).said.push(words);
    }

    /// The first thing that should not be, is.
    pub(crate) fn violate(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// A system call failed: kept for people, and hashed.
    pub(crate) fn failed<T>(&mut self, pid: Pid, call: Call, errno: Errno) -> Result<T, Errno> {
        self.record(pid, Kind::Failed, call as u64, errno.raw() as u64);
        Err(errno)
    }
}

/// Numbers the system calls, for the trace of failures, and names them.
macro_rules! calls {
    ($($name:ident = $number:literal, $words:literal;)*) => {
        /// A system call that can fail.
        #[derive(Clone, Copy, Debug)]
        #[repr(u64)]
        pub(crate) enum Call { $($name = $number),* }

        impl Call {
            /// The name of call `number`.
            pub(crate) const fn name(number: u64) -> Option<&'static str> {
                match number { $($number => Some($words),)* _ => None }
            }
        }
    };
}

calls! {
    Listen = 1, "listen";
    Connect = 2, "connect";
    Accept = 3, "accept";
    Read = 4, "read";
    Write = 5, "write";
    Shutdown = 6, "shutdown";
    PollAdd = 7, "watch";
    PollModify = 8, "watch for something else";
    PollDelete = 9, "watch no longer";
    PollWait = 10, "poll";
    Wait = 11, "wait";
}
