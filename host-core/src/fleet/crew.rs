//! The machine of one fleet: facts about its workers in, orders out.

mod deaths;
mod invariants;
mod ladder;
mod looks;
mod memory;
mod minding;
mod scaling;
mod upkeep;

use crate::action::{Action, Orders};
use crate::fleet::config::FleetConfig;
use crate::fleet::counters::Counters;
use crate::fleet::death::{History, Intent};
use crate::fleet::intensity::Intensity;
use crate::fleet::kill_budget::Kills;
use crate::fleet::lanes::Minding;
use crate::fleet::message::{FromWorker, Garbled};
use crate::fleet::notice::FleetNotice;
use crate::fleet::pauses::Pauses;
use crate::fleet::seat::{Phase, Seat, State, Step, Worker};
use crate::fleet::spares::Trend;
use crate::fleet::status::{FleetStatus, Health, WorkerState, WorkerStatus};
use crate::fleet::target::Target;
use crate::id::{FleetId, Slot, WorkerId};
use crate::manager::Staff;
use crate::random::Random;
use crate::sys::{ConfineError, Errno, ForkError, Pid, Signal};
use crate::time::{Duration, Instant};
use crate::timers::{Timer, Timers};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// What a decision of a fleet needs beside the fleet itself.
pub(crate) struct Means<'a> {
    pub(crate) config: &'a FleetConfig,
    pub(crate) now: Instant,
    pub(crate) random: &'a mut Random,
    pub(crate) timers: &'a mut Timers,
    pub(crate) orders: &'a mut Orders,
}

/// How a fleet is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stop {
    /// What was begun is finished, within the drain timeout (QUIT, then KILL).
    Drain,
    /// Workers end at once, within the term timeout (TERM, then KILL).
    AtOnce,
    /// The kernel ends them (KILL).
    Now,
}

/// How many workers are at which point of their life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Counts {
    /// Ordered, and not born.
    pub(crate) forking: u32,
    /// Born, not ready, and not asked to leave.
    pub(crate) booting: u32,
    /// Ready, and not asked to leave.
    pub(crate) ready: u32,
    /// Late, sent the soft signal or killed, and not reaped: its slot decides when it is filled again.
    pub(crate) condemned: u32,
    /// Asked to leave for another reason, and not reaped.
    pub(crate) leaving: u32,
    /// Slots that wait for their next worker.
    pub(crate) resting: u32,
    /// Slots that wait for the next try to replace somebody in advance.
    pub(crate) spare: u32,
    /// Slots that stay empty.
    pub(crate) retired: u32,
}

impl Counts {
    /// Those that are or will be there: the ones to hold against the wanted number.
    const fn staying(&self) -> u32 {
        self.forking + self.booting + self.ready + self.condemned + self.resting
    }

    /// Processes, or orders to make one.
    const fn alive(&self) -> u32 {
        self.forking + self.booting + self.ready + self.condemned + self.leaving
    }
}

/// One fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Crew {
    id: FleetId,
    seats: Vec<Seat>,
    /// Those of `seats` in which nobody sits and nobody is expected.
    vacant: BTreeSet<Slot>,
    counts: Counts,
    /// Those that were not asked to leave, the oldest first.
    by_age: BTreeSet<(u64, Slot)>,
    births: u64,
    /// They were ordered before files were opened anew, and their fork is not known yet.
    born_before_reopening: BTreeSet<WorkerId>,
    target: Target,
    /// The last whose slot stays empty was the last that was wanted, and nobody has said since how many are.
    done: bool,
    /// Nobody is forked before those that come first are there.
    open: bool,
    /// The slots that the opening filled and that have not shown yet how they do.
    first_round: BTreeSet<Slot>,
    stop: Option<Stop>,
    /// Who is being replaced in advance, and by whom.
    replacing: BTreeMap<Slot, Slot>,
    /// Who is to be replaced in advance: has asked for it, or has too much memory. The first first.
    served_enough: VecDeque<WorkerId>,
    /// A worker has died, or has left a connection waiting: one that it was woken for, and nobody else.
    unheard: bool,
    /// The moment of the next look at the beats.
    look_at: Option<Instant>,
    /// A look was ordered at this moment, and what it found is not known yet.
    looking: Option<Instant>,
    /// When it is decided again how many the load calls for, and what was found before.
    scale_at: Option<Instant>,
    trend: Trend,
    pauses: Pauses,
    lanes: Minding,
    /// How much memory workers have was asked then, and is not known yet.
    sampling: Option<Instant>,
    /// How long the last answer took.
    sample_took: Duration,
    /// The host has not run since the last look.
    has_paused: bool,
    kills: Kills,
    outage: bool,
    intensity: Intensity,
    health: Health,
    history: History,
    counters: Counters,
    /// How many forks in a row have failed.
    fork_failures: u32,
    fork_again_at: Option<Instant>,
    /// A worker has died unasked since somebody last looked here.
    pub(crate) bereaved: bool,
    /// The host is to stop since the restart budget is used up.
    pub(crate) host_must_stop: bool,
}

