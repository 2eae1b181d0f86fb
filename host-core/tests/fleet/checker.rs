//! What must never be ordered, whatever happened before: the numbers are those of the list of invariants.

#![expect(clippy::wildcard_enum_match_arm, reason = "a checker looks at a few facts and orders of many")]

use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::death::Intent;
use host_core::fleet::lanes::Lanes;
use host_core::fleet::message::FromWorker;
use host_core::fleet::notice::FleetNotice;
use host_core::host::Host;
use host_core::id::{FleetId, Slot, WorkerId};
use host_core::sys::Signal;
use host_core::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

/// What was ordered for a worker, and what became of it.
#[derive(Clone, Debug)]
enum Life {
    Forking,
    Alive(Alive),
    Gone,
}

#[derive(Clone, Debug)]
struct Alive {
    ready_since: Option<Instant>,
    /// The hardest signal that it was sent.
    sent: Option<Signal>,
}

/// How a slot has fared, reckoned anew from the facts.
#[derive(Clone, Debug, Default)]
struct Fate {
    /// Young deaths in a row that nobody had asked for.
    failures: u32,
    /// Before this moment nobody may be born here.
    not_before: Option<Instant>,
}

/// Watches a host's facts and orders.
#[derive(Clone, Debug)]
pub(crate) struct Checker {
    config: HostConfig,
    lives: BTreeMap<WorkerId, Life>,
    fates: BTreeMap<(FleetId, Slot), Fate>,
    /// Whose death is known and not told yet, and since when it was ready.
    buried: Option<(WorkerId, Option<Instant>)>,
    /// Fleets whose restart budget is used up.
    exhausted: BTreeSet<FleetId>,
    stopping: bool,
    finished: bool,
}

impl Checker {
    pub(crate) fn new(config: HostConfig) -> Self {
        Self {
            config,
            lives: BTreeMap::new(),
            fates: BTreeMap::new(),
            buried: None,
            exhausted: BTreeSet::new(),
            stopping: false,
            finished: false,
        }
    }

    /// Who was ordered and is not born.
    pub(crate) fn forking(&self) -> impl Iterator<Item = WorkerId> {
        self.lives.iter().filter(|(_, life)| matches!(life, Life::Forking)).map(|(worker, _)| *worker)
    }

