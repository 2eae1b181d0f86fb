//! A small supervisor over the system itself, for testing the faults that need workers: it knows nothing
//! but to reap, to kill who is silent, and to fork anew.

use super::Sim;
use crate::choice::Choices;
use crate::fault::{Class, Faults};
use crate::sim::{Pool, WorkerState};
use crate::violation_of;
use host_core::fleet::beat::Pace;
use host_core::sys::{
    Birth, Body, Child, ExitStatus, Handle, Interest, OnHostDeath, Pid, PollEvent, Signal, SlotsId, Sys,
};
use host_core::time::{Duration, Instant};
use host_core::{App, Fleet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

const WORKERS: u32 = 3;
/// How long a worker may be silent, and a new one until its first sign of life.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK_EACH: Duration = Duration::from_millis(100);
const BEAT_EACH: Duration = Duration::from_millis(50);
const SIGNALS: u64 = u64::MAX;

struct Worker {
    child: Child,
    /// Its end of a channel, as a real host has one.
    line: Handle,
    incarnation: u32,
    born: Instant,
}

struct Supervisor {
    sys: Rc<dyn Sys>,
    page: SlotsId,
    seats: Vec<Option<Worker>>,
    incarnations: u32,
}

impl Supervisor {
    fn run(sys: Rc<dyn Sys>) -> u8 {
        let page = sys.slots(WORKERS).expect("memory");
        let told = [Signal::Chld, Signal::Hup, Signal::Usr2, Signal::Ttin, Signal::Ttou, Signal::Winch];
        let signals = sys.signals(&told).expect("a descriptor");
        sys.poll_add(signals, SIGNALS, Interest::READ).expect("it is new");
        let seats = (0..WORKERS).map(|_| None).collect();
        let mut supervisor = Self { sys, page, seats, incarnations: 0 };
        let mut events = Vec::new();
        loop {
            supervisor.fill();
            let deadline = supervisor.sys.now() + LOOK_EACH;
            if supervisor.sys.poll_wait(&mut events, Some(deadline)).is_err() {
                continue;
            }
            for PollEvent { key, .. } in &events {
                if *key != SIGNALS {
                    supervisor.reap(*key as usize);
                } else if supervisor.sys.signal_read(signals) == Ok(Signal::Chld) {
                    while supervisor.sys.child_news(true).is_some() {}
                }
            }
            supervisor.judge();
        }
    }

    fn fill(&mut self) {
        for slot in 0..WORKERS {
            if self.seats[slot as usize].is_some() {
                continue;
            }
            let Ok((line, theirs)) = self.sys.channel() else { continue };
            self.incarnations += 1;
            let incarnation = self.incarnations;
            self.sys.slot_claim(self.page, slot, incarnation);
            let birth = Birth {
                title: "test: worker",
                keep: &[theirs],
                output: None,
                slot: (self.page, slot, incarnation),
                on_host_death: OnHostDeath::Exit,
                drain_timeout: Duration::ZERO,
            };
            let body: Body = Box::new(|sys| work(&*sys));
            let forked = self.sys.fork(&birth, body);
            self.sys.close(theirs);
            let Ok(child) = forked else {
                self.sys.close(line);
                continue;
            };
            self.sys.poll_add(child.handle, u64::from(slot), Interest::READ).expect("it is new");
            let born = self.sys.now();
            self.seats[slot as usize] = Some(Worker { child, line, incarnation, born });
        }
    }

    fn reap(&mut self, slot: usize) {
        let Some(worker) = &self.seats[slot] else { return };
        if let Ok(Some(_)) = self.sys.reap(worker.child.handle, false) {
            self.sys.poll_delete(worker.child.handle).expect("it was watched");
            self.sys.close(worker.child.handle);
            self.sys.close(worker.line);
            self.seats[slot] = None;
        }
    }

    fn judge(&self) {
        let now = self.sys.now();
        for (slot, worker) in self.seats.iter().enumerate() {
            let Some(worker) = worker else { continue };
            let reading = self.sys.slot_read(self.page, slot as u32, worker.incarnation);
            let last = reading.beat.map_or(worker.born, |beat| beat.at);
            if now.since(last) > PATIENCE {
                self.sys.signal_child(worker.child.handle, Signal::Kill).expect("it was not reaped");
            }
        }
    }
}

fn work(sys: &dyn Sys) -> u8 {
    let quit = sys.quit_handle().expect("it is a worker");
    while !sys.quit_asked() {
        sys.pulse(Pace::Busy);
        let _ = sys.run_user(&mut || sys.work(BEAT_EACH));
        sys.pulse(Pace::Waiting);
        let _ = sys.wait(quit, Interest::READ, Some(sys.now() + BEAT_EACH));
    }
    0
}

/// A machine on which the supervisor is the host.
fn machine(seed: u64, pool: &Pool) -> Sim {
    let mut sim = Sim::with_full_trace(Choices::seeded(seed), pool);
    sim.pid_max(8);
    sim.supervisor(Supervisor::run);
    sim
}

/// Runs a seed with faults, and until they are overcome.
fn overcome(seed: u64, pool: &Pool, faults: Faults) -> Sim {
    let mut sim = machine(seed, pool);
    sim.faults(faults);
    sim.run_for(Duration::from_secs(20));
    sim.heal();
    sim.run_for(Duration::from_secs(10));
    let workers = sim.workers();
    let well = workers.iter().all(|worker| {
        let lives = matches!(worker.state, WorkerState::Running | WorkerState::Blocked);
        lives && worker.hung_since.is_none() && !worker.orphaned
    });
    assert!(well && workers.len() == WORKERS as usize, "seed {seed}: {} {workers:?}", sim.plan());
    assert_eq!(sim.children(), WORKERS as usize, "seed {seed}");
    assert_eq!(sim.host_descriptors(), 1 + 2 * WORKERS as usize, "seed {seed}");
    sim
}

#[test]
fn without_faults_nobody_dies() {
    let pool = Pool::default();
    let sim = overcome(0, &pool, Faults::none());
    assert_eq!(sim.births(), WORKERS as usize);
    let slots: Vec<_> = sim.workers().iter().map(|worker| (worker.pid.0, worker.slot)).collect();
    assert_eq!(slots, [(3, 0), (4, 1), (5, 2)]);
}

#[test]
fn k24_a_stranger_is_reaped_and_costs_nobody_anything() {
    let mut sim = machine(0, &Pool::default());
    sim.run_for(Duration::from_secs(1));
    sim.adopt_stranger();
    assert_eq!(sim.children(), 1 + WORKERS as usize);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.children(), WORKERS as usize);
    assert_eq!(sim.births(), WORKERS as usize);
}

