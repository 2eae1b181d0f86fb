//! How a worker is asked to end, harder each time, and at most once on each rung.

use super::{Crew, Means};
use crate::action::Action;
use crate::fleet::death::Intent;
use crate::fleet::notice::FleetNotice;
use crate::fleet::seat::{Leaving, Step, Worker};
use crate::id::WorkerId;
use crate::sys::Signal;
use crate::time::Instant;
use crate::timers::Timer;

impl Crew {
    /// It may finish what it has begun.
    pub(super) fn quit(&mut self, means: &mut Means<'_>, worker: WorkerId, intent: Intent) {
        let kill_at = means.now + means.config.drain_timeout;
        if self.climb(means, worker, intent, Step::Quit, Some(kill_at)) {
            self.send(means, worker, Signal::Quit);
            self.tell(means, FleetNotice::Asked { worker, intent, signal: Signal::Quit });
        } else {
            self.hasten(means, worker, kill_at);
        }
    }

    /// It ends at once, without an epilogue. One that is stopped would not hear it (K5).
    pub(super) fn term(&mut self, means: &mut Means<'_>, worker: WorkerId, intent: Intent) {
        if self.worker(worker).is_some_and(|known| known.stopped_since.is_some()) {
            self.kill(means, worker, intent);
            return;
        }
        let kill_at = means.now + means.config.term_timeout;
        // A drain that would have ended sooner still does.
        let kill_at = self.grace_of(worker).map_or(kill_at, |before| before.min(kill_at));
        if self.climb(means, worker, intent, Step::Term, Some(kill_at)) {
            self.send(means, worker, Signal::Term);
            self.tell(means, FleetNotice::Asked { worker, intent, signal: Signal::Term });
        } else {
            self.hasten(means, worker, kill_at);
        }
    }

    /// When the grace of one that was asked to end is over, what the host has missed of it left out.
    fn grace_of(&self, worker: WorkerId) -> Option<Instant> {
        let leaving = self.worker(worker)?.leaving?;
        Some(leaving.grace? + self.pauses.missed_since(leaving.since))
    }

    /// One that leaves evidence keeps nobody waiting for longer than those who are asked now.
    fn hasten(&mut self, means: &mut Means<'_>, worker: WorkerId, kill_at: Instant) {
        if self.grace_of(worker).is_some_and(|before| before > kill_at) {
            let since = means.now;
            if let Some(Leaving { grace, since: asked, .. }) =
                self.worker_mut(worker).and_then(|known| known.leaving.as_mut())
            {
                (*grace, *asked) = (Some(kill_at), since);
            }
            means.timers.set(Timer::Grace(worker), kill_at);
        }
    }

    /// The kernel ends it; what it was asked before stays the reason.
    pub(super) fn kill(&mut self, means: &mut Means<'_>, worker: WorkerId, intent: Intent) {
        if self.climb(means, worker, intent, Step::Kill, None) {
            self.send(means, worker, Signal::Kill);
            self.tell(means, FleetNotice::Killed { worker, intent });
        }
    }

    /// It is late: the soft signal first, if the fleet has one, and then the kill. If the kill budget
    /// holds it back, `again` says which timer asks again; the moment is answered.
    pub(super) fn condemn(
        &mut self,
        means: &mut Means<'_>,
        worker: WorkerId,
        intent: Intent,
        again: Timer,
    ) -> Option<Instant> {
        let wanted = self.target.count();
        let before = self.held_before(worker);
        if let Err(until) = self.kills.ask(means.now, means.config.kill_budget, wanted, before) {
            self.hold(means, worker, until);
            if matches!(again, Timer::Boot(_)) {
                means.timers.set(again, until);
            }
            return Some(until);
        }
        match means.config.soft_signal {
            Some(soft) => {
                let kill_at = means.now + soft.grace;
                if self.climb(means, worker, intent, Step::Soft, Some(kill_at)) {
                    self.send(means, worker, soft.signal);
                    self.tell(means, FleetNotice::Softened { worker, signal: soft.signal });
                }
            }
            None => self.kill(means, worker, intent),
        }
        None
    }

    /// How many others are held back for longer: otherwise the lower slots, in which others hang again and again, would
    /// be the only ones whose turn comes.
    fn held_before(&self, worker: WorkerId) -> usize {
        let since = self.worker(worker).and_then(|known| known.held);
        let longer = |known: &Worker| known.held.is_some_and(|held| since.is_none_or(|since| held < since));
        self.workers().filter(|(_, known)| longer(known)).count()
    }

    fn hold(&mut self, means: &mut Means<'_>, worker: WorkerId, until: Instant) {
        let now = means.now;
        if let Some(known) = self.worker_mut(worker)
            && known.held.is_none()
        {
            known.held = Some(now);
            self.tell(means, FleetNotice::KillHeld { worker, until });
        }
        if !core::mem::replace(&mut self.outage, true) {
            self.tell(means, FleetNotice::Outage);
        }
    }

    /// Goes up to a rung; whether it stood below.
    fn climb(
        &mut self,
        means: &mut Means<'_>,
        worker: WorkerId,
        intent: Intent,
        step: Step,
        kill_at: Option<Instant>,
    ) -> bool {
        let leaving = Leaving { intent, step, since: means.now, grace: kill_at };
        let Some(known) = self.worker_mut(worker) else { return false };
        let (before, birth, ready) = (known.leaving, known.birth, known.is_ready());
        if before.is_some_and(|before| before.step >= leaving.step) {
            return false;
        }
        known.leaving = Some(leaving);
        known.held = None;
        match kill_at {
            Some(at) => means.timers.set(Timer::Grace(worker), at),
            None => means.timers.clear(Timer::Grace(worker)),
        }
        match before {
            None if ready => self.counts.ready -= 1,
            None => self.counts.booting -= 1,
            Some(before) if before.intent.is_fault() => self.counts.condemned -= 1,
            Some(_) => self.counts.leaving -= 1,
        }
        if leaving.intent.is_fault() {
            self.counts.condemned += 1;
        } else {
            self.counts.leaving += 1;
            self.leaves_its_place(worker.slot);
        }
        if before.is_none() {
            means.timers.clear(Timer::Boot(worker));
            means.timers.clear(Timer::Stable(worker));
            self.by_age.remove(&(birth, worker.slot));
        }
        true
    }

    fn send(&self, means: &mut Means<'_>, worker: WorkerId, signal: Signal) {
        means.orders.push_back(Action::SignalWorker { worker, signal });
    }
}
