//! What test suites use: many seeds of a simulated host, and one line to replay a failure; and, for real
//! processes of any program, [`Process`].
//!
//! ```
//! use host_core::{App, Connected, Context, Listener, Ready, Result, Service};
//! use std::time::Duration;
//!
//! struct Greeter(Option<Listener>);
//!
//! impl Service for Greeter {
//!     fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
//!         self.0 = Some(cx.listener("greet")?);
//!         Ok(Connected::Yes)
//!     }
//!
//!     fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
//!         while let Some(mut client) = self.0.as_mut().and_then(|l| l.accept().transpose()).transpose()? {
//!             let _gone = std::io::Write::write_all(&mut client, b"hello\n");
//!         }
//!         Ok(())
//!     }
//! }
//!
//! harness::check!(|sim| {
//!     sim.host(|| App::new("greeter").listen("greet", "127.0.0.1:7000").service(Greeter(None)));
//!     let clients = sim.clients("greet", 3, |c| c.expect(b"hello\n"));
//!     sim.run_for(Duration::from_secs(5));
//!     assert_eq!(clients.succeeded(), 3);
//! });
//! ```

#![forbid(unsafe_code)]

pub mod check;
pub mod marks;
pub mod process;
pub mod replay;
pub mod report;
pub mod sample;
pub mod world;

/// The README, whose examples are compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// TESTING.md, likewise.
#[cfg(doctest)]
#[doc = include_str!("../../TESTING.md")]
struct Testing;

pub use host_sim::{
    Class, Client, ClientError, Clients, ExitStatus, Faults, Scripted, Sim, Violation, sometimes,
};
pub use process::Process;
pub use replay::{Replay, replay};
pub use world::World;
