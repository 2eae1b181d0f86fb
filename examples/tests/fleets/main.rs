//! Several fleets in one host as their user meets them: strategies, budgets and policies, by lines and kill.
//!
//! The names that begin with `pf_c` quote the conformance cases of preforker.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::print_stdout, reason = "what was measured is shown by --show-output")]

#[path = "../kit/mod.rs"]
mod kit;

mod exhausted;
mod exits;
mod late;
mod strategies;
mod three;
