//! How long after its threshold a worker that hangs is killed.
//!
//! Workers that sleep, spin, or are stopped, at work or while they wait; each notes the moment after its last
//! sign of life – one that is stopped while it waits owes none: there it is the moment of the stop. From that
//! moment to the notice of the kill, which comes after the system call, less the threshold. Less than zero
//! would be a kill too early.
//!
//! All kinds hang at the same time, over and over, in one host; by hand, in a process beside it, one child
//! that sleeps, whose parent waits exactly so long and then sends KILL.

use benches::bare::{Child, await_all, dies_with_us, sleep_for_ever};
use benches::{Effort, Latencies, now, program, say, tell};
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
use host_core::id::WorkerId;
use host_core::notice::{Notice, Record};
use host_core::sys::Pid;
use host_core::{App, Connected, Context, Fleet, Ready, Result, Service, Worker};
use rustix::process::{Signal, getpid, kill_process};
use rustix::time::Timespec;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

/// How a worker hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Sleeps,
    Spins,
    Stopped,
    StoppedWhileItWaits,
}

/// One that spins takes a processor; the others take nothing.
const KINDS: [(Kind, &str, u32); 4] = [
    (Kind::Sleeps, "sleeps", 4),
    (Kind::Spins, "spins", 1),
    (Kind::Stopped, "stopped at work", 4),
    (Kind::StoppedWhileItWaits, "stopped while it waits", 4),
];

/// How long at most until a worker hangs: beats and looks come at odd moments.
const PHASE_MICROS: u64 = 25_000;

/// A moment and the number of the process that tells it.
type Message = [u8; 12];

fn message(moment: u64, pid: u32) -> Message {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&moment.to_ne_bytes());
    bytes[8..].copy_from_slice(&pid.to_ne_bytes());
    bytes
}

fn parsed(bytes: Message) -> (u64, Pid) {
    let (moment, pid) = bytes.split_at(8);
    let moment = u64::from_ne_bytes(moment.try_into().expect("eight bytes"));
    (moment, Pid(u32::from_ne_bytes(pid.try_into().expect("four bytes"))))
}

/// What a worker of a kind does.
fn hang(worker: &mut Worker, kind: Kind, mut says: &PipeWriter) -> Result {
    worker.wanted();
    if kind == Kind::StoppedWhileItWaits {
        while worker.pause(Duration::from_secs(3600)) {}
        return Ok(());
    }
    worker.pause(Duration::from_micros(worker.random() % PHASE_MICROS));
    if !worker.wanted() {
        return Ok(());
    }
    let moment = now();
    says.write_all(&message(moment, worker.pid().0))?;
    match kind {
        Kind::Spins => loop {
            std::hint::spin_loop();
        },
        Kind::Stopped => kill_process(getpid(), Signal::STOP)?,
        Kind::Sleeps | Kind::StoppedWhileItWaits => {}
    }
    sleep_for_ever()
}

/// What the host tells, and what comes of it.
struct Stage {
    threshold: u64,
    pids: BTreeMap<WorkerId, Pid>,
    /// Who is to be stopped.
    waiting: Vec<Pid>,
    /// Since when somebody hangs.
    since: BTreeMap<Pid, u64>,
    hears: PipeReader,
    ways: Vec<Latencies>,
    too_early: u32,
}

impl Stage {
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is of interest here")]
    fn hear(&mut self, record: &Record<'_>) {
        let Notice::Fleet(notice) = record.notice else { return };
        let kind = record.fleet.map_or(0, |fleet| fleet.index());
        match *notice {
            FleetNotice::Spawned { worker, pid } => {
                self.pids.insert(worker, pid);
            }
            FleetNotice::Ready { worker, .. } if KINDS[kind].0 == Kind::StoppedWhileItWaits => {
                self.waiting.extend(self.pids.get(&worker));
            }
            FleetNotice::Killed { worker, intent: Intent::Hung } => {
                let killed = now();
                match self.hung_since(worker) {
                    Some(since) => {
                        let late = killed as i64 - since as i64 - self.threshold as i64;
                        self.ways[kind].nanos.push(late);
                    }
                    None => self.too_early += 1,
                }
            }
            FleetNotice::Died(death) => {
                self.pids.remove(&death.worker);
            }
            _ => {}
        }
    }

    /// Since when a worker hangs that was killed for it; `None` if it does not.
    fn hung_since(&mut self, worker: WorkerId) -> Option<u64> {
        let pid = *self.pids.get(&worker)?;
        let at_once = Some(Timespec { tv_sec: 0, tv_nsec: 0 });
        while !self.since.contains_key(&pid) && await_all(&[&self.hears], at_once).ok()? {
            let mut bytes = Message::default();
            self.hears.read_exact(&mut bytes).ok()?;
            let (moment, pid) = parsed(bytes);
            self.since.insert(pid, moment);
        }
        self.since.remove(&pid)
    }
}

