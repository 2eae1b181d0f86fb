//! One body, three worlds: a scenario that is written once, and runs with stand-ins for the workers, with the
//! simulated service, and with real processes.
//!
//! ```
//! use harness::World;
//! use host_core::sys::Signal;
//! use host_core::{App, Fleet, Result, Worker};
//! use std::time::Duration;
//!
//! fn app() -> App {
//!     App::new("echo").listen("echo", "127.0.0.1:7000").fleet(Fleet::new("echo").workers(2).run(echo))
//! }
//! # fn echo(worker: &mut Worker) -> Result {
//! #     while let Some(mut client) = worker.accept("echo")? {
//! #         let mut buffer = [0; 64];
//! #         while let Ok(count @ 1..) = std::io::Read::read(&mut client, &mut buffer) {
//! #             let _gone = std::io::Write::write_all(&mut client, &buffer[..count]);
//! #         }
//! #     }
//! #     Ok(())
//! # }
//!
//! harness::worlds! {
//!     fn a_worker_that_is_killed_is_replaced(world) {
//!         let before = world.expect_workers(2, Duration::from_secs(5));
//!         world.ask("echo", b"hello", b"hello", Duration::from_secs(5));
//!         world.signal_worker(before[0], Signal::Kill);
//!         world.expect_replaced(&before, before[0], Duration::from_secs(5));
//!         world.signal(Signal::Quit);
//!         assert_eq!(world.expect_end(Duration::from_secs(35)), Some(0));
//!         assert_ne!(world.kind(), harness::world::WorldKind::Real);
//!     }
//!     scripted: app,
//!     simulated: app,
//!     // real: Process::bin(env!("CARGO_BIN_EXE_echo")),
//! }
//! # fn main() {
//! #     a_worker_that_is_killed_is_replaced::scripted();
//! #     a_worker_that_is_killed_is_replaced::simulated();
//! # }
//! ```

mod real;
mod simulated;

pub use simulated::{run_scripted, run_simulated};

use crate::process::Process;
use host_core::sys::{ExitStatus, Signal};
use host_sim::Sim;
use std::fmt;
use std::time::Duration;

/// What a body acts in. It sees of a host what can be seen from outside, in each world alike: its workers, its end,
/// and what it answers.
///
/// Whatever is expected is named by the method, and waited for up to a bound, which holds for all that the method does:
/// of virtual time in a simulation, and of real time, which scales ([`TIME_SCALE`](crate::process::TIME_SCALE)), for
/// processes.
#[derive(Debug)]
pub struct World<'a>(Kind<'a>);

/// The worlds that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorldKind {
    /// A simulated machine, with stand-ins for the workers: they start, idle, and quit when they are asked to.
    Scripted,
    /// A simulated machine, with the application as it is.
    Simulated,
    /// Processes.
    Real,
}

/// One worker, and nobody else: its number may come back, and then names its successor.
///
/// A number together with the moment of a birth is nobody else's, as far as can be seen from outside: the system counts
/// moments in ticks of 10 ms. On a simulated machine it is the number together with slot and incarnation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Who {
    pid: u32,
    birth: Birth,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Birth {
    Seat { slot: u32, incarnation: u32 },
    Tick(u64),
}

impl Who {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.birth {
            Birth::Seat { slot, incarnation } => {
                write!(f, "{} (slot {slot}, incarnation {incarnation})", self.pid)
            }
            Birth::Tick(tick) => write!(f, "{} (born at tick {tick})", self.pid),
        }
    }
}

enum Kind<'a> {
    Simulated { sim: &'a mut Sim, is_scripted: bool },
    Real(&'a Process),
}

impl fmt::Debug for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Simulated { is_scripted: true, .. } => "Scripted",
            Self::Simulated { .. } => "Simulated",
            Self::Real(_) => "Real",
        })
    }
}

impl<'a> World<'a> {
    /// A simulated machine on which [`Sim::host`] has started the application.
    pub fn simulated(sim: &'a mut Sim) -> Self {
        Self(Kind::Simulated { sim, is_scripted: false })
    }

    /// The same, if nobody on it answers clients.
    pub fn scripted(sim: &'a mut Sim) -> Self {
        Self(Kind::Simulated { sim, is_scripted: true })
    }

