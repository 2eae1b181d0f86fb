//! A run: a simulated machine, an application on it, clients, faults, and time.

#[cfg(test)]
mod careless;
mod core;
mod end_state;
mod machine;
mod scripted;
mod settle;
#[cfg(test)]
mod supervisor;

pub use machine::{WorkerState, WorkerView};
pub use scripted::Scripted;

use crate::check::Violation;
use crate::choice::{Choice, Choices, Script, Stream};
use crate::client::{self, Client, ClientError, Clients, Endings};
use crate::coroutine::{Body, Gate, Stacks};
use crate::fault::{Class, Faults};
use crate::kernel::{Happening, Index, Kernel, MILLISECOND, Nanos, SECOND};
use crate::marks::sometimes;
use crate::story::Story;
use crate::sys::{SimSys, exit, panic_message};
use crate::trace::{Who, line};
use host_core::app::App;
use host_core::driver::{self, Until};
use host_core::error::{RunError, exit as status};
use host_core::sys::{ExitStatus, Signal, Sys};
use host_core::time::{Duration, Instant};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What carries over from run to run: for speed, and to be watched.
#[derive(Clone, Default)]
pub struct Pool {
    stacks: Rc<RefCell<Stacks>>,
    running: Arc<Running>,
}

/// Which process of the present run was the last to go on: for a watchdog in another thread.
#[derive(Debug, Default)]
pub struct Running {
    index: AtomicU32,
    names: Mutex<Vec<String>>,
}

impl Running {
    /// What it is called in timelines: `host`, `worker 3.1`, `client 0`.
    pub fn name(&self) -> String {
        let index = self.index.load(Ordering::Relaxed) as usize;
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.get(index).cloned().unwrap_or_else(|| "a process".to_owned())
    }

    /// A process is to be called by a name; number 0 begins a run.
    fn born(&self, index: Index, name: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if index == 0 {
            names.clear();
        }
        if names.len() <= index as usize {
            names.resize(index as usize + 1, String::new());
        }
        name.clone_into(&mut names[index as usize]);
    }
}

impl Pool {
    /// The process that last went on: for a watchdog in another thread.
    pub fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

/// How `run` of each host process ended.
type HostResults = Rc<RefCell<BTreeMap<Index, Result<(), RunError>>>>;

/// A simulated machine.
///
/// Everything on it happens in virtual time, in an order that the seed decides. A broken invariant ends
/// the run by a panic with a [`Violation`], which `harness::check!` turns into a report.
pub struct Sim {
    kernel: Rc<RefCell<Kernel>>,
    bodies: Vec<Option<Body>>,
    pool: Pool,
    app: Option<Rc<dyn Fn() -> App>>,
    until: Until,
    host_results: HostResults,
    /// The host may end: somebody told it to, or the test is about how it ends.
    may_end: bool,
    clients_left: Rc<RefCell<usize>>,
    /// How many clients each call asked for.
    client_calls: Vec<u32>,
    /// How long the most patient client waits in each of its calls.
    patience: Duration,
    /// Events until the present virtual second began, and that second.
    pace: (u64, Nanos),
    /// After so many events nobody is interested any more.
    events_max: u64,
    /// A broken rule is not printed.
    quiet: bool,
}

/// More events than this in one virtual second are a run that never ends. A call costs 0.7 µs and leaves a
/// few events, of itself and of what it brings about, so that a process makes some ten million at most;
/// and this for ten processes that do nothing else.
const EVENTS_A_SECOND_MAX: u64 = 100_000_000;

impl Sim {
    /// A machine on which `choices` decide.
    pub fn new(choices: Choices, pool: &Pool) -> Self {
        Self::with_trace(choices, pool, false)
    }

    /// Also keeps every event, so that two runs can be compared.
    pub fn with_full_trace(choices: Choices, pool: &Pool) -> Self {
        Self::with_trace(choices, pool, true)
    }

    /// Also keeps what a [`Story`] tells: for a run that is to be explained. The run is the same.
    pub fn with_story(choices: Choices, pool: &Pool) -> Self {
        let sim = Self::with_trace(choices, pool, true);
        sim.kernel.borrow_mut().trace.keep_book();
        sim
    }

