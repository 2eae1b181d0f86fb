//! The first process of a program, which has it run: it makes its own calls, forks the others, tells each when
//! it is its turn, and writes down what comes of it.
//!
//! One call is made at a time. A signal that may end a process, or stop it, is waited out before the next call,
//! so that what is compared is what a kernel does and not how fast.

use super::actor::{Actor, Outcome, told};
use super::program::{PROCESSES, Program, Step, Verb};
use host_core::sys::{
    Birth, Child, ChildNews, Errno, ExitStatus, Handle, Interest, OnHostDeath, Pid, Signal, SlotsId, Sys,
};
use host_core::time::Duration;
use std::rc::Rc;

/// How long something that takes microseconds may take; a bound, not a wait.
const BOUND: Duration = Duration::from_secs(10);
/// How long a child waits for its turn.
const PATIENCE: Duration = Duration::from_secs(60);
/// The order that is none: are you there?
const PING: u8 = u8::MAX;
/// For how long a simulated machine rests before a call; a real one is at rest when a call has come back.
const REST: Duration = Duration::from_millis(1);

/// What has become of a child.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Living,
    Stopped,
    Dead,
}

struct Player {
    child: Child,
    line: Handle,
    state: State,
}

/// Runs `program`, in the process of `sys` and in children of it; what comes of each step. `rests` says before
/// which of them a simulated machine comes to rest.
pub(crate) fn direct(
    sys: Rc<dyn Sys>,
    page: SlotsId,
    program: &Rc<Program>,
    rests: impl Fn(usize) -> bool,
) -> Vec<String> {
    let actor = Actor { sys, table: Vec::new() };
    let mut director =
        Director { actor, page, program: Rc::clone(program), players: Vec::new(), ports: Vec::new() };
    let mut outcomes = Vec::new();
    for (number, step) in program.steps.iter().enumerate() {
        if rests(number) {
            director.actor.sys.work(REST);
        }
        let outcome = director.step(number, step);
        outcomes.push(director.name(step, outcome));
    }
    director.actor.sys.work(REST);
    outcomes.extend(director.end());
    outcomes
}

struct Director {
    actor: Actor,
    page: SlotsId,
    program: Rc<Program>,
    players: Vec<Player>,
    /// Of each address that a step has listened at, or would have; and then others that were seen.
    ports: Vec<(String, u16)>,
}

impl Director {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are made by whoever has its turn")]
    fn step(&mut self, number: usize, step: &Step) -> Outcome {
        let port = self.port(step);
        if step.by > 0 && !self.stands(step) {
            return "not its turn".to_owned().into();
        }
        match step.verb {
            Verb::Fork => self.fork(number, step),
            Verb::SignalChild | Verb::Reap => {
                let Some(handle) = self.actor.handle(step.a) else { return "no handle".to_owned().into() };
                if step.verb == Verb::Reap { self.reap(handle) } else { self.signal(handle, step) }.into()
            }
            Verb::News => self.news().into(),
            Verb::SlotClaim => {
                self.actor.sys.slot_claim(self.page, step.a as u32 % 3, step.b as u32);
                "ok".to_owned().into()
            }
            Verb::SlotRead => {
                let reading = self.actor.sys.slot_read(self.page, step.a as u32 % 3, step.b as u32);
                format!("beat {}, {} requests", reading.beat.is_some(), reading.requests).into()
            }
            _ if step.by == 0 => self.actor.act(&self.program, number, port),
            _ => self.order(usize::from(step.by) - 1, number as u8, port),
        }
    }

    /// Whether the child that is to do something can.
    fn stands(&self, step: &Step) -> bool {
        let first = matches!(step.verb, Verb::Fork | Verb::SignalChild | Verb::Reap | Verb::News);
        let player = self.players.get(usize::from(step.by) - 1);
        !first && player.is_some_and(|player| player.state == State::Living)
    }

    // Children

