//! The real Linux kernel behind [`host_core::sys::Sys`], and the doors through which a program runs on it.
//!
//! What it is: one system call a method, thinly dressed. [`Linux`] keeps handles that never name a
//! younger socket, a level-triggered epoll, the signals as a descriptor, the USR1 kick that ends a
//! host that hangs, and children: forked, watched by a pidfd, and read the heartbeat of in shared memory.
//!
//! What it is not: a place where anything is decided. Who is called next, what is tried again, when to stop
//! and which child is replaced is up to [`host_core`]; nothing here loops over services or workers. It needs
//! Linux 5.11 (epoll_pwait2).
//!
//! A child is a copy of its parent, and the one call that is not thin is the one that makes it,
//! [`Processes::fork`](host_core::sys::Processes::fork). The parent has one thread, since a lock that another
//! held would stay locked in the child for ever. The child never returns from that call and drops nothing
//! that it was born with; it closes what its parent's system had open and was not to be kept, without a
//! word to the poller, whose set both hold; and it gets a system of its own, in which the handles that were
//! kept have their old names. What else it was born with (files that user code opened, the state of a random
//! number generator) is left as it is. Privileges are given up in a call of their own, before the body
//! ([`Processes::confine`](host_core::sys::Processes::confine)).
//!
//! A program in full:
//!
//! ```no_run
//! # fn app() -> host_core::App { host_core::App::new("x") }
//! fn main() -> std::process::ExitCode {
//!     host_sys::main(app())
//! }
//! ```

mod accounts;
mod birth;
mod clock;
mod confine;
mod daemon;
mod facade;
mod hand_over;
mod handles;
mod kick;
mod linux;
mod logs;
mod manager;
mod memory;
mod output;
mod passed;
mod pid_file;
mod poller;
mod process;
mod processors;
mod raw;
mod recordings;
mod signals;
mod slots;
mod socket;
mod title;
mod unix;

pub use linux::Linux;

use host_core::app::App;
use host_core::driver::{self, Until};
use host_core::error::{RunError, exit};
use std::io::Write as _;
use std::process::ExitCode;
use std::rc::Rc;

/// Runs `app` until it is stopped, or cannot go on. One that is to be a [daemon](App::daemonize) runs in a process of its
/// own, which never comes back: for the launcher this comes back once that one serves, or has failed.
///
/// Takes INT, QUIT, TERM and USR1 of this process for as long as it runs – with fleets also HUP, USR2, CHLD, CONT, TTIN,
/// TTOU and WINCH –, and gives them back as they were.
///
/// # Errors
/// Why the host ended other than by an orderly stop.
pub fn run(app: App) -> Result<(), RunError> {
    if app.is_daemon() {
        return daemon::start(app).map(drop);
    }
    run_until(app, Until::Stopped)
}

/// Runs `app` for `turns` turns of its loop: for an application with a loop of its own. Leaves the
/// signals of this process alone.
///
/// # Errors
/// Why the host ended before that, other than by an orderly stop.
pub fn run_turns(app: App, turns: u64) -> Result<(), RunError> {
    run_until(app, Until::Turns(turns))
}

/// Runs `app` as the whole of a program: what went wrong becomes one `error: …` message on standard
/// error, and the exit status is one of [`host_core::error::exit`].
pub fn main(app: App) -> ExitCode {
    let result = if app.is_daemon() {
        daemon::start(app).map(|pid| {
            let _ = writeln!(std::io::stdout(), "started: process {pid}");
        })
    } else {
        run(app)
    };
    if let Err(error) = &result {
        // `eprintln!` panics if nobody reads standard error any more; the exit status still tells.
        let _ = writeln!(std::io::stderr(), "error: {error}");
    }
    ExitCode::from(exit::status(&result))
}

fn run_until(app: App, until: Until) -> Result<(), RunError> {
    let sys = Linux::new().map_err(|errno| RunError::System { call: "epoll_create1", errno })?;
    driver::run(app, Rc::new(sys), until)
}
