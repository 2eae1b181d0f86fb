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
use host_sim::{Choices, Pool, Rule};
use program::{Dice, Program};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// How many machines may disagree with the real one before it counts.
const MACHINES: u64 = 400;
/// How many of them, the first ones, are at rest before each call, as the real one nearly always is: there, what
/// a call sets off is done when it comes back. The others have haste, each before calls of its own.
const MACHINES_AT_REST: u64 = 8;
/// How often a program that only haste explains is run once more. If it was the real kernel that was late, that
/// will not happen each time; if it is the model that is wrong, and haste hides it, it will.
const AGAIN: u32 = 5;
/// How many programs in a thousand may be late once. Of 20,000 none was, on two processors with a load of seven;
/// a machine on which they are many is too busy to compare with.
const LATE_MAX: u64 = 10;
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

/// What programs themselves promise.
pub(crate) const CASES: &[Case] = cases![a_step_that_a_stopped_child_skips_takes_its_places,];

fn a_step_that_a_stopped_child_skips_takes_its_places(world: &World) {
    let program = "0 channel 0 0; 0 fork 3 0; 0 signal-child 2 19; 1 channel 0 0; 0 signal-child 2 18; \
        1 channel 0 0; 1 write 2 1; 1 write 4 5; 1 read 5 9; 0 write 0 2; 1 read 1 9";
    let outcomes = Observed::of(world, program.parse().unwrap()).outcomes;
    let expected = [
        "ok",
        "forked",
        "sent",
        "not its turn",
        "sent",
        "ok",
        "no handle",
        "5",
        "5 h5",
        "2",
        "2 j2",
        "child 1 at the end: signal KILL",
    ];
    assert_eq!(outcomes, expected);
}

/// Runs on the real kernel: a model that is wrong is told by the least program that shows it.
pub(crate) const CASE_OF_A_WRONG_MODEL: Case = Case {
    name: "of_a_program_on_which_kernels_disagree_no_more_is_told_than_shows_it",
    body: a_disagreement_is_told,
};

/// A rule that is broken; a program with much that has nothing to do with it; the least of it that shows the rule; and
/// the line of the step that differs.
const DISAGREEMENTS: &[(Rule, &str, &str, &str)] = &[
    (
        Rule::MessagesHaveBounds,
        "0 listen 2 0; 0 channel 0 0; 0 count 4 0; 0 fork 6 0; 0 write 1 3; 0 slot-claim 1 2; 0 write 1 4; \
            1 count 2 0; 0 connect 0 0; 0 read 2 9; 0 quit-asked 0 0; 0 close 0 0",
        "0 nothing 1 0; 0 channel 0 0; 0 write 1 3; 0 write 1 4; 0 read 2 9",
        "0 read 2 9                 3 c3 <- simulated: 7 c3d4",
    ),
    (
        Rule::DeletedIsSilent,
        "0 listen 2 0; 0 connect 0 0; 0 channel 0 0; 0 poll-add 0 1; 0 poll-add 2 1; 0 write 3 5; 0 fork 0 0; \
            0 signals 3 0; 0 poll-delete 2 0; 1 quit-asked 0 0; 0 poll-look 0 0; 0 accept 0 0",
        "0 nothing 1 0; 0 nothing 1 0; 0 channel 0 0; 0 poll-add 2 1; 0 write 3 5; 0 poll-delete 2 0; 0 poll-look 0 0",
        "0 poll-look 0 0            (nothing) <- simulated: 2:r--",
    ),
];

fn a_disagreement_is_told(world: &World) {
    let pool = Pool::default();
    for (rule, program, least, differs) in DISAGREEMENTS {
        let observed = Observed::of(world, program.parse().unwrap());
        let lay = |sim: &mut Sim| sim.break_rule(*rule);
        let judged = AssertUnwindSafe(|| observed.judged_by(world, &pool, "the given one", &lay));
        let said = match catch_unwind(judged) {
            Ok(allowed) => panic!("{rule:?} is broken, and its program allowed: {allowed:?}"),
            Err(payload) => payload.downcast::<String>().expect("words"),
        };
        let lines: Vec<_> = said.lines().collect();
        let begin = format!(
            "what a program did on the real kernel was done by none of {MACHINES} simulated machines (the given one):"
        );
        assert_eq!(lines[0], begin, "{said}");
        let steps: Vec<_> = lines[1..].iter().take_while(|line| !line.is_empty()).collect();
        assert_eq!(steps.len(), least.split(';').count(), "one line for each step: {said}");
        let marked: Vec<_> = steps.iter().filter(|line| line.contains(" <- simulated: ")).collect();
        assert!(
            marked.len() == 1 && marked[0].ends_with(differs),
            "the step that differs, and no other: {said}"
        );
        let again =
            format!("again: HOST_PROGRAM='{least}' cargo test -p harness --test conformance programs");
        assert_eq!(lines.last(), Some(&again.as_str()), "{said}");
        // The model that is not broken allows what is left.
        let allowed = Observed::of(world, least.parse().unwrap()).allowed(&pool, &|_| {});
        assert!(allowed.is_ok(), "{rule:?}: {allowed:?}");
    }
}

