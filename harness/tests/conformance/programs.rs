//! Random programs over the system, run on the real kernel: may the simulated one do what it did?
//!
//! A model that is run on many seeds is a set of outcomes. A program is run on the real kernel once, and then
//! on simulated machines until one has done the same, call by call.

mod actor;
mod director;
mod program;

use crate::arms::Case;
use crate::world::World;
use harness::Sim;
use host_core::sys::{Birth, ExitStatus, Interest, OnHostDeath, Signal, SlotsId, Sys};
use host_core::time::Duration;
use host_sim::{Choices, Pool};
use program::{Dice, Program};
use std::cell::RefCell;
use std::rc::Rc;

/// How many machines may disagree with the real one before it counts.
const MACHINES: u64 = 400;
/// How long one program may take on the real kernel; a bound, not a wait.
const BOUND: Duration = Duration::from_secs(30);

/// What came of each step, and how whoever is left at the end has ended.
type Outcomes = Vec<String>;

/// A program, and what it did on the real kernel.
pub(crate) struct Observed {
    program: Rc<Program>,
    outcomes: Outcomes,
}

/// Programs that are run on the real kernel, and allowed by the simulated one.
pub(crate) const CASE: Case = Case {
    name: "what_random_programs_do_on_the_real_kernel_is_allowed_by_the_simulated_one",
    body: compare,
};

/// How many programs there are, unless `HOST_PROGRAMS` says so.
const PROGRAMS: u64 = 2000;

/// Runs `HOST_PROGRAMS` programs from seed `HOST_PROGRAMS_FROM` on, or the one that is in `HOST_PROGRAM`.
fn compare(world: &World) {
    let pool = Pool::default();
    let any = |_: &mut Sim| {};
    let compare = |which: &str, observed: Observed| match observed.allowed(&pool, &any) {
        Ok(machine) => machine,
        Err(_) => {
            let least = observed.shrunk(world, &pool);
            let simulated = least.allowed(&pool, &any).expect_err("it was not allowed either");
            panic!(
                "what a program did on the real kernel was done by none of {MACHINES} simulated machines ({which}):\n{}\nagain: HOST_PROGRAM='{}' cargo test -p harness --test conformance programs",
                least.difference(&simulated),
                least.program,
            );
        }
    };
    if let Ok(text) = std::env::var("HOST_PROGRAM") {
        let program = text.parse().unwrap_or_else(|error| panic!("HOST_PROGRAM: {error}"));
        compare("the given one", Observed::of(world, program));
        return;
    }
    let figure = |name: &str, usual| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, but must be a number")),
        Err(_) => usual,
    };
    let (count, from) = (figure("HOST_PROGRAMS", PROGRAMS), figure("HOST_PROGRAMS_FROM", 0));
    let (mut others, mut furthest) = (0, 0);
    for seed in from..from + count {
        let machine = compare(&format!("HOST_PROGRAMS_FROM={seed} HOST_PROGRAMS=1"), observe(world, seed));
        others += u64::from(machine > 0);
        furthest = furthest.max(machine);
    }
    eprintln!(
        "{count} programs are allowed, {others} of them on another machine than the first; the last was {furthest}"
    );
}

/// The program of a seed, on the kernel of `world`.
pub(crate) fn observe(world: &World, seed: u64) -> Observed {
    Observed::of(world, Program::of(seed))
}

impl Observed {
    fn of(world: &World, program: Program) -> Self {
        let program = Rc::new(program);
        let outcomes = run(&world.sys, world.page, &program, |_| false);
        Self { program, outcomes }
    }

    /// On which machine a simulated kernel does the same, the first being number 0.
    ///
    /// # Errors
    /// What the one that came furthest has done.
    pub(crate) fn allowed(&self, pool: &Pool, lay: &dyn Fn(&mut Sim)) -> Result<u64, Outcomes> {
        let mut furthest = Outcomes::new();
        let mut agreed = None;
        for machine in 0..MACHINES {
            let outcomes = self.simulated(machine, pool, lay);
            if outcomes == self.outcomes {
                return Ok(machine);
            }
            let same = self.outcomes.iter().zip(&outcomes).take_while(|(one, other)| one == other).count();
            if agreed.is_none_or(|agreed| same > agreed) {
                (agreed, furthest) = (Some(same), outcomes);
            }
        }
        Err(furthest)
    }

