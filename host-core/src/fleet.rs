//! Fleets of forked workers: how many, who lives, who is late, who is replaced and when.
//!
//! `fleets` routes to one `crew` a fleet and knows in which order they start and stop. A crew is the
//! machine that the small ones serve: `target` says how many are wanted, `seat` who sits where, `judge`
//! who is late, `backoff` and `intensity` when a dead one is replaced, `kill_budget` and `capacity` how
//! many may be taken away, `spares` how many the load calls for, `pauses` what the host itself has missed, `death`
//! why somebody died, `lanes` who accepts from which queue of a listener that is spread. `output` is nobody's: it makes
//! lines of what workers print, and `reason` carries why a body failed. `privileges` is what workers may do.

pub mod backoff;
pub mod beat;
pub(crate) mod capacity;
pub mod config;
pub mod counters;
pub(crate) mod crew;
pub mod death;
pub(crate) mod fleets;
pub(crate) mod intensity;
pub(crate) mod judge;
pub(crate) mod kill_budget;
pub mod lanes;
pub mod memory;
pub mod message;
pub mod notice;
pub mod output;
pub(crate) mod pauses;
pub mod privileges;
pub mod reason;
pub(crate) mod seat;
pub mod spares;
pub mod status;
pub(crate) mod target;
