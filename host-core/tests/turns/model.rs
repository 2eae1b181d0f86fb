//! The promises that hold whatever happens, over every sequence of facts that a driver may tell.
//!
//! [`World`] plays the driver, the poller and all services: it asks a [`Choose`] what happens next, so
//! that the same code serves random sequences and the enumeration of all short ones.

use crate::rig::MS;
use host_core::action::{Action, Ending};
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::host::Host;
use host_core::id::{ServiceId, SocketId};
use host_core::service::kick::Callback;
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::sys::{Errno, Interest, Readiness, Signal};
use host_core::time::{Duration, Instant};
use proptest::prelude::*;
use std::collections::BTreeMap;

const SERVICES_MAX: u32 = 4;
const SOCKETS_MAX: usize = 6;

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_host_keeps_its_promises(
        config in configs(), choices in prop::collection::vec(any::<u32>(), 20..600),
    ) {
        World::new(config, Everything).run(&mut Random { choices, next: 0 });
    }

    #[test]
    fn whatever_quietly_happens_the_host_keeps_its_promises(
        config in configs(), choices in prop::collection::vec(any::<u32>(), 20..600),
    ) {
        // Without failures and stops, so that runs are long.
        World::new(config, Quiet).run(&mut Random { choices, next: 0 });
    }
}

#[test]
fn every_short_sequence_for_two_services_keeps_the_promises() {
    let config =
        HostConfig { burst: 2, empty_wakes_max: 2, poll_period: Some(10 * MS), ..HostConfig::default() };
    let mut every = Every::default();
    let mut runs = 0;
    loop {
        let mut world = World::new(config.clone(), Small);
        world.facts_left = 20;
        world.run(&mut every);
        runs += 1;
        assert!(runs < 100_000, "a host that calls nobody has more sequences than anyone can try");
        if !every.advance() {
            break;
        }
    }
    assert!(runs > 10_000, "only {runs} sequences were tried");
}

fn configs() -> impl Strategy<Value = HostConfig> {
    let period = prop_oneof![Just(None), Just(Some(Duration::ZERO)), (1u32..30).prop_map(|ms| Some(ms * MS))];
    (period, 1u32..5, 1u32..4, any::<u64>()).prop_map(|(poll_period, empty_wakes_max, burst, seed)| {
        HostConfig {
            poll_period,
            empty_wakes_max,
            burst,
            seed,
            accept_pause: 7 * MS,
            ..HostConfig::default()
        }
    })
}

/// What may happen in a world.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Everything,
    /// Nothing that ends the host.
    Quiet,
    /// Little enough to try all of it.
    Small,
}
use Extent::{Everything, Quiet, Small};

/// Says what happens next.
trait Choose {
    /// One of `0..n`; `None` if the run is over.
    fn below(&mut self, n: u32) -> Option<u32>;
}

/// Takes its choices from a list.
struct Random {
    choices: Vec<u32>,
    next: usize,
}

impl Choose for Random {
    fn below(&mut self, n: u32) -> Option<u32> {
        let choice = self.choices.get(self.next)?;
        self.next += 1;
        Some(choice % n)
    }
}

/// Takes all choices, one sequence after the other: the last choice that has another value takes it, and
/// those after it begin anew.
#[derive(Default)]
struct Every {
    /// Each choice of the run, and of how many.
    taken: Vec<(u32, u32)>,
    next: usize,
}

impl Every {
    fn advance(&mut self) -> bool {
        self.next = 0;
        while let Some((choice, n)) = self.taken.pop() {
            if choice + 1 < n {
                self.taken.push((choice + 1, n));
                return true;
            }
        }
        false
    }
}

impl Choose for Every {
    fn below(&mut self, n: u32) -> Option<u32> {
        if self.next == self.taken.len() {
            self.taken.push((0, n));
        }
        let (choice, _) = self.taken[self.next];
        self.next += 1;
        Some(choice)
    }
}

/// What the host has to wait for before it gives another order of that kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    Call(ServiceId, Callback),
    Receive(ServiceId, SocketId),
    Look,
    /// The host waits.
    Nothing,
}

