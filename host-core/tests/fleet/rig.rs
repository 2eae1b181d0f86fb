//! A host with fleets, a clock that jumps, and short words for what goes in and what comes out.
//!
//! `a0.1` is fleet a, slot 0, incarnation 1. The words for orders: `spawn a0.1`, `signal a0.1 KILL`,
//! `nudge a0.1`, `mind a0.1 {0, 2}` (these lanes), `read a` (the beats), `news` (of children), `kill all`, `connect s0`, `finish Stopped`; for
//! what people are told: `died a0.1 KILL Hung killed`, `rest a0 x2` (after two young deaths in a row),
//! `late a0.1 150`. What repeats a fact or an order – created, ready, asked, killed – and who is nudged is left
//! out unless a test asks for it.

use crate::checker::Checker;
use host_core::action::{Action, Ending};
use host_core::config::HostConfig;
use host_core::event::{Activity, Event, Outcome};
use host_core::fleet::backoff::Backoff;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::{FleetConfig, Restart, RestartBudget, Strategy};
use host_core::fleet::death::Death;
use host_core::fleet::message::{FromWorker, Garbled};
use host_core::fleet::notice::FleetNotice;
use host_core::fleet::status::FleetStatus;
use host_core::host::Host;
use host_core::id::{FleetId, ServiceId, Slot, SocketId, WorkerId};
use host_core::notice::Notice;
use host_core::service::kick::Callback;
use host_core::service::reconnect::{OnConnectError, Reconnect};
use host_core::sys::{ConfineError, Errno, ExitStatus, ForkError, Interest, Pid, Signal, SlotReading, Step};
use host_core::time::{Duration, Instant};
use host_core::timers::Timer;
use std::collections::BTreeMap;

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const NS: Duration = Duration::from_nanos(1);

/// More orders than any fact of these tests brings: a host that gives more of them never stops.
const ORDERS_MAX: usize = 200;

/// What a row tells the host.
#[derive(Clone)]
pub(crate) enum Row {
    Fact(Event),
    /// Facts of one wake.
    All(Vec<Self>),
    /// Time passes, then a tick.
    After(Duration),
    /// Time passes, and nothing is told yet.
    Late(Duration),
    /// Time jumps to the deadline, then a tick.
    Deadline,
    /// Time passes with a tick at each deadline, and what fleet a's slots hold is read when it is asked for.
    Through(Duration),
    /// A worker stores a sign of life of this age in its slot.
    Beat(WorkerId, Pace, Duration),
    /// A worker stores until when it may be silent, from now on, and how many requests it has served.
    Publish(WorkerId, Option<Duration>, u64),
    /// A worker stores how many connections it has in hand.
    Hold(WorkerId, u64),
    /// What was stored is read.
    Beats(FleetId),
    /// Nothing happens; the words are those of the next deadline.
    Next,
}

/// A host with its clock, and its workers' slots.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) host: Host,
    pub(crate) now: Instant,
    pub(crate) checker: Checker,
    slots: BTreeMap<WorkerId, SlotReading>,
    is_loud: bool,
}

impl Rig {
    /// A host that has begun and has ordered its first workers.
    pub(crate) fn started(config: HostConfig) -> Self {
        let mut rig = Self::fresh(config);
        rig.tell(start());
        rig
    }

    /// A host that has not begun.
    pub(crate) fn fresh(config: HostConfig) -> Self {
        Self {
            host: Host::new(config.clone()),
            now: Instant::ZERO,
            checker: Checker::new(config),
            slots: BTreeMap::new(),
            is_loud: false,
        }
    }

    /// A host all of whose workers were born and are ready and wait, since the moment zero.
    pub(crate) fn up(config: HostConfig) -> Self {
        let mut rig = Self::started(config);
        rig.settle();
        // All that the poller reports ends with a tick.
        rig.tell(tick());
        rig
    }

