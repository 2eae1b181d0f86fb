//! When a dead worker is replaced.
//!
//! S17: no sooner after its kth young death in a row than half of that backoff – jitter takes away up to
//! half –, no slot rests for longer than its backoff, and only a stable life resets the row: another wanted
//! number, a restart of the fleet and a stop leave the rest as it is. S18: more young deaths than the budget within its window lead
//! to the documented state, once. S19: a fork that fails is no death, and is tried again later. S22: who
//! ends because it was asked to is no failure.

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::death::Death;
use host_core::fleet::notice::FleetNotice;
use host_core::id::{FleetId, Slot};
use host_core::time::Instant;
use std::collections::{BTreeMap, VecDeque};

#[derive(Default)]
pub(super) struct RestartCheck {
    slots: BTreeMap<(FleetId, Slot), Row>,
    fleets: Vec<Fleet>,
    /// The death that this fact told of was one that was asked for.
    asked: Option<(FleetId, Slot)>,
}

/// The young deaths in a row of one slot.
#[derive(Clone, Copy, Default)]
struct Row {
    failures: u32,
    /// Nobody may start before this.
    not_before: Option<Instant>,
}

#[derive(Clone, Default)]
struct Fleet {
    young: VecDeque<Instant>,
    /// The budget was exceeded by the death of this fact, and what follows from that was not told yet.
    exceeded: bool,
    degraded: bool,
    fork_not_before: Option<Instant>,
}

impl RestartCheck {
    pub(super) fn new(fleets: usize) -> Self {
        Self { fleets: vec![Fleet::default(); fleets], ..Self::default() }
    }

    pub(super) fn on_event(&mut self, ledger: &Ledger, now: Instant, event: &Event) {
        self.asked = None;
        if let Event::SpawnFailed { worker, .. } = event {
            let shortest = ledger.config(*worker).backoff.first / 2;
            self.fleets[worker.fleet.index()].fork_not_before.get_or_insert(now + shortest);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few orders are about restarts")]
    pub(super) fn on_action(&mut self, ledger: &Ledger, now: Instant, action: &Action) -> Option<Violation> {
        match action {
            Action::Spawn { worker } => {
                let place = (worker.fleet, worker.slot);
                let fleet = &mut self.fleets[worker.fleet.index()];
                if let Some(not_before) = fleet.fork_not_before.filter(|not_before| now < *not_before) {
                    let detail =
                        format!("{worker} is forked at {now} after a fork failed; not before {not_before}");
                    return Some(Violation::new("S19", detail));
                }
                fleet.fork_not_before = None;
                let row = self.slots.entry(place).or_default();
                let not_before = row.not_before.take().filter(|not_before| now < *not_before)?;
                let failures = row.failures;
                let detail = format!(
                    "{worker} is forked at {now} after {failures} young deaths in a row; not before {not_before}"
                );
                Some(Violation::new("S17", detail))
            }
            Action::TellFleet { fleet, notice } => self.on_notice(ledger, now, *fleet, notice),
            _ => None,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the others are not about restarts")]
    fn on_notice(
        &mut self,
        ledger: &Ledger,
        now: Instant,
        fleet: FleetId,
        notice: &FleetNotice,
    ) -> Option<Violation> {
        let config = &ledger.configs[fleet.index()];
        let state = &mut self.fleets[fleet.index()];
        match notice {
            FleetNotice::Died(death) => return self.died(ledger, now, fleet, death),
            FleetNotice::Resting { slot, failures, rest } => {
                if self.asked == Some((fleet, *slot)) {
                    let detail = format!("slot {slot} rests after its worker ended because it was asked to");
                    return Some(Violation::new("S22", detail));
                }
                let row = self.slots.entry((fleet, *slot)).or_default();
                if row.failures != *failures {
                    let detail = format!(
                        "slot {slot} rests for {failures} young deaths in a row, and had {}",
                        row.failures
                    );
                    return Some(Violation::new("S17", detail));
                }
                let longest =
                    if state.degraded { config.degraded_retry } else { config.backoff.full(*failures) };
                if *rest > longest {
                    let detail = format!(
                        "slot {slot} rests for {rest:?} after {failures} young deaths in a row; at most {longest:?}"
                    );
                    return Some(Violation::new("S17", detail));
                }
                if state.degraded {
                    // The very death that used the budget up is followed slowly as well.
                    row.not_before = Some(now + config.degraded_retry);
                }
            }
            FleetNotice::Degraded { .. } | FleetNotice::GivenUp => {
                if !std::mem::take(&mut state.exceeded) {
                    let detail = format!(
                        "{fleet} is degraded, and its budget is not used up, or it was degraded before"
                    );
                    return Some(Violation::new("S18", detail));
                }
                state.degraded = true;
            }
            FleetNotice::Stable { worker } => {
                let ready = ledger.workers.get(worker).and_then(|known| known.ready);
                if ready.is_none_or(|ready| now.since(ready) < config.stable_after) {
                    let detail = format!("{worker} counts as stable at {now}, and is ready since {ready:?}");
                    return Some(Violation::new("S17", detail));
                }
                state.young.clear();
                self.slots.insert((fleet, worker.slot), Row::default());
            }
            FleetNotice::Recovered => {
                *state = Fleet::default();
                for (_, row) in self.slots.iter_mut().filter(|((of, _), _)| *of == fleet) {
                    *row = Row::default();
                }
            }
            _ => {}
        }
        let state = &self.fleets[fleet.index()];
        // A fleet that stops goes on with nothing.
        (state.exceeded && ledger.stop.is_none()).then(|| {
            Violation::new(
                "S18",
                format!("{fleet} has more young deaths than its budget, and goes on as before"),
            )
        })
    }

    fn died(&mut self, ledger: &Ledger, now: Instant, fleet: FleetId, death: &Death) -> Option<Violation> {
        let config = &ledger.configs[fleet.index()];
        let place = (fleet, death.worker.slot);
        let row = self.slots.entry(place).or_default();
        row.not_before = None;
        let stable = death.ready_for.is_some_and(|ready_for| ready_for >= config.stable_after);
        if stable {
            row.failures = 0;
        }
        if death.intent.is_some_and(|intent| !intent.is_fault()) {
            self.asked = Some(place);
            return None;
        }
        let restarts = match death.intent {
            None => config.restarts(death.status),
            Some(_) => config.restarts_faulty(),
        };
        if stable || !restarts {
            return None;
        }
        row.failures += 1;
        let state = &mut self.fleets[fleet.index()];
        let rest = if state.degraded { config.degraded_retry } else { config.backoff.full(row.failures) / 2 };
        row.not_before = Some(now + rest);
        if state.degraded {
            return None;
        }
        let budget = config.budget();
        while state.young.front().is_some_and(|young| now.since(*young) >= budget.window) {
            state.young.pop_front();
        }
        state.young.push_back(now);
        state.exceeded = state.young.len() > budget.count as usize;
        None
    }
}
