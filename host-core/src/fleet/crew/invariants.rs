//! What must hold of a fleet after every event.

use super::{Counts, Crew};
use crate::fleet::config::FleetConfig;
use crate::fleet::seat::{State, Step};
use crate::id::Slot;
use crate::timers::{Timer, Timers};

impl Crew {
    /// The first sentence that does not hold.
    pub(crate) fn broken_invariant(&self, config: &FleetConfig, timers: &Timers) -> Option<&'static str> {
        if self.counted() != self.counts {
            return Some("the counts of workers are their numbers");
        }
        let vacant = self.seats.iter().filter(|seat| seat.state == State::Vacant).count();
        let listed = self.vacant.iter().all(|slot| self.seats[slot.index()].state == State::Vacant);
        if vacant != self.vacant.len() || !listed {
            return Some("the list of vacant slots has all of them, and no other");
        }
        // A rest goes on although its fleet is closed for a restart.
        let rests = if self.open { 0 } else { self.counts.resting };
        let stay = self.counts.staying() - self.counts.condemned - rests;
        if stay > self.wanted() + config.surge_max && self.counts.forking == 0 {
            return Some(
                "S13: no more workers stay than are wanted, and those that replace others in advance",
            );
        }
        if self.replacing.len() > config.surge_max as usize {
            return Some("no more workers are replaced in advance than allowed");
        }
        if self.seats.len() > config.slots() as usize {
            return Some("no more slots than the shared page has");
        }
        for (worker, known) in self.workers() {
            let staying = known.leaving.is_none();
            if staying != self.by_age.contains(&(known.birth, worker.slot)) {
                return Some("the list by age has those that stay, and no other");
            }
            let boots = staying && !known.is_ready();
            if boots != timers.at(Timer::Boot(worker)).is_some() {
                return Some("S8: a worker that boots, and no other, has a boot timeout");
            }
            let asked = known.leaving.is_some_and(|leaving| leaving.step != Step::Kill);
            if asked != timers.at(Timer::Grace(worker)).is_some() {
                return Some("L4: a worker that was asked to end, and not killed, has an end of its grace");
            }
            if staying && known.is_ready() && self.look_at.is_none() && self.looking.is_none() {
                return Some("L2: while a worker is ready, a look at the beats is planned");
            }
        }
        for (index, seat) in self.seats.iter().enumerate() {
            let slot = Slot::new(index as u16);
            let rests = matches!(seat.state, State::Resting { .. });
            if rests != timers.at(Timer::Respawn(self.id, slot)).is_some() {
                return Some("a slot that rests, and no other, has an end of its rest");
            }
        }
        if self.fork_again_at.is_some() != timers.at(Timer::ForkAgain(self.id)).is_some() {
            return Some("who waits to fork again has a moment for it");
        }
        let missing = self.counts.staying() < self.allowed();
        let full = self.vacant.is_empty() && self.seats.len() >= config.slots() as usize;
        if missing && self.fork_again_at.is_none() && !full {
            return Some("L1: whoever is missing was ordered");
        }
        if self.outage && self.workers().all(|(_, known)| !known.held) {
            return Some("an outage lasts while a kill is held back");
        }
        None
    }

    fn counted(&self) -> Counts {
        let mut counts = Counts::default();
        for seat in &self.seats {
            match &seat.state {
                State::Vacant => {}
                State::Resting { spare: true } => counts.spare += 1,
                State::Resting { spare: false } => counts.resting += 1,
                State::Forking { .. } => counts.forking += 1,
                State::Retired => counts.retired += 1,
                State::Taken(known) if known.leaving.is_some_and(|leaving| leaving.intent.is_fault()) => {
                    counts.condemned += 1;
                }
                State::Taken(known) if known.leaving.is_some() => counts.leaving += 1,
                State::Taken(known) if known.is_ready() => counts.ready += 1,
                State::Taken(_) => counts.booting += 1,
            }
        }
        counts
    }
}
