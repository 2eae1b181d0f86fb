//! What the host reads in the slots.
//!
//! S2: a sign of life is one of the incarnation that it is read for: none is older than the order to fork
//! that one. S7: of each incarnation signs of life only grow, and none lies further ahead than the coarse
//! clock can be. (Its count of requests may fall once: when it begins to count them itself.)

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::event::Event;
use host_core::fleet::config::FleetConfig;
use host_core::time::Instant;

/// Looks at a fact before the ledger knows it.
pub(super) fn on_event(ledger: &Ledger, now: Instant, event: &Event) -> Option<Violation> {
    let Event::Beats { readings, .. } = event else { return None };
    for (worker, reading) in readings {
        let Some(known) = ledger.workers.get(worker) else { continue };
        let before = known.read.map(|(_, before)| before).unwrap_or_default();
        let Some(beat) = reading.beat else {
            if let Some(before) = before.beat {
                let detail = format!("{worker} had given a sign of life at {}, and none", before.at);
                return Some(Violation::new("S7", detail));
            }
            continue;
        };
        if beat.at < known.ordered {
            let detail = format!(
                "a sign of life of {} is read as one of {worker}, which was ordered at {}",
                beat.at, known.ordered
            );
            return Some(Violation::new("S2", detail));
        }
        if let Some(before) = before.beat.filter(|before| before.at > beat.at) {
            let detail = format!("{worker} gave a sign of life at {}, and then at {}", before.at, beat.at);
            return Some(Violation::new("S7", detail));
        }
        // Two ticks of the coarsest clock that a heartbeat timeout allows for.
        if beat.at > now + FleetConfig::HEARTBEAT_MIN {
            let detail = format!("at {now} a sign of life of {worker} is read that is of {}", beat.at);
            return Some(Violation::new("S7", detail));
        }
    }
    None
}