impl Crew {
    pub(crate) fn new(id: FleetId, config: &FleetConfig) -> Self {
        Self {
            id,
            seats: Vec::new(),
            vacant: BTreeSet::new(),
            counts: Counts::default(),
            by_age: BTreeSet::new(),
            births: 0,
            born_before_reopening: BTreeSet::new(),
            target: Target::new(config.wanted(), config.wanted_max()),
            done: false,
            open: false,
            first_round: BTreeSet::new(),
            stop: None,
            replacing: BTreeMap::new(),
            served_enough: VecDeque::new(),
            unheard: false,
            look_at: None,
            looking: None,
            scale_at: None,
            trend: Trend::default(),
            pauses: Pauses::default(),
            lanes: Minding::new(config.lanes()),
            sampling: None,
            sample_took: Duration::ZERO,
            has_paused: false,
            kills: Kills::default(),
            outage: false,
            intensity: Intensity::default(),
            health: Health::Well,
            history: History::default(),
            counters: Counters::default(),
            fork_failures: 0,
            fork_again_at: None,
            bereaved: false,
            host_must_stop: false,
        }
    }

    // What the world says.

    /// Workers may be forked from here on.
    pub(crate) fn open(&mut self, means: &mut Means<'_>) {
        if self.open || self.stop.is_some() {
            return;
        }
        self.open = true;
        self.tell(means, FleetNotice::Starting { workers: self.wanted() });
        self.upkeep(means);
        self.await_newcomers();
    }

    pub(crate) fn spawned(&mut self, means: &mut Means<'_>, worker: WorkerId, pid: Pid) {
        let Some(State::Forking { replaces }) = self.state(worker) else { return };
        let replaces = *replaces;
        self.births += 1;
        let born = Worker::new(pid, means.now, self.births, replaces);
        self.seats[worker.slot.index()].state = State::Taken(born);
        self.by_age.insert((self.births, worker.slot));
        self.counters.spawned += 1;
        self.counts.forking -= 1;
        self.counts.booting += 1;
        self.fork_failures = 0;
        means.timers.set(Timer::Boot(worker), means.now + means.config.boot_timeout);
        self.tell(means, FleetNotice::Spawned { worker, pid });
        if self.born_before_reopening.remove(&worker) {
            means.orders.push_back(Action::Reopen { worker });
        }
        // It was ordered before the fleet was stopped.
        match self.stop {
            Some(Stop::Drain) => self.quit(means, worker, Intent::Drain),
            Some(Stop::AtOnce) => self.term(means, worker, Intent::Stop),
            Some(Stop::Now) => self.kill(means, worker, Intent::Stop),
            None => {}
        }
        self.upkeep(means);
    }

    pub(crate) fn spawn_failed(&mut self, means: &mut Means<'_>, worker: WorkerId, error: ForkError) {
        let Some(State::Forking { replaces }) = self.state(worker) else { return };
        let replaces = *replaces;
        self.counters.spawns_failed += 1;
        self.counts.forking -= 1;
        self.vacate(worker.slot);
        self.born_before_reopening.remove(&worker);
        self.first_round.remove(&worker.slot);
        if let Some(old) = replaces {
            self.call_off_replacement(old);
        }
        // A worker that was never born is no death: it is no mark against its slot, nor against the budget.
        let retry_after = match self.fork_again_at {
            Some(at) => at.since(means.now),
            None => {
                self.fork_failures = self.fork_failures.saturating_add(1);
                // The second of a row waits, and so does the first: what is short now is short at once.
                let rest = means.config.backoff.delay(self.fork_failures.saturating_add(1), means.random);
                self.fork_again_at = Some(means.now + rest);
                means.timers.set(Timer::ForkAgain(self.id), means.now + rest);
                rest
            }
        };
        self.tell(means, FleetNotice::SpawnFailed { worker, error, retry_after });
        self.upkeep(means);
    }

