//! What can go wrong, and the plan of what does.
//!
//! Faults are planned objects, not dice on every call: each class is on in half of the runs (swarm
//! testing), and a class that is on plans a few faults at chosen moments. So a run can be told in a few
//! lines, and a fault can be taken out of it.

pub(crate) mod fate;
mod strike;

use crate::choice::Stream;
use crate::kernel::pid_files::Cut;
use crate::kernel::{Happening, Kernel, MILLISECOND, Nanos};
use std::fmt;

/// A kind of thing that can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Reads and writes move fewer bytes than they could.
    ShortIo = 0,
    /// System calls are interrupted (EINTR).
    Interrupt = 1,
    /// A connection is reset.
    Reset = 2,
    /// Connections are refused.
    Refuse = 3,
    /// A peer says nothing more, and does not end the connection either.
    Silence = 4,
    /// Descriptors run out (EMFILE) in the host.
    DescriptorShortage = 5,
    /// A connection is aborted before it is accepted (ECONNABORTED).
    AbortedAccept = 6,
    /// A callback takes long.
    SlowCallback = 7,
    /// A callback never comes back; the operator kicks the host and starts it again.
    Hang = 8,
    /// The wall clock jumps by up to ten years, either way.
    WallJump = 9,
    /// The host is stopped and continued, as when a machine is suspended.
    HostStop = 10,
    /// The host is kicked for no reason.
    Kick = 11,
    /// The network takes its time.
    Latency = 12,
    /// System calls take their time, and the poller reports one event at a time.
    Schedule = 13,
    /// A worker computes for ever, at the next thing it does.
    WorkerHang = 14,
    /// A worker is stopped and continued, or not.
    WorkerStop = 15,
    /// A worker crashes, or exits 0 by itself.
    WorkerCrash = 16,
    /// A worker is killed, not by its host.
    WorkerKill = 17,
    /// TERM, INT and QUIT do nothing to a worker.
    IgnoreQuit = 18,
    /// Children take long before their body runs.
    SlowBoot = 19,
    /// Children hang before their body runs.
    NeverReady = 20,
    /// A fork fails (EAGAIN, ENOMEM).
    ForkFailure = 21,
    /// Parents hear late of what became of their children.
    LateNews = 22,
    /// An operator sends the host HUP, USR2, TTIN, TTOU and WINCH, several at a time.
    OperatorSignals = 23,
    /// The host is not scheduled for a while.
    HostSlow = 24,
    /// The host and its workers are frozen and thawed together.
    Freeze = 25,
    /// A worker exits 0 by itself at the moment when its host kills it.
    ExitRace = 26,
    /// Workers cannot confine themselves as their fleet says (EPERM, EAGAIN).
    Unconfined = 27,
    /// The disk is full: nothing is written to any file, and of the number in a pid file a part at most. Whoever has
    /// started a host that cannot begin tries again.
    DiskFull = 28,
    /// Log files are renamed, and the host is told (USR1), as logrotate does it. One time in four a file cannot be
    /// opened anew.
    Rotation = 29,
    /// Pid files cannot be opened (EACCES). Whoever has started a host that cannot begin tries again.
    PidFileDenied = 30,
    /// A host is killed, or not scheduled for a while, between two of the calls that it makes for its pid file; one that is
    /// killed is started again.
    PidFileCut = 31,
}

impl Class {
    /// All of them. The list only grows at its end, so that seeds keep their meaning.
    pub const ALL: [Self; 32] = [
        Self::ShortIo,
        Self::Interrupt,
        Self::Reset,
        Self::Refuse,
        Self::Silence,
        Self::DescriptorShortage,
        Self::AbortedAccept,
        Self::SlowCallback,
        Self::Hang,
        Self::WallJump,
        Self::HostStop,
        Self::Kick,
        Self::Latency,
        Self::Schedule,
        Self::WorkerHang,
        Self::WorkerStop,
        Self::WorkerCrash,
        Self::WorkerKill,
        Self::IgnoreQuit,
        Self::SlowBoot,
        Self::NeverReady,
        Self::ForkFailure,
        Self::LateNews,
        Self::OperatorSignals,
        Self::HostSlow,
        Self::Freeze,
        Self::ExitRace,
        Self::Unconfined,
        Self::DiskFull,
        Self::Rotation,
        Self::PidFileDenied,
        Self::PidFileCut,
    ];

