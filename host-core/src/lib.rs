//! The decisions of a process host, and the two seams around them.
//!
//! What it is: a library that hosts many blocking, input-bound services in one event loop. Every
//! decision – who is called next, when to connect again, when to stop – is a pure function of recorded
//! facts: [`host::Host`] takes events in and gives actions out. One [`driver`] turns what an operating
//! system reports into events and actions into system calls, over the trait [`sys::Sys`]. The real
//! kernel and a simulated one implement it, so the same application runs on both.
//!
//! What it is not: an async runtime, a thread pool, or a wrapper of the operating system. It opens
//! nothing itself; this crate has no `std` in scope.
//!
//! The drive loop, in ten lines:
//!
//! ```
//! use host_core::config::HostConfig;
//! use host_core::event::Event;
//! use host_core::host::Host;
//! use host_core::time::Instant;
//!
//! let mut host = Host::new(HostConfig::default());
//! host.handle_event(Instant::ZERO, Event::Started { turns_max: Some(1) });
//! while let Some(action) = host.poll_action() {
//!     println!("an order to the world: {action:?}");
//! }
//! // Nothing to do: the host sleeps until its next deadline, which is one poll period away.
//! assert_eq!(host.next_deadline().unwrap().at, Instant::from_nanos(5_000_000_000));
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod action;
pub mod app;
pub mod config;
pub mod driver;
pub mod error;
mod escaped;
pub mod event;
pub mod fleet;
pub mod host;
pub mod id;
pub mod io;
mod manager;
pub mod notice;
pub mod random;
pub mod record;
pub mod service;
pub mod status;
pub mod sys;
pub mod time;
pub mod timers;
pub mod worker;

pub use app::fleet::Fleet;
pub use app::{App, Connected, Drained, Hosted, Service};
pub use driver::Context;
pub use error::{Error, Result, RunError};
pub use io::{Listener, Ready, Stream};
pub use record::Recording;
pub use service::reconnect::Reconnect;
pub use sys::Interest;
pub use worker::Worker;