    pub(crate) fn said(&mut self, means: &mut Means<'_>, worker: WorkerId, message: FromWorker) {
        match message {
            FromWorker::Ready => self.ready(means, worker),
            FromWorker::ServedEnough => {
                let stays = self.worker(worker).is_some_and(|known| known.leaving.is_none());
                if stays && !self.served_enough.contains(&worker) {
                    self.served_enough.push_back(worker);
                    self.upkeep(means);
                }
            }
            FromWorker::LeftWaiting => self.unheard = true,
            FromWorker::Unconfined(error) => self.unconfined(means, worker, error),
            // What it asked for stands in its slot; a look makes it known. Not before all that is told at this
            // moment is: only then it is known what the host has missed (S4).
            FromWorker::Extended => self.look_before(means, means.now),
            FromWorker::Leaves => {
                self.lanes.declines(worker);
                self.mind_lanes(means);
            }
        }
    }

    /// It is about to end; its death is told with the cause, and counts as that of any young worker.
    fn unconfined(&mut self, means: &mut Means<'_>, worker: WorkerId, error: ConfineError) {
        let Some(known) = self.worker_mut(worker) else { return };
        // Said once, before anything else. One that is ready was confined, and scribbles.
        if !known.is_ready() && known.unconfined.replace(error).is_none() {
            self.tell(means, FleetNotice::Unconfined { worker, error });
        }
    }

    fn ready(&mut self, means: &mut Means<'_>, worker: WorkerId) {
        let (id, now) = (self.id, means.now);
        let Some(known) = self.worker_mut(worker) else { return };
        if known.is_ready() {
            return;
        }
        known.phase = Phase::Ready { since: now };
        known.held = None;
        let (born, leaves) = (known.born, known.leaving.is_some());
        means.timers.clear(Timer::Boot(worker));
        self.counters.ready += 1;
        self.tell(means, FleetNotice::Ready { worker, after: now.since(born) });
        self.first_round.remove(&worker.slot);
        if leaves {
            return;
        }
        self.counts.booting -= 1;
        self.counts.ready += 1;
        if self.seats[worker.slot.index()].failures > 0 || self.health == Health::Degraded {
            means.timers.set(Timer::Stable(worker), now + means.config.stable_after);
        }
        self.look_at_newcomer(means);
        debug_assert_eq!(id, worker.fleet, "a fact of another fleet");
        self.upkeep(means);
    }

    /// Files were renamed: everybody opens them anew. Whoever is being forked was perhaps born with those before.
    pub(crate) fn reopen(&mut self, means: &mut Means<'_>) {
        for (index, seat) in self.seats.iter().enumerate() {
            let worker =
                WorkerId { fleet: self.id, slot: Slot::new(index as u16), incarnation: seat.incarnation };
            match seat.state {
                State::Taken(_) => {
                    means.orders.push_back(Action::Reopen { worker });
                }
                State::Forking { .. } => {
                    self.born_before_reopening.insert(worker);
                }
                State::Vacant | State::Resting { .. } | State::Retired => {}
            }
        }
    }

    pub(crate) fn garbled(&self, means: &mut Means<'_>, worker: WorkerId, garbled: Garbled) {
        if self.worker(worker).is_some() {
            self.tell(means, FleetNotice::Garbled { worker, garbled });
        }
    }

    pub(crate) fn signal_failed(
        &self,
        means: &mut Means<'_>,
        worker: WorkerId,
        signal: Signal,
        errno: Errno,
    ) {
        // One that has ended meanwhile needs no signal: its death is on its way.
        if errno != Errno::SRCH && self.worker(worker).is_some() {
            self.tell(means, FleetNotice::SignalFailed { worker, signal, errno });
        }
    }

