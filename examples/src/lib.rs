//! Small programs to copy, and the pieces that they are made of.
//!
//! What it is: the insides of four programs.
//! - `web_and_worker.rs`: an HTTP/1.1 server and a job worker in one process and one thread. The worker takes
//!   jobs over TCP, one a line, answers them, and reports each result to the web server over HTTP.
//! - `prefork_http.rs`: the same kind of web server in workers that are forked in advance, watched, killed
//!   when they hang, and replaced.
//! - `prefork_echo.rs`: workers whose body is a blocking accept loop of a dozen lines.
//! - `fleets.rs`: three fleets of such workers in one host, with strategies, budgets and policies to try.
//!
//! Each program runs a description of an application on the real kernel, and a test may run the very same
//! one on a simulated kernel.
//!
//! What it is not: a web framework. It serves a handful of paths, and shows how a service is written that never
//! lets a slow client delay the others: `try_read` and `try_write` only, and bounds on all that it keeps.
//!
//! Where to look:
//! - a web server, which two programs use: [`web`] is the service, [`connection`] one client of it, [`http`]
//!   reads a request, [`response`] writes the answer
//! - [`wire`] and [`idle`], for any service: a connection with short writes; who has gone silent
//! - `web_and_worker`: [`options`], the flags, and what they become: [`app`]; [`announce`], what a person who
//!   starts it is told; [`routes`], the pages; [`worker`], the other service: [`lines`] and [`jobs`] read a
//!   job, [`client`] holds who asked for it, [`reporter`] tells the web server, [`reply`] reads what that says
//! - [`prefork`]: the next two, with flags and words of their own; [`fleets`]: the last, which uses some of theirs
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
pub mod connection;
pub mod fleets;
pub mod http;
pub mod idle;
pub mod jobs;
pub mod lines;
pub mod options;
pub mod prefork;
pub mod reply;
pub mod reporter;
pub mod response;
pub mod routes;
pub mod web;
pub mod wire;
pub mod worker;

pub use options::{Options, app};
