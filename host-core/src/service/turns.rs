//! The turn: connect, prepare, wait, serve exactly one.
//!
//! ProcessHost 1.1, 6: each turn calls the `connect` and `prepare` that are due, in list order; waits
//! for input, at most one poll period; and serves exactly one socket of one service. A wait may report
//! many sockets; the turns that follow serve them without waiting again.

use crate::action::{Action, Ending, Why};
use crate::config::HostConfig;
use crate::event::{Activity, Outcome};
use crate::id::{ServiceId, SocketId};
use crate::notice::Notice;
use crate::random::Random;
use crate::service::kick::Callback;
use crate::service::reconnect::{OnConnectError, Reconnect};
use crate::service::roster::{Phase, Roster};
use crate::service::rotation::Rotation;
use crate::service::shutdown::{Reaction, Shutdown};
use crate::service::sockets::{Origin, Sockets};
use crate::service::timers::{Deadline, Timer, Timers};
use crate::sys::{Errno, Interest, Readiness, Signal};
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Where orders go.
pub(crate) type Orders = VecDeque<Action>;

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
    /// Services whose `wake` is due, the earliest first.
    wakes: VecDeque<ServiceId>,
    /// What is left of this turn's connects and prepares, in reverse list order.
    todo: Vec<ServiceId>,
    /// Something is due at once in the next turn: this one does not wait.
    hurry: bool,
    /// Who was served last, and how many times in a row without a look.
    streak: (Option<ServiceId>, u32),
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
            wakes: VecDeque::new(),
            todo: Vec::new(),
            hurry: false,
            streak: (None, 0),
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
            Callback::Prepare | Callback::Receive | Callback::Wake | Callback::Stop => 0,
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
            Reaction::AtOnce => self.end(Ending::StoppedAtOnce, orders),
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
                if over || asked || self.hurry || self.rotation.front().is_some() {
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
            (Callback::Wake, Outcome::Done(_)) => {
                self.after_own_call(config, now, random, service);
                if self.roster.phase(service) == Phase::Connected {
                    // Prepare belongs to the same turn: nobody knows how long its wait will be.
                    self.todo.push(service);
                    self.sort_todo();
                }
            }
            (Callback::Prepare | Callback::Receive | Callback::Wake, Outcome::NotYet) => {
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
        if let Shutdown::Asked { signal } = self.shutdown {
            self.begin_stop(signal, orders);
            return;
        }
        if let Some(service) = self.wakes.pop_front() {
            self.call(service, Callback::Wake, orders);
            return;
        }
        while let Some(service) = self.todo.pop() {
            let callback = match self.roster.phase(service) {
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
                self.streak = (None, 0);
                self.step = Step::Waiting { until: config.poll_period.map(|period| now + period) };
            }
        }
    }

    /// Whether others may have become ready while `service` was served time and again.
    fn must_look(&self, config: &HostConfig, service: ServiceId) -> bool {
        let (last, count) = self.streak;
        // More than a burst: the second service may have been added in its midst.
        last == Some(service) && count >= config.burst && self.roster.len() > 1
    }

    /// Whether the turn ends without a wait: something is due already, or the period is zero.
    fn must_not_wait(&self, config: &HostConfig, now: Instant) -> bool {
        let spins = config.poll_period.is_some_and(|period| period.is_zero());
        let late = self.timers.next().is_some_and(|deadline| deadline.at <= now);
        self.hurry || spins || late
    }

    fn look(&mut self, orders: &mut Orders) {
        self.streak = (None, 0);
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
        self.streak = match self.streak {
            (Some(last), count) if last == service => (Some(service), count + 1),
            _ => (Some(service), 1),
        };
        let member = self.roster.member(service);
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

    // What a callback did.

    /// A `receive` or `wake` came back: `prepare` is due before the next wait (ProcessHost 1.1, 5),
    /// unless the service has to be connected first.
    fn after_own_call(&mut self, config: &HostConfig, now: Instant, random: &mut Random, service: ServiceId) {
        let member = self.roster.member(service);
        if member.phase == Phase::Prepared {
            member.phase = Phase::Connected;
        }
        self.settle(config, now, random, service);
    }

    /// A service whose last socket is gone is connected again.
    fn settle(&mut self, config: &HostConfig, now: Instant, random: &mut Random, service: ServiceId) {
        let open = self.sockets.open_count(service);
        let member = self.roster.member(service);
        if !member.lost || open > 0 || !matches!(member.phase, Phase::Connected | Phase::Prepared) {
            return;
        }
        member.lost = false;
        if member.proved {
            member.attempt = 0;
            member.phase = Phase::Unconnected;
            self.hurry = true;
            self.roster.mark_due(service);
        } else {
            // It connected and lost the connection before anything came through: that is no better than
            // not connecting. The first time it may be chance, and the next try does not wait.
            let first = member.attempt == 0;
            let delay = self.try_again(config, now, random, service);
            self.hurry |= first && delay.is_none();
        }
    }

    /// `connect` did not connect: when it is due again; `None` is the next turn.
    fn try_again(
        &mut self,
        config: &HostConfig,
        now: Instant,
        random: &mut Random,
        service: ServiceId,
    ) -> Option<core::time::Duration> {
        let member = self.roster.member(service);
        member.phase = Phase::Unconnected;
        let delay = member.failed_try(random);
        match delay {
            Some(delay) => {
                self.timers.set(Timer::Reconnect(service), now + delay);
                // Its prepare may have been due; its connect is not.
                self.roster.unmark_due(service);
                self.todo.retain(|due| *due != service);
            }
            None => {
                self.roster.mark_due(service);
                if config.poll_period.is_none() {
                    // Nothing else need ever end the turn.
                    self.timers.set(Timer::Reconnect(service), now + HostConfig::POLL_PERIOD);
                }
            }
        }
        delay
    }

    /// What a `receive` did with its socket; `Some` if it must not go on like this.
    fn judge(
        &mut self,
        config: &HostConfig,
        now: Instant,
        service: ServiceId,
        served: Served,
        activity: Activity,
        orders: &mut Orders,
    ) -> Option<Why> {
        let Served { socket: id, ended, proves } = served;
        if activity == Activity::Progress && proves {
            let member = self.roster.member(service);
            member.proved = true;
            member.attempt = 0;
        }
        let socket = self.sockets.find(id)?;
        match activity {
            Activity::Progress => socket.empty_wakes = 0,
            Activity::Nothing if socket.interest.is_none() => socket.empty_wakes = 0,
            Activity::Nothing => {
                socket.empty_wakes += 1;
                let wakes = socket.empty_wakes;
                return (wakes >= config.empty_wakes_max).then_some(Why::NoProgress { wakes, ended });
            }
            Activity::Starved => {
                socket.resting = true;
                self.sockets.unready(id);
                self.unmark_if_done(service);
                self.arm(id, orders);
                self.timers.set(Timer::AcceptRest(id), now + config.accept_pause);
                let notice = Notice::AcceptPaused { pause: config.accept_pause };
                orders.push_back(Action::Tell { service: Some(service), notice });
            }
        }
        None
    }

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
                Timer::Reconnect(service) => {
                    if self.roster.phase(service) == Phase::Unconnected {
                        self.roster.mark_due(service);
                    }
                }
                Timer::Wake(service) => self.wakes.push_back(service),
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

    // The end.

    fn begin_stop(&mut self, signal: Option<Signal>, orders: &mut Orders) {
        orders.push_back(Action::Tell { service: None, notice: Notice::Stopping { signal } });
        if self.turns_left.is_none() {
            // A limited run has no signals of its own.
            orders.push_back(Action::EndOnNextSignal);
        }
        self.shutdown.begin(self.roster.len());
        self.stop_next(orders);
    }

    fn stop_next(&mut self, orders: &mut Orders) {
        match self.shutdown.next() {
            Some(service) => self.call(service, Callback::Stop, orders),
            None => {
                let ending = self.shutdown.ending();
                orders.push_back(Action::Tell { service: None, notice: Notice::Stopped });
                self.end(ending, orders);
            }
        }
    }

    fn fail(&mut self, service: ServiceId, callback: Callback, why: Why, orders: &mut Orders) {
        orders.push_back(Action::NotifyFailure { service, callback, why });
        self.end(Ending::ServiceFailed, orders);
    }

    /// Closes whatever is open, in order of addition, and gives the last order.
    fn end(&mut self, ending: Ending, orders: &mut Orders) {
        for service in self.roster.ids() {
            if self.roster.phase(service) != Phase::Closed {
                self.close_service(service, orders);
            }
        }
        self.shutdown = Shutdown::Ended;
        self.step = Step::Ended;
        orders.push_back(Action::Finish(ending));
    }

    fn close_service(&mut self, service: ServiceId, orders: &mut Orders) {
        self.roster.member(service).phase = Phase::Closed;
        self.timers.clear(Timer::Wake(service));
        self.timers.clear(Timer::Reconnect(service));
        self.wakes.retain(|waiting| *waiting != service);
        orders.push_back(Action::CloseService { service });
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

    /// How many turns have begun.
    pub(crate) fn count(&self) -> u64 {
        self.turns
    }

    /// The next moment at which something is to be done; `None` while waiting only for events.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        let Step::Waiting { until } = self.step else { return None };
        let period = until.map(|at| Deadline { at, timer: Timer::PollPeriod });
        period.into_iter().chain(self.timers.next()).min()
    }

    /// What must hold after each event; the first thing that does not.
    pub(crate) fn broken_invariant(&self, now: Instant) -> Option<&'static str> {
        if self.is_ended() {
            return None;
        }
        for service in self.roster.ids() {
            if self.sockets.has_ready(service) != self.rotation.is_ready(service) {
                return Some("a service is marked ready if and only if one of its sockets is");
            }
            if self.sockets.has_ready(service) != (self.sockets.count_ready(service) > 0) {
                return Some("the count of ready sockets is their number");
            }
            if self.sockets.open_count(service) != self.sockets.count_open(service) {
                return Some("the count of open sockets is their number");
            }
        }
        if self.sockets.iter().any(|socket| socket.armed != socket.wanted()) {
            return Some("the poller reports of each socket what is wanted of it");
        }
        if matches!(self.step, Step::Waiting { .. }) {
            if self.rotation.ready_count() > 0 {
                return Some("nobody waits while a socket is ready");
            }
            if !self.todo.is_empty() || !self.wakes.is_empty() {
                return Some("nobody waits while a callback is due");
            }
            if self.roster.ids().any(|service| self.roster.phase(service) == Phase::Connected) {
                return Some("nobody waits before each service that has a connection is prepared");
            }
            if self.next_deadline().is_some_and(|deadline| deadline.at <= now) {
                return Some("a deadline lies ahead of the moment that it was asked for");
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Duration;

    const A: ServiceId = ServiceId::new(0);
    const B: ServiceId = ServiceId::new(1);
    const S: SocketId = SocketId::new(0, 0);
    const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
    const UNTIL: Instant = Instant::from_nanos(50);

    /// Two services, the first with a socket, that wait until [`UNTIL`].
    fn waiting() -> Turns {
        let config = HostConfig { poll_period: Some(Duration::from_nanos(50)), ..HostConfig::default() };
        let mut random = Random::new(0);
        let (mut turns, mut orders) = (Turns::new(), Orders::new());
        turns.added(Reconnect::EachTurn, OnConnectError::End, &mut orders);
        turns.added(Reconnect::EachTurn, OnConnectError::End, &mut orders);
        turns.started(&config, Instant::ZERO, None, &mut orders);
        turns.opened(S, A, Interest::READ, &mut orders);
        for (service, callback) in
            [A, B].into_iter().flat_map(|id| [(id, Callback::Connect), (id, Callback::Prepare)])
        {
            let outcome = Outcome::Done(Activity::Progress);
            turns.returned(&config, Instant::ZERO, &mut random, service, callback, outcome, &mut orders);
        }
        assert_eq!(turns.step, Step::Waiting { until: Some(UNTIL) });
        turns
    }

    fn report(turns: &mut Turns) {
        turns.sockets.mark_ready(S, READABLE);
        turns.rotation.mark(A);
    }

    /// A name, what breaks the state, the sentence, and whether it holds in a wait only.
    type Row = (&'static str, fn(&mut Turns), &'static str, bool);

    #[test]
    fn each_broken_invariant_is_found_and_named() {
        let rows: [Row; 9] = [
            (
                "marked and not ready",
                |turns| turns.rotation.mark(A),
                "a service is marked ready if and only if one of its sockets is",
                false,
            ),
            (
                "ready and not marked",
                |turns| {
                    turns.sockets.mark_ready(S, READABLE);
                },
                "a service is marked ready if and only if one of its sockets is",
                false,
            ),
            (
                "a ready socket that went to another",
                |turns| {
                    report(turns);
                    turns.sockets.find(S).unwrap().service = B;
                },
                "the count of ready sockets is their number",
                false,
            ),
            (
                "an open socket that went to another",
                |turns| turns.sockets.find(S).unwrap().service = B,
                "the count of open sockets is their number",
                false,
            ),
            (
                "a socket that is watched for something else",
                |turns| turns.sockets.find(S).unwrap().armed = Interest::WRITE,
                "the poller reports of each socket what is wanted of it",
                false,
            ),
            ("a report that nobody serves", report, "nobody waits while a socket is ready", true),
            ("a forgotten call", |turns| turns.todo.push(A), "nobody waits while a callback is due", true),
            (
                "a forgotten wake",
                |turns| turns.wakes.push_back(B),
                "nobody waits while a callback is due",
                true,
            ),
            (
                "a forgotten prepare",
                |turns| turns.roster.member(B).phase = Phase::Connected,
                "nobody waits before each service that has a connection is prepared",
                true,
            ),
        ];
        for (name, damage, sentence, only_in_a_wait) in rows {
            let mut turns = waiting();
            assert_eq!(turns.broken_invariant(Instant::ZERO), None, "{name}");
            damage(&mut turns);
            assert_eq!(turns.broken_invariant(Instant::ZERO), Some(sentence), "{name}");
            for step in [Step::Looking, Step::Hearing { until: None }] {
                turns.step = step;
                let expected = (!only_in_a_wait).then_some(sentence);
                assert_eq!(turns.broken_invariant(Instant::ZERO), expected, "{name}");
            }
            turns.step = Step::Ended;
            assert_eq!(turns.broken_invariant(Instant::ZERO), None, "{name}: nothing is asked of the dead");
        }
    }

    #[test]
    fn a_deadline_that_has_come_is_found_in_a_wait() {
        let turns = waiting();
        let sentence = "a deadline lies ahead of the moment that it was asked for";
        assert_eq!(turns.broken_invariant(UNTIL - Duration::from_nanos(1)), None);
        assert_eq!(turns.broken_invariant(UNTIL), Some(sentence));
        assert_eq!(turns.broken_invariant(UNTIL + Duration::from_nanos(1)), Some(sentence));
    }
}
