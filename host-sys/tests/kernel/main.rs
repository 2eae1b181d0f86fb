//! The contract of [`host_core::sys::Sys`], asked of the real kernel.
//!
//! No test sleeps: each waits for something with a name, and at most [`PATIENCE`].

#![allow(clippy::print_stdout, reason = "a test that cannot be done says why")]
#![allow(clippy::unwrap_used, reason = "a test: an error is a failure, and a panic is how to say so")]

mod doors;
mod family;
mod poller;
mod privileges;
mod probe;
mod process;
mod socket;
mod user_code;

use host_core::sys::{Handle, Interest, Readiness, Sys};
use host_core::time::{Duration, Instant};
use host_sys::Linux;
use std::net::SocketAddr;

/// How long anything may take before it counts as never: far more than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(30);

const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
const WRITABLE: Readiness = Readiness { readable: false, writable: true, ended: false };

fn linux() -> Linux {
    Linux::new().expect("a poller")
}

fn in_a_while(sys: &Linux) -> Option<Instant> {
    Some(sys.now() + PATIENCE)
}

/// Any port of this machine.
fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().expect("an address")
}

fn listener(sys: &Linux) -> (Handle, SocketAddr) {
    let listener = sys.listen(loopback(), 16).expect("a listener");
    (listener, sys.local_address(listener).expect("its address"))
}

/// Both ends of a connection that stands.
fn connection(sys: &Linux) -> (Handle, Handle) {
    let (listener, address) = listener(sys);
    let ends = connection_to(sys, listener, address);
    sys.close(listener);
    ends
}

fn connection_to(sys: &Linux, listener: Handle, address: SocketAddr) -> (Handle, Handle) {
    let client = sys.connect(address).expect("a connection that begins");
    sys.wait(listener, Interest::READ, in_a_while(sys)).expect("a connection in the queue");
    let (server, peer) = sys.accept(listener).expect("a connection");
    assert_eq!(peer, sys.local_address(client).expect("its address"));
    (client, server)
}

/// Waits until what was sent has arrived, which loopback need not do at once.
fn until_readable(sys: &Linux, socket: Handle) {
    sys.wait(socket, Interest::READ, in_a_while(sys)).expect("something to read");
}
