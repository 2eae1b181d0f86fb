//! A prefork TCP server that echoes lines: any protocol whose server is a blocking accept loop.
//!
//! `cargo run --release --example prefork_echo -- --workers 4`; it says what to try. The loop is in
//! `examples/src/prefork/echo.rs`.

use clap::Parser as _;
use examples::prefork::announce::echo_hints;
use examples::prefork::{Options, echo};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    host_sys::main(options.announced(echo::app(&options), echo_hints))
}