    fn with_trace(choices: Choices, pool: &Pool, full: bool) -> Self {
        Self {
            kernel: Rc::new(RefCell::new(Kernel::new(choices, full))),
            bodies: Vec::new(),
            pool: pool.clone(),
            app: None,
            until: Until::Stopped,
            host_results: HostResults::default(),
            may_end: false,
            clients_left: Rc::default(),
            client_calls: Vec::new(),
            patience: client::PATIENCE,
            pace: (0, 0),
            events_max: u64::MAX,
            quiet: false,
        }
    }

    // What is on the machine.

    /// Starts the application in a process of its own. `app` is called anew whenever the operator
    /// starts it again.
    ///
    /// # Panics
    /// If a host or a [`supervisor`](Self::supervisor) was started already.
    #[track_caller]
    pub fn host(&mut self, app: impl Fn() -> App + 'static) {
        self.refuse_a_second_host();
        self.app = Some(Rc::new(app));
        self.start_host(0);
    }

    #[track_caller]
    fn refuse_a_second_host(&self) {
        let kernel = self.kernel.borrow();
        if let Some(host) = kernel.host {
            let name = &kernel.processes[host as usize].name;
            panic!("a simulated machine runs one host or supervisor, and has a {name} already");
        }
    }

    /// Starts a supervisor of another make in the place of a host: a program over the system itself, which ends with
    /// the answered status. Faults strike it and its children as they would a host and its workers, and
    /// [`workers`](Self::workers) are its children.
    ///
    /// What it decides is its own affair. Of the rules, those are checked for which it is enough to look at the machine:
    ///
    /// - it reaps whoever has died before it waits (S14), keeps no descriptors but two for each child beside those that
    ///   it had at first (S23), does not spin (S34) or panic (S45), and ends after its children (S38) and only when it
    ///   was told to (H2): by [`signal`](Self::signal), or since that is [expected](Self::expect_end);
    /// - its children begin with the documented signals (S43), their signs of life are their own (S2), they take no work
    ///   once they were asked to quit (S37), and end with it as was said at their birth (S42).
    ///
    /// All others go by the facts and orders of a host, and there are none: nobody asks whether it kills the right ones, in
    /// time, and no more than it should, nor whether a stop comes to its end. [`heal`](Self::heal) heals it, too;
    /// but [`heal_and_settle`](Self::heal_and_settle) and [`heal_core_and_settle`](Self::heal_core_and_settle) demand no
    /// more of it than that it lives and that clients come to their end (L3), not that it has its workers (L1, L7) or
    /// that nobody hangs (L2): what it must come to, the test has to say. [`fleet`](Self::fleet) knows of none.
    ///
    /// Nobody can start it again: where [`Class::Kick`] may strike, it has to take USR1, whose default ends it (H2).
    ///
    /// # Panics
    /// If a [`host`](Self::host) or a supervisor was started already.
    #[track_caller]
    pub fn supervisor(&mut self, body: impl FnOnce(Rc<dyn Sys>) -> u8 + 'static) {
        self.refuse_a_second_host();
        let index = self.spawn("supervisor", 0, body);
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.host = Some(index);
        kernel.give_number(index);
        kernel.process(index).loops = true;
    }

    /// Runs the application for so many turns, to its end, and answers what `run` answered.
    ///
    /// # Errors
    /// As `run`.
    ///
    /// # Panics
    /// As [`host`](Self::host); also if it has not ended after a virtual day.
    #[track_caller]
    pub fn run_turns(&mut self, app: impl Fn() -> App + 'static, turns: u64) -> Result<(), RunError> {
        self.refuse_a_second_host();
        self.until = Until::Turns(turns);
        self.may_end = true;
        self.host(app);
        self.wait_for_host(Duration::from_secs(86_400))
    }

    /// Starts the application of [`host`](Self::host) once more, now, whether it runs or not: as an operator does who has
    /// stopped it, or does not know that it runs. Of several the host is the one that has begun its loop – it has
    /// its pid file then –, or, until then, the first; how the others ended is in [`turned_away`](Self::turned_away).
    ///
    /// # Panics
    /// If no host was started.
    #[track_caller]
    pub fn another_host(&mut self) {
        assert!(self.app.is_some(), "another host runs the application of the first");
        if self.host_status().is_some() {
            self.start_host(0);
        } else {
            self.spawn_host(0);
        }
    }

