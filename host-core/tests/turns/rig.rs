//! A host, a clock that jumps, and short words for what goes in and what comes out.
//!
//! The words for orders: `connect a`, `receive a s0 r` (readable; `w` writable, `e` ended), `watch s0 rw`,
//! `look`, `close a`, `finish Stopped`. While the host waits they end in `wait 50 period`: the
//! milliseconds to its deadline and the timer that is due then, or `wait` alone if only a fact moves it.

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
use host_core::timers::Timer;
use std::fmt::Write as _;

pub(crate) const A: ServiceId = ServiceId::new(0);
pub(crate) const B: ServiceId = ServiceId::new(1);
pub(crate) const C: ServiceId = ServiceId::new(2);
pub(crate) const S0: SocketId = SocketId::new(0, 0);
pub(crate) const S1: SocketId = SocketId::new(1, 0);
pub(crate) const S2: SocketId = SocketId::new(2, 0);
pub(crate) const MS: Duration = Duration::from_millis(1);

/// More orders than any fact of these tests brings: a host that gives more of them never stops.
const ORDERS_MAX: usize = 100;

/// What a row tells the host.
pub(crate) enum Row {
    Fact(Event),
    /// Time passes, then a tick.
    After(Duration),
    /// Time passes, and nothing is told yet.
    Late(Duration),
    /// Time jumps to the deadline, then a tick.
    Deadline,
}

/// A host with its clock.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) host: Host,
    pub(crate) now: Instant,
    is_started: bool,
    /// A callback or a look is out.
    is_out: bool,
}

impl Rig {
    pub(crate) fn new(config: HostConfig) -> Self {
        Self { host: Host::new(config), now: Instant::ZERO, is_started: false, is_out: false }
    }

    /// A host that waits, each of whose services holds one socket: `S0` is that of `A`, and so on.
    pub(crate) fn standing(config: HostConfig, services: u32) -> Self {
        let mut rig = Self::new(config);
        (0..services).for_each(|_| drop(rig.tell(added())));
        rig.tell(start());
        for service in (0..services).map(ServiceId::new) {
            rig.tell(opened(SocketId::new(service.number(), 0), service));
            rig.tell(returns(service, Callback::Connect));
            rig.tell(returns(service, Callback::Prepare));
        }
        rig
    }

    /// Tells each row's fact and compares the orders with the row's words.
    #[track_caller]
    pub(crate) fn play<const N: usize>(&mut self, rows: [(Row, &str); N]) {
        for (index, (row, expected)) in rows.into_iter().enumerate() {
            assert_eq!(self.tell(row), expected, "row {index}");
        }
    }

    /// Tells one row's fact; the orders in words.
    #[track_caller]
    pub(crate) fn tell(&mut self, row: Row) -> String {
        let event = match row {
            Row::Fact(event) => event,
            Row::After(duration) => {
                self.now = self.now + duration;
                Event::Tick
            }
            Row::Late(duration) => {
                self.now = self.now + duration;
                return String::new();
            }
            Row::Deadline => {
                self.now = self.host.next_deadline().expect("a row jumps to a deadline that is set").at;
                Event::Tick
            }
        };
        self.words(event)
    }

    #[track_caller]
    fn words(&mut self, event: Event) -> String {
        self.is_started |= matches!(event, Event::Started { .. });
        if matches!(event, Event::Tick | Event::Returned { .. }) {
            self.is_out = false;
        }
        self.host.handle_event(self.now, event);
        let mut words = String::new();
        for count in 0.. {
            assert!(count < ORDERS_MAX, "the host gives orders without end: {words}");
            let Some(action) = self.host.poll_action() else { break };
            self.is_out |= matches!(action, Action::Call { .. } | Action::Receive { .. } | Action::Look);
            let comma = if words.is_empty() { "" } else { ", " };
            write!(words, "{comma}{}", order(&action)).expect("a string takes every word");
        }
        assert_eq!(self.host.broken_invariant(), None);
        let deadline = self.host.next_deadline();
        assert!(deadline.is_none_or(|deadline| deadline.at > self.now), "{deadline:?} at {}", self.now);
        if self.is_started && !self.is_out && !self.host.is_ended() {
            let comma = if words.is_empty() { "" } else { ", " };
            let wait = deadline.map_or_else(String::new, |deadline| {
                format!(" {} {}", ms(deadline.at.since(self.now)), timer(deadline.timer))
            });
            write!(words, "{comma}wait{wait}").expect("a string takes every word");
        }
        words
    }
}

/// The configuration of most tests: a poll period of 50 ms.
pub(crate) fn quick() -> HostConfig {
    HostConfig { poll_period: Some(50 * MS), ..HostConfig::default() }
}

