//! What a turn costs in the decisions about a fleet alone: `Host`, without a driver, a kernel or processes.
//!
//! Each thing that happens to workers, in fleets of 10, 1,000 and 10,000. But for a look, which reads the beat
//! of each worker, none may cost more in a greater fleet.
//!
//! Besides nanoseconds it counts instructions, if valgrind is installed. `count THING WORKERS BATCHES` does so
//! many batches of a thing and measures nothing, for callgrind.

use benches::{Arm, Cost, Effort, Stopwatch, compare, say};
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::beat::{Beat, Pace};
use host_core::fleet::config::FleetConfig;
use host_core::fleet::message::FromWorker;
use host_core::host::Host;
use host_core::id::{FleetId, WorkerId};
use host_core::sys::{ExitStatus, Pid, Signal, SlotReading};
use host_core::time::{Duration, Instant};
use std::hint::black_box;
use std::process::Command;

/// So many of a thing between two looks at the clock; no more than the smallest fleet has workers.
const BATCH: usize = 10;
const SIZES: [(u32, &str); 3] = [(10, "10 workers"), (1_000, "1,000 workers"), (10_000, "10,000 workers")];
const FLEET: FleetId = FleetId::new(0);
/// How much time a batch takes in the machine's world: a worker that was ready before it is not young.
const STEP: Duration = Duration::from_millis(1);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    /// A tick, and nothing is due.
    Tick,
    /// A tick for which the beats are read, and what they say.
    Look,
    /// A worker is killed, by somebody: the order of its replacement.
    Death,
    /// It was forked.
    Birth,
    /// It says that it is ready.
    Ready,
    /// The kernel tells that a worker is stopped, and that it is continued; by its number.
    Stop,
    /// A worker has served enough: all of it until its replacement is ready and it is gone.
    Recycle,
    /// One worker fewer is wanted, and then one more: all of it until that one is ready and the other is gone.
    Resize,
}

const THINGS: [(Thing, &str); 8] = [
    (Thing::Tick, "a tick without anything due"),
    (Thing::Look, "a look at all beats"),
    (Thing::Death, "a death"),
    (Thing::Birth, "a birth"),
    (Thing::Ready, "a ready message"),
    (Thing::Stop, "a stop and its end"),
    (Thing::Recycle, "a worker replaced in advance"),
    (Thing::Resize, "one worker fewer, one more"),
];

/// A host, and what its driver would know.
struct Rig {
    host: Host,
    now: Instant,
    workers: Vec<(WorkerId, Pid)>,
    ordered: Vec<WorkerId>,
    asked: Vec<WorkerId>,
    wants_beats: bool,
    pids: u32,
    turn: usize,
    /// Whether the clock is read: it cannot be under every version of valgrind.
    watches: bool,
}

