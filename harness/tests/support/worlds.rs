//! One body, two worlds.

use harness::Sim;
use host_core::{App, RunError};
use host_sim::{Choices, Pool};

/// A world that an application can run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// The simulated kernel, with this seed and no faults.
    Simulated { seed: u64 },
    /// The real kernel, in this process.
    Real,
}

/// Runs `body` in each world.
pub(crate) fn in_both_worlds(body: impl Fn(World)) {
    (0..3).for_each(|seed| body(World::Simulated { seed }));
    body(World::Real);
}

impl World {
    /// Runs an application for so many turns, to its end.
    pub(crate) fn run_turns(self, turns: u64, app: impl Fn() -> App + 'static) -> Result<(), RunError> {
        match self {
            Self::Simulated { seed } => {
                Sim::new(Choices::seeded(seed), &Pool::default()).run_turns(app, turns)
            }
            Self::Real => host_sys::run_turns(app(), turns),
        }
    }
}
