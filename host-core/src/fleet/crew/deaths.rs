//! What follows from a death: it is kept, and the slot is filled at once, later, or never.

use super::{Crew, Means, Stop};
use crate::action::Action;
use crate::fleet::config::{OnExhausted, Restart};
use crate::fleet::death::{Death, Intent};
use crate::fleet::notice::FleetNotice;
use crate::fleet::seat::{Phase, State, Step, Worker};
use crate::fleet::status::Health;
use crate::id::{Slot, WorkerId};
use crate::sys::ExitStatus;
use crate::time::Duration;
use crate::timers::Timer;

impl Crew {
    /// A worker was reaped.
    pub(crate) fn exited(&mut self, means: &mut Means<'_>, worker: WorkerId, status: ExitStatus) {
        let Some(known) = self.worker(worker).cloned() else { return };
        let death = self.bury(means, worker, &known, status);
        let stable = death.ready_for.is_some_and(|ready_for| ready_for >= means.config.stable_after);
        if stable {
            self.seats[worker.slot.index()].failures = 0;
        }
        let unasked = death.intent.is_none_or(Intent::is_fault);
        if unasked && self.stop.is_none() {
            self.refill(means, &known, &death, stable);
        } else {
            self.vacate(worker.slot);
        }
        if self.stop.is_some() && self.is_empty() {
            self.tell(means, FleetNotice::Empty);
        }
        // If it was woken for a connection and died before it accepted, that is left in the queue, and nobody else
        // is woken for it.
        self.unheard |= known.is_ready();
        self.upkeep(means);
    }

    /// The author's function has judged how a worker ended, whose death is told next.
    pub(crate) fn exit_judged(&mut self, worker: WorkerId, restart: Restart) {
        if let Some(known) = self.worker_mut(worker) {
            known.restart = Some(restart);
        }
    }

    /// Takes the worker out of all that counts it, and keeps its death.
    fn bury(&mut self, means: &mut Means<'_>, worker: WorkerId, known: &Worker, status: ExitStatus) -> Death {
        for timer in [Timer::Boot(worker), Timer::Grace(worker), Timer::Stable(worker)] {
            means.timers.clear(timer);
        }
        match (known.leaving, known.phase) {
            (Some(leaving), _) if leaving.intent.is_fault() => self.counts.condemned -= 1,
            (Some(_), _) => self.counts.leaving -= 1,
            (None, Phase::Booting) => self.counts.booting -= 1,
            (None, Phase::Ready { .. }) => self.counts.ready -= 1,
        }
        self.by_age.remove(&(known.birth, worker.slot));
        self.first_round.remove(&worker.slot);
        self.leaves_its_place(worker.slot);
        // The seat is nobody's from here on; what it becomes is decided next.
        self.seats[worker.slot.index()].state = State::Vacant;
        let death = Death {
            worker,
            pid: known.pid,
            at: means.now,
            status,
            intent: known.leaving.map(|leaving| leaving.intent),
            killed: known.leaving.is_some_and(|leaving| leaving.step == Step::Kill),
            lived: means.now.since(known.born),
            ready_for: match known.phase {
                Phase::Ready { since } => Some(means.now.since(since)),
                Phase::Booting => None,
            },
            unconfined: known.unconfined,
            beat_age: known.beat.map(|beat| means.now.since(beat.at)),
        };
        self.history.note(death, means.config.deaths_kept);
        self.counters.count(&death);
        self.tell(means, FleetNotice::Died(death));
        death
    }

    /// A worker has died that nobody had asked to leave: when its slot is filled again.
    fn refill(&mut self, means: &mut Means<'_>, known: &Worker, death: &Death, stable: bool) {
        let slot = death.worker.slot;
        let restarts = match (known.restart, death.intent) {
            (Some(restart), None) => restart.allows(death.status),
            (Some(restart), Some(_)) => restart != Restart::Never,
            (None, None) => means.config.restarts(death.status),
            (None, Some(_)) => means.config.restarts_faulty(),
        };
        if !restarts {
            self.seats[slot.index()].state = State::Retired;
            self.counts.retired += 1;
            self.done = (1..=self.counts.retired).contains(&self.target.count());
            self.tell(means, FleetNotice::Retired { slot });
            return;
        }
        // While the fleet restarts together with others nobody falls once more.
        self.bereaved |= self.open;
        if stable {
            self.vacate(slot);
            return;
        }
        let seat = &mut self.seats[slot.index()];
        seat.failures = seat.failures.saturating_add(1);
        let failures = seat.failures;
        if self.health == Health::Well && !self.intensity.note(means.now, means.config.budget()) {
            self.exhausted(means);
        }
        let rest = match self.health {
            Health::Well => means.config.backoff.delay(failures, means.random),
            Health::Degraded => means.config.degraded_retry,
            Health::GivenUp => {
                self.vacate(slot);
                return;
            }
        };
        self.rest(means, slot, rest, known.replaces.is_some());
    }

    fn rest(&mut self, means: &mut Means<'_>, slot: Slot, rest: Duration, spare: bool) {
        if rest.is_zero() {
            self.vacate(slot);
            return;
        }
        self.seats[slot.index()].state = State::Resting { spare };
        if spare {
            self.counts.spare += 1;
        } else {
            self.counts.resting += 1;
        }
        means.timers.set(Timer::Respawn(self.id, slot), means.now + rest);
        let failures = self.seats[slot.index()].failures;
        self.tell(means, FleetNotice::Resting { slot, failures, rest });
    }

    /// The restart budget is used up.
    fn exhausted(&mut self, means: &mut Means<'_>) {
        match means.config.on_exhausted {
            OnExhausted::KeepTrying => {
                self.health = Health::Degraded;
                let retry_after = means.config.degraded_retry;
                self.tell(means, FleetNotice::Degraded { retry_after });
            }
            OnExhausted::StopFleet | OnExhausted::StopHost => {
                self.health = Health::GivenUp;
                self.host_must_stop = means.config.on_exhausted == OnExhausted::StopHost;
                self.tell(means, FleetNotice::GivenUp);
                self.leave_all(means, Stop::Drain, Intent::FleetStops);
            }
        }
    }

    /// A worker has lived long enough: its slot starts anew, and so does the fleet if it was degraded.
    pub(super) fn forgive(&mut self, means: &mut Means<'_>, worker: WorkerId) {
        if self.worker(worker).is_none() {
            return;
        }
        self.seats[worker.slot.index()].failures = 0;
        self.intensity.forgive();
        self.tell(means, FleetNotice::Stable { worker });
        if self.health != Health::Degraded {
            return;
        }
        self.health = Health::Well;
        self.tell(means, FleetNotice::Recovered);
        for index in 0..self.seats.len() {
            let slot = Slot::new(index as u16);
            self.seats[index].failures = 0;
            means.timers.clear(Timer::Respawn(self.id, slot));
            self.end_rest(slot);
        }
    }

    /// Tells those who are left to look for connections that nobody was woken for: once for all that were told
    /// of at this moment.
    pub(crate) fn nudge(&mut self, means: &mut Means<'_>) {
        if !core::mem::take(&mut self.unheard) {
            return;
        }
        for (worker, known) in self.workers() {
            if known.is_ready() && known.leaving.is_none() {
                means.orders.push_back(Action::Nudge { worker });
            }
        }
    }
}
