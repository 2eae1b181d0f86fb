//! What the kernel knows of one process.

use crate::check::Checks;
use crate::kernel::files::{Descriptors, FileId};
use crate::kernel::logs::Printed;
use crate::kernel::poller::Poller;
use crate::kernel::signals::Signals;
use crate::kernel::slots::Seat;
use crate::kernel::standing::Standing;
use crate::kernel::{Index, Nanos};
use host_core::fleet::beat::Pace;
use host_core::service::kick::Site;
use host_core::sys::{ExitStatus, Handle, OnHostDeath, Pid};
use host_core::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// It has a turn planned.
    Runnable,
    /// It is the one that runs.
    Running,
    /// It waits for something.
    Blocked { interruptible: bool },
    /// It will never run again.
    Ended,
}

/// How far a process is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Living,
    /// Its body has ended and its descriptors are closed; its status is fixed, and nobody can read it yet.
    Exiting,
    /// It keeps its number until its parent collects its status.
    Zombie,
    /// Nothing of it is left.
    Gone,
}

/// What a parent has not heard yet of a child that lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Stopped,
    Continued,
}

/// What becomes of a forked process when its parent ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orphanage {
    pub(crate) policy: OnHostDeath,
    pub(crate) drain_timeout: Nanos,
}

/// What is true of a process, whatever anybody believes of it: for the rules.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// When it last did anything: a system call, a sign of life, the end of declared work.
    pub(crate) progress: Nanos,
    /// It hangs for ever, by a fault.
    pub(crate) hung_since: Option<Nanos>,
    /// It is stopped by a signal.
    pub(crate) stopped_since: Option<Nanos>,
    /// It computes at length, and gives no sign of life meanwhile.
    pub(crate) computing_since: Option<Nanos>,
    /// The end of such a silence is waited for.
    pub(crate) watched: bool,
    /// By a fault, it ignores what it should heed.
    pub(crate) deaf: bool,
    /// By a fault, it could not begin, or was killed: whoever has started it tries again.
    pub(crate) kept_out: bool,
    /// How many times it has heard from its poller since it was asked to quit.
    pub(crate) polls_since_quit: u32,
    /// When it was stopped or not scheduled; the last span may be open.
    pub(crate) halted: Vec<(Nanos, Option<Nanos>)>,
}

pub(crate) struct Process {
    pub(crate) name: String,
    // Scheduling.
    pub(crate) run: Run,
    /// Which planned turn is the valid one.
    pub(crate) turn: u64,
    /// It has run at all.
    pub(crate) begun: bool,
    /// Whether its event loop has begun: from then on the checks speak of it. A supervisor of another make has none.
    pub(crate) loops: bool,
    /// By a signal.
    pub(crate) stopped: bool,
    /// So many faults keep it from being scheduled.
    pub(crate) held: u32,
    /// Its turn came while it was stopped or held.
    pub(crate) owed: bool,
    pub(crate) interrupted: bool,
    /// How it ended, as soon as that is fixed.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) life: Life,
    /// What it is doing, for a report of who is waiting for what.
    pub(crate) doing: &'static str,
    // Its family.
    pub(crate) number: Option<Pid>,
    pub(crate) parent: Option<Index>,
    /// It was adopted, not forked, by its parent.
    pub(crate) stranger: bool,
    /// It adopts what its descendants leave behind (PR_SET_CHILD_SUBREAPER).
    pub(crate) subreaper: bool,
    /// Those that were not reaped.
    pub(crate) children: BTreeSet<Index>,
    /// Of living children: the latest only.
    pub(crate) news: BTreeMap<Index, News>,
    /// Adopted ones that wait to be reaped.
    pub(crate) dead_strangers: BTreeSet<Index>,
    /// The file that its parent sees it as.
    pub(crate) seen_as: Option<FileId>,
    /// That file has become readable.
    pub(crate) announced: bool,
    pub(crate) orphanage: Option<Orphanage>,
    /// It is told when its parent ends (PR_SET_PDEATHSIG).
    pub(crate) death_signal: bool,
    pub(crate) standing: Standing,
    // Descriptors and readiness.
    pub(crate) descriptors: Descriptors,
    pub(crate) poller: Poller,
    /// Where it prints, by stream, if that is a pipe.
    pub(crate) prints_into: Option<[FileId; 2]>,
    /// The file that it waits for in a call of its own.
    pub(crate) waits_for: Option<FileId>,
    pub(crate) signals: Signals,
    // As a worker.
    pub(crate) seat: Option<Seat>,
    /// What its last sign of life said.
    pub(crate) pace: Option<Pace>,
    /// Signs of life since it last let time pass.
    pub(crate) pulses: u32,
    pub(crate) quit_asked: bool,
    pub(crate) quit_handle: Option<Handle>,
    pub(crate) quit_file: Option<FileId>,
    /// By a fault, it hangs at the next thing it does.
    pub(crate) hangs_next: bool,
    /// How many bytes of main memory it has.
    pub(crate) memory: u64,
    /// Each of its calls takes so much longer, as its part says.
    pub(crate) slow: Nanos,
    /// What it prints on, where that is a file: which, by output.
    pub(crate) outputs: [Option<Printed>; 2],
    /// What its parent has handed it to print on, and it has not taken.
    pub(crate) handed: Vec<[Option<Printed>; 2]>,
    // As a host.
    pub(crate) kick: Option<Duration>,
    /// The file that tells that a kick has found it alive.
    pub(crate) bell: Option<FileId>,
    pub(crate) rung: bool,
    pub(crate) beat: Instant,
    pub(crate) site: Site,
    pub(crate) names: Vec<String>,
    /// The rules for the application that runs in a worker.
    pub(crate) checks: Option<Box<Checks>>,
    /// Lines on standard error.
    pub(crate) said: Vec<String>,
    /// How many looks at the poller in a row found nothing, and whether that was asked for.
    pub(crate) empty_looks: u32,
    pub(crate) may_spin: bool,
    pub(crate) truth: Truth,
}

