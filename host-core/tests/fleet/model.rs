//! The promises that hold whatever happens: a tiny world of processes that start, serve, hang, ignore what
//! they are asked and die, and a driver that tells its host of it.
//!
//! What is checked beside the list of [`Checker`]: S1 and L2 against the truth that only the world knows, and
//! L4: a stop ends within a bound that follows from the settings.

#![expect(clippy::wildcard_enum_match_arm, reason = "the world takes part in a few facts and orders of many")]

mod exhaustive;

use crate::checker::Checker;
use crate::rig::{A, MS, NS};
use host_core::action::{Action, Ending};
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::backoff::Backoff;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::{
    FleetConfig, KillBudget, OnExhausted, Restart, RestartBudget, SoftSignal, Strategy as Together,
};
use host_core::fleet::death::Intent;
use host_core::fleet::memory::MemoryBound;
use host_core::fleet::message::{FromWorker, Garbled};
use host_core::fleet::notice::FleetNotice;
use host_core::fleet::spares::Spares;
use host_core::host::Host;
use host_core::id::{FleetId, WorkerId};
use host_core::sys::{Errno, ExitStatus, ForkError, Pid, Signal, SlotReading};
use host_core::time::{Duration, Instant};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_workers_the_host_keeps_its_promises(
        config in configs(), choices in prop::collection::vec(any::<u32>(), 10..500),
    ) {
        World::new(config, false).run(&choices);
    }

    #[test]
    fn l2_a_host_that_is_never_late_leaves_no_late_worker_alone(
        config in configs(), choices in prop::collection::vec(any::<u32>(), 10..500),
    ) {
        World::new(config, true).run(&choices);
    }
}

fn configs() -> impl Strategy<Value = HostConfig> {
    let together = prop_oneof![
        2 => Just(Together::OneForOne), 1 => Just(Together::RestForOne), 1 => Just(Together::OneForAll)
    ];
    (prop::collection::vec(fleets(), 1..4), together, any::<u64>()).prop_map(
        |(mut fleets, strategy, seed)| {
            for (fleet, name) in fleets.iter_mut().zip(["a", "b", "c"]) {
                fleet.name = name.into();
            }
            HostConfig { fleets, strategy, seed, poll_period: None, ..HostConfig::default() }
        },
    )
}

fn fleets() -> impl Strategy<Value = FleetConfig> {
    let soft =
        prop::option::of((1u32..60).prop_map(|ms| SoftSignal { signal: Signal::Abrt, grace: ms * MS }));
    let warning = prop::option::of((1u32..40).prop_map(|ms| ms * MS));
    let kills =
        prop::option::weighted(0.3, (1u8..100).prop_map(|percent| KillBudget { percent, window: 70 * MS }));
    let restart =
        prop_oneof![4 => Just(Restart::Permanent), 1 => Just(Restart::Transient), 1 => Just(Restart::Never)];
    let exhausted = prop_oneof![
        3 => Just(OnExhausted::KeepTrying), 1 => Just(OnExhausted::StopFleet), 1 => Just(OnExhausted::StopHost)
    ];
    (0u32..4, 0u32..4, soft, warning, kills, restart, exhausted, 1u32..3, 1u32..6, any::<[bool; 5]>())
        .prop_map(
            |(
                workers,
                more,
                soft_signal,
                late_warning,
                kill_budget,
                restart,
                on_exhausted,
                surge_max,
                count,
                [idle, spread, follows_load, bounded, asks],
            )| {
                let spares = Spares {
                    min: follows_load.then_some(1),
                    max: None,
                    period: 15 * MS,
                    shrink_after: 40 * MS,
                };
                FleetConfig {
                    workers: Some(workers),
                    workers_max: Some((workers + more).max(1)),
                    boot_timeout: 90 * MS,
                    heartbeat_timeout: 50 * MS,
                    drain_timeout: 120 * MS,
                    term_timeout: 30 * MS,
                    backoff: Backoff { first: 8 * MS, max: 40 * MS },
                    stable_after: 60 * MS,
                    degraded_retry: 70 * MS,
                    restart_budget: Some(RestartBudget { count, window: 300 * MS }),
                    idle_beats: idle,
                    spread,
                    spares,
                    scale_each: (asks && !follows_load).then_some(15 * MS),
                    memory: MemoryBound {
                        max: bounded.then_some(1),
                        period: 35 * MS,
                        ..MemoryBound::default()
                    },
                    soft_signal,
                    late_warning,
                    kill_budget,
                    restart,
                    on_exhausted,
                    surge_max,
                    ..FleetConfig::new("")
                }
            },
        )
}

