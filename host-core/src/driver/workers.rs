//! The children of a host: forking them, hearing of them, reading their slots.

use super::output::{self, Captured, Pipes, Reading};
use super::reasons::failed;
use super::{Driver, NamedListener, confinement};
use crate::app::App;
use crate::app::fleet::{Body, Fleet};
use crate::app::policy::Policies;
use crate::error::{ConfigError, Error, Mistake, RunError, exit};
use crate::event::Event;
use crate::fleet::config::FleetConfig;
use crate::fleet::lanes::Lanes;
use crate::fleet::message::{FromHost, FromWorker};
use crate::fleet::reason;
use crate::id::{FleetId, Slot, WorkerHandle, WorkerId};
use crate::notice::Notice;
use crate::sys::{
    Birth, ChildNews, Confinement, Errno, ExitStatus, ForkError, Handle, Interest, Pid, Signal, SlotsId, Sys,
};
use crate::time::Duration;
use crate::worker::{Link, Worker};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::rc::Rc;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What the loop keeps of its children.
#[derive(Default)]
pub(super) struct Children {
    fleets: Vec<Staffed>,
    links: BTreeMap<WorkerId, Child>,
    /// Fleets whose slots are to be read.
    pub(super) looks: VecDeque<FleetId>,
    pub(super) reading: Reading,
}

/// A fleet's description, and its page of slots.
struct Staffed {
    config: Rc<FleetConfig>,
    body: Body,
    confinement: Rc<Confinement>,
    policies: Policies,
    slots: SlotsId,
    /// How many lines of each worker are told in a second; none if nobody reads what they print.
    output_rate: Option<u32>,
    /// With whom the next look at memory begins.
    memory_from: Slot,
    /// The last worker whose body failed, and why.
    reason: Option<(WorkerId, String)>,
}

/// One child.
struct Child {
    /// Readable when it has ended.
    process: Handle,
    /// This end of its channel.
    channel: Handle,
    /// The channel has not ended: it is watched.
    heard: bool,
    /// What it prints, if that is captured.
    captured: Option<Captured>,
}

/// How many messages of one child are read in one wake: one that floods must not keep the others waiting. The rest
/// is reported again.
const MESSAGES_MAX: u32 = 16;
/// And when it has died, so that its last words are heard: more than a channel holds.
const LAST_WORDS_MAX: u32 = 1024;
/// For how long the host looks at the memory of workers in one go: the kernel walks page tables for some figures, and
/// meanwhile nobody is served.
const MEMORY_LOOK_MAX: Duration = Duration::from_millis(2);

impl Children {
    /// Makes the pages, and looks whether this process may fork at all.
    pub(super) fn prepare(
        fleets: Vec<Fleet>,
        sys: &dyn Sys,
        mistakes: &mut Vec<Mistake>,
    ) -> Result<Self, RunError> {
        if fleets.is_empty() {
            return Ok(Self::default());
        }
        let processors = sys.processors();
        let threads =
            sys.threads().map_err(|errno| RunError::System { call: "reading /proc/self/task", errno })?;
        if threads > 1 {
            mistakes.push(Mistake {
                field: "this process".into(),
                found: format!("one of {threads} threads"),
                wanted: ForkError::Threads { count: threads }.to_string(),
            });
        }
        let mut staffed = Vec::new();
        for Fleet { mut config, body, policies, listens: _, output_rate } in fleets {
            config.workers.get_or_insert(processors);
            let confinement = Rc::new(confinement::of(&config, sys, mistakes));
            let slots =
                sys.slots(config.slots()).map_err(|errno| RunError::System { call: "mmap", errno })?;
            let config = Rc::new(config);
            staffed.push(Staffed {
                config,
                body,
                policies,
                confinement,
                slots,
                output_rate,
                reason: None,
                memory_from: Slot::new(0),
            });
        }
        Ok(Self { fleets: staffed, ..Self::default() })
    }