struct Socket {
    service: ServiceId,
    interest: Interest,
    /// What the host told the poller.
    watched: Interest,
    /// It was reported, and neither served nor changed since.
    is_reported: bool,
}

#[derive(Default)]
struct Service {
    is_closed: bool,
    was_stopped: bool,
    was_drained: bool,
    /// Its `prepare` has to come before the next wait.
    needs_prepare: bool,
    /// How many receives of others there were since it had a socket reported.
    overtaken: BTreeMap<ServiceId, u32>,
    /// The moment it asked to be woken at.
    wake: Option<Instant>,
}

struct World {
    extent: Extent,
    config: HostConfig,
    host: Host,
    /// Is told the same, and must do the same.
    twin: Host,
    now: Instant,
    out: Out,
    services: Vec<Service>,
    sockets: BTreeMap<SocketId, Socket>,
    /// The next generation of each seat.
    seats: Vec<u32>,
    facts_left: u32,
    turns_of_last_receive: u64,
    /// Who was received last, and how many times in a row since the last look or wait.
    streak: (Option<ServiceId>, u32),
    notified: u32,
    is_draining: bool,
    ending: Option<Ending>,
}

impl World {
    fn new(config: HostConfig, extent: Extent) -> Self {
        let host = Host::new(config.clone());
        Self {
            extent,
            config,
            twin: host.clone(),
            host,
            now: Instant::ZERO,
            out: Out::Nothing,
            services: Vec::new(),
            sockets: BTreeMap::new(),
            seats: Vec::new(),
            facts_left: u32::MAX,
            turns_of_last_receive: 0,
            streak: (None, 0),
            notified: 0,
            is_draining: false,
            ending: None,
        }
    }

    /// Plays until the host has ended, or there is no choice left.
    fn run(&mut self, choose: &mut impl Choose) {
        let _ = self.play(choose);
    }

    fn play(&mut self, choose: &mut impl Choose) -> Option<()> {
        let services = if self.extent == Small { 2 } else { choose.below(SERVICES_MAX)? };
        for _ in 0..services {
            self.add(choose)?;
        }
        let turns_max = match self.extent {
            Everything if choose.below(4)? == 0 => Some(u64::from(choose.below(20)?)),
            Everything | Quiet | Small => None,
        };
        self.tell(Event::Started { turns_max });
        while self.ending.is_none() && self.facts_left > 0 {
            match self.out {
                Out::Call(service, callback) => self.call(service, callback, choose)?,
                Out::Receive(service, socket) => self.receive(service, socket, choose)?,
                Out::Look => self.report(choose)?,
                Out::Nothing => self.wait(choose)?,
            }
        }
        Some(())
    }

    // What may happen.

    fn add(&mut self, choose: &mut impl Choose) -> Option<()> {
        let (reconnect, on_connect_error) = match self.extent {
            Small => (Reconnect::EachTurn, OnConnectError::End),
            Everything | Quiet => (
                [Reconnect::EachTurn, Reconnect::backoff(3 * MS, 20 * MS)][choose.below(2)? as usize],
                [OnConnectError::End, OnConnectError::Retry][choose.below(2)? as usize],
            ),
        };
        let service = ServiceId::new(u32::try_from(self.services.len()).expect("few services"));
        self.services.push(Service::default());
        // A service alone is served without end; its burst begins with the first other.
        self.streak = (None, 0);
        self.tell(Event::Added { service, reconnect, on_connect_error });
        Some(())
    }

