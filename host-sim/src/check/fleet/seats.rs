//! How many workers there are, and where they sit.
//!
//! S13: those that stay are never more than are wanted, and as many as may be replaced in advance. S16: a
//! slot is used again only after its worker was reaped, and by a younger incarnation. S21: the wanted
//! number is what signals and calls that were heard have made it.

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::config::FleetConfig;
use host_core::host::Host;
use host_core::id::{FleetId, Slot, WorkerId};
use host_core::sys::Signal;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct SeatCheck {
    /// The last incarnation that was ordered for a slot.
    last: BTreeMap<(FleetId, Slot), u32>,
    targets: Vec<Wanted>,
}

/// A model of its own of how many are wanted.
#[derive(Clone, Copy)]
struct Wanted {
    count: u32,
    remembered: Option<u32>,
}

impl SeatCheck {
    pub(super) fn new(config: &HostConfig) -> Self {
        let wanted = |fleet: &FleetConfig| Wanted { count: fleet.wanted(), remembered: None };
        Self { targets: config.fleets.iter().map(wanted).collect(), ..Self::default() }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else changes how many are wanted")]
    pub(super) fn on_event(&mut self, ledger: &Ledger, event: &Event) {
        match event {
            Event::Signalled(Signal::Ttin) => {
                let most = ledger.configs[0].wanted_max();
                self.targets[0].count = most.min(self.targets[0].count + 1);
            }
            Event::Signalled(Signal::Ttou) => {
                self.targets[0].count = self.targets[0].count.saturating_sub(1);
            }
            Event::Signalled(Signal::Winch) => {
                for wanted in &mut self.targets {
                    *wanted = match *wanted {
                        Wanted { count: 0, remembered } => {
                            Wanted { count: remembered.unwrap_or(0), remembered: None }
                        }
                        Wanted { count, .. } => Wanted { count: 0, remembered: Some(count) },
                    };
                }
            }
            Event::ResizeAsked { fleet, workers } => {
                let most = ledger.configs[fleet.index()].wanted_max();
                self.targets[fleet.index()] = Wanted { count: most.min(*workers), remembered: None };
            }
            Event::RestoreAsked { fleet } => {
                let wanted = &mut self.targets[fleet.index()];
                if let Some(count) = wanted.remembered.take() {
                    wanted.count = count;
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_action(&mut self, ledger: &Ledger, action: &Action) -> Option<Violation> {
        let Action::Spawn { worker } = action else { return None };
        let WorkerId { fleet, slot, incarnation } = *worker;
        let sits = ledger.workers.keys().find(|known| (known.fleet, known.slot) == (fleet, slot));
        if let Some(sits) = sits {
            return Some(Violation::new("S16", format!("{worker} is ordered, and {sits} was not reaped")));
        }
        let last = self.last.insert((fleet, slot), incarnation).unwrap_or(0);
        (incarnation <= last).then(|| {
            Violation::new("S16", format!("{worker} is ordered after incarnation {last} of the same slot"))
        })
    }

    pub(super) fn settled(&self, ledger: &Ledger, host: &Host) -> Option<Violation> {
        for (index, (wanted, config)) in self.targets.iter().zip(&ledger.configs).enumerate() {
            let fleet = FleetId::new(index as u16);
            let told = host.fleet_wanted(fleet).unwrap_or_default();
            if told != wanted.count {
                let detail =
                    format!("{told} workers of {fleet} are wanted; what was heard makes {}", wanted.count);
                return Some(Violation::new("S21", detail));
            }
            let of_fleet = |(worker, _): &(&WorkerId, _)| worker.fleet == fleet;
            let stay = ledger.workers.iter().filter(of_fleet).filter(|(_, known)| known.stays()).count();
            // Those that were ordered before the number fell are culled when they are born.
            let unborn = ledger.workers.iter().filter(of_fleet).any(|(_, known)| known.pid.is_none());
            if stay > (wanted.count + config.surge_max) as usize && !unborn {
                let detail = format!(
                    "{stay} workers of {fleet} stay; {} are wanted, and {} more may replace others",
                    wanted.count, config.surge_max
                );
                return Some(Violation::new("S13", detail));
            }
        }
        None
    }
}
