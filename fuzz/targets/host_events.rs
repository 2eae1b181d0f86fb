//! Bytes become the world of a `Host`: what its services do in each callback, what its workers do, and what
//! the kernel reports. The world keeps to the driver's contract and to nothing else; services and workers may
//! do the silliest things that the types allow.
//!
//! After each fact: no invariant is broken, a second host that is told the same orders the same. After each
//! tick the next deadline lies ahead. No slot has two workers. When the bytes are used up the world is calm
//! and asks for a stop: then the fleets are empty within their timeouts, whatever workers ignore, and the
//! host ends and leaves nobody behind.
//!
//! `STORY=1` prints each fact and order, for a failure that is to be told.

#![no_main]

use host_core::action::{Action, Why};
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::fleet::backoff::Backoff;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::{
    FleetConfig, KillBudget, OnExhausted, Restart, RestartBudget, SoftSignal, Strategy,
};
use host_core::fleet::memory::MemoryBound;
use host_core::fleet::message::{FromWorker, Garbled};
use host_core::fleet::spares::Spares;
use host_core::host::Host;
use host_core::id::{FleetId, ServiceId, SocketId, WorkerId};
use host_core::notice::Notice;
use host_core::service::kick::Callback;
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::sys::{Errno, ExitStatus, ForkError, Interest, Pid, Readiness, Signal, SlotReading};
use host_core::time::{Duration, Instant};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, VecDeque};

/// More services or sockets than this find nothing that fewer do not.
const SERVICES_MAX: usize = 6;
const SOCKETS_MAX: usize = 12;
const FLEETS_MAX: usize = 2;
/// Late facts are about one of so many.
const GONE_MAX: usize = 16;
/// How many facts a calm host may need to its end, and after how many the stop is asked for once more: services
/// that do not finish keep a host that drains.
const CALM_FACTS_MAX: usize = 2000;
const PATIENCE_FACTS: usize = 1000;
/// How late a host is told of each deadline when all is calm.
const LATE: Duration = Duration::from_millis(20);
/// How long fleets take at most to be empty then: drain timeouts add up, and each of some deadlines is told late.
const EMPTY_AFTER: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// The furthest deadline that time jumps to: fleets count from there.
const JUMP_MAX: Duration = Duration::from_secs(86_400);
/// The shortest and the longest delays that a service or a setting asks for, in nanoseconds.
const DELAYS: [u64; 6] = [0, 1, 1_000, 1_000_000, 1_000_000_000, u64::MAX];

/// Where decisions come from; zeros when they are used up.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, n: usize) -> usize {
        usize::from(self.next()) % n.max(1)
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }

    fn delay(&mut self) -> Duration {
        Duration::from_nanos(DELAYS[self.below(DELAYS.len())])
    }

    fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}

/// One seat for a socket: how many sat there before, and whose sits there now.
#[derive(Clone, Copy)]
struct Seat {
    generation: u32,
    service: Option<ServiceId>,
    interest: Interest,
}

/// A process, as only the kernel knows it.
struct Process {
    pid: Pid,
    slot: SlotReading,
    is_ready: bool,
    is_stopped: bool,
    /// It does nothing that it is asked.
    is_stubborn: bool,
    /// It has ended, and the host will hear of that.
    ended: Option<ExitStatus>,
}

/// What a driver and a kernel are to a host.
struct World<'a> {
    bytes: Bytes<'a>,
    host: Host,
    twin: Host,
    now: Instant,
    facts: VecDeque<Event>,
    /// By service: whether it was closed.
    services: Vec<bool>,
    seats: Vec<Seat>,
    free: Vec<usize>,
    fleets: Vec<FleetConfig>,
    /// Fleets whose beats are read before anything else is told.
    looks: VecDeque<FleetId>,
    processes: BTreeMap<WorkerId, Process>,
    pids: u32,
    /// Workers that late facts are about.
    gone: Vec<WorkerId>,
    /// A callback failed, and nobody was told yet.
    cause: bool,
    finished: bool,
    /// Since when all is calm.
    calm_since: Option<Instant>,
    /// How many facts the host was told since the bytes were used up.
    calm: usize,
    tells_story: bool,
}

