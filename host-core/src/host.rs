//! The switchboard: facts in, orders out, one question. It routes and decides nothing itself.

use crate::action::Action;
use crate::config::HostConfig;
use crate::event::Event;
use crate::random::Random;
use crate::service::timers::Deadline;
use crate::service::turns::Turns;
use crate::sys::Signal;
use crate::time::Instant;
use alloc::collections::VecDeque;

/// All decisions of one host, as a state machine without clock, I/O or hidden randomness.
///
/// The same config and the same events give the same actions, byte for byte. It is `Clone`: a checker
/// can branch from any state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    config: HostConfig,
    now: Instant,
    random: Random,
    turns: Turns,
    orders: VecDeque<Action>,
}

impl Host {
    /// A host that has not begun. `config` has been checked.
    pub fn new(config: HostConfig) -> Self {
        let random = Random::new(config.seed);
        Self { config, now: Instant::ZERO, random, turns: Turns::new(), orders: VecDeque::new() }
    }

    /// Takes in a fact. Never fails; a fact about something that is gone changes nothing.
    ///
    /// # Panics
    /// In debug builds, if `now` lies before that of an earlier fact: the driver's clock is broken.
    pub fn handle_event(&mut self, now: Instant, event: Event) {
        debug_assert!(now >= self.now, "time went back from {} to {now}", self.now);
        self.now = now;
        if self.turns.is_ended() {
            return;
        }
        let Self { config, random, turns, orders, .. } = self;
        match event {
            Event::Started { turns_max } => turns.started(config, now, turns_max, orders),
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
            Event::SystemFailed { call, errno } => turns.system_failed(call, errno, orders),
            Event::Signalled(signal @ (Signal::Int | Signal::Term)) => turns.stop_asked(Some(signal), orders),
            Event::Signalled(Signal::Kill | Signal::Usr1 | Signal::Cont | Signal::Stop) => {}
            Event::StopAsked => turns.stop_asked(None, orders),
            Event::Tick => turns.tick(config, now, orders),
        }
    }

    /// Gives out the next order; drain to `None` after each fact.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.orders.pop_front()
    }

    /// The next moment at which the host wants a [`Event::Tick`]; `None` if only facts move it.
    ///
    /// After all orders were carried out it lies ahead of the last fact.
    pub fn next_deadline(&self) -> Option<Deadline> {
        self.turns.next_deadline()
    }

    /// Whether the last order was given.
    pub fn is_ended(&self) -> bool {
        self.turns.is_ended()
    }

    /// How many turns have begun.
    pub fn turns(&self) -> u64 {
        self.turns.count()
    }

    /// What must hold after each event, once its orders were drained; the first sentence that does not.
    pub fn broken_invariant(&self) -> Option<&'static str> {
        if self.orders.is_empty() { self.turns.broken_invariant(self.now) } else { None }
    }
}
