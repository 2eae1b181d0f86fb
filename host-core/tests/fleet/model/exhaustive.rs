//! Every order of what may happen to two workers in two slots, up to a number of steps: each class of fault
//! comes once, at whatever moment. What is checked after each step is what `model` checks, and after the last
//! one that a stop ends in time.
//!
//! `HOST_DEPTH=6 cargo test --release -p host-core --test fleet every_order -- --nocapture` looks deeper, and
//! prints how many states there are: the numbers are known, and one that is another is red.

use super::World;
use crate::rig::MS;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::backoff::Backoff;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::{FleetConfig, RestartBudget};
use host_core::fleet::message::{FromWorker, Garbled};
use host_core::id::WorkerId;
use host_core::sys::{ExitStatus, Pid, Signal};
use std::collections::BTreeMap;
use std::hash::{Hash as _, Hasher};

/// So many steps in each test run: some seconds in a debug build.
const DEPTH: usize = 4;
/// So many states there are, and steps that lead to them, by depth. Neither more nor less: see [`differs`].
const KNOWN: [(usize, Count); 4] = [
    (4, Count { states: 24_317, steps: 47_197 }),
    (5, Count { states: 136_449, steps: 282_426 }),
    (6, Count { states: 690_816, steps: 1_499_293 }),
    (7, Count { states: 3_232_055, steps: 7_299_003 }),
];

/// How much was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    states: usize,
    steps: u64,
}

/// What to do about a search that looked at something else than is known of its depth; `None` if it did not, or
/// nothing is known.
fn differs(depth: usize, found: Count) -> Option<String> {
    let (_, known) = KNOWN.into_iter().find(|(known, _)| *known == depth)?;
    let advice = match () {
        () if found == known => return None,
        () if found.states < known.states || found.steps < known.steps => {
            "something is no longer tried, or states that differed are one: find the commit that did it, and why"
        }
        () => "more is possible than was: see that the commit which did it means it",
    };
    Some(format!(
        "{found:?} within {depth} steps, where {known:?} was known: {advice}; if it is meant, set the rows of KNOWN \
         and those of TESTING.md (\"Every order\") to what each depth prints"
    ))
}

/// One step of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Time goes on to the next deadline.
    Jump,
    /// A worker says that it is ready, or shows that it lives.
    Lives(WorkerId),
    /// A worker waits, and owes no sign of life.
    Waits(WorkerId),
    /// The host hears of a worker's end.
    Buried(WorkerId),
    /// Something goes wrong, once.
    Fault(Fault, Option<WorkerId>),
}

/// Each comes once in an order. That a worker hangs needs none: it is a jump without a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Crash,
    ExitZero,
    Stop,
    Continue,
    Stubborn,
    Garbled,
    ServedEnough,
    ForkFails,
    Ttin,
    Ttou,
    Winch,
    Quit,
    Term,
}

impl Fault {
    const OF_WORKERS: [Self; 7] = [
        Self::Crash,
        Self::ExitZero,
        Self::Stop,
        Self::Continue,
        Self::Stubborn,
        Self::Garbled,
        Self::ServedEnough,
    ];
    const OF_THE_HOST: [Self; 6] =
        [Self::ForkFails, Self::Ttin, Self::Ttou, Self::Winch, Self::Quit, Self::Term];
}

fn config() -> HostConfig {
    let fleet = FleetConfig {
        workers: Some(2),
        workers_max: Some(2),
        boot_timeout: 90 * MS,
        heartbeat_timeout: 50 * MS,
        drain_timeout: 120 * MS,
        term_timeout: 30 * MS,
        backoff: Backoff { first: 8 * MS, max: 40 * MS },
        stable_after: 60 * MS,
        degraded_retry: 70 * MS,
        restart_budget: Some(RestartBudget { count: 1, window: 300 * MS }),
        ..FleetConfig::new("a")
    };
    HostConfig { fleets: vec![fleet], poll_period: None, ..HostConfig::default() }
}

/// A search, depth first.
#[derive(Default)]
struct Search {
    /// What is left of the depth where a state was looked at, by its hash.
    seen: BTreeMap<u128, usize>,
    steps: u64,
    path: Vec<Step>,
}

impl Search {
    fn explore(&mut self, world: &World, used: u32, left: usize) {
        let key = key(world, used);
        if self.seen.get(&key).is_some_and(|before| *before >= left) {
            return;
        }
        self.seen.insert(key, left);
        if left == 0 {
            let told = Told(&self.path);
            // An even seed drains, an odd one stops at once.
            for seed in [0, 1] {
                let mut world = world.clone();
                world.config.seed = seed;
                world.stop();
            }
            std::mem::forget(told);
            return;
        }
        for (step, used) in steps(world, used) {
            self.steps += 1;
            self.path.push(step);
            let mut next = world.clone();
            let told = Told(&self.path);
            take(&mut next, step);
            std::mem::forget(told);
            self.explore(&next, used, left - 1);
            self.path.pop();
        }
    }
}

/// Tells the order in which something broke.
struct Told<'a>(&'a [Step]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        eprintln!("after {:?}:", self.0);
    }
}

/// What may happen next, and the faults that were used then.
fn steps(world: &World, used: u32) -> Vec<(Step, u32)> {
    if world.ending.is_some() {
        return Vec::new();
    }
    let mut steps = vec![(Step::Jump, used)];
    let fault = |fault: Fault, worker| {
        let bit = 1 << fault as u32;
        (used & bit == 0).then_some((Step::Fault(fault, worker), used | bit))
    };
    for (worker, process) in &world.processes {
        if process.ended.is_some() {
            steps.push((Step::Buried(*worker), used));
            continue;
        }
        if !process.is_stopped {
            steps.push((Step::Lives(*worker), used));
        }
        if !process.is_stopped && process.ready_since.is_some() {
            steps.push((Step::Waits(*worker), used));
        }
        let possible = |kind: &Fault| process.is_stopped == (*kind == Fault::Continue);
        let faults = Fault::OF_WORKERS.into_iter().filter(possible);
        steps.extend(faults.filter_map(|kind| fault(kind, Some(*worker))));
    }
    steps.extend(Fault::OF_THE_HOST.into_iter().filter_map(|kind| fault(kind, None)));
    steps
}