    fn fork(&mut self, step_number: usize, step: &Step) -> Outcome {
        let place = self.actor.make_room(&self.program, step_number);
        let number = self.players.len() as u32 + 1;
        if number >= u32::from(PROCESSES) {
            return "enough".to_owned().into();
        }
        let kept = |place: usize| place < 64 && step.a & 1 << place != 0;
        let table: Vec<_> = (0..place).map(|place| self.actor.table[place].filter(|_| kept(place))).collect();
        let sys = Rc::clone(&self.actor.sys);
        let (mine, theirs) = sys.channel().expect("descriptors");
        let keep: Vec<_> = table.iter().flatten().copied().chain([theirs]).collect();
        let birth = Birth {
            title: "test: worker 0 (gen 0)",
            keep: &keep,
            output: None,
            slot: (self.page, number, 1),
            on_host_death: OnHostDeath::Exit,
            drain_timeout: Duration::ZERO,
        };
        let program = Rc::clone(&self.program);
        let forked = sys.fork(&birth, Box::new(move |sys| play(Actor { sys, table }, &program, theirs)));
        sys.close(theirs);
        let Ok(child) = forked.inspect_err(|_| sys.close(mine)) else {
            return "not forked".to_owned().into();
        };
        self.actor.table[place] = Some(child.handle);
        self.players.push(Player { child, line: mine, state: State::Living });
        self.find_out(self.players.len() - 1);
        "forked".to_owned().into()
    }

    fn signal(&mut self, handle: Handle, step: &Step) -> String {
        let Some(signal) = Signal::from_number(step.b as u32) else { return "no signal".to_owned() };
        let answer = self.actor.sys.signal_child(handle, signal);
        let found = self.players.iter().position(|player| player.child.handle == handle);
        if let (Ok(()), Some(place)) = (answer, found) {
            self.wait_out(place, signal);
        }
        told(answer, |()| "sent".to_owned())
    }

    /// Waits until a signal has done what it does to a child.
    fn wait_out(&mut self, place: usize, signal: Signal) {
        let player = &mut self.players[place];
        let pid = player.child.pid;
        match (player.state, signal) {
            (State::Dead, _) => {}
            (_, Signal::Kill) => {
                player.state = State::Living;
                self.find_out(place);
            }
            (State::Living, Signal::Stop) => {
                player.state = State::Stopped;
                self.await_news(ChildNews::Stopped(pid));
            }
            (State::Stopped, Signal::Cont) => {
                player.state = State::Living;
                self.find_out(place);
            }
            (State::Stopped, _) => {}
            (State::Living, _) => self.find_out(place),
        }
    }

    fn await_news(&self, wanted: ChildNews) {
        let sys = &self.actor.sys;
        let begun = sys.now();
        loop {
            match sys.child_news(false) {
                Some(news) if news == wanted => return,
                // Of another, from before.
                Some(_) => {}
                None => {
                    assert!(sys.now().since(begun) < BOUND, "{wanted:?} is not told");
                    let line = self.players[0].line;
                    let _ = sys.wait(line, Interest::NONE, Some(sys.now() + Duration::from_micros(100)));
                }
            }
        }
    }

    /// Asks a child whether it is there: it answers, or has ended.
    fn find_out(&mut self, place: usize) {
        let _ = self.order(place, PING, 0);
    }

    /// Gives a child its turn; what it says of it, or that it has ended.
    fn order(&mut self, place: usize, number: u8, port: u16) -> Outcome {
        let sys = Rc::clone(&self.actor.sys);
        let line = self.players[place].line;
        let [low, high] = port.to_le_bytes();
        let mut answer = [0; 2048];
        let length = match sys.write(line, &[number, low, high]) {
            Ok(_) => hear(&*sys, line, BOUND, &mut answer),
            // Nobody is at the other end.
            Err(_) => 0,
        };
        if let Some((port, text)) = answer[..length].split_first_chunk::<2>() {
            let text = String::from_utf8_lossy(text).into_owned();
            return Outcome { text, port: u16::from_le_bytes(*port) };
        }
        let player = &mut self.players[place];
        player.state = State::Dead;
        // Until it can be reaped, unless its handle was closed.
        let child = player.child.handle;
        match sys.wait(child, Interest::READ, Some(sys.now() + BOUND)) {
            Ok(_) | Err(Errno::BADF) => {}
            Err(errno) => panic!("a child has closed its line and not ended: {errno}"),
        }
        "it has ended".to_owned().into()
    }