    /// What `run` answered in hosts that have ended, but for the present one: the first first.
    pub fn turned_away(&self) -> Vec<String> {
        let host = self.kernel.borrow().host;
        let results = self.host_results.borrow();
        let others = results.iter().filter(|(index, _)| Some(**index) != host);
        others.filter_map(|(_, result)| result.as_ref().err().map(ToString::to_string)).collect()
    }

    fn start_host(&mut self, delay: Nanos) {
        let host = self.spawn_host(delay);
        self.kernel.borrow_mut().host = host;
    }

    fn spawn_host(&mut self, delay: Nanos) -> Option<Index> {
        let app = self.app.clone()?;
        let (until, results) = (self.until, Rc::clone(&self.host_results));
        let next = self.kernel.borrow().processes.len() as Index;
        let host = self.spawn("host", delay, move |sys| {
            let ended = driver::run(app(), sys, until);
            let code = status::status(&ended);
            results.borrow_mut().insert(next, ended);
            code
        });
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.hosts.push(host);
        kernel.give_number(host);
        Some(host)
    }

    /// Runs `body` in a process of its own, to its end: a program over the system itself, for comparing
    /// the simulated kernel with the real one. It may fork; its children may outlive it.
    ///
    /// # Panics
    /// With a [`Violation`], if the body panics or has not ended after a virtual day.
    pub fn run_process(&mut self, body: impl FnOnce(Rc<dyn Sys>) + 'static) {
        let index = self.spawn("process", 0, |sys| {
            body(sys);
            0
        });
        self.kernel.borrow_mut().give_number(index);
        let ended = move |sim: &Self| sim.kernel.borrow().processes[index as usize].status.is_some();
        if !self.run_until(Duration::from_secs(86_400), ended) {
            self.fail(Violation::new("L3", format!("a process has not ended: {:?}", self.pending())));
        }
    }

    fn spawn(&mut self, name: &str, delay: Nanos, body: impl FnOnce(Rc<dyn Sys>) -> u8 + 'static) -> Index {
        let index = self.kernel.borrow_mut().spawn(name.to_owned(), delay);
        self.embody(index, body);
        index
    }

    /// Gives a process that the kernel knows a coroutine to run in.
    fn embody(&mut self, index: Index, body: impl FnOnce(Rc<dyn Sys>) -> u8 + 'static) {
        let gate = Rc::new(Gate::new());
        let kernel = Rc::clone(&self.kernel);
        self.pool.running.born(index, &kernel.borrow().processes[index as usize].name);
        let sys = Rc::new(SimSys { kernel: Rc::clone(&kernel), me: index, gate: Rc::clone(&gate) });
        let stack = self.pool.stacks.borrow_mut().take();
        let body = Body::new(stack, gate, move || exit(&kernel, index, || body(sys)));
        let place = index as usize;
        if self.bodies.len() <= place {
            self.bodies.resize_with(place + 1, || None);
        }
        self.bodies[place] = Some(body);
    }

    /// Makes coroutines of the children that were forked meanwhile.
    fn bear(&mut self) {
        loop {
            let next = self.kernel.borrow_mut().births.pop();
            let Some((index, body)) = next else { return };
            self.embody(index, body);
        }
    }

    /// Starts `count` clients of the listener `listener`, at moments within a second. Each runs `body`
    /// once, in a process of its own, and waits for up to ten seconds in each of its calls.
    pub fn clients(
        &mut self,
        listener: &str,
        count: usize,
        body: impl Fn(&mut Client) -> Result<(), ClientError> + 'static,
    ) -> Clients {
        let within_a_second = |sim: &Self, who| MILLISECOND + sim.choose(who, 1000) * MILLISECOND;
        self.start_clients(listener, count, client::PATIENCE, within_a_second, body)
    }

    /// Starts one client of the listener `listener`, now, which waits for up to `patience` in each of its calls.
    pub fn client(
        &mut self,
        listener: &str,
        patience: Duration,
        body: impl Fn(&mut Client) -> Result<(), ClientError> + 'static,
    ) -> Clients {
        self.patience = self.patience.max(patience);
        self.start_clients(listener, 1, patience, |_, _| 0, body)
    }

