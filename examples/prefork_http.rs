//! A prefork web server: each worker runs an event host of its own, which serves many connections at once.
//!
//! `cargo run --release --example prefork_http -- --workers 2`; it says what to try. The pieces are in
//! `examples/src/prefork` and `examples/src/web.rs`.

use clap::Parser as _;
use examples::prefork::announce::http_hints;
use examples::prefork::{Options, http};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::parse();
    host_sys::main(options.announced(http::app(&options), http_hints))
}
