//! How long it takes until a worker can serve: one that is wanted, and one in the place of one that died.
//!
//! The host is a fleet in `host_sys::run`, whose workers do nothing; a service in the same host gives the
//! orders, reads the clock, and in turn does the same by hand, in the same process, where a fork costs the same:
//! fork(2), pidfd_open(2) and a byte on a pipe. One thing is done every few milliseconds, so that each begins
//! on a machine that is idle.
//!
//! From the call of `resize` to the notice that the new worker is ready; from kill(2) to the notice that the
//! last replacement is, for one death and for some at once.

use benches::bare::Sleeper;
use benches::{Effort, Latencies, now, say, tell};
use host_core::fleet::notice::FleetNotice;
use host_core::id::WorkerId;
use host_core::notice::{Notice, Record};
use host_core::sys::Pid;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use rustix::process::{Signal, kill_process};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

/// Between two things that are done.
const PAUSE: Duration = Duration::from_millis(3);
const FLEET: &str = "idle";

#[derive(Clone, Copy)]
enum Task {
    /// One worker more than this many.
    Birth { beside: u32 },
    /// So many deaths at once.
    Deaths(u32),
}

impl Task {
    /// How many workers there are before it.
    fn workers(self) -> u32 {
        match self {
            Self::Birth { beside } => beside,
            Self::Deaths(count) => count,
        }
    }
}

/// What the host's notices tell, and what comes of it.
struct Stage {
    alive: BTreeMap<WorkerId, Pid>,
    ready: u32,
    /// Since when so many are awaited.
    awaited: Option<(u64, u32)>,
    host: Latencies,
}

impl Stage {
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is of interest here")]
    fn hear(&mut self, notice: &FleetNotice) {
        match *notice {
            FleetNotice::Spawned { worker, pid } => {
                self.alive.insert(worker, pid);
            }
            FleetNotice::Ready { .. } => {
                self.ready += 1;
                match &mut self.awaited {
                    Some((begin, 1)) => {
                        self.host.since(*begin);
                        self.awaited = None;
                    }
                    Some((_, more)) => *more -= 1,
                    None => {}
                }
            }
            FleetNotice::Died(death) => {
                self.alive.remove(&death.worker);
                self.ready -= 1;
            }
            _ => {}
        }
    }
}

/// Orders one thing after the other.
struct Director {
    task: Task,
    rounds: usize,
    stage: Rc<RefCell<Stage>>,
    by_hand: Rc<RefCell<Latencies>>,
    sleepers: Vec<Sleeper>,
    done: usize,
}

impl Director {
    /// Does one thing, by hand or through the host; whether it was the last.
    fn next(&mut self, cx: &mut Context<'_>) -> Result<bool> {
        let workers = self.task.workers();
        let is_settled = {
            let stage = self.stage.borrow();
            stage.awaited.is_none() && stage.ready == workers && stage.alive.len() == workers as usize
        };
        if !is_settled {
            // One that was one more is asked to leave.
            if self.stage.borrow().awaited.is_none() {
                cx.resize(FLEET, workers);
            }
            return Ok(false);
        }
        // In each round both, and the other one first each time.
        let through_host = (self.done % 4 == 1) || (self.done % 4 == 2);
        if self.done == 2 * self.rounds {
            return Ok(true);
        }
        self.done += 1;
        if through_host { self.through_host(cx) } else { self.by_hand() }?;
        Ok(false)
    }

    fn through_host(&mut self, cx: &mut Context<'_>) -> Result {
        let mut stage = self.stage.borrow_mut();
        match self.task {
            Task::Birth { beside } => {
                stage.awaited = Some((now(), 1));
                cx.resize(FLEET, beside + 1);
            }
            Task::Deaths(count) => {
                stage.awaited = Some((now(), count));
                for pid in stage.alive.values() {
                    let pid =
                        rustix::process::Pid::from_raw(pid.0 as i32).ok_or("nobody has the number 0")?;
                    kill_process(pid, Signal::KILL)?;
                }
            }
        }
        Ok(())
    }

    fn by_hand(&mut self) -> Result {
        match self.task {
            Task::Birth { .. } => {
                let begin = now();
                let sleeper = Sleeper::ready()?;
                self.by_hand.borrow_mut().since(begin);
                sleeper.end()?;
            }
            Task::Deaths(count) => {
                while self.sleepers.len() < count as usize {
                    self.sleepers.push(Sleeper::ready()?);
                }
                let begin = now();
                Sleeper::replace(&mut self.sleepers)?;
                self.by_hand.borrow_mut().since(begin);
            }
        }
        Ok(())
    }
}

impl Service for Director {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now() + PAUSE);
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        if self.next(cx)? {
            for sleeper in self.sleepers.drain(..) {
                sleeper.end()?;
            }
            cx.stop();
        } else {
            cx.wake_at(host_core::time::Instant::from_nanos(now()) + PAUSE);
        }
        Ok(())
    }
}

/// A body that waits until it is not wanted any more.
fn wait(worker: &mut Worker) -> Result {
    while worker.wanted() {
        worker.pause(Duration::from_secs(3600));
    }
    Ok(())
}

fn run(title: &str, task: Task, rounds: usize) -> Result {
    let by_hand = Rc::new(RefCell::new(Latencies::new("by hand")));
    let host = Latencies::new("host");
    let stage = Rc::new(RefCell::new(Stage { alive: BTreeMap::new(), ready: 0, awaited: None, host }));
    let director = Director {
        task,
        rounds,
        stage: Rc::clone(&stage),
        by_hand: Rc::clone(&by_hand),
        sleepers: Vec::new(),
        done: 0,
    };
    let fleet = Fleet::new(FLEET)
        .workers(task.workers())
        // Nobody counts as having died young: each is replaced at once.
        .stable_after(Duration::from_nanos(1))
        .run(wait);
    let heard = Rc::clone(&stage);
    let app = App::new("birth").poll_period_off().fleet(fleet).service(director).on_notice(
        move |record: &Record<'_>| {
            if let Notice::Fleet(notice) = record.notice {
                heard.borrow_mut().hear(notice);
            }
        },
    );
    host_sys::run(app)?;
    tell(title, &[by_hand.borrow().clone(), stage.borrow().host.clone()]);
    Ok(())
}

fn main() {
    let effort = Effort::of_command_line();
    let rounds = effort.rounds(400);
    let tasks = [
        ("fleet_birth, fork to ready", Task::Birth { beside: 1 }, rounds),
        ("fleet_birth, death to replacement", Task::Deaths(1), rounds),
        ("fleet_birth, 4 deaths to the last replacement", Task::Deaths(4), rounds / 2),
        ("fleet_birth, 16 deaths to the last replacement", Task::Deaths(16), rounds / 4),
    ];
    for (title, task, rounds) in tasks {
        if let Err(error) = run(title, task, rounds.max(1)) {
            say(&format_args!("{title}: FAILED, {error}"));
            std::process::exit(1);
        }
    }
}