    fn call(&mut self, service: ServiceId, callback: Callback, choose: &mut impl Choose) -> Option<()> {
        if self.extent == Small {
            if callback == Callback::Connect && self.held_by(service) == 0 {
                self.open(service, Interest::READ);
            }
        } else {
            self.user_code(service, choose)?;
        }
        let outcome = match (callback, self.extent) {
            (Callback::Connect, Small) => Outcome::Done(Activity::Progress),
            (Callback::Connect, Everything) => match choose.below(8)? {
                0 => Outcome::Failed,
                1 => Outcome::NotYet,
                _ => Outcome::Done(Activity::Progress),
            },
            (Callback::Connect, Quiet) => match choose.below(3)? {
                0 => Outcome::NotYet,
                _ => Outcome::Done(Activity::Progress),
            },
            (_, Everything) if choose.below(40)? == 0 => Outcome::Failed,
            (Callback::Drain, Everything) if choose.below(2)? == 0 => Outcome::NotYet,
            _ => Outcome::Done(Activity::Progress),
        };
        self.returned(service, callback, outcome);
        Some(())
    }

    fn receive(&mut self, service: ServiceId, socket: SocketId, choose: &mut impl Choose) -> Option<()> {
        let outcome = if self.extent == Small {
            // The one callback in which all the variety of the small world is.
            match choose.below(6)? {
                0 => self.close(socket),
                1 => self.open(service, Interest::READ),
                2 => self.want(socket, Interest::NONE),
                3 => {
                    let others: Vec<_> = self.sockets.keys().copied().filter(|id| *id != socket).collect();
                    others.into_iter().for_each(|id| self.close(id));
                }
                _ => {}
            }
            Outcome::Done([Activity::Progress, Activity::Nothing][choose.below(2)? as usize])
        } else {
            self.user_code(service, choose)?;
            match choose.below(if self.extent == Quiet { 8 } else { 40 })? {
                8 => Outcome::Failed,
                7 => Outcome::Done(Activity::Starved),
                6 if self.extent == Everything => Outcome::Done(Activity::Nothing),
                _ => Outcome::Done(Activity::Progress),
            }
        };
        self.returned(service, Callback::Receive, outcome);
        Some(())
    }

    /// What a callback does to its host before it comes back.
    fn user_code(&mut self, service: ServiceId, choose: &mut impl Choose) -> Option<()> {
        self.now = self.now + choose.below(3)? * MS;
        for _ in 0..choose.below(3)? {
            match choose.below(16)? {
                0..4 => self.open(service, interest(choose)?),
                4..6 => {
                    if let Some(socket) = self.some_socket(choose)? {
                        self.close(socket);
                    }
                }
                6..8 => {
                    let interest = interest(choose)?;
                    if let Some(socket) = self.some_socket(choose)? {
                        self.want(socket, interest);
                    }
                }
                8..11 => {
                    let at = self.now + choose.below(12)? * MS - 3 * MS;
                    self.wake_asked(service, Some(at));
                }
                11 => self.wake_asked(service, None),
                12 => {
                    let failed = choose.below(2)? == 1;
                    self.tell(Event::ReconnectAsked { service, failed });
                }
                13 if self.services.len() < SERVICES_MAX as usize => self.add(choose)?,
                14 if self.extent == Everything && choose.below(10)? == 0 => self.tell(Event::StopAsked),
                15 if self.extent == Everything && choose.below(10)? == 0 => {
                    if let Some(socket) = self.some_socket(choose)? {
                        self.tell(Event::WatchFailed { socket, errno: Errno::NOSPC });
                    }
                }
                _ => {}
            }
            if self.ending.is_some() {
                return None;
            }
        }
        Some(())
    }

    /// The host waits: until something is reported, or until its deadline.
    fn wait(&mut self, choose: &mut impl Choose) -> Option<()> {
        if self.extent == Small {
            return self.report(choose);
        }
        let before = self.host.clone();
        if choose.below(4)? == 0 {
            self.tell(Event::Tick);
            assert_eq!(self.host, before, "a needless tick changes nothing");
        }
        let deadline = self.host.next_deadline();
        let reachable = self.sockets.values().any(|socket| !socket.watched.is_none());
        match (deadline, choose.below(3)?) {
            (Some(deadline), 0) => {
                self.now = deadline.at + choose.below(2)? * MS;
                self.tell(Event::Tick);
                Some(())
            }
            (None, _) if !reachable => None,
            _ => {
                // Readiness may come after the deadline: it was read late.
                self.now = self.now + choose.below(60)? * MS;
                self.report(choose)
            }
        }
    }

