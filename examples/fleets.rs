//! Three fleets in one host – a pool that the others need, a front, a sender of mail – whose workers answer lines and
//! misbehave when they are told to: for trying strategies, budgets and policies.
//!
//! `cargo run --release --example fleets -- --strategy rest-for-one`; it says what to try. What it describes is in
//! `examples/src/fleets.rs`.

use clap::Parser as _;
use examples::fleets::{self, Options};
use examples::prefork::announce;
use std::io::{stderr, stdout};
use std::process::{self, ExitCode};

fn main() -> ExitCode {
    let app = fleets::app(&Options::parse());
    host_sys::main(app.on_notice(announce::to(fleets::hints, stdout(), stderr(), process::id())))
}
