//! Liveness of a part: what is broken stays broken, and everybody else serves on all the same.
//!
//! A fleet that only recovers when *everything* is well again is of little use: a dependency of one worker is away
//! for a week, a slot's file is damaged for ever. So some slots are broken for good, and some of the faults that have struck
//! go on for good: all that leave the rest able to be well. The rest – the core: the host, the other slots, all clients –
//! is healed, and only the core has to come to its end (VOPR's liveness mode).

use super::{Sim, settle};
use crate::check::Violation;
use host_core::config::HostConfig;
use host_core::fleet::config::{OnExhausted, Strategy};
use host_core::fleet::status::{FleetStatus, WorkerState, WorkerStatus};
use host_core::id::{FleetId, WorkerId};
use host_core::time::Duration;

/// Within how long the last signal that was sent before the end of all faults is read.
const OPERATORS_LAST: Duration = Duration::from_secs(2);
/// For how long the core has to go on once it is well.
const STANDS: Duration = Duration::from_secs(20);

impl Sim {
    /// The end of all faults but those that leave a core: about half of the slots get nobody any more who serves, and
    /// about half of the classes of faults that have struck stay for ever, where the core can be well all the same. They
    /// are [`perpetual_faults`](Self::perpetual_faults) from here on: whatever only makes slower or takes more steps
    /// (latency, late news, calls that are interrupted or cut short, a slow boot in half of the boot timeout), full disks,
    /// jumps of the wall clock, and all that strikes workers, again and again, but only those in broken slots. The core
    /// must be complete within what the settings say, stay so, and serve every client to its end.
    ///
    /// Where the settings say that the death of one takes others along, or ends the fleet or the host, or where the load says
    /// how many are wanted, there is no core that could stand alone: then this is [`heal_and_settle`](Self::heal_and_settle).
    ///
    /// # Panics
    /// As [`heal_and_settle`](Self::heal_and_settle); with L7 if one in the core falls by what is broken beside it.
    pub fn heal_core_and_settle(&mut self) {
        let config = self.kernel.borrow().checks.host().map(|host| host.config().clone());
        let Some(config) = config.filter(stands_in_part) else { return self.heal_and_settle() };
        self.kernel.borrow_mut().heal_all_but_fate(&config);
        // Those that are most used: the lowest ones, as many as there are workers.
        for (index, fleet) in config.fleets.iter().enumerate() {
            let id = FleetId::new(index as u16);
            let mut kernel = self.kernel.borrow_mut();
            let wanted = kernel.checks.host().and_then(|host| host.fleet_wanted(id)).unwrap_or_default();
            kernel.break_slots(id, &fleet.name, wanted as u16);
        }
        // What an operator has sent before is still to be read: it changes how many are wanted.
        self.run_until(OPERATORS_LAST, |_| false);
        let bound = settle::all_recover(&config.fleets) + self.patience_of_operators();
        let is_over = |sim: &Self| sim.may_end && sim.host_status().is_some();
        if !self.run_until(bound, |sim| is_over(sim) || sim.core_lacks().is_none()) {
            let lacks = self.core_lacks().unwrap_or_default();
            self.fail(Violation::new("L7", format!("{bound:?} after the core was healed: {lacks}")));
        }
        if self.run_until(STANDS, |sim| !is_over(sim) && sim.core_lacks().is_some()) {
            let lacks = self.core_lacks().unwrap_or_default();
            self.fail(Violation::new("L7", format!("the core was well, and then: {lacks}")));
        }
        self.settle_clients();
    }

    /// What the core lacks, by name.
    fn core_lacks(&self) -> Option<String> {
        let kernel = self.kernel.borrow();
        if !kernel.host_is_well() {
            return Some("the host is not well".into());
        }
        let host = kernel.checks.host()?;
        let hangs =
            |pid| self.workers().iter().any(|worker| worker.pid == pid && worker.hung_since.is_some());
        (0..host.config().fleets.len()).find_map(|index| {
            let id = FleetId::new(index as u16);
            let FleetStatus { name, wanted, workers, retired, resting, .. } = host.fleet(id)?;
            let broken = kernel.broken.count(id);
            let is_sound = |slot| !kernel.broken.has(id, slot);
            let sound: Vec<_> = workers.iter().filter(|worker| is_sound(worker.worker.slot)).collect();
            let idle: Vec<_> = sound.iter().filter_map(|worker| idles(worker, hangs(worker.pid))).collect();
            let serve = sound.len() - idle.len();
            let owed = (wanted as usize).saturating_sub(retired.len() + broken);
            let rest = resting.iter().filter(|slot| is_sound(**slot));
            let rest = rest.map(|slot| format!("slot {} rests", slot.number()));
            let pending: String = idle.into_iter().chain(rest).map(|one| format!("; {one}")).collect();
            (serve < owed).then(|| {
                format!(
                    "fleet `{name}`: {serve} serve of {owed} at least: {wanted} wanted, {broken} slots broken{pending}"
                )
            })
        })
    }
}

/// Why a worker does not serve, if it does not.
fn idles(worker: &WorkerStatus, hangs: bool) -> Option<String> {
    let why = match worker.state {
        _ if hangs => "hangs",
        _ if worker.stopped => "is stopped",
        WorkerState::Booting => "boots",
        WorkerState::Ready => return None,
        WorkerState::Leaving { killed: false, .. } => "is to end",
        WorkerState::Leaving { killed: true, .. } => "waits to be reaped",
    };
    let WorkerId { slot, incarnation, .. } = worker.worker;
    Some(format!("incarnation {incarnation} of slot {} (pid {}) {why}", slot.number(), worker.pid))
}

/// Whether a part of it can be well while another part never is.
fn stands_in_part(config: &HostConfig) -> bool {
    config.strategy == Strategy::OneForOne
        && config
            .fleets
            .iter()
            .all(|fleet| fleet.on_exhausted == OnExhausted::KeepTrying && fleet.scale_period().is_none())
}
