//! The rules for fleets, over the facts and orders of a host: they know it by these alone.
//!
//! `ledger` keeps who is known; each of the others is fed the same facts and asks it.

mod beats;
mod ends;
mod kills;
mod ladder;
mod lanes;
pub(super) mod ledger;
mod memory;
mod restarts;
mod scaling;
mod seats;

use crate::check::Violation;
use crate::kernel::Nanos;
use host_core::action::Action;
use host_core::event::Event;
use host_core::sys::Fact;
use host_core::time::Instant;
use ledger::Ledger;

/// All rules for fleets.
#[derive(Default)]
pub(crate) struct FleetCheck {
    pub(super) ledger: Ledger,
    kills: kills::KillCheck,
    ladder: ladder::LadderCheck,
    seats: seats::SeatCheck,
    restarts: restarts::RestartCheck,
    ends: ends::EndCheck,
    lanes: lanes::LaneCheck,
    memory: memory::MemoryCheck,
    scaling: scaling::ScaleCheck,
    now: Instant,
}

impl FleetCheck {
    pub(crate) fn on_fact(&mut self, _: Nanos, fact: &Fact<'_>) -> Option<Violation> {
        if let Fact::Begin(config) = fact {
            let restarts = restarts::RestartCheck::new(config.fleets.len());
            let seats = seats::SeatCheck::new(config);
            *self = Self { ledger: Ledger::new(config), restarts, seats, ..Self::default() };
        }
        if self.ledger.is_empty() {
            return None;
        }
        match fact {
            Fact::Begin(_) => None,
            Fact::Event(now, event) => {
                self.now = *now;
                self.on_event(event)
            }
            Fact::Action(action) => self.on_action(action),
            Fact::Settled(host) => {
                let found = self.ladder.settled().or_else(|| self.seats.settled(&self.ledger, host));
                found.or_else(|| self.lanes.settled(&self.ledger))
            }
        }
    }

    fn on_event(&mut self, event: &Event) -> Option<Violation> {
        let (now, ledger) = (self.now, &mut self.ledger);
        let found = beats::on_event(ledger, now, event);
        self.ends.on_event(ledger, event);
        self.restarts.on_event(ledger, now, event);
        self.seats.on_event(ledger, event);
        self.kills.on_event(event);
        self.lanes.on_event(event);
        self.memory.on_event(ledger, event);
        ledger.on_event(now, event);
        self.scaling.on_event(ledger, now, event);
        found
    }

    fn on_action(&mut self, action: &Action) -> Option<Violation> {
        let (now, ledger) = (self.now, &mut self.ledger);
        let found = self.kills.on_action(ledger, now, action);
        let found = found.or_else(|| self.ladder.on_action(ledger, now, action));
        let found = found.or_else(|| self.seats.on_action(ledger, action));
        let found = found.or_else(|| self.restarts.on_action(ledger, now, action));
        let found = found.or_else(|| self.ends.on_action(ledger, action));
        let found = found.or_else(|| self.memory.on_action(ledger, now, action));
        let found = found.or_else(|| self.scaling.on_action(ledger, now, action));
        self.lanes.on_action(action);
        ledger.on_action(now, action);
        found
    }
}

#[cfg(test)]
mod tests;
