//! The switchboard: facts in, orders out, one question. It routes and decides nothing itself.

use crate::action::{Action, Ending, Orders};
use crate::config::HostConfig;
use crate::event::Event;
use crate::fleet::crew::{Crew, Means, Stop};
use crate::fleet::fleets::{Fleets, Setting};
use crate::fleet::status::FleetStatus;
use crate::fleet::target::Target;
use crate::id::FleetId;
use crate::manager::Staff;
use crate::notice::Notice;
use crate::random::Random;
use crate::service::turns::Turns;
use crate::status::HostStatus;
use crate::sys::{ForkError, Signal};
use crate::time::Instant;
use crate::timers::{Deadline, Timer};

/// All decisions of one host, as a state machine without clock, I/O or hidden randomness.
///
/// The same config and the same events give the same actions, byte for byte. It is `Clone` and `Hash`: a
/// checker can branch from any state, and know one that it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    config: HostConfig,
    now: Instant,
    /// The last fact was a tick: what is due was done.
    ticked: bool,
    /// When the last report that is over began, where there are fleets: until then the host has run. Not its tick:
    /// forks come in between, and a stop in the midst of them would be taken for a part of the run.
    ran_until: Instant,
    /// Since when facts of one report of the poller come in, up to its tick.
    hears_since: Option<Instant>,
    /// The deadline of the wait that has ended with that report: its facts may take it back.
    due: Option<Instant>,
    random: Random,
    turns: Turns,
    fleets: Fleets,
    /// Who asked for the stop that the fleets come first in.
    stopping: Option<Asked>,
    /// The last order, which waits until nobody is left in the fleets.
    held: Option<Ending>,
    /// Why the host ends, if that is the fleets' affair.
    verdict: Option<Ending>,
    orders: Orders,
}

/// A stop that was asked for while there are fleets: the services hear of it when those are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Asked {
    signal: Option<Signal>,
    /// How: it only gets harder.
    stop: Stop,
    /// The services were told.
    passed_on: bool,
}

impl Host {
    /// A host that has not begun. `config` has been checked.
    pub fn new(config: HostConfig) -> Self {
        let random = Random::new(config.seed);
        let fleets = Fleets::new(&config.fleets);
        Self {
            config,
            now: Instant::ZERO,
            ticked: false,
            ran_until: Instant::ZERO,
            hears_since: None,
            due: None,
            random,
            turns: Turns::new(),
            fleets,
            stopping: None,
            held: None,
            verdict: None,
            orders: Orders::new(),
        }
    }

