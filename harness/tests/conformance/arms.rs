//! The two arms: where the body of a case runs.

use crate::world::{Kernel, World};
use harness::Sim;
use host_sim::{Choices, Pool, violation_of};
use libtest_mimic::Failed;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::AsFd;
use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, Signal, WaitId, WaitIdOptions, WaitIdStatus, getpid, getrlimit,
    kill_process_group, set_child_subreaper, set_parent_process_death_signal, setrlimit, waitid,
};
use rustix::time::{ClockId, clock_gettime};
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// In its environment, a process knows which case it is to run.
pub(crate) const CHILD: &str = "HOST_TEST_CHILD";

/// How long a case may take on the real kernel with all its processes; a bound, not a wait.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Machines of each kind that a case runs on in the simulator.
const SEEDS: u64 = 6;
/// As many descriptors as a simulated process may have.
const DESCRIPTORS: u64 = 1024;

/// A fact, and the program that looks whether it is one.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) body: fn(&World),
}

/// Runs a case on simulated machines, steady ones and others.
pub(crate) fn simulated(case: &'static Case, adopts: bool) -> Result<(), Failed> {
    simulated_on(case, adopts, &Pool::default(), &|_| {})
}

/// The same on machines that `lay` has done something to.
pub(crate) fn simulated_on(
    case: &'static Case,
    adopts: bool,
    pool: &Pool,
    lay: &dyn Fn(&mut Sim),
) -> Result<(), Failed> {
    for (seed, steady) in (0..SEEDS).flat_map(|seed| [(seed, true), (seed, false)]) {
        let mut sim = Sim::new(Choices::seeded(seed), pool);
        lay(&mut sim);
        if adopts {
            sim.subreaper();
        }
        if !steady {
            sim.unsteady();
        }
        let run = || sim.run_process(move |sys| (case.body)(&World::new(sys, Kernel::Simulated)));
        catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
            let machine = if steady { "steady" } else { "unsteady" };
            let timeline = sim.timeline(40).join("\n");
            format!("{}\non a {machine} machine, seed {seed}:\n{timeline}", violation_of(&*payload))
        })?;
    }
    Ok(())
}

/// Runs a case on the real kernel, in this process, to its end.
pub(crate) fn run_as_child(case: &Case, adopts: bool) -> ! {
    // Should the one that started this one die, its group would be nobody's.
    set_parent_process_death_signal(Some(Signal::KILL)).expect("a signal");
    let no_core = Rlimit { current: Some(0), ..getrlimit(Resource::Core) };
    setrlimit(Resource::Core, no_core).expect("less is allowed");
    let maximum = getrlimit(Resource::Nofile).maximum;
    let few = maximum.map_or(DESCRIPTORS, |maximum| maximum.min(DESCRIPTORS));
    setrlimit(Resource::Nofile, Rlimit { current: Some(few), maximum }).expect("less is allowed");
    if adopts {
        set_child_subreaper(Some(getpid())).expect("Linux 3.4");
    }
    (case.body)(&World::new(Rc::new(host_sys::Linux::new().expect("a poller")), Kernel::Real));
    std::process::exit(0)
}

/// Runs a case on the real kernel, in a child process.
///
/// It has a process group of its own, and everything in that is gone when this comes back. What it has said.
pub(crate) fn real(case: &Case, limit: Duration) -> Result<String, Failed> {
    let mut leader = Command::new(std::env::current_exe()?)
        .env(CHILD, case.name)
        .env("RUST_BACKTRACE", "0")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let group = Pid::from_child(&leader);
    let mut stderr = leader.stderr.take().ok_or("standard error is piped")?;
    let mut said = Vec::new();
    // Every process of the case holds standard error, so that its end is theirs.
    let all_ended = read_to_end(&mut stderr, &mut said, limit);
    // The first one is not reaped yet, so that the number is still that of its group.
    let _ = kill_process_group(group, Signal::KILL);
    let status = waitid(WaitId::Pid(group), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    while !matches!(waitid(WaitId::Pgid(Some(group)), WaitIdOptions::EXITED), Err(Errno::CHILD)) {}
    let said = String::from_utf8_lossy(&said);
    if !all_ended {
        return Err(format!("not all processes have ended after {limit:?}; they said:\n{said}").into());
    }
    match status.as_ref().and_then(WaitIdStatus::exit_status) {
        Some(0) => Ok(said.into_owned()),
        _ => Err(format!("ended with {status:?}; it said:\n{said}").into()),
    }
}

/// Reads until nobody can write any more; whether that came within `limit`.
fn read_to_end(from: &mut (impl std::io::Read + AsFd), into: &mut Vec<u8>, limit: Duration) -> bool {
    let deadline = now() + limit;
    loop {
        let left = Timespec::try_from(deadline.saturating_sub(now())).expect("a limit is hours at most");
        match poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&left)) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => panic!("poll: {errno}"),
        }
        let mut some = [0; 4096];
        match from.read(&mut some).expect("a pipe") {
            0 => return true,
            length => into.extend_from_slice(&some[..length]),
        }
    }
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