    /// The fleets' settings, with what only the system knew.
    pub(super) fn configs(&self) -> Vec<FleetConfig> {
        self.fleets.iter().map(|fleet| (*fleet.config).clone()).collect()
    }
    /// The children of one fleet, by slot.
    fn of(&self, fleet: FleetId) -> impl Iterator<Item = (&WorkerId, &Child)> {
        let first = WorkerId { fleet, slot: Slot::new(0), incarnation: 0 };
        let last = WorkerId { fleet, slot: Slot::new(u16::MAX), incarnation: u32::MAX };
        self.links.range(first..=last)
    }

    pub(super) fn policies(&self, fleet: FleetId) -> &Policies {
        &self.fleets[fleet.index()].policies
    }

    pub(super) fn keep_reason(&mut self, worker: WorkerId, reason: &str) {
        self.fleets[worker.fleet.index()].reason = Some((worker, reason.to_string()));
    }

    /// Why the body of this worker failed, if it was the last of its fleet whose body did.
    pub(super) fn reason(&self, worker: WorkerId) -> Option<&String> {
        let (of, reason) = self.fleets[worker.fleet.index()].reason.as_ref()?;
        (*of == worker).then_some(reason)
    }

    pub(super) fn name(&self, fleet: FleetId) -> Rc<FleetConfig> {
        Rc::clone(&self.fleets[fleet.index()].config)
    }

    /// The output of a worker, to tell of it.
    pub(super) fn take_captured(&mut self, worker: WorkerId) -> Option<Captured> {
        self.links.get_mut(&worker)?.captured.take()
    }

    pub(super) fn give_captured_back(&mut self, worker: WorkerId, captured: Captured) {
        let child = self.links.get_mut(&worker).expect("whoever tells of a child does not forget it");
        child.captured = Some(captured);
    }
}

impl Driver {
    pub(super) fn spawn(&mut self, worker: WorkerId) {
        let event = match self.try_spawn(worker) {
            Ok((pid, child)) => {
                self.children.links.insert(worker, child);
                Event::Spawned { worker, pid }
            }
            Err(error) => Event::SpawnFailed { worker, error },
        };
        // A fork takes its time, and the next one is judged by when it was made.
        self.shared.now = self.shared.sys.now();
        self.shared.registry.tell(event);
    }

    /// All or nothing: no child that is not watched.
    fn try_spawn(&self, worker: WorkerId) -> Result<(Pid, Child), ForkError> {
        let sys = &self.shared.sys;
        let Some(rate) = self.children.fleets[worker.fleet.index()].output_rate else {
            return self.bear(worker, None);
        };
        let Pipes { ours, theirs } = Pipes::make(&**sys)?;
        let born = self.bear(worker, Some(theirs));
        output::close(&**sys, theirs);
        let (pid, mut child) = born.inspect_err(|_| output::close(&**sys, ours))?;
        match self.watch_output(worker, pid, ours, rate) {
            Ok(captured) => child.captured = Some(captured),
            Err(errno) => {
                output::close(&**sys, ours);
                for handle in [child.process, child.channel] {
                    // They were registered a moment ago.
                    let _ = sys.poll_delete(handle);
                }
                return Err(self.abandon(child.process, child.channel, errno));
            }
        }
        Ok((pid, child))
    }