    /// Whoever was ordered is born and ready and waits.
    pub(crate) fn settle(&mut self) {
        loop {
            let Some(name) = self.checker.forking().next().map(name) else { return };
            self.tell(born(&name));
            self.tell(waits(&name));
            self.tell(ready(&name));
        }
    }

    /// Prints what is left out otherwise.
    pub(crate) fn loud(mut self) -> Self {
        self.is_loud = true;
        self
    }

    /// Tells each row's fact and compares the orders with the row's words.
    #[track_caller]
    pub(crate) fn play<const N: usize>(&mut self, rows: [(Row, &str); N]) {
        for (index, (row, expected)) in rows.into_iter().enumerate() {
            let at = self.now;
            assert_eq!(self.tell(row), expected, "row {index}, at {at}");
        }
    }

    /// Tells one row's fact; the orders in words.
    #[track_caller]
    pub(crate) fn tell(&mut self, row: Row) -> String {
        match row {
            Row::Fact(event) => self.words(event),
            Row::All(rows) => {
                let words: Vec<_> = rows.into_iter().map(|row| self.tell(row)).collect();
                words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
            }
            Row::After(duration) => {
                self.now = self.now + duration;
                self.words(Event::Tick)
            }
            Row::Late(duration) => {
                self.now = self.now + duration;
                String::new()
            }
            Row::Deadline => {
                self.now = self.host.next_deadline().expect("a row jumps to a deadline that is set").at;
                self.words(Event::Tick)
            }
            Row::Through(duration) => {
                let end = self.now + duration;
                let mut words = Vec::new();
                while let Some(deadline) = self.host.next_deadline().filter(|deadline| deadline.at <= end) {
                    self.now = deadline.at;
                    let ticked = self.words(Event::Tick);
                    let reads = ticked.contains("read a");
                    words.push(ticked.replace("read a, ", "").replace("read a", ""));
                    words.extend(reads.then(|| self.tell(Row::Beats(A))));
                }
                self.now = end;
                words.push(self.words(Event::Tick));
                words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ")
            }
            Row::Beat(worker, pace, age) => {
                self.slots.entry(worker).or_default().beat = Some(Beat { at: self.now - age, pace });
                String::new()
            }
            Row::Publish(worker, extension, requests) => {
                let reading = self.slots.entry(worker).or_default();
                reading.extended_until = extension.map(|duration| self.now + duration);
                reading.requests = requests;
                String::new()
            }
            Row::Hold(worker, connections) => {
                self.slots.entry(worker).or_default().connections = connections;
                String::new()
            }
            Row::Beats(fleet) => {
                let read = |worker: WorkerId| (worker, self.slots.get(&worker).copied().unwrap_or_default());
                let readings = self.checker.living().filter(|worker| worker.fleet == fleet).map(read);
                let readings = readings.collect();
                self.words(Event::Beats { fleet, readings })
            }
            Row::Next => self.host.next_deadline().map_or_else(
                || "never".into(),
                |deadline| format!("{} in {}", timer(deadline.timer), ms(deadline.at.since(self.now))),
            ),
        }
    }

    #[track_caller]
    fn words(&mut self, event: Event) -> String {
        let is_tick = event == Event::Tick;
        self.checker.fact(self.now, &event);
        self.host.handle_event(self.now, event);
        let mut words = Vec::new();
        while let Some(action) = self.host.poll_action() {
            assert!(words.len() < ORDERS_MAX, "the host gives orders without end: {words:?}");
            self.checker.order(self.now, &action);
            words.extend(order(&action, self.is_loud));
        }
        assert_eq!(self.host.broken_invariant(), None, "after {words:?}");
        let deadline = self.host.next_deadline();
        assert!(!is_tick || deadline.is_none_or(|deadline| deadline.at > self.now), "{deadline:?}");
        self.checker.settled(&self.host);
        words.join(", ")
    }

    pub(crate) fn status(&self) -> FleetStatus {
        self.host.fleet(A).expect("there is a fleet a")
    }