    /// The timers whose moment has come.
    pub(crate) fn timer(&mut self, means: &mut Means<'_>, timer: Timer) {
        match timer {
            Timer::Look(_) => self.look_is_due(means),
            Timer::Boot(worker) => {
                if let Some(known) = self.worker(worker).filter(|known| known.leaving.is_none()) {
                    let boot_at = known.born + means.config.boot_timeout;
                    if !self.postpone(means, timer, known.born, boot_at) {
                        self.condemn(means, worker, Intent::NotReady, timer);
                    }
                }
            }
            Timer::Grace(worker) => {
                if let Some(leaving) = self.worker(worker).and_then(|known| known.leaving) {
                    let end = leaving.grace.unwrap_or(means.now);
                    if !self.postpone(means, timer, leaving.since, end) {
                        self.kill(means, worker, leaving.intent);
                    }
                }
            }
            Timer::Stable(worker) => self.forgive(means, worker),
            Timer::Respawn(_, slot) => {
                self.end_rest(slot);
            }
            Timer::ForkAgain(_) => self.fork_again_at = None,
            Timer::MindAgain(_) => self.lanes.try_again(),
            Timer::Sample(_) => self.sample_is_due(means),
            Timer::PollPeriod
            | Timer::Reconnect(_)
            | Timer::Wake(_)
            | Timer::AcceptRest(_)
            | Timer::DrainEnd => {
                debug_assert!(false, "a timer of services: {timer}");
            }
        }
        self.upkeep(means);
    }

    /// Leaves out of a budget what the host has missed of it: then its end was later, and is awaited. Whoever
    /// boots or drains may have been frozen with the host (S4).
    fn postpone(&self, means: &mut Means<'_>, timer: Timer, since: Instant, end: Instant) -> bool {
        let end = end + self.pauses.missed_since(since);
        let later = end > means.now;
        if later {
            means.timers.set(timer, end);
        }
        later
    }

    // What the operator and the application ask for.

    /// Another number is wanted: `change` says which.
    pub(crate) fn resize(&mut self, means: &mut Means<'_>, change: impl FnOnce(&mut Target)) {
        let (before, followed) = (self.target.count(), self.scales(means.config));
        change(&mut self.target);
        self.done = false;
        if self.target.count() != before {
            self.tell(means, FleetNotice::Resized { workers: self.target.count() });
        }
        // While nobody was wanted it was nobody's affair who is idle.
        if let Some(at) = self.scale_before(means).filter(|_| !followed && self.counts.ready > 0) {
            self.look_before(means, at);
        }
        self.upkeep(means);
    }

    /// Stops the fleet; harder than before, or not at all.
    pub(crate) fn stop(&mut self, means: &mut Means<'_>, stop: Stop, intent: Intent) {
        if self.stop.is_some_and(|before| before >= stop) {
            return;
        }
        self.stop = Some(stop);
        self.open = false;
        self.first_round.clear();
        self.leave_all(means, stop, intent);
        self.upkeep(means);
    }

    /// Asks everybody to leave, and lets nobody in until the fleet is opened again.
    pub(crate) fn restart(&mut self, means: &mut Means<'_>) {
        if self.stop.is_some() {
            return;
        }
        self.open = false;
        self.first_round.clear();
        self.leave_all(means, Stop::Drain, Intent::Sibling);
        self.upkeep(means);
    }

    fn leave_all(&mut self, means: &mut Means<'_>, stop: Stop, intent: Intent) {
        for worker in self.workers().map(|(worker, _)| worker).collect::<Vec<_>>() {
            match stop {
                Stop::Drain => self.quit(means, worker, intent),
                Stop::AtOnce => self.term(means, worker, intent),
                Stop::Now => self.kill(means, worker, intent),
            }
        }
    }

    // Questions.

    /// How many workers there should be now.
    fn wanted(&self) -> u32 {
        if self.stop.is_some() || !self.open || self.health == Health::GivenUp {
            return 0;
        }
        self.target.count().saturating_sub(self.counts.retired)
    }

    /// How many are wanted by whoever runs the host, whatever else keeps them from being there.
    pub(crate) const fn target(&self) -> u32 {
        self.target.count()
    }

    /// How many there are, and are to be. Slots that stay empty are waited for by nobody.
    pub(crate) fn staff(&self) -> Staff {
        let wanted = if self.is_given_up() { 0 } else { self.target().saturating_sub(self.counts.retired) };
        let exhausted = self.health != Health::Well;
        let (ready, alive) = (self.counts.ready, self.counts.alive());
        Staff { ready, alive, wanted, births: self.births, exhausted }
    }

    /// Somebody serves here. Who is stopped does not, nor who is late and not killed yet.
    pub(crate) fn serves(&self) -> bool {
        self.workers().any(|(_, known)| {
            known.is_ready()
                && known.leaving.is_none()
                && known.stopped_since.is_none()
                && known.held.is_none()
        })
    }