/// What a process has that has begun: some 4 MiB.
const MEMORY: u64 = 4 << 20;

impl Process {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            run: Run::Runnable,
            turn: 0,
            begun: false,
            loops: false,
            stopped: false,
            held: 0,
            owed: false,
            interrupted: false,
            status: None,
            life: Life::Living,
            doing: "starting",
            number: None,
            parent: None,
            stranger: false,
            subreaper: false,
            children: BTreeSet::new(),
            news: BTreeMap::new(),
            dead_strangers: BTreeSet::new(),
            seen_as: None,
            announced: false,
            orphanage: None,
            death_signal: false,
            standing: Standing::default(),
            descriptors: Descriptors::new(),
            poller: Poller::default(),
            prints_into: None,
            waits_for: None,
            signals: Signals::default(),
            seat: None,
            pace: None,
            pulses: 0,
            quit_asked: false,
            quit_handle: None,
            quit_file: None,
            hangs_next: false,
            memory: MEMORY,
            slow: 0,
            outputs: [const { None }; 2],
            handed: Vec::new(),
            kick: None,
            bell: None,
            rung: false,
            beat: Instant::ZERO,
            site: Site::Loop,
            names: Vec::new(),
            checks: None,
            said: Vec::new(),
            empty_looks: 0,
            may_spin: false,
            truth: Truth::default(),
        }
    }

    /// Makes every turn planned so far void; the number of the next one.
    pub(crate) fn next_turn(&mut self, run: Run) -> u64 {
        self.run = run;
        self.turn += 1;
        self.turn
    }

    /// It has heard from its poller.
    pub(crate) fn count_poll(&mut self) {
        self.truth.polls_since_quit += u32::from(self.quit_asked);
    }

    pub(crate) fn is_living(&self) -> bool {
        self.life == Life::Living
    }

    /// What it does, or why it does nothing, in words.
    pub(crate) const fn state(&self) -> &'static str {
        match self.life {
            Life::Exiting => "exiting",
            Life::Zombie => "a zombie",
            Life::Gone => "gone",
            Life::Living if self.stopped => "stopped",
            Life::Living if self.held > 0 => "not scheduled",
            Life::Living => self.doing,
        }
    }

    /// Whether it is kept from running, by a signal or by the scheduler.
    pub(crate) fn is_halted(&self) -> bool {
        self.stopped || self.held > 0
    }
}