    fn reap(&self, handle: Handle) -> String {
        told(self.actor.sys.reap(handle, false), |status| status.map_or_else(|| "lives".to_owned(), ended))
    }

    fn news(&self) -> String {
        match self.actor.sys.child_news(false) {
            None => "none".to_owned(),
            Some(ChildNews::Stopped(pid)) => format!("{} was stopped", self.who(pid)),
            Some(ChildNews::Continued(pid)) => format!("{} was continued", self.who(pid)),
            Some(ChildNews::StrangerReaped(_)) => "a stranger was reaped".to_owned(),
        }
    }

    fn who(&self, pid: Pid) -> String {
        let place = self.players.iter().position(|player| player.child.pid == pid);
        place.map_or_else(|| "a stranger".to_owned(), |place| (place + 1).to_string())
    }

    /// Ends whoever is left; how each has ended.
    fn end(&mut self) -> Vec<String> {
        let sys = Rc::clone(&self.actor.sys);
        let end = |(number, player): (usize, &Player)| {
            let child = player.child.handle;
            let _ = sys.signal_child(child, Signal::Kill);
            let status = sys.reap(child, true);
            let status = told(status, |status| status.map_or_else(|| "lives".to_owned(), ended));
            format!("child {} at the end: {status}", number + 1)
        };
        self.players.iter().enumerate().map(end).collect()
    }

    // Addresses

    /// The port that a step connects to.
    fn port(&self, step: &Step) -> u16 {
        let wanted = format!("address {}", step.a);
        let known = self.ports.iter().find(|(name, _)| step.verb == Verb::Connect && *name == wanted);
        known.map_or(0, |(_, port)| *port)
    }

    /// The words for an outcome, with names for its ports.
    fn name(&mut self, step: &Step, outcome: Outcome) -> String {
        let Outcome { text, port } = outcome;
        if step.verb == Verb::Listen {
            let count = self.ports.iter().filter(|(name, _)| name.starts_with("address")).count();
            self.ports.push((format!("address {count}"), port));
            return text;
        }
        if port == 0 {
            return text;
        }
        let known = self.ports.iter().rev().find(|(_, known)| *known == port).map(|(name, _)| name.clone());
        let name = known.unwrap_or_else(|| {
            let name = format!("port {}", self.ports.len());
            self.ports.push((name.clone(), port));
            name
        });
        format!("{text}, {name}")
    }
}

/// What a child does: its turns, until nobody gives it any.
fn play(mut actor: Actor, program: &Program, line: Handle) -> u8 {
    let sys = Rc::clone(&actor.sys);
    loop {
        let mut order = [0; 3];
        if hear(&*sys, line, PATIENCE, &mut order) < order.len() {
            return 0;
        }
        let [number, low, high] = order;
        let outcome = match program.steps.get(usize::from(number)) {
            None => Outcome::from(String::new()),
            Some(step) if step.verb == Verb::Exit => return step.a as u8,
            Some(_) => actor.act(program, usize::from(number), u16::from_le_bytes([low, high])),
        };
        let answer = [&outcome.port.to_le_bytes(), outcome.text.as_bytes()].concat();
        // It has no signals between two calls.
        while sys.write(line, &answer) == Err(Errno::INTR) {}
    }
}

/// Waits for a message; its length, 0 at the end.
fn hear(sys: &dyn Sys, line: Handle, patience: Duration, into: &mut [u8]) -> usize {
    let deadline = Some(sys.now() + patience);
    loop {
        match sys.wait(line, Interest::READ, deadline) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => panic!("waiting for a message: {errno}"),
        }
        match sys.read(line, into) {
            Ok(length) => return length,
            Err(Errno::CONNRESET) => return 0,
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => panic!("reading a message: {errno}"),
        }
    }
}

/// How a process has ended; whether it left a core is for the machine to decide.
fn ended(status: ExitStatus) -> String {
    match status {
        ExitStatus::Signal { number, .. } => ExitStatus::Signal { number, core: false }.to_string(),
        status @ (ExitStatus::Code(_) | ExitStatus::Unknown) => status.to_string(),
    }
}
