//! Whole fleets in the simulator: host, workers, user code and clients, under every fault.

mod apps;
mod crash_loops;
mod ends;
mod faults;
mod liveness;
mod nested;
mod privileges;
mod queue;
mod rare;
mod recycling;
mod settings;
mod spread;
mod strategies;
