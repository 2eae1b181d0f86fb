//! Runs that might as well have come of a recording: a few small changes of what happened, and a host that must keep
//! its rules all the same.
//!
//! What the host orders then is another story than the recorded one, so that nothing is demanded of it but what holds
//! of every host: no panic, no broken invariant, no deadline in the past. What the recording no longer answers – a
//! worker that was never born in it, a callback that it did not call – is answered as the plainest world would.

mod world;

use super::{How, Replay, said};
use crate::check::quiet;
use host_core::event::Event;
use host_core::host::Host;
use host_core::id::WorkerId;
use host_core::random::Random;
use host_core::time::{Duration, Instant};
use std::cell::RefCell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// At most so many changes make a neighbour: one that differs everywhere is no neighbour.
const CHANGES_MAX: u64 = 4;
/// A recording of a handful of facts has no room for them all.
const TRIES_MAX: u32 = 50;
/// By how much moments are shifted: from the cost of a call to a machine that swaps.
const SHIFTS: [Duration; 5] = [
    Duration::from_micros(1),
    Duration::from_micros(300),
    Duration::from_millis(5),
    Duration::from_millis(100),
    Duration::from_secs(2),
];

/// Runs around a recording: see [`Replay::fuzz_around`].
#[derive(Clone, Debug)]
pub struct Neighbours<'a> {
    replay: &'a Replay,
    first: u64,
    count: u64,
    demands: Vec<Demand>,
}

/// What somebody demands of a host beside its invariants: the sentence that does not hold, if one does not.
pub type Demand = fn(&Host) -> Option<&'static str>;

impl<'a> Neighbours<'a> {
    pub(super) const fn new(replay: &'a Replay, count: u64) -> Self {
        Self { replay, first: 0, count, demands: Vec::new() }
    }

    /// The seed of the first; the others follow. Default 0.
    #[must_use]
    pub const fn seed(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// Demands this as well after each fact.
    #[must_use]
    pub fn demand(mut self, demand: Demand) -> Self {
        self.demands.push(demand);
        self
    }

    /// Tries them all; how many facts were told.
    ///
    /// # Errors
    /// The first that breaks a rule, with its seed and its changes.
    pub fn check(self) -> Result<u64, Broken> {
        let mut told = 0;
        for index in 0..self.count {
            let seed = self.first.wrapping_add(index);
            let mut script = Script::of(self.replay);
            let mut random = Random::new(seed);
            let wanted = 1 + random.below(CHANGES_MAX) as usize;
            let mut tries = 0;
            while script.changes.len() < wanted && tries < TRIES_MAX {
                script.change(&mut random);
                tries += 1;
            }
            told += run(self.replay, &script, &self.demands).map_err(|found| Broken {
                seed,
                changes: script.changes,
                ..found
            })?;
        }
        Ok(told)
    }
}

/// A neighbour that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its seed: `fuzz_around(1).seed(…)` tries it alone.
    pub seed: u64,
    /// What is different in it.
    pub changes: Vec<String>,
    /// How many facts were told before.
    pub number: u64,
    /// The moment of the fact that breaks it.
    pub at: Instant,
    /// The fact.
    pub event: Event,
    /// What it does; never [`How::Orders`].
    pub how: How,
}

impl std::error::Error for Broken {}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, changes, number, at, event, how } = self;
        let what = match how {
            How::Broken(rule) => format!("breaks an invariant: {rule}"),
            How::Panicked(words) => format!("makes the host panic: {words}"),
            How::Orders { .. } | How::GoesOn => "differs".to_owned(),
        };
        writeln!(f, "in the neighbour with seed {seed} fact {number} at {at} {what}")?;
        write!(f, "  fact     {event:?}")?;
        for change in changes {
            write!(f, "\n  changed  {change}")?;
        }
        Ok(())
    }
}