    /// As above, but for what the child prints, which goes to the writing ends `output`, if there are any.
    fn bear(&self, worker: WorkerId, output: Option<[Handle; 2]>) -> Result<(Pid, Child), ForkError> {
        let failed = |call| move |errno| ForkError::System { call, errno };
        let sys = &self.shared.sys;
        let fleet = &self.children.fleets[worker.fleet.index()];
        let (ours, theirs) = sys.channel().map_err(failed("socketpair"))?;
        let (slot, incarnation) = (u32::from(worker.slot.number()), worker.incarnation);
        sys.slot_claim(fleet.slots, slot, incarnation);
        let theirs_too = self.shared.listeners.iter().filter(|listener| listener.is_for(worker.fleet));
        let listeners: Rc<[_]> = theirs_too.cloned().collect();
        let mut keep: Vec<_> =
            listeners.iter().flat_map(|listener| listener.sockets.iter().copied()).collect();
        keep.push(theirs);
        let birth = Birth {
            title: &format!("{}: worker {} (gen {GENERATION})", fleet.config.name, worker.slot),
            keep: &keep,
            output,
            slot: (fleet.slots, slot, incarnation),
            on_host_death: fleet.config.on_host_death,
            drain_timeout: fleet.config.drain_timeout,
        };
        let (config, body) = (Rc::clone(&fleet.config), fleet.body.clone());
        let confinement = Rc::clone(&fleet.confinement);
        let child = sys.fork(
            &birth,
            Box::new(move |sys| be_worker(sys, worker, config, &confinement, theirs, &listeners, &body)),
        );
        sys.close(theirs);
        let child = child.inspect_err(|_| sys.close(ours))?;
        let process = child.handle;
        let watched =
            sys.poll_add(process, worker.key(WorkerHandle::Process), Interest::READ).and_then(|()| {
                let key = worker.key(WorkerHandle::Channel);
                sys.poll_add(ours, key, Interest::READ).inspect_err(|_| {
                    // It was registered a moment ago.
                    let _ = sys.poll_delete(process);
                })
            });
        if let Err(errno) = watched {
            return Err(self.abandon(process, ours, errno));
        }
        Ok((child.pid, Child { process, channel: ours, heard: true, captured: None }))
    }

    /// Ends a child that cannot be watched: nobody would hear of its death.
    fn abandon(&self, process: Handle, channel: Handle, errno: Errno) -> ForkError {
        let sys = &self.shared.sys;
        // It has not been reaped: both calls name this child.
        let _ = sys.signal_child(process, Signal::Kill);
        let _ = sys.reap(process, true);
        sys.close(process);
        sys.close(channel);
        ForkError::System { call: "epoll_ctl", errno }
    }

    /// The poller reports one of a child's handles.
    pub(super) fn report_child(&mut self, worker: WorkerId, handle: WorkerHandle) {
        match handle {
            WorkerHandle::Channel => self.hear(worker, MESSAGES_MAX),
            WorkerHandle::Process => self.reap(worker),
            WorkerHandle::Output(stream) => self.read_output(worker, stream),
        }
    }

    fn reap(&mut self, worker: WorkerId) {
        let Some(child) = self.children.links.get(&worker) else { return };
        let answer = match self.shared.sys.reap(child.process, false) {
            // User code has waited for all children: this one is gone, and how it ended is known to that code.
            Err(Errno::CHILD) => Ok(Some(ExitStatus::Unknown)),
            answer => answer,
        };
        match answer {
            Ok(Some(status)) => {
                self.hear(worker, LAST_WORDS_MAX);
                self.forget(worker);
                self.ask_on_exit(worker, status);
                self.shared.registry.tell(Event::WorkerExited { worker, status });
            }
            // It was reported too early.
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => self.shared.registry.tell(Event::SystemFailed { call: "waitid", errno }),
        }
    }

    /// Takes both handles out of the poller before they are closed: a sibling may hold the description.
    fn forget(&mut self, worker: WorkerId) {
        // Its last words are told before its death is.
        self.end_output(worker);
        let Some(child) = self.children.links.remove(&worker) else { return };
        let sys = &self.shared.sys;
        for (handle, watched) in [(child.process, true), (child.channel, child.heard)] {
            if watched {
                // It can only fail because it is not registered, which is what is wanted.
                let _ = sys.poll_delete(handle);
            }
            sys.close(handle);
        }
    }

    fn hear(&mut self, worker: WorkerId, most: u32) {
        let mut packet = [0; reason::PACKET_MAX];
        for _ in 0..most {
            let Some(child) = self.children.links.get_mut(&worker).filter(|child| child.heard) else {
                return;
            };
            match self.shared.sys.read(child.channel, &mut packet) {
                Ok(0) => {
                    // It comes before the death, or the worker has closed it: no fact of its own.
                    child.heard = false;
                    let _ = self.shared.sys.poll_delete(child.channel);
                    return;
                }
                Ok(length) => {
                    let packet = &packet[..length];
                    match reason::decode(packet) {
                        Some(reason) => self.body_failed(worker, reason),
                        None => {
                            let message = FromWorker::decode(packet);
                            self.shared.registry.tell(Event::WorkerSaid { worker, message });
                        }
                    }
                }
                // What it sent before it died is still there: read on to the end.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(_) => return,
            }
        }
    }

