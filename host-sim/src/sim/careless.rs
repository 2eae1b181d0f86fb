//! A loop around the real decisions that loses some of what it is told, for seeing the rules broken that no
//! host breaks.

use super::{Pool, Sim};
use crate::check::Violation;
use crate::choice::Choices;
use crate::kernel::SECOND;
use crate::violation_of;
use host_core::action::Action;
use host_core::config::HostConfig;
use host_core::event::Event;
use host_core::fleet::beat::Pace;
use host_core::fleet::config::FleetConfig;
use host_core::fleet::message::FromWorker;
use host_core::host::Host;
use host_core::id::{Slot, WorkerId};
use host_core::sys::{Birth, Body, Child, Errno, Fact, Handle, Interest, OnHostDeath, Signal, SlotsId, Sys};
use host_core::time::{Duration, Instant};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

const MS: Duration = Duration::from_millis(1);
const SIGNALS: u64 = u64::MAX;
const LOG: &str = "/var/careless.log";

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loses {
    Nothing,
    /// Signals to workers: nobody is asked, nobody is killed.
    Signals,
    /// CONT: that it was stopped.
    Continues,
    /// Looks: nobody is ever judged.
    Looks,
    /// That its log is to be opened anew.
    Rotations,
}

struct Careless {
    sys: Rc<dyn Sys>,
    loses: Loses,
    page: SlotsId,
    host: Host,
    facts: VecDeque<Event>,
    /// With its end of a channel, as real hosts have one.
    children: Vec<(WorkerId, Child, Handle)>,
    /// How long a worker computes before it gives its next sign of life.
    work: Duration,
    log: Handle,
}

impl Careless {
    fn run(mut self) -> u8 {
        let signals = self
            .sys
            .signals(&[Signal::Chld, Signal::Cont, Signal::Term, Signal::Usr1])
            .expect("a descriptor");
        self.sys.poll_add(signals, SIGNALS, Interest::READ).expect("it is new");
        let mut events = Vec::new();
        loop {
            while let Some(event) = self.facts.pop_front() {
                let now = self.sys.now();
                self.sys.witness(Fact::Event(now, &event));
                self.host.handle_event(now, event);
                while let Some(action) = self.host.poll_action() {
                    self.sys.witness(Fact::Action(&action));
                    if matches!(action, Action::Finish(_)) {
                        return 0;
                    }
                    self.perform(action);
                }
                self.sys.witness(Fact::Settled(&self.host));
            }
            let deadline = self.host.next_deadline().map(|deadline| deadline.at);
            if self.sys.poll_wait(&mut events, deadline) == Err(Errno::INTR) {
                let _ = self.sys.poll_wait(&mut events, Some(Instant::ZERO));
            }
            for event in &events {
                if event.key != SIGNALS {
                    self.reap(event.key as usize);
                    continue;
                }
                while let Ok(signal) = self.sys.signal_read(signals) {
                    if !(signal == Signal::Cont && self.loses == Loses::Continues) {
                        self.facts.push_back(Event::Signalled(signal));
                    }
                }
            }
            self.facts.push_back(Event::Tick);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other orders are told to people")]
    fn perform(&mut self, action: Action) {
        match action {
            Action::Spawn { worker } => self.spawn(worker),
            Action::SignalWorker { worker, signal } if self.loses != Loses::Signals => {
                let child = self.children.iter().find(|(known, ..)| *known == worker);
                let _ = child.map(|(_, child, _)| self.sys.signal_child(child.handle, signal));
            }
            Action::ReadBeats { fleet } if self.loses != Loses::Looks => {
                let read = |(worker, ..): &(WorkerId, Child, Handle)| {
                    let slot = u32::from(worker.slot.number());
                    (*worker, self.sys.slot_read(self.page, slot, worker.incarnation))
                };
                let readings = self.children.iter().map(read).collect();
                self.facts.push_front(Event::Beats { fleet, readings });
            }
            Action::ReopenFiles if self.loses != Loses::Rotations => {
                self.sys.close(self.log);
                self.log = self.sys.log_open(LOG).expect("a file");
            }
            _ => {}
        }
    }

    fn spawn(&mut self, worker: WorkerId) {
        let slot = (self.page, u32::from(worker.slot.number()), worker.incarnation);
        self.sys.slot_claim(slot.0, slot.1, slot.2);
        let birth = Birth {
            title: "test: worker",
            keep: &[],
            output: None,
            slot,
            on_host_death: OnHostDeath::Exit,
            drain_timeout: Duration::ZERO,
        };
        let work = self.work;
        let body: Body = Box::new(move |sys| {
            loop {
                sys.pulse(Pace::Busy);
                sys.work(work);
            }
        });
        let (ours, theirs) = self.sys.channel().expect("a descriptor");
        self.sys.close(theirs);
        let child = self.sys.fork(&birth, body).expect("nothing fails here");
        let key = self.children.len() as u64;
        self.sys.poll_add(child.handle, key, Interest::READ).expect("it is new");
        self.facts.push_back(Event::Spawned { worker, pid: child.pid });
        self.facts.push_back(Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) });
        self.children.push((worker, child, ours));
    }

    fn reap(&mut self, key: usize) {
        let (worker, child, line) = &self.children[key];
        if let Ok(Some(status)) = self.sys.reap(child.handle, false) {
            let _ = self.sys.poll_delete(child.handle);
            self.sys.close(child.handle);
            self.sys.close(*line);
            self.facts.push_back(Event::WorkerExited { worker: *worker, status });
        }
    }
}

