//! What a host is told in a neighbour: the script, as far as it still answers what the host orders.

use super::{Demand, is_arrival};
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::message::FromWorker;
use host_core::host::Host;
use host_core::id::{FleetId, ServiceId, SocketId, WorkerId};
use host_core::service::kick::Callback;
use host_core::sys::{ExitStatus, Pid, Signal, SlotReading};
use host_core::time::Instant;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// What the script answers within so many facts is not answered by anybody else.
const AHEAD: usize = 64;
/// So many deadlines are met between two facts of the script; a host that never waits has no more to tell.
const TICKS_MAX: u32 = 200;
/// A pid that no recording has: the kernel's own bound lies below (PID_MAX_LIMIT).
const FIRST_PID: u32 = 1 << 23;

/// A worker that lives.
struct Worker {
    reading: SlotReading,
    /// The script does not know it: it is ready in the next wake, and never does anything.
    made_up: bool,
    /// It was killed, and its death is told in the next wake.
    killed: bool,
}

pub(super) struct World<'a> {
    host: Host,
    now: Instant,
    script: &'a [(Instant, Event)],
    place: usize,
    /// The last fact that was told, for whoever has to say where it went wrong.
    last: &'a RefCell<(u64, Instant, Event)>,
    told: u64,
    /// All that was told, for tests.
    pub(super) story: Option<&'a RefCell<Vec<(Instant, Event)>>>,
    // Orders that are not answered yet.
    calls: VecDeque<(ServiceId, Callback)>,
    spawns: VecDeque<WorkerId>,
    looks: VecDeque<FleetId>,
    /// Fleets whose memory was asked for. What is not in the script is not answered.
    samples: VecDeque<FleetId>,
    /// And those whose author's function was.
    asked: VecDeque<FleetId>,
    // What there is.
    services: usize,
    /// By seat.
    sockets: BTreeMap<usize, SocketId>,
    demands: &'a [Demand],
    /// A service was closed in this wake, and its sockets with it.
    closing: bool,
    workers: BTreeMap<WorkerId, Worker>,
    pids: u32,
    finished: bool,
    /// The script has not answered an order, or answered one that was not given: from here on the host is woken at
    /// its own deadlines as well. Before that the recorded ones are enough, and late where they were late.
    has_left: bool,
}

type Told = Result<(), &'static str>;

impl<'a> World<'a> {
    pub(super) fn new(
        config: &HostConfig,
        script: &'a [(Instant, Event)],
        last: &'a RefCell<(u64, Instant, Event)>,
        demands: &'a [Demand],
    ) -> Self {
        Self {
            host: Host::new(config.clone()),
            now: Instant::ZERO,
            script,
            place: 0,
            last,
            told: 0,
            story: None,
            calls: VecDeque::new(),
            spawns: VecDeque::new(),
            looks: VecDeque::new(),
            samples: VecDeque::new(),
            asked: VecDeque::new(),
            services: 0,
            sockets: BTreeMap::new(),
            demands,
            closing: false,
            workers: BTreeMap::new(),
            pids: FIRST_PID,
            finished: false,
            has_left: false,
        }
    }