fn take(world: &mut World, step: Step) {
    match step {
        Step::Jump => return world.jump(),
        Step::Lives(worker) => world.shows(worker, Pace::Busy),
        Step::Waits(worker) => world.shows(worker, Pace::Waiting),
        Step::Buried(worker) => {
            let process = world.processes.remove(&worker);
            let status = process.and_then(|process| process.ended).expect("it has ended");
            world.facts.push_back(Event::WorkerExited { worker, status });
        }
        Step::Fault(fault, worker) => world.suffers(fault, worker),
    }
    world.wake();
}

impl World {
    fn shows(&mut self, worker: WorkerId, pace: Pace) {
        let process = self.processes.get_mut(&worker).expect("it lives");
        process.slot.beat = Some(Beat { at: self.now, pace });
        if process.ready_since.is_none() {
            self.facts.push_back(Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) });
        }
    }

    fn suffers(&mut self, fault: Fault, worker: Option<WorkerId>) {
        let process = worker.and_then(|worker| self.processes.get_mut(&worker));
        let said = |message| worker.map(|worker| Event::WorkerSaid { worker, message });
        let pid = process.as_ref().map(|process| process.pid).unwrap_or(Pid(1));
        let fact = match (fault, process) {
            (Fault::Crash, Some(process)) => {
                process.ended = Some(ExitStatus::Code(1));
                None
            }
            (Fault::ExitZero, Some(process)) => {
                process.ended = Some(ExitStatus::Code(0));
                None
            }
            (Fault::Stubborn, Some(process)) => {
                process.is_stubborn = true;
                None
            }
            (Fault::Stop, Some(process)) => {
                process.is_stopped = true;
                Some(Event::ChildStopped { pid })
            }
            (Fault::Continue, Some(process)) => {
                process.is_stopped = false;
                Some(Event::ChildContinued { pid })
            }
            (Fault::Garbled, _) => said(Err(Garbled { first: 0, length: 1 })),
            (Fault::ServedEnough, _) => said(Ok(FromWorker::ServedEnough)),
            (Fault::Ttin, _) => Some(Event::Signalled(Signal::Ttin)),
            (Fault::Ttou, _) => Some(Event::Signalled(Signal::Ttou)),
            (Fault::Winch, _) => Some(Event::Signalled(Signal::Winch)),
            (Fault::Quit, _) => Some(Event::Signalled(Signal::Quit)),
            (Fault::Term, _) => Some(Event::Signalled(Signal::Term)),
            (Fault::ForkFails, _) => {
                self.forks_fail = 1;
                None
            }
            (Fault::Crash | Fault::ExitZero | Fault::Stubborn | Fault::Stop | Fault::Continue, None) => None,
        };
        self.facts.extend(fact);
    }
}

/// Two states with one key go on alike: the host, the world around it, and the faults that are left.
fn key(world: &World, used: u32) -> u128 {
    let World { host, now, processes, facts, looks, forks_fail, ending, .. } = world;
    let mut hasher = Wide([0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15]);
    (used, host, now, processes, facts, looks, forks_fail, ending).hash(&mut hasher);
    let [first, second] = hasher.0;
    (u128::from(first) << 64) | u128::from(second)
}

/// Two words, since a collision would hide a state; the same numbers in every run.
struct Wide([u64; 2]);

impl Hasher for Wide {
    fn finish(&self) -> u64 {
        self.0[0]
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            let [first, second] = &mut self.0;
            *first = (*first ^ word).wrapping_mul(0x100_0000_01b3).rotate_left(29);
            *second = (second.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of states is what a deeper search is for")]
fn every_order_of_faults_up_to_a_depth_keeps_the_promises() {
    let asked = std::env::var("HOST_DEPTH").ok().map(|depth| depth.parse().expect("HOST_DEPTH is a number"));
    let depth = asked.unwrap_or(DEPTH);
    let mut search = Search::default();
    let mut world = World::new(config(), true);
    world.begin();
    search.explore(&world, 0, depth);
    // And from where both serve, which alone would take two steps.
    for worker in world.processes.keys().copied().collect::<Vec<_>>() {
        take(&mut world, Step::Lives(worker));
    }
    search.explore(&world, 0, depth);
    let found = Count { states: search.seen.len(), steps: search.steps };
    println!("{} states within {depth} steps, reached by {} steps", found.states, found.steps);
    let differs = differs(depth, found);
    assert!(differs.is_none(), "{}", differs.unwrap_or_default());
}

#[test]
fn a_search_that_looks_at_more_or_less_than_is_known_says_what_to_do() {
    let (depth, known) = KNOWN[0];
    assert_eq!(differs(depth, known), None);
    assert_eq!(differs(99, known), None, "of which nothing is known");
    let rows = [
        (Count { states: known.states - 1, ..known }, "something is no longer tried"),
        (Count { steps: known.steps - 1, ..known }, "something is no longer tried"),
        (Count { states: known.states + 1, ..known }, "more is possible than was"),
        (Count { steps: known.steps + 1, ..known }, "more is possible than was"),
    ];
    for (found, expected) in rows {
        let said = differs(depth, found).expect("it is another number");
        assert!(said.contains(expected) && said.contains("set the rows of KNOWN"), "{said}");
    }
}
