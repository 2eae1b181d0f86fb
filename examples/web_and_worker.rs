//! An HTTP server and a job worker in one process and one thread.
//!
//! `cargo run --release --example web_and_worker -- --help` names the flags; it says what to try when it
//! serves. The two services are in `examples/src`.

use clap::Parser as _;
use examples::{Options, announce, app};
use std::io::{stderr, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    host_sys::main(app(&options).on_notice(announce::to(stdout(), stderr(), std::process::id())))
}