    /// Who was born and was not reaped.
    pub(crate) fn living(&self) -> impl Iterator<Item = WorkerId> {
        self.lives.iter().filter(|(_, life)| matches!(life, Life::Alive(_))).map(|(worker, _)| *worker)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether this worker was sent KILL.
    pub(crate) fn is_killed(&self, worker: WorkerId) -> bool {
        matches!(self.lives.get(&worker), Some(Life::Alive(Alive { sent: Some(Signal::Kill), .. })))
    }

    /// Whether this worker was sent anything.
    pub(crate) fn is_asked(&self, worker: WorkerId) -> bool {
        matches!(self.lives.get(&worker), Some(Life::Alive(Alive { sent: Some(_), .. })))
    }

    pub(crate) fn is_ready(&self, worker: WorkerId) -> bool {
        matches!(self.lives.get(&worker), Some(Life::Alive(Alive { ready_since: Some(_), .. })))
    }

    /// A fact goes in.
    pub(crate) fn fact(&mut self, now: Instant, event: &Event) {
        match *event {
            Event::Spawned { worker, .. } => {
                if let Some(life @ Life::Forking) = self.lives.get_mut(&worker) {
                    *life = Life::Alive(Alive { ready_since: None, sent: None });
                }
            }
            Event::SpawnFailed { worker, .. } => {
                if let Some(life @ Life::Forking) = self.lives.get_mut(&worker) {
                    *life = Life::Gone;
                }
            }
            Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) } => {
                if let Some(Life::Alive(alive)) = self.lives.get_mut(&worker) {
                    alive.ready_since.get_or_insert(now);
                }
            }
            Event::WorkerExited { worker, .. } => {
                if let Some(life) = self.lives.get_mut(&worker)
                    && let Life::Alive(alive) = &*life
                {
                    self.buried = Some((worker, alive.ready_since));
                    *life = Life::Gone;
                }
            }
            // A drain takes one fleet after the other; the others go on until it is their turn.
            Event::Signalled(Signal::Int | Signal::Term) => self.stopping = true,
            Event::StopAsked => self.stopping = true,
            Event::SystemFailed { .. } => self.lives.values_mut().for_each(|life| *life = Life::Gone),
            _ => {}
        }
    }

    /// A death that nobody had asked for, or that was the worker's own fault: reckoned anew from the facts.
    fn died(&mut self, now: Instant, worker: WorkerId, ready_since: Option<Instant>) {
        let config = &self.config.fleets[worker.fleet.index()];
        let fate = self.fates.entry((worker.fleet, worker.slot)).or_default();
        *fate = if ready_since.is_some_and(|since| now.since(since) >= config.stable_after) {
            Fate::default()
        } else {
            let failures = fate.failures + 1;
            // The jitter takes away up to half.
            let rest = config.backoff.full(failures) / 2;
            Fate { failures, not_before: (rest > Duration::ZERO).then_some(now + rest) }
        };
    }

    /// An order comes out.
    pub(crate) fn order(&mut self, now: Instant, action: &Action) {
        assert!(!self.finished, "nothing follows the last order: {action:?}");
        match *action {
            Action::Spawn { worker } => self.spawn(now, worker),
            Action::SignalWorker { worker, signal } => self.signal(worker, signal),
            Action::Nudge { worker } => {
                let alive = matches!(self.lives.get(&worker), Some(Life::Alive(_)));
                assert!(alive, "S10: only the living are nudged, not {worker}");
            }
            Action::Mind { worker, lanes } => {
                let alive = matches!(self.lives.get(&worker), Some(Life::Alive(Alive { sent: None, .. })));
                assert!(alive, "S10: only those who live and stay are told their lanes, not {worker}");
                let all = Lanes::all(self.config.fleets[worker.fleet.index()].lanes());
                assert!(!lanes.is_empty() && lanes.without(all).is_empty(), "{worker} is told {lanes:?}");
            }
            Action::TellFleet { fleet, notice } => self.told(now, fleet, &notice),
            Action::KillAll => self.lives.values_mut().for_each(|life| *life = Life::Gone),
            Action::Finish(_) => {
                self.finished = true;
                let left: Vec<_> = self.living().chain(self.forking()).collect();
                assert!(left.is_empty(), "S38: {left:?} outlive their host");
            }
            _ => {}
        }
    }

    fn spawn(&mut self, now: Instant, worker: WorkerId) {
        assert!(!self.stopping, "{worker} is born during a stop");
        let taken = self.lives.iter().find(|(other, life)| {
            (other.fleet, other.slot) == (worker.fleet, worker.slot) && !matches!(life, Life::Gone)
        });
        assert!(taken.is_none(), "S16: {worker} is born where {taken:?} sits");
        let before = self.lives.insert(worker, Life::Forking);
        assert!(before.is_none(), "S16: {worker} is born twice");
        let fate = self.fates.entry((worker.fleet, worker.slot)).or_default();
        let early = fate.not_before.filter(|at| *at > now);
        assert_eq!(early, None, "S17: {worker} is born at {now}, after {} young deaths", fate.failures);
    }

    fn signal(&mut self, worker: WorkerId, signal: Signal) {
        let Some(Life::Alive(alive)) = self.lives.get_mut(&worker) else {
            panic!("S10: {signal} is sent to {worker}, who does not live")
        };
        assert_ne!(alive.sent, Some(Signal::Kill), "S11: {worker} is sent {signal} after KILL");
        let gentle = signal == Signal::Quit && alive.sent.is_some();
        assert!(!gentle, "S9: {worker} is sent QUIT after {:?}", alive.sent);
        alive.sent = Some(signal);
    }

    fn told(&mut self, now: Instant, fleet: FleetId, notice: &FleetNotice) {
        match *notice {
            FleetNotice::Died(death) => {
                let buried = self.buried.take().filter(|(worker, _)| *worker == death.worker);
                let (_, ready_since) = buried.expect("S14: a death is told once, when it is known");
                assert_eq!(death.ready_for, ready_since.map(|since| now.since(since)));
                let config = &self.config.fleets[fleet.index()];
                if death.ready_for.is_some_and(|ready_for| ready_for >= config.stable_after) {
                    self.fates.remove(&(fleet, death.worker.slot));
                }
                // S22: who was asked to leave has not crashed, whatever its status.
                if death.intent.is_none_or(Intent::is_fault) {
                    self.died(now, death.worker, ready_since);
                }
            }
            FleetNotice::Resting { slot, .. } => {
                let rests = self.fates.get(&(fleet, slot)).is_some_and(|fate| fate.failures > 0);
                assert!(rests, "S22: slot {slot} rests, and nobody has crashed there");
            }
            FleetNotice::Degraded { .. } | FleetNotice::GivenUp => {
                assert!(self.exhausted.insert(fleet), "S18: the budget of {fleet} is used up twice");
            }
            FleetNotice::Stable { worker } => drop(self.fates.remove(&(fleet, worker.slot))),
            FleetNotice::Recovered => {
                assert!(self.exhausted.remove(&fleet), "{fleet} recovers from nothing");
                self.fates.retain(|(other, _), _| *other != fleet);
            }
            _ => {}
        }
    }

    /// All orders of a fact came out.
    pub(crate) fn settled(&self, host: &Host) {
        for (index, config) in self.config.fleets.iter().enumerate() {
            let fleet = FleetId::new(index as u16);
            let status = host.fleet(fleet).expect("a configured fleet");
            assert_eq!(host.fleet_wanted(fleet), Some(status.wanted));
            let count = |counts: fn(&Life) -> bool| {
                self.lives.iter().filter(|(worker, life)| worker.fleet == fleet && counts(life)).count()
            };
            let staying = count(|life| matches!(life, Life::Alive(Alive { sent: None, .. })));
            let most = status.wanted + config.surge_max;
            assert!(staying <= most as usize, "S13: {staying} of {fleet} stay, and {most} may");
        }
    }
}