impl Rig {
    fn new(workers: u32) -> Self {
        let fleet = FleetConfig {
            workers: Some(workers),
            stable_after: Duration::from_nanos(1),
            ..FleetConfig::new("many")
        };
        assert_eq!(fleet.mistakes(), []);
        let config = HostConfig { fleets: vec![fleet], poll_period: None, ..HostConfig::default() };
        let mut rig = Self {
            host: Host::new(config),
            now: Instant::ZERO,
            workers: Vec::new(),
            ordered: Vec::new(),
            asked: Vec::new(),
            wants_beats: false,
            pids: 1,
            turn: 0,
            watches: true,
        };
        rig.tell(Event::Started { turns_max: None });
        let born = rig.births();
        rig.are_ready(&born);
        assert_eq!(rig.workers.len(), workers as usize);
        rig
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is of interest here")]
    fn tell(&mut self, event: Event) {
        self.host.handle_event(self.now, event);
        while let Some(action) = self.host.poll_action() {
            match action {
                Action::Spawn { worker } => self.ordered.push(worker),
                Action::SignalWorker { worker, signal: Signal::Quit } => self.asked.push(worker),
                Action::ReadBeats { .. } => self.wants_beats = true,
                action => {
                    black_box(action);
                }
            }
        }
    }

    /// All that were ordered are forked.
    fn births(&mut self) -> Vec<WorkerId> {
        let born = std::mem::take(&mut self.ordered);
        for worker in born.iter().copied() {
            self.pids += 1;
            let pid = Pid(self.pids);
            self.workers.push((worker, pid));
            self.tell(Event::Spawned { worker, pid });
        }
        born
    }

    fn are_ready(&mut self, workers: &[WorkerId]) {
        for worker in workers.iter().copied() {
            self.tell(Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) });
        }
    }

    fn die(&mut self, workers: &[WorkerId], status: ExitStatus) {
        for worker in workers.iter().copied() {
            self.tell(Event::WorkerExited { worker, status });
        }
    }

    /// Somebody else each time, all over the fleet. Not in the list any more.
    fn some(&mut self) -> Vec<WorkerId> {
        let taken = (0..BATCH).map(|_| {
            self.turn = self.turn.wrapping_add(7919);
            let index = self.turn % self.workers.len();
            self.workers.swap_remove(index).0
        });
        taken.collect()
    }

    // The things.

    /// Does a batch; what is asked for is measured.
    fn batch(&mut self, thing: Thing) -> Cost {
        self.now = self.now + STEP;
        match thing {
            Thing::Tick => self.ticks(),
            Thing::Look => self.look(),
            Thing::Death | Thing::Birth | Thing::Ready => self.replace(thing),
            Thing::Stop => self.stops(),
            Thing::Recycle => self.recycle(),
            Thing::Resize => self.resize(),
        }
    }

    fn ticks(&mut self) -> Cost {
        if self.host.next_deadline().is_some_and(|deadline| deadline.at <= self.now + STEP) {
            self.look();
        }
        measured(self.watches, || {
            for _ in 0..BATCH {
                self.now = self.now + Duration::from_micros(1);
                self.tell(Event::Tick);
                black_box(self.host.next_deadline());
            }
        })
    }

    fn look(&mut self) -> Cost {
        self.now = self.host.next_deadline().map_or(self.now, |deadline| deadline.at.max(self.now));
        let beat = Some(Beat { at: self.now, pace: Pace::Busy });
        let reading = SlotReading { beat, ..SlotReading::default() };
        let mut readings: Vec<_> = self.workers.iter().map(|(worker, _)| (*worker, reading)).collect();
        readings.sort_unstable_by_key(|(worker, _)| *worker);
        let cost = measured(self.watches, || {
            self.tell(Event::Tick);
            assert!(std::mem::take(&mut self.wants_beats), "a look is due");
            self.tell(Event::Beats { fleet: FLEET, readings });
        });
        Cost { events: cost.events.min(1), ..cost }
    }

    fn replace(&mut self, thing: Thing) -> Cost {
        let dead = self.some();
        let death = measured(self.watches, || self.die(&dead, ExitStatus::by(Signal::Kill)));
        let mut born = Vec::new();
        let birth = measured(self.watches, || born = self.births());
        let ready = measured(self.watches, || self.are_ready(&born));
        if thing == Thing::Death {
            death
        } else if thing == Thing::Birth {
            birth
        } else {
            ready
        }
    }

    fn stops(&mut self) -> Cost {
        let first = self.turn;
        self.turn = self.turn.wrapping_add(BATCH * 7919);
        measured(self.watches, || {
            for index in 0..BATCH {
                let (_, pid) = self.workers[(first + index * 7919) % self.workers.len()];
                self.tell(Event::ChildStopped { pid });
                self.tell(Event::ChildContinued { pid });
            }
        })
    }

    fn recycle(&mut self) -> Cost {
        let old = self.some();
        let mut gone = Vec::new();
        let cost = measured(self.watches, || {
            for worker in old {
                self.tell(Event::WorkerSaid { worker, message: Ok(FromWorker::ServedEnough) });
                gone.extend(self.one_comes_and_one_goes());
            }
        });
        self.forget(&gone);
        cost
    }

    fn resize(&mut self) -> Cost {
        let workers = self.workers.len() as u32;
        let mut gone = Vec::new();
        let cost = measured(self.watches, || {
            for _ in 0..BATCH {
                self.tell(Event::ResizeAsked { fleet: FLEET, workers: workers - 1 });
                self.tell(Event::ResizeAsked { fleet: FLEET, workers });
                gone.extend(self.one_comes_and_one_goes());
            }
        });
        self.forget(&gone);
        cost
    }

    fn one_comes_and_one_goes(&mut self) -> Vec<WorkerId> {
        let born = self.births();
        self.are_ready(&born);
        let asked = std::mem::take(&mut self.asked);
        assert_eq!((born.len(), asked.len()), (1, 1));
        self.die(&asked, ExitStatus::Code(0));
        asked
    }

    /// Not measured: a list is searched.
    fn forget(&mut self, gone: &[WorkerId]) {
        self.workers.retain(|(worker, _)| !gone.contains(worker));
    }

    fn measure(&mut self, thing: Thing, batches: u64) -> Cost {
        let mut sum = Cost { events: 0, wall: 0, cpu: 0 };
        for _ in 0..batches {
            let Cost { events, wall, cpu } = self.batch(thing);
            sum = Cost { events: sum.events + events, wall: sum.wall + wall, cpu: sum.cpu + cpu };
        }
        sum
    }
}