    const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// Whether it lasts for a while, rather than happening at a moment.
    const fn lasts(self) -> bool {
        matches!(
            self,
            Self::ShortIo
                | Self::Interrupt
                | Self::Refuse
                | Self::DescriptorShortage
                | Self::Latency
                | Self::Schedule
                | Self::SlowBoot
                | Self::ForkFailure
                | Self::LateNews
                | Self::DiskFull
                | Self::PidFileDenied
        )
    }

    /// Whether it happens at a moment to somebody who is out of action for a while.
    const fn takes_out(self) -> bool {
        matches!(
            self,
            Self::HostStop
                | Self::SlowCallback
                | Self::WorkerStop
                | Self::HostSlow
                | Self::Freeze
                | Self::PidFileCut
        )
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u64);

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Everything may go wrong.
    pub fn all() -> Self {
        Self::only(&Class::ALL)
    }

    /// Only these.
    pub fn only(classes: &[Class]) -> Self {
        Self(classes.iter().fold(0, |set, class| set | class.bit()))
    }

    /// These without one class.
    #[must_use]
    pub const fn without(self, class: Class) -> Self {
        Self(self.0 & !class.bit())
    }

    /// These and one class more.
    pub(crate) const fn with(self, class: Class) -> Self {
        Self(self.0 | class.bit())
    }

    /// Whether anything is in it.
    pub(crate) const fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether a class is in it.
    pub const fn has(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }
}

/// One thing that will go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// When, in nanoseconds of virtual time.
    pub at: u64,
    /// How long it lasts, or how long somebody is stopped, in nanoseconds; zero for what happens at a moment.
    pub lasts: u64,
    /// What.
    pub class: Class,
    /// Which of those that can be hit; the meaning is the class's.
    pub target: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {} ms", self.class, self.at / MILLISECOND)?;
        if self.lasts > 0 {
            write!(f, " for {} ms", self.lasts / MILLISECOND)?;
        }
        Ok(())
    }
}

/// All that will go wrong.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// In the order in which they were planned; kept after they were healed, for the report.
    faults: Vec<Fault>,
    /// So many of them do nothing any more.
    healed: usize,
    /// Those that are planned and do not happen.
    left_out: Faults,
    /// How many of each class took effect.
    pub(crate) struck: [u32; Class::ALL.len()],
    /// The swarm's decision; taken once for each set of classes that are allowed.
    enabled: Option<Faults>,
    /// How many of the faults that are given, and not drawn, were planned.
    given: usize,
}

impl Plan {
    /// Which classes are on is drawn anew.
    pub(crate) fn forget_swarm(&mut self) {
        self.enabled = None;
    }

    pub(crate) fn leave_out(&mut self, class: Class) {
        self.left_out = self.left_out.with(class);
    }

    /// All that was planned, healed or not.
    pub(crate) fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// The faults that had begun by `now`, the first first, in one line.
    pub(crate) fn until(&self, now: Nanos) -> String {
        let mut begun: Vec<_> = self.faults.iter().filter(|fault| fault.at <= now).collect();
        begun.sort_by_key(|fault| fault.at);
        let told: Vec<_> = begun.into_iter().map(Fault::to_string).collect();
        if told.is_empty() { "none".to_owned() } else { told.join(", ") }
    }
}

