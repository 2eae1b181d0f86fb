//! What stays broken for ever: slots whose workers never serve, each in its own way.

use crate::choice::Stream;
use crate::kernel::{Happening, Index, Kernel, MILLISECOND};
use host_core::id::{FleetId, Slot};
use host_core::sys::Signal;
use std::collections::BTreeMap;

/// What becomes of every worker that a slot gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It crashes a moment after its birth.
    Crashes,
    /// It hangs before its body begins.
    NeverBegins,
    /// It hangs in the first thing that its body does.
    Hangs,
    /// It is stopped, and nobody continues it.
    Stopped,
}

impl Fate {
    const ALL: [Self; 4] = [Self::Crashes, Self::NeverBegins, Self::Hangs, Self::Stopped];
}

/// The slots that are broken.
#[derive(Debug, Default)]
pub(crate) struct Fates(BTreeMap<(FleetId, Slot), Fate>);

impl Fates {
    pub(crate) fn is_broken(&self, fleet: FleetId, slot: Slot) -> bool {
        self.0.contains_key(&(fleet, slot))
    }

    /// How many slots of a fleet are.
    pub(crate) fn count(&self, fleet: FleetId) -> usize {
        self.0.keys().filter(|(of, _)| *of == fleet).count()
    }
}

impl Kernel {
    /// Breaks some of the `slots` slots of each of these fleets for good, about half. Who sits in one of them meets
    /// its fate now.
    pub(crate) fn break_slots(&mut self, fleets: impl IntoIterator<Item = (FleetId, u16)>) {
        for (fleet, slots) in fleets {
            for slot in (0..slots).map(Slot::new) {
                // 0 is the benign choice, as everywhere.
                let drawn = self.choices.choose(Stream::Fate, fleet.index() as u32, 8) as usize;
                if let Some(fate) = drawn.checked_sub(Fate::ALL.len()) {
                    self.fates.0.insert((fleet, slot), Fate::ALL[fate]);
                }
            }
        }
        for worker in self.workers.iter().copied().collect::<Vec<_>>() {
            if self.processes[worker as usize].is_living() {
                self.meet_fate(worker, true);
            }
        }
    }

    /// What its slot has in store for a worker, at its birth or later; whether it may begin all the same.
    pub(crate) fn meet_fate(&mut self, index: Index, has_begun: bool) -> bool {
        let worker = self.processes[index as usize].seat.and_then(|seat| self.worker_of(seat));
        let fate = worker.and_then(|worker| self.fates.0.get(&(worker.fleet, worker.slot)));
        let Some(fate) = fate else { return true };
        match fate {
            Fate::Crashes => self.after(MILLISECOND, Happening::Signal { index, signal: Signal::Segv }),
            Fate::NeverBegins if !has_begun => {
                self.hang(index, "hanging before its body");
                return false;
            }
            Fate::NeverBegins | Fate::Hangs => self.process(index).hangs_next = true,
            Fate::Stopped => self.after(MILLISECOND, Happening::Signal { index, signal: Signal::Stop }),
        }
        true
    }
}
