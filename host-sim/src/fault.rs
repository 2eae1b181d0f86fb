//! What can go wrong, and the plan of what does.
//!
//! Faults are planned objects, not dice on every call: each class is on in half of the runs (swarm
//! testing), and a class that is on plans a few faults at chosen moments. So a run can be told in a few
//! lines, and a fault can be taken out of it.

use crate::choice::Stream;
use crate::kernel::{Happening, Kernel, MILLISECOND, Nanos, SECOND};
use crate::trace::Kind;
use host_core::sys::Signal;
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
}

impl Class {
    /// All of them. The list only grows at its end, so that seeds keep their meaning.
    pub const ALL: [Self; 14] = [
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
    ];

    const fn bit(self) -> u32 {
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
        )
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults(u32);

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

    /// Whether a class is in it.
    pub const fn has(self, class: Class) -> bool {
        self.0 & class.bit() != 0
    }
}

/// One thing that will go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    at: Nanos,
    /// How long it lasts, or how long somebody is stopped; zero for what happens at a moment.
    lasts: Nanos,
    class: Class,
    /// Which of those that can be hit; the meaning is the class's.
    target: u32,
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
    /// The swarm's decision; taken once a run.
    enabled: Option<Faults>,
}

impl Plan {
    pub(crate) fn leave_out(&mut self, class: Class) {
        self.left_out = Faults(self.left_out.0 | class.bit());
    }
}

impl Plan {
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
}

/// Within this long after a run begins most clients have come.
const EARLY: Nanos = 2 * SECOND;

impl Kernel {
    /// Plans what goes wrong in the next `duration`.
    pub(crate) fn plan_faults(&mut self, duration: Nanos) {
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
                let lasts = if class.lasts() || matches!(class, Class::HostStop | Class::SlowCallback) {
                    lasts
                } else {
                    0
                };
                let index = self.plan.faults.len();
                let at = self.now + at;
                self.plan.faults.push(Fault { at, lasts, class, target });
                self.plan_at(at, Happening::Fault { index, begins: true });
                if class.lasts() {
                    self.plan_at(at + lasts, Happening::Fault { index, begins: false });
                }
            }
        }
    }

    /// A planned fault begins or ends.
    pub(crate) fn strike(&mut self, index: usize, begins: bool) {
        let Some(fault) = self.plan.faults.get(index).copied() else { return };
        if index < self.plan.healed || self.plan.left_out.has(fault.class) {
            return;
        }
        let Fault { class, lasts, target, .. } = fault;
        self.record_world(Kind::Fault, class as u64, u64::from(begins));
        self.plan.struck[class as usize] += u32::from(begins);
        match class {
            Class::ShortIo => self.laid.short_io = begins,
            Class::Interrupt => self.laid.interrupt = begins,
            Class::Refuse => self.laid.refuse = begins,
            Class::DescriptorShortage => self.laid.descriptors_short = begins,
            Class::Latency => self.laid.latency = begins,
            Class::Schedule => {
                self.laid.jitter = begins;
                self.laid.single_events = begins;
            }
            Class::AbortedAccept => self.laid.abort_accepts = 1 + target % 3,
            Class::SlowCallback => self.laid.slow_callback = lasts,
            Class::Hang => self.laid.hang = true,
            Class::Reset | Class::Silence => {
                let standing = self.net.standing();
                if standing.is_empty() {
                    return;
                }
                let conn = standing[target as usize % standing.len()];
                // Either side may be the one that says nothing more.
                let side = (target >> 15) as u8 & 1;
                if class == Class::Reset { self.break_conn(conn) } else { self.silence(conn, side) }
            }
            Class::WallJump => {
                // Up to ten years, either way.
                let years = i128::from(target % 21) - 10;
                self.wall_offset += years * 365 * 86_400 * i128::from(SECOND);
            }
            Class::HostStop => {
                if let Some(host) = self.host {
                    self.signal(host, Signal::Stop);
                    self.after(lasts, Happening::Signal { pid: host, signal: Signal::Cont });
                }
            }
            Class::Kick => {
                if let Some(host) = self.host {
                    self.signal(host, Signal::Usr1);
                }
            }
        }
    }

    /// The end of all faults. Those that were silent stay silent, and a hung host stays hung until the
    /// operator kicks it.
    pub(crate) fn heal(&mut self) {
        self.plan.healed = self.plan.faults.len();
        self.faults = Faults::none();
        self.plan.enabled = Some(Faults::none());
        self.laid = Laid::default();
        if let Some(host) = self.host {
            self.signal(host, Signal::Cont);
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