    fn start_clients(
        &mut self,
        listener: &str,
        count: usize,
        patience: Duration,
        delay: impl Fn(&Self, Index) -> Nanos,
        body: impl Fn(&mut Client) -> Result<(), ClientError> + 'static,
    ) -> Clients {
        let body = Rc::new(body);
        let endings: Endings = Rc::new(RefCell::new(vec![None; count]));
        let call = self.client_calls.len() as u32;
        self.client_calls.push(count as u32);
        for number in 0..count {
            // Whoever does not come keeps its seat, so that everybody else is who they were.
            let absent = self.kernel.borrow().choices.is_absent(call, number as u32);
            let (body, endings) = (Rc::clone(&body), Rc::clone(&endings));
            let (kernel, left) = (Rc::clone(&self.kernel), Rc::clone(&self.clients_left));
            let listener = listener.to_owned();
            *left.borrow_mut() += 1;
            let next = self.kernel.borrow().processes.len() as Index;
            let delay = delay(self, next);
            self.spawn(&format!("client {number}"), delay, move |sys| {
                let stream = None;
                let mut client = Client { kernel, sys, index: next, listener, stream, number, patience };
                let ended = if absent { Ok(()) } else { body(&mut client) };
                if let (Err(error), Some(book)) = (&ended, client.kernel.borrow_mut().trace.book_mut()) {
                    book.endings.insert(next, error.to_string());
                }
                let code = u8::from(ended.is_err());
                endings.borrow_mut()[number] = Some(ended);
                *left.borrow_mut() -= 1;
                code
            });
        }
        Clients { endings }
    }

    fn choose(&self, entity: u32, n: u32) -> Nanos {
        Nanos::from(self.kernel.borrow_mut().choices.choose(Stream::Workload, entity, n))
    }

    /// What may go wrong from here on. Each class is on in half of the runs, which is drawn anew by each call.
    ///
    /// That is so after [`heal`](Self::heal) as well: faults come again, in each [`run_for`](Self::run_for) from here on;
    /// those that were healed stay so. Whoever demands that something comes about within a bound once faults have
    /// stopped must heal again, and count from there: [`heal_and_settle`](Self::heal_and_settle) does so.
    pub fn faults(&mut self, faults: Faults) {
        let kernel = &mut *self.kernel.borrow_mut();
        kernel.faults = faults;
        // What was drawn before was drawn of others.
        kernel.plan.forget_swarm();
    }

    /// Whatever is planned of this class does not happen; all other decisions stay as they are.
    pub fn leave_out(&mut self, class: Class) {
        self.kernel.borrow_mut().plan.leave_out(class);
    }

    // Time.

    /// Lets `duration` pass, with faults planned in it.
    ///
    /// # Panics
    /// With a [`Violation`], if an invariant is broken.
    pub fn run_for(&mut self, duration: Duration) {
        let nanos = nanos(duration);
        self.kernel.borrow_mut().plan_faults(nanos);
        let limit = self.kernel.borrow().now + nanos;
        self.drive(limit, |_| false);
    }

    /// Lets time pass without further faults until `done`, for at most `bound`; whether it came.
    ///
    /// # Panics
    /// As [`run_for`](Self::run_for).
    pub fn run_until(&mut self, bound: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let limit = self.kernel.borrow().now + nanos(bound);
        self.drive(limit, &done);
        done(self)
    }

    /// The end of all faults; then a host that hangs is kicked and started again, every fleet has as many
    /// ready workers as are wanted and nobody who hangs, and every client comes to its end.
    ///
    /// # Panics
    /// As [`run_for`](Self::run_for); also if one does not, within a bound that follows from how long
    /// clients wait and hosts take to be found hung.
    pub fn heal_and_settle(&mut self) {
        self.heal();
        self.settle_fleets(self.patience_of_operators());
        self.settle_clients();
        self.settle_logs();
    }

    /// How long an operator takes to see that a host hangs, to kick it and to start it again.
    fn patience_of_operators(&self) -> Duration {
        self.kernel.borrow().threshold * 3
    }

