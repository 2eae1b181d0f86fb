//! The decisions about fleets of workers, through the one door of a host: facts in, orders out.
//!
//! Each test is a table: what happens, and the exact list of what the host wants done about it.

mod beats;
mod budgets;
mod checker;
mod ending;
mod exits;
mod ladder;
mod lanes;
mod late;
mod memory;
mod model;
mod nudges;
mod pauses;
mod policies;
mod replacing;
mod restart;
mod rig;
mod short;
mod signals;
mod spares;
mod start;
mod strategies;
mod unconfined;