/// Tells a fresh host a script; how many facts that were.
fn run(replay: &Replay, script: &Script, demands: &[Demand]) -> Result<u64, Broken> {
    let last = RefCell::new((0, Instant::ZERO, Event::Tick));
    let broken = |how| {
        let (number, at, event) = last.borrow().clone();
        Broken { seed: 0, changes: Vec::new(), number, at, event, how }
    };
    let world = World::new(&replay.begin().config, &script.facts, &last, demands);
    match quiet::run(|| catch_unwind(AssertUnwindSafe(|| world.run()))) {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(rule)) => Err(broken(How::Broken(rule))),
        Err(payload) => Err(broken(How::Panicked(said(&*payload)))),
    }
}

/// What is told, and when.
#[derive(Clone, Debug)]
pub(super) struct Script {
    facts: Vec<(Instant, Event)>,
    changes: Vec<String>,
}

impl Script {
    fn of(replay: &Replay) -> Self {
        let facts = replay.steps().map(|step| (step.at, step.event)).collect();
        Self { facts, changes: Vec::new() }
    }

    /// One small change, if there is room for one of its kind where chance looks.
    fn change(&mut self, random: &mut Random) {
        // The first facts are the loop's own beginning.
        let Some(places) = (self.facts.len() as u64).checked_sub(1).filter(|places| *places > 0) else {
            return;
        };
        let place = 1 + random.below(places) as usize;
        let shift = SHIFTS[random.below(SHIFTS.len() as u64) as usize];
        match random.below(6) {
            0 => self.delay(place, shift),
            1 => self.hasten(place, shift),
            2 => self.swap(place),
            3 => self.split(place),
            4 => self.join(place),
            _ => self.put_off(place),
        }
    }

    /// The host is late: this fact and all that follow.
    fn delay(&mut self, place: usize, by: Duration) {
        self.facts[place..].iter_mut().for_each(|(at, _)| *at = *at + by);
        self.note(place, format_args!("comes {} µs later, and so does all that follows", by.as_micros()));
    }

    /// Less time goes by before this fact; workers have beaten that much earlier, too.
    fn hasten(&mut self, place: usize, by: Duration) {
        let gap = self.facts[place].0.since(self.facts[place - 1].0);
        let by = by.min(gap);
        if by.is_zero() {
            return;
        }
        for (at, event) in &mut self.facts[place..] {
            *at = *at - by;
            if let Event::Beats { readings, .. } = event {
                let beats = readings.iter_mut().filter_map(|(_, reading)| reading.beat.as_mut());
                beats.for_each(|beat| beat.at = beat.at - by);
            }
        }
        self.note(place, format_args!("comes {} µs earlier, and so does all that follows", by.as_micros()));
    }

    /// Two facts of one wake change places.
    fn swap(&mut self, place: usize) {
        let Some(place) = self.find(place, |script, place| {
            let (one, other) = (&script.facts[place].1, &script.facts[place + 1].1);
            is_arrival(one) && is_arrival(other) && subject(one).is_none_or(|one| subject(other) != Some(one))
        }) else {
            return;
        };
        self.note(place, format_args!("changes places with the fact after it"));
        let (before, after) = (self.facts[place].0, self.facts[place + 1].0);
        self.facts.swap(place, place + 1);
        (self.facts[place].0, self.facts[place + 1].0) = (before, after);
    }

    /// One wake becomes two: time is told in its midst.
    fn split(&mut self, place: usize) {
        let Some(place) = self.find(place, |script, place| is_arrival(&script.facts[place + 1].1)) else {
            return;
        };
        self.note(place, format_args!("is followed by a tick of its own"));
        self.facts.insert(place + 1, (self.facts[place].0, Event::Tick));
    }

    /// Two wakes become one: the tick between them is not told.
    fn join(&mut self, place: usize) {
        let Some(place) = self.find(place, |script, place| {
            script.facts[place].1 == Event::Tick && is_arrival(&script.facts[place + 1].1)
        }) else {
            return;
        };
        self.note(place, format_args!("is left out, and two wakes are one"));
        self.facts.remove(place);
    }

