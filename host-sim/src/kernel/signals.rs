//! Signals: pending, held back, and what each does (signal(7)).

use crate::kernel::files::FileId;
use crate::kernel::process::News;
use crate::kernel::rules::Rule;
use crate::kernel::{Index, Kernel};
use crate::marks::sometimes;
use crate::trace::Kind;
use host_core::sys::{ExitStatus, Signal};

/// What a process has set a signal to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// What the kernel does by itself.
    Default,
    /// Nothing.
    Ignored,
    /// A handler that exits 0, in whatever the process is.
    ExitZero,
    /// A handler that remembers that the worker is to quit.
    Quit,
    /// The handler that judges a host by its heartbeat.
    Kick,
    /// The handler of a worker that takes what its host hands it to print on.
    TakeFiles,
}

/// What the kernel does by itself.
enum Default {
    Nothing,
    Stop,
    End { core: bool },
}

const fn default_of(signal: Signal) -> Default {
    match signal {
        Signal::Chld | Signal::Cont | Signal::Winch => Default::Nothing,
        Signal::Stop | Signal::Ttin | Signal::Ttou => Default::Stop,
        Signal::Abrt | Signal::Quit | Signal::Segv => Default::End { core: true },
        Signal::Hup
        | Signal::Int
        | Signal::Kill
        | Signal::Usr1
        | Signal::Usr2
        | Signal::Alrm
        | Signal::Term => Default::End { core: false },
    }
}

/// How a process ends by a signal that ends it by default.
pub(crate) const fn ended_by(signal: Signal) -> ExitStatus {
    let core = matches!(default_of(signal), Default::End { core: true });
    ExitStatus::Signal { number: signal.number(), core }
}

/// The signals of one process.
#[derive(Debug)]
pub(crate) struct Signals {
    /// A set, so that duplicates merge (K3).
    pending: u64,
    /// Of those that are pending, the ones that will be once more; none where signals merge.
    again: u64,
    blocked: u64,
    dispositions: [Disposition; SIGNALS],
    /// Where it reads them (signalfd(2)).
    pub(crate) files: Vec<FileId>,
}

/// One more than the highest number of a standard signal.
const SIGNALS: usize = 32;

impl std::default::Default for Signals {
    fn default() -> Self {
        Self {
            pending: 0,
            again: 0,
            blocked: 0,
            dispositions: [Disposition::Default; SIGNALS],
            files: Vec::new(),
        }
    }
}

impl Signals {
    /// Those of a worker before its body (S43).
    pub(crate) fn of_a_worker() -> Self {
        let mut signals = Self::default();
        signals.set(&[Signal::Term, Signal::Int], Disposition::ExitZero);
        signals.set(&[Signal::Quit], Disposition::Quit);
        let ignored = [Signal::Hup, Signal::Usr1, Signal::Usr2, Signal::Ttin, Signal::Ttou, Signal::Winch];
        signals.set(&ignored, Disposition::Ignored);
        signals
    }

    pub(crate) fn set(&mut self, signals: &[Signal], disposition: Disposition) {
        for signal in signals {
            self.dispositions[signal.number() as usize] = disposition;
        }
    }

    /// Makes them what they were in `before`; what is pending stays so.
    pub(crate) fn set_back(&mut self, before: &Self) {
        self.dispositions = before.dispositions;
        self.blocked = before.blocked;
    }

    pub(crate) fn block(&mut self, signals: &[Signal]) {
        self.blocked |= set_of(signals);
    }

    pub(crate) fn unblock(&mut self, signals: &[Signal]) {
        self.blocked &= !set_of(signals);
    }

    /// Those that signal descriptors give.
    pub(crate) const fn readable(&self) -> u64 {
        self.pending & self.blocked
    }

    /// Takes the lowest one of `set` that is pending and held back (K3).
    pub(crate) fn read(&mut self, set: u64, lowest: bool) -> Option<Signal> {
        self.take(self.readable() & set, lowest)
    }

    /// Takes the lowest one that is pending and not held back.
    fn next(&mut self, lowest: bool) -> Option<Signal> {
        self.take(self.pending & !self.blocked, lowest)
    }

    /// Takes the lowest one of `set`, or the highest.
    fn take(&mut self, set: u64, lowest: bool) -> Option<Signal> {
        if set == 0 {
            return None;
        }
        let mut members = Signal::ALL.iter().copied().filter(|signal| set & bit(*signal) != 0);
        let signal = if lowest { members.next() } else { members.next_back() }?;
        self.pending &= !bit(signal) | self.again;
        self.again &= !bit(signal);
        Some(signal)
    }

    /// As in a child that keeps what was pending in its parent.
    pub(crate) fn keep_pending(&mut self, of: &Self) {
        self.pending = of.pending;
    }

