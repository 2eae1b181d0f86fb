//! A supervisor over the system itself, as somebody writes one who knows how: and, one at a time, the mistakes
//! that others have made.

use host_core::fleet::beat::Pace;
use host_core::sys::{
    Birth, Body, Child, ChildNews, Errno, Handle, Interest, OnHostDeath, Pid, Signal, SlotsId, Sys,
};
use host_core::time::{Duration, Instant, WallTime};
use std::rc::Rc;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing is.
    None,
    // Hangs
    WatchesDeathsOnly,
    TrustsTheSilent,
    BootIsHang,
    ReadsPredecessor,
    WallClock,
    JudgesAfterSuspend,
    BeatsEachThreshold,
    BeatsOnlyWhenServing,
    LooksWithoutWaiting,
    // Deaths
    OneReapPerSignal,
    DiesOfStrangers,
    ForgetsTheKilled,
    KillsByNumber,
    WaitsForTheAsked,
    EndOfLineIsDeath,
    StopIsDeath,
    LeaksLines,
    // Births
    NoBackoff,
    GivesUp,
    AskedIsCrash,
    ForkFailureIsFatal,
    ForkFailureIsForGood,
    SleepsInLoop,
    CountsBelowNone,
    // Ends
    OrphansStay,
    NoEscalation,
    NoGraceForSurplus,
    DeafWhileStopping,
    RefillsWhileStopping,
    EndsBeforeItsChildren,
    InterruptIsFatal,
}

pub(crate) const WORKERS: u32 = 3;
/// As the fleet of ours has them.
const THRESHOLD: Duration = Duration::from_millis(1000);
const BOOT: Duration = Duration::from_millis(2000);
const DRAIN: Duration = Duration::from_millis(3000);
const TERM: Duration = Duration::from_millis(500);
const BACKOFF: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_millis(5000);
const LOOK_EACH: Duration = Duration::from_millis(100);
const BEAT_EACH: Duration = Duration::from_millis(250);
/// By how much one that beats once a timeout is late.
const LATE: Duration = Duration::from_millis(30);
/// Whoever dies as young as this has crashed.
const YOUNG: Duration = Duration::from_millis(1000);
/// After so many crashes in a row one who gives up does.
const CRASHES_MAX: u32 = 5;

const SIGNALS: u64 = u64::MAX;

/// Who sits in a slot.
struct Worker {
    child: Child,
    line: Handle,
    incarnation: u32,
    born: Instant,
    /// Since when it was asked to end, and until when it has time.
    asked: Option<Instant>,
    /// What was seen of its slot last, and when by the wall clock.
    seen: (Option<Instant>, WallTime),
}

#[derive(Default)]
struct Slot {
    worker: Option<Worker>,
    incarnations: u32,
    crashes: u32,
    /// Nobody is born here before.
    rests_until: Option<Instant>,
    abandoned: bool,
}

pub(crate) struct Naive {
    sys: Rc<dyn Sys>,
    flaw: Flaw,
    page: SlotsId,
    listener: Handle,
    slots: Vec<Slot>,
    target: i32,
    /// How it stops: with QUIT or with TERM.
    stopping: Option<Signal>,
    /// Numbers that are to be killed, and when.
    numbers: Vec<(Pid, Instant)>,
    /// The line ends of children that a forgetful one has not closed.
    theirs: Vec<Handle>,
    /// When it last looked, and since when it has seen everything.
    looked: Instant,
    trusts_from: Instant,
}

