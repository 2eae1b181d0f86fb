//! Where the number of workers follows the load.
//!
//! S48: it is above neither what the settings allow nor below the least, it changes only by what a look has just found –
//! more where too few would be idle, one less where too many have been for as long as they must –, at most
//! once a period, and never while the host stops. So it rests in a steady load. Or an author's function says it, and is
//! obeyed within the bounds.

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
    /// What the author's function has answered in this fact.
    answered: Option<(FleetId, u32)>,
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
        self.answered = match event {
            Event::ScaleAnswered { fleet, workers } => Some((*fleet, *workers)),
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
                "S48",
                format!("{workers} workers of {fleet} are wanted, {before} before: {what}"),
            ))
        };
        let config = &ledger.configs[fleet.index()];
        if let Some((_, answer)) = self.answered.filter(|(asked, _)| asked == fleet) {
            let all = answer.max(1).saturating_add(ledger.retired(*fleet)).min(config.wanted_max());
            let right = all == *workers && !ledger.stops(Stop::AtOnce);
            return if right { None } else { found(&format!("the answer was {answer}")) };
        }
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
        match follows.above_since {
            Some(since) if now.since(since) >= config.spares.shrink_after => None,
            Some(since) => found(&format!("too many are idle for {:?} only", now.since(since))),
            None => found("not too many are idle"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::fleet::FleetCheck;
    use host_core::config::HostConfig;
    use host_core::fleet::beat::{Beat, Pace};
    use host_core::fleet::config::FleetConfig;
    use host_core::fleet::message::FromWorker;
    use host_core::fleet::spares::Spares;
    use host_core::id::{Slot, WorkerId};
    use host_core::sys::{Fact, Pid, SlotReading};
    use host_core::time::Duration;

    const F: FleetId = FleetId::new(0);
    const MS: Duration = Duration::from_millis(1);

    /// At these milliseconds a look finds so many connections in the hand of each of three workers; then, perhaps, the
    /// number changes.
    type Look = (u64, [u64; 3], Option<(u32, u32)>);

    /// What is found of three workers, one or two of which are to idle.
    fn found(looks: &[Look], then: &[Fact<'_>]) -> Option<&'static str> {
        let (period, shrink_after) = (20 * MS, 50 * MS);
        let spares = Spares { min: Some(1), max: Some(2), period, shrink_after };
        let fleet = FleetConfig { workers: Some(3), workers_max: Some(6), spares, ..FleetConfig::new("f") };
        let config = HostConfig { fleets: vec![fleet], ..HostConfig::default() };
        let mut check = FleetCheck::default();
        let mut tell = |fact: Fact<'_>| check.on_fact(0, &fact).map(|found| found.id);
        assert_eq!(tell(Fact::Begin(&config)), None);
        let worker = |slot| WorkerId { fleet: F, slot: Slot::new(slot), incarnation: 1 };
        for slot in 0..3 {
            let worker = worker(slot);
            assert_eq!(tell(Fact::Action(&Action::Spawn { worker })), None);
            let born = Event::Spawned { worker, pid: Pid(10 + u32::from(slot)) };
            let ready = Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) };
            for event in [born, ready] {
                assert_eq!(tell(Fact::Event(Instant::ZERO, &event)), None);
            }
        }
        for (ms, connections, change) in looks {
            let at = Instant::ZERO + MS * *ms as u32;
            let beat = Some(Beat { at, pace: Pace::Waiting });
            let reading = |connections| SlotReading { beat, connections, ..SlotReading::default() };
            let readings = (0..).map(worker).zip(connections.map(reading)).collect();
            assert_eq!(tell(Fact::Event(at, &Event::Beats { fleet: F, readings })), None);
            if let Some((before, workers)) = *change {
                let notice = FleetNotice::Scaled { workers, before, idle: 0, busy: 0 };
                let found = tell(Fact::Action(&Action::TellFleet { fleet: F, notice }));
                if found.is_some() {
                    return found;
                }
            }
        }
        then.iter().find_map(|fact| tell(*fact))
    }

    #[test]
    fn each_change_is_what_the_looks_call_for_or_is_found() {
        let s48 = Some("S48");
        let rows: &[(&str, &[Look], Option<&str>)] = &[
            ("nobody idles", &[(9, [1, 1, 1], Some((3, 4)))], None),
            ("somebody does", &[(9, [1, 1, 0], Some((3, 4)))], s48),
            ("more than may be", &[(9, [1, 1, 1], Some((3, 7)))], s48),
            ("twice within a period", &[(9, [1, 1, 1], Some((3, 4))), (28, [1, 1, 1], Some((3, 4)))], s48),
            ("and after it", &[(9, [1, 1, 1], Some((3, 4))), (29, [1, 1, 1], Some((3, 4)))], None),
            ("too many for long", &[(9, [0, 0, 0], None), (59, [0, 0, 0], Some((3, 2)))], None),
            ("not for long", &[(9, [0, 0, 0], None), (58, [0, 0, 0], Some((3, 2)))], s48),
            (
                "not all the while",
                &[(9, [0, 0, 0], None), (30, [0, 1, 0], None), (59, [0, 0, 0], Some((3, 2)))],
                s48,
            ),
            ("two at once", &[(9, [0, 0, 0], None), (59, [0, 0, 0], Some((3, 1)))], s48),
            ("below the least", &[(9, [0, 0, 0], None), (59, [0, 0, 0], Some((1, 0)))], s48),
        ];
        for (name, looks, expected) in rows {
            assert_eq!(found(looks, &[]), *expected, "{name}");
        }
    }

    #[test]
    fn only_a_look_changes_the_number_and_nothing_while_the_host_stops() {
        let notice = FleetNotice::Scaled { workers: 4, before: 3, idle: 0, busy: 3 };
        let order = Action::TellFleet { fleet: F, notice };
        let busy: &[Look] = &[(9, [1, 1, 1], None)];
        let at = Instant::ZERO + 9 * MS;
        assert_eq!(found(busy, &[Fact::Action(&order)]), None);
        assert_eq!(found(busy, &[Fact::Event(at, &Event::Tick), Fact::Action(&order)]), Some("S48"));
        let look = Event::Beats { fleet: F, readings: Vec::new() };
        for stop in [Event::StopAsked, Event::DrainAsked] {
            let story = [Fact::Event(at, &stop), Fact::Event(at, &look), Fact::Action(&order)];
            assert_eq!(found(busy, &story), Some("S48"), "{stop:?}");
        }
    }
}
