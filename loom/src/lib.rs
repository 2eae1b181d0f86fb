//! The heartbeat slot as `host-sys` has it – three words of `host_core::fleet::beat` that one process writes
//! and another reads – in every order that the memory allows.
//!
//! ```sh
//! RUSTFLAGS='--cfg loom' CARGO_TARGET_DIR=target/loom cargo test --locked --release --manifest-path loom/Cargo.toml
//! ```
//!
//! Three take part: the host claims a slot for an incarnation and reads it, that incarnation writes it, and
//! its predecessor stores what it was about to store when it was thought dead. Each promise is tried on the
//! rules as they are, and on rules with one thing changed that it depends on: there it must be found broken.

#![cfg(test)]

#[cfg(not(loom))]
compile_error!("without RUSTFLAGS='--cfg loom' nothing would be tried");

#[cfg(loom)]
mod slot;
