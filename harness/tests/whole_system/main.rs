//! Whole hosts in the simulator: the driver, the decisions and user code, under every fault.

mod clocks;
mod echo;
mod ends;
mod faults;
mod idle;
mod managed;
mod pid_files;
mod reconnect;