#[test]
fn a_worker_is_signalled_by_its_number_and_nobody_else() {
    let mut sim = machine(0, &Pool::default());
    sim.run_for(Duration::from_secs(1));
    let before = sim.workers();
    assert!(sim.signal_worker(before[1].pid, Signal::Stop));
    assert_eq!(sim.workers()[1].state, WorkerState::Stopped);
    assert!(sim.signal_worker(before[1].pid, Signal::Term));
    assert!(sim.signal_worker(before[1].pid, Signal::Cont));
    assert_eq!(sim.workers()[1].state, WorkerState::Exiting(ExitStatus::Code(0)));
    assert!(!sim.signal_worker(Pid(7), Signal::Kill), "nobody has it");
    assert!(!sim.signal_worker(Pid(2), Signal::Kill), "it is the host's");
    sim.run_for(Duration::from_secs(1));
    let pids: Vec<_> = sim.workers().iter().map(|worker| worker.pid).collect();
    assert_eq!(pids, [before[0].pid, before[2].pid, Pid(6)]);
}

#[test]
fn workers_are_killed_with_their_host_and_leave_nothing() {
    let mut sim = machine(0, &Pool::default());
    sim.expect_end();
    sim.run_for(Duration::from_secs(1));
    sim.signal(Signal::Kill);
    assert_eq!(sim.host_status(), Some(ExitStatus::by(Signal::Kill)));
    assert!(sim.workers().iter().all(|worker| !worker.orphaned), "the host is exiting");
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.workers(), []);
    assert_eq!(sim.pending(), Vec::<String>::new());
}

