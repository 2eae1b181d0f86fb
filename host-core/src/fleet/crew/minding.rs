//! Who of a fleet minds the lanes of its spread listeners: those who are ready and stay.

use super::{Crew, Means};
use crate::fleet::lanes::{Minder, Minding, Usefulness};
use crate::id::WorkerId;
use crate::timers::Timer;
use alloc::vec::Vec;

impl Crew {
    /// Brings the lanes in line with who is there. Changes nothing if they are.
    pub(super) fn mind_lanes(&mut self, means: &mut Means<'_>) {
        if self.lanes.has_lanes() {
            let staying = self.minders();
            self.lanes.deal(&staying, means.orders);
        }
    }

    /// A worker could not be told which lanes to mind.
    pub(crate) fn mind_failed(&mut self, means: &mut Means<'_>, worker: WorkerId) {
        if self.lanes.not_told(worker) {
            // Several that cannot be told do not put off the first.
            let again = Timer::MindAgain(self.id);
            if means.timers.at(again).is_none() {
                means.timers.set(again, means.now + Minding::AGAIN_AFTER);
            }
        }
    }

    /// Those who are ready and stay, by slot.
    pub(super) fn minders(&self) -> Vec<Minder> {
        let ready = self.workers().filter(|(_, known)| known.is_ready() && known.leaving.is_none());
        ready.map(|(worker, known)| Minder { worker, usefulness: Usefulness::of(known) }).collect()
    }
}