    /// Takes in a fact. Never fails; a fact about something that is gone changes nothing.
    ///
    /// # Panics
    /// In debug builds, if `now` lies before that of an earlier fact: the driver's clock is broken.
    pub fn handle_event(&mut self, now: Instant, event: Event) {
        debug_assert!(now >= self.now, "time went back from {} to {now}", self.now);
        self.now = now;
        if self.is_ended() {
            return;
        }
        if self.hears_since.is_none() && !self.config.fleets.is_empty() && is_reported(&event) {
            self.hears_since = Some(now);
            self.due = self.next_deadline().map(|deadline| deadline.at);
        }
        // Without fleets nothing takes time between two ticks, and a needless one changes nothing at all.
        self.ticked = event == Event::Tick || self.config.fleets.is_empty();
        let Self { config, random, turns, fleets, orders, .. } = self;
        let mut setting = Setting { config, now, random, orders };
        match event {
            // The services are gone, and the host waits for its workers.
            Event::Added { .. }
            | Event::Opened { .. }
            | Event::InterestChanged { .. }
            | Event::Closed { .. }
            | Event::WakeAsked { .. }
            | Event::ReconnectAsked { .. }
            | Event::Returned { .. }
            | Event::Ready { .. }
            | Event::WatchFailed { .. }
                if turns.is_ended() => {}
            Event::Started { turns_max } => {
                turns.started(config, now, turns_max, setting.orders);
                fleets.started(&mut setting);
                // One that was to run for no turn at all has ended already.
                if config.reap_strangers && !turns.is_ended() {
                    // Who ended before the signals were this host's has sent its CHLD to whoever ran here before, such as
                    // the script of a container that has become the host by exec.
                    setting.orders.push_back(Action::ReadChildNews { reap_strangers: true });
                }
            }
            Event::Added { service: _, reconnect, on_connect_error } => {
                turns.added(reconnect, on_connect_error, orders);
            }
            Event::Opened { socket, service, interest } => turns.opened(socket, service, interest, orders),
            Event::InterestChanged { socket, interest } => turns.interest_changed(socket, interest, orders),
            Event::Closed { socket } => turns.closed(config, now, random, socket),
            Event::WakeAsked { service, at } => turns.wake_asked(service, at),
            Event::ReconnectAsked { service, failed } => {
                turns.reconnect_asked(config, now, random, service, failed);
            }
            Event::Returned { service, callback, outcome } => {
                turns.returned(config, now, random, service, callback, outcome, orders);
            }
            Event::Ready { socket, readiness } => turns.ready(socket, readiness),
            Event::WatchFailed { socket, errno } => turns.watch_failed(socket, errno, orders),
            Event::SystemFailed { call, errno } => {
                // Nobody would hear of the workers' deaths any more.
                if !fleets.is_empty() {
                    orders.push_back(Action::KillAll);
                    self.verdict = Some(Ending::SystemFailed { call, errno });
                }
                if turns.is_ended() {
                    self.held = Some(Ending::SystemFailed { call, errno });
                } else {
                    turns.system_failed(call, errno, orders);
                }
            }
            Event::Signalled(signal) => self.signalled(signal),
            Event::StopAsked => self.stop_asked(None, Stop::AtOnce),
            Event::DrainAsked => self.stop_asked(None, Stop::Drain),
            Event::Tick => {
                if let Some(heard) = self.hears_since.take() {
                    self.ran_until = heard;
                }
                fleets.tick(&mut setting, self.due.take());
                if !turns.is_ended() {
                    turns.tick(config, now, setting.orders);
                }
            }
            Event::Spawned { worker, pid } => {
                fleets.tell(&mut setting, worker.fleet, |crew, means| crew.spawned(means, worker, pid));
            }
            Event::SpawnFailed { worker, error } => {
                if let ForkError::Threads { count } = error {
                    self.verdict.get_or_insert(Ending::Threads { count });
                }
                fleets
                    .tell(&mut setting, worker.fleet, |crew, means| crew.spawn_failed(means, worker, error));
            }
            Event::WorkerSaid { worker, message } => {
                fleets.tell(&mut setting, worker.fleet, |crew, means| match message {
                    Ok(message) => crew.said(means, worker, message),
                    Err(garbled) => crew.garbled(means, worker, garbled),
                });
            }
            Event::WorkerExited { worker, status } => {
                fleets.tell(&mut setting, worker.fleet, |crew, means| crew.exited(means, worker, status));
            }
            Event::SignalFailed { worker, signal, errno } => {
                fleets.tell(&mut setting, worker.fleet, |crew, means| {
                    crew.signal_failed(means, worker, signal, errno);
                });
            }
            Event::MindFailed { worker } => {
                fleets.tell(&mut setting, worker.fleet, |crew, means| crew.mind_failed(means, worker));
            }
            Event::Beats { fleet, readings } => {
                fleets.tell(&mut setting, fleet, |crew, means| crew.beats(means, &readings));
            }
            Event::Memory { fleet, readings } => {
                fleets.tell(&mut setting, fleet, |crew, means| crew.sampled(means, &readings));
            }
            Event::ScaleAnswered { fleet, workers } => {
                fleets.tell(&mut setting, fleet, |crew, means| crew.scale_answered(means, workers));
            }
            Event::ExitJudged { worker, restart } => {
                fleets.tell(&mut setting, worker.fleet, |crew, _| crew.exit_judged(worker, restart));
            }
            Event::ChildStopped { pid } => {
                fleets.tell_of(&mut setting, pid, |crew, means| crew.stopped(means, pid));
            }
            Event::ChildContinued { pid } => {
                fleets.tell_of(&mut setting, pid, |crew, means| crew.continued(means, pid));
            }
            Event::StrangerReaped { pid } => {
                orders.push_back(Action::Tell { service: None, notice: Notice::StrangerReaped { pid } });
            }
            Event::ResizeAsked { fleet, workers } => self.resize(fleet, |target| target.set(workers)),
            Event::RestoreAsked { fleet } => self.resize(fleet, Target::restore),
            Event::StartAbandoned { fleet } => {
                self.verdict.get_or_insert(Ending::FleetGivenUp { fleet });
            }
        }
        self.end_in_order();
    }

