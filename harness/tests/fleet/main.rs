//! Whole fleets in the simulator: host, workers, user code and clients, under every fault.

mod apps;
mod crash_loops;
mod ends;
mod faults;
mod liveness;
mod memory;
mod nested;
mod policies;
mod queue;
mod rare;
mod recycling;
mod settings;
mod spares;
mod spread;
mod strategies;