    /// Nobody is there, and nobody was ordered.
    pub(crate) const fn is_empty(&self) -> bool {
        self.counts.alive() == 0
    }

    /// Those who are on their way are waited for by the fleets that open next.
    pub(crate) fn await_newcomers(&mut self) {
        let forking =
            self.seats.iter().enumerate().filter(|(_, seat)| matches!(seat.state, State::Forking { .. }));
        self.first_round.extend(forking.map(|(index, _)| Slot::new(index as u16)));
    }

    /// Everybody whom the opening ordered is ready, or has failed once.
    pub(crate) fn is_settled(&self) -> bool {
        self.open && self.first_round.is_empty() || self.health == Health::GivenUp
    }

    /// Its restart budget was used up, and nobody is left.
    pub(crate) fn is_given_up(&self) -> bool {
        self.health == Health::GivenUp && self.is_empty()
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// All its slots stay empty: it has done what it was for. Not where nobody is wanted for now (PF-C11).
    pub(crate) fn is_finished(&self) -> bool {
        self.open && self.done && self.is_empty() && self.counts.resting == 0
    }

    /// The workers that live, by slot.
    fn workers(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        let id = self.id;
        self.seats.iter().enumerate().filter_map(move |(index, seat)| match &seat.state {
            State::Taken(worker) => {
                let slot = Slot::new(index as u16);
                Some((WorkerId { fleet: id, slot, incarnation: seat.incarnation }, worker))
            }
            State::Vacant | State::Resting { .. } | State::Forking { .. } | State::Retired => None,
        })
    }

    /// Who has this number; a number of somebody else names nobody (K24).
    pub(crate) fn find(&self, pid: Pid) -> Option<WorkerId> {
        self.workers().find(|(_, worker)| worker.pid == pid).map(|(worker, _)| worker)
    }

    fn state(&self, worker: WorkerId) -> Option<&State> {
        let seat = self.seats.get(worker.slot.index())?;
        (seat.incarnation == worker.incarnation).then_some(&seat.state)
    }

    fn worker(&self, worker: WorkerId) -> Option<&Worker> {
        match self.state(worker)? {
            State::Taken(known) => Some(known),
            State::Vacant | State::Resting { .. } | State::Forking { .. } | State::Retired => None,
        }
    }

    fn worker_mut(&mut self, worker: WorkerId) -> Option<&mut Worker> {
        let seat = self.seats.get_mut(worker.slot.index())?;
        match &mut seat.state {
            State::Taken(known) if seat.incarnation == worker.incarnation => Some(known),
            State::Taken(_)
            | State::Vacant
            | State::Resting { .. }
            | State::Forking { .. }
            | State::Retired => None,
        }
    }

    fn tell(&self, means: &mut Means<'_>, notice: FleetNotice) {
        means.orders.push_back(Action::TellFleet { fleet: self.id, notice });
    }

    /// A snapshot for the application.
    pub(crate) fn status(&self, config: &FleetConfig) -> FleetStatus {
        let slots = |wanted: fn(&State) -> bool| {
            let seats = self.seats.iter().enumerate().filter(move |(_, seat)| wanted(&seat.state));
            seats.map(|(index, _)| Slot::new(index as u16)).collect()
        };
        FleetStatus {
            name: config.name.clone(),
            wanted: self.target.count(),
            health: self.health,
            outage: self.outage,
            workers: self
                .workers()
                .map(|(worker, known)| WorkerStatus {
                    worker,
                    pid: known.pid,
                    born: known.born,
                    ready_since: match known.phase {
                        Phase::Booting => None,
                        Phase::Ready { since } => Some(since),
                    },
                    state: match (known.leaving, known.phase) {
                        (Some(leaving), _) => WorkerState::Leaving {
                            intent: leaving.intent,
                            killed: leaving.step == Step::Kill,
                        },
                        (None, Phase::Booting) => WorkerState::Booting,
                        (None, Phase::Ready { .. }) => WorkerState::Ready,
                    },
                    beat: known.beat,
                    extended_until: known.extended_until,
                    requests: known.requests,
                    connections: known.connections,
                    memory: known.memory,
                    stopped: known.stopped_since.is_some(),
                })
                .collect(),
            resting: slots(|state| matches!(state, State::Resting { .. })),
            retired: slots(|state| *state == State::Retired),
            deaths: self.history.iter().copied().collect(),
            counters: self.counters,
        }
    }
}