    /// Gives out the next order; drain to `None` after each fact.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.orders.pop_front()
    }

    /// The next moment at which the host wants a [`Event::Tick`]; `None` if only facts move it.
    ///
    /// After a tick whose orders were carried out it lies ahead of that tick. A callback that took long may
    /// leave it behind: then the next wait is a look, whose tick comes after the facts that it finds.
    pub fn next_deadline(&self) -> Option<Deadline> {
        if self.turns.is_ended() {
            return self.fleets.next_deadline();
        }
        // The last fork may fail, and its fleet be gone, after the tick: no report is on its way whose tick the
        // services could wait for, and they were told to stop.
        if !self.config.fleets.is_empty() && self.hears_since.is_none() && self.turns.is_hearing() {
            return Some(Deadline { at: self.now, timer: Timer::PollPeriod });
        }
        // Between turns nothing of the services is due; the loop waits only where they do.
        self.turns.next_deadline().into_iter().chain(self.fleets.next_deadline()).min()
    }

    /// Whether the last order was given.
    pub fn is_ended(&self) -> bool {
        self.turns.is_ended() && self.held.is_none()
    }

    /// How many turns have begun.
    pub fn turns(&self) -> u64 {
        self.turns.count()
    }

    /// How a fleet is; `None` if there is no such fleet.
    pub fn fleet(&self, fleet: FleetId) -> Option<FleetStatus> {
        self.fleets.status(&self.config, fleet)
    }

    /// How everything is: services without their names, fleets, workers, the last deaths, counters.
    pub fn status(&self) -> HostStatus {
        HostStatus {
            at: self.now,
            turns: self.turns.count(),
            stopping: self.stopping().map(Into::into),
            services: self.turns.status(),
            fleets: self.fleets.statuses(&self.config),
        }
    }

    /// How many workers of each fleet there are.
    pub(crate) fn staff(&self) -> impl Iterator<Item = Staff> {
        self.fleets.staff()
    }

    /// How it stops, if it was asked to, or since a service has ended it.
    pub(crate) fn stopping(&self) -> Option<Stop> {
        self.stopping.map(|asked| asked.stop).or_else(|| self.held.map(|_| Stop::AtOnce))
    }

    /// Some worker serves, or none is wanted to; or it stops, and nobody has to.
    pub(crate) fn serves(&self) -> bool {
        self.stopping().is_some() || self.fleets.serve()
    }

    /// The settings that it decides by.
    pub const fn config(&self) -> &HostConfig {
        &self.config
    }

    /// How many workers of a fleet are wanted; a part of [`fleet`](Self::fleet) that costs nothing.
    pub fn fleet_wanted(&self, fleet: FleetId) -> Option<u32> {
        self.fleets.wanted(fleet)
    }

    /// The fleet of this name.
    pub fn find_fleet(&self, name: &str) -> Option<FleetId> {
        let index = self.config.fleets.iter().position(|fleet| fleet.name == name)?;
        Some(FleetId::new(index as u16))
    }

    /// What must hold after each event, once its orders were drained; the first sentence that does not.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        if !self.orders.is_empty() {
            return None;
        }
        if self.is_ended()
            && !self.fleets.is_empty()
            && !matches!(self.verdict, Some(Ending::SystemFailed { .. }))
        {
            return Some("S38: a host does not end before its last child is reaped");
        }
        // Forks and reports of workers take time between two ticks, in which a deadline may pass.
        let now = if self.ticked { self.now } else { Instant::ZERO };
        self.turns.broken_invariant(now).or_else(|| self.fleets.broken_invariant(&self.config))
    }

    // Signals and ends: who hears of them first.

    fn signalled(&mut self, signal: Signal) {
        match signal {
            Signal::Int | Signal::Term => self.stop_asked(Some(signal), Stop::AtOnce),
            Signal::Quit => self.stop_asked(Some(signal), Stop::Drain),
            Signal::Ttin => self.resize(FIRST, Target::more),
            Signal::Ttou => self.resize(FIRST, Target::less),
            Signal::Winch => self.all_fleets(|crew, means| crew.resize(means, Target::toggle)),
            Signal::Chld => {
                let reap_strangers = self.config.reap_strangers;
                self.orders.push_back(Action::ReadChildNews { reap_strangers });
            }
            // It was stopped, and nobody knows since when: what lies behind the last report was not seen. Not the
            // last fact: those that come with this one have its moment.
            Signal::Cont => {
                let (from, to) = (self.ran_until, self.now);
                self.all_fleets(|crew, _| crew.paused(from, to));
            }
            Signal::Hup | Signal::Usr2 => {
                self.orders
                    .push_back(Action::Tell { service: None, notice: Notice::SignalIgnored { signal } });
            }
            // The host first: whoever is forked from here on is born with the new files.
            Signal::Usr1 => {
                self.orders.push_back(Action::ReopenFiles);
                self.all_fleets(Crew::reopen);
            }
            Signal::Abrt | Signal::Kill | Signal::Segv | Signal::Alrm | Signal::Stop => {}
        }
    }

    /// A stop is asked for: by QUIT to drain, by INT and TERM at once, and once more to kill now. While there
    /// are workers they come first, and the services go on serving.
    fn stop_asked(&mut self, signal: Option<Signal>, stop: Stop) {
        let passed_on = self.stopping.is_some_and(|asked| asked.passed_on);
        if self.turns.is_ended() && self.held.is_none() {
            return;
        }
        if self.stopping.is_none() && stop == Stop::Drain {
            // Told at once, for it may take long. What stops at once tells so when it does.
            self.orders.push_back(Action::Tell { service: None, notice: Notice::Draining { signal } });
        }
        if self.fleets.is_empty() && (self.stopping.is_none() || passed_on) && self.held.is_none() {
            // Nobody is there, and nobody is born any more.
            self.stopping = Some(Asked { signal, stop, passed_on: true });
            self.stop_fleets(stop);
            self.stop_services(signal, stop);
            return;
        }
        // Only a second *signal* makes it harder than asked: an application that asks twice means the same.
        let harder = match self.fleets.stopping() {
            Some(Stop::AtOnce | Stop::Now) if signal.is_some() && stop == Stop::AtOnce => Stop::Now,
            Some(_) | None => stop,
        };
        if self.stopping.is_none() {
            self.stopping = Some(Asked { signal, stop, passed_on: false });
        }
        if let Some(asked) = &mut self.stopping {
            asked.stop = asked.stop.max(harder);
        }
        self.stop_fleets(harder);
    }

    fn stop_services(&mut self, signal: Option<Signal>, stop: Stop) {
        match stop {
            Stop::Drain => self.turns.drain_asked(&self.config, self.now, signal),
            Stop::AtOnce | Stop::Now => self.turns.stop_asked(signal, &mut self.orders),
        }
    }

    /// What a fact may have brought about: the fleets are gone, or one of them ends the host.
    fn end_in_order(&mut self) {
        if let Some(fleet) = self.fleets.given_up() {
            self.verdict.get_or_insert(Ending::FleetGivenUp { fleet });
        }
        if self.verdict.is_some() && self.stopping.is_none() {
            self.stop_asked(None, Stop::AtOnce);
        }
        if self.fleets.are_finished() && self.turns.has_no_services() && self.stopping.is_none() {
            // Nobody is left to serve anybody. That a fleet was given up is no end in order.
            if let Some(fleet) = self.fleets.first_given_up() {
                self.verdict.get_or_insert(Ending::FleetGivenUp { fleet });
            }
            self.stop_asked(None, Stop::AtOnce);
        }
        if self.turns.is_ended()
            && let Some(Action::Finish(ending)) = self.orders.back()
        {
            self.held = Some(*ending);
            self.orders.pop_back();
            if !matches!(self.held, Some(Ending::SystemFailed { .. })) {
                self.stop_fleets(Stop::AtOnce);
            }
        }
        if !self.fleets.is_empty() && !matches!(self.held, Some(Ending::SystemFailed { .. })) {
            return;
        }
        if let Some(asked) = &mut self.stopping
            && !asked.passed_on
        {
            asked.passed_on = true;
            let Asked { signal, stop, .. } = *asked;
            self.stop_services(signal, stop);
        }
        if let Some(ending) = self.held.take() {
            let ending = match (ending, self.verdict) {
                (Ending::Stopped, Some(verdict)) => verdict,
                (ending, _) => ending,
            };
            self.orders.push_back(Action::Finish(ending));
        }
    }

    fn stop_fleets(&mut self, stop: Stop) {
        let Self { config, now, random, fleets, orders, .. } = self;
        fleets.stop(&mut Setting { config, now: *now, random, orders }, stop);
    }

    fn all_fleets(&mut self, fact: impl FnMut(&mut Crew, &mut Means<'_>)) {
        let Self { config, now, random, fleets, orders, .. } = self;
        fleets.tell_all(&mut Setting { config, now: *now, random, orders }, fact);
    }

    fn resize(&mut self, fleet: FleetId, change: impl FnOnce(&mut Target)) {
        if fleet.index() >= self.config.fleets.len() {
            return;
        }
        let Self { config, now, random, fleets, orders, .. } = self;
        let mut setting = Setting { config, now: *now, random, orders };
        fleets.tell(&mut setting, fleet, |crew, means| crew.resize(means, change));
    }
}

/// Whether it is what a wait ends with: a report of the poller, or its tick.
const fn is_reported(event: &Event) -> bool {
    matches!(
        event,
        Event::Ready { .. }
            | Event::Signalled(_)
            | Event::WorkerSaid { .. }
            | Event::WorkerExited { .. }
            | Event::SystemFailed { .. }
            | Event::Tick
    )
}

/// Whom TTIN and TTOU mean: signals have no room for a name.
const FIRST: FleetId = FleetId::new(0);
