//! Liveness: what a fleet must come to once faults stop, within bounds that follow from its settings.

use super::Sim;
use crate::check::Violation;
use host_core::fleet::config::FleetConfig;
use host_core::fleet::status::{FleetStatus, Health};
use host_core::id::FleetId;
use host_core::time::Duration;

/// What a fleet lacks that is complete and was not well before.
const DEGRADED: &str = "is complete, and degraded still";

/// What everything else takes: scheduling, and one round of an operator.
const EPSILON: Duration = Duration::from_secs(2);

impl Sim {
    /// Demands that every fleet is complete (L1) and not degraded any more (L6), and that nobody hangs (L2), within
    /// `extra` and what the settings say.
    pub(super) fn settle_fleets(&mut self, extra: Duration) {
        // Of a host that was frozen before it came to its loop nobody knows yet what fleets it has.
        let over = |sim: &Self| sim.may_end && sim.host_status().is_some();
        self.run_until(extra + EPSILON, |sim| over(sim) || sim.kernel.borrow().host_is_well());
        let fleets: Vec<_> = {
            let kernel = self.kernel.borrow();
            kernel.checks.host().map(|host| host.config().fleets.clone()).unwrap_or_default()
        };
        if fleets.is_empty() {
            return;
        }
        let bound = all_recover(&fleets) + extra;
        if !self.run_until(bound, |sim| over(sim) || sim.incomplete().is_empty()) {
            let detail = format!("{bound:?} after the last fault: {}", self.incomplete().join("; "));
            let hangs = self.workers().iter().any(|worker| worker.hung_since.is_some() && !worker.orphaned);
            let rule = match () {
                () if hangs => "L2",
                // All are there, and the fleet does not see that it is well.
                () if self.incomplete().iter().all(|lack| lack.ends_with(DEGRADED)) => "L6",
                () => "L1",
            };
            self.fail(Violation::new(rule, detail));
        }
    }

    /// Demands that nobody writes to a log file that was renamed (S47).
    pub(super) fn settle_logs(&mut self) {
        if !self.run_until(EPSILON, |sim| sim.kernel.borrow().stale_logs().is_empty()) {
            let stale = self.kernel.borrow().stale_logs().join("; ");
            self.fail(Violation::new("S47", format!("{EPSILON:?} after all else has settled {stale}")));
        }
    }

    /// How a fleet is, as its host knows it; `None` if there is none of this name.
    pub fn fleet(&self, name: &str) -> Option<FleetStatus> {
        let kernel = self.kernel.borrow();
        let host = kernel.checks.host()?;
        host.fleet(host.find_fleet(name)?)
    }

    /// What the fleets still lack, by name.
    pub fn incomplete(&self) -> Vec<String> {
        let mut lacking = Vec::new();
        let workers = self.workers();
        for worker in workers.iter().filter(|worker| !worker.orphaned) {
            if let Some(since) = worker.hung_since {
                lacking.push(format!("pid {} hangs since {since}", worker.pid));
            }
        }
        let kernel = self.kernel.borrow();
        if !kernel.host_is_well() {
            lacking.push("the host is not well".to_owned());
        }
        let Some(host) = kernel.checks.host() else { return lacking };
        for index in 0..host.config().fleets.len() {
            let Some(fleet) = host.fleet(FleetId::new(index as u16)) else { continue };
            let wanted = (fleet.wanted as usize).saturating_sub(fleet.retired.len());
            if fleet.ready() != wanted || fleet.workers.len() != wanted {
                lacking.push(format!(
                    "fleet `{}` has {} ready workers of {} that live, {wanted} are wanted, slots {:?} rest, and it is {:?}",
                    fleet.name,
                    fleet.ready(),
                    fleet.workers.len(),
                    fleet.resting,
                    fleet.health,
                ));
            } else if fleet.health == Health::Degraded && wanted > 0 {
                // Where nobody is wanted nobody can show that it lives.
                lacking.push(format!("fleet `{}` {DEGRADED}", fleet.name));
            }
        }
        lacking
    }
}

/// How long all take: one after the other, since they start so.
pub(super) fn all_recover(fleets: &[FleetConfig]) -> Duration {
    fleets.iter().map(recovery).sum::<Duration>() + EPSILON
}

/// How long a fleet takes at most to be complete again, whatever state it was left in: who hangs is found and
/// killed, who drains comes to its end, who rests starts again, and boots.
fn recovery(fleet: &FleetConfig) -> Duration {
    let soft = fleet.soft_signal.map_or(Duration::ZERO, |soft| soft.grace);
    let budget = fleet.kill_budget.map_or(Duration::ZERO, |budget| budget.window * fleet.wanted());
    let late = fleet.boot_timeout + fleet.heartbeat_timeout * 3 + soft + budget;
    let end = fleet.drain_timeout + fleet.term_timeout;
    let rest = fleet.backoff.max.max(fleet.degraded_retry) + fleet.stable_after;
    // A worker that boots at the last moment may have to be found late, once more.
    (late + end + rest) * 2
}
