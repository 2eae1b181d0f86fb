//! Workers that play a part: what becomes of those in a slot, whatever their body would do.

use crate::kernel::files::Object;
use crate::kernel::signals::{Disposition, ended_by};
use crate::kernel::{Happening, Index, Kernel, Nanos, SECOND};
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
    /// It has so many bytes of memory more, and again after so long.
    Grow(u64, Nanos),
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

impl Part {
    /// One in which nothing happens, for all workers of a fleet.
    pub(crate) fn of(fleet: &str) -> Self {
        Self {
            fleet: fleet.to_owned(),
            slot: None,
            incarnations: 0..=u32::MAX,
            acts: Vec::new(),
            boot: Some(0),
            slow: 0,
            deaf: false,
            children: 0,
        }
    }

    pub(crate) fn acts(mut self, at: Nanos, act: Act) -> Self {
        self.acts.push((at, act));
        self
    }
}

impl Kernel {
    /// A part for those who are born from here on; those who live play its acts.
    pub(crate) fn give_part(&mut self, part: Part) {
        for worker in self.workers.iter().copied().collect::<Vec<_>>() {
            if self.processes[worker as usize].is_living() && self.is_meant(worker, &part) {
                self.plan_acts(worker, &part);
            }
        }
        self.parts.push(part);
    }

    fn is_meant(&self, index: Index, part: &Part) -> bool {
        let Some(seat) = self.processes[index as usize].seat else { return false };
        let Some(host) = self.checks.host() else {
            // A supervisor of another make has one fleet, and no name for it.
            let slot = part.slot.is_none_or(|slot| u32::from(slot) == seat.slot);
            return slot && part.incarnations.contains(&seat.incarnation);
        };
        let Some(worker) = self.worker_of(seat) else { return false };
        let name = &host.config().fleets[worker.fleet.index()].name;
        let slot = part.slot.is_none_or(|slot| slot == worker.slot.number());
        part.fleet == *name && slot && part.incarnations.contains(&worker.incarnation)
    }

    fn plan_acts(&mut self, index: Index, part: &Part) {
        for (at, act) in part.acts.iter().copied() {
            self.after(at, Happening::Act { index, act });
        }
    }

    /// What is set for a worker that was born: it is set up, and its acts are planned. How much later its body begins;
    /// `None` if it never does.
    pub(crate) fn play(&mut self, index: Index) -> Option<Nanos> {
        let meant = self.parts.iter().filter(|part| self.is_meant(index, part));
        let parts: Vec<_> = meant.cloned().collect();
        let mut later = Some(0);
        for part in parts {
            self.plan_acts(index, &part);
            later = later.zip(part.boot).map(|(before, boot)| before + boot);
            self.process(index).slow += part.slow;
            if part.deaf {
                let soft = [Signal::Term, Signal::Int, Signal::Quit];
                self.process(index).signals.set(&soft, Disposition::Ignored);
                self.process(index).truth.deaf = true;
            }
            for _ in 0..part.children {
                // Nobody waits for it. Its host hears of it only if it adopts orphans (K24).
                if let Some(child) = self.bear_stranger(index, "grandchild") {
                    let killed = Happening::Signal { index: child, signal: Signal::Kill };
                    self.after(GRANDCHILD_LIVES, killed);
                }
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
            Act::Grow(bytes, every) => {
                let memory = &mut self.process(index).memory;
                *memory = memory.saturating_add(bytes);
                self.after(every, Happening::Act { index, act });
            }
            Act::Leak(every) => {
                if self.open(index, Object::Signals(0)).is_some() {
                    self.after(every, Happening::Act { index, act });
                }
            }
        }
    }
}