/// How many programs there are, unless [`COUNT`] says so.
const PROGRAMS: u64 = 2000;
/// Where it is said how many there are.
pub(crate) const COUNT: &str = "HOST_PROGRAMS";

/// Runs `HOST_PROGRAMS` programs from seed `HOST_PROGRAMS_FROM` on, or the one that is in `HOST_PROGRAM`.
fn compare(world: &World) {
    let pool = Pool::default();
    if let Ok(text) = std::env::var("HOST_PROGRAM") {
        let program = text.parse().unwrap_or_else(|error| panic!("HOST_PROGRAM: {error}"));
        let found = Observed::of(world, program).judged(world, &pool, "the given one");
        eprintln!("it is allowed: {found:?}");
        return;
    }
    let figure = |name: &str, usual| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is `{text}`, but must be a number")),
        Err(_) => usual,
    };
    let (count, from) = (figure(COUNT, PROGRAMS), figure("HOST_PROGRAMS_FROM", 0));
    let (mut others, mut late) = (0, Vec::new());
    for seed in from..from + count {
        let observed = observe(world, seed);
        let program = Rc::clone(&observed.program);
        match observed.judged(world, &pool, &format!("HOST_PROGRAMS_FROM={seed} HOST_PROGRAMS=1")) {
            Allowed::AtRest(machine) => others += u64::from(machine > 0),
            Allowed::Late => late.push(program),
        }
    }
    let list: String = late.iter().map(|program| format!("\nHOST_PROGRAM='{program}'")).collect();
    let summary = format!(
        "{count} programs are allowed, {others} of them by another machine at rest than the first, {} only by one in haste and not each time{list}",
        late.len(),
    );
    // One may always be, in a short run too.
    assert!(late.len() as u64 <= 1 + count * LATE_MAX / 1000, "too many were late: {summary}");
    eprintln!("{summary}");
}

/// Who does the same as the real kernel.
#[derive(Debug)]
enum Allowed {
    /// A machine that is at rest before each call, of this number.
    AtRest(u64),
    /// Only one in haste; but another time, one at rest.
    Late,
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

    /// Who allows it; `which` says how to run it again.
    ///
    /// # Panics
    /// If nobody does, or each time it is run only somebody in haste, with the least part of it of which that holds.
    fn judged(self, world: &World, pool: &Pool, which: &str) -> Allowed {
        self.judged_by(world, pool, which, &|_| {})
    }

    /// The same, on machines as `lay` makes them.
    fn judged_by(self, world: &World, pool: &Pool, which: &str, lay: &dyn Fn(&mut Sim)) -> Allowed {
        let at_rest = |observed: &Self| observed.allowed_by(MACHINES_AT_REST, pool, lay);
        if let Ok(machine) = at_rest(&self) {
            return Allowed::AtRest(machine);
        }
        let (machines, who) = match self.allowed(pool, lay) {
            Err(_) => (MACHINES, format!("none of {MACHINES} simulated machines")),
            Ok(_) if (0..AGAIN).any(|_| at_rest(&self.again(world)).is_ok()) => return Allowed::Late,
            Ok(_) => (MACHINES_AT_REST, format!("simulated machines in haste only, each of {AGAIN} times")),
        };
        let least = self.shrunk(world, pool, machines, lay);
        let simulated = least.allowed_by(machines, pool, lay).expect_err("it was not allowed either");
        panic!(
            "what a program did on the real kernel was done by {who} ({which}):\n{}\nagain: HOST_PROGRAM='{}' cargo test -p harness --test conformance programs",
            least.difference(&simulated),
            least.program,
        );
    }

    fn again(&self, world: &World) -> Self {
        Self::of(world, Program::clone(&self.program))
    }

    /// On which machine a simulated kernel does the same, the first being number 0.
    ///
    /// # Errors
    /// What the one that came furthest has done.
    pub(crate) fn allowed(&self, pool: &Pool, lay: &dyn Fn(&mut Sim)) -> Result<u64, Outcomes> {
        self.allowed_by(MACHINES, pool, lay)
    }

    /// The same of the first `machines`.
    fn allowed_by(&self, machines: u64, pool: &Pool, lay: &dyn Fn(&mut Sim)) -> Result<u64, Outcomes> {
        let mut furthest = Outcomes::new();
        let mut agreed = None;
        for machine in 0..machines {
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
        let hasty = machine >= MACHINES_AT_REST;
        // What takes its time on an unsteady machine is not done after any rest.
        if hasty && machine % 2 == 1 {
            sim.unsteady();
        }
        let mut dice = Dice(machine);
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

    /// The least part of it that none of the first `machines` allows either.
    fn shrunk(self, world: &World, pool: &Pool, machines: u64, lay: &dyn Fn(&mut Sim)) -> Self {
        let mut least = self;
        let mut place = least.program.steps.len();
        while place > 0 {
            place -= 1;
            let fewer = Self::of(world, least.program.without(place));
            if fewer.allowed_by(machines, pool, lay).is_err() {
                // What is left of a step may not be needed either.
                let is_left = fewer.program.steps.len() == least.program.steps.len();
                least = fewer;
                place += usize::from(is_left);
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
                .map(|outcomes| outcomes.get(place).map_or("nothing", String::as_str))
                .map(|outcome| if outcome.is_empty() { "(nothing)" } else { outcome });
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
