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
        let serves = self.workers().any(|(_, known)| known.vitals().is_some());
        let looks = self.looking.is_some()
            || self.scale_at.is_none_or(|at| self.look_at.is_some_and(|look| look <= at));
        if serves && self.scales(config) && !looks {
            return Some("L9: while the load is followed and somebody serves, it is looked at each period");
        }
        if config.memory.max.is_some() && self.counts.ready > 0 && !self.samples(timers) {
            return Some("L10: while there is a bound on memory and somebody serves, a sample is planned");
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
        if self.recovery_is_nobodys(timers) {
            return Some(
                "L6: in a degraded fleet that is complete somebody is about to show that it can live",
            );
        }
        if self.outage && self.workers().all(|(_, known)| known.held.is_none()) {
            return Some("an outage lasts while a kill is held back");
        }
        if self.lanes.waits() && timers.at(Timer::MindAgain(self.id)).is_none() {
            return Some("who could not be told its lanes is told again");
        }
        if self.lanes.has_lanes() && !self.lanes.waits() && !self.lanes.is_complete(&self.minders()) {
            return Some("S46: while somebody is ready and stays, each lane is minded by one of those");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Orders;
    use crate::fleet::beat::{Beat, Pace};
    use crate::fleet::crew::{Means, Stop};
    use crate::fleet::death::Intent;
    use crate::fleet::lanes::Minding;
    use crate::fleet::message::FromWorker;
    use crate::fleet::seat::{Leaving, Seat};
    use crate::id::{FleetId, WorkerId};
    use crate::random::Random;
    use crate::sys::Pid;
    use crate::time::{Duration, Instant};

    const F: FleetId = FleetId::new(0);
    const FIRST: Slot = Slot::new(0);
    const THIRD: Slot = Slot::new(2);
    const W: WorkerId = WorkerId { fleet: F, slot: FIRST, incarnation: 1 };
    const LATER: Instant = Instant::from_nanos(99);

    fn config() -> FleetConfig {
        FleetConfig { workers: Some(3), workers_max: Some(3), ..FleetConfig::new("f") }
    }

    /// Three slots: a worker that is ready, one that boots, and one that was asked to leave; a fourth is vacant.
    fn crew() -> (Crew, Timers) {
        let config = config();
        let (mut random, mut timers, mut orders) = (Random::new(0), Timers::default(), Orders::new());
        let mut crew = Crew::new(F, &config);
        let mut means = Means {
            config: &config,
            now: Instant::ZERO,
            random: &mut random,
            timers: &mut timers,
            orders: &mut orders,
        };
        crew.resize(&mut means, |target| target.set(3));
        crew.open(&mut means);
        for number in [1, 0, 2] {
            let worker = WorkerId { slot: Slot::new(number), ..W };
            crew.spawned(&mut means, worker, Pid(100 + u32::from(number)));
        }
        crew.said(&mut means, W, FromWorker::Ready);
        crew.resize(&mut means, |target| target.set(2));
        crew.seats.push(Seat::new());
        crew.vacate(Slot::new(3));
        assert_eq!(crew.broken_invariant(&config, &timers), None);
        (crew, timers)
    }

    fn taken(crew: &mut Crew, slot: Slot) -> &mut crate::fleet::seat::Worker {
        match &mut crew.seats[slot.index()].state {
            State::Taken(worker) => worker,
            State::Vacant | State::Resting { .. } | State::Forking { .. } | State::Retired => {
                panic!("nobody sits in slot {slot}")
            }
        }
    }

    /// A name, what breaks the state, and the sentence.
    type Row = (&'static str, fn(&mut Crew, &mut Timers), &'static str);

    #[test]
    fn each_broken_invariant_is_found_and_named() {
        const COUNTS: &str = "the counts of workers are their numbers";
        const VACANT: &str = "the list of vacant slots has all of them, and no other";
        const AGE: &str = "the list by age has those that stay, and no other";
        const BOOT: &str = "S8: a worker that boots, and no other, has a boot timeout";
        const GRACE: &str = "L4: a worker that was asked to end, and not killed, has an end of its grace";
        const REST: &str = "a slot that rests, and no other, has an end of its rest";
        const FORK: &str = "who waits to fork again has a moment for it";
        const ORDERED: &str = "L1: whoever is missing was ordered";
        let rows: [Row; 23] = [
            ("a ready one too many", |crew, _| crew.counts.ready += 1, COUNTS),
            ("a booting one too many", |crew, _| crew.counts.booting += 1, COUNTS),
            ("a leaving one too many", |crew, _| crew.counts.leaving += 1, COUNTS),
            ("a forking one too many", |crew, _| crew.counts.forking += 1, COUNTS),
            ("one more that rests", |crew, _| crew.counts.resting += 1, COUNTS),
            ("one more that rests to spare", |crew, _| crew.counts.spare += 1, COUNTS),
            ("one more that is retired", |crew, _| crew.counts.retired += 1, COUNTS),
            ("one more that is condemned", |crew, _| crew.counts.condemned += 1, COUNTS),
            ("a vacant slot that is forgotten", |crew, _| crew.vacant.clear(), VACANT),
            ("a taken slot that is listed", |crew, _| assert!(crew.vacant.insert(FIRST)), VACANT),
            (
                "another slot that is listed",
                |crew, _| {
                    crew.vacant.clear();
                    crew.vacant.insert(FIRST);
                },
                VACANT,
            ),
            (
                "one that replaces nobody",
                |crew, _| crew.replacing.extend([(FIRST, THIRD), (THIRD, FIRST)]),
                "no more workers are replaced in advance than allowed",
            ),
            (
                "more slots than the page has",
                |crew, _| {
                    for number in 4..8 {
                        crew.seats.push(Seat::new());
                        crew.vacate(Slot::new(number));
                    }
                },
                "no more slots than the shared page has",
            ),
            ("one that stays and is not listed", |crew, _| assert!(crew.by_age.pop_last().is_some()), AGE),
            (
                "one that leaves and is listed",
                |crew, _| {
                    let birth = taken(crew, THIRD).birth;
                    crew.by_age.insert((birth, THIRD));
                },
                AGE,
            ),
            (
                "one that boots for ever",
                |_, timers| timers.clear(Timer::Boot(WorkerId { slot: Slot::new(1), ..W })),
                BOOT,
            ),
            ("a ready one that boots", |_, timers| timers.set(Timer::Boot(W), LATER), BOOT),
            (
                "one that leaves for ever",
                |_, timers| timers.clear(Timer::Grace(WorkerId { slot: THIRD, ..W })),
                GRACE,
            ),
            ("one that stays and is killed", |_, timers| timers.set(Timer::Grace(W), LATER), GRACE),
            (
                "nobody looks",
                |crew, _| crew.look_at = None,
                "L2: while a worker is ready, a look at the beats is planned",
            ),
            ("a rest of somebody who lives", |_, timers| timers.set(Timer::Respawn(F, FIRST), LATER), REST),
            ("a fork that waits for ever", |crew, _| crew.fork_again_at = Some(LATER), FORK),
            ("one that nobody orders", |crew, _| crew.target.set(3), ORDERED),
        ];
        for (name, damage, sentence) in rows {
            let (mut crew, mut timers) = crew();
            damage(&mut crew, &mut timers);
            assert_eq!(crew.broken_invariant(&config(), &timers), Some(sentence), "{name}");
        }
    }

    #[test]
    fn s13_more_than_are_wanted_are_found_unless_somebody_is_being_forked() {
        let sentence = "S13: no more workers stay than are wanted, and those that replace others in advance";
        let (mut crew, timers) = crew();
        crew.target.set(1);
        assert_eq!(crew.broken_invariant(&config(), &timers), None, "one may replace another");
        crew.target.set(0);
        assert_eq!(crew.broken_invariant(&config(), &timers), Some(sentence));
        // It was ordered before, and is asked to leave when it is born.
        crew.seats[3].state = State::Forking { replaces: None };
        crew.vacant.clear();
        crew.counts.forking = 1;
        assert_eq!(crew.broken_invariant(&config(), &timers), None);
    }

    #[test]
    fn a_killed_worker_has_no_grace_and_a_look_that_is_out_is_one() {
        let (mut crew, mut timers) = crew();
        let killed = Leaving { intent: Intent::Surplus, step: Step::Kill, since: LATER, grace: None };
        taken(&mut crew, THIRD).leaving = Some(killed);
        assert!(crew.broken_invariant(&config(), &timers).is_some());
        timers.clear(Timer::Grace(WorkerId { slot: THIRD, ..W }));
        assert_eq!(crew.broken_invariant(&config(), &timers), None);
        crew.look_at = None;
        crew.looking = Some(Instant::ZERO);
        assert_eq!(crew.broken_invariant(&config(), &timers), None);
    }

    #[test]
    fn a_slot_that_rests_needs_an_end_of_its_rest() {
        let sentence = "a slot that rests, and no other, has an end of its rest";
        for spare in [false, true] {
            let (mut crew, mut timers) = crew();
            crew.seats[3].state = State::Resting { spare };
            crew.vacant.clear();
            *(if spare { &mut crew.counts.spare } else { &mut crew.counts.resting }) += 1;
            assert_eq!(crew.broken_invariant(&config(), &timers), Some(sentence));
            timers.set(Timer::Respawn(F, Slot::new(3)), LATER);
            assert_eq!(crew.broken_invariant(&config(), &timers), None);
        }
    }

    #[test]
    fn a_missing_worker_may_wait_for_a_fork_or_for_a_slot() {
        let (mut crew, mut timers) = crew();
        crew.target.set(3);
        crew.fork_again_at = Some(LATER);
        timers.set(Timer::ForkAgain(F), LATER);
        assert_eq!(crew.broken_invariant(&config(), &timers), None);
        timers.clear(Timer::ForkAgain(F));
        assert!(crew.broken_invariant(&config(), &timers).is_some());
        crew.fork_again_at = None;
        // A vacant slot, or room for another, is enough to order one.
        let full = FleetConfig { workers_max: Some(1), surge_max: 1, ..config() };
        assert_eq!(full.slots(), 3);
        crew.seats.pop();
        crew.vacant.clear();
        assert_eq!(crew.broken_invariant(&full, &timers), None);
        assert!(crew.broken_invariant(&config(), &timers).is_some());
    }

    #[test]
    fn an_outage_lasts_while_a_kill_is_held_back() {
        let sentence = "an outage lasts while a kill is held back";
        let (mut crew, timers) = crew();
        crew.outage = true;
        assert_eq!(crew.broken_invariant(&config(), &timers), Some(sentence));
        taken(&mut crew, FIRST).held = Some(LATER);
        assert_eq!(crew.broken_invariant(&config(), &timers), None);
    }

    #[test]
    fn s46_a_lane_that_nobody_minds_is_found_unless_that_is_to_be_told_again() {
        let sentence = "S46: while somebody is ready and stays, each lane is minded by one of those";
        let config = FleetConfig { spread: true, ..config() };
        let (mut crew, mut timers) = crew();
        crew.lanes = Minding::new(config.lanes());
        assert_eq!(crew.broken_invariant(&config, &timers), Some(sentence));
        crew.lanes.deal(&crew.minders(), &mut Orders::new());
        assert_eq!(crew.broken_invariant(&config, &timers), None);
        assert!(crew.lanes.not_told(W));
        assert_eq!(
            crew.broken_invariant(&config, &timers),
            Some("who could not be told its lanes is told again")
        );
        timers.set(Timer::MindAgain(F), LATER);
        assert_eq!(crew.broken_invariant(&config, &timers), None);
        crew.lanes.try_again();
        assert_eq!(crew.broken_invariant(&config, &timers), Some(sentence));
    }

    #[test]
    fn a_fleet_that_is_closed_for_a_restart_keeps_its_rests() {
        let config = config();
        let (mut random, mut orders) = (Random::new(0), Orders::new());
        let (mut crew, mut timers) = crew();
        let beat = Some(Beat { at: Instant::ZERO, pace: Pace::Busy });
        taken(&mut crew, FIRST).beat = beat;
        for slot in [3, 4, 5] {
            crew.seats.truncate(slot);
            crew.seats.push(Seat { state: State::Resting { spare: false }, ..Seat::new() });
            crew.counts.resting += 1;
            timers.set(Timer::Respawn(F, Slot::new(slot as u16)), Instant::ZERO + Duration::from_secs(9));
        }
        crew.vacant.clear();
        crew.target.set(5);
        crew.target.set(3);
        let mut means = Means {
            config: &config,
            now: Instant::ZERO,
            random: &mut random,
            timers: &mut timers,
            orders: &mut orders,
        };
        crew.restart(&mut means);
        assert_eq!((crew.counts.resting, crew.counts.staying()), (3, 3));
        assert_eq!(crew.broken_invariant(&config, &timers), None);
        // A stop has no use for them.
        let mut means = Means {
            config: &config,
            now: Instant::ZERO,
            random: &mut random,
            timers: &mut timers,
            orders: &mut orders,
        };
        crew.stop(&mut means, Stop::Drain, Intent::Drain);
        assert_eq!(crew.counts.resting, 0);
        assert_eq!(crew.broken_invariant(&config, &timers), None);
    }
}
