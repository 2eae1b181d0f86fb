//! S49: a worker is replaced for its memory only if a sample has found that it has more than it may, and a
//! sample is taken no more often than its period says.

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
use host_core::id::{FleetId, WorkerId};
use host_core::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct MemoryCheck {
    /// Who was found to have too much.
    large: BTreeSet<WorkerId>,
    /// When a sample was last ordered.
    ordered: BTreeMap<FleetId, Instant>,
}

impl MemoryCheck {
    #[expect(clippy::wildcard_enum_match_arm, reason = "two facts are about memory")]
    pub(super) fn on_event(&mut self, ledger: &Ledger, event: &Event) {
        match event {
            Event::Memory { fleet, readings } => {
                let most = ledger.configs[fleet.index()].memory.max.unwrap_or(u64::MAX);
                let large = readings.iter().filter(|(_, read)| read.is_ok_and(|bytes| bytes > most));
                self.large.extend(large.map(|(worker, _)| *worker));
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
                let before = self.ordered.insert(*fleet, now)?;
                (now < before + period).then(|| {
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