    pub(super) fn signal_worker(&self, worker: WorkerId, signal: Signal) {
        let Some(child) = self.children.links.get(&worker) else { return };
        if let Err(errno) = self.shared.sys.signal_child(child.process, signal) {
            self.shared.registry.tell(Event::SignalFailed { worker, signal, errno });
        }
    }

    pub(super) fn reopen(&mut self, worker: WorkerId) {
        let Some(child) = self.children.links.get(&worker).filter(|child| child.captured.is_none()) else {
            return;
        };
        match self.shared.sys.hand_outputs(child.process) {
            // One that has none, or is about to be reaped.
            Ok(()) | Err(Errno::NOTCONN | Errno::SRCH | Errno::PIPE | Errno::CONNRESET) => {}
            Err(errno) => {
                let fleet = self.children.name(worker.fleet);
                let notice = Notice::OutputsKept { worker, errno };
                self.tell_about(Some(&fleet.name), None, Some(worker.fleet), None, &notice);
            }
        }
    }

    /// One that cannot be told – its channel is full, or it is about to be reaped – does not wait in its loop.
    pub(super) fn nudge(&self, worker: WorkerId) {
        let Some(child) = self.children.links.get(&worker) else { return };
        while self.shared.sys.write(child.channel, &FromHost::Look.encode()) == Err(Errno::INTR) {}
    }

    /// One that cannot be told at this moment is told later: its lanes wait.
    pub(super) fn mind(&self, worker: WorkerId, lanes: Lanes) {
        let Some(child) = self.children.links.get(&worker) else { return };
        loop {
            match self.shared.sys.write(child.channel, &FromHost::Mind(lanes).encode()) {
                Ok(_) => return,
                Err(Errno::INTR) => {}
                Err(_) => return self.shared.registry.tell(Event::MindFailed { worker }),
            }
        }
    }

    pub(super) fn read_beats(&mut self, fleet: FleetId) -> Event {
        // The moment before the slots: nobody looks older than it was when it was read.
        self.shared.now = self.shared.sys.now();
        let slots = self.children.fleets[fleet.index()].slots;
        let read = |(worker, _): (&WorkerId, &Child)| {
            let slot = u32::from(worker.slot.number());
            (*worker, self.shared.sys.slot_read(slots, slot, worker.incarnation))
        };
        let readings = self.children.of(fleet).map(read).collect();
        Event::Beats { fleet, readings }
    }

    pub(super) fn read_memory(&mut self, fleet: FleetId) {
        let sys = &self.shared.sys;
        let figure = self.children.fleets[fleet.index()].config.memory.figure;
        let begun = sys.now();
        let mut now = begun;
        let mut readings = Vec::new();
        let mut next = Slot::new(0);
        // Those whose turn has not come are first the next time.
        let from = self.children.fleets[fleet.index()].memory_from;
        let first = self.children.of(fleet).find(|(worker, _)| worker.slot >= from);
        let from = first.map_or(next, |(worker, _)| worker.slot);
        for (worker, child) in self.children.of(fleet).filter(|(worker, _)| worker.slot >= from) {
            if !readings.is_empty() && now.since(begun) >= MEMORY_LOOK_MAX {
                next = worker.slot;
                break;
            }
            readings.push((*worker, sys.memory(child.process, figure)));
            now = sys.now();
        }
        self.children.fleets[fleet.index()].memory_from = next;
        self.shared.now = now;
        self.shared.registry.tell(Event::Memory { fleet, readings });
    }

    pub(super) fn read_child_news(&self, reap_strangers: bool) {
        while let Some(news) = self.shared.sys.child_news(reap_strangers) {
            self.shared.registry.tell(match news {
                ChildNews::Stopped(pid) => Event::ChildStopped { pid },
                ChildNews::Continued(pid) => Event::ChildContinued { pid },
                ChildNews::StrangerReaped(pid) => Event::StrangerReaped { pid },
            });
        }
    }