impl Naive {
    pub(crate) fn run(sys: Rc<dyn Sys>, flaw: Flaw) -> u8 {
        let page = sys.slots(16).expect("memory");
        let listener = sys.listen(([127, 0, 0, 1], 7000).into(), 16).expect("a free port");
        let told = [Signal::Chld, Signal::Cont, Signal::Term, Signal::Quit, Signal::Ttin, Signal::Ttou];
        let signals = sys.signals(&told).expect("a descriptor");
        sys.poll_add(signals, SIGNALS, Interest::READ).expect("it is new");
        let now = sys.now();
        let slots = (0..16).map(|_| Slot::default()).collect();
        let mut naive = Self {
            sys,
            flaw,
            page,
            listener,
            slots,
            target: WORKERS as i32,
            stopping: None,
            numbers: Vec::new(),
            theirs: Vec::new(),
            looked: now,
            trusts_from: now,
        };
        loop {
            if let Some(status) = naive.turn(signals) {
                return status;
            }
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// One turn of its loop; the status that it ends with.
    fn turn(&mut self, signals: Handle) -> Option<u8> {
        if let Some(status) = self.fill() {
            return Some(status);
        }
        let mut events = Vec::new();
        let wait = if self.has(Flaw::LooksWithoutWaiting) { Duration::ZERO } else { LOOK_EACH };
        match self.sys.poll_wait(&mut events, Some(self.sys.now() + wait)) {
            Ok(()) => {}
            Err(Errno::INTR) if !self.has(Flaw::InterruptIsFatal) => {}
            Err(_) => return Some(1),
        }
        while let Ok(signal) = self.sys.signal_read(signals) {
            if let Some(status) = self.signalled(signal) {
                return Some(status);
            }
        }
        if !self.has(Flaw::OneReapPerSignal) && !self.has(Flaw::EndOfLineIsDeath) {
            self.reap(usize::MAX);
        }
        if self.has(Flaw::EndOfLineIsDeath) {
            self.reap_whose_line_has_ended();
        }
        self.judge();
        self.escalate();
        let alive = self.slots.iter().any(|slot| slot.worker.is_some());
        (self.stopping.is_some() && !alive).then_some(0)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are nothing to it")]
    fn signalled(&mut self, signal: Signal) -> Option<u8> {
        if self.stopping.is_some() && self.has(Flaw::DeafWhileStopping) {
            return None;
        }
        match signal {
            Signal::Chld => return self.hear_of_children(),
            Signal::Cont => self.trusts_from = self.sys.now(),
            Signal::Term if self.has(Flaw::EndsBeforeItsChildren) => {
                self.ask_all(Signal::Term, TERM);
                return Some(0);
            }
            Signal::Term | Signal::Quit => {
                self.stopping = Some(signal);
                self.ask_all(signal, if signal == Signal::Term { TERM } else { DRAIN });
            }
            Signal::Ttin => self.target += 1,
            Signal::Ttou => {
                let least = if self.has(Flaw::CountsBelowNone) { i32::MIN } else { 0 };
                self.target = (self.target - 1).max(least);
            }
            _ => {}
        }
        None
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other news is none")]
    fn hear_of_children(&mut self) -> Option<u8> {
        if self.has(Flaw::OneReapPerSignal) {
            self.reap(1);
        }
        while let Some(news) = self.sys.child_news(true) {
            match news {
                ChildNews::StrangerReaped(_) if self.has(Flaw::DiesOfStrangers) => return Some(1),
                ChildNews::Stopped(pid) if self.has(Flaw::StopIsDeath) => {
                    let of = |slot: &&mut Slot| slot.worker.as_ref().is_some_and(|w| w.child.pid == pid);
                    if let Some(slot) = self.slots.iter_mut().find(of) {
                        slot.worker = None;
                    }
                }
                _ => {}
            }
        }
        None
    }

    // Deaths

    /// Reaps as many as have ended, at most so many.
    fn reap(&mut self, most: usize) {
        let mut reaped = 0;
        for index in 0..self.slots.len() {
            let Some(worker) = &self.slots[index].worker else { continue };
            if reaped < most && self.sys.reap(worker.child.handle, false).is_ok_and(|status| status.is_some())
            {
                reaped += 1;
                self.buried(index);
            }
        }
    }

    fn reap_whose_line_has_ended(&mut self) {
        for index in 0..self.slots.len() {
            let Some(worker) = &self.slots[index].worker else { continue };
            if self.sys.read(worker.line, &mut [0]) == Ok(0) {
                let _ = self.sys.reap(worker.child.handle, true);
                self.buried(index);
            }
        }
    }

    /// Whoever sat in a slot was reaped.
    fn buried(&mut self, index: usize) {
        let now = self.sys.now();
        let Some(worker) = self.slots[index].worker.take() else { return };
        self.sys.close(worker.child.handle);
        if !self.has(Flaw::LeaksLines) {
            self.sys.close(worker.line);
        }
        let asked = worker.asked.is_some() && !self.has(Flaw::AskedIsCrash);
        let (gives_up, backs_off) =
            (self.has(Flaw::GivesUp) || self.has(Flaw::AskedIsCrash), !self.has(Flaw::NoBackoff));
        let slot = &mut self.slots[index];
        let young = now.since(worker.born) < YOUNG;
        slot.crashes = if young && !asked { slot.crashes + 1 } else { 0 };
        slot.abandoned = gives_up && slot.crashes >= CRASHES_MAX;
        if slot.crashes > 0 && backs_off {
            let rest = BACKOFF.saturating_mul(1 << slot.crashes.min(16)).min(BACKOFF_MAX);
            slot.rests_until = Some(now + rest);
            if self.has(Flaw::SleepsInLoop) {
                // Until then it does nothing else.
                let _ = self.sys.wait(self.listener, Interest::NONE, Some(now + rest));
            }
        }
    }

    // Births

    /// Sees to it that there are as many as wanted; the status that it ends with.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others try again")]
    fn fill(&mut self) -> Option<u8> {
        if self.stopping.is_some() && !self.has(Flaw::RefillsWhileStopping) {
            return None;
        }
        let wanted = usize::try_from(self.target).unwrap_or(0);
        for index in 0..self.slots.len() {
            let rests = self.slots[index].rests_until.is_some_and(|until| until > self.sys.now());
            if index < wanted && self.slots[index].worker.is_none() && !rests && !self.slots[index].abandoned
            {
                if self.bear(index).is_ok() {
                    continue;
                }
                match self.flaw {
                    Flaw::ForkFailureIsFatal => return Some(1),
                    Flaw::ForkFailureIsForGood => self.slots[index].abandoned = true,
                    _ => self.slots[index].rests_until = Some(self.sys.now() + BACKOFF),
                }
            } else if index >= wanted {
                let grace = if self.has(Flaw::NoGraceForSurplus) { Duration::MAX } else { DRAIN };
                self.ask(index, Signal::Quit, grace);
            }
        }
        None
    }

    fn bear(&mut self, index: usize) -> Result<(), ()> {
        let sys = Rc::clone(&self.sys);
        let (line, theirs) = sys.channel().map_err(drop)?;
        let forgets_claim = self.has(Flaw::ReadsPredecessor);
        let incarnation = if forgets_claim { 1 } else { self.slots[index].incarnations + 1 };
        self.slots[index].incarnations = incarnation;
        if !forgets_claim {
            sys.slot_claim(self.page, index as u32, incarnation);
        }
        let orphans_stay = self.has(Flaw::OrphansStay);
        let keep = [&[theirs, self.listener], &self.theirs[..]].concat();
        let birth = Birth {
            title: "naive: worker",
            keep: &keep,
            output: None,
            slot: (self.page, index as u32, incarnation),
            on_host_death: if orphans_stay { OnHostDeath::Drain } else { OnHostDeath::Exit },
            drain_timeout: Duration::from_secs(if orphans_stay { 1 << 30 } else { 0 }),
        };
        let (flaw, listener) = (self.flaw, self.listener);
        let body: Body = Box::new(move |sys| work(&*sys, listener, flaw));
        let forked = sys.fork(&birth, body);
        if self.has(Flaw::EndOfLineIsDeath) {
            self.theirs.push(theirs);
        } else {
            sys.close(theirs);
        }
        let Ok(child) = forked else {
            sys.close(line);
            return Err(());
        };
        let seen = (None, sys.wall());
        self.slots[index].worker =
            Some(Worker { child, line, incarnation, born: sys.now(), asked: None, seen });
        Ok(())
    }

    // Hangs

    /// Kills whoever is silent.
    fn judge(&mut self) {
        let (now, wall) = (self.sys.now(), self.sys.wall());
        if now.since(self.looked) > LOOK_EACH * 3 && !self.has(Flaw::JudgesAfterSuspend) {
            // It was stopped itself, or not scheduled.
            self.trusts_from = now;
        }
        self.looked = now;
        if self.has(Flaw::WatchesDeathsOnly) || self.has(Flaw::NoEscalation) && self.stopping.is_some() {
            return;
        }
        let trusts_from = if self.has(Flaw::JudgesAfterSuspend) { Instant::ZERO } else { self.trusts_from };
        for index in 0..self.slots.len() {
            let Some(worker) = &mut self.slots[index].worker else { continue };
            let beat = self.sys.slot_read(self.page, index as u32, worker.incarnation).beat;
            let beat = beat.map(|beat| beat.at);
            if worker.seen.0 != beat {
                worker.seen = (beat, wall);
            }
            let silent = match (beat, self.flaw) {
                (None, Flaw::TrustsTheSilent) => false,
                (None, Flaw::BootIsHang) => now.since(worker.born) > THRESHOLD,
                (None, _) => now.since(worker.born.max(trusts_from)) > BOOT,
                (Some(_), Flaw::WallClock) => (wall.0 - worker.seen.1.0) > THRESHOLD.as_nanos() as i128,
                (Some(beat), _) => now.since(beat.max(trusts_from)) > THRESHOLD,
            };
            if !silent {
                continue;
            }
            let child = worker.child;
            if self.has(Flaw::WaitsForTheAsked) {
                let _ = self.sys.signal_child(child.handle, Signal::Term);
                let _ = self.sys.reap(child.handle, true);
                self.buried(index);
            } else {
                let _ = self.sys.signal_child(child.handle, Signal::Kill);
                if self.has(Flaw::ForgetsTheKilled) {
                    self.slots[index].worker = None;
                }
            }
        }
    }

    // Ends

    fn ask_all(&mut self, signal: Signal, grace: Duration) {
        for index in 0..self.slots.len() {
            if let Some(worker) = &mut self.slots[index].worker {
                worker.asked = None;
            }
            self.ask(index, signal, grace);
        }
    }

    /// Asks whoever sits in a slot to end, once.
    fn ask(&mut self, index: usize, signal: Signal, grace: Duration) {
        let by_number = self.has(Flaw::KillsByNumber);
        let now = self.sys.now();
        let Some(worker) = self.slots[index].worker.as_mut().filter(|worker| worker.asked.is_none()) else {
            return;
        };
        let until = if grace == Duration::MAX { Instant::from_nanos(u64::MAX) } else { now + grace };
        worker.asked = Some(until);
        let _ = self.sys.signal_child(worker.child.handle, signal);
        if by_number {
            self.numbers.push((worker.child.pid, until));
        }
    }

    /// Kills who has had time enough.
    fn escalate(&mut self) {
        if self.has(Flaw::NoEscalation) {
            return;
        }
        let now = self.sys.now();
        let numbers = std::mem::take(&mut self.numbers);
        let (due, later): (Vec<_>, Vec<_>) = numbers.into_iter().partition(|(_, until)| *until <= now);
        self.numbers = later;
        for worker in self.slots.iter().filter_map(|slot| slot.worker.as_ref()) {
            let asked = worker.asked.is_some_and(|until| until <= now);
            // Whoever has the number now.
            let named = due.iter().any(|(number, _)| *number == worker.child.pid);
            if asked || named {
                let _ = self.sys.signal_child(worker.child.handle, Signal::Kill);
            }
        }
    }
}

/// What a worker does: bytes come back until the client ends.
fn work(sys: &dyn Sys, listener: Handle, flaw: Flaw) -> u8 {
    let stays = flaw == Flaw::OrphansStay;
    let beat_each = if flaw == Flaw::BeatsEachThreshold { THRESHOLD } else { BEAT_EACH };
    let only_when_serving = flaw == Flaw::BeatsOnlyWhenServing;
    sys.pulse(Pace::Waiting);
    while stays || !sys.quit_asked() {
        if !only_when_serving {
            sys.pulse(Pace::Waiting);
        }
        let deadline = Some(sys.now() + beat_each);
        let asked = if stays {
            sys.wait(listener, Interest::READ, deadline)
        } else {
            sys.wait_or_quit(listener, Interest::READ, deadline)
        };
        if flaw == Flaw::BeatsEachThreshold {
            // What it does besides takes a moment.
            sys.work(LATE);
        }
        if !only_when_serving {
            sys.pulse(Pace::Busy);
        }
        // What its author wrote, and may hang in.
        let _ = sys.run_user(&mut || {});
        if asked.is_err() {
            continue;
        }
        let Ok((client, _)) = sys.accept(listener) else { continue };
        sys.pulse(Pace::Busy);
        let mut buffer = [0; 256];
        while sys.wait(client, Interest::READ, Some(sys.now() + BEAT_EACH)).is_ok() {
            let Ok(count) = sys.read(client, &mut buffer) else { break };
            if count == 0 || sys.write(client, &buffer[..count]) != Ok(count) {
                break;
            }
            sys.pulse(Pace::Busy);
        }
        sys.close(client);
    }
    0
}
