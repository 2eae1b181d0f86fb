//! What stays broken for ever: slots whose workers never serve, each in its own way.

use crate::choice::Stream;
use crate::kernel::scripted::{Act, Part};
use crate::kernel::{Kernel, MILLISECOND};
use host_core::id::{FleetId, Slot};
use std::collections::BTreeSet;

/// The parts that a broken slot's workers may play: they crash a moment after their birth, never begin, hang in the
/// first thing that they do, or are stopped for ever. Who sits in the slot already plays what is left of it.
const FATES: [fn(Part) -> Part; 4] = [
    |part| part.acts(MILLISECOND, Act::Crash),
    |part| Part { boot: None, ..part.acts(0, Act::Hang) },
    |part| part.acts(0, Act::Hang),
    |part| part.acts(MILLISECOND, Act::Stop),
];

/// The slots that are broken.
#[derive(Debug, Default)]
pub(crate) struct Broken(BTreeSet<(FleetId, Slot)>);

impl Broken {
    pub(crate) fn has(&self, fleet: FleetId, slot: Slot) -> bool {
        self.0.contains(&(fleet, slot))
    }

    /// How many slots of a fleet are.
    pub(crate) fn count(&self, fleet: FleetId) -> usize {
        self.0.iter().filter(|(of, _)| *of == fleet).count()
    }
}

impl Kernel {
    /// Breaks about half of the first `slots` slots of a fleet, called `name`, for good.
    pub(crate) fn break_slots(&mut self, fleet: FleetId, name: &str, slots: u16) {
        for slot in (0..slots).map(Slot::new) {
            // 0 is the benign choice, as everywhere.
            let drawn = self.choices.choose(Stream::Fate, fleet.index() as u32, 2 * FATES.len() as u32);
            let Some(fate) = (drawn as usize).checked_sub(FATES.len()) else { continue };
            self.broken.0.insert((fleet, slot));
            let part = FATES[fate](Part { slot: Some(slot.number()), ..Part::of(name) });
            self.give_part(part);
        }
    }
}