    /// A host that runs.
    pub fn real(process: &'a Process) -> Self {
        Self(Kind::Real(process))
    }

    /// Which world it is: for what only one of them can tell.
    pub fn kind(&self) -> WorldKind {
        match self.0 {
            Kind::Simulated { is_scripted: true, .. } => WorldKind::Scripted,
            Kind::Simulated { .. } => WorldKind::Simulated,
            Kind::Real(_) => WorldKind::Real,
        }
    }

    /// Lets time pass, in which whatever may happen does. Where nobody is left with whom anything could happen, processes
    /// are not waited for.
    #[track_caller]
    pub fn pass(&mut self, duration: Duration) {
        match &mut self.0 {
            Kind::Simulated { sim, .. } => sim.run_for(duration),
            Kind::Real(process) => real::pass(process, duration),
        }
    }

    /// The workers that live and whose host does, in the order of their births. Of processes they are the children; of two
    /// that were born within the same 10 ms the one with the lower number is the first.
    pub fn workers(&self) -> Vec<Who> {
        match &self.0 {
            Kind::Simulated { sim, .. } => simulated::workers(sim),
            Kind::Real(process) => real::workers(process),
        }
    }

    /// Waits until so many [`workers`](Self::workers) live, neither more nor less; who they are.
    ///
    /// # Panics
    /// With what is instead, after `bound`.
    #[track_caller]
    pub fn expect_workers(&mut self, count: usize, bound: Duration) -> Vec<Who> {
        match &mut self.0 {
            Kind::Simulated { sim, .. } => simulated::expect_workers(sim, count, bound),
            Kind::Real(process) => real::expect_workers(process, count, bound),
        }
    }

    /// Waits until somebody else lives in the place of `worker`, who was one of `before`, and they are as many; who they
    /// all are.
    ///
    /// # Panics
    /// With what is instead, after `bound`; if `worker` was none of `before`.
    #[track_caller]
    pub fn expect_replaced(&mut self, before: &[Who], worker: Who, bound: Duration) -> Vec<Who> {
        assert!(
            before.contains(&worker),
            "{worker:?} was not there before, and cannot be replaced: there were {before:?}"
        );
        match &mut self.0 {
            Kind::Simulated { sim, .. } => simulated::expect_replaced(sim, before, worker, bound),
            Kind::Real(process) => real::expect_replaced(process, before, worker, bound),
        }
    }

    /// Sends the host a signal.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        match &mut self.0 {
            Kind::Simulated { sim, .. } => sim.signal(signal),
            Kind::Real(process) => process.signal(real::raw(signal)),
        }
    }

    /// Sends a worker a signal. STOP makes it as silent as one that hangs, in each world.
    ///
    /// # Panics
    /// If it is none of the [`workers`](Self::workers) any more: with whether it is dead and was not reaped, and
    /// with who lives. A process that dies in this very moment may be taken for one that lives: the signal has
    /// no effect then, or a report says that it is gone.
    #[track_caller]
    pub fn signal_worker(&mut self, worker: Who, signal: Signal) {
        match &mut self.0 {
            Kind::Simulated { sim, .. } => simulated::signal_worker(sim, worker, signal),
            Kind::Real(process) => real::signal_worker(process, worker, signal),
        }
    }

    /// Waits until the listener of this name is bound, connects to it, says `request`, and waits for precisely `answer`.
    /// Stand-ins have no service, and are not asked.
    ///
    /// A real host is asked at the address that it tells of when the listener is bound, as hosts do on standard error.
    ///
    /// # Panics
    /// With what came instead, after `bound`, or as soon as it can be no answer any more.
    #[track_caller]
    pub fn ask(&mut self, listener: &str, request: &[u8], answer: &[u8], bound: Duration) {
        let heard = match &mut self.0 {
            Kind::Simulated { is_scripted: true, .. } => return,
            Kind::Simulated { sim, .. } => simulated::ask(sim, listener, request, answer, bound),
            Kind::Real(process) => real::ask(process, listener, request, answer, bound),
        };
        let Heard { bytes, end } = heard;
        let (bytes_shown, answer_shown) = (bytes.escape_ascii(), answer.escape_ascii());
        assert!(
            bytes == answer,
            "`{listener}` is to answer \"{answer_shown}\", and has answered \"{bytes_shown}\": {end}"
        );
    }

    /// Waits for the end of the host, of which nobody is left then; its exit status, `None` if a signal ended it.
    ///
    /// # Panics
    /// With what is instead, after `bound`.
    #[track_caller]
    pub fn expect_end(&mut self, bound: Duration) -> Option<u8> {
        match &mut self.0 {
            Kind::Simulated { sim, .. } => match simulated::expect_end(sim, bound) {
                ExitStatus::Code(code) => Some(code),
                ExitStatus::Signal { .. } | ExitStatus::Unknown => None,
            },
            Kind::Real(process) => real::expect_end(process, bound),
        }
    }
}

