//! L2: who truly hangs is dead within its threshold.
//!
//! Looked at while everything else goes wrong: each hang – in code, stopped and not continued, or computing
//! without a sign of life – has a moment at which it must be over. That moment follows from the settings, from
//! what the worker was asked, from what the host itself has missed, and from how late the kernel may tell.

use crate::check::Violation;
use crate::check::fleet::ledger::Known;
use crate::fault::Class;
use crate::kernel::process::Process;
use crate::kernel::slots::Seat;
use crate::kernel::{Happening, Index, Kernel, MILLISECOND, Nanos};
use host_core::fleet::config::FleetConfig;
use host_core::id::WorkerId;
use host_core::sys::Signal;
use host_core::time::Duration;

/// What looking, deciding and killing take.
const EPSILON: Nanos = 10 * MILLISECOND;
/// Who was frozen with its host has so long to give a sign of life before it is condemned.
const CHANCE: Nanos = 10 * MILLISECOND;
/// A sign of life is dated two ticks of the coarse clock ahead, so that nobody looks older than it is.
const AHEAD: Nanos = 8 * MILLISECOND;
/// How soon to look again when nothing can be said yet.
const AGAIN: Nanos = 100 * MILLISECOND;

impl Process {
    /// Since when it does nothing that anybody could take for life, if it does not.
    pub(crate) fn silent_since(&self) -> Option<Nanos> {
        let truth = &self.truth;
        [truth.hung_since, truth.stopped_since, truth.computing_since].into_iter().flatten().min()
    }
}

impl Kernel {
    /// A process has fallen silent.
    pub(crate) fn check_silence(&mut self, index: Index) {
        let process = &self.processes[index as usize];
        let (Some(seat), Some(host)) = (process.seat, self.host) else { return };
        let Some(worker) = self.worker_of(seat).filter(|_| process.parent == Some(host)) else { return };
        let Some(config) = self.checks.fleet.ledger.configs.get(worker.fleet.index()) else { return };
        let soonest = nanos(config.heartbeat_timeout.min(config.boot_timeout));
        if !std::mem::replace(&mut self.process(index).truth.watched, true) {
            self.after(soonest, Happening::SilenceDue { index });
        }
    }

    /// The moment at which a silence must be over.
    pub(crate) fn check_silence_is_over(&mut self, index: Index) {
        let Some(due) = self.silence_due(index) else {
            self.process(index).truth.watched = false;
            return;
        };
        if due > self.now {
            self.plan_at(due, Happening::SilenceDue { index });
            return;
        }
        let process = &self.processes[index as usize];
        let since = (self.now - process.silent_since().unwrap_or(self.now)) / MILLISECOND;
        let detail = format!("`{}` is {} for {since} ms, and lives", process.name, process.state());
        self.violate(Violation::new("L2", detail));
    }

    /// When `index` must be dead if nothing else happens; `None` if it is silent no more, or nobody's affair.
    fn silence_due(&mut self, index: Index) -> Option<Nanos> {
        let process = &self.processes[index as usize];
        let since = process.silent_since().filter(|_| process.is_living())?;
        let (seat, host) = (process.seat?, self.host.filter(|host| process.parent == Some(*host))?);
        if !self.processes[host as usize].is_living() {
            return None;
        }
        if !self.host_takes_part(host) {
            return Some(self.now + AGAIN);
        }
        let worker = self.worker_of(seat)?;
        let extended = self.extension(seat);
        let ledger = &self.checks.fleet.ledger;
        let (config, known) = (ledger.configs.get(worker.fleet.index())?, ledger.workers.get(&worker)?);
        let Some((from, budget)) = budget(config, known, since) else { return Some(self.now + EPSILON) };
        let held = match config.kill_budget.filter(|_| known.signals.is_empty()) {
            // One after the other, if everybody is late; those who came first may be dead by now.
            Some(budget) => {
                let others = ledger.of_fleet(worker.fleet).count().max(known.held_among);
                nanos(budget.window) * others as Nanos
            }
            None => 0,
        };
        let missed = self.truths.pauses.missed(from, self.now);
        let chance = if missed > 0 { CHANCE } else { 0 };
        Some((from + budget).max(extended) + held + missed + chance + EPSILON + self.news_delay())
    }

    /// By how much faults may delay one piece of news of a child.
    pub(super) fn news_delay(&self) -> Nanos {
        if self.plan.struck[Class::LateNews as usize] > 0 { 50 * MILLISECOND } else { MILLISECOND }
    }

    /// Who sits in `seat`, as its host names it.
    pub(crate) fn worker_of(&self, seat: Seat) -> Option<WorkerId> {
        let fleet = u16::try_from(seat.page.0.checked_sub(self.truths.first_page)?).ok()?;
        let slot = host_core::id::Slot::new(u16::try_from(seat.slot).ok()?);
        let fleet = host_core::id::FleetId::new(fleet);
        Some(WorkerId { fleet, slot, incarnation: seat.incarnation })
    }
}

/// From which moment on a worker that is silent since `since` has how long; `None` before anything is known of
/// it.
fn budget(config: &FleetConfig, known: &Known, since: Nanos) -> Option<(Nanos, Nanos)> {
    let born = known.born?.as_nanos();
    if let Some((at, signal)) = known.signals.last() {
        let soft = config.soft_signal.filter(|soft| soft.signal == *signal);
        let grace = match (signal, soft) {
            (_, Some(soft)) => soft.grace,
            (Signal::Kill, None) => Duration::ZERO,
            (Signal::Term, None) => config.term_timeout,
            (_, None) => config.drain_timeout,
        };
        return Some((at.as_nanos().max(since), nanos(grace)));
    }
    let soft = config.soft_signal.map_or(0, |soft| nanos(soft.grace));
    Some(match known.ready {
        Some(ready) => (ready.as_nanos().max(since), nanos(config.heartbeat_timeout) + AHEAD + soft),
        None => (born, nanos(config.boot_timeout) + soft),
    })
}

pub(super) fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX / 16)
}