/// The classes that cost workers their lives, and those that cost none by themselves.
const DEADLY: [Class; 5] =
    [Class::WorkerHang, Class::WorkerCrash, Class::WorkerKill, Class::NeverReady, Class::WorkerStop];
const HARMLESS: [Class; 6] = [
    Class::IgnoreQuit,
    Class::ForkFailure,
    Class::LateNews,
    Class::OperatorSignals,
    Class::ExitRace,
    Class::Interrupt,
];

#[test]
fn each_fault_on_workers_strikes_and_is_overcome() {
    let pool = Pool::default();
    for class in DEADLY.into_iter().chain(HARMLESS).chain([Class::SlowBoot, Class::Freeze, Class::HostSlow]) {
        // Beside one that makes children be born, where it needs some.
        let needs_births = [Class::NeverReady, Class::ForkFailure, Class::SlowBoot, Class::LateNews];
        let mut classes = vec![class];
        if needs_births.contains(&class) {
            classes.push(Class::WorkerKill);
        }
        let (mut struck, mut deaths) = (0, 0);
        for seed in 0..16 {
            let sim = overcome(seed, &pool, Faults::only(&classes));
            struck += sim.struck(class);
            deaths += sim.births() - WORKERS as usize;
        }
        assert!(struck > 0, "{class:?} never struck");
        if DEADLY.contains(&class) {
            assert!(deaths > 0, "{class:?} struck {struck} times and killed nobody");
        } else if classes.len() == 1 && HARMLESS.contains(&class) {
            assert_eq!(deaths, 0, "{class:?}");
        }
    }
}

#[test]
fn all_faults_together_are_overcome_and_the_same_seed_gives_the_same_run() {
    let pool = Pool::default();
    // A kick ends a host that has not armed it.
    let faults = Faults::all().without(Class::Kick);
    let (mut reaped, mut pids) = (0, 0);
    for seed in 0..40 {
        let runs = [0, 1].map(|_| overcome(seed, &pool, faults));
        assert_eq!(runs[0].first_difference(&runs[1]), None, "seed {seed}");
        let reused = runs[0].births() > 6;
        reaped += usize::from(runs[0].births() > WORKERS as usize);
        pids += usize::from(reused);
    }
    assert!(reaped > 20, "in {reaped} of 40 runs a worker had to be replaced");
    assert!(pids > 5, "in {pids} of 40 runs a number was used again");
}

/// What breaks while `run` goes on; `None` if nothing does.
fn broken(sim: &mut Sim, run: impl FnOnce(&mut Sim)) -> Option<(&'static str, String)> {
    let ended = catch_unwind(AssertUnwindSafe(|| run(sim)));
    let violation = violation_of(&*ended.err()?);
    Some((violation.id, violation.detail))
}

#[test]
fn a_kick_that_ends_a_supervisor_is_told() {
    let pool = Pool::default();
    let told = "a kick has ended the supervisor, which nobody can start again".to_owned();
    let mut kicked = 0;
    for seed in 0..16 {
        let mut sim = machine(seed, &pool);
        sim.faults(Faults::only(&[Class::Kick]));
        let found = broken(&mut sim, |sim| sim.run_for(Duration::from_secs(20)));
        let strikes = sim.struck(Class::Kick) > 0;
        assert_eq!(found, strikes.then(|| ("H2", told.clone())), "seed {seed}");
        kicked += u32::from(strikes);
    }
    assert!(kicked > 0, "nobody was kicked");

    let mut sim = machine(0, &pool);
    sim.expect_end();
    sim.run_for(Duration::from_secs(1));
    sim.signal(Signal::Usr1);
    let found = broken(&mut sim, |sim| sim.run_for(Duration::from_secs(1)));
    assert_eq!((found, sim.host_status()), (None, Some(ExitStatus::by(Signal::Usr1))), "it may end");
}

