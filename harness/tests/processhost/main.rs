//! The conformance cases of ProcessHost, PH-C1 to PH-C20: one body a case, run in the simulator and on
//! the real kernel. What only one world can show says so.

mod contract;
mod errors;
mod http;
mod services;
#[path = "../support/worlds.rs"]
mod worlds;
