//! What has happened in a fleet since its host began, as numbers that only grow.

use crate::fleet::death::{Death, Intent};

/// How often what happened in a fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counters {
    /// Workers that were forked.
    pub spawned: u64,
    /// Forks that failed.
    pub spawns_failed: u64,
    /// Workers that said that they can serve.
    pub ready: u64,
    /// Workers that ended and nobody had asked to.
    pub died_unasked: u64,
    /// Those that gave no sign of life.
    pub died_hung: u64,
    /// Those that were not ready in time.
    pub died_not_ready: u64,
    /// Those that were more than wanted.
    pub died_surplus: u64,
    /// Those that had served enough.
    pub died_served_enough: u64,
    /// Those that had too much memory.
    pub died_too_large: u64,
    /// Those that ended with others, with their fleet or with the host.
    pub died_together: u64,
    /// Workers, of all those that ended, to whom the host sent KILL.
    pub killed: u64,
}

impl Counters {
    /// One more has died.
    pub(crate) const fn count(&mut self, death: &Death) {
        self.killed += death.killed as u64;
        *match death.intent {
            None => &mut self.died_unasked,
            Some(Intent::Hung) => &mut self.died_hung,
            Some(Intent::NotReady) => &mut self.died_not_ready,
            Some(Intent::Surplus) => &mut self.died_surplus,
            Some(Intent::ServedEnough) => &mut self.died_served_enough,
            Some(Intent::TooLarge) => &mut self.died_too_large,
            Some(Intent::Sibling | Intent::FleetStops | Intent::Drain | Intent::Stop) => {
                &mut self.died_together
            }
        } += 1;
    }

    /// How many have died, for whatever reason.
    pub const fn died(&self) -> u64 {
        self.died_unasked
            + self.died_hung
            + self.died_not_ready
            + self.died_surplus
            + self.died_served_enough
            + self.died_too_large
            + self.died_together
    }
}
