//! What went wrong in supervisors before this one, each as a scene: a supervisor that has the mistake fails it, in the
//! words that fit the mistake, the same one without it does not, and neither does ours.
//!
//! Where a story was told in public, its name and number stand at the scene; PF, HB and TP are cases of the systems
//! that this one comes from.

#![allow(clippy::unwrap_used, reason = "a test: an error is a failure, and a panic is how to say so")]

mod births;
mod deaths;
mod ends;
mod hangs;
mod naive;

use harness::Sim;
use host_core::sys::Signal;
use host_core::{App, Fleet, Result, Worker};
use host_sim::{Choices, Pool, WorkerState, WorkerView, violation_of};
use naive::{Flaw, Naive};
use std::io::{Read as _, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// How many machines each scene is played on.
const SEEDS: u64 = 16;
/// More events than a scene has; for those in which somebody spins.
const EVENTS_MAX: u64 = 20_000_000;

/// Who is on the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supervisor {
    Naive(Flaw),
    Ours,
}

/// A machine, and the supervisor that is tried on it.
struct Stage {
    sim: Sim,
    supervisor: Supervisor,
}

impl Stage {
    /// Starts the supervisor, with three workers.
    fn begin(&mut self) {
        match self.supervisor {
            Supervisor::Naive(flaw) => self.sim.supervisor(move |sys| Naive::run(sys, flaw)),
            Supervisor::Ours => self.sim.host(ours),
        }
    }

    fn run(&mut self, duration: Duration) {
        self.sim.run_for(duration);
    }

    fn signal(&mut self, signal: Signal) {
        self.sim.signal(signal);
    }

    fn workers(&self) -> Vec<WorkerView> {
        self.sim.workers()
    }

    /// Which workers there are: by slot, which of it, and with which number.
    fn who(&self) -> Vec<(u32, u32, u32)> {
        let name = |worker: &WorkerView| (worker.slot, worker.incarnation, worker.pid.0);
        let mut who: Vec<_> = self.workers().iter().map(name).collect();
        who.sort_unstable();
        who
    }

    /// Sends the worker in `slot` a signal.
    fn signal_worker(&mut self, slot: u32, signal: Signal) {
        let worker = self.workers().into_iter().find(|worker| worker.slot == slot).expect("it lives");
        assert!(self.sim.signal_worker(worker.pid, signal));
    }

    /// Demands that so many workers can serve.
    #[track_caller]
    fn serve(&self, count: usize) {
        let workers = self.workers();
        let well = workers.iter().filter(|worker| {
            let runs = matches!(worker.state, WorkerState::Running | WorkerState::Blocked);
            runs && worker.hung_since.is_none() && !worker.orphaned
        });
        let (well, all) = (well.count(), workers.len());
        assert!((well, all) == (count, count), "{well} of {all} serve, and {count} are to: {workers:?}");
    }

    /// Demands that they are the same workers as before.
    #[track_caller]
    fn are_still(&self, before: &[(u32, u32, u32)]) {
        let now = self.who();
        assert!(now == before, "somebody was replaced: {before:?} became {now:?}");
    }

    /// Demands that so many workers were born, from the beginning on.
    #[track_caller]
    fn were_born(&self, count: usize) {
        let born = self.sim.births();
        let which = if born < count { "fewer" } else { "more" };
        assert!(born == count, "{born} were born, {which} than {count}");
    }

    /// Demands that the supervisor lives.
    #[track_caller]
    fn lives(&self) {
        let status = self.sim.host_status();
        assert!(status.is_none(), "it has ended: {status:?}");
    }

    /// Demands that the supervisor comes to its end in order within `bound`.
    #[track_caller]
    fn ends_within(&mut self, bound: Duration) {
        let ended = self.sim.run_until(bound, |sim| sim.host_status().is_some());
        assert!(ended, "it has not ended after {bound:?}: {:?}", self.sim.pending());
    }
}

/// Three workers that send back what comes, with the times that the naive one has.
fn ours() -> App {
    let fleet = Fleet::new("echo")
        .workers(3)
        .boot_timeout(2000 * MS)
        .heartbeat_timeout(1000 * MS)
        .drain_timeout(3000 * MS)
        .term_timeout(500 * MS)
        .degraded_retry(5000 * MS)
        .run(serve);
    App::new("echo").listen("echo", "127.0.0.1:7000").reap_strangers().fleet(fleet)
}

fn serve(worker: &mut Worker) -> Result {
    while let Some(mut client) = worker.accept("echo")? {
        let mut buffer = [0; 256];
        while let Ok(count) = client.read(&mut buffer) {
            if count == 0 || client.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
    }
    Ok(())
}

/// What goes wrong for one supervisor, on any of the machines.
fn play(scene: fn(&mut Stage), supervisor: Supervisor) -> Option<String> {
    let pool = Pool::default();
    (0..SEEDS).find_map(|seed| {
        let mut stage = Stage { sim: Sim::new(Choices::seeded(seed), &pool), supervisor };
        stage.sim.give_up_after(EVENTS_MAX);
        let played = catch_unwind(AssertUnwindSafe(|| scene(&mut stage)));
        played.err().map(|payload| format!("seed {seed}: {}", violation_of(&*payload)))
    })
}

/// Plays a scene with the mistake, without it, and with ours. Whoever has the mistake must fail with all of `words`: a
/// scene in which it fails for another reason shows nothing.
#[track_caller]
fn exhibit(flaw: Flaw, words: &[&str], scene: fn(&mut Stage)) {
    for supervisor in [Supervisor::Ours, Supervisor::Naive(Flaw::None)] {
        if let Some(wrong) = play(scene, supervisor) {
            panic!("{supervisor:?} is to come through it, and does not: {wrong}");
        }
    }
    let Some(wrong) = play(scene, Supervisor::Naive(flaw)) else { panic!("{flaw:?} goes unnoticed") };
    for part in words {
        assert!(wrong.contains(part), "{flaw:?} is to fail by `{part}`, and fails otherwise: {wrong}");
    }
}

/// With what words an exhibit is refused.
fn refused(flaw: Flaw, words: &'static [&str], scene: fn(&mut Stage)) -> String {
    let exhibited = catch_unwind(AssertUnwindSafe(|| exhibit(flaw, words, scene)));
    violation_of(&*exhibited.expect_err("it is exhibited")).detail
}

#[test]
fn an_exhibit_is_refused_that_shows_nothing_or_something_else() {
    let born = |stage: &mut Stage| stage.begin();
    let refusal = refused(Flaw::WatchesDeathsOnly, &["S14"], born);
    assert_eq!(refusal, "WatchesDeathsOnly goes unnoticed");

    let spins = |stage: &mut Stage| {
        stage.begin();
        stage.run(SECOND);
    };
    let refusal = refused(Flaw::LooksWithoutWaiting, &["S34", "serve, and"], spins);
    let wanted = "LooksWithoutWaiting is to fail by `serve, and`, and fails otherwise: seed 0: S34: ";
    assert!(refusal.starts_with(wanted), "{refusal}");

    let never_right = |stage: &mut Stage| {
        stage.begin();
        stage.serve(4);
    };
    let refusal = refused(Flaw::WatchesDeathsOnly, &["serve, and 4"], never_right);
    assert!(refusal.starts_with("Ours is to come through it, and does not: seed 0: "), "{refusal}");
}
