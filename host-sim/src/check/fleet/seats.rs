//! How many workers there are, and where they sit.
//!
//! S13: those that stay are never more than are wanted, and as many as may be replaced in advance. S16: a
//! slot is used again only after its worker was reaped, and by a younger incarnation. S21: the wanted
//! number is what signals, calls and the load (S48) that were heard of have made it. L7: nobody who serves is taken away but
//! because the wanted number fell, whatever becomes of other slots.

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::config::{FleetConfig, Strategy};
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
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
#[derive(Clone, Copy, Default)]
struct Wanted {
    count: u32,
    remembered: Option<u32>,
    /// How many of those who serve may still be taken away because the number fell.
    surplus: u32,
}

/// Whom TTIN and TTOU mean.
const FIRST: FleetId = FleetId::new(0);

impl SeatCheck {
    pub(super) fn new(config: &HostConfig) -> Self {
        let wanted = |fleet: &FleetConfig| Wanted { count: fleet.wanted(), ..Wanted::default() };
        Self { targets: config.fleets.iter().map(wanted).collect(), ..Self::default() }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else changes how many are wanted")]
    pub(super) fn on_event(&mut self, ledger: &Ledger, event: &Event) {
        match event {
            Event::Signalled(Signal::Ttin) => self.set(ledger, FIRST, |count| count + 1),
            Event::Signalled(Signal::Ttou) => self.set(ledger, FIRST, |count| count.saturating_sub(1)),
            Event::Signalled(Signal::Winch) => {
                for index in 0..self.targets.len() {
                    let wanted = &mut self.targets[index];
                    let remembered = wanted.remembered.take();
                    if wanted.count > 0 {
                        wanted.remembered = Some(wanted.count);
                    }
                    let count = if wanted.count > 0 { 0 } else { remembered.unwrap_or(0) };
                    self.set(ledger, FleetId::new(index as u16), |_| count);
                }
            }
            Event::ResizeAsked { fleet, workers } => {
                self.targets[fleet.index()].remembered = None;
                self.set(ledger, *fleet, |_| *workers);
            }
            Event::RestoreAsked { fleet } => {
                let remembered = self.targets[fleet.index()].remembered.take();
                self.set(ledger, *fleet, |count| remembered.unwrap_or(count));
            }
            _ => {}
        }
    }

    fn set(&mut self, ledger: &Ledger, fleet: FleetId, change: impl FnOnce(u32) -> u32) {
        let wanted = &mut self.targets[fleet.index()];
        let count = change(wanted.count).min(ledger.configs[fleet.index()].wanted_max());
        if count < wanted.count {
            // Those who came in advance of others are counted here: with whom they replace, they may go.
            let live = count.saturating_sub(ledger.retired(fleet));
            wanted.surplus = (ledger.staying(fleet) as u32).saturating_sub(live);
        }
        wanted.count = count;
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few orders are about who sits where")]
    pub(super) fn on_action(&mut self, ledger: &Ledger, action: &Action) -> Option<Violation> {
        match action {
            Action::Spawn { worker } => self.seated(ledger, *worker),
            Action::TellFleet { fleet, notice: FleetNotice::Scaled { workers, .. } } => {
                self.set(ledger, *fleet, |_| *workers);
                None
            }
            Action::TellFleet { notice: FleetNotice::Asked { worker, intent, .. }, .. } => {
                self.taken_away(ledger, *worker, *intent)
            }
            _ => None,
        }
    }

    fn seated(&mut self, ledger: &Ledger, worker: WorkerId) -> Option<Violation> {
        let WorkerId { fleet, slot, incarnation } = worker;
        let sits = ledger.workers.keys().find(|known| (known.fleet, known.slot) == (fleet, slot));
        if let Some(sits) = sits {
            return Some(Violation::new("S16", format!("{worker} is ordered, and {sits} was not reaped")));
        }
        let last = self.last.insert((fleet, slot), incarnation).unwrap_or(0);
        (incarnation <= last).then(|| {
            Violation::new("S16", format!("{worker} is ordered after incarnation {last} of the same slot"))
        })
    }

    /// A worker is asked to leave.
    fn taken_away(&mut self, ledger: &Ledger, worker: WorkerId, intent: Intent) -> Option<Violation> {
        if intent == Intent::Sibling && ledger.strategy == Strategy::OneForOne {
            let detail = format!("{worker} is asked to leave because of another, and each stands for itself");
            return Some(Violation::new("L7", detail));
        }
        let serves = ledger.workers.get(&worker).is_some_and(|known| known.ready.is_some());
        if intent != Intent::Surplus || !serves {
            return None;
        }
        let wanted = &mut self.targets[worker.fleet.index()];
        let Some(left) = wanted.surplus.checked_sub(1) else {
            let detail = format!(
                "{worker} serves and is asked to leave; {} are wanted, and no fewer than before",
                wanted.count
            );
            return Some(Violation::new("L7", detail));
        };
        wanted.surplus = left;
        None
    }

    pub(super) fn settled(&mut self, ledger: &Ledger, host: &Host) -> Option<Violation> {
        for (index, (wanted, config)) in self.targets.iter_mut().zip(&ledger.configs).enumerate() {
            let fleet = FleetId::new(index as u16);
            let told = host.fleet_wanted(fleet).unwrap_or_default();
            if told != wanted.count {
                let detail =
                    format!("{told} workers of {fleet} are wanted; what was heard makes {}", wanted.count);
                return Some(Violation::new("S21", detail));
            }
            let stay = ledger.staying(fleet);
            // Those that were ordered before the number fell are culled when they are born.
            let unborn = ledger.of_fleet(fleet).any(|known| known.pid.is_none());
            if stay > (wanted.count + config.surge_max) as usize && !unborn {
                let detail = format!(
                    "{stay} workers of {fleet} stay; {} are wanted, and {} more may replace others",
                    wanted.count, config.surge_max
                );
                return Some(Violation::new("S13", detail));
            }
            // Who was to go and was not there needs nobody to go in his place.
            let live = wanted.count.saturating_sub(ledger.retired(fleet));
            wanted.surplus = wanted.surplus.min((stay as u32).saturating_sub(live));
        }
        None
    }
}
