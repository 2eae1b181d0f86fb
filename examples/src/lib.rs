//! Small programs to copy, and the pieces that they are made of.
//!
//! What it is: an HTTP/1.1 server and a job worker in one process and one thread. The worker takes jobs
//! over TCP, one a line, answers them, and reports each result to the web server over HTTP.
//! [`app`] describes the two; `examples/web_and_worker.rs` runs that description on the real kernel, and a
//! test may run the very same one on a simulated kernel.
//!
//! What it is not: a web framework. It serves three paths, and shows how a service is written that never
//! lets a slow client delay the others: `try_read` and `try_write` only, and bounds on all that it keeps.
//!
//! Where to look:
//! - [`options`]: the flags, and what they become: [`app`]
//! - [`web`], a service: [`http`] reads a request, [`routes`] answers it, [`response`] writes the answer
//! - [`worker`], a service: [`lines`] and [`jobs`] read a job, [`client`] holds who asked for it,
//!   [`reporter`] tells the web server, [`reply`] reads what that says
//! - [`wire`] and [`idle`], which both services use: a connection with short writes; who has gone silent
//! - [`announce`]: what a person who starts it is told
//!
//! ```no_run
//! # fn main() -> std::process::ExitCode {
//! let options = examples::Options { listen: "127.0.0.1:0".into(), ..Default::default() };
//! host_sys::main(examples::app(&options))
//! # }
//! ```

#![forbid(unsafe_code)]

pub mod announce;
pub mod client;
pub mod http;
pub mod idle;
pub mod jobs;
pub mod lines;
pub mod options;
pub mod reply;
pub mod reporter;
pub mod response;
pub mod routes;
pub mod web;
pub mod wire;
pub mod worker;

pub use options::{Options, app};