/// An idle host makes no wake-ups.
pub(crate) fn period_off() -> HostConfig {
    HostConfig { poll_period: None, ..HostConfig::default() }
}

// Facts.

pub(crate) fn start() -> Row {
    Row::Fact(Event::Started { turns_max: None })
}

pub(crate) fn start_for(turns: u64) -> Row {
    Row::Fact(Event::Started { turns_max: Some(turns) })
}

/// The next service, which is `A`, `B` or `C` by order of addition.
pub(crate) fn added() -> Row {
    added_with(Reconnect::EachTurn, OnConnectError::End)
}

pub(crate) fn added_with(reconnect: Reconnect, on_connect_error: OnConnectError) -> Row {
    // A host counts its services itself.
    Row::Fact(Event::Added { service: A, reconnect, on_connect_error })
}

pub(crate) fn opened(socket: SocketId, service: ServiceId) -> Row {
    Row::Fact(Event::Opened { socket, service, interest: Interest::READ })
}

pub(crate) fn opened_for(socket: SocketId, service: ServiceId, interest: Interest) -> Row {
    Row::Fact(Event::Opened { socket, service, interest })
}

pub(crate) fn wants(socket: SocketId, interest: Interest) -> Row {
    Row::Fact(Event::InterestChanged { socket, interest })
}

pub(crate) fn closed(socket: SocketId) -> Row {
    Row::Fact(Event::Closed { socket })
}

pub(crate) fn wake_at(service: ServiceId, at: Instant) -> Row {
    Row::Fact(Event::WakeAsked { service, at: Some(at) })
}

pub(crate) fn wake_never(service: ServiceId) -> Row {
    Row::Fact(Event::WakeAsked { service, at: None })
}

pub(crate) fn reconnect(service: ServiceId) -> Row {
    Row::Fact(Event::ReconnectAsked { service, failed: false })
}

pub(crate) fn reconnect_later(service: ServiceId) -> Row {
    Row::Fact(Event::ReconnectAsked { service, failed: true })
}

/// The callback came back well; a receive did something.
pub(crate) fn returns(service: ServiceId, callback: Callback) -> Row {
    came_back(service, callback, Outcome::Done(Activity::Progress))
}

pub(crate) fn not_yet(service: ServiceId) -> Row {
    came_back(service, Callback::Connect, Outcome::NotYet)
}

pub(crate) fn fails(service: ServiceId, callback: Callback) -> Row {
    came_back(service, callback, Outcome::Failed)
}

/// The receive came back having done nothing with its socket.
pub(crate) fn does_nothing(service: ServiceId) -> Row {
    came_back(service, Callback::Receive, Outcome::Done(Activity::Nothing))
}

/// The receive accepted until descriptors ran out.
pub(crate) fn starves(service: ServiceId) -> Row {
    came_back(service, Callback::Receive, Outcome::Done(Activity::Starved))
}

fn came_back(service: ServiceId, callback: Callback, outcome: Outcome) -> Row {
    Row::Fact(Event::Returned { service, callback, outcome })
}

pub(crate) const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };

pub(crate) fn readable(socket: SocketId) -> Row {
    ready(socket, READABLE)
}

pub(crate) fn ended(socket: SocketId) -> Row {
    ready(socket, Readiness { readable: true, writable: true, ended: true })
}

pub(crate) fn ready(socket: SocketId, readiness: Readiness) -> Row {
    Row::Fact(Event::Ready { socket, readiness })
}

pub(crate) fn unwatchable(socket: SocketId) -> Row {
    Row::Fact(Event::WatchFailed { socket, errno: Errno::NOSPC })
}

pub(crate) fn breaks() -> Row {
    Row::Fact(Event::SystemFailed { call: "epoll_wait", errno: Errno::BADF })
}

pub(crate) fn signal(signal: Signal) -> Row {
    Row::Fact(Event::Signalled(signal))
}

pub(crate) fn stop() -> Row {
    Row::Fact(Event::StopAsked)
}

pub(crate) fn tick() -> Row {
    Row::Fact(Event::Tick)
}

pub(crate) fn after(duration: Duration) -> Row {
    Row::After(duration)
}

pub(crate) fn late(duration: Duration) -> Row {
    Row::Late(duration)
}

pub(crate) fn at_deadline() -> Row {
    Row::Deadline
}

// Words.