/// A process, as only the world knows it.
#[derive(Clone, Hash)]
struct Process {
    pid: Pid,
    slot: SlotReading,
    ready_since: Option<Instant>,
    is_stopped: bool,
    /// When the host heard that it is stopped.
    stopped_since: Option<Instant>,
    /// It never does what it is asked.
    is_stubborn: bool,
    /// It has ended, and its host will hear of that in some later wake.
    ended: Option<ExitStatus>,
}

#[derive(Clone)]
struct World {
    config: HostConfig,
    host: Host,
    /// Is told the same, and must do the same.
    twin: Host,
    checker: Checker,
    now: Instant,
    /// It is never told of a deadline later than that came, so that nothing is forgiven.
    is_punctual: bool,
    processes: BTreeMap<WorkerId, Process>,
    /// What the driver has to tell, in order; a reading of beats comes before all of it.
    facts: VecDeque<Event>,
    looks: VecDeque<FleetId>,
    /// Whose fork fails next.
    forks_fail: u32,
    /// Who cannot be told its lanes next.
    words_fail: u32,
    pids: u32,
    gone: Vec<WorkerId>,
    condemned: BTreeSet<WorkerId>,
    ending: Option<Ending>,
}

/// Takes its choices from a list.
struct Choices<'a>(&'a [u32]);

impl Choices<'_> {
    fn below(&mut self, n: usize) -> Option<usize> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first as usize % n)
    }
}

impl World {
    fn new(config: HostConfig, is_punctual: bool) -> Self {
        assert_eq!(config.fleets.iter().flat_map(FleetConfig::mistakes).collect::<Vec<_>>(), []);
        let host = Host::new(config.clone());
        Self {
            twin: host.clone(),
            host,
            checker: Checker::new(config.clone()),
            config,
            now: Instant::ZERO,
            is_punctual,
            processes: BTreeMap::new(),
            facts: VecDeque::new(),
            looks: VecDeque::new(),
            forks_fail: 0,
            words_fail: 0,
            pids: 100,
            gone: Vec::new(),
            condemned: BTreeSet::new(),
            ending: None,
        }
    }

    fn run(&mut self, choices: &[u32]) {
        self.begin();
        let mut choices = Choices(choices);
        while self.ending.is_none() && self.step(&mut choices).is_some() {}
        self.stop();
    }

    fn begin(&mut self) {
        self.tell(Event::Started { turns_max: None });
        self.wake();
    }

    // What may happen.

    fn step(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        match choices.below(24)? {
            0..5 => self.jump(),
            5..8 => {
                let bit = Duration::from_millis(choices.below(25)? as u64);
                self.pass(bit);
            }
            8..16 => self.act(choices)?,
            16 => match choices.below(8)? as u32 {
                forks @ 0..4 => self.forks_fail = forks,
                words => self.words_fail = words - 4,
            },
            17 => {
                let fleet = FleetId::new(choices.below(self.config.fleets.len())? as u16);
                let workers = choices.below(5)? as u32;
                self.facts.push_back(match choices.below(4)? {
                    0 => Event::RestoreAsked { fleet },
                    _ => Event::ResizeAsked { fleet, workers },
                });
            }
            18 => {
                let all =
                    [Signal::Ttin, Signal::Ttou, Signal::Winch, Signal::Hup, Signal::Cont, Signal::Chld];
                let signal = all[choices.below(all.len())?];
                if !(self.is_punctual && signal == Signal::Cont) {
                    self.facts.push_back(Event::Signalled(signal));
                }
            }
            19 => self.gossip(choices)?,
            20 if choices.below(20)? == 0 => {
                let all = [Signal::Quit, Signal::Term, Signal::Int];
                self.facts.push_back(Event::Signalled(all[choices.below(all.len())?]));
            }
            21 if choices.below(20)? == 0 => {
                self.facts.push_back([Event::StopAsked, Event::DrainAsked][choices.below(2)?].clone());
            }
            22 if choices.below(60)? == 0 => {
                self.facts.push_back(Event::SystemFailed { call: "epoll_wait", errno: Errno::BADF });
            }
            _ => self.bury(Some(choices))?,
        }
        // Some of it is told together.
        if choices.below(3)? > 0 {
            self.wake();
        }
        Some(())
    }