    /// The loop cannot go on: nobody is left behind.
    pub(super) fn kill_all(&mut self) {
        for worker in self.children.links.keys().copied().collect::<Vec<_>>() {
            if let Some(child) = self.children.links.get(&worker) {
                let sys = &self.shared.sys;
                // It has not been reaped, so this names it; and then nothing but its end can come.
                let _ = sys.signal_child(child.process, Signal::Kill);
                let _ = sys.reap(child.process, true);
            }
            self.forget(worker);
        }
    }
}

/// Which version of code and configuration the workers run; there is one until reload has a meaning.
pub(super) const GENERATION: u32 = 1;

/// The whole life of a worker; answers its exit status.
fn be_worker(
    sys: Rc<dyn Sys>,
    id: WorkerId,
    config: Rc<FleetConfig>,
    confinement: &Confinement,
    channel: Handle,
    listeners: &Rc<[NamedListener]>,
    body: &Body,
) -> u8 {
    // Most have nothing to give up, and save the call.
    if !confinement.is_empty()
        && let Err(error) = sys.confine(confinement)
    {
        // The first message: there is room. If the host is gone, nobody is left to be told.
        while sys.write(channel, &FromWorker::Unconfined(error).encode()) == Err(Errno::INTR) {}
        return exit::UNCONFINED;
    }
    let link = match Link::new(Rc::clone(&sys), id, config, channel) {
        Ok(link) => link,
        Err(errno) => return failed(&*sys, channel, id, "worker", &errno),
    };
    // It was asked to quit before it began (preforker 2.1, 9).
    if !link.is_wanted() {
        return exit::STOPPED;
    }
    let mut worker = Worker::new(Rc::clone(&link), Rc::clone(listeners));
    match body {
        Body::Missing => exit::CONFIG,
        Body::Run(body) => match body(&mut worker) {
            Ok(()) => exit::STOPPED,
            // It was interrupted in the midst of something because it was asked to quit: that is no failure.
            Err(error) if !link.is_wanted() && is_canceled(&error) => exit::STOPPED,
            Err(error) => failed(&*sys, channel, id, &link.config.name, &*error),
        },
        Body::Host(app) => {
            let app = app(&worker);
            drop(worker);
            let result = run_in_worker(app, Rc::clone(&sys), Rc::clone(&link), listeners);
            if let Err(error) = &result {
                failed(&*sys, channel, id, &link.config.name, error);
            }
            exit::status(&result)
        }
    }
}

/// Apart, so that the stack of a worker that runs a loop of its own has no room for a driver: each page of it that
/// is touched first costs a fault.
#[inline(never)]
fn run_in_worker(
    mut app: App,
    sys: Rc<dyn Sys>,
    link: Rc<Link>,
    listeners: &[NamedListener],
) -> Result<(), RunError> {
    let mut mistakes = Vec::new();
    for fleet in app.fleets.drain(..) {
        mistakes.push(Mistake {
            field: format!("fleet `{}`", fleet.config.name),
            found: "in a worker".into(),
            wanted: "must be in the application that is started: workers have no workers".into(),
        });
    }
    for listen in &app.listens {
        if listeners.iter().any(|listener| listener.name == listen.name) {
            mistakes.push(Mistake {
                field: format!("listen `{}`", listen.name),
                found: "that of the host, too".into(),
                wanted: "needs a name of its own; the host's listeners are there by their names".into(),
            });
        }
    }
    if app.record.is_some() {
        mistakes.push(Mistake {
            field: "record".into(),
            found: "in a worker".into(),
            wanted: "must be in the application that is started: all workers would write into one file"
                .into(),
        });
    }
    if !mistakes.is_empty() {
        return Err(ConfigError { mistakes }.into());
    }
    super::run_worker(app, sys, link, listeners)
}

fn is_canceled(error: &Error) -> bool {
    error.downcast_ref::<Errno>().is_some_and(|errno| *errno == Errno::CANCELED) || is_canceled_io(error)
}

#[cfg(feature = "std")]
fn is_canceled_io(error: &Error) -> bool {
    error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error)
        == Some(Errno::CANCELED.raw())
}

#[cfg(not(feature = "std"))]
fn is_canceled_io(_: &Error) -> bool {
    false
}
