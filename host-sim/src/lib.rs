//! A simulated kernel for the same application that runs on the real one.
//!
//! What it is: processes as coroutines, so that blocking code runs as it is written; they fork, stop,
//! die, become zombies and are reaped; a monotonic and a wall clock that jump to the next event; TCP,
//! channels, signals, a poller a process; faults that are planned; rules that are checked after every
//! event. One seed decides everything, and the same seed gives the same run.
//!
//! What it is not: a network simulator. Packets are not lost and repeated; what users see of that –
//! delay, silence, reset, refusal – is.
//!
//! Not simulated, and the twin run tells where a service depends on it: files, environment, other
//! clocks, threads, memory shared by several hosts. A real child has a copy of its parent's memory; a
//! simulated one shares it.
//!
//! Most users want `harness::check!`, which runs many seeds and reports. By hand:
//!
//! ```
//! use host_core::{App, Connected, Context, Ready, Result, Service};
//! use host_sim::{Choices, Pool, Sim};
//! use std::time::Duration;
//!
//! struct Idle;
//! impl Service for Idle {
//!     fn connect(&mut self, _: &mut Context<'_>) -> Result<Connected> { Ok(Connected::NotYet) }
//!     fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result { Ok(()) }
//! }
//!
//! let run = |seed| {
//!     let mut sim = Sim::new(Choices::seeded(seed), &Pool::default());
//!     sim.host(|| App::new("idle").service(Idle));
//!     sim.run_for(Duration::from_secs(3600));
//!     sim.hash()
//! };
//! assert_eq!(run(7), run(7));
//! ```

#![deny(unsafe_code)]

mod check;
mod choice;
mod client;
mod coroutine;
mod fault;
mod kernel;
pub mod marks;
mod sim;
pub mod story;
mod sys;
mod trace;

pub use check::Violation;
pub use choice::{Choice, Choices, Exhaustive, Script, ScriptError, Stream};
pub use client::{Client, ClientError, Clients};
pub use fault::{Class, Fault, Faults};
pub use host_core::sys::ExitStatus;
#[doc(hidden)]
pub use kernel::rules::Rule;
pub use sim::{Pool, Running, Scripted, Sim, WorkerState, WorkerView, violation_of};
pub use story::Story;