    /// Demands that every client comes to its end (L3).
    fn settle_clients(&mut self) {
        // A client waits for its patience in each of its calls; the operator waits for twice the threshold
        // before the kick, and so may the clients that come then.
        let bound = self.patience * 60 + self.patience_of_operators() + Duration::from_secs(120);
        let left = Rc::clone(&self.clients_left);
        let settled = |sim: &Self| {
            let well = sim.kernel.borrow().host_is_well() || sim.may_end && sim.host_status().is_some();
            *left.borrow() == 0 && well
        };
        if !self.run_until(bound, settled) {
            let detail = self.pending().join("; ");
            self.fail(Violation::new("L3", format!("{bound:?} after the last fault: {detail}")));
        }
    }

    /// The end of all faults: what was broken stays broken, nothing new breaks, unless there are [`faults`](Self::faults)
    /// once more.
    pub fn heal(&mut self) {
        self.kernel.borrow_mut().heal();
    }

    /// Who has not come to an end, and what each is doing.
    pub fn pending(&self) -> Vec<String> {
        let kernel = self.kernel.borrow();
        let pending = kernel.processes.iter().filter(|process| process.status.is_none());
        pending.map(|process| format!("`{}` is {}", process.name, process.doing)).collect()
    }

    /// Lets the host end, and answers how `run` in it ended.
    ///
    /// # Errors
    /// As `run`.
    ///
    /// # Panics
    /// As [`run_for`](Self::run_for); also if it has not ended after `bound`, or was killed.
    pub fn wait_for_host(&mut self, bound: Duration) -> Result<(), RunError> {
        self.may_end = true;
        let ended = self.run_until(bound, |sim| sim.host_status().is_some());
        if !ended {
            self.fail(Violation::new("L3", format!("the host has not ended after {bound:?}")));
        }
        let host = self.kernel.borrow().host;
        let result = host.and_then(|host| self.host_results.borrow_mut().remove(&host));
        match result {
            Some(result) => result,
            None => {
                let detail = format!("the host did not come back from `run`: {:?}", self.host_status());
                self.fail(Violation::new("H2", detail))
            }
        }
    }

    /// Goes on to `limit`, or until `done`.
    fn drive(&mut self, limit: Nanos, done: impl Fn(&Self) -> bool) {
        self.kernel.borrow_mut().limit = limit;
        loop {
            self.bear();
            self.bury();
            let violation = {
                let kernel = &mut *self.kernel.borrow_mut();
                kernel.check_pid_files();
                kernel.violation.take()
            };
            if let Some(violation) = violation {
                self.fail(violation);
            }
            if done(self) {
                return;
            }
            let next = self.kernel.borrow_mut().next();
            match next {
                Some(what) => self.happen(what),
                None => {
                    let kernel = &mut *self.kernel.borrow_mut();
                    kernel.now = limit;
                    return;
                }
            }
            self.check_pace();
        }
    }

    fn happen(&mut self, what: Happening) {
        let mut kernel = self.kernel.borrow_mut();
        match what {
            Happening::Run { index, turn } => {
                if kernel.may_run(index, turn) {
                    drop(kernel);
                    self.pool.running.index.store(index, Ordering::Relaxed);
                    let body = self.bodies[index as usize].as_mut().expect("only a live process has a turn");
                    body.resume();
                }
            }
            Happening::Arrive { conn, side } => kernel.arrive(conn, side),
            Happening::Syn { conn, attempt } => kernel.syn(conn, attempt),
            Happening::Signal { index, signal } => kernel.signal(index, signal),
            Happening::Fault { index, begins } => kernel.strike(index, begins),
            Happening::Recur { class } => kernel.recur(class),
            Happening::Operator => {
                drop(kernel);
                self.operate();
            }
            Happening::Zombie { index } => kernel.become_zombie(index),
            Happening::Announce { index } => kernel.announce(index),
            Happening::Orphaned { index } => kernel.orphaned(index),
            Happening::OrphanDue { index } => kernel.check_orphan(index),
            Happening::SilenceDue { index } => kernel.check_silence_is_over(index),
            Happening::Act { index, act } => kernel.act_out(index, act),
            Happening::StopDue { index, stop, since } => kernel.check_stop_is_over(index, stop, since),
            Happening::LetGo { index } => kernel.let_go(index),
        }
    }

