//! Where the number of workers follows the load.
//!
//! S47: it is above neither what the settings allow nor below the least, it changes only by what a look has just found –
//! more where too few would be idle, one less where too many have been for as long as they must –, at most
//! once a period, and never while the host stops. So it rests in a steady load.

use super::ledger::{Known, Ledger, Stop};
use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::notice::FleetNotice;
use host_core::id::FleetId;
use host_core::time::Instant;
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct ScaleCheck {
    fleets: BTreeMap<FleetId, Follows>,
    /// The fleet of which this fact is a look.
    looks: Option<FleetId>,
}

#[derive(Clone, Copy, Default)]
struct Follows {
    /// Since when each look has found too many that may be idle.
    above_since: Option<Instant>,
    /// When the number last changed.
    changed: Option<Instant>,
}

impl ScaleCheck {
    /// The ledger knows of this fact.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only looks show who is idle")]
    pub(super) fn on_event(&mut self, ledger: &Ledger, now: Instant, event: &Event) {
        self.looks = match event {
            Event::Beats { fleet, .. } => Some(*fleet),
            _ => None,
        };
        let Some(fleet) = self.looks else { return };
        let Some(bounds) = ledger.configs[fleet.index()].spares.bounds() else { return };
        let above = idle(ledger, fleet) > bounds.max;
        let follows = self.fleets.entry(fleet).or_default();
        follows.above_since = if above { follows.above_since.or(Some(now)) } else { None };
    }

    pub(super) fn on_action(&mut self, ledger: &Ledger, now: Instant, action: &Action) -> Option<Violation> {
        let Action::TellFleet { fleet, notice: FleetNotice::Scaled { workers, before, .. } } = action else {
            return None;
        };
        let found = |what: &str| {
            Some(Violation::new(
                "S47",
                format!("{workers} workers of {fleet} are wanted, {before} before: {what}"),
            ))
        };
        let config = &ledger.configs[fleet.index()];
        let Some(bounds) = config.spares.bounds() else { return found("it does not follow the load") };
        if self.looks != Some(*fleet) {
            return found("no look has found that");
        }
        // A drain takes one fleet after the other, and each serves on until it is its turn.
        let alone = ledger.configs.len() == 1;
        if ledger.stops(Stop::AtOnce) || alone && ledger.stops(Stop::Drain) {
            return found("the host stops");
        }
        let follows = self.fleets.entry(*fleet).or_default();
        let again = follows.changed.replace(now).map(|changed| changed + config.spares.period);
        if again.is_some_and(|again| now < again) {
            return found("it changes twice within a period");
        }
        if workers > before {
            let coming = before.saturating_sub(busy(ledger, *fleet));
            if *workers > config.wanted_max() {
                return found("more than may be");
            }
            if coming >= bounds.min {
                return found(&format!("{coming} are or will be idle"));
            }
            return None;
        }
        if *before != workers + 1 {
            return found("they are taken away one by one");
        }
        if *workers < bounds.min {
            return found("fewer than must be");
        }
        let long = follows.above_since.is_some_and(|since| now.since(since) >= config.spares.shrink_after);
        if long {
            None
        } else {
            found(&format!("not for long too many are idle; since {:?}", follows.above_since))
        }
    }
}

/// Those who are ready and stay.
fn serving(ledger: &Ledger, fleet: FleetId) -> impl Iterator<Item = &Known> {
    ledger.of_fleet(fleet).filter(|known| known.ready.is_some() && known.stays())
}

/// At most so many could serve at once, as far as the last look tells: one that is replaced or silent may count less.
fn idle(ledger: &Ledger, fleet: FleetId) -> u32 {
    let holds_none = |known: &&Known| known.read.is_none_or(|(_, reading)| reading.connections == 0);
    serving(ledger, fleet).filter(holds_none).count() as u32
}

/// At most so many could not: with a connection in hand, stopped, or without a sign of life that is younger than
/// what is warned of.
fn busy(ledger: &Ledger, fleet: FleetId) -> u32 {
    let config = &ledger.configs[fleet.index()];
    let silence = config.late_warning.unwrap_or(config.heartbeat_timeout).min(config.heartbeat_timeout);
    let is_busy = |known: &&Known| {
        let Some((at, reading)) = known.read else { return true };
        let silent = reading.beat.is_none_or(|beat| at.since(beat.at) >= silence);
        reading.connections > 0 || known.stopped.is_some() || silent
    };
    serving(ledger, fleet).filter(is_busy).count() as u32
}
