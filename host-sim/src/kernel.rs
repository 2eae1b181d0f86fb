//! The simulated kernel: one object that owns everything a process can reach.
//!
//! It is a model of outcomes, not of mechanisms: there are no packets to lose, but a connection can be
//! refused, hang, be reset, deliver late and in pieces. What it must be true to is listed, with how it
//! was observed, at each rule (K1 and so on).

mod channel;
pub(crate) mod children;
mod disk;
pub(crate) mod files;
mod life;
mod logs;
pub(crate) mod net;
pub(crate) mod numbers;
pub(crate) mod pid_files;
mod pipe;
pub(crate) mod poller;
pub(crate) mod process;
pub(crate) mod rules;
mod schedule;
pub(crate) mod scripted;
pub(crate) mod signals;
pub(crate) mod slots;
pub(crate) mod standing;

use crate::check::truth::TruthCheck;
use crate::check::{Checks, Stop, Violation};
use crate::choice::Choices;
use crate::fault::fate::Broken;
use crate::fault::{Class, Faults, Laid, Plan};
use crate::kernel::scripted::{Act, Part};
use crate::marks::sometimes;
use crate::trace::{Kind, Trace, Who};
use channel::Channel;
use disk::Disk;
use files::{FileId, Files};
use host_core::sys::{Body, Errno, ManagerWants, Signal};
use net::Net;
use numbers::Numbers;
use pipe::Pipe;
use process::Process;
use rules::Rule;
use slots::Pages;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;

/// A process, by its place in the list of all that ever were; never reused in a run. What the processes
/// themselves know is another number, which is: [`host_core::sys::Pid`].
pub(crate) type Index = u32;

/// Virtual nanoseconds since the run began.
pub(crate) type Nanos = u64;

pub(crate) const MICROSECOND: Nanos = 1_000;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1_000_000_000;

/// Where a boot of the machine begins; so that no process sees time zero.
const BOOT: Nanos = SECOND;