    /// The operator looks after the host: kicks one that hangs, starts one again that was kicked.
    fn operate(&mut self) {
        let mut kernel = self.kernel.borrow_mut();
        let Some(host) = kernel.host else { return };
        let process = kernel.process(host);
        match process.status {
            None if process.truth.hung_since.is_some() => {
                kernel.signal(host, Signal::Usr1);
                // It may be stopped: then the kick waits with it.
                kernel.after(SECOND, Happening::Operator);
            }
            None => {}
            Some(_) if self.may_end => {}
            Some(_) if process.truth.kept_out => {
                let is_replaced = kernel.replace_ended_host();
                drop(kernel);
                if !is_replaced {
                    sometimes!("a host that could not begin is started again");
                    self.start_host(SECOND);
                }
            }
            Some(ended) if was_kicked(ended) && self.app.is_none() => {
                let detail = format!("a kick has ended the {}, which nobody can start again", process.name);
                kernel.violate(Violation::new("H2", detail));
            }
            Some(ended) if was_kicked(ended) => {
                drop(kernel);
                self.start_host(100 * MILLISECOND);
            }
            Some(ended) => {
                let said = process.said.last().cloned().unwrap_or_default();
                kernel.violate(Violation::new("H2", format!("the host ended with {ended:?}: {said}")));
            }
        }
    }

    fn bury(&mut self) {
        loop {
            let next = self.kernel.borrow_mut().graveyard.pop();
            let Some(index) = next else { return };
            // The borrow has ended: destructors make system calls, to no effect. A process that was never
            // run by anybody here has no body.
            let body = self.bodies.get_mut(index as usize).and_then(Option::take);
            if let Some(stack) = body.and_then(Body::bury) {
                self.pool.stacks.borrow_mut().give_back(stack);
            }
        }
    }

    fn check_pace(&mut self) {
        let kernel = self.kernel.borrow();
        let (count, second) = (kernel.trace.count(), kernel.now / SECOND);
        drop(kernel);
        if second != self.pace.1 {
            self.pace = (count, second);
        } else if count > self.events_max {
            self.fail(Violation::new("test", format!("given up after {} events", self.events_max)));
        } else if count - self.pace.0 > EVENTS_A_SECOND_MAX {
            let detail = format!("more than {EVENTS_A_SECOND_MAX} events in one virtual second");
            self.fail(Violation::new("S34", detail));
        }
    }

    fn fail(&mut self, violation: Violation) -> ! {
        if !self.quiet {
            // The standard hook could not print it.
            eprintln!("{violation}");
        }
        std::panic::resume_unwind(Box::new(violation))
    }

    // What is asked of the run.

    /// Sends the host a signal, now.
    pub fn signal(&mut self, signal: Signal) {
        if matches!(signal, Signal::Int | Signal::Term | Signal::Quit | Signal::Kill) {
            self.may_end = true;
        }
        let kernel = &mut *self.kernel.borrow_mut();
        if let Some(host) = kernel.host {
            kernel.signal(host, signal);
        }
    }

    /// The end of the host is no surprise from here on.
    pub fn expect_end(&mut self) {
        self.may_end = true;
    }

    /// How the host process ended; `None` while it runs.
    pub fn host_status(&self) -> Option<ExitStatus> {
        let kernel = self.kernel.borrow();
        kernel.processes[kernel.host? as usize].status
    }

    /// What the host wrote on standard error.
    pub fn host_said(&self) -> Vec<String> {
        let kernel = self.kernel.borrow();
        kernel.host.map(|host| kernel.processes[host as usize].said.clone()).unwrap_or_default()
    }

    /// The virtual moment.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.kernel.borrow().now)
    }

    /// The rolling hash of everything so far: the same run has the same.
    pub fn hash(&self) -> u64 {
        self.kernel.borrow().trace.hash()
    }

    /// The rolling hash of what the host was told and ordered, without moments: two runs in which the
    /// world differs and the decisions do not have the same.
    pub fn decisions(&self) -> u64 {
        self.kernel.borrow().checks.decisions()
    }

    /// How many events the trace has counted.
    pub fn events(&self) -> u64 {
        self.kernel.borrow().trace.count()
    }

    /// How many facts and orders of the host were checked.
    pub fn facts(&self) -> u64 {
        self.kernel.borrow().checks.facts()
    }

