//! When the beats are read, and what follows from them.
//!
//! Nobody looks on a tick: the host sleeps until the earliest moment at which somebody could be late, and
//! reads all slots in that one wake. The verdict is given on what was read then, never on what was read
//! before; and the first look after the host itself had not run condemns nobody (S4).

use super::{Crew, Means};
use crate::action::Action;
use crate::fleet::death::Intent;
use crate::fleet::judge::{Verdict, could_be_late_at, judge};
use crate::fleet::notice::FleetNotice;
use crate::fleet::pauses::Pauses;
use crate::fleet::seat::Phase;
use crate::id::WorkerId;
use crate::sys::{Pid, SlotReading};
use crate::time::{Duration, Instant};
use crate::timers::Timer;

impl Crew {
    /// Sees to it that the next look is not after `at`.
    pub(super) fn look_before(&mut self, means: &mut Means<'_>, at: Instant) {
        let at = self.look_at.map_or(at, |before| before.min(at));
        self.look_at = Some(at);
        means.timers.set(Timer::Look(self.id), at);
    }

    /// One that is ready from here on may hang at once: the first moment at which that is to be told.
    pub(super) fn look_at_newcomer(&mut self, means: &mut Means<'_>) {
        let late_at = could_be_late_at(means.now, None, means.config);
        let ahead =
            means.config.late_warning.map(|warning| means.config.heartbeat_timeout.saturating_sub(warning));
        let late_at = late_at - ahead.unwrap_or_default();
        let at = self.scale_before(means).map_or(late_at, |scale_at| scale_at.min(late_at));
        self.look_before(means, at);
    }

    /// The moment of a look has come.
    pub(super) fn look_is_due(&mut self, means: &mut Means<'_>) {
        self.look_at = None;
        self.look(means);
    }

    /// Reads the beats.
    pub(super) fn look(&mut self, means: &mut Means<'_>) {
        if self.counts.alive() > 0 {
            self.looking.get_or_insert(means.now);
            means.orders.push_back(Action::ReadBeats { fleet: self.id });
        }
    }

    /// The host has not run for a while.
    pub(crate) fn paused(&mut self, from: Instant, to: Instant) {
        if to.since(from) > Pauses::TOLERANCE {
            self.pauses.note(from, to);
            self.has_paused = true;
        }
    }