/// Stops those who wait, and the host when it is time.
struct Stopper {
    stage: Rc<RefCell<Stage>>,
    end: u64,
}

impl Service for Stopper {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        cx.wake_at(cx.now());
        Ok(Connected::Yes)
    }

    fn receive(&mut self, _: &mut Context<'_>, _: Ready) -> Result {
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        if now() >= self.end {
            cx.stop();
            return Ok(());
        }
        let mut stage = self.stage.borrow_mut();
        if let Some(pid) = stage.waiting.pop() {
            let number = rustix::process::Pid::from_raw(pid.0 as i32).ok_or("nobody has the number 0")?;
            stage.since.insert(pid, now());
            kill_process(number, Signal::STOP)?;
        }
        let rest = Duration::from_micros(cx.random() % PHASE_MICROS);
        cx.wake_at(cx.now() + rest);
        Ok(())
    }
}

fn host(threshold: Duration, duration: Duration) -> Result<(Vec<Latencies>, u32)> {
    let (hears, says) = io::pipe()?;
    let says = Rc::new(says);
    let stage = Rc::new(RefCell::new(Stage {
        threshold: threshold.as_nanos() as u64,
        pids: BTreeMap::new(),
        waiting: Vec::new(),
        since: BTreeMap::new(),
        hears,
        ways: KINDS.map(|(_, name, _)| Latencies::new(name)).into(),
        too_early: 0,
    }));
    let heard = Rc::clone(&stage);
    let end = now() + duration.as_nanos() as u64;
    let mut app = App::new("hang")
        .poll_period_off()
        .service(Stopper { stage: Rc::clone(&stage), end })
        .on_notice(move |record| heard.borrow_mut().hear(record));
    for (kind, name, workers) in KINDS {
        let says = Rc::clone(&says);
        let fleet = Fleet::new(name)
            .workers(workers)
            .heartbeat_timeout(threshold)
            .term_timeout(Duration::from_millis(50))
            // Nobody counts as having died young: each is replaced at once.
            .stable_after(Duration::from_nanos(1))
            .run(move |worker| hang(worker, kind, &says));
        app = app.fleet(fleet);
    }
    host_sys::run(app)?;
    let stage = stage.borrow();
    Ok((stage.ways.clone(), stage.too_early))
}

/// The same with system calls; prints what it measures.
fn by_hand(threshold: Duration, duration: Duration) -> Result {
    let end = now() + duration.as_nanos() as u64;
    let threshold = threshold.as_nanos() as u64;
    while now() < end {
        let (mut hears, mut says) = io::pipe()?;
        let child = Child::fork(|| {
            says.write_all(&message(now(), 0))?;
            sleep_for_ever();
        })?;
        let mut bytes = Message::default();
        hears.read_exact(&mut bytes)?;
        let (since, _) = parsed(bytes);
        let left = (since + threshold).saturating_sub(now());
        let left = Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as i64 };
        if await_all(&[&child], Some(left))? {
            return Err("it has died by itself".into());
        }
        child.kill()?;
        let late = now() as i64 - since as i64 - threshold as i64;
        child.reap()?;
        say(&late);
    }
    Ok(())
}

fn run(threshold: Duration, duration: Duration) -> Result {
    let (wait, last) = (threshold.as_millis().to_string(), duration.as_millis().to_string());
    let mut command = program::this(&["by-hand", &wait, &last])?;
    let beside = dies_with_us(&mut command).stdout(Stdio::piped()).spawn()?;
    let hosted = host(threshold, duration);
    let output = beside.wait_with_output()?;
    let mut by_hand = Latencies::new("by hand, sleeps");
    by_hand.nanos = String::from_utf8(output.stdout)?.lines().filter_map(|line| line.parse().ok()).collect();
    let (ways, too_early) = hosted?;
    let ways: Vec<_> = std::iter::once(by_hand).chain(ways).collect();
    tell(format_args!("fleet_hang, {wait} ms, kill after the threshold"), &ways);
    if too_early > 0 {
        say(&format_args!("  {too_early} workers were killed that did not hang"));
    }
    Ok(())
}

fn main() {
    let effort = Effort::of_command_line();
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let ms = |text: &str| Duration::from_millis(text.parse().expect("milliseconds"));
    let result = match &arguments[..] {
        [by_hand, threshold, duration] if by_hand == "by-hand" => self::by_hand(ms(threshold), ms(duration)),
        _ => {
            let rows = match effort {
                Effort::Quick => &[(100, 400)][..],
                Effort::Full => &[(100, 4_000), (500, 5_000), (3_000, 9_500)],
            };
            let each = |(threshold, duration): &(u64, u64)| {
                run(Duration::from_millis(*threshold), Duration::from_millis(*duration))
            };
            rows.iter().try_for_each(each)
        }
    };
    if let Err(error) = result {
        say(&format_args!("fleet_hang: FAILED, {error}"));
        std::process::exit(1);
    }
}