    /// The poller reports what it likes, and the tick follows.
    fn report(&mut self, choose: &mut impl Choose) -> Option<()> {
        let watched: Vec<_> = self.sockets.iter().filter(|(_, socket)| !socket.watched.is_none()).collect();
        let watched: Vec<_> = watched.into_iter().map(|(id, socket)| (*id, socket.watched)).collect();
        if self.extent == Small {
            // All sockets, none, or each alone.
            let which = choose.below(2 + u32::try_from(watched.len()).expect("few sockets"))?;
            for (index, (socket, _)) in (2..).zip(watched) {
                if which == 1 || which == index {
                    self.ready(socket, Readiness { readable: true, writable: false, ended: false });
                }
            }
            if which == 0 {
                self.now = self.host.next_deadline().map_or(self.now, |deadline| deadline.at);
            }
            self.tell(Event::Tick);
            return Some(());
        }
        for (socket, interest) in watched {
            if choose.below(3)? > 0 {
                let all = Readiness { readable: true, writable: true, ended: choose.below(8)? == 0 };
                self.ready(socket, all.within(interest));
            }
        }
        if choose.below(4)? == 0 {
            let gone = SocketId::new(choose.below(SOCKETS_MAX as u32)?, u32::MAX);
            self.tell(Event::Ready {
                socket: gone,
                readiness: Readiness { readable: true, ..Default::default() },
            });
        }
        if self.extent == Everything {
            match choose.below(200)? {
                0 => self.tell(Event::SystemFailed { call: "epoll_wait", errno: Errno::BADF }),
                1..3 => self.tell(Event::Signalled(Signal::Term)),
                3 => {
                    self.tell(Event::Signalled(Signal::Int));
                    self.tell(Event::Signalled(Signal::Term));
                }
                4..6 => {
                    self.tell(Event::Signalled(Signal::Quit));
                    self.is_draining = true;
                }
                _ => {}
            }
        }
        self.tell(Event::Tick);
        Some(())
    }

    // What is told, and what of it the world remembers.

    fn open(&mut self, service: ServiceId, interest: Interest) {
        if self.sockets.len() == SOCKETS_MAX {
            return;
        }
        let free = (0..).find(|seat| self.sockets.keys().all(|id| id.index() != *seat)).expect("a free seat");
        if self.seats.len() <= free {
            self.seats.push(0);
        }
        let id = SocketId::new(u32::try_from(free).expect("few seats"), self.seats[free]);
        self.seats[free] += 1;
        let watched = Interest::NONE;
        self.sockets.insert(id, Socket { service, interest, watched, is_reported: false });
        self.tell(Event::Opened { socket: id, service, interest });
    }

    fn close(&mut self, socket: SocketId) {
        self.sockets.remove(&socket);
        self.tell(Event::Closed { socket });
    }

    fn want(&mut self, id: SocketId, interest: Interest) {
        let socket = self.sockets.get_mut(&id).expect("only open sockets are chosen");
        if socket.interest != interest {
            socket.interest = interest;
            socket.is_reported = false;
            self.tell(Event::InterestChanged { socket: id, interest });
        }
    }

    fn wake_asked(&mut self, service: ServiceId, at: Option<Instant>) {
        self.services[service.index()].wake = at;
        self.tell(Event::WakeAsked { service, at });
    }

    fn ready(&mut self, id: SocketId, readiness: Readiness) {
        self.sockets.get_mut(&id).expect("only open sockets are reported").is_reported = true;
        self.tell(Event::Ready { socket: id, readiness });
    }

    fn returned(&mut self, service: ServiceId, callback: Callback, outcome: Outcome) {
        let prepares =
            matches!(callback, Callback::Connect | Callback::Receive | Callback::Wake | Callback::Drain);
        let goes_on = matches!(outcome, Outcome::Done(_)) || callback == Callback::Drain;
        if prepares && goes_on {
            self.services[service.index()].needs_prepare = true;
        }
        self.tell(Event::Returned { service, callback, outcome });
    }

