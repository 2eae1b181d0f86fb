//! Are simulated processes true? One body a fact, over the system itself, run on both kernels.
//!
//! The ids are those of the observed kernel facts that the simulator must honour. Each body is two trials: one
//! on simulated machines with several seeds, one on the real kernel. What is true on both is the fact; where
//! a kernel may answer in several ways, the body demands one of them.
//!
//! Not run by the standard test runner, whose tests are threads: a process that forks is a child process of
//! its own, and this program itself is that child when its environment says so.

#![allow(clippy::unwrap_used, reason = "a test: an error is a failure, and a panic is how to say so")]

/// A case for each function.
macro_rules! cases {
    ($($name:ident,)*) => { &[$(crate::arms::Case { name: stringify!($name), body: $name }),*] };
}

mod arms;
mod basics;
mod channels;
mod children;
mod confinement;
mod connecting;
mod errors;
mod facts;
mod files;
mod listeners;
mod logs;
mod mutants;
mod orphans;
mod pipes;
mod poller;
mod programs;
mod signals;
mod slots;
mod streams;
mod workers;
mod world;

use arms::{CHILD, Case};
use libtest_mimic::{Arguments, Trial};
use rustix::process::{getpid, set_child_subreaper};
use std::time::Duration;

/// All cases, and whether their process adopts the orphans among its descendants.
pub(crate) const CASES: &[(&[Case], bool)] = &[
    (basics::CASES, false),
    (confinement::CASES, false),
    (connecting::CASES, false),
    (poller::CASES, false),
    (streams::CASES, false),
    (channels::CASES, false),
    (children::CASES, false),
    (children::CASES_OF_ADOPTERS, true),
    (errors::CASES, false),
    (files::CASES, false),
    (listeners::CASES, false),
    (logs::CASES, false),
    (orphans::CASES, false),
    (orphans::CASES_OF_ADOPTERS, true),
    (pipes::CASES, false),
    (signals::CASES, false),
    (slots::CASES, false),
    (workers::CASES, false),
    (programs::CASES, false),
];

/// How long all programs together may take, or all mutants; a bound, not a wait. Two busy processors need 14 and
/// 30 s in a debug build.
const LIMIT_OF_PROGRAMS: Duration = Duration::from_secs(600);
/// The same for as many programs as somebody wants: a million, at 5 ms each.
const LIMIT_ON_REQUEST: Duration = Duration::from_secs(7200);

fn limit_of_programs() -> Duration {
    if std::env::var_os(programs::COUNT).is_some() { LIMIT_ON_REQUEST } else { LIMIT_OF_PROGRAMS }
}

/// What was found out.
#[expect(clippy::print_stdout, reason = "it is what was asked for")]
fn tell(said: String) {
    println!("{said}");
}

fn main() {
    let cases = || CASES.iter().flat_map(|(cases, adopts)| cases.iter().map(move |case| (case, *adopts)));
    if let Ok(child) = std::env::var(CHILD) {
        let all = cases().chain([
            (&programs::CASE, false),
            (&programs::CASE_OF_A_WRONG_MODEL, false),
            (&mutants::CASE, false),
        ]);
        let found = all.into_iter().find(|(case, _)| case.name == child);
        let (case, adopts) = found.unwrap_or_else(|| panic!("{CHILD} is `{child}`, but must name a case"));
        arms::run_as_child(case, adopts);
    }
    // What a case leaves behind comes here, where it is found and reaped.
    set_child_subreaper(Some(getpid())).expect("Linux 3.4");
    let trials = cases().flat_map(|(case, adopts)| {
        [
            Trial::test(format!("{}::simulated", case.name), move || arms::simulated(case, adopts)),
            Trial::test(format!("{}::real", case.name), || arms::real(case, arms::LIMIT).map(drop)),
        ]
    });
    let others = [
        Trial::test("programs", || arms::real(&programs::CASE, limit_of_programs()).map(tell)),
        Trial::test("disagreements", || {
            arms::real(&programs::CASE_OF_A_WRONG_MODEL, LIMIT_OF_PROGRAMS).map(drop)
        }),
        Trial::test("mutants", || arms::real(&mutants::CASE, LIMIT_OF_PROGRAMS).map(tell)),
        Trial::test("facts", move || facts::each_has_a_case(&mut cases().map(|(case, _)| case.name))),
    ];
    let trials = trials.chain(others);
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
