//! Who is known, as facts and orders tell it.

use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::config::{FleetConfig, OnExhausted, Strategy};
use host_core::fleet::message::FromWorker;
use host_core::fleet::notice::FleetNotice;
use host_core::id::{FleetId, WorkerId};
use host_core::sys::{ForkError, Pid, Signal, SlotReading};
use host_core::time::Instant;
use std::collections::BTreeMap;

/// What facts and orders have told of one worker, from the order to fork it until it was reaped.
#[derive(Clone, Debug, Default)]
pub(in crate::check) struct Known {
    /// When the order to fork it was given.
    pub(super) ordered: Instant,
    pub(super) pid: Option<Pid>,
    pub(in crate::check) born: Option<Instant>,
    pub(in crate::check) ready: Option<Instant>,
    pub(super) stopped: Option<Instant>,
    /// What its slot held when it was last read, and when that was.
    pub(super) read: Option<(Instant, SlotReading)>,
    /// How many its fleet had when the kill budget first held it back: no more than those are killed before it.
    pub(in crate::check) held_among: usize,
    /// The signals that were ordered, with the moments.
    pub(in crate::check) signals: Vec<(Instant, Signal)>,
}

/// How hard a host stops; it only gets harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// What was begun is finished.
    Drain,
    /// Workers end without an epilogue.
    AtOnce,
    /// The kernel ends them.
    Now,
}

impl Known {
    /// It was not asked to end.
    pub(super) fn stays(&self) -> bool {
        self.signals.is_empty()
    }

    pub(super) fn was_sent(&self, signal: Signal) -> Option<Instant> {
        self.signals.iter().find(|(_, sent)| *sent == signal).map(|(at, _)| *at)
    }
}

/// All that is known of all fleets of a host.
#[derive(Default)]
pub(in crate::check) struct Ledger {
    pub(in crate::check) configs: Vec<FleetConfig>,
    pub(super) strategy: Strategy,
    pub(in crate::check) workers: BTreeMap<WorkerId, Known>,
    /// How many slots of a fleet stay empty.
    retired: BTreeMap<FleetId, u32>,
    /// How hard the host is to stop, and since when that is known.
    pub(in crate::check) stop: Option<(Stop, Instant)>,
}

impl Ledger {
    pub(super) fn new(config: &HostConfig) -> Self {
        Self { configs: config.fleets.clone(), strategy: config.strategy, ..Self::default() }
    }

    pub(in crate::check) fn is_empty(&self) -> bool {
        self.configs.is_empty()
    }

    pub(in crate::check) fn config(&self, worker: WorkerId) -> &FleetConfig {
        &self.configs[worker.fleet.index()]
    }

    pub(in crate::check) fn of_fleet(&self, fleet: FleetId) -> impl Iterator<Item = &Known> {
        let of_fleet = move |(worker, _): &(&WorkerId, _)| worker.fleet == fleet;
        self.workers.iter().filter(of_fleet).map(|(_, known)| known)
    }

    /// How many slots stay empty, which are waited for by nobody.
    pub(super) fn retired(&self, fleet: FleetId) -> u32 {
        self.retired.get(&fleet).copied().unwrap_or(0)
    }

    /// How many were not asked to end, those that are not born included.
    pub(super) fn staying(&self, fleet: FleetId) -> usize {
        self.of_fleet(fleet).filter(|known| known.stays()).count()
    }

    /// Whether the host is to stop at least as hard.
    pub(super) fn stops(&self, stop: Stop) -> bool {
        self.stop.is_some_and(|(known, _)| known >= stop)
    }

    /// A stop is asked for. A signal that asks once more asks for more; an application means the same.
    fn ask(&mut self, now: Instant, stop: Stop, by_signal: bool) {
        let again = by_signal && stop == Stop::AtOnce && self.stops(Stop::AtOnce);
        let stop = if again { Stop::Now } else { stop };
        if !self.stops(stop) {
            self.stop = Some((stop, now));
        }
    }