    /// The last death that is remembered.
    pub(crate) fn last_death(&self) -> Death {
        *self.status().deaths.last().expect("somebody has died")
    }
}

// Settings.

pub(crate) const A: FleetId = FleetId::new(0);

/// A fleet whose timeouts are short and all different.
pub(crate) fn fleet(name: &str, workers: u32) -> FleetConfig {
    FleetConfig {
        workers: Some(workers),
        boot_timeout: 1_000 * MS,
        heartbeat_timeout: 100 * MS,
        drain_timeout: 500 * MS,
        term_timeout: 50 * MS,
        backoff: Backoff { first: 10 * MS, max: 80 * MS },
        stable_after: 200 * MS,
        degraded_retry: 300 * MS,
        ..FleetConfig::new(name)
    }
}

/// A host with these fleets and without deadlines of its own.
pub(crate) fn host(fleets: impl IntoIterator<Item = FleetConfig>) -> HostConfig {
    HostConfig { poll_period: None, fleets: fleets.into_iter().collect(), seed: 7, ..HostConfig::default() }
}

/// One fleet of so many workers.
pub(crate) fn workers(workers: u32) -> HostConfig {
    host([fleet("a", workers)])
}

/// One fleet of so many workers, changed.
pub(crate) fn with(count: u32, change: impl FnOnce(&mut FleetConfig)) -> HostConfig {
    let mut fleet = fleet("a", count);
    change(&mut fleet);
    host([fleet])
}

/// Fleets a, b, c… of so many workers each.
pub(crate) fn fleets<const N: usize>(strategy: Strategy, counts: [u32; N]) -> HostConfig {
    let fleets = ["a", "b", "c"].into_iter().zip(counts).map(|(name, count)| fleet(name, count));
    HostConfig { strategy, ..host(fleets) }
}

pub(crate) fn budget(count: u32, window: Duration) -> Option<RestartBudget> {
    Some(RestartBudget { count, window })
}

// Names.

/// The worker that `a0.1` names.
#[track_caller]
pub(crate) fn w(name: &str) -> WorkerId {
    let (fleet, rest) = name.split_at(1);
    let (slot, incarnation) = rest.split_once('.').expect("a worker's name, such as a0.1");
    WorkerId {
        fleet: f(fleet),
        slot: Slot::new(slot.parse().expect("a slot")),
        incarnation: incarnation.parse().expect("an incarnation"),
    }
}

fn f(letter: &str) -> FleetId {
    FleetId::new(u16::from(letter.as_bytes()[0] - b'a'))
}

pub(crate) fn name(worker: WorkerId) -> String {
    format!("{}{}.{}", letter(worker.fleet), worker.slot, worker.incarnation)
}

fn letter(fleet: FleetId) -> char {
    char::from(b'a' + u8::try_from(fleet.index()).expect("a test has few fleets"))
}

/// Each worker of these tests has a number of its own.
pub(crate) fn pid(worker: WorkerId) -> Pid {
    let (fleet, slot) = (worker.fleet.index() as u32, u32::from(worker.slot.number()));
    Pid(10_000 * (fleet + 1) + 100 * slot + worker.incarnation)
}

// What happens.

pub(crate) fn start() -> Row {
    Row::Fact(Event::Started { turns_max: None })
}

pub(crate) fn all<const N: usize>(rows: [Row; N]) -> Row {
    Row::All(rows.into())
}

pub(crate) fn born(worker: &str) -> Row {
    Row::Fact(Event::Spawned { worker: w(worker), pid: pid(w(worker)) })
}

pub(crate) fn unborn(worker: &str) -> Row {
    let error = ForkError::System { call: "clone3", errno: Errno::AGAIN };
    Row::Fact(Event::SpawnFailed { worker: w(worker), error })
}

pub(crate) fn unborn_among_threads(worker: &str, count: u32) -> Row {
    Row::Fact(Event::SpawnFailed { worker: w(worker), error: ForkError::Threads { count } })
}