    /// What the slots hold at this moment.
    pub(crate) fn beats(&mut self, means: &mut Means<'_>, readings: &[(WorkerId, SlotReading)]) {
        let now = means.now;
        // A callback may have run before the slots were read.
        if let Some(ordered) = self.looking.take() {
            self.paused(ordered, now);
        }
        let has_paused = core::mem::take(&mut self.has_paused);
        let mut next: Option<Instant> = None;
        let mut oldest = now;
        for (worker, reading) in readings.iter().copied() {
            self.observe(means, worker, reading);
            let Some(vitals) = self.worker(worker).and_then(|known| known.vitals()) else { continue };
            oldest = vitals.beat.map_or(vitals.ready_since, |beat| beat.at).min(oldest);
            let at = match judge(now, &vitals, means.config, &self.pauses) {
                Verdict::Alive { late_at, silent_for } => {
                    // One that was stopped while it waited does not beat because it is continued.
                    self.release(worker);
                    let late_at = could_be_late_at(now, late_at, means.config);
                    let warn_at = self.warn(means, worker, late_at, silent_for);
                    // Who has asked for more time may end that early, and then hang.
                    let soon = could_be_late_at(now, None, means.config);
                    Some(warn_at.unwrap_or(late_at).min(soon))
                }
                Verdict::Late { .. } if has_paused && self.spare(worker) => Some(now + Pauses::CHANCE),
                Verdict::Late { age } => {
                    self.warned(means, worker, age);
                    self.condemn(means, worker, Intent::Hung, Timer::Look(self.id))
                }
            };
            next = [next, at].into_iter().flatten().min();
        }
        // One whose slot was not read has ended, and that is not known yet; or it is read the next time.
        let is_unread = |worker: &WorkerId| readings.binary_search_by_key(worker, |(read, _)| *read).is_err();
        if self.workers().any(|(worker, known)| known.vitals().is_some() && is_unread(&worker)) {
            let at = could_be_late_at(now, None, means.config);
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        let others = self.workers().filter_map(|(_, known)| match (known.leaving, known.phase) {
            (Some(leaving), _) => Some(leaving.since),
            (None, Phase::Booting) => Some(known.born),
            (None, Phase::Ready { .. }) => None,
        });
        self.pauses.forget_before(others.min().map_or(oldest, |since| since.min(oldest)));
        self.scale(means);
        if self.workers().any(|(_, known)| known.vitals().is_some()) {
            next = next.into_iter().chain(self.scale_before(means)).min();
        }
        self.look_at = next;
        match next {
            Some(at) => means.timers.set(Timer::Look(self.id), at),
            None => means.timers.clear(Timer::Look(self.id)),
        }
        self.upkeep(means);
    }

    /// Whoever was frozen with its host has a chance to give a sign of life before it is judged, once a silence.
    fn spare(&mut self, worker: WorkerId) -> bool {
        self.worker_mut(worker).is_some_and(|known| !core::mem::replace(&mut known.spared, true))
    }

    fn observe(&mut self, means: &mut Means<'_>, worker: WorkerId, reading: SlotReading) {
        let Some(known) = self.worker_mut(worker) else { return };
        let extended = reading.extended_until.filter(|until| known.extended_until != Some(*until));
        known.observe(reading);
        if let Some(until) = extended.filter(|until| *until > means.now) {
            self.tell(means, FleetNotice::Extended { worker, until });
        }
    }

    /// Warns of a worker that is silent, once a silence; when that is due, if it is to come.
    fn warn(
        &mut self,
        means: &mut Means<'_>,
        worker: WorkerId,
        late_at: Instant,
        silent_for: Duration,
    ) -> Option<Instant> {
        let warning = means.config.late_warning?;
        // As long before the end of an extension as before that of the timeout.
        let warn_at = late_at - means.config.heartbeat_timeout.saturating_sub(warning);
        if warn_at > means.now {
            return Some(warn_at);
        }
        self.warned(means, worker, silent_for);
        None
    }

    fn warned(&mut self, means: &mut Means<'_>, worker: WorkerId, age: Duration) {
        let newly = self.worker_mut(worker).is_some_and(|known| !core::mem::replace(&mut known.warned, true));
        if newly {
            self.tell(means, FleetNotice::Late { worker, age });
        }
    }

    /// Its kill is held back no longer: it is not late any more.
    fn release(&mut self, worker: WorkerId) {
        if let Some(known) = self.worker_mut(worker) {
            known.held = None;
        }
    }

    pub(super) fn end_of_outage(&mut self, means: &mut Means<'_>) {
        if self.outage && self.workers().all(|(_, known)| known.held.is_none()) {
            self.outage = false;
            self.tell(means, FleetNotice::OutageOver);
        }
    }

    /// The kernel tells of a stop: a waiting worker is judged from here on (K6).
    pub(crate) fn stopped(&mut self, means: &mut Means<'_>, pid: Pid) {
        let Some(worker) = self.find(pid) else { return };
        let now = means.now;
        let Some(known) = self.worker_mut(worker) else { return };
        // A second stop without news of a continue between them: the kernel keeps the last of both only (waitid(2)).
        if known.stopped_since.replace(now).is_none() {
            self.tell(means, FleetNotice::Stopped { worker });
            // It may have been woken for a connection a moment before.
            self.unheard = true;
            self.mind_lanes(means);
        }
        let timeout = means.config.heartbeat_timeout;
        self.look_before(means, now + timeout + Duration::from_nanos(1));
    }

    /// And of its end.
    pub(crate) fn continued(&mut self, means: &mut Means<'_>, pid: Pid) {
        let Some(worker) = self.find(pid) else { return };
        if let Some(known) = self.worker_mut(worker)
            && known.stopped_since.take().is_some()
        {
            let held = known.held.is_some();
            self.tell(means, FleetNotice::Continued { worker });
            if held {
                // The next look may be as far away as the end of the kill budget's window. Not before all that is told
                // at this moment is: only then it is known what the host has missed (S4).
                self.look_before(means, means.now);
            }
            self.mind_lanes(means);
        }
    }
}
