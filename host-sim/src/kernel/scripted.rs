//! Workers that play a part: what becomes of those in a slot, whatever their body would do.

use crate::kernel::files::Object;
use crate::kernel::process::Process;
use crate::kernel::signals::{Disposition, ended_by};
use crate::kernel::{Happening, Index, Kernel, Nanos, SECOND};
use crate::trace::Kind;
use host_core::sys::{ExitStatus, Signal};
use std::ops::RangeInclusive;

/// How long the children of workers live.
const GRANDCHILD_LIVES: Nanos = 10 * SECOND;

/// Something that a worker does at a moment of its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// It computes for ever.
    Hang,
    /// It ends by SEGV.
    Crash,
    /// It ends by itself.
    Exit(u8),
    /// It is stopped, and nobody continues it.
    Stop,
    /// It loses one more descriptor, and again after so long, until it has none left.
    Leak(Nanos),
}

/// What workers of some seats do.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) fleet: String,
    /// Only of this slot.
    pub(crate) slot: Option<u16>,
    pub(crate) incarnations: RangeInclusive<u32>,
    /// When, counted from the fork.
    pub(crate) acts: Vec<(Nanos, Act)>,
    /// So long before their body begins; for ever if there is none.
    pub(crate) boot: Option<Nanos>,
    /// Each of their system calls takes so much longer.
    pub(crate) slow: Nanos,
    /// TERM, INT and QUIT do nothing.
    pub(crate) deaf: bool,
    /// So many children of its own.
    pub(crate) children: u32,
}

impl Kernel {
    /// What is set for a worker that was born: it is set up, and its acts are planned. How much later its body begins;
    /// `None` if it never does.
    pub(crate) fn play(&mut self, index: Index) -> Option<Nanos> {
        let worker = self.processes[index as usize].seat.and_then(|seat| self.worker_of(seat));
        let Some(worker) = worker.filter(|_| !self.parts.is_empty()) else { return Some(0) };
        let Some(host) = self.checks.host() else { return Some(0) };
        let name = &host.config().fleets[worker.fleet.index()].name;
        let is_meant = |part: &&Part| {
            let slot = part.slot.is_none_or(|slot| slot == worker.slot.number());
            part.fleet == *name && slot && part.incarnations.contains(&worker.incarnation)
        };
        let parts: Vec<_> = self.parts.iter().filter(is_meant).cloned().collect();
        let mut later = Some(0);
        for part in parts {
            for (at, act) in part.acts {
                self.after(at, Happening::Act { index, act });
            }
            later = later.zip(part.boot).map(|(before, boot)| before + boot);
            self.process(index).slow += part.slow;
            if part.deaf {
                let soft = [Signal::Term, Signal::Int, Signal::Quit];
                self.process(index).signals.set(&soft, Disposition::Ignored);
                self.process(index).truth.deaf = true;
            }
            for _ in 0..part.children {
                self.bear_grandchild(index);
            }
        }
        later
    }

    pub(crate) fn act_out(&mut self, index: Index, act: Act) {
        if !self.process(index).is_living() {
            return;
        }
        match act {
            Act::Hang => {
                // At the next thing it does, and a call that waits ends for it.
                self.process(index).hangs_next = true;
                self.interrupt(index);
            }
            Act::Crash => self.end(index, ended_by(Signal::Segv)),
            Act::Exit(status) => self.end(index, ExitStatus::Code(status)),
            Act::Stop => self.signal(index, Signal::Stop),
            Act::Leak(every) => {
                if self.open(index, Object::Signals(0)).is_some() {
                    self.after(every, Happening::Act { index, act });
                }
            }
        }
    }

    /// A child of a worker, which nobody waits for. Its host hears of it only if it adopts orphans (K24).
    fn bear_grandchild(&mut self, parent: Index) {
        let index = self.processes.len() as Index;
        let Some(pid) = self.numbers.take(index) else { return };
        let mut child = Process::new("grandchild".to_owned());
        child.number = Some(pid);
        child.parent = Some(parent);
        child.stranger = true;
        child.doing = "sleeping";
        self.processes.push(child);
        self.record(parent, Kind::Adopt, u64::from(pid.0), 0);
        self.process(parent).children.insert(index);
        self.after(GRANDCHILD_LIVES, Happening::Signal { index, signal: Signal::Kill });
    }
}