/// What is found in ten seconds of a host that loses something and has one worker with a heartbeat timeout of a
/// second.
fn found(loses: Loses, work: Duration, story: impl Fn(&mut Sim)) -> Option<&'static str> {
    seen(loses, work, story).map(|violation| violation.id)
}

/// The same, in all its words.
fn seen(loses: Loses, work: Duration, story: impl Fn(&mut Sim)) -> Option<Violation> {
    let fleet = FleetConfig {
        workers: Some(1),
        heartbeat_timeout: 1000 * MS,
        term_timeout: 500 * MS,
        ..FleetConfig::new("f")
    };
    let config = HostConfig { fleets: vec![fleet], poll_period: None, ..HostConfig::default() };
    let mut sim = Sim::new(Choices::seeded(0), &Pool::default());
    let host = sim.spawn("host", 0, move |sys| {
        let page = sys.slots(config.fleets[0].slots()).expect("memory");
        sys.witness(Fact::Begin(&config));
        let facts = [Event::Started { turns_max: None }].into();
        let host = Host::new(config);
        let log = sys.log_open(LOG).expect("a file");
        Careless { sys, loses, page, host, facts, children: Vec::new(), work, log }.run()
    });
    sim.kernel.borrow_mut().host = Some(host);
    sim.kernel.borrow_mut().give_number(host);
    sim.expect_end();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        story(&mut sim);
        sim.run_for(Duration::from_secs(10));
    }));
    ended.err().map(|payload| violation_of(&*payload))
}

#[test]
fn l2_a_hang_that_nobody_ends_is_seen() {
    let day = Duration::from_secs(86_400);
    assert_eq!(found(Loses::Nothing, day, |_| {}), None);
    assert_eq!(found(Loses::Signals, day, |_| {}), Some("L2"), "the kill is lost");
    assert_eq!(found(Loses::Looks, day, |_| {}), Some("L2"), "nobody looks");
    assert_eq!(found(Loses::Looks, 900 * MS, |_| {}), None, "and nobody hangs");
    let stop = |sim: &mut Sim| {
        sim.run_for(Duration::from_secs(1));
        sim.signal_worker(sim.workers()[0].pid, Signal::Stop);
    };
    assert_eq!(found(Loses::Looks, 900 * MS, stop), Some("L2"), "it is stopped");
}

#[test]
fn l4_a_stop_that_does_not_end_is_seen() {
    let term = |sim: &mut Sim| {
        sim.run_for(Duration::from_secs(1));
        sim.signal(Signal::Term);
    };
    assert_eq!(found(Loses::Nothing, 5 * MS, term), None);
    assert_eq!(found(Loses::Signals, 5 * MS, term), Some("L4"));
}

#[test]
fn s47_a_log_that_is_not_opened_anew_is_named_with_who_writes_to_it() {
    let rotated = |sim: &mut Sim| {
        sim.run_for(Duration::from_secs(1));
        sim.rotate_logs();
        sim.heal_and_settle();
    };
    assert_eq!(seen(Loses::Nothing, 5 * MS, rotated), None);
    let seen = seen(Loses::Rotations, 5 * MS, rotated).expect("it is seen");
    assert_eq!(seen.id, "S47", "{seen}");
    let pending = "`host` writes to what was `/var/careless.log` and was renamed";
    assert!(seen.detail.ends_with(pending), "{seen}");
}

/// Host and worker are stopped for five seconds soon after the worker's sign of life.
fn frozen(sim: &mut Sim) {
    sim.run_for(250 * MS);
    sim.signal(Signal::Stop);
    let worker = sim.workers()[0].pid;
    sim.signal_worker(worker, Signal::Stop);
    sim.run_for(Duration::from_secs(5));
    sim.signal(Signal::Cont);
    sim.signal_worker(worker, Signal::Cont);
}

#[test]
fn s4_a_pause_that_is_held_against_a_worker_is_seen() {
    let day = Duration::from_secs(86_400);
    assert_eq!(found(Loses::Nothing, day, frozen), None);
    assert_eq!(found(Loses::Continues, day, frozen), Some("S4"));
}

#[test]
fn s2_a_sign_of_life_that_a_predecessor_left_is_seen() {
    use crate::kernel::Kernel;
    use crate::kernel::process::Process;
    use crate::kernel::slots::Seat;
    // The tag of an incarnation comes back after 256 of them: so it is the claim that has to forget.
    for (claims, expected) in [(true, None), (false, Some("S2"))] {
        let mut kernel = Kernel::new(Choices::seeded(0), false);
        let page = kernel.slots(1);
        let seat = |incarnation| Seat { page, slot: u32::from(Slot::new(0).number()), incarnation };
        let mut worker = Process::new("worker 0.1".to_owned());
        worker.seat = Some(seat(1));
        kernel.processes.push(worker);
        kernel.now = SECOND;
        kernel.pulse(0, Pace::Busy);
        kernel.slot_read(seat(1));
        if claims {
            kernel.slot_claim(0, seat(257));
        }
        kernel.slot_read(seat(257));
        assert_eq!(kernel.violation.map(|found| found.id), expected, "the slot is claimed: {claims}");
    }
}