    fn held_by(&self, service: ServiceId) -> usize {
        self.sockets.values().filter(|socket| socket.service == service).count()
    }

    fn some_socket(&self, choose: &mut impl Choose) -> Option<Option<SocketId>> {
        if self.sockets.is_empty() {
            return Some(None);
        }
        let index = choose.below(u32::try_from(self.sockets.len()).expect("few sockets"))?;
        Some(self.sockets.keys().nth(index as usize).copied())
    }

    /// Tells both hosts, drains both, and looks at each promise.
    fn tell(&mut self, event: Event) {
        self.facts_left = self.facts_left.saturating_sub(1);
        let answers_a_look = event == Event::Tick;
        let answers_a_call = matches!(event, Event::Returned { .. });
        if (answers_a_look && self.out == Out::Look) || answers_a_call {
            self.out = Out::Nothing;
        }
        let is_idle = self.out == Out::Nothing && (answers_a_look || answers_a_call);
        self.twin.handle_event(self.now, event.clone());
        self.host.handle_event(self.now, event);
        while let Some(action) = self.host.poll_action() {
            assert_eq!(
                self.twin.poll_action().as_ref(),
                Some(&action),
                "the same facts give the same orders"
            );
            self.order(&action);
        }
        assert_eq!(self.twin.poll_action(), None);
        assert_eq!(self.twin, self.host);
        assert_eq!(self.host.broken_invariant(), None);
        let deadline = self.host.next_deadline();
        assert!(deadline.is_none_or(|deadline| deadline.at > self.now), "{deadline:?} at {}", self.now);
        assert_eq!(self.host.is_ended(), self.ending.is_some());
        if is_idle && self.out == Out::Nothing && self.ending.is_none() {
            self.check_wait();
        }
    }

    fn order(&mut self, action: &Action) {
        assert_eq!(self.ending, None, "nothing follows the last order");
        match *action {
            Action::Call { service, callback } => {
                self.check_call(service);
                self.out = Out::Call(service, callback);
                let member = &mut self.services[service.index()];
                match callback {
                    Callback::Prepare => {
                        assert!(member.needs_prepare, "prepare is called once after each other callback");
                        member.needs_prepare = false;
                    }
                    Callback::Connect => {
                        assert!(!self.is_draining, "nothing new is begun during a drain");
                        member.needs_prepare = false;
                    }
                    Callback::Wake => {
                        let asked = member.wake.take().expect("wake is called once, if it was asked for");
                        assert!(asked <= self.now, "wake is not called before its moment");
                    }
                    Callback::Stop => {
                        assert!(!member.was_stopped, "stop is called once");
                        member.was_stopped = true;
                        assert!(self.services[service.index() + 1..].iter().all(|younger| younger.is_closed));
                    }
                    Callback::Drain => {
                        assert!(!member.was_drained, "drain is called once");
                        member.was_drained = true;
                    }
                    Callback::Receive => panic!("a receive is ordered with its socket"),
                }
            }
            Action::Receive { service, socket, readiness } => {
                self.check_call(service);
                self.out = Out::Receive(service, socket);
                self.check_receive(service, socket, readiness);
            }
            Action::Look => {
                assert_eq!(self.out, Out::Nothing, "one thing at a time");
                self.out = Out::Look;
                self.streak = (None, 0);
            }
            Action::Watch { socket, interest } => {
                assert!(!interest.is_none(), "nothing is no interest to watch for");
                self.sockets.get_mut(&socket).expect("only open sockets are watched").watched = interest;
            }
            Action::Unwatch { socket } => {
                let socket = self.sockets.get_mut(&socket).expect("only open sockets are unwatched");
                assert!(!socket.watched.is_none(), "only watched sockets are unwatched");
                socket.watched = Interest::NONE;
                socket.is_reported = false;
            }
            Action::NotifyFailure { .. } => self.notified += 1,
            Action::CloseService { service } => {
                let member = &mut self.services[service.index()];
                assert!(!member.is_closed, "a service is closed once");
                member.is_closed = true;
            }
            Action::EndOnNextSignal | Action::Tell { .. } => {}
            Action::Spawn { .. }
            | Action::SignalWorker { .. }
            | Action::Nudge { .. }
            | Action::Mind { .. }
            | Action::ReadBeats { .. }
            | Action::ReadMemory { .. }
            | Action::AskScale { .. }
            | Action::ReadChildNews { .. }
            | Action::ReopenFiles
            | Action::Reopen { .. }
            | Action::KillAll
            | Action::TellFleet { .. } => panic!("{action:?} of a host without fleets"),
            Action::Finish(ending) => {
                assert!(self.services.iter().all(|service| service.is_closed), "all are closed at the end");
                assert_eq!(ending == Ending::ServiceFailed, self.notified > 0);
                self.ending = Some(ending);
            }
        }
    }