fn order(action: &Action) -> String {
    match action {
        Action::Call { service, callback } => format!("{callback} {}", letter(*service)),
        Action::Receive { service, socket, readiness } => {
            let Readiness { readable, writable, ended } = *readiness;
            let end = if ended { "e" } else { "" };
            format!("receive {} {} {}{end}", letter(*service), seat(*socket), rw(readable, writable))
        }
        Action::Watch { socket, interest } => {
            format!("watch {} {}", seat(*socket), rw(interest.readable, interest.writable))
        }
        Action::Unwatch { socket } => format!("unwatch {}", seat(*socket)),
        Action::Look => "look".into(),
        Action::EndOnNextSignal => "end on signal".into(),
        Action::NotifyFailure { service, callback, why } => {
            let why = match why {
                Why::Callback => "failed".into(),
                Why::NoProgress { wakes, ended } => {
                    format!("empty {wakes}{}", if *ended { " ended" } else { "" })
                }
                Why::NotWatched { errno } => format!("{errno:?}"),
            };
            format!("notify {} {callback} {why}", letter(*service))
        }
        Action::CloseService { service } => format!("close {}", letter(*service)),
        Action::Tell { service, notice } => {
            let whose = service.map_or_else(String::new, |service| format!(" {}", letter(service)));
            format!("tell{whose} {}", told(notice))
        }
        Action::ReopenFiles => "reopen files".into(),
        Action::Finish(ending) => format!("finish {ending:?}"),
        Action::Spawn { .. }
        | Action::SignalWorker { .. }
        | Action::Nudge { .. }
        | Action::Mind { .. }
        | Action::ReadBeats { .. }
        | Action::ReadMemory { .. }
        | Action::AskScale { .. }
        | Action::ReadChildNews { .. }
        | Action::Reopen { .. }
        | Action::KillAll
        | Action::TellFleet { .. } => format!("{action:?}, which only a host with fleets orders"),
    }
}

fn told(notice: &Notice) -> String {
    match notice {
        Notice::ListeningAt { path } => format!("listening at {path}"),
        Notice::Started { services } => format!("started {services}"),
        Notice::Added => "added".into(),
        Notice::ConnectFailed { attempt, retry_after } => {
            format!("connect failed {attempt} {}", ms(*retry_after))
        }
        Notice::AcceptPaused { pause } => format!("paused {}", ms(*pause)),
        Notice::Stopping { signal: Some(signal) } => format!("stopping {signal}"),
        Notice::Stopping { signal: None } => "stopping".into(),
        Notice::Draining { signal: Some(signal) } => format!("draining {signal}"),
        Notice::Draining { signal: None } => "draining".into(),
        Notice::DrainCutShort { services } => format!("cut short {services}"),
        Notice::SignalIgnored { signal } => format!("ignored {signal}"),
        Notice::Stopped => "stopped".into(),
        Notice::StrangerReaped { .. } | Notice::Fleet(_) => {
            format!("{notice:?}, which only a host with fleets tells")
        }
        Notice::Listening { .. }
        | Notice::Dispatch(_)
        | Notice::BodyFailed { .. }
        | Notice::ServiceFailed { .. }
        | Notice::Output { .. }
        | Notice::OutputLeftOut { .. }
        | Notice::PolicyFailed
        | Notice::ManagerLost { .. }
        | Notice::LogOpened { .. }
        | Notice::LogFailed { .. }
        | Notice::LogLost { .. }
        | Notice::NotReopened { .. }
        | Notice::OutputsKept { .. }
        | Notice::RecordingStopped { .. } => {
            format!("{notice:?}, which only a driver tells")
        }
    }
}

fn timer(timer: Timer) -> String {
    match timer {
        Timer::PollPeriod => "period".into(),
        Timer::Reconnect(service) => format!("reconnect {}", letter(service)),
        Timer::Wake(service) => format!("wake {}", letter(service)),
        Timer::AcceptRest(socket) => format!("rest {}", seat(socket)),
        Timer::DrainEnd => "end of drain".into(),
        Timer::Look(_)
        | Timer::Boot(_)
        | Timer::Grace(_)
        | Timer::Stable(_)
        | Timer::Respawn(..)
        | Timer::ForkAgain(_)
        | Timer::MindAgain(_)
        | Timer::Sample(_) => format!("{timer:?}, which only a host with fleets sets"),
    }
}

fn letter(service: ServiceId) -> char {
    char::from(b'a' + u8::try_from(service.number()).expect("a test has few services"))
}

/// `s0`, and with a mark for each earlier socket of the seat: `s0'`.
fn seat(socket: SocketId) -> String {
    format!("s{}{}", socket.index(), "'".repeat(socket.generation() as usize))
}

fn rw(readable: bool, writable: bool) -> &'static str {
    match (readable, writable) {
        (true, true) => "rw",
        (true, false) => "r",
        (false, true) => "w",
        (false, false) => "nothing",
    }
}

fn ms(duration: Duration) -> String {
    if duration.subsec_nanos().is_multiple_of(1_000_000) {
        duration.as_millis().to_string()
    } else {
        format!("{duration:?}")
    }
}