    /// A fact is told in the next wake only.
    fn put_off(&mut self, place: usize) {
        let Some(place) = self.find(place, |script, place| is_arrival(&script.facts[place].1)) else {
            return;
        };
        let ticks = self.facts.iter().enumerate().skip(place).filter(|(_, (_, event))| *event == Event::Tick);
        let Some(next) = ticks.map(|(place, _)| place).nth(1) else { return };
        self.note(place, format_args!("is told in the next wake"));
        let (_, event) = self.facts.remove(place);
        let at = self.facts[next - 1].0;
        self.facts.insert(next - 1, (at, event));
    }

    /// The first place from `from` on that is fit and not the last.
    fn find(&self, from: usize, is_fit: impl Fn(&Self, usize) -> bool) -> Option<usize> {
        (from..self.facts.len().saturating_sub(1)).find(|place| is_fit(self, *place))
    }

    fn note(&mut self, place: usize, how: fmt::Arguments<'_>) {
        let (at, event) = &self.facts[place];
        self.changes.push(format!("fact {place} at {at} {how}: {event:?}"));
    }
}

/// Whether it comes from the world by itself, and not as the answer to an order.
pub(super) fn is_arrival(event: &Event) -> bool {
    match event {
        Event::Ready { .. } | Event::Signalled(_) | Event::WorkerSaid { .. } | Event::WorkerExited { .. } => {
            true
        }
        Event::Started { .. }
        | Event::Added { .. }
        | Event::Opened { .. }
        | Event::InterestChanged { .. }
        | Event::Closed { .. }
        | Event::WakeAsked { .. }
        | Event::ReconnectAsked { .. }
        | Event::Returned { .. }
        | Event::WatchFailed { .. }
        | Event::SystemFailed { .. }
        | Event::StopAsked
        | Event::DrainAsked
        | Event::Spawned { .. }
        | Event::SpawnFailed { .. }
        | Event::SignalFailed { .. }
        | Event::MindFailed { .. }
        | Event::Memory { .. }
        | Event::ScaleAnswered { .. }
        | Event::ExitJudged { .. }
        | Event::Beats { .. }
        | Event::ChildStopped { .. }
        | Event::ChildContinued { .. }
        | Event::StrangerReaped { .. }
        | Event::ResizeAsked { .. }
        | Event::RestoreAsked { .. }
        | Event::StartAbandoned { .. }
        | Event::Tick => false,
    }
}

/// Whose order among themselves is given: what a worker says comes before its death.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only arrivals are asked for, and two of them have a worker"
)]
fn subject(event: &Event) -> Option<WorkerId> {
    match event {
        Event::WorkerSaid { worker, .. } | Event::WorkerExited { worker, .. } => Some(*worker),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Faults, check};
    use host_core::{App, Fleet};

    fn fleet() -> App {
        let fleet = Fleet::new("echo").workers(2).heartbeat_timeout(Duration::from_secs(1)).run(|worker| {
            while worker.accept("echo")?.is_some() {}
            Ok(())
        });
        App::new("fleet").listen("echo", "127.0.0.1:7000").fleet(fleet).record("x")
    }

    /// Whoever answers in the script's place where nothing was changed would find neighbours of something else.
    #[test]
    fn where_nothing_was_changed_the_script_answers_everything() {
        check!(|sim| {
            let app = if sim.seed() % 2 == 0 { fleet } else { || crate::sample::echo().record("x") };
            sim.host(app);
            sim.faults(Faults::all());
            sim.clients("echo", 3, |c| c.write_all(b"hello"));
            sim.run_for(Duration::from_secs(20));
            for recording in sim.recordings("x") {
                let Ok(replay) = Replay::of(recording) else { continue };
                let script = Script::of(&replay);
                let last = RefCell::new((0, Instant::ZERO, Event::Tick));
                let story = RefCell::default();
                let mut world = World::new(&replay.begin().config, &script.facts, &last, &[]);
                world.story = Some(&story);
                world.run().unwrap();
                let story = story.into_inner();
                for (number, (told, written)) in story.iter().zip(&script.facts).enumerate() {
                    assert_eq!(told, written, "fact {number}");
                }
                assert_eq!(story.len(), script.facts.len());
            }
        });
    }
}