/// Something that will happen.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A process goes on, if it still waits for this turn of its own.
    Run { index: Index, turn: u64 },
    /// Something reaches one side of a connection.
    Arrive { conn: u32, side: u8 },
    /// A connection request reaches its address.
    Syn { conn: u32, attempt: u32 },
    /// A signal reaches a process.
    Signal { index: Index, signal: Signal },
    /// A planned fault begins.
    Fault { index: usize, begins: bool },
    /// A fault that nobody ends happens once more.
    Recur { class: Class },
    /// The operator looks after the host process.
    Operator,
    /// A process that was exiting is a zombie.
    Zombie { index: Index },
    /// The file that stands for a zombie becomes readable.
    Announce { index: Index },
    /// A process hears that its parent has ended.
    Orphaned { index: Index },
    /// A process that a fault kept from being scheduled is scheduled again.
    LetGo { index: Index },
    /// A process whose host has died must have ended.
    OrphanDue { index: Index },
    /// A worker that is silent must have ended, or speak (L2).
    SilenceDue { index: Index },
    /// A worker does what its part says.
    Act { index: Index, act: Act },
    /// A host that was told to stop must have stopped (L4).
    StopDue { index: Index, stop: Stop, since: Nanos },
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
    pub(crate) numbers: Numbers,
    /// Forked by a host, and not gone; also those whose host has died.
    pub(crate) workers: BTreeSet<Index>,
    /// Bodies of children that were forked and have no coroutine yet.
    pub(crate) births: Vec<(Index, Body)>,
    pub(crate) files: Files,
    pub(crate) net: Net,
    pub(crate) channels: Vec<Channel>,
    pub(crate) pipes: Vec<Pipe>,
    pub(crate) disk: Disk,
    /// Heartbeat slots.
    pub(crate) pages: Pages,
    pub(crate) choices: Choices,
    pub(crate) trace: Trace,
    pub(crate) checks: Checks,
    pub(crate) truths: TruthCheck,
    pub(crate) faults: Faults,
    /// What will go wrong, and when.
    pub(crate) plan: Plan,
    /// What lies upon system calls now.
    pub(crate) laid: Laid,
    /// What is broken for good.
    pub(crate) broken: Broken,
    /// What a test says of workers.
    pub(crate) parts: Vec<Part>,
    pub(crate) violation: Option<Violation>,
    /// Ended processes whose bodies are still to be unwound.
    pub(crate) graveyard: Vec<Index>,
    /// Named listeners as the host told them.
    pub(crate) addresses: BTreeMap<String, SocketAddr>,
    /// The process that runs the application; of several that were started, the one that has begun, or might.
    pub(crate) host: Option<Index>,
    /// All that ever were started as hosts.
    pub(crate) hosts: Vec<Index>,
    /// Its heartbeat threshold.
    pub(crate) threshold: std::time::Duration,
    /// How many processors and threads every process is told of.
    pub(crate) processors: u32,
    pub(crate) threads: u32,
    /// Hosts adopt orphans.
    pub(crate) subreaper: bool,
    /// Who starts hosts.
    pub(crate) user: u32,
    /// What started the host wants to be told, and what it was told.
    pub(crate) manager: Option<ManagerWants>,
    /// Listeners that hosts are started with: their names, which files they are, and where they listen.
    pub(crate) activated: Vec<(String, FileId, SocketAddr)>,
    pub(crate) notified: Vec<(Nanos, String)>,
    /// Whether a single empty message is missed when a channel ends, once that was asked.
    pub(crate) misses_an_empty_message: Option<bool>,
    /// What this machine does not honour, to see that somebody notices.
    pub(crate) broken_rule: Option<Rule>,
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
            numbers: Numbers::default(),
            workers: BTreeSet::new(),
            births: Vec::new(),
            files: Files::default(),
            net: Net::default(),
            channels: Vec::new(),
            pipes: Vec::new(),
            disk: Disk::default(),
            pages: Pages::new(),
            choices,
            trace: Trace::new(full_trace),
            checks: Checks::default(),
            truths: TruthCheck::default(),
            faults: Faults::none(),
            plan: Plan::default(),
            laid: Laid::default(),
            broken: Broken::default(),
            parts: Vec::new(),
            violation: None,
            graveyard: Vec::new(),
            addresses: BTreeMap::new(),
            host: None,
            hosts: Vec::new(),
            threshold: std::time::Duration::ZERO,
            processors: 2,
            threads: 1,
            subreaper: false,
            user: 0,
            manager: None,
            activated: Vec::new(),
            notified: Vec::new(),
            misses_an_empty_message: None,
            broken_rule: None,
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
        self.choices.now = next.at;
        Some(next.what)
    }

    /// When the next thing happens.
    pub(crate) fn next_at(&self) -> Option<Nanos> {
        self.heap.peek().map(|Reverse(next)| next.at)
    }

    // Processes.

    pub(crate) fn record(&mut self, index: Index, kind: Kind, a: u64, b: u64) {
        self.trace.push(self.now, Who(index), kind, a, b);
    }

    pub(crate) fn record_world(&mut self, kind: Kind, a: u64, b: u64) {
        self.trace.push(self.now, Who::WORLD, kind, a, b);
    }

    pub(crate) fn process(&mut self, index: Index) -> &mut Process {
        &mut self.processes[index as usize]
    }

    /// Whether the host runs, and neither hangs, computes at length, nor is about to be started.
    pub(crate) fn host_is_well(&self) -> bool {
        let Some(host) = self.host else { return true };
        let process = &self.processes[host as usize];
        let busy = process.doing == poller::COMPUTING;
        let hung = process.truth.hung_since.is_some();
        // Until it comes to its loop, all that is known is of the host before it.
        process.begun && process.loops && !busy && process.is_living() && !hung && !process.is_halted()
    }

    /// A fault: the callback that the host is in never comes back. The operator notices some time after
    /// the threshold.
    pub(crate) fn hang_host(&mut self, host: Index) {
        self.hang(host, "hanging in a callback");
        let patience = self.process(host).kick.unwrap_or_default() * 2 + std::time::Duration::from_secs(1);
        self.after(patience.as_nanos() as Nanos, Happening::Operator);
    }

    /// An event loop begins in `me` with these settings: what of them the kernel's own rules depend on.
    pub(crate) fn expect_config(&mut self, me: Index, config: &host_core::config::HostConfig) {
        self.begin_as_host(me);
        let process = self.process(me);
        process.may_spin = config.poll_period.is_some_and(|period| period.is_zero());
        process.loops = true;
        if Some(me) == self.host {
            self.threshold = config.heartbeat_threshold;
        }
    }

    /// An event loop begins: of several hosts that were started, this is the one.
    fn begin_as_host(&mut self, me: Index) {
        let Some(host) = self.host.filter(|host| *host != me && self.hosts.contains(&me)) else { return };
        let before = &self.processes[host as usize];
        if before.is_living() && before.loops {
            let detail = format!("`{}` serves, and so does another host", before.name);
            return self.violate(Violation::new("test", detail));
        }
        self.becomes_host(me);
    }

    fn becomes_host(&mut self, index: Index) {
        sometimes!("a host serves that was not the first to be started");
        self.host = Some(index);
        self.truths = TruthCheck::default();
    }

    /// Another one that was started and may yet serve takes the place of a host that has ended; whether there is one.
    pub(crate) fn replace_ended_host(&mut self) -> bool {
        let others = self.hosts.iter().copied();
        let mut living = others.filter(|index| self.processes[*index as usize].is_living());
        let next = living.next();
        if let Some(next) = next {
            self.becomes_host(next);
        }
        next.is_some()
    }

    /// A host ends: if the one before it has ended, the operator asks about this one.
    fn stand_in_for_the_host(&mut self, index: Index) {
        let has_ended = |host: Index| self.processes[host as usize].status.is_some();
        if self.hosts.contains(&index) && self.host.is_some_and(has_ended) {
            self.host = Some(index);
        }
    }

    /// A line on a process's standard error.
    pub(crate) fn say(&mut self, index: Index, words: String) {
        self.trace.note(self.now, Who(index), words.clone());
        self.process(index).said.push(words);
    }

    /// The first thing that should not be, is.
    pub(crate) fn violate(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    /// A system call failed: kept for people, and hashed.
    pub(crate) fn failed<T>(&mut self, index: Index, call: Call, errno: Errno) -> Result<T, Errno> {
        self.record(index, Kind::Failed, call as u64, errno.raw() as u64);
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
    Fork = 12, "fork";
    Reap = 13, "reap";
    SignalChild = 14, "signal to a child";
    Channel = 15, "channel";
    Signals = 16, "signals";
    QuitHandle = 17, "quit handle";
    RecordCreate = 18, "creation of a recording";
    RecordWrite = 19, "write to a recording";
    PidFile = 20, "pid file";
    LogOpen = 21, "opening of a log";
    LogWrite = 22, "write to a log";
    Redirect = 23, "opening of an output";
    KickBell = 24, "bell of the kick";
    Pipe = 25, "pipe";
    Print = 26, "print";
    Confine = 27, "confinement";
    Memory = 28, "look at the memory of a child";
    HandOutputs = 29, "handing over of outputs";
}
