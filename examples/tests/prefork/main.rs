//! The prefork servers as their user meets them: processes of their own, by curl and kill.
//!
//! The names that begin with `pf_c` quote the conformance cases of preforker.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what was measured is shown by --show-output")]

#[path = "../kit/mod.rs"]
mod kit;

mod baseline;
mod death;
mod host_death;
mod liveness;
mod load;
mod managed;
mod memory;
mod pid_file;
mod record;
mod recycling;
mod server;
mod signals;
mod spares;
mod spread;
mod start;