    fn check_call(&self, service: ServiceId) {
        assert_eq!(self.out, Out::Nothing, "one thing at a time");
        assert!(!self.services[service.index()].is_closed, "a closed service is never called");
    }

    fn check_receive(&mut self, service: ServiceId, id: SocketId, readiness: Readiness) {
        let socket = self.sockets.get_mut(&id).expect("only open sockets are received");
        assert_eq!(socket.service, service);
        assert!(socket.is_reported, "only what was reported is received");
        assert!(!readiness.is_none());
        assert_eq!(readiness.within(socket.interest), readiness, "only what is wanted is told");
        socket.is_reported = false;
        let turns = self.host.turns();
        assert!(turns > self.turns_of_last_receive, "a turn serves exactly one");
        self.turns_of_last_receive = turns;
        // Fairness: nobody is served twice while another waits.
        for other in (0..self.services.len()).map(|index| ServiceId::new(index as u32)) {
            let waits = self.sockets.values().any(|socket| socket.service == other && socket.is_reported);
            let member = &mut self.services[other.index()];
            if other == service || !waits {
                member.overtaken.clear();
            } else {
                let times = member.overtaken.entry(service).or_insert(0);
                *times += 1;
                assert!(*times < 2, "{other} waits while {service} is served twice");
            }
        }
        let (last, count) = self.streak;
        let count = if last == Some(service) { count + 1 } else { 1 };
        self.streak = (Some(service), count);
        let is_alone = self.services.len() == 1;
        assert!(is_alone || count <= self.config.burst, "a burst is followed by a look");
    }

    /// The host waits: everything that was due is done.
    fn check_wait(&mut self) {
        self.streak = (None, 0);
        for (id, socket) in &self.sockets {
            assert!(!socket.is_reported, "{id} is ready while the host waits");
        }
        let period = self.config.poll_period;
        if let Some(period) = period {
            assert!(!period.is_zero(), "a host that spins never waits");
            let deadline = self.host.next_deadline().expect("a turn ends after a poll period");
            assert!(deadline.at <= self.now + period, "a turn takes no longer than a poll period");
        }
        for member in &self.services {
            let wake = member.wake.filter(|_| !member.is_closed);
            assert!(wake.is_none_or(|at| at > self.now), "a wake is overdue");
            if let Some(at) = wake {
                let deadline = self.host.next_deadline().expect("a wake is a deadline");
                assert!(deadline.at <= at, "a wake would be overslept");
            }
        }
    }
}

fn interest(choose: &mut impl Choose) -> Option<Interest> {
    let all =
        [Interest::READ, Interest::READ, Interest::WRITE, Interest::NONE, Interest::READ | Interest::WRITE];
    Some(all[choose.below(5)? as usize])
}

#[test]
fn the_enumeration_takes_each_sequence_of_choices_once() {
    let mut every = Every::default();
    let mut seen = Vec::new();
    loop {
        let first = every.below(2).unwrap();
        let second = if first == 0 { every.below(3).unwrap() } else { 9 };
        seen.push((first, second));
        if !every.advance() {
            break;
        }
    }
    assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 9)]);
}