    /// How many facts were told, or the rule that was broken.
    pub(super) fn run(mut self) -> Result<u64, &'static str> {
        let mut ticked = false;
        while let Some((at, event)) = self.script.get(self.place) {
            if self.finished {
                break;
            }
            let is_of_a_wake = is_arrival(event) || *event == Event::Tick;
            if is_of_a_wake && ticked {
                // All is answered before the loop waits again.
                self.settle()?;
                self.meet_deadlines(*at)?;
                self.now = self.now.max(*at);
                self.bring_news()?;
            }
            self.place += 1;
            self.now = self.now.max(*at);
            if self.is_believable(event) {
                ticked = *event == Event::Tick;
                self.closing &= !ticked;
                self.make_room(event)?;
                let event = self.adapted(event.clone());
                self.tell(event)?;
            } else {
                self.has_left = true;
            }
            self.answer_looks()?;
        }
        Ok(self.told)
    }

    fn tell(&mut self, event: Event) -> Told {
        if self.finished {
            return Ok(());
        }
        let now = self.now;
        *self.last.borrow_mut() = (self.told, now, event.clone());
        self.told += 1;
        if let Some(story) = self.story {
            story.borrow_mut().push((now, event.clone()));
        }
        let ticked = event == Event::Tick;
        self.note(&event);
        self.host.handle_event(now, event);
        while let Some(action) = self.host.poll_action() {
            self.perform(action)?;
        }
        if ticked && self.host.next_deadline().is_some_and(|deadline| deadline.at <= now) {
            return Err("a host that was told the time wants to be woken in the past");
        }
        let demanded = self.demands.iter().find_map(|demand| demand(&self.host));
        self.host.broken_invariant().or(demanded).map_or(Ok(()), Err)
    }

    /// Whether the script's fact answers something, or can come by itself.
    fn is_believable(&self, event: &Event) -> bool {
        let called = |service: &ServiceId| self.calls.front().is_some_and(|(called, _)| called == service);
        match event {
            Event::Added { service, .. } => {
                let is_beginning = self.told == self.services as u64;
                service.index() == self.services && (is_beginning || !self.calls.is_empty())
            }
            Event::Opened { socket, service, .. } => called(service) && !self.has(socket),
            // Outside of callbacks only what the host has closed is closed.
            Event::InterestChanged { socket, .. } | Event::Closed { socket } => {
                self.has(socket) && (self.closing || !self.calls.is_empty())
            }
            Event::WatchFailed { socket, .. } => self.has(socket),
            Event::WakeAsked { service, .. } | Event::ReconnectAsked { service, .. } => called(service),
            Event::Returned { service, callback, .. } => self.calls.front() == Some(&(*service, *callback)),
            Event::StopAsked | Event::DrainAsked | Event::ResizeAsked { .. } | Event::RestoreAsked { .. } => {
                !self.calls.is_empty()
            }
            // By the loop, before it waits.
            Event::StartAbandoned { .. } => true,
            Event::Spawned { worker, .. } | Event::SpawnFailed { worker, .. } => self.spawns.contains(worker),
            Event::WorkerSaid { worker, .. }
            | Event::WorkerExited { worker, .. }
            | Event::SignalFailed { worker, .. }
            | Event::ExitJudged { worker, .. }
            | Event::MindFailed { worker } => self.workers.contains_key(worker),
            Event::Beats { fleet, .. } => self.looks.front() == Some(fleet),
            Event::ScaleAnswered { fleet, .. } => self.asked.front() == Some(fleet),
            Event::Memory { fleet, .. } => self.samples.front() == Some(fleet),
            Event::Started { .. }
            | Event::Ready { .. }
            | Event::SystemFailed { .. }
            | Event::Signalled(_)
            | Event::ChildStopped { .. }
            | Event::ChildContinued { .. }
            | Event::StrangerReaped { .. }
            | Event::Tick => true,
        }
    }

    fn has(&self, socket: &SocketId) -> bool {
        self.sockets.get(&socket.index()) == Some(socket)
    }

    /// A seat that the script knows to be free is left first.
    fn make_room(&mut self, event: &Event) -> Told {
        let Event::Opened { socket, .. } = event else { return Ok(()) };
        let taken = self.sockets.get(&socket.index()).copied();
        taken.map_or(Ok(()), |socket| self.tell(Event::Closed { socket }))
    }

    /// The beats are those of the script, without workers that there are not – one that is being born is there
    /// already, and one that was reaped is not, before the host is told of either – and with those made up.
    fn adapted(&self, event: Event) -> Event {
        let Event::Beats { fleet, mut readings } = event else { return event };
        readings.retain(|(id, _)| self.workers.contains_key(id) || self.spawns.contains(id));
        let made_up = self.workers.iter().filter(|(id, worker)| id.fleet == fleet && worker.made_up);
        readings.extend(made_up.map(|(id, worker)| (*id, self.reading(worker))));
        readings.sort_by_key(|(id, _)| *id);
        readings.dedup_by_key(|(id, _)| *id);
        Event::Beats { fleet, readings }
    }

    /// What nobody knows to be otherwise is alive.
    fn reading(&self, worker: &Worker) -> SlotReading {
        if !worker.made_up {
            return worker.reading;
        }
        SlotReading { beat: Some(Beat { at: self.now, pace: Pace::Waiting }), ..SlotReading::default() }
    }

    /// What a fact means for what there is.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Added { .. } => self.services += 1,
            Event::Opened { socket, .. } => drop(self.sockets.insert(socket.index(), *socket)),
            Event::Closed { socket } => drop(self.sockets.remove(&socket.index())),
            Event::Returned { .. } => drop(self.calls.pop_front()),
            Event::Spawned { worker, pid } => {
                self.spawns.retain(|other| other != worker);
                let made_up = pid.0 >= FIRST_PID;
                let worker_of = Worker { reading: SlotReading::default(), made_up, killed: false };
                self.workers.insert(*worker, worker_of);
            }
            Event::SpawnFailed { worker, .. } => self.spawns.retain(|other| other != worker),
            Event::WorkerExited { worker, .. } => drop(self.workers.remove(worker)),
            Event::Beats { readings, .. } => {
                self.looks.pop_front();
                for (id, reading) in readings {
                    if let Some(worker) = self.workers.get_mut(id) {
                        worker.reading = *reading;
                    }
                }
            }
            Event::Memory { .. } => drop(self.samples.pop_front()),
            Event::ScaleAnswered { .. } => drop(self.asked.pop_front()),
            Event::Started { .. }
            | Event::ExitJudged { .. }
            | Event::InterestChanged { .. }
            | Event::WakeAsked { .. }
            | Event::ReconnectAsked { .. }
            | Event::Ready { .. }
            | Event::WatchFailed { .. }
            | Event::SystemFailed { .. }
            | Event::Signalled(_)
            | Event::StopAsked
            | Event::DrainAsked
            | Event::WorkerSaid { .. }
            | Event::SignalFailed { .. }
            | Event::MindFailed { .. }
            | Event::ChildStopped { .. }
            | Event::ChildContinued { .. }
            | Event::StrangerReaped { .. }
            | Event::ResizeAsked { .. }
            | Event::RestoreAsked { .. }
            | Event::StartAbandoned { .. }
            | Event::Tick => {}
        }
    }

    fn perform(&mut self, action: Action) -> Told {
        match action {
            Action::Call { service, callback } => self.calls.push_back((service, callback)),
            Action::Receive { service, .. } => self.calls.push_back((service, Callback::Receive)),
            Action::Spawn { worker } => {
                let seat = (worker.fleet, worker.slot);
                if self.workers.keys().chain(&self.spawns).any(|other| (other.fleet, other.slot) == seat) {
                    return Err("S16: a worker is to sit where somebody sits");
                }
                self.spawns.push_back(worker);
            }
            Action::SignalWorker { worker, signal: Signal::Kill } => {
                if let Some(worker) = self.workers.get_mut(&worker) {
                    worker.killed = true;
                }
            }
            Action::ReadBeats { fleet } => self.looks.push_back(fleet),
            // It answers nothing.
            Action::ReopenFiles | Action::Reopen { .. } => {}
            Action::AskScale { fleet } => self.asked.push_back(fleet),
            Action::ReadMemory { fleet } => self.samples.push_back(fleet),
            Action::KillAll => self.workers.clear(),
            Action::Finish(_) => self.finished = true,
            Action::CloseService { .. } => self.closing = true,
            Action::Watch { .. }
            | Action::Unwatch { .. }
            | Action::Look
            | Action::EndOnNextSignal
            | Action::NotifyFailure { .. }
            | Action::Tell { .. }
            | Action::SignalWorker { .. }
            | Action::Nudge { .. }
            | Action::Mind { .. }
            | Action::ReadChildNews { .. }
            | Action::TellFleet { .. } => {}
        }
        Ok(())
    }

    /// No fact comes between the order to read beats and the beats.
    fn answer_looks(&mut self) -> Told {
        while let Some(fleet) = self.looks.front().copied() {
            if matches!(self.script.get(self.place), Some((_, Event::Beats { fleet: next, .. })) if *next == fleet)
            {
                return Ok(());
            }
            self.has_left = true;
            let of_it = self.workers.iter().filter(|(id, _)| id.fleet == fleet);
            let readings = of_it.map(|(id, worker)| (*id, self.reading(worker))).collect();
            self.tell(Event::Beats { fleet, readings })?;
        }
        Ok(())
    }

    /// Answers what the script has not answered.
    fn settle(&mut self) -> Told {
        for _ in 0..TICKS_MAX {
            self.answer_looks()?;
            self.has_left |= !self.calls.is_empty() || !self.spawns.is_empty();
            if let Some((service, callback)) = self.calls.front().copied() {
                let outcome = Outcome::Done(Activity::Progress);
                self.tell(Event::Returned { service, callback, outcome })?;
            } else if let Some(worker) = self.spawns.front().copied() {
                self.pids += 1;
                self.tell(Event::Spawned { worker, pid: Pid(self.pids) })?;
            } else {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A host that waits is told of each of its deadlines.
    fn meet_deadlines(&mut self, until: Instant) -> Told {
        for _ in 0..TICKS_MAX {
            if !self.has_left {
                return Ok(());
            }
            let Some(deadline) = self.host.next_deadline().filter(|deadline| deadline.at < until) else {
                return Ok(());
            };
            self.now = self.now.max(deadline.at);
            self.bring_news()?;
            self.tell(Event::Tick)?;
            self.settle()?;
        }
        Ok(())
    }

    /// What happens by itself in the lives that the script does not tell of.
    fn bring_news(&mut self) -> Told {
        let ahead = &self.script[self.place..(self.place + AHEAD).min(self.script.len())];
        let dies_soon = |id: &WorkerId| {
            ahead.iter().any(|(_, event)| matches!(event, Event::WorkerExited { worker, .. } if worker == id))
        };
        let dead: Vec<_> = self
            .workers
            .iter()
            .filter(|(id, worker)| worker.killed && !dies_soon(id))
            .map(|(id, _)| *id)
            .collect();
        for worker in dead {
            self.tell(Event::WorkerExited { worker, status: ExitStatus::by(Signal::Kill) })?;
        }
        let made_up = |(id, worker): (&WorkerId, &Worker)| {
            let is_new = worker.made_up && worker.reading.beat.is_none();
            is_new.then_some(*id)
        };
        let new: Vec<_> = self.workers.iter().filter_map(made_up).collect();
        for id in new {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.reading.beat = Some(Beat { at: self.now, pace: Pace::Waiting });
            }
            self.tell(Event::WorkerSaid { worker: id, message: Ok(FromWorker::Ready) })?;
        }
        Ok(())
    }
}