/// What a batch costs.
fn measured(watches: bool, batch: impl FnOnce()) -> Cost {
    let watch = watches.then(Stopwatch::start);
    batch();
    watch.map_or(Cost { events: 0, wall: 0, cpu: 0 }, |watch| watch.stop(BATCH as u64))
}

/// How many instructions the host takes for a thing, or why nobody knows: those within `handle_event`, in so many
/// batches more.
fn instructions(thing: Thing, workers: u32) -> Result<u64, String> {
    const BATCHES: u64 = 20;
    let run = |batches: u64| {
        let this = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new("valgrind");
        command.args([
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            "--toggle-collect=*handle_event",
        ]);
        command.arg(this).arg("count");
        command.args([format!("{thing:?}"), workers.to_string(), batches.to_string()]);
        let output = command.output().map_err(|error| format!("valgrind: {error}"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(format!("under valgrind it ended with {}", output.status));
        }
        let line = words.lines().find_map(|line| line.split_once("Collected :"));
        let total = line.and_then(|(_, number)| number.trim().parse::<u64>().ok());
        total.ok_or_else(|| format!("no total in what valgrind says: {words}"))
    };
    let each = if thing == Thing::Look { 1 } else { BATCH as u64 };
    Ok((run(2 * BATCHES)? - run(BATCHES)?) / BATCHES / each)
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    if let ["count", name, workers, batches] = arguments[..] {
        let (thing, _) =
            THINGS.into_iter().find(|(thing, _)| format!("{thing:?}") == name).expect("the name of a thing");
        let mut rig = Rig::new(workers.parse().expect("a number of workers"));
        rig.watches = false;
        rig.measure(thing, batches.parse().expect("a number of batches"));
        return;
    }
    let effort = Effort::of_command_line();
    for (thing, name) in THINGS {
        let mut rigs = SIZES.map(|(workers, size)| (size, Rig::new(workers)));
        let batches = effort.events(if thing == Thing::Look { 20 } else { 50 }).min(50);
        let arms = rigs.iter_mut().map(|(size, rig)| Arm::new(*size, move || rig.measure(thing, batches)));
        compare(format!("fleet_machine, {name}"), effort.rounds(21), arms.collect());
    }
    if effort == Effort::Quick {
        return;
    }
    for (thing, name) in THINGS {
        // Those are the rest of what the machine is told of a death.
        if matches!(thing, Thing::Birth | Thing::Ready) {
            continue;
        }
        let name = if thing == Thing::Death { "a death, a birth, ready" } else { name };
        for (workers, size) in SIZES {
            match instructions(thing, workers) {
                Ok(instructions) => {
                    say(&format_args!("  {name:<30} {size:<15} {instructions:>9} instructions"))
                }
                Err(reason) => return say(&format_args!("  instructions: SKIPPED, {reason}")),
            }
        }
    }
}