    pub(crate) fn disposition(&self, signal: Signal) -> Disposition {
        self.dispositions[signal.number() as usize]
    }

    pub(crate) const fn is_pending(&self, signal: Signal) -> bool {
        self.pending & bit(signal) != 0
    }

    pub(crate) const fn holds_back(&self, signal: Signal) -> bool {
        self.blocked & bit(signal) != 0
    }

    /// Whether it is dropped as soon as it is sent. One that is held back is kept, since by the time it is
    /// let through it may mean something else.
    fn drops(&self, signal: Signal, keeps_held_back: bool) -> bool {
        match self.dispositions[signal.number() as usize] {
            _ if keeps_held_back && self.holds_back(signal) => false,
            Disposition::Ignored => true,
            Disposition::Default => matches!(default_of(signal), Default::Nothing),
            Disposition::ExitZero | Disposition::Quit | Disposition::Kick | Disposition::TakeFiles => false,
        }
    }

    /// Whether somebody who means no harm may send it: it is held back, or something is set for it.
    pub(crate) fn expects(&self, signal: Signal) -> bool {
        self.holds_back(signal) || self.dispositions[signal.number() as usize] != Disposition::Default
    }
}

/// A signal as a bit of a set.
const fn bit(signal: Signal) -> u64 {
    1 << signal.number()
}

pub(crate) fn set_of(signals: &[Signal]) -> u64 {
    signals.iter().fold(0, |set, signal| set | bit(*signal))
}

impl Kernel {
    /// What stops by default takes a pending CONT away (signal(7)).
    fn lose_continuation(&mut self, index: Index) {
        let signals = &mut self.process(index).signals;
        if signals.pending & bit(Signal::Cont) != 0 {
            signals.pending &= !bit(Signal::Cont);
            sometimes!("a pending CONT is taken away by what stops");
            self.check_continuation_lost(index);
        }
    }

    /// Sends a signal. To one that has ended it succeeds and does nothing (K8, K9).
    pub(crate) fn signal(&mut self, index: Index, signal: Signal) {
        if !self.process(index).is_living() {
            sometimes!("a signal reaches a process that has ended (K8)");
            sometimes!(signal == Signal::Kill, "a KILL comes after the end (K9)");
            if !self.honours(Rule::StatusIsFixed) {
                self.process(index).status = Some(ended_by(signal));
            }
            return;
        }
        sometimes!(
            self.process(index).stopped && signal == Signal::Kill,
            "KILL ends a process that is stopped (K5)"
        );
        sometimes!(
            self.process(index).stopped && signal == Signal::Quit,
            "QUIT waits for a process that is stopped (K5)"
        );
        sometimes!(
            self.process(index).stopped && signal == Signal::Stop,
            "a stopped process is stopped once more"
        );
        self.record(index, Kind::Signalled, u64::from(signal.number()), 0);
        match signal {
            Signal::Kill if self.process(index).stopped && !self.honours(Rule::KillEndsTheStopped) => {}
            Signal::Kill => return self.end(index, ended_by(Signal::Kill)),
            Signal::Stop => {
                self.lose_continuation(index);
                return self.stop(index);
            }
            // It continues the process at once, whatever is set for it.
            Signal::Cont => {
                if self.honours(Rule::ContTakesStopsAway) {
                    self.process(index).signals.pending &= !set_of(&[Signal::Ttin, Signal::Ttou]);
                }
                if self.process(index).signals.holds_back(signal) {
                    self.check_continuation(index);
                }
                self.cont(index);
            }
            Signal::Ttin | Signal::Ttou => self.lose_continuation(index),
            Signal::Hup
            | Signal::Int
            | Signal::Quit
            | Signal::Abrt
            | Signal::Usr1
            | Signal::Segv
            | Signal::Usr2
            | Signal::Alrm
            | Signal::Term
            | Signal::Chld
            | Signal::Winch => {}
        }
        let (merges, keeps) = (self.honours(Rule::SignalsMerge), self.honours(Rule::BlockedAreKept));
        let process = self.process(index);
        if process.is_living() && !process.signals.drops(signal, keeps) {
            sometimes!(process.signals.is_pending(signal), "a signal merges with one that is pending (K3)");
            let others = process.signals.pending & !bit(signal);
            sometimes!(others.count_ones() > 2, "four different signals are pending");
            sometimes!(others > bit(signal), "a signal overtakes one with a higher number (K3)");
            let news = signal == Signal::Chld && process.signals.is_pending(signal);
            sometimes!(news, "the news of two children is one CHLD (K1)");
            if !merges {
                process.signals.again |= process.signals.pending & bit(signal);
            }
            process.signals.pending |= bit(signal);
            self.take_signals(index);
        }
    }