/// What lies upon the system calls now.
#[derive(Debug, Default)]
pub(crate) struct Laid {
    pub(crate) short_io: bool,
    pub(crate) interrupt: bool,
    pub(crate) refuse: bool,
    pub(crate) descriptors_short: bool,
    pub(crate) abort_accepts: u32,
    /// The next callback takes this long.
    pub(crate) slow_callback: Nanos,
    /// The next callback never comes back.
    pub(crate) hang: bool,
    pub(crate) latency: bool,
    pub(crate) jitter: bool,
    pub(crate) single_events: bool,
    /// Forks fail.
    pub(crate) fork_fails: bool,
    /// Children take this much longer before their body runs.
    pub(crate) slow_boot: Nanos,
    /// So many children to come hang before their body.
    pub(crate) never_ready: u32,
    /// News of children is late.
    pub(crate) late_news: bool,
    pub(crate) disk_full: bool,
    pub(crate) pid_file_denied: bool,
    pub(crate) pid_file_cut: Option<Cut>,
    /// The next file that is opened anew cannot be.
    pub(crate) refuse_open: bool,
    /// So many workers that their host kills turn out to exit by themselves.
    pub(crate) exit_races: u32,
    /// So many workers that are to confine themselves cannot.
    pub(crate) unconfined: u32,
}

/// Within this long after a run begins most clients have come.
const EARLY: Nanos = 2000 * MILLISECOND;

/// For how long a host is passed over by its scheduler, at least and at most.
const SLOW_MIN: Nanos = 5 * MILLISECOND;
const SLOW_MAX: Nanos = 2000 * MILLISECOND;

impl Kernel {
    /// Plans what goes wrong in the next `duration`.
    pub(crate) fn plan_faults(&mut self, duration: Nanos) {
        if self.choices.faults().is_some() {
            return self.plan_given(duration);
        }
        let allowed = self.faults;
        let enabled = *self.plan.enabled.get_or_insert_with(|| {
            let mut on = |class: &Class| {
                allowed.has(*class) && self.choices.choose(Stream::Fault, *class as u32, 2) == 1
            };
            Faults(Class::ALL.iter().filter(|class| on(class)).fold(0, |set, class| set | class.bit()))
        });
        for class in Class::ALL {
            if !enabled.has(class) {
                continue;
            }
            let count = [1, 2, 3, 6][self.choices.choose(Stream::Fault, class as u32, 4) as usize];
            for _ in 0..count {
                let mut pick = |n| self.choices.choose(Stream::Fault, class as u32, n);
                // Half of them come early, where a scenario has its clients.
                let span = if pick(2) == 0 { duration.min(EARLY) } else { duration };
                let at = Nanos::from(pick(1000)) * (span / 1000);
                let lasts = [1, 10, 100, 1000, 5000, 20_000][pick(6) as usize] * MILLISECOND;
                let target = pick(1 << 16);
                let lasts = if class.lasts() || class.takes_out() { lasts } else { 0 };
                let lasts = if class == Class::HostSlow { lasts.clamp(SLOW_MIN, SLOW_MAX) } else { lasts };
                self.plan_fault(Fault { at: self.now + at, lasts, class, target });
            }
        }
    }

    /// Plans those of the given faults whose time is in the next `duration`, or has passed.
    fn plan_given(&mut self, duration: Nanos) {
        // Healed: what was to come does not.
        if self.plan.enabled == Some(Faults::none()) {
            return;
        }
        let end = self.now.saturating_add(duration);
        // They come in the order of the calls that planned them first; within a call their order decides
        // which of two at one moment is the first.
        let given = self.choices.faults().unwrap_or_default();
        let due = given[self.plan.given..].iter().take_while(|fault| fault.at < end);
        let due: Vec<_> = due.copied().collect();
        self.plan.given += due.len();
        for fault in due {
            self.plan_fault(Fault { at: fault.at.max(self.now), ..fault });
        }
    }

    fn plan_fault(&mut self, fault: Fault) {
        let Fault { at, lasts, class, .. } = fault;
        let index = self.plan.faults.len();
        self.plan.faults.push(fault);
        self.plan_at(at, Happening::Fault { index, begins: true });
        if class.lasts() {
            self.plan_at(at.saturating_add(lasts), Happening::Fault { index, begins: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_and_nothing_else() {
        let set = Faults::only(&[Class::Reset, Class::Kick]);
        let has: Vec<_> = Class::ALL.into_iter().filter(|class| set.has(*class)).collect();
        assert_eq!(has, [Class::Reset, Class::Kick]);
        assert_eq!(set.without(Class::Kick), Faults::only(&[Class::Reset]));
        assert!(Class::ALL.into_iter().all(|class| Faults::all().has(class) && !Faults::none().has(class)));
    }
}