/// What came of a question.
#[derive(Debug)]
struct Heard {
    bytes: Vec<u8>,
    /// Why it is not more.
    end: String,
}

/// Whether more may come of which `answer` is made.
fn may_go_on(heard: &[u8], answer: &[u8]) -> bool {
    heard.len() < answer.len() && answer.starts_with(heard)
}

/// Fails for a worker that cannot be sent a signal.
#[track_caller]
fn cannot_signal(worker: Who, signal: Signal, is_dead: bool, living: &[Who]) -> ! {
    let found = if is_dead { "is dead and was not reaped" } else { "is no worker any more" };
    panic!("wanted is a living worker, to be sent {signal}, and {worker:?} {found}: there are {living:?}")
}

/// Makes a test of a body for each world that is named: `scripted` and `simulated` take a function that gives the
/// application, and run many seeds as [`check!`](crate::check!) does; `real` takes a [`Spawn`](crate::process::Spawn).
/// Any other is no world:
///
/// ```compile_fail
/// # use host_core::{App, Fleet};
/// # fn app() -> App { App::new("app").fleet(Fleet::new("fleet").workers(1).run(|_| Ok(()))) }
/// harness::worlds! {
///     fn nobody_dies(world) {
///         world.pass(std::time::Duration::from_secs(1));
///     }
///     imagined: app,
/// }
/// # fn main() {}
/// ```
///
/// The tests are in a module of the body's name, and called as the worlds are. See [`world`](crate::world).
#[macro_export]
macro_rules! worlds {
    (@scripted $name:ident $app:expr) => {
        #[cfg_attr(test, test)]
        pub(super) fn scripted() {
            let site = $crate::check::Site {
                // As it would stand beside this macro; `stringify!` of what runs has names that are known here only.
                scenario: concat!(
                    "|sim| harness::world::run_scripted(sim, ",
                    stringify!($app),
                    ", ",
                    stringify!($name),
                    "::body)"
                ),
                generated: Some(concat!(stringify!($name), "_scripted")),
                ..$crate::site!()
            };
            $crate::check::run(site, |sim| $crate::world::run_scripted(sim, $app, body));
        }
    };
    (@simulated $name:ident $app:expr) => {
        #[cfg_attr(test, test)]
        pub(super) fn simulated() {
            let site = $crate::check::Site {
                // As it would stand beside this macro; `stringify!` of what runs has names that are known here only.
                scenario: concat!(
                    "|sim| harness::world::run_simulated(sim, ",
                    stringify!($app),
                    ", ",
                    stringify!($name),
                    "::body)"
                ),
                generated: Some(concat!(stringify!($name), "_simulated")),
                ..$crate::site!()
            };
            $crate::check::run(site, |sim| $crate::world::run_simulated(sim, $app, body));
        }
    };
    (@real $name:ident $spawn:expr) => {
        #[cfg_attr(test, test)]
        pub(super) fn real() {
            let process = $crate::process::Spawn::spawn($spawn);
            body(&mut $crate::World::real(&process));
        }
    };
    (@$other:ident $name:ident $value:expr) => {
        compile_error!(concat!(
            "there is no world `",
            stringify!($other),
            "`: wanted is one of scripted, simulated and real"
        ));
    };
    (
        $(#[$meta:meta])*
        fn $name:ident($world:ident) $body:block
        $($kind:ident: $value:expr),+ $(,)?
    ) => {
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "of a body that needs nothing")]
            use super::*;

            // A test that was generated of a failure calls it from beside this module.
            pub(super) fn body($world: &mut $crate::World<'_>) $body

            $($crate::worlds!(@$kind $name $value);)+
        }
    };
}