pub(crate) fn said(worker: &str, message: Result<FromWorker, Garbled>) -> Row {
    Row::Fact(Event::WorkerSaid { worker: w(worker), message })
}

pub(crate) fn ready(worker: &str) -> Row {
    said(worker, Ok(FromWorker::Ready))
}

/// It takes no more connections.
pub(crate) fn leaves(worker: &str) -> Row {
    said(worker, Ok(FromWorker::Leaves))
}

/// It could not be told its lanes.
pub(crate) fn unheard(worker: &str) -> Row {
    Row::Fact(Event::MindFailed { worker: w(worker) })
}

/// It has served its number of requests.
pub(crate) fn enough(worker: &str) -> Row {
    said(worker, Ok(FromWorker::ServedEnough))
}

/// It does not take a connection that it was woken for.
pub(crate) fn left_waiting(worker: &str) -> Row {
    said(worker, Ok(FromWorker::LeftWaiting))
}

/// It asks for so much time, from now on.
pub(crate) fn extends(worker: &str, duration: Duration) -> Row {
    all([Row::Publish(w(worker), Some(duration), 0), said(worker, Ok(FromWorker::Extended)), tick()])
}

/// It may not become the user that its fleet says.
pub(crate) fn unconfined(worker: &str) -> Row {
    let error = ConfineError { step: Step::User, errno: Errno::PERM };
    said(worker, Ok(FromWorker::Unconfined(error)))
}

pub(crate) fn scribbles(worker: &str) -> Row {
    said(worker, Err(Garbled { first: 9, length: 3 }))
}

/// It was reaped, having exited with this status.
pub(crate) fn exits(worker: &str, status: u8) -> Row {
    Row::Fact(Event::WorkerExited { worker: w(worker), status: ExitStatus::Code(status) })
}

/// It was reaped, ended by this signal.
pub(crate) fn dies(worker: &str, signal: Signal) -> Row {
    Row::Fact(Event::WorkerExited { worker: w(worker), status: ExitStatus::by(signal) })
}

/// It was reaped, ended by KILL.
pub(crate) fn killed(worker: &str) -> Row {
    dies(worker, Signal::Kill)
}

pub(crate) fn unsent(worker: &str, signal: Signal, errno: Errno) -> Row {
    Row::Fact(Event::SignalFailed { worker: w(worker), signal, errno })
}

pub(crate) fn stopped(worker: &str) -> Row {
    Row::Fact(Event::ChildStopped { pid: pid(w(worker)) })
}

pub(crate) fn continued(worker: &str) -> Row {
    Row::Fact(Event::ChildContinued { pid: pid(w(worker)) })
}

/// Its slot says that it is busy since now.
pub(crate) fn busy(worker: &str) -> Row {
    Row::Beat(w(worker), Pace::Busy, Duration::ZERO)
}

/// Its slot says that it waits since now.
pub(crate) fn waits(worker: &str) -> Row {
    Row::Beat(w(worker), Pace::Waiting, Duration::ZERO)
}

pub(crate) fn served(worker: &str, requests: u64) -> Row {
    Row::Publish(w(worker), None, requests)
}

/// Each of these has so many connections in hand.
pub(crate) fn hold<const N: usize>(workers: [&str; N], connections: u64) -> Row {
    all(workers.map(|worker| Row::Hold(w(worker), connections)))
}

/// The author's function wants so many workers of fleet a.
pub(crate) fn answers(workers: u32) -> Row {
    Row::Fact(Event::ScaleAnswered { fleet: A, workers })
}

/// The author's function judges the end of a worker, which is told next.
pub(crate) fn judged(worker: &str, restart: Restart) -> Row {
    Row::Fact(Event::ExitJudged { worker: w(worker), restart })
}

/// So much memory each of these workers of fleet a has.
pub(crate) fn memory<const N: usize>(readings: [(&str, Result<u64, Errno>); N]) -> Row {
    let readings = readings.map(|(name, reading)| (w(name), reading)).into();
    Row::Fact(Event::Memory { fleet: A, readings })
}