    fn some(&self, choices: &mut Choices<'_>) -> Option<Option<WorkerId>> {
        let living: Vec<_> = self
            .processes
            .iter()
            .filter(|(_, process)| process.ended.is_none())
            .map(|(worker, _)| *worker)
            .collect();
        if living.is_empty() {
            return Some(None);
        }
        Some(Some(living[choices.below(living.len())?]))
    }

    /// A process does something.
    fn act(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        let Some(worker) = self.some(choices)? else { return Some(()) };
        let (now, what) = (self.now, choices.below(17)?);
        let process = self.processes.get_mut(&worker).expect("it lives");
        if process.is_stopped && what != 16 {
            return Some(());
        }
        let beat = |pace| Some(Beat { at: now, pace });
        let mut message = None;
        match what {
            0..5 => {
                // It shows that it is alive before it says so.
                process.slot.beat = beat(Pace::Busy);
                if process.ready_since.is_none() {
                    message = Some(Ok(FromWorker::Ready));
                }
            }
            5..7 => {
                if process.ready_since.is_some() {
                    process.slot.beat = beat(Pace::Waiting);
                    process.slot.connections = u64::from(what == 5);
                }
            }
            7 => message = Some(Ok(FromWorker::ServedEnough)),
            8 => {
                process.slot.extended_until = Some(now + choices.below(90)? as u32 * MS);
                message = Some(Ok(FromWorker::Extended));
            }
            9 => message = Some(Err(Garbled { first: 0, length: 1 })),
            10 => process.is_stubborn = true,
            11 => process.ended = Some(ExitStatus::Code(0)),
            12 => process.ended = Some(ExitStatus::Code(1)),
            13 => process.ended = Some(ExitStatus::by(Signal::Segv)),
            14 => message = Some(Ok(FromWorker::Leaves)),
            15 => {
                process.is_stopped = true;
                let pid = process.pid;
                self.facts.push_back(Event::ChildStopped { pid });
            }
            _ => {
                if core::mem::take(&mut process.is_stopped) {
                    let pid = process.pid;
                    self.facts.push_back(Event::ChildContinued { pid });
                }
            }
        }
        self.facts.extend(message.map(|message| Event::WorkerSaid { worker, message }));
        Some(())
    }