#[test]
fn there_is_one_host_or_one_supervisor() {
    let app = || App::new("app").fleet(Fleet::new("fleet").workers(1).run(|_| Ok(())));
    let refused = |name| {
        let detail = format!("a simulated machine runs one host or supervisor, and has a {name} already");
        Some(("test", detail))
    };
    let mut sim = machine(0, &Pool::default());
    assert_eq!(broken(&mut sim, |sim| sim.host(app)), refused("supervisor"));
    assert_eq!(broken(&mut sim, |sim| sim.supervisor(Supervisor::run)), refused("supervisor"));
    assert_eq!(broken(&mut sim, |sim| drop(sim.run_turns(app, 1))), refused("supervisor"));
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.workers().len(), WORKERS as usize, "the first one is none the worse for it");

    let mut sim = Sim::new(Choices::seeded(0), &Pool::default());
    sim.host(app);
    assert_eq!(broken(&mut sim, |sim| sim.supervisor(Supervisor::run)), refused("host"));
    assert_eq!(broken(&mut sim, |sim| sim.host(app)), refused("host"));
}

/// Faults, and none; then faults again, if they are asked for. How many have struck by then, each time.
fn faults_again(choices: Choices, pool: &Pool, again: bool) -> ([u32; 3], Sim) {
    let faults = Faults::only(&[Class::WorkerKill]);
    let mut sim = Sim::with_full_trace(choices, pool);
    sim.supervisor(Supervisor::run);
    let struck = [Some(faults), None, again.then_some(faults)].map(|faults| {
        match faults {
            Some(faults) => sim.faults(faults),
            None => sim.heal(),
        }
        sim.run_for(Duration::from_secs(10));
        sim.struck(Class::WorkerKill)
    });
    (struck, sim)
}

#[test]
fn faults_come_again_after_they_were_healed_if_they_are_asked_for() {
    let pool = Pool::default();
    let mut came = [0, 0];
    for seed in 0..16 {
        let (first, _) = faults_again(Choices::seeded(seed), &pool, false);
        assert_eq!(first[1..], [first[0]; 2], "seed {seed}: healed is healed");
        let (struck, sim) = faults_again(Choices::seeded(seed), &pool, true);
        assert_eq!(struck[..2], first[..2], "seed {seed}: until then the runs are one");
        came = [came[0] + struck[0], came[1] + struck[2] - struck[1]];
        let (replayed, replay) = faults_again(Choices::scripted(seed, &sim.script()), &pool, true);
        assert_eq!((replayed, replay.first_difference(&sim)), (struck, None), "seed {seed}");
    }
    assert!(came[0] > 0 && came[1] > 0, "so many have struck before and after: {came:?}");
}

#[test]
fn births_are_counted_be_they_dead_or_not() {
    let mut sim = machine(0, &Pool::default());
    assert_eq!(sim.births(), 0);
    sim.run_for(Duration::from_secs(1));
    assert_eq!(sim.births(), 3);
    let worker = sim.workers()[0].pid;
    sim.signal_worker(worker, Signal::Kill);
    sim.run_for(Duration::from_secs(1));
    assert_eq!((sim.births(), sim.workers().len()), (4, 3), "one of them is gone");
    sim.adopt_stranger();
    sim.expect_end();
    sim.signal(Signal::Kill);
    sim.run_for(Duration::from_secs(1));
    assert_eq!((sim.births(), sim.workers().len()), (4, 0), "and a stranger is none");
}
