//! The turn: connect, prepare, wait, serve exactly one.
//!
//! ProcessHost 1.1, 6: each turn calls the `connect` and `prepare` that are due, in list order; waits
//! for input, at most one poll period; and serves exactly one socket of one service. A wait may report
//! many sockets; the turns that follow serve them without waiting again.

mod drain;
mod ending;
mod invariants;
mod outcomes;

use crate::action::{Action, Ending, Why};
use crate::config::HostConfig;
use crate::event::Outcome;
use crate::id::{ServiceId, SocketId};
use crate::notice::Notice;
use crate::random::Random;
use crate::service::kick::Callback;
use crate::service::reconnect::{OnConnectError, Reconnect};
use crate::service::roster::{Phase, Roster};
use crate::service::rotation::Rotation;
use crate::service::shutdown::{Reaction, Shutdown};
use crate::service::sockets::{Origin, Sockets};
use crate::status::ServiceStatus;
use crate::sys::{Errno, Interest, Readiness, Signal};
use crate::time::Instant;
use crate::timers::{Deadline, Timer, Timers};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

pub(crate) use crate::action::Orders;

/// The shortest time ahead: a deadline never lies in the past.
const NEXT_MOMENT: core::time::Duration = core::time::Duration::from_nanos(1);

/// What the loop waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// The loop has not begun.
    Fresh,
    /// A callback is out.
    Calling(Call),
    /// A look at the poller is out.
    Looking,
    /// All that was due is done, nothing is ready.
    Waiting {
        /// When the turn ends although nothing happened.
        until: Option<Instant>,
    },
    /// A report has ended the wait and is still coming in; its tick says what follows. So facts that
    /// come with a deadline, or after it, are heard before it.
    Hearing {
        /// As it was in the wait.
        until: Option<Instant>,
    },
    /// Nothing more will happen.
    Ended,
}

/// The callback that is out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Call {
    service: ServiceId,
    callback: Callback,
    /// Of a `receive`: what it is called for.
    served: Option<Served>,
    /// Of a `connect`: while it was out, its service asked to be connected once more.
    again: bool,
}

/// The socket that a `receive` is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Served {
    socket: SocketId,
    /// Its peer had ended.
    ended: bool,
    /// It was opened by the latest `connect`: what comes through it proves that connect.
    proves: bool,
}

