//! S46: while a worker is ready and stays, each lane of its fleet is minded by one that does.
//!
//! What a worker minds is what it was told last, or the lane of its slot. One that is stopped, or has said that
//! it takes no more, is no use to a lane if there is anybody else.

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::lanes::{Lane, Lanes};
use host_core::fleet::message::FromWorker;
use host_core::id::{FleetId, WorkerId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct LaneCheck {
    told: BTreeMap<WorkerId, Lanes>,
    /// Those who could not be told, and were not since.
    unheard: BTreeSet<WorkerId>,
    declined: BTreeSet<WorkerId>,
}

impl LaneCheck {
    #[expect(clippy::wildcard_enum_match_arm, reason = "three facts change who minds what")]
    pub(super) fn on_event(&mut self, event: &Event) {
        match event {
            Event::WorkerSaid { worker, message: Ok(FromWorker::Leaves) } => {
                self.declined.insert(*worker);
            }
            Event::MindFailed { worker } => {
                self.unheard.insert(*worker);
            }
            Event::WorkerExited { worker, .. } => {
                self.told.remove(worker);
                self.unheard.remove(worker);
                self.declined.remove(worker);
            }
            _ => {}
        }
    }

    pub(super) fn on_action(&mut self, action: &Action) {
        if let Action::Mind { worker, lanes } = action {
            self.told.insert(*worker, *lanes);
            self.unheard.remove(worker);
        }
    }

    pub(super) fn settled(&self, ledger: &Ledger) -> Option<Violation> {
        for (index, config) in ledger.configs.iter().enumerate() {
            let (fleet, count) = (FleetId::new(index as u16), config.lanes());
            if count == 0 {
                continue;
            }
            let staying = ledger.workers.iter().filter(|(worker, known)| {
                let takes = !self.declined.contains(worker);
                worker.fleet == fleet && known.ready.is_some() && known.stays() && takes
            });
            // That it is tried again is an invariant of the host's own.
            if staying.clone().any(|(worker, _)| self.unheard.contains(worker)) {
                continue;
            }
            let runs = staying.clone().any(|(_, known)| known.stopped.is_none());
            let useful = staying.filter(|(_, known)| !runs || known.stopped.is_none());
            let minded = |worker: &WorkerId| {
                let own = Lanes::only(Lane::of_slot(worker.slot, count));
                self.told.get(worker).copied().unwrap_or(own)
            };
            let lanes: Vec<_> = useful.map(|(worker, _)| minded(worker)).collect();
            let missing = lanes.iter().fold(Lanes::all(count), |left, lanes| left.without(*lanes));
            if !lanes.is_empty() && !missing.is_empty() {
                let detail =
                    format!("nobody minds {missing:?} of {fleet}; those who are there mind {lanes:?}");
                return Some(Violation::new("S46", detail));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::config::HostConfig;
    use host_core::fleet::config::FleetConfig;
    use host_core::id::Slot;
    use host_core::sys::{ExitStatus, Pid, Signal};
    use host_core::time::Instant;

    fn worker(slot: u16) -> WorkerId {
        WorkerId { fleet: FleetId::new(0), slot: Slot::new(slot), incarnation: 1 }
    }

    /// The lanes of two workers of which each has heard `story`, told by words: `ready 0`, `quit 0`, `dies 0`,
    /// `stops 0`, `goes on 0`, `leaves 0`, `mind 0 0 1`, `unheard 0`.
    fn tell(story: &[&str]) -> Option<&'static str> {
        let fleet = FleetConfig { workers: Some(2), spread: true, ..FleetConfig::new("f") };
        let config = HostConfig { fleets: vec![fleet], ..HostConfig::default() };
        let (mut check, mut ledger) = (LaneCheck::default(), Ledger::new(&config));
        for words in story {
            let numbers: Vec<u16> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
            let (worker, pid) = (worker(numbers[0]), Pid(10 + u32::from(numbers[0])));
            let said = |message| Event::WorkerSaid { worker, message: Ok(message) };
            let facts = match words.trim_end_matches(|last: char| last.is_numeric() || last == ' ') {
                "ready" => vec![Event::Spawned { worker, pid }, said(FromWorker::Ready)],
                "dies" => vec![Event::WorkerExited { worker, status: ExitStatus::Code(1) }],
                "stops" => vec![Event::ChildStopped { pid }],
                "goes on" => vec![Event::ChildContinued { pid }],
                "leaves" => vec![said(FromWorker::Leaves)],
                "unheard" => vec![Event::MindFailed { worker }],
                _ => Vec::new(),
            };
            for fact in &facts {
                check.on_event(fact);
                ledger.on_event(Instant::ZERO, fact);
            }
            let action = match words.split(' ').next() {
                Some("quit") => Action::SignalWorker { worker, signal: Signal::Quit },
                Some("mind") => {
                    let lane = |number: &u16| Lane::of_slot(Slot::new(*number), 2);
                    Action::Mind { worker, lanes: numbers[1..].iter().map(lane).collect() }
                }
                _ => continue,
            };
            check.on_action(&action);
            ledger.on_action(Instant::ZERO, &action);
        }
        check.settled(&ledger).map(|found| found.id)
    }

    #[test]
    fn s46_a_lane_that_nobody_minds_is_seen_if_anybody_could() {
        const BROKEN: Option<&str> = Some("S46");
        let rows: [(&[&str], Option<&str>); 15] = [
            (&[], None),
            (&["ready 0", "ready 1"], None),
            (&["ready 0"], BROKEN),
            (&["ready 0", "mind 0 0 1"], None),
            (&["ready 0", "ready 1", "quit 1"], BROKEN),
            (&["ready 0", "ready 1", "quit 1", "mind 0 0 1"], None),
            (&["ready 0", "ready 1", "quit 0", "quit 1"], None),
            (&["ready 0", "ready 1", "dies 0"], BROKEN),
            (&["ready 0", "ready 1", "leaves 0"], BROKEN),
            (&["ready 0", "ready 1", "stops 0"], BROKEN),
            (&["ready 0", "ready 1", "stops 0", "goes on 0"], None),
            (&["ready 0", "ready 1", "stops 0", "stops 1"], None),
            (&["ready 0", "ready 1", "mind 1 0"], BROKEN),
            (&["ready 0", "mind 0 0 1", "unheard 0"], None),
            (&["ready 0", "ready 1", "mind 0 0 1", "dies 0"], BROKEN),
        ];
        for (story, expected) in rows {
            assert_eq!(tell(story), expected, "{story:?}");
        }
    }
}
