//! S49: a worker is replaced for its memory only if a sample has found that it has more than it may, and a
//! sample is taken no more often than its period says: one of some of the workers, than their share of it.

use super::ledger::Ledger;
use crate::check::Violation;
use crate::marks::sometimes;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
use host_core::id::{FleetId, WorkerId};
use host_core::time::{Duration, Instant};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct MemoryCheck {
    /// Who was found to have too much.
    large: BTreeSet<WorkerId>,
    /// When a sample was last ordered, and how long it is good for.
    ordered: BTreeMap<FleetId, (Instant, Duration)>,
}

impl MemoryCheck {
    #[expect(clippy::wildcard_enum_match_arm, reason = "two facts are about memory")]
    pub(super) fn on_event(&mut self, ledger: &Ledger, event: &Event) {
        match event {
            Event::Memory { fleet, readings } => {
                let most = ledger.configs[fleet.index()].memory.max.unwrap_or(u64::MAX);
                let large = readings.iter().filter(|(_, read)| read.is_ok_and(|bytes| bytes > most));
                self.large.extend(large.map(|(worker, _)| *worker));
                let born = ledger.of_fleet(*fleet).filter(|known| known.pid.is_some()).count().max(1);
                sometimes!(readings.len() < born, "the memory of some workers has its turn later");
                if let Some((_, lasts)) = self.ordered.get_mut(fleet) {
                    *lasts = *lasts * readings.len().clamp(1, born) as u32 / born as u32;
                }
            }
            Event::WorkerExited { worker, .. } => {
                self.large.remove(worker);
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "two orders are about memory")]
    pub(super) fn on_action(&mut self, ledger: &Ledger, now: Instant, action: &Action) -> Option<Violation> {
        match action {
            Action::ReadMemory { fleet } => {
                let period = ledger.configs[fleet.index()].memory.period;
                let (before, lasts) = self.ordered.insert(*fleet, (now, period))?;
                (now < before + lasts).then(|| {
                    Violation::new("S49", format!("a sample of {fleet} at {before} and another at {now}"))
                })
            }
            Action::TellFleet {
                notice: FleetNotice::Asked { worker, intent: Intent::TooLarge, .. }, ..
            } => {
                let found = self.large.contains(worker);
                (!found).then(|| {
                    Violation::new("S49", format!("no sample has found too much memory in {worker}"))
                })
            }
            _ => None,
        }
    }
}
