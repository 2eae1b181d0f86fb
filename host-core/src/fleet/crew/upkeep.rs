//! As many workers as are wanted: filling slots, culling the oldest, replacing in advance.

use super::{Crew, Means};
use crate::action::Action;
use crate::fleet::capacity::Capacity;
use crate::fleet::death::Intent;
use crate::fleet::seat::{Seat, State, Worker};
use crate::fleet::status::Health;
use crate::id::{Slot, WorkerId};
use crate::timers::{Timer, Timers};

impl Crew {
    /// Brings the fleet in line with what is wanted. Changes nothing if it is.
    pub(super) fn upkeep(&mut self, means: &mut Means<'_>) {
        while self.has_surplus() && self.take_one_away(means) {}
        while self.counts.staying() < self.allowed() && self.spawn(means, None).is_some() {}
        self.replace_in_advance(means);
        self.end_of_outage(means);
        self.mind_lanes(means);
        self.plan_sample(means);
        if self.recovery_is_nobodys(means.timers)
            && let Some(eldest) = self.by_age.first().map(|(_, slot)| self.named(*slot))
        {
            means.timers.set(Timer::Stable(eldest), means.now + means.config.stable_after);
        }
    }

    /// Whether it is degraded and complete, and nobody is about to show that it can live: those who could not are
    /// wanted no longer, and those who are left have shown it long ago.
    pub(super) fn recovery_is_nobodys(&self, timers: &Timers) -> bool {
        let complete = self.counts.ready > 0 && self.counts.ready == self.counts.staying();
        let shows = |(worker, _): (WorkerId, &Worker)| timers.at(Timer::Stable(worker)).is_some();
        self.health == Health::Degraded && complete && !self.workers().any(shows)
    }

    /// Whether somebody is to be taken away. Whoever is condemned goes anyway, and before all others; whoever is not
    /// born yet is asked when it is, and takes nobody's place who can serve.
    fn has_surplus(&self) -> bool {
        let (staying, most) = (self.counts.staying(), self.allowed() + self.counts.condemned);
        staying > most && staying > most + self.unborn()
    }

    /// Those that were ordered, beside the ones that replace others.
    fn unborn(&self) -> u32 {
        if self.counts.forking == 0 {
            return 0;
        }
        let is_unborn = |seat: &&Seat| seat.state == State::Forking { replaces: None };
        self.seats.iter().filter(is_unborn).count() as u32
    }

    /// How many may be there: those who are wanted, and those who come before others leave.
    pub(super) fn allowed(&self) -> u32 {
        self.wanted() + self.replacing.len() as u32
    }

    /// The surplus: first slots in which nobody sits yet, then the youngest worker that cannot serve yet, then the
    /// oldest that can (preforker 2.2, 7); where the load is followed, the oldest that is idle. A replacement in advance stays: it takes the place of the old one.
    fn take_one_away(&mut self, means: &mut Means<'_>) -> bool {
        let resting = self.seats.iter().rposition(|seat| seat.state == State::Resting { spare: false });
        // A restart does not shorten the rest of one that cannot live (S17).
        if let Some(index) = resting.filter(|_| self.open || self.stop.is_some()) {
            if self.stop.is_some() {
                let slot = Slot::new(index as u16);
                means.timers.clear(Timer::Respawn(self.id, slot));
                self.end_rest(slot);
            } else {
                // Nobody is missed there; and whoever comes next has waited as long all the same (S17).
                self.seats[index].state = State::Resting { spare: true };
                self.counts.resting -= 1;
                self.counts.spare += 1;
            }
            return true;
        }
        let follows_load = means.config.scale_period().is_some();
        let cannot_serve = |slot: Slot| {
            let known = self.worker(self.named(slot));
            known.is_some_and(|known| !known.is_ready() && known.replaces.is_none())
        };
        let boots = (self.counts.booting > 0)
            .then(|| self.by_age.iter().rev().find(|(_, slot)| cannot_serve(*slot)))
            .flatten();
        let idle = || if follows_load { self.oldest_idle() } else { None };
        let Some((_, slot)) = boots.or_else(idle).or_else(|| self.by_age.first()).copied() else {
            return false;
        };
        let worker = self.named(slot);
        self.quit(means, worker, Intent::Surplus);
        true
    }