/// The slots of a fleet are read.
pub(crate) fn beats(fleet: &str) -> Row {
    Row::Beats(f(fleet))
}

/// Time jumps to the next deadline, which is a look at fleet a, and what it finds.
pub(crate) fn look() -> Row {
    all([Row::Deadline, beats("a")])
}

pub(crate) fn signal(signal: Signal) -> Row {
    Row::Fact(Event::Signalled(signal))
}

pub(crate) fn stop() -> Row {
    Row::Fact(Event::StopAsked)
}

pub(crate) fn drain() -> Row {
    Row::Fact(Event::DrainAsked)
}

pub(crate) fn resize(fleet: &str, workers: u32) -> Row {
    Row::Fact(Event::ResizeAsked { fleet: f(fleet), workers })
}

pub(crate) fn restore(fleet: &str) -> Row {
    Row::Fact(Event::RestoreAsked { fleet: f(fleet) })
}

pub(crate) fn abandoned(fleet: &str) -> Row {
    Row::Fact(Event::StartAbandoned { fleet: f(fleet) })
}

pub(crate) fn breaks() -> Row {
    Row::Fact(Event::SystemFailed { call: "epoll_wait", errno: Errno::BADF })
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

/// Nothing happens; the words are those of the next deadline.
pub(crate) fn next() -> Row {
    Row::Next
}

// Services of the host itself.

pub(crate) fn added() -> Row {
    Row::Fact(Event::Added {
        service: ServiceId::new(0),
        reconnect: Reconnect::EachTurn,
        on_connect_error: OnConnectError::End,
    })
}

/// The first service opens its socket.
pub(crate) fn opened() -> Row {
    let (socket, service) = (SocketId::new(0, 0), ServiceId::new(0));
    Row::Fact(Event::Opened { socket, service, interest: Interest::READ })
}

/// The first service closes its socket.
pub(crate) fn closed() -> Row {
    Row::Fact(Event::Closed { socket: SocketId::new(0, 0) })
}

/// A callback of the first service comes back well.
pub(crate) fn returns(callback: Callback) -> Row {
    came_back(callback, Outcome::Done(Activity::Progress))
}

pub(crate) fn fails(callback: Callback) -> Row {
    came_back(callback, Outcome::Failed)
}

pub(crate) fn not_yet(callback: Callback) -> Row {
    came_back(callback, Outcome::NotYet)
}

fn came_back(callback: Callback, outcome: Outcome) -> Row {
    Row::Fact(Event::Returned { service: ServiceId::new(0), callback, outcome })
}

// Words.

fn order(action: &Action, is_loud: bool) -> Option<String> {
    Some(match action {
        Action::Spawn { worker } => format!("spawn {}", name(*worker)),
        Action::SignalWorker { worker, signal } => format!("signal {} {signal}", name(*worker)),
        Action::Nudge { .. } if !is_loud => return None,
        Action::Nudge { worker } => format!("nudge {}", name(*worker)),
        Action::Mind { worker, lanes } => format!("mind {} {lanes:?}", name(*worker)),
        Action::ReadBeats { fleet } => format!("read {}", letter(*fleet)),
        Action::AskScale { fleet } => format!("ask {}", letter(*fleet)),
        Action::ReadMemory { fleet } => format!("sample {}", letter(*fleet)),
        Action::ReadChildNews { reap_strangers: true } => "news and strangers".into(),
        Action::ReadChildNews { reap_strangers: false } => "news".into(),
        Action::Reopen { worker } => format!("reopen {}", name(*worker)),
        Action::ReopenFiles => "reopen files".into(),
        Action::KillAll => "kill all".into(),
        Action::TellFleet { fleet, notice } => return told_of(letter(*fleet), notice, is_loud),
        Action::Tell { notice, .. } => return told(notice, is_loud),
        Action::Call { callback, service } => format!("{callback} s{}", service.number()),
        Action::CloseService { service } => format!("close s{}", service.number()),
        Action::NotifyFailure { service, .. } => format!("notify s{}", service.number()),
        Action::EndOnNextSignal => "end on signal".into(),
        Action::Finish(Ending::FleetGivenUp { fleet }) => format!("finish FleetGivenUp {}", letter(*fleet)),
        Action::Finish(Ending::SystemFailed { .. }) => "finish SystemFailed".into(),
        Action::Finish(Ending::Threads { count }) => format!("finish Threads {count}"),
        Action::Finish(ending) => format!("finish {ending:?}"),
        Action::Look => "look".into(),
        // The only socket of these tests is nobody's business here.
        Action::Watch { .. } | Action::Unwatch { .. } => return None,
        Action::Receive { .. } => format!("{action:?}"),
    })
}

fn told(notice: &Notice, is_loud: bool) -> Option<String> {
    Some(match notice {
        Notice::ListeningAt { path } => format!("listening at {path}"),
        Notice::Stopping { signal: Some(signal) } => format!("stopping {signal}"),
        Notice::Stopping { signal: None } => "stopping".into(),
        Notice::Draining { signal: Some(signal) } => format!("draining {signal}"),
        Notice::Draining { signal: None } => "draining".into(),
        Notice::DrainCutShort { services } => format!("cut short {services}"),
        Notice::SignalIgnored { signal } => format!("ignored {signal}"),
        Notice::StrangerReaped { pid } => format!("stranger {pid}"),
        Notice::Stopped => "stopped".into(),
        Notice::Started { .. } | Notice::Added if !is_loud => return None,
        Notice::Started { services } => format!("started {services}"),
        Notice::Added => "added".into(),
        Notice::ConnectFailed { .. }
        | Notice::AcceptPaused { .. }
        | Notice::Listening { .. }
        | Notice::Dispatch(_)
        | Notice::BodyFailed { .. }
        | Notice::ServiceFailed { .. }
        | Notice::PolicyFailed
        | Notice::RecordingStopped { .. }
        | Notice::ManagerLost { .. }
        | Notice::Output { .. }
        | Notice::OutputLeftOut { .. }
        | Notice::LogOpened { .. }
        | Notice::LogFailed { .. }
        | Notice::LogLost { .. }
        | Notice::NotReopened { .. }
        | Notice::OutputsKept { .. }
        | Notice::Fleet(_) => format!("{notice:?}, which no host of these tests tells"),
    })
}

fn told_of(fleet: char, notice: &FleetNotice, is_loud: bool) -> Option<String> {
    let repeats = matches!(
        notice,
        FleetNotice::Starting { .. }
            | FleetNotice::Spawned { .. }
            | FleetNotice::Ready { .. }
            | FleetNotice::Softened { .. }
            | FleetNotice::Killed { .. }
            | FleetNotice::Asked { .. }
    );
    if repeats && !is_loud {
        return None;
    }
    Some(match *notice {
        FleetNotice::Starting { workers } => format!("starting {fleet} {workers}"),
        FleetNotice::Spawned { worker, pid } => format!("created {} {pid}", name(worker)),
        FleetNotice::SpawnFailed { worker, error: ForkError::Threads { count }, .. } => {
            format!("unborn {} threads {count}", name(worker))
        }
        FleetNotice::SpawnFailed { worker, retry_after, .. } if is_loud => {
            format!("unborn {}, again in {}", name(worker), ms(retry_after))
        }
        FleetNotice::SpawnFailed { worker, .. } => format!("unborn {}", name(worker)),
        FleetNotice::Ready { worker, after } => format!("ready {} {}", name(worker), ms(after)),
        FleetNotice::Late { worker, age } => format!("late {} {}", name(worker), ms(age)),
        FleetNotice::Extended { worker, until } => {
            format!("extended {} to {}", name(worker), ms(until.since(Instant::ZERO)))
        }
        FleetNotice::Softened { worker, signal } => format!("softened {} {signal}", name(worker)),
        FleetNotice::Killed { worker, intent } => format!("killed {} {intent:?}", name(worker)),
        FleetNotice::KillHeld { worker, until } => {
            format!("held {} to {}", name(worker), ms(until.since(Instant::ZERO)))
        }
        FleetNotice::Outage => format!("outage {fleet}"),
        FleetNotice::OutageOver => format!("outage over {fleet}"),
        FleetNotice::Asked { worker, intent, signal } => {
            format!("asked {} {signal} {intent:?}", name(worker))
        }
        FleetNotice::SignalFailed { worker, signal, errno } => {
            format!("unsent {} {signal} {errno:?}", name(worker))
        }
        FleetNotice::Stopped { worker } => format!("stopped {}", name(worker)),
        FleetNotice::Continued { worker } => format!("continued {}", name(worker)),
        FleetNotice::Died(death) => died(&death),
        FleetNotice::Resting { slot, failures, .. } => format!("rest {fleet}{slot} x{failures}"),
        FleetNotice::Retired { slot } => format!("retired {fleet}{slot}"),
        FleetNotice::Stable { worker } => format!("stable {}", name(worker)),
        FleetNotice::Degraded { .. } => format!("degraded {fleet}"),
        FleetNotice::GivenUp => format!("given up {fleet}"),
        FleetNotice::Recovered => format!("recovered {fleet}"),
        FleetNotice::Resized { workers } => format!("wanted {fleet} {workers}"),
        FleetNotice::Scaled { workers, before, idle, busy } => {
            format!("load {fleet} {before} to {workers} ({idle} idle, {busy} busy)")
        }
        FleetNotice::TooLarge { worker, bytes, .. } => format!("large {} {bytes}", name(worker)),
        FleetNotice::MemoryUnread { worker, errno } => format!("unread {} {errno:?}", name(worker)),
        FleetNotice::Garbled { worker, garbled } => {
            format!("garbled {} {}x{}", name(worker), garbled.first, garbled.length)
        }
        FleetNotice::Unconfined { worker, error } => format!("unconfined {} {}", name(worker), error.step),
        FleetNotice::Empty => format!("empty {fleet}"),
    })
}

fn died(death: &Death) -> String {
    let status = match death.status {
        ExitStatus::Code(code) => code.to_string(),
        ExitStatus::Signal { .. } => death.status.to_string().replace("signal ", ""),
        ExitStatus::Unknown => "unknown".into(),
    };
    let intent = death.intent.map_or_else(|| "unasked".into(), |intent| format!("{intent:?}"));
    let killed = if death.killed { " killed" } else { "" };
    format!("died {} {status} {intent}{killed}", name(death.worker))
}

fn timer(timer: Timer) -> String {
    match timer {
        Timer::Look(fleet) => format!("look {}", letter(fleet)),
        Timer::Boot(worker) => format!("boot {}", name(worker)),
        Timer::Grace(worker) => format!("grace {}", name(worker)),
        Timer::Stable(worker) => format!("stable {}", name(worker)),
        Timer::Respawn(fleet, slot) => format!("respawn {}{slot}", letter(fleet)),
        Timer::ForkAgain(fleet) => format!("fork {}", letter(fleet)),
        Timer::Sample(fleet) => format!("sample {}", letter(fleet)),
        Timer::MindAgain(fleet) => format!("mind {}", letter(fleet)),
        Timer::PollPeriod => "period".into(),
        Timer::Reconnect(_) | Timer::Wake(_) | Timer::AcceptRest(_) | Timer::DrainEnd => format!("{timer}"),
    }
}

/// `50`, and with a nanosecond more `50+`.
fn ms(duration: Duration) -> String {
    match duration.as_nanos() % 1_000_000 {
        0 => duration.as_millis().to_string(),
        1 => format!("{}+", duration.as_millis()),
        _ => format!("{duration:?}"),
    }
}