impl<'a> World<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut bytes = Bytes(bytes);
        let period =
            [Some(HostConfig::POLL_PERIOD), None, Some(Duration::ZERO), Some(Duration::from_nanos(1))];
        let config = HostConfig {
            poll_period: period[bytes.below(period.len())],
            empty_wakes_max: 1 + bytes.below(4) as u32,
            burst: 1 + bytes.below(4) as u32,
            accept_pause: bytes.delay(),
            seed: u64::from(bytes.next()),
            strategy: [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll][bytes.below(3)],
            reap_strangers: bytes.one_in(2),
            fleets: (0..bytes.below(1 + FLEETS_MAX)).map(|_| fleet(&mut bytes)).collect(),
            ..HostConfig::default()
        };
        if !config.mistakes().is_empty() || config.fleets.iter().any(|fleet| !fleet.mistakes().is_empty()) {
            return None;
        }
        // A run of so many turns has no fleets.
        let turns_max = match config.fleets.len() {
            0 => [None, None, Some(0), Some(1), Some(5)][bytes.below(5)],
            _ => None,
        };
        let mut world = Self {
            bytes,
            fleets: config.fleets.clone(),
            looks: VecDeque::new(),
            processes: BTreeMap::new(),
            pids: 100,
            gone: Vec::new(),
            host: Host::new(config.clone()),
            twin: Host::new(config),
            now: Instant::from_nanos(1),
            facts: VecDeque::new(),
            services: Vec::new(),
            seats: Vec::new(),
            free: Vec::new(),
            cause: false,
            finished: false,
            calm_since: None,
            calm: 0,
            tells_story: std::env::var_os("STORY").is_some(),
        };
        for _ in 0..world.bytes.below(4) {
            world.add();
        }
        world.facts.push_back(Event::Started { turns_max });
        Some(world)
    }

    // The driver.

    fn run(&mut self) {
        while !self.finished {
            while let Some(event) = self.next_fact() {
                if !self.finished {
                    self.tell(event);
                }
            }
            if !self.finished {
                let deadline = self.host.next_deadline().map(|deadline| deadline.at);
                self.poll(deadline, true);
            }
        }
    }

    /// The beats first, as they are at this moment.
    fn next_fact(&mut self) -> Option<Event> {
        let Some(fleet) = self.looks.pop_front() else { return self.facts.pop_front() };
        let of_it = self.processes.iter().filter(|(worker, _)| worker.fleet == fleet);
        let readings = of_it.map(|(worker, process)| (*worker, process.slot)).collect();
        Some(Event::Beats { fleet, readings })
    }

    fn tell(&mut self, event: Event) {
        // Forks and reports of workers take time between two ticks, and so do the orders of a tick: a deadline of
        // fleets may pass meanwhile.
        let (told_at, is_ahead) = (self.now, self.fleets.is_empty() || event == Event::Tick);
        if self.tells_story {
            eprintln!("{} {event:?}", self.now);
        }
        self.twin.handle_event(self.now, event.clone());
        self.host.handle_event(self.now, event);
        while let Some(action) = self.host.poll_action() {
            if self.tells_story {
                eprintln!("    {action:?}");
            }
            assert_eq!(
                self.twin.poll_action().as_ref(),
                Some(&action),
                "the same facts give the same orders"
            );
            self.perform(action);
        }
        assert_eq!(self.twin.poll_action(), None, "the same facts give the same orders");
        assert_eq!(self.host, self.twin, "the same facts give the same state");
        assert_eq!(self.host.broken_invariant(), None);
        assert_eq!(self.host.is_ended(), self.finished, "the last order is to finish");
        if let Some(deadline) = self.host.next_deadline().filter(|_| is_ahead) {
            let now = if self.fleets.is_empty() { self.now } else { told_at };
            assert!(deadline.at > now, "{now} wants to be woken at {deadline:?}");
        }
        if self.bytes.is_used_up() {
            self.calm += 1;
            assert!(self.calm < CALM_FACTS_MAX, "a host that is told to stop stops");
        }
    }

    fn perform(&mut self, action: Action) {
        assert!(!self.finished, "{action:?} follows the last order");
        match action {
            Action::Call { service, callback } => self.call(service, callback),
            Action::Receive { service, socket, .. } => self.receive(service, socket),
            Action::Watch { socket, interest } => {
                assert!(!interest.is_none(), "nobody watches for nothing");
                if self.find(socket).is_some() && self.bytes.one_in(64) {
                    self.facts.push_back(Event::WatchFailed { socket, errno: Errno::NOSPC });
                }
            }
            Action::Unwatch { .. } => {}
            Action::Look => self.poll(Some(Instant::ZERO), false),
            Action::EndOnNextSignal => {
                if self.bytes.one_in(32) {
                    self.facts.push_back(Event::SystemFailed { call: "sigaction", errno: Errno::INVAL });
                }
            }
            Action::NotifyFailure { why, .. } => {
                if why == Why::Callback {
                    assert!(std::mem::take(&mut self.cause), "there is a cause to tell");
                }
            }
            Action::CloseService { service } => {
                let closed = &mut self.services[service.index()];
                assert!(!std::mem::replace(closed, true), "{service} is closed twice");
                for seat in 0..self.seats.len() {
                    if self.seats[seat].service == Some(service) {
                        self.close(seat);
                    }
                }
            }
            Action::Tell { notice, .. } => {
                if matches!(notice, Notice::ConnectFailed { .. }) {
                    assert!(std::mem::take(&mut self.cause), "there is a cause to tell");
                }
            }
            Action::Spawn { worker } => self.spawn(worker),
            Action::SignalWorker { worker, signal } => self.signal(worker, signal),
            Action::Nudge { .. }
            | Action::TellFleet { .. }
            | Action::ReopenFiles
            | Action::Reopen { .. } => {}
            Action::Mind { worker, lanes } => {
                assert!(!lanes.is_empty(), "{worker} is told to mind nothing");
                if self.bytes.one_in(8) {
                    self.facts.push_back(Event::MindFailed { worker });
                }
            }
            Action::ReadBeats { fleet } => self.looks.push_back(fleet),
            Action::AskScale { fleet } => {
                let workers = u32::from(self.bytes.next() % 8);
                self.facts.push_back(Event::ScaleAnswered { fleet, workers });
            }
            Action::ReadMemory { fleet } => {
                let meant: Vec<_> = self.processes.keys().filter(|worker| worker.fleet == fleet).copied().collect();
                let bytes = &mut self.bytes;
                let mut read = |worker| {
                    let bytes = u64::from(bytes.next() % 4);
                    (worker, if bytes == 3 { Err(Errno::MFILE) } else { Ok(bytes) })
                };
                let readings = meant.into_iter().map(&mut read).collect();
                self.facts.push_back(Event::Memory { fleet, readings });
            }
            Action::ReadChildNews { reap_strangers } => {
                if reap_strangers && self.bytes.one_in(8) {
                    self.facts.push_back(Event::StrangerReaped { pid: Pid(7) });
                }
            }
            Action::KillAll => self.processes.clear(),
            Action::Finish(_) => {
                assert!(self.processes.is_empty(), "S38: a host that leaves workers behind");
                self.finished = true;
            }
        }
    }

    // The kernel.

    /// What is reported, at some moment up to the deadline, or a while after it.
    fn poll(&mut self, deadline: Option<Instant>, waits: bool) {
        let calm = self.bytes.is_used_up();
        if waits && !calm {
            let reaches_deadline = self.bytes.one_in(2);
            self.now = match deadline.filter(|_| reaches_deadline) {
                Some(deadline) if self.fleets.is_empty() => deadline.max(self.now),
                Some(deadline) => deadline.clamp(self.now, self.now + JUMP_MAX),
                None if self.bytes.one_in(2) => self.now + MS * u32::from(self.bytes.next() % 64),
                None => self.now + self.bytes.delay().min(Duration::from_secs(1)),
            };
        }
        if calm {
            self.calm_down(deadline.filter(|_| waits));
        }
        self.bury(calm);
        for _ in 0..self.bytes.below(4) {
            if !self.fleets.is_empty() && self.bytes.below(4) > 0 {
                self.deed();
                continue;
            }
            match self.bytes.below(16) {
                0 => self.facts.push_back(Event::Signalled(Signal::Term)),
                1 => self.facts.push_back(Event::SystemFailed { call: "epoll_wait", errno: Errno::NOMEM }),
                _ => {
                    // Perhaps one that was closed meanwhile, or that nobody wants to hear of.
                    let seat = self.bytes.below(self.seats.len());
                    let Some(Seat { generation, .. }) = self.seats.get(seat).copied() else { continue };
                    let before = self.bytes.one_in(16);
                    let socket = SocketId::new(seat as u32, generation.saturating_sub(u32::from(before)));
                    let bits = self.bytes.next();
                    let [readable, writable, ended] = [1, 2, 4].map(|bit| bits & bit == 0);
                    let readiness = Readiness { readable, writable, ended };
                    self.facts.push_back(Event::Ready { socket, readiness });
                }
            }
        }
        self.facts.push_back(Event::Tick);
    }

    /// A stop is asked for, and time goes by for the timers of fleets alone: those of services may ask for
    /// never.
    fn calm_down(&mut self, deadline: Option<Instant>) {
        if self.fleets.is_empty() || self.calm >= PATIENCE_FACTS {
            self.facts.push_back(Event::Signalled(Signal::Term));
            return;
        }
        let Some(since) = self.calm_since else {
            self.calm_since = Some(self.now);
            let signal = [Signal::Term, Signal::Quit][self.gone.len() % 2];
            self.facts.push_back(Event::Signalled(signal));
            return;
        };
        let late = self.now + LATE;
        self.now = deadline.map_or(late, |deadline| deadline.clamp(late, late + LATE));
        let empty = self.processes.is_empty() || self.now.since(since) <= EMPTY_AFTER;
        assert!(empty, "L4: {} after {since} there is {:?}", self.now, self.processes.keys());
    }

    // The workers.

    fn spawn(&mut self, worker: WorkerId) {
        let seated =
            self.processes.keys().find(|other| (other.fleet, other.slot) == (worker.fleet, worker.slot));
        assert_eq!(seated, None, "S16: {worker} is to sit where somebody sits");
        self.now = self.now + Duration::from_nanos(u64::from(self.bytes.next()) << 10);
        let failed = match self.bytes.below(64) {
            56..63 => Some(ForkError::System { call: "fork", errno: Errno::AGAIN }),
            63 if self.bytes.one_in(4) => Some(ForkError::Threads { count: 2 }),
            _ => None,
        };
        if let Some(error) = failed {
            self.facts.push_back(Event::SpawnFailed { worker, error });
            return;
        }
        self.pids += 1;
        let process = Process {
            pid: Pid(self.pids),
            slot: SlotReading::default(),
            is_ready: false,
            is_stopped: false,
            is_stubborn: false,
            ended: None,
        };
        self.processes.insert(worker, process);
        self.facts.push_back(Event::Spawned { worker, pid: Pid(self.pids) });
    }

    fn signal(&mut self, worker: WorkerId, signal: Signal) {
        // It was reaped, and the host will hear of that.
        let Some(process) = self.processes.get_mut(&worker) else { return };
        let is_deaf = process.is_stubborn || process.is_stopped;
        if process.ended.is_none() && (signal == Signal::Kill || !is_deaf) {
            process.ended = Some(match signal {
                Signal::Quit | Signal::Term => ExitStatus::Code(0),
                other => ExitStatus::by(other),
            });
        }
        if signal != Signal::Kill && self.bytes.one_in(32) {
            self.facts.push_back(Event::SignalFailed { worker, signal, errno: Errno::PERM });
        }
    }

    /// The host hears of those that have ended: of some, or of all.
    fn bury(&mut self, calm: bool) {
        let ended = self.processes.iter().filter_map(|(worker, process)| Some((*worker, process.ended?)));
        for (worker, status) in ended.collect::<Vec<_>>() {
            if calm || self.bytes.below(3) > 0 {
                self.processes.remove(&worker);
                self.gone.insert(0, worker);
                self.gone.truncate(GONE_MAX);
                // Sometimes the author has something to say about it.
                if !calm && self.bytes.one_in(8) {
                    let all = [Restart::Permanent, Restart::Transient, Restart::Never];
                    let restart = all[self.bytes.below(all.len())];
                    self.facts.push_back(Event::ExitJudged { worker, restart });
                }
                self.facts.push_back(Event::WorkerExited { worker, status });
            }
        }
    }

    /// A worker does something, or somebody does it to one.
    fn deed(&mut self) {
        let what = self.bytes.below(20);
        match what {
            16 => return self.gossip(),
            17 => return self.facts.push_back(Event::Signalled(SIGNALS[self.bytes.below(SIGNALS.len())])),
            _ => {}
        }
        let chosen = self.bytes.below(self.processes.len());
        let Some((worker, process)) = self.processes.iter_mut().nth(chosen) else { return };
        let (worker, now, pid) = (*worker, self.now, process.pid);
        if process.ended.is_some() || process.is_stopped && what != 15 {
            return;
        }
        let mut says = None;
        match what {
            0..=4 => {
                // It shows that it is alive before it says so; the coarse clock may be ahead.
                let at = now + MS * u32::from(self.bytes.next() % 8);
                process.slot.beat = Some(Beat { at, pace: Pace::Busy });
                process.slot.requests += 1;
                process.slot.connections = process.slot.requests % 3;
                if !std::mem::replace(&mut process.is_ready, true) {
                    says = Some(Ok(FromWorker::Ready));
                }
            }
            5..=6 if process.is_ready => process.slot.beat = Some(Beat { at: now, pace: Pace::Waiting }),
            7 => says = Some(Ok(FromWorker::ServedEnough)),
            8 => {
                process.slot.extended_until = Some(now + MS * u32::from(self.bytes.next()));
                says = Some(Ok(FromWorker::Extended));
            }
            9 => says = Some(Err(Garbled { first: self.bytes.next(), length: 2 })),
            10 => process.is_stubborn = true,
            11 => process.ended = Some(ExitStatus::Code(0)),
            12 => process.ended = Some(ExitStatus::Code(self.bytes.next())),
            13 => process.ended = Some(ExitStatus::by(Signal::Segv)),
            14 => {
                process.is_stopped = true;
                self.facts.push_back(Event::ChildStopped { pid });
            }
            15 if std::mem::take(&mut process.is_stopped) => {
                self.facts.push_back(Event::ChildContinued { pid });
            }
            // A word of its slot is overwritten by somebody who is long gone.
            18 => process.slot = SlotReading::default(),
            _ => says = Some(Ok(FromWorker::Ready)),
        }
        self.facts.extend(says.map(|message| Event::WorkerSaid { worker, message }));
    }

    /// Facts that are late, or about nobody.
    fn gossip(&mut self) {
        let chosen = self.bytes.below(self.gone.len());
        let Some(worker) = self.gone.get(chosen).copied() else { return };
        let reading = SlotReading { requests: 3, ..SlotReading::default() };
        self.facts.push_back(match self.bytes.below(8) {
            6 => Event::MindFailed { worker },
            0 => Event::WorkerExited { worker, status: ExitStatus::Code(1) },
            1 => Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) },
            2 => Event::Spawned { worker, pid: Pid(1) },
            3 => Event::SignalFailed { worker, signal: Signal::Kill, errno: Errno::SRCH },
            4 => Event::ChildStopped { pid: Pid(1) },
            5 => Event::Beats { fleet: worker.fleet, readings: vec![(worker, reading)] },
            _ => Event::StrangerReaped { pid: Pid(1) },
        });
    }

    // The services.

    fn call(&mut self, service: ServiceId, callback: Callback) {
        self.enter(service);
        let outcome = match (callback, self.bytes.below(16)) {
            (_, 15) => Outcome::Failed,
            (Callback::Connect | Callback::Drain, 12..) => Outcome::NotYet,
            _ => Outcome::Done(Activity::Progress),
        };
        self.returned(service, callback, outcome);
    }

    fn receive(&mut self, service: ServiceId, socket: SocketId) {
        assert_eq!(self.find(socket), Some(service), "{socket} is open, and another's");
        self.enter(service);
        let outcome = match (self.find(socket), self.bytes.below(8)) {
            (_, 7) => Outcome::Failed,
            (None, _) | (_, 0..=3) => Outcome::Done(Activity::Progress),
            (_, 4..=5) => Outcome::Done(Activity::Nothing),
            _ => Outcome::Done(Activity::Starved),
        };
        self.returned(service, Callback::Receive, outcome);
    }

    fn returned(&mut self, service: ServiceId, callback: Callback, outcome: Outcome) {
        self.cause |= outcome == Outcome::Failed;
        self.facts.push_back(Event::Returned { service, callback, outcome });
    }

    /// Whatever user code does in a callback.
    fn enter(&mut self, service: ServiceId) {
        assert!(!self.services[service.index()], "{service} is called after it was closed");
        for _ in 0..self.bytes.below(4) {
            let seat = self.bytes.below(self.seats.len());
            match self.bytes.below(12) {
                0..=2 => self.open(service),
                3..=4 => self.close(seat),
                5 => self.change_interest(seat),
                6 => {
                    let at = match self.bytes.below(4) {
                        0 => None,
                        1 => Some(Instant::ZERO),
                        _ => Some(self.now + self.bytes.delay()),
                    };
                    self.facts.push_back(Event::WakeAsked { service, at });
                }
                7 => {
                    let failed = self.bytes.one_in(2);
                    self.facts.push_back(Event::ReconnectAsked { service, failed });
                }
                8 => self.add(),
                9 => {
                    if self.bytes.one_in(4) {
                        self.facts.push_back(Event::StopAsked);
                    }
                }
                10 => {
                    if self.bytes.one_in(8) {
                        self.facts.push_back(Event::DrainAsked);
                    }
                }
                _ => {
                    // Perhaps one that does not exist.
                    let fleet = FleetId::new(self.bytes.below(1 + self.fleets.len()) as u16);
                    let workers = self.bytes.below(7) as u32;
                    self.facts.push_back(match workers {
                        5 => Event::RestoreAsked { fleet },
                        6 => Event::StartAbandoned { fleet },
                        _ => Event::ResizeAsked { fleet, workers },
                    });
                }
            }
        }
        self.now = self.now + Duration::from_nanos(u64::from(self.bytes.next()));
    }

    fn add(&mut self) {
        if self.services.len() < SERVICES_MAX {
            let service = ServiceId::new(self.services.len() as u32);
            self.services.push(false);
            let reconnect = match self.bytes.below(3) {
                0 => Reconnect::EachTurn,
                _ => {
                    let first = self.bytes.delay().max(Duration::from_nanos(1));
                    Reconnect::backoff(first, first.max(self.bytes.delay()))
                }
            };
            let on_connect_error = [OnConnectError::End, OnConnectError::Retry][self.bytes.below(2)];
            self.facts.push_back(Event::Added { service, reconnect, on_connect_error });
        }
    }

    fn open(&mut self, service: ServiceId) {
        let interest = [Interest::READ, Interest::WRITE][self.bytes.below(2)];
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.seats.len() < SOCKETS_MAX => {
                self.seats.push(Seat { generation: 0, service: None, interest });
                self.seats.len() - 1
            }
            None => return,
        };
        let seat = &mut self.seats[index];
        (seat.service, seat.interest) = (Some(service), interest);
        let socket = SocketId::new(index as u32, seat.generation);
        self.facts.push_back(Event::Opened { socket, service, interest });
    }

    fn close(&mut self, index: usize) {
        let Some(seat) = self.seats.get_mut(index) else { return };
        if seat.service.take().is_some() {
            let socket = SocketId::new(index as u32, seat.generation);
            seat.generation += 1;
            self.free.push(index);
            self.facts.push_back(Event::Closed { socket });
        }
    }

    fn change_interest(&mut self, index: usize) {
        let all = [Interest::NONE, Interest::READ, Interest::WRITE, Interest::READ | Interest::WRITE];
        let interest = all[self.bytes.below(all.len())];
        let Some(seat) = self.seats.get_mut(index) else { return };
        if seat.service.is_some() && seat.interest != interest {
            seat.interest = interest;
            let socket = SocketId::new(index as u32, seat.generation);
            self.facts.push_back(Event::InterestChanged { socket, interest });
        }
    }

    /// Whose an open socket is.
    fn find(&self, socket: SocketId) -> Option<ServiceId> {
        let seat = self.seats.get(socket.index()).filter(|seat| seat.generation == socket.generation())?;
        seat.service
    }
}

