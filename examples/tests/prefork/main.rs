//! The prefork servers as their user meets them: processes of their own, by curl and kill.
//!
//! The names that begin with `pf_c` quote the conformance cases of preforker.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what was measured is shown by --show-output")]

#[path = "../kit/mod.rs"]
mod kit;

mod activated;
mod another_user;
mod baseline;
mod daemon;
mod death;
mod deploy;
mod host_death;
mod liveness;
mod load;
mod logs;
mod managed;
mod memory;
mod output;
mod pid_file;
mod privileges;
mod process_one;
mod record;
mod recycling;
mod scratch;
mod server;
mod signals;
mod soak;
mod spares;
mod spread;
mod start;
mod tool;
mod unix;
