//! Bytes become the world of a `Host`: what its services do in each callback, and what the kernel
//! reports. The world keeps to the driver's contract and to nothing else; services may do the silliest
//! things that the types allow.
//!
//! After each fact: no invariant is broken, the next deadline lies ahead, a second host that is told the
//! same orders the same. When the bytes are used up the world is calm and sends TERM: then the host ends.
//!
//! `STORY=1` prints each fact and order, for a failure that is to be told.

#![no_main]

use host_core::action::{Action, Why};
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::host::Host;
use host_core::id::{ServiceId, SocketId};
use host_core::notice::Notice;
use host_core::service::kick::Callback;
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::sys::{Errno, Interest, Readiness, Signal};
use host_core::time::{Duration, Instant};
use libfuzzer_sys::fuzz_target;
use std::collections::VecDeque;

/// More services or sockets than this find nothing that fewer do not.
const SERVICES_MAX: usize = 6;
const SOCKETS_MAX: usize = 12;
/// How many facts a calm host may need to its end.
const CALM_FACTS_MAX: usize = 1000;
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
    /// A callback failed, and nobody was told yet.
    cause: bool,
    finished: bool,
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
            ..HostConfig::default()
        };
        if !config.mistakes().is_empty() {
            return None;
        }
        let turns_max = [None, None, Some(0), Some(1), Some(5)][bytes.below(5)];
        let mut world = Self {
            bytes,
            host: Host::new(config.clone()),
            twin: Host::new(config),
            now: Instant::from_nanos(1),
            facts: VecDeque::new(),
            services: Vec::new(),
            seats: Vec::new(),
            free: Vec::new(),
            cause: false,
            finished: false,
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
            while let Some(event) = self.facts.pop_front() {
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

    fn tell(&mut self, event: Event) {
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
        if let Some(deadline) = self.host.next_deadline() {
            assert!(deadline.at > self.now, "{} wants to be woken at {deadline:?}", self.now);
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
            Action::Finish(_) => self.finished = true,
        }
    }

    // The kernel.

    /// What is reported, at some moment up to the deadline, or a while after it.
    fn poll(&mut self, deadline: Option<Instant>, waits: bool) {
        let calm = self.bytes.is_used_up();
        if waits && !calm {
            let reaches_deadline = self.bytes.one_in(2);
            self.now = match deadline.filter(|_| reaches_deadline) {
                Some(deadline) => deadline.max(self.now),
                None => self.now + self.bytes.delay().min(Duration::from_secs(1)),
            };
        }
        if calm {
            self.facts.push_back(Event::Signalled(Signal::Term));
        }
        for _ in 0..self.bytes.below(4) {
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

    // The services.

    fn call(&mut self, service: ServiceId, callback: Callback) {
        self.enter(service);
        let outcome = match (callback, self.bytes.below(16)) {
            (_, 15) => Outcome::Failed,
            (Callback::Connect, 12..) => Outcome::NotYet,
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
            match self.bytes.below(10) {
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
                _ => {
                    if self.bytes.one_in(4) {
                        self.facts.push_back(Event::StopAsked);
                    }
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

fuzz_target!(|bytes: &[u8]| {
    if let Some(mut world) = World::new(bytes) {
        world.run();
    }
});