    /// Orders a worker for the lowest slot that is free; `None` if that must wait.
    fn spawn(&mut self, means: &mut Means<'_>, replaces: Option<Slot>) -> Option<Slot> {
        if self.fork_again_at.is_some() {
            return None;
        }
        let slot = match self.vacant.pop_first() {
            Some(slot) => slot,
            None if self.seats.len() < means.config.slots() as usize => {
                self.seats.push(Seat::new());
                Slot::new((self.seats.len() - 1) as u16)
            }
            // Those who drain still have theirs: a slot is used again when its worker was reaped (S16).
            None => return None,
        };
        let seat = &mut self.seats[slot.index()];
        seat.incarnation = seat.incarnation.wrapping_add(1);
        seat.state = State::Forking { replaces };
        self.counts.forking += 1;
        means.orders.push_back(Action::Spawn { worker: self.named(slot) });
        Some(slot)
    }

    fn capacity(&self, means: &Means<'_>) -> Capacity {
        Capacity {
            wanted: self.wanted(),
            ready: self.counts.ready,
            surge: self.replacing.len() as u32,
            surge_max: means.config.surge_max,
            degraded: self.health == Health::Degraded || self.counts.spare > 0,
        }
    }

    /// Lets those go whose replacement is ready, and orders replacements for those who have served enough, as
    /// far as the guard allows.
    fn replace_in_advance(&mut self, means: &mut Means<'_>) {
        while let Some(old) = self.replaced().filter(|_| self.capacity(means).may_go()) {
            let worker = self.named(old);
            let too_large = self.worker(worker).is_some_and(|known| known.too_large);
            let intent = if too_large { Intent::TooLarge } else { Intent::ServedEnough };
            self.quit(means, worker, intent);
        }
        while let Some(old) = self.served_enough.front().copied() {
            let stays = self.worker(old).is_some_and(|known| known.leaving.is_none());
            if !stays || self.replacing.contains_key(&old.slot) {
                self.served_enough.pop_front();
                continue;
            }
            if !self.capacity(means).may_replace() {
                return;
            }
            let Some(new) = self.spawn(means, Some(old.slot)) else { return };
            self.served_enough.pop_front();
            self.replacing.insert(old.slot, new);
        }
    }

    /// The slot of one that is to be replaced and whose replacement is ready.
    fn replaced(&self) -> Option<Slot> {
        let is_ready = |new: &Slot| match &self.seats[new.index()].state {
            State::Taken(known) => known.is_ready() && known.leaving.is_none(),
            State::Vacant | State::Resting { .. } | State::Forking { .. } | State::Retired => false,
        };
        // One that is condemned goes anyway.
        let stays = |old: Slot| self.worker(self.named(old)).is_some_and(|known| known.leaving.is_none());
        self.replacing.iter().find(|(old, new)| stays(**old) && is_ready(new)).map(|(old, _)| *old)
    }

    /// The replacement of the worker in `old` will not come: it has to ask again.
    pub(super) fn call_off_replacement(&mut self, old: Slot) {
        if self.replacing.remove(&old).is_some() {
            self.served_enough.push_front(self.named(old));
        }
    }

    /// The worker in `slot` stays no longer: whatever depended on its staying is settled.
    pub(super) fn leaves_its_place(&mut self, slot: Slot) {
        // It was to be replaced, and its replacement takes its place in the count.
        if let Some(new) = self.replacing.remove(&slot)
            && let Seat { state: State::Taken(known), .. } = &mut self.seats[new.index()]
        {
            known.replaces = None;
        }
        // It was a replacement itself.
        let replaced = self.replacing.iter().find(|(_, new)| **new == slot).map(|(old, _)| *old);
        if let Some(old) = replaced {
            self.call_off_replacement(old);
        }
    }

    /// The backoff of `slot` is over, or does not matter any more.
    pub(super) fn end_rest(&mut self, slot: Slot) {
        match self.seats[slot.index()].state {
            State::Resting { spare: true } => self.counts.spare -= 1,
            State::Resting { spare: false } => self.counts.resting -= 1,
            State::Vacant | State::Forking { .. } | State::Taken(_) | State::Retired => return,
        }
        self.vacate(slot);
    }

    /// Nobody sits in `slot`, and nobody is expected.
    pub(super) fn vacate(&mut self, slot: Slot) {
        self.seats[slot.index()].state = State::Vacant;
        self.vacant.insert(slot);
    }

    /// Whoever sits in `slot` now.
    pub(super) fn named(&self, slot: Slot) -> WorkerId {
        WorkerId { fleet: self.id, slot, incarnation: self.seats[slot.index()].incarnation }
    }
}
