//! Whole fleets in the simulator: host, workers, user code and clients, under every fault.

mod activated;
mod apps;
mod crash_loops;
mod ends;
mod faults;
mod liveness;
mod logs;
mod memory;
mod nested;
mod output;
mod policies;
mod privileges;
mod queue;
mod rare;
mod recycling;
mod settings;
mod spares;
mod spread;
mod strategies;