    /// What comes of the program on a machine of the simulator.
    fn simulated(&self, machine: u64, pool: &Pool, lay: &dyn Fn(&mut Sim)) -> Outcomes {
        let mut sim = Sim::new(Choices::seeded(machine), pool);
        lay(&mut sim);
        // The first machine is the one that is at rest before each call; of the others each has haste of its own.
        if machine % 2 == 1 {
            sim.unsteady();
        }
        let mut dice = Dice(machine);
        let hasty = machine > 1;
        let haste: Vec<_> = self.program.steps.iter().map(|_| hasty && dice.below(4) == 0).collect();
        let program = Rc::clone(&self.program);
        let outcomes = Rc::new(RefCell::new(Outcomes::new()));
        let into = Rc::clone(&outcomes);
        sim.run_process(move |sys| {
            let page = sys.slots(3).expect("memory");
            *into.borrow_mut() = run(&sys, page, &program, move |step| !haste[step]);
        });
        outcomes.take()
    }

    /// The least part of it that is not allowed either, as often as it is asked.
    fn shrunk(self, world: &World, pool: &Pool) -> Self {
        let mut least = self;
        let mut place = least.program.steps.len();
        while place > 0 {
            place -= 1;
            let Some(fewer) = least.program.without(place) else { continue };
            let fewer = Self::of(world, fewer);
            if fewer.allowed(pool, &|_| {}).is_err() {
                least = fewer;
                place = place.min(least.program.steps.len());
            }
        }
        least
    }

    /// What is wanted and what is, step by step.
    fn difference(&self, simulated: &Outcomes) -> String {
        let mut lines = String::new();
        let steps =
            self.program.steps.iter().map(program::Step::to_string).chain(std::iter::repeat("end".into()));
        let length = self.outcomes.len().max(simulated.len());
        for (place, step) in steps.take(length).enumerate() {
            let [real, simulated] = [&self.outcomes, simulated]
                .map(|outcomes| outcomes.get(place).map_or("nothing", String::as_str));
            let mark = if real == simulated { "" } else { " <- simulated: " };
            let other = if real == simulated { "" } else { simulated };
            lines += &format!("{place:>3}  {step:<26} {real}{mark}{other}\n");
        }
        lines
    }
}

/// Runs a program in a child and its children; what came of it.
fn run(
    sys: &Rc<dyn Sys>,
    page: SlotsId,
    program: &Rc<Program>,
    rests: impl Fn(usize) -> bool + 'static,
) -> Outcomes {
    (0..3).for_each(|slot| sys.slot_claim(page, slot, 1));
    let (mine, theirs) = sys.channel().expect("descriptors");
    let birth = Birth {
        title: "test: worker 0 (gen 0)",
        keep: &[theirs],
        output: None,
        slot: (page, 0, 1),
        on_host_death: OnHostDeath::Exit,
        drain_timeout: Duration::ZERO,
    };
    let program = Rc::clone(program);
    let body = move |sys: Rc<dyn Sys>| {
        for outcome in director::direct(Rc::clone(&sys), page, &program, rests) {
            sys.wait(theirs, Interest::WRITE, None).expect("somebody reads");
            // A message of no bytes would be the end.
            let said = sys.write(theirs, format!(" {outcome}").as_bytes());
            said.expect("somebody reads");
        }
        0
    };
    let child = sys.fork(&birth, Box::new(body)).expect("a fork");
    sys.close(theirs);
    let mut outcomes = Outcomes::new();
    let deadline = Some(sys.now() + BOUND);
    loop {
        let mut message = [0; 2048];
        if let Err(errno) = sys.wait(mine, Interest::READ, deadline) {
            outcomes.push(format!("it did not end: {errno}"));
            let _ = sys.signal_child(child.handle, Signal::Kill);
            break;
        }
        match sys.read(mine, &mut message) {
            Ok(0) => break,
            Ok(length) => outcomes.push(String::from_utf8_lossy(&message[1..length]).into_owned()),
            Err(errno) => {
                outcomes.push(format!("its line broke: {errno}"));
                break;
            }
        }
    }
    let status = sys.reap(child.handle, true).expect("nobody else reaps it");
    if status != Some(ExitStatus::Code(0)) {
        outcomes.push(format!("it ended with {status:?}"));
    }
    sys.close(mine);
    sys.close(child.handle);
    outcomes
}
