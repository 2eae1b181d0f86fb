//! When the memory of workers is looked at, and who is replaced for it.

use super::{Crew, Means};
use crate::action::Action;
use crate::fleet::notice::FleetNotice;
use crate::id::WorkerId;
use crate::sys::Errno;
use crate::time::Duration;
use crate::timers::{Timer, Timers};

/// So many times as long as a look takes nobody looks after it: all looks cost a thousandth of a processor.
const PAUSE_FOR_LOOK: u32 = 1000;
/// But nobody waits for longer than this for the next one, unless the period is longer.
const PAUSE_MAX: Duration = Duration::from_secs(60);

impl Crew {
    /// Plans the next sample where there is a bound and somebody whom it binds, and takes it back where there is not.
    pub(super) fn plan_sample(&mut self, means: &mut Means<'_>) {
        let timer = Timer::Sample(self.id);
        if means.config.memory.max.is_none() || self.sampling.is_some() {
            return;
        }
        if self.counts.ready == 0 {
            means.timers.clear(timer);
        } else if means.timers.at(timer).is_none() {
            means.timers.set(timer, means.now + means.config.memory.period);
        }
    }

    /// The moment of a sample has come.
    pub(super) fn sample_is_due(&mut self, means: &mut Means<'_>) {
        self.sampling = Some(means.now);
        means.orders.push_back(Action::ReadMemory { fleet: self.id });
    }

    /// Whether the next sample is on its way, if there is to be one.
    pub(super) fn samples(&self, timers: &Timers) -> bool {
        self.sampling.is_some() || timers.at(Timer::Sample(self.id)).is_some()
    }

    /// How much memory these workers have. Whoever has too much is replaced as one that has served enough is.
    pub(crate) fn sampled(&mut self, means: &mut Means<'_>, readings: &[(WorkerId, Result<u64, Errno>)]) {
        self.plan_next_sample(means, readings.len());
        for (worker, reading) in readings.iter().copied() {
            match reading {
                Ok(bytes) => self.has_memory(means, worker, bytes),
                Err(errno) => self.has_unread_memory(means, worker, errno),
            }
        }
        self.upkeep(means);
    }

    /// The others have their turn in their share of the period; and no sooner than the looks are to cost.
    fn plan_next_sample(&mut self, means: &mut Means<'_>, read: usize) {
        let Some(asked) = self.sampling.take() else { return };
        let took = means.now.since(asked);
        // A host that was stopped in the midst of one look is not slow at it: the next shows how it is.
        let usual = took.min(core::mem::replace(&mut self.sample_took, took));
        let period = means.config.memory.period;
        let all = (self.workers().count() as u32).max(1);
        let share = period.saturating_mul((read as u32).clamp(1, all)) / all;
        let pause = usual.saturating_mul(PAUSE_FOR_LOOK).min(period.max(PAUSE_MAX));
        means.timers.set(Timer::Sample(self.id), means.now + share.max(pause));
    }

    fn has_memory(&mut self, means: &mut Means<'_>, worker: WorkerId, bytes: u64) {
        let Some(bytes_max) = means.config.memory.max else { return };
        let Some(known) = self.worker_mut(worker) else { return };
        (known.memory, known.unread) = (Some(bytes), false);
        let stays = known.is_ready() && known.leaving.is_none();
        // Once is enough, whatever it has given back meanwhile.
        if bytes <= bytes_max || !stays || core::mem::replace(&mut known.too_large, true) {
            return;
        }
        self.tell(means, FleetNotice::TooLarge { worker, bytes, bytes_max });
        if !self.served_enough.contains(&worker) && !self.replacing.contains_key(&worker.slot) {
            self.served_enough.push_back(worker);
        }
    }

    fn has_unread_memory(&mut self, means: &mut Means<'_>, worker: WorkerId, errno: Errno) {
        // One that has ended meanwhile has none: its death is on its way.
        let Some(known) = self.worker_mut(worker).filter(|_| errno != Errno::SRCH) else { return };
        if !core::mem::replace(&mut known.unread, true) {
            self.tell(means, FleetNotice::MemoryUnread { worker, errno });
        }
    }
}