/// What may come at any time.
const SIGNALS: [Signal; 12] = [
    Signal::Ttin,
    Signal::Ttou,
    Signal::Winch,
    Signal::Winch,
    Signal::Hup,
    Signal::Cont,
    Signal::Cont,
    Signal::Chld,
    Signal::Usr2,
    Signal::Quit,
    Signal::Int,
    Signal::Term,
];

/// Settings in milliseconds, so that small steps of time matter.
fn fleet(bytes: &mut Bytes<'_>) -> FleetConfig {
    let workers = bytes.below(5) as u32;
    let flags = bytes.next();
    let is_set = |bit: u8| flags & 1 << bit != 0;
    FleetConfig {
        workers: Some(workers),
        workers_max: Some((workers + bytes.below(4) as u32).max(1)),
        boot_timeout: 90 * MS,
        heartbeat_timeout: 50 * MS,
        late_warning: is_set(0).then(|| MS * (1 + bytes.below(49) as u32)),
        soft_signal: is_set(1)
            .then(|| SoftSignal { signal: Signal::Abrt, grace: MS * (1 + bytes.below(60) as u32) }),
        idle_beats: is_set(2),
        drain_timeout: 120 * MS,
        term_timeout: 30 * MS,
        surge_max: 1 + u32::from(is_set(3)),
        backoff: Backoff { first: 8 * MS, max: 40 * MS },
        stable_after: 60 * MS,
        restart_budget: Some(RestartBudget { count: 1 + bytes.below(5) as u32, window: 300 * MS }),
        on_exhausted: [OnExhausted::KeepTrying, OnExhausted::StopFleet, OnExhausted::StopHost]
            [bytes.below(3)],
        degraded_retry: 70 * MS,
        kill_budget: is_set(4).then(|| KillBudget { percent: 1 + bytes.below(99) as u8, window: 70 * MS }),
        restart: [Restart::Permanent, Restart::Permanent, Restart::Transient, Restart::Never][bytes.below(4)],
        restart_by_status: if is_set(5) { [(9, Restart::Never)].into() } else { Vec::new() },
        deaths_kept: 3,
        spread: is_set(6),
        memory: MemoryBound { max: is_set(5).then_some(1), period: 35 * MS, ..MemoryBound::default() },
        spares: Spares {
            min: is_set(7).then_some(1),
            max: None,
            period: 15 * MS,
            shrink_after: 40 * MS,
        },
        ..FleetConfig::new("")
    }
}

fuzz_target!(|bytes: &[u8]| {
    if let Some(mut world) = World::new(bytes) {
        world.run();
    }
});