    /// Every decision so far.
    pub fn choices(&self) -> Vec<Choice> {
        self.kernel.borrow().choices.log().to_vec()
    }

    /// The run so far, to be edited and run again.
    pub fn script(&self) -> Script {
        let kernel = self.kernel.borrow();
        Script::of(&kernel.choices, kernel.plan.faults())
    }

    /// How many clients each call of [`clients`](Self::clients) and [`client`](Self::client) asked for, so far.
    pub fn client_calls(&self) -> &[u32] {
        &self.client_calls
    }

    /// When this run left the one that it branched from, if it did.
    pub fn branched_at(&self) -> Option<Instant> {
        self.kernel.borrow().choices.branched_at()
    }

    /// One of many attempts: it ends after `events`, as a failed test, and says nothing when a rule is
    /// broken.
    pub fn give_up_after(&mut self, events: u64) {
        self.events_max = events;
        self.quiet = true;
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.kernel.borrow().choices.seed()
    }

    /// The faults that have begun, in one line, and which classes of them nobody ends.
    pub fn plan(&self) -> String {
        let kernel = self.kernel.borrow();
        let mut told = kernel.plan.until(kernel.now);
        let for_ever: Vec<_> = self.perpetual_faults().iter().map(|class| format!("{class:?}")).collect();
        if !for_ever.is_empty() {
            told += "; for ever: ";
            told += &for_ever.join(", ");
        }
        told
    }

    /// The classes of faults that nobody ends, since [`heal_core_and_settle`](Self::heal_core_and_settle) has left them.
    pub fn perpetual_faults(&self) -> Vec<Class> {
        self.kernel.borrow().broken.classes().collect()
    }

    /// How many faults of a class have struck.
    pub fn struck(&self, class: Class) -> u32 {
        self.kernel.borrow().plan.struck[class as usize]
    }

    /// The last `lines` events.
    pub fn timeline(&self, lines: usize) -> Vec<String> {
        let kernel = self.kernel.borrow();
        kernel.trace.tail(lines, &|who| kernel.name(who))
    }

    /// All that has happened so far, event by event; `None` unless the run was made
    /// [with a story](Self::with_story).
    pub fn story(&self) -> Option<Story> {
        Story::of(&self.kernel.borrow())
    }

    /// The first event in which this run and `other`, both with a full trace, differ; as a line each.
    pub fn first_difference(&self, other: &Self) -> Option<(String, String)> {
        let (mine, theirs) = (self.kernel.borrow(), other.kernel.borrow());
        let (left, right) = (mine.trace.full()?, theirs.trace.full()?);
        let same = left.iter().zip(right).take_while(|(left, right)| left == right).count();
        if same == left.len().max(right.len()) {
            return None;
        }
        let tell = |kernel: &Kernel, at: Option<&(u64, crate::trace::Entry)>| match at {
            Some((_, entry)) => line(entry, &kernel.name(entry.who), None),
            None => "(nothing more)".to_owned(),
        };
        Some((tell(&mine, left.get(same)), tell(&theirs, right.get(same))))
    }
}

impl Kernel {
    fn name(&self, who: Who) -> String {
        self.processes.get(who.0 as usize).map_or_else(|| "world".to_owned(), |process| process.name.clone())
    }
}

impl Drop for Sim {
    /// Ends every process with its kernel side already dead.
    fn drop(&mut self) {
        {
            let kernel = &mut *self.kernel.borrow_mut();
            for index in 0..kernel.processes.len() as Index {
                kernel.end(index, ExitStatus::by(Signal::Kill));
            }
        }
        self.bear();
        self.bury();
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.seed()).field("now", &self.now()).finish_non_exhaustive()
    }
}

/// Whether a host with this status was ended by a kick. Before it is armed, USR1 has its default.
fn was_kicked(ended: ExitStatus) -> bool {
    [ExitStatus::Code(status::KICKED), ExitStatus::by(Signal::Usr1)].contains(&ended)
}

/// What a panic of a run means: a broken invariant, or a demand of the test itself.
pub fn violation_of(payload: &(dyn std::any::Any + Send)) -> Violation {
    match payload.downcast_ref::<Violation>() {
        Some(violation) => violation.clone(),
        None => Violation::new("test", panic_message(payload)),
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX / 4)
}