/// The machine that hosts services.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turns {
    step: Step,
    roster: Roster,
    sockets: Sockets,
    rotation: Rotation,
    timers: Timers,
    shutdown: Shutdown,
    drain: Option<drain::Drain>,
    /// Services whose `wake` is due, the earliest first.
    wakes: VecDeque<ServiceId>,
    /// What is left of this turn's connects and prepares, in reverse list order.
    todo: Vec<ServiceId>,
    /// Something is due at once in the next turn: this one does not wait.
    hurry: bool,
    /// How many looks at the poller there were, waits included.
    looks: u64,
    /// How many turns are left; `None` is no limit.
    turns_left: Option<u64>,
    /// How many turns have begun.
    turns: u64,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self {
            step: Step::Fresh,
            roster: Roster::default(),
            sockets: Sockets::default(),
            rotation: Rotation::default(),
            timers: Timers::default(),
            shutdown: Shutdown::Running,
            drain: None,
            wakes: VecDeque::new(),
            todo: Vec::new(),
            hurry: false,
            looks: 0,
            turns_left: None,
            turns: 0,
        }
    }

    // What the world says.

    pub(crate) fn added(
        &mut self,
        reconnect: Reconnect,
        on_connect_error: OnConnectError,
        orders: &mut Orders,
    ) {
        let service = self.roster.add(reconnect, on_connect_error);
        self.sockets.add_service();
        self.rotation.add();
        if self.shutdown.is_stopping() || self.shutdown.is_ended() {
            // It comes too late: it is never called, and what it holds is freed.
            self.close_service(service, orders);
            return;
        }
        self.hurry = true;
        orders.push_back(Action::Tell { service: Some(service), notice: Notice::Added });
    }

    pub(crate) fn opened(
        &mut self,
        socket: SocketId,
        service: ServiceId,
        interest: Interest,
        orders: &mut Orders,
    ) {
        let opened_in = match &self.step {
            Step::Calling(call) if call.service == service => call.callback,
            Step::Fresh
            | Step::Calling(_)
            | Step::Looking
            | Step::Waiting { .. }
            | Step::Hearing { .. }
            | Step::Ended => Callback::Connect,
        };
        // The connect that stands next: this one, or a later one if this one answers "not yet".
        let connect = match opened_in {
            Callback::Connect => self.roster.member(service).connects.saturating_add(1),
            Callback::Prepare | Callback::Receive | Callback::Wake | Callback::Stop | Callback::Drain => 0,
        };
        self.sockets.open(socket, service, interest, Origin { opened_in, connect });
        self.arm(socket, orders);
    }

    pub(crate) fn interest_changed(&mut self, id: SocketId, interest: Interest, orders: &mut Orders) {
        let Some(socket) = self.sockets.find(id) else { return };
        if socket.interest == interest {
            return;
        }
        socket.interest = interest;
        socket.empty_wakes = 0;
        let service = socket.service;
        self.sockets.unready(id);
        self.unmark_if_done(service);
        self.arm(id, orders);
    }

    pub(crate) fn closed(&mut self, config: &HostConfig, now: Instant, random: &mut Random, id: SocketId) {
        let Some(service) = self.sockets.close(id) else { return };
        self.timers.clear(Timer::AcceptRest(id));
        self.unmark_if_done(service);
        if self.sockets.open_count(service) == 0 {
            self.roster.member(service).lost = true;
            // One's own callback is judged when it comes back: it may open another socket yet.
            if self.calling() != Some(service) {
                self.settle(config, now, random, service);
            }
            // Whoever reads a notice may close a socket while the host waits already.
            if let (true, Step::Waiting { until }) = (self.hurry, &mut self.step) {
                *until = Some(now + NEXT_MOMENT);
            }
        }
    }

    pub(crate) fn ready(&mut self, id: SocketId, readiness: Readiness) {
        self.hear();
        if let Some(service) = self.sockets.mark_ready(id, readiness) {
            self.rotation.mark(service);
        }
    }

    pub(crate) fn wake_asked(&mut self, service: ServiceId, at: Option<Instant>) {
        if self.roster.phase(service) == Phase::Closed {
            return;
        }
        // Also takes back a wake that is due and not called yet: its service was served first.
        self.wakes.retain(|waiting| *waiting != service);
        match at {
            Some(at) => self.timers.set(Timer::Wake(service), at),
            None => self.timers.clear(Timer::Wake(service)),
        }
    }

    pub(crate) fn reconnect_asked(
        &mut self,
        config: &HostConfig,
        now: Instant,
        random: &mut Random,
        service: ServiceId,
        failed: bool,
    ) {
        if self.roster.phase(service) == Phase::Closed {
            return;
        }
        if failed {
            self.try_again(config, now, random, service);
        } else {
            self.roster.member(service).phase = Phase::Unconnected;
            self.hurry = true;
            self.roster.mark_due(service);
        }
        if let Step::Calling(call) = &mut self.step {
            call.again |= call.service == service && call.callback == Callback::Connect;
        }
    }

    pub(crate) fn watch_failed(&mut self, id: SocketId, errno: Errno, orders: &mut Orders) {
        let Some(socket) = self.sockets.find(id) else { return };
        let (service, callback) = (socket.service, socket.origin.opened_in);
        self.fail(service, callback, Why::NotWatched { errno }, orders);
    }

    pub(crate) fn system_failed(&mut self, call: &'static str, errno: Errno, orders: &mut Orders) {
        self.end(Ending::SystemFailed { call, errno }, orders);
    }

    pub(crate) fn stop_asked(&mut self, signal: Option<Signal>, orders: &mut Orders) {
        self.hear();
        match self.shutdown.ask(signal) {
            Reaction::AtOnce => {
                self.end_on_next_signal(orders);
                self.end(Ending::StoppedAtOnce, orders);
            }
            Reaction::Begin | Reaction::Ignore => {}
        }
    }

    /// The poller reports something: what a wait leads to is decided at the end of the report.
    fn hear(&mut self) {
        if let Step::Waiting { until } = self.step {
            self.step = Step::Hearing { until };
        }
    }

    // The turn.

    pub(crate) fn started(
        &mut self,
        config: &HostConfig,
        now: Instant,
        turns_max: Option<u64>,
        orders: &mut Orders,
    ) {
        debug_assert_eq!(self.step, Step::Fresh, "a host starts once");
        self.turns_left = turns_max;
        let services = self.roster.len() as u32;
        orders.push_back(Action::Tell { service: None, notice: Notice::Started { services } });
        self.begin_turn(config, now, orders);
    }

    /// Everything known at `now` has been told.
    pub(crate) fn tick(&mut self, config: &HostConfig, now: Instant, orders: &mut Orders) {
        let timers_came = self.fire_timers(now, orders);
        match self.step {
            Step::Fresh | Step::Calling(_) | Step::Ended => {}
            Step::Looking => self.serve_or_end_turn(config, now, orders),
            Step::Waiting { until } | Step::Hearing { until } => {
                let over = timers_came || until.is_some_and(|until| until <= now);
                let asked = matches!(self.shutdown, Shutdown::Asked { .. });
                let drained = self.is_drained();
                if over || asked || drained || self.hurry || self.rotation.front().is_some() {
                    self.serve_or_end_turn(config, now, orders);
                } else {
                    self.step = Step::Waiting { until };
                }
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one fact and its three parts, and what a decision needs")]
    pub(crate) fn returned(
        &mut self,
        config: &HostConfig,
        now: Instant,
        random: &mut Random,
        service: ServiceId,
        callback: Callback,
        outcome: Outcome,
        orders: &mut Orders,
    ) {
        let Step::Calling(call) = &self.step else { return };
        debug_assert_eq!((call.service, call.callback), (service, callback), "another callback came back");
        let (served, again) = (call.served, call.again);
        match (callback, outcome) {
            (Callback::Stop, outcome) => {
                if outcome == Outcome::Failed {
                    self.shutdown.note_failure();
                    orders.push_back(Action::NotifyFailure { service, callback, why: Why::Callback });
                }
                self.close_service(service, orders);
                self.stop_next(orders);
                return;
            }
            // It stays unconnected, and its connect is due in the next turn.
            (Callback::Connect, Outcome::Done(_)) if again => self.roster.member(service).count_connect(),
            (Callback::Connect, Outcome::Done(_)) => {
                let member = self.roster.member(service);
                member.count_connect();
                member.phase = Phase::Connected;
                self.settle(config, now, random, service);
                if self.roster.phase(service) == Phase::Connected {
                    // Prepare belongs to the same turn, before the next service's connect.
                    self.todo.push(service);
                }
            }
            (Callback::Connect, Outcome::Failed)
                if self.roster.member(service).on_connect_error == OnConnectError::Retry =>
            {
                let delay = self.try_again(config, now, random, service);
                let attempt = self.roster.member(service).attempt;
                let retry_after = delay.unwrap_or_default();
                orders.push_back(Action::Tell {
                    service: Some(service),
                    notice: Notice::ConnectFailed { attempt, retry_after },
                });
            }
            (Callback::Connect, Outcome::NotYet) => {
                self.try_again(config, now, random, service);
            }
            (_, Outcome::Failed) => {
                self.fail(service, callback, Why::Callback, orders);
                return;
            }
            (Callback::Receive, Outcome::Done(activity)) => {
                if let Some(served) = served
                    && let Some(why) = self.judge(config, now, service, served, activity, orders)
                {
                    self.fail(service, callback, why, orders);
                    return;
                }
                self.after_own_call(config, now, random, service);
                if self.roster.phase(service) == Phase::Connected {
                    self.roster.mark_due(service);
                }
                self.begin_turn(config, now, orders);
                return;
            }
            (Callback::Prepare, Outcome::Done(_)) => {
                let member = self.roster.member(service);
                if member.phase == Phase::Connected {
                    member.phase = Phase::Prepared;
                }
                self.settle(config, now, random, service);
            }
            (Callback::Wake | Callback::Drain, outcome @ (Outcome::Done(_) | Outcome::NotYet)) => {
                debug_assert!(callback == Callback::Drain || outcome != Outcome::NotYet, "a wake is done");
                if outcome == Outcome::NotYet {
                    self.drains_on(service);
                }
                self.after_own_call(config, now, random, service);
                if self.roster.phase(service) == Phase::Connected {
                    // Prepare belongs to the same turn: nobody knows how long its wait will be.
                    self.todo.push(service);
                    self.sort_todo();
                }
            }
            (Callback::Prepare | Callback::Receive, Outcome::NotYet) => {
                debug_assert!(false, "only a connect may answer: not yet");
            }
        }
        self.next_call(config, now, orders);
    }

    /// Begins the next turn, or the end.
    fn begin_turn(&mut self, config: &HostConfig, now: Instant, orders: &mut Orders) {
        if self.turns_left == Some(0) {
            // The end of a limited run is a stop that the application asked for.
            let _ = self.shutdown.ask(None);
        }
        if let Shutdown::Asked { signal } = self.shutdown {
            self.begin_stop(signal, orders);
            return;
        }
        self.turns_left = self.turns_left.map(|left| left.saturating_sub(1));
        self.turns += 1;
        self.hurry = false;
        self.fire_timers(now, orders);
        self.roster.take_due(&mut self.todo);
        self.sort_todo();
        self.next_call(config, now, orders);
    }

    fn sort_todo(&mut self) {
        let rotation = &self.rotation;
        self.todo.sort_unstable_by_key(|service| core::cmp::Reverse(rotation.position(*service)));
    }

    /// The next callback that is due in this turn, and after the last one the wait.
    fn next_call(&mut self, config: &HostConfig, now: Instant, orders: &mut Orders) {
        if self.is_drained() {
            self.end_drain();
        }
        if let Shutdown::Asked { signal } = self.shutdown {
            self.begin_stop(signal, orders);
            return;
        }
        if let Some(service) = self.next_to_drain() {
            self.call(service, Callback::Drain, orders);
            return;
        }
        if let Some(service) = self.wakes.pop_front() {
            self.call(service, Callback::Wake, orders);
            return;
        }
        while let Some(service) = self.todo.pop() {
            let callback = match self.roster.phase(service) {
                // Nothing new is begun.
                Phase::Unconnected if self.drain.is_some() => continue,
                Phase::Unconnected => Callback::Connect,
                Phase::Connected => Callback::Prepare,
                Phase::Prepared | Phase::Closed => continue,
            };
            self.call(service, callback, orders);
            return;
        }
        self.serve_or_wait(config, now, orders);
    }

    fn serve_or_wait(&mut self, config: &HostConfig, now: Instant, orders: &mut Orders) {
        match self.rotation.front() {
            Some(service) if self.must_look(config, service) => self.look(orders),
            Some(service) => self.serve(service, orders),
            None if self.must_not_wait(config, now) => self.look(orders),
            None => {
                // A wait is a look, too.
                self.looks += 1;
                self.step = Step::Waiting { until: config.poll_period.map(|period| now + period) };
            }
        }
    }

    /// Whether others – services, or workers – may have something to tell while `service` was served time
    /// and again.
    fn must_look(&mut self, config: &HostConfig, service: ServiceId) -> bool {
        let looks = self.looks;
        // More than a burst: the second service may have been added in its midst.
        let is_alone = self.roster.len() == 1 && config.fleets.is_empty();
        !is_alone && self.roster.member(service).served_since(looks) >= config.burst
    }

    /// Whether the turn ends without a wait: something is due already, or the period is zero.
    fn must_not_wait(&self, config: &HostConfig, now: Instant) -> bool {
        let spins = config.poll_period.is_some_and(|period| period.is_zero());
        let late = self.timers.next().is_some_and(|deadline| deadline.at <= now);
        self.hurry || spins || late
    }

    fn look(&mut self, orders: &mut Orders) {
        self.looks += 1;
        self.step = Step::Looking;
        orders.push_back(Action::Look);
    }

    fn serve_or_end_turn(&mut self, config: &HostConfig, now: Instant, orders: &mut Orders) {
        if let Shutdown::Asked { signal } = self.shutdown {
            self.begin_stop(signal, orders);
            return;
        }
        match self.rotation.front() {
            Some(service) => self.serve(service, orders),
            None => self.begin_turn(config, now, orders),
        }
    }

    fn serve(&mut self, service: ServiceId, orders: &mut Orders) {
        let popped = self.sockets.pop_ready(service);
        let Some((socket, readiness)) = popped else {
            debug_assert!(false, "{service} is marked ready and has no ready socket");
            self.rotation.unmark(service);
            return;
        };
        self.unmark_if_done(service);
        self.rotation.served(service);
        let looks = self.looks;
        let member = self.roster.member(service);
        member.count_served(looks);
        let (connects, stands) = (member.connects, member.phase != Phase::Unconnected);
        let of_it = self.sockets.find(socket).is_some_and(|socket| socket.origin.connect == connects);
        let proves = stands && of_it;
        let served = Some(Served { socket, ended: readiness.ended, proves });
        self.step = Step::Calling(Call { service, callback: Callback::Receive, served, again: false });
        orders.push_back(Action::Receive { service, socket, readiness });
    }

    fn call(&mut self, service: ServiceId, callback: Callback, orders: &mut Orders) {
        if callback == Callback::Connect {
            let member = self.roster.member(service);
            member.lost = false;
            member.proved = false;
            self.timers.clear(Timer::Reconnect(service));
        }
        self.step = Step::Calling(Call { service, callback, served: None, again: false });
        orders.push_back(Action::Call { service, callback });
    }

    // What serves several of the above.

    /// Brings what the poller reports in line with what is wanted.
    fn arm(&mut self, id: SocketId, orders: &mut Orders) {
        let Some(socket) = self.sockets.find(id) else { return };
        let interest = socket.wanted();
        if interest != socket.armed {
            socket.armed = interest;
            orders.push_back(if interest.is_none() {
                Action::Unwatch { socket: id }
            } else {
                Action::Watch { socket: id, interest }
            });
        }
    }

    fn unmark_if_done(&mut self, service: ServiceId) {
        if !self.sockets.has_ready(service) {
            self.rotation.unmark(service);
        }
    }

    /// Carries out the timers whose moment has come; whether there were any.
    fn fire_timers(&mut self, now: Instant, orders: &mut Orders) -> bool {
        let mut came = false;
        while let Some(timer) = self.timers.pop_due(now) {
            came = true;
            match timer {
                Timer::PollPeriod => debug_assert!(false, "the poll period is kept with the wait"),
                Timer::Look(_)
                | Timer::Boot(_)
                | Timer::Grace(_)
                | Timer::Stable(_)
                | Timer::Respawn(..)
                | Timer::ForkAgain(_)
                | Timer::MindAgain(_)
                | Timer::Sample(_) => debug_assert!(false, "a timer of fleets: {timer}"),
                Timer::Reconnect(service) => {
                    if self.roster.phase(service) == Phase::Unconnected {
                        self.roster.mark_due(service);
                    }
                }
                Timer::Wake(service) => self.wakes.push_back(service),
                Timer::DrainEnd => self.cut_drain_short(orders),
                Timer::AcceptRest(id) => {
                    if let Some(socket) = self.sockets.find(id) {
                        socket.resting = false;
                        self.arm(id, orders);
                    }
                }
            }
        }
        came
    }

    // Questions.

    fn calling(&self) -> Option<ServiceId> {
        match &self.step {
            Step::Calling(call) => Some(call.service),
            Step::Fresh | Step::Looking | Step::Waiting { .. } | Step::Hearing { .. } | Step::Ended => None,
        }
    }

    /// Whether the last order was given.
    pub(crate) fn is_ended(&self) -> bool {
        self.step == Step::Ended
    }

    /// Whether there is no service that could do anything.
    pub(crate) fn has_no_services(&self) -> bool {
        self.roster.ids().all(|service| self.roster.phase(service) == Phase::Closed)
    }

    /// How each service is.
    pub(crate) fn status(&self) -> Vec<ServiceStatus> {
        self.roster.status()
    }

    /// How many turns have begun.
    pub(crate) fn count(&self) -> u64 {
        self.turns
    }

    /// Whether a report is coming in, or was asked for by a stop: what the wait leads to is decided by the next tick.
    pub(crate) const fn is_hearing(&self) -> bool {
        matches!(self.step, Step::Hearing { .. })
    }

    /// The next moment at which something is to be done; `None` while waiting only for events.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        let Step::Waiting { until } = self.step else { return None };
        let period = until.map(|at| Deadline { at, timer: Timer::PollPeriod });
        period.into_iter().chain(self.timers.next()).min()
    }
}
