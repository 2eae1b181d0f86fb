//! Who is known, as facts and orders tell it.

use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::config::FleetConfig;
use host_core::fleet::message::FromWorker;
use host_core::id::WorkerId;
use host_core::sys::{Pid, Signal, SlotReading};
use host_core::time::Instant;
use std::collections::BTreeMap;

/// What facts and orders have told of one worker, from the order to fork it until it was reaped.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) pid: Option<Pid>,
    pub(super) born: Option<Instant>,
    pub(super) ready: Option<Instant>,
    pub(super) stopped: Option<Instant>,
    /// What its slot held when it was last read, and when that was.
    pub(super) read: Option<(Instant, SlotReading)>,
    /// The signals that were ordered, with the moments.
    pub(super) signals: Vec<(Instant, Signal)>,
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
pub(super) struct Ledger {
    pub(super) configs: Vec<FleetConfig>,
    pub(super) workers: BTreeMap<WorkerId, Known>,
    /// How many times a stop was asked for.
    pub(super) stops: u32,
}

impl Ledger {
    pub(super) fn new(config: &HostConfig) -> Self {
        Self { configs: config.fleets.clone(), ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.configs.is_empty()
    }

    pub(super) fn config(&self, worker: WorkerId) -> &FleetConfig {
        &self.configs[worker.fleet.index()]
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
            Event::SpawnFailed { worker, .. } | Event::WorkerExited { worker, .. } => {
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
            Event::Signalled(Signal::Int | Signal::Term | Signal::Quit)
            | Event::StopAsked
            | Event::DrainAsked => {
                self.stops += 1;
            }
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
            | Event::SystemFailed { .. }
            | Event::Signalled(_)
            | Event::WorkerSaid { .. }
            | Event::SignalFailed { .. }
            | Event::MindFailed { .. }
            | Event::StrangerReaped { .. }
            | Event::ResizeAsked { .. }
            | Event::RestoreAsked { .. }
            | Event::Tick => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "two orders are about workers that are known")]
    pub(super) fn on_action(&mut self, now: Instant, action: &Action) {
        match action {
            Action::Spawn { worker } => {
                self.workers.insert(*worker, Known::default());
            }
            Action::SignalWorker { worker, signal } => {
                if let Some(known) = self.workers.get_mut(worker) {
                    known.signals.push((now, *signal));
                }
            }
            _ => {}
        }
    }
}