    fn of_pid(&mut self, pid: Pid) -> Option<&mut Known> {
        self.workers.values_mut().find(|known| known.pid == Some(pid))
    }

    pub(super) fn on_event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Spawned { worker, pid } => {
                let known = self.workers.entry(*worker).or_default();
                (known.pid, known.born) = (Some(*pid), Some(now));
            }
            Event::SpawnFailed { worker, error } => {
                self.workers.remove(worker);
                if matches!(error, ForkError::Threads { .. }) && self.stop.is_none() {
                    self.ask(now, Stop::AtOnce, false);
                }
            }
            Event::WorkerExited { worker, .. } => {
                self.workers.remove(worker);
            }
            Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) } => {
                if let Some(known) = self.workers.get_mut(worker) {
                    known.ready.get_or_insert(now);
                }
            }
            Event::ChildStopped { pid } => {
                if let Some(known) = self.of_pid(*pid) {
                    known.stopped = Some(now);
                }
            }
            Event::ChildContinued { pid } => {
                if let Some(known) = self.of_pid(*pid) {
                    known.stopped = None;
                }
            }
            Event::Beats { readings, .. } => {
                for (worker, reading) in readings {
                    if let Some(known) = self.workers.get_mut(worker) {
                        known.read = Some((now, *reading));
                    }
                }
            }
            Event::Signalled(Signal::Int | Signal::Term) => self.ask(now, Stop::AtOnce, true),
            Event::StopAsked => self.ask(now, Stop::AtOnce, false),
            Event::Signalled(Signal::Quit) | Event::DrainAsked => self.ask(now, Stop::Drain, false),
            Event::SystemFailed { .. } => self.ask(now, Stop::Now, false),
            Event::Started { .. }
            | Event::Added { .. }
            | Event::Opened { .. }
            | Event::InterestChanged { .. }
            | Event::Closed { .. }
            | Event::WakeAsked { .. }
            | Event::ReconnectAsked { .. }
            | Event::Returned { .. }
            | Event::Ready { .. }
            | Event::WatchFailed { .. }
            | Event::Signalled(_)
            | Event::WorkerSaid { .. }
            | Event::SignalFailed { .. }
            | Event::MindFailed { .. }
            | Event::Memory { .. }
            | Event::ScaleAnswered { .. }
            | Event::ExitJudged { .. }
            | Event::StrangerReaped { .. }
            | Event::ResizeAsked { .. }
            | Event::RestoreAsked { .. }
            | Event::StartAbandoned { .. }
            | Event::Tick => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few orders are about workers that are known")]
    pub(super) fn on_action(&mut self, now: Instant, action: &Action) {
        match action {
            Action::Spawn { worker } => {
                self.workers.insert(*worker, Known { ordered: now, ..Known::default() });
            }
            Action::SignalWorker { worker, signal } => {
                if let Some(known) = self.workers.get_mut(worker) {
                    known.signals.push((now, *signal));
                }
            }
            Action::TellFleet { fleet, notice: FleetNotice::KillHeld { worker, .. } } => {
                let among = self.of_fleet(*fleet).count();
                if let Some(known) = self.workers.get_mut(worker) {
                    known.held_among = known.held_among.max(among);
                }
            }
            Action::TellFleet { fleet, notice: FleetNotice::Retired { .. } } => {
                *self.retired.entry(*fleet).or_default() += 1;
            }
            // A failure ends the host, and so does a fleet that is configured to.
            Action::NotifyFailure { .. } => self.ask(now, Stop::AtOnce, false),
            Action::TellFleet { fleet, notice: FleetNotice::GivenUp }
                if self.configs[fleet.index()].on_exhausted == OnExhausted::StopHost
                    && self.stop.is_none() =>
            {
                self.ask(now, Stop::AtOnce, false);
            }
            _ => {}
        }
    }
}