    /// Acts on what is pending and not held back, the lowest number first (K3); lets what is held back be
    /// read. A stopped process does neither until it is continued (K5).
    pub(crate) fn take_signals(&mut self, index: Index) {
        let heeds_nothing = self.honours(Rule::StoppedHeedNothing);
        let lowest = self.honours(Rule::LowestSignalFirst);
        loop {
            let process = self.process(index);
            if process.stopped && heeds_nothing || !process.is_living() {
                return;
            }
            let Some(signal) = process.signals.next(lowest) else { break };
            self.act(index, signal);
        }
        if self.process(index).signals.readable() == 0 {
            return;
        }
        for place in 0..self.process(index).signals.files.len() {
            let file = self.process(index).signals.files[place];
            self.notify(file);
        }
    }

    fn act(&mut self, index: Index, signal: Signal) {
        match self.process(index).signals.dispositions[signal.number() as usize] {
            Disposition::Ignored => {}
            Disposition::Default => match default_of(signal) {
                Default::Nothing => {}
                Default::Stop => self.stop(index),
                Default::End { .. } => self.end(index, ended_by(signal)),
            },
            Disposition::ExitZero => self.end(index, ExitStatus::Code(0)),
            Disposition::Quit => self.ask_to_quit(index),
            Disposition::Kick => self.kick(index),
            Disposition::TakeFiles => {
                self.interrupt(index);
                self.take_outputs(index);
            }
        }
    }

    /// What a worker's handler of QUIT does. The call that it interrupts has ended before it runs, so that
    /// the readable handle is seen by the next one.
    pub(crate) fn ask_to_quit(&mut self, index: Index) {
        if self.honours(Rule::QuitInterrupts) {
            self.interrupt(index);
        }
        let process = self.process(index);
        sometimes!(process.interrupted, "QUIT interrupts a worker's call");
        sometimes!(process.quit_asked, "a worker is asked to quit twice");
        if !std::mem::replace(&mut process.quit_asked, true) {
            let file = process.quit_file;
            self.record(index, Kind::QuitAsked, 0, 0);
            if let Some(file) = file {
                self.notify(file);
            }
        }
    }

    fn stop(&mut self, index: Index) {
        if self.process(index).stopped {
            return;
        }
        self.halting(index);
        let now = self.now;
        let process = self.process(index);
        process.stopped = true;
        process.truth.stopped_since = Some(now);
        self.record(index, Kind::Stop, 0, 0);
        self.check_silence(index);
        if self.honours(Rule::StopIsNews) {
            self.tell_parent(index, News::Stopped);
        }
    }

    fn cont(&mut self, index: Index) {
        if !std::mem::take(&mut self.process(index).stopped) {
            return;
        }
        self.process(index).truth.stopped_since = None;
        self.record(index, Kind::Continue, 0, 0);
        if self.honours(Rule::ContIsNews) {
            self.tell_parent(index, News::Continued);
        }
        if self.process(index).doing == crate::kernel::poller::POLLING {
            // epoll_wait(2) is not taken up again after a stop (signal(7)).
            self.interrupt(index);
        }
        self.halted_no_longer(index);
        self.take_signals(index);
    }

    /// USR1 at a host that armed the kick: what its signal handler does.
    fn kick(&mut self, index: Index) {
        use host_core::error::exit;
        use host_core::service::kick::{Site, Verdict, last_words, verdict};
        use host_core::time::Instant;
        let now = Instant::from_nanos(self.now);
        let process = self.process(index);
        let Some(threshold) = process.kick else { return };
        let (beat, site) = (process.beat, process.site);
        let decided = verdict(now, beat, site, threshold);
        let hung = matches!(decided, Verdict::Hung { .. });
        self.record(index, Kind::Kick, now.since(beat).as_nanos() as u64, u64::from(hung));
        // Until it comes to its loop, all that is known is of the host before it.
        if Some(index) == self.host && self.process(index).loops {
            self.checks.on_kick(self.now, hung, threshold, &mut self.violation);
        }
        match decided {
            Verdict::Alive => {
                self.interrupt(index);
                self.ring(index);
            }
            Verdict::Hung { age } => {
                let process = self.process(index);
                let name = match site {
                    Site::In(service, _) => process.names.get(service.index()).cloned().unwrap_or_default(),
                    Site::Deciding(_) | Site::Loop | Site::Waiting => String::new(),
                };
                let mut words = String::new();
                let _ = last_words(&mut words, site, &name, age, threshold);
                self.say(index, words.trim_end().to_owned());
                self.end(index, ExitStatus::Code(exit::KICKED));
            }
        }
    }
}