    /// Facts that are late, or about nobody.
    fn gossip(&mut self, choices: &mut Choices<'_>) -> Option<()> {
        if self.gone.is_empty() {
            return Some(());
        }
        let worker = self.gone[choices.below(self.gone.len())?];
        self.facts.push_back(match choices.below(6)? {
            5 => Event::MindFailed { worker },
            0 => Event::WorkerExited { worker, status: ExitStatus::Code(1) },
            1 => Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) },
            2 => Event::Spawned { worker, pid: Pid(1) },
            3 => Event::ChildStopped { pid: Pid(1) },
            _ => Event::StrangerReaped { pid: Pid(1) },
        });
        Some(())
    }

    /// The host hears of those that have ended: of some of them, or of all.
    fn bury(&mut self, mut choices: Option<&mut Choices<'_>>) -> Option<()> {
        let ended: Vec<_> = self
            .processes
            .iter()
            .filter_map(|(worker, process)| process.ended.map(|status| (*worker, status)))
            .collect();
        for (worker, status) in ended {
            if let Some(choices) = &mut choices
                && choices.below(3)? == 0
            {
                continue;
            }
            self.processes.remove(&worker);
            self.gone.push(worker);
            // Of each third the author says something by itself.
            let judged = [Restart::Permanent, Restart::Transient, Restart::Never];
            if let Some(restart) = judged.get(worker.incarnation as usize % 9) {
                self.facts.push_back(Event::ExitJudged { worker, restart: *restart });
            }
            self.facts.push_back(Event::WorkerExited { worker, status });
        }
        Some(())
    }

    // Time.

    /// To the next deadline.
    fn jump(&mut self) {
        if let Some(deadline) = self.host.next_deadline() {
            self.now = self.now.max(deadline.at);
        }
        self.wake();
    }

    fn pass(&mut self, bit: Duration) {
        let to = self.now + bit;
        let deadline = self.host.next_deadline().filter(|_| self.is_punctual);
        self.now = deadline.map_or(to, |deadline| deadline.at.min(to)).max(self.now);
    }

    /// Everything there is to tell, and a tick.
    fn wake(&mut self) {
        self.facts.push_back(Event::Tick);
        for _ in 0..10_000 {
            let fact = match self.looks.pop_front() {
                Some(fleet) => Some(self.read(fleet)),
                None => self.facts.pop_front(),
            };
            match fact {
                Some(fact) if self.ending.is_none() => self.tell(fact),
                Some(_) => {}
                None => {
                    self.check_nobody_is_late();
                    return;
                }
            }
        }
        panic!("the host runs in circles");
    }

    fn read(&self, fleet: FleetId) -> Event {
        let of_it = self.processes.iter().filter(|(worker, _)| worker.fleet == fleet);
        Event::Beats { fleet, readings: of_it.map(|(worker, process)| (*worker, process.slot)).collect() }
    }

    // The driver.

    fn tell(&mut self, event: Event) {
        let is_tick = event == Event::Tick;
        self.checker.fact(self.now, &event);
        if let Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) } = event
            && let Some(process) = self.processes.get_mut(&worker)
        {
            process.ready_since.get_or_insert(self.now);
        }
        self.hears(&event);
        self.twin.handle_event(self.now, event.clone());
        self.host.handle_event(self.now, event);
        while let Some(action) = self.host.poll_action() {
            assert_eq!(self.twin.poll_action().as_ref(), Some(&action), "S44: the same facts, other orders");
            self.checker.order(self.now, &action);
            self.perform(&action);
        }
        assert_eq!(self.twin.poll_action(), None);
        assert_eq!(self.host.broken_invariant(), None);
        if is_tick {
            let deadline = self.host.next_deadline();
            assert!(deadline.is_none_or(|deadline| deadline.at > self.now), "{deadline:?} at {}", self.now);
        }
        assert_eq!(self.host.is_ended(), self.ending.is_some());
        if self.ending.is_none() {
            self.checker.settled(&self.host);
        }
    }

    /// What the host knows of a stop, and from when on.
    fn hears(&mut self, event: &Event) {
        let (heard, since) = match *event {
            Event::ChildStopped { pid } => (pid, Some(self.now)),
            Event::ChildContinued { pid } => (pid, None),
            _ => return,
        };
        if let Some(process) = self.processes.values_mut().find(|process| process.pid == heard) {
            process.stopped_since = since.map(|since| process.stopped_since.unwrap_or(since));
        }
    }

    fn perform(&mut self, action: &Action) {
        match *action {
            Action::Spawn { worker } => {
                if self.forks_fail > 0 {
                    self.forks_fail -= 1;
                    let error = ForkError::System { call: "clone3", errno: Errno::AGAIN };
                    self.facts.push_back(Event::SpawnFailed { worker, error });
                    return;
                }
                self.pids += 1;
                let process = Process {
                    pid: Pid(self.pids),
                    slot: SlotReading::default(),
                    ready_since: None,
                    is_stopped: false,
                    stopped_since: None,
                    is_stubborn: false,
                    ended: None,
                };
                self.processes.insert(worker, process);
                self.facts.push_back(Event::Spawned { worker, pid: Pid(self.pids) });
            }
            Action::SignalWorker { worker, signal } => {
                // It was reaped, and the host will hear of that next.
                let Some(process) = self.processes.get_mut(&worker) else { return };
                let obeys = signal == Signal::Kill || (!process.is_stubborn && !process.is_stopped);
                if obeys && process.ended.is_none() {
                    process.ended = Some(match signal {
                        Signal::Quit | Signal::Term => ExitStatus::Code(0),
                        other => ExitStatus::by(other),
                    });
                }
            }
            Action::Mind { worker, .. } if self.words_fail > 0 => {
                self.words_fail -= 1;
                self.facts.push_back(Event::MindFailed { worker });
            }
            Action::ReadBeats { fleet } => self.looks.push_back(fleet),
            Action::AskScale { fleet } => {
                let workers = self.pids % 6;
                self.facts.push_back(Event::ScaleAnswered { fleet, workers });
            }
            Action::ReadMemory { fleet } => {
                // One in three has too much, and of one in four it cannot be read.
                let of = |worker: &WorkerId| match self.processes[worker].pid.0 % 12 {
                    0..3 => Err(Errno::MFILE),
                    number => Ok(u64::from(number % 3)),
                };
                let meant = self.processes.keys().filter(|worker| worker.fleet == fleet);
                let readings = meant.map(|worker| (*worker, of(worker))).collect();
                self.facts.push_back(Event::Memory { fleet, readings });
            }
            Action::TellFleet {
                notice:
                    FleetNotice::Killed { worker, intent: Intent::Hung } | FleetNotice::Softened { worker, .. },
                ..
            } => self.check_is_late(worker),
            Action::KillAll => self.processes.clear(),
            Action::Finish(ending) => self.ending = Some(ending),
            _ => {}
        }
    }

    // The truth.

    /// Since when a worker has given no sign of life, if it owes one.
    fn silent_since(&self, worker: WorkerId) -> Option<Instant> {
        let config = &self.config.fleets[worker.fleet.index()];
        let process = self.processes.get(&worker)?;
        let ready_since = process.ready_since?;
        match process.slot.beat {
            None => Some(ready_since),
            Some(Beat { at, pace: Pace::Waiting }) if !config.idle_beats => {
                process.stopped_since.map(|stopped| stopped.max(at))
            }
            Some(Beat { at, .. }) => Some(at),
        }
    }

    /// S1: only who was silent for longer than its timeout is killed for that.
    fn check_is_late(&mut self, worker: WorkerId) {
        let config = &self.config.fleets[worker.fleet.index()];
        let Some(process) = self.processes.get(&worker) else { return };
        // One that was not ready in time is softened, too; and what one does after the verdict is too late.
        if process.ready_since.is_none() || !self.condemned.insert(worker) {
            return;
        }
        let since = self.silent_since(worker).expect("S1: a worker that owes no beat is killed");
        assert!(self.now.since(since) > config.heartbeat_timeout, "S1: {worker} is killed too early");
        let extended = process.slot.extended_until.is_some_and(|until| until >= self.now);
        assert!(!extended, "S1: {worker} is killed while it may be silent");
    }

    /// L2: where nothing was missed, nothing is forgiven.
    fn check_nobody_is_late(&self) {
        if !self.is_punctual || self.ending.is_some() {
            return;
        }
        for (worker, process) in &self.processes {
            let config = &self.config.fleets[worker.fleet.index()];
            // The host has not heard of what happened since; and one that boots has a budget of its own.
            let waits = self.checker.is_asked(*worker) || !self.checker.is_ready(*worker);
            if waits || config.kill_budget.is_some() {
                continue;
            }
            let extended = process.slot.extended_until.is_some_and(|until| until >= self.now);
            // Before it was heard to be ready it had its boot timeout.
            let since = self.silent_since(*worker).max(process.ready_since);
            let silent = self.silent_since(*worker).is_some();
            let late = silent && since.is_some_and(|since| self.now.since(since) > config.heartbeat_timeout);
            assert!(!late || extended, "L2: {worker} is late at {}, and lives", self.now);
        }
    }

    /// L4: a stop ends within the bound that follows from the settings, if those who are killed die.
    fn stop(&mut self) {
        if self.ending.is_some() {
            return;
        }
        self.wake();
        let drains = self.config.seed.is_multiple_of(2);
        let signal = if drains { Signal::Quit } else { Signal::Term };
        self.facts.push_back(Event::Signalled(signal));
        self.wake();
        let begin = self.now;
        for _ in 0..10_000 {
            let _ = self.bury(None);
            self.wake();
            if self.ending.is_some() {
                break;
            }
            if self.facts.is_empty() && self.processes.values().all(|process| process.ended.is_none()) {
                self.jump();
            }
        }
        assert!(self.ending.is_some(), "L4: a stop that never ends");
        let timeouts = self.config.fleets.iter();
        let bound: Duration = if drains {
            timeouts.map(|fleet| fleet.drain_timeout).sum()
        } else {
            timeouts.map(|fleet| fleet.term_timeout).max().unwrap_or_default()
        };
        assert!(self.now.since(begin) <= bound, "L4: {signal} took {:?}", self.now.since(begin));
        assert!(self.processes.is_empty(), "S38: a host that leaves workers behind");
    }
}

#[test]
fn the_world_is_not_blind() {
    // A hung worker is seen as one, so that the promises above say something.
    let fleet = FleetConfig { workers: Some(1), heartbeat_timeout: 50 * MS, ..FleetConfig::new("a") };
    let config = HostConfig { fleets: vec![fleet], poll_period: None, ..HostConfig::default() };
    let mut world = World::new(config, true);
    world.tell(Event::Started { turns_max: None });
    world.wake();
    let worker = *world.processes.keys().next().expect("somebody is born");
    assert_eq!(worker.fleet, A);
    world.facts.push_back(Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) });
    world.wake();
    assert_eq!(world.silent_since(worker), Some(Instant::ZERO));
    world.jump();
    assert_eq!(world.now, Instant::ZERO + 50 * MS + NS);
    assert!(world.processes[&worker].ended.is_some());
}
