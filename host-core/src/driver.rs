//! The one loop: it turns what [`Sys`] reports into events, and actions into calls.
//!
//! It holds no policy. Whoever is called next, whatever is retried and for how long was decided by the
//! [`Host`]; so this loop runs on the real kernel and on a simulated one alike.

mod confinement;
mod context;
mod listeners;
mod logs;
mod manager;
mod output;
mod passed;
mod policies;
mod reasons;
mod recorder;
mod signals;
mod start;
mod workers;

pub use context::Context;
pub(crate) use listeners::NamedListener;

use crate::action::{Action, Ending, Why};
use crate::app::{App, Connected, Drained, Listening, Notifier, Service};
use crate::error::{Cause, RunError, ServiceError};
use crate::event::{Activity, Event, Outcome};
use crate::fleet::death::{Death, Intent};
use crate::host::Host;
use crate::id::{FleetId, ServiceId, SocketId, WorkerId};
use crate::io::Ready;
use crate::io::registry::Registry;
use crate::manager::Manager;
use crate::notice::{Notice, Record};
use crate::service::kick::{Callback, Site};
use crate::sys::{Errno, Fact, Handle, Interest, PollEvent, Signal, Sys};
use crate::time::Instant;
use crate::worker::Link;
use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::ToString;
use alloc::vec::Vec;
use logs::{BELL_KEY, Logs};
use recorder::Recorder;
use workers::Children;

/// How long a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until a signal, the application or a failure ends it. INT, TERM and USR1 of the process are the
    /// host's from the start to the end.
    Stopped,
    /// For this many turns at most, then it stops in order. For tests: the signals of the process are
    /// left alone, so that several such hosts can run side by side. Such a host has no fleets.
    Turns(u64),
}

/// The poller key of the signals; no socket can have it, since no seat is reused that often.
const SIGNAL_KEY: u64 = u64::MAX;
/// In a worker: that it is asked to quit, and its channel. No worker can have them either.
const QUIT_KEY: u64 = u64::MAX - 1;
const CHANNEL_KEY: u64 = u64::MAX - 2;

/// Runs an application on an operating system until it ends.
///
/// # Errors
/// How it ended, other than by an orderly stop. Nothing stays open or armed in any case.
pub fn run(app: App, sys: Rc<dyn Sys>, until: Until) -> Result<(), RunError> {
    Driver::start(app, sys, until)?.run()
}

/// Runs an application in a worker, on the listeners of its host, until the worker is asked to quit.
fn run_worker(
    app: App,
    sys: Rc<dyn Sys>,
    link: Rc<Link>,
    listeners: &[NamedListener],
) -> Result<(), RunError> {
    Driver::start_in_worker(app, sys, link, listeners)?.run()
}

/// What callbacks may reach through their [`Context`].
pub(crate) struct Shared {
    pub(crate) sys: Rc<dyn Sys>,
    pub(crate) registry: Rc<Registry>,
    pub(crate) listeners: Vec<NamedListener>,
    /// The names of all services, indexed by service.
    pub(crate) names: Vec<Rc<str>>,
    /// Added by a callback, and not yet taken in.
    pub(crate) added: Vec<Box<dyn Service>>,
    /// Randomness for services.
    pub(crate) random: crate::random::Random,
    /// The moment of the last fact.
    pub(crate) now: Instant,
    pub(crate) host: Host,
    pub(crate) recorder: Option<Recorder>,
    /// Of a worker's host: the worker.
    pub(crate) work: Option<Rc<Link>>,
}

struct Driver {
    shared: Shared,
    children: Children,
    /// Indexed by service; `None` once closed.
    services: Vec<Option<Box<dyn Service>>>,
    signals: Option<Handle>,
    pid_file: Option<Handle>,
    logs: Logs,
    manager: Option<Manager>,
    notifier: Option<Notifier>,
    on_notice: Option<Listening>,
    /// What the last callback failed with, until the host says what that means.
    cause: Option<Cause>,
    /// The first failure: what `run` answers.
    failure: Option<ServiceError>,
    ending: Option<Ending>,
    events: Vec<PollEvent>,
    wants_dispatches: bool,
    witnesses: bool,
}

impl Driver {
    fn run(mut self) -> Result<(), RunError> {
        loop {
            self.take_in_facts();
            if let Some(ending) = self.ending.take() {
                return self.finish(ending);
            }
            let deadline = self.shared.host.next_deadline().map(|deadline| deadline.at);
            let deadline = deadline.into_iter().chain(self.tell_manager()).chain(self.read_resting()).min();
            if let Some(work) = &self.shared.work {
                work.tell_ready();
                work.tell_what_is_owed();
            }
            self.write_recording(false);
            self.shared.sys.beat(self.shared.now, Site::Waiting);
            self.poll(deadline);
        }
    }

    /// Tells the host every fact there is, and carries out what it orders.
    fn take_in_facts(&mut self) {
        while let Some(event) = self.next_fact() {
            if self.ending.is_some() {
                continue;
            }
            let now = self.shared.now;
            if self.witnesses {
                self.shared.sys.witness(Fact::Event(now, &event));
            }
            if let Some(recorder) = &mut self.shared.recorder {
                recorder.event(now, &event);
            }
            if !self.shared.added.is_empty() {
                self.services.extend(self.shared.added.drain(..).map(Some));
            }
            let ticked = event == Event::Tick;
            self.shared.host.handle_event(now, event);
            while let Some(action) = self.shared.host.poll_action() {
                if self.witnesses {
                    self.shared.sys.witness(Fact::Action(&action));
                }
                if let Some(recorder) = &mut self.shared.recorder {
                    recorder.action(&action);
                }
                self.perform(action);
            }
            debug_assert!(
                !ticked || self.shared.host.next_deadline().is_none_or(|deadline| deadline.at > now),
                "the host wants to be woken in the past"
            );
            if self.witnesses {
                self.shared.sys.witness(Fact::Settled(&self.shared.host));
            }
        }
    }

    /// The beats first: between the reading of a slot and the verdict on it no callback may run.
    fn next_fact(&mut self) -> Option<Event> {
        match self.children.looks.pop_front() {
            Some(fleet) => Some(self.read_beats(fleet)),
            None => self.shared.registry.next_fact(),
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Call { service, callback } => self.call(service, callback),
            Action::Receive { service, socket, readiness } => {
                self.receive(service, Ready { socket, readiness });
            }
            Action::Watch { socket, interest } => self.watch(socket, interest),
            Action::Unwatch { socket } => {
                if let Some(socket) = self.shared.registry.find(socket)
                    && socket.watched.replace(false)
                {
                    socket.take_out();
                    socket.leave_waiting();
                }
            }
            Action::Look => self.poll(Some(Instant::ZERO)),
            Action::EndOnNextSignal => {
                // From here on the process may end at any moment.
                self.write_recording(true);
                // A worker ends at once by INT and TERM anyway, and a limited run has no signals.
                if self.signals.is_some()
                    && let Err(errno) = self.shared.sys.signals_end_process(&[Signal::Int, Signal::Term])
                {
                    self.shared.registry.tell(Event::SystemFailed { call: "sigaction", errno });
                }
            }
            Action::NotifyFailure { service, callback, why } => self.notify(service, callback, why),
            Action::CloseService { service } => self.close_service(service),
            Action::Tell { service, notice } => {
                let name = service.map(|service| Rc::clone(&self.shared.names[service.index()]));
                // Other notices of the same callback may come before that of its failure.
                let is_failure = matches!(notice, Notice::ConnectFailed { .. });
                let cause = if is_failure { self.cause.take() } else { None };
                let error: Option<&dyn core::error::Error> = match &cause {
                    Some(Cause::Returned(error)) => Some(&**error),
                    Some(Cause::Panicked(panic)) => Some(panic),
                    Some(Cause::NoProgress { .. } | Cause::NotWatched { .. }) | None => None,
                };
                self.tell(name.as_deref(), service, error, &notice);
            }
            Action::Spawn { worker } => self.spawn(worker),
            Action::SignalWorker { worker, signal } => self.signal_worker(worker, signal),
            Action::Nudge { worker } => self.nudge(worker),
            Action::Mind { worker, lanes } => self.mind(worker, lanes),
            Action::ReopenFiles => self.reopen_files(),
            Action::Reopen { worker } => self.reopen(worker),
            Action::ReadBeats { fleet } => self.children.looks.push_back(fleet),
            Action::ReadMemory { fleet } => self.read_memory(fleet),
            Action::AskScale { fleet } => self.ask_scale(fleet),
            Action::ReadChildNews { reap_strangers } => self.read_child_news(reap_strangers),
            Action::KillAll => self.kill_all(),
            Action::TellFleet { fleet, notice } => {
                let config = self.children.name(fleet);
                self.tell_about(Some(&config.name), None, Some(fleet), None, &Notice::Fleet(notice));
            }
            Action::Finish(ending) => self.ending = Some(ending),
        }
    }

    /// Waits until `deadline`, and tells what was reported.
    fn poll(&mut self, deadline: Option<Instant>) {
        let mut events = core::mem::take(&mut self.events);
        let mut answer = self.shared.sys.poll_wait(&mut events, deadline);
        // A kick that found us alive, or a stop that was continued (signal(7)): what has come meanwhile is heard
        // before any deadline is. A look without waiting is not interrupted.
        if answer == Err(Errno::INTR) {
            answer = self.shared.sys.poll_wait(&mut events, Some(Instant::ZERO));
        }
        self.shared.now = self.shared.sys.now();
        // What runs from here on is judged again; and a host that never waits is alive, too.
        self.shared.sys.beat(self.shared.now, Site::Loop);
        match answer {
            Ok(()) => {
                for event in &events {
                    self.report(*event);
                }
            }
            Err(Errno::INTR) => {}
            Err(errno) => self.shared.registry.tell(Event::SystemFailed { call: "epoll_wait", errno }),
        }
        self.events = events;
        self.shared.registry.tell(Event::Tick);
    }

    fn report(&mut self, event: PollEvent) {
        match event.key {
            SIGNAL_KEY => self.report_signals(),
            BELL_KEY => {
                self.logs.heard();
                self.shared.registry.tell(Event::Signalled(Signal::Usr1));
            }
            QUIT_KEY => self.report_quit(),
            CHANNEL_KEY => self.report_channel(),
            key => match WorkerId::from_key(key) {
                Some((worker, handle)) => self.report_child(worker, handle),
                None => {
                    let socket = SocketId::from_key(key);
                    if self.shared.work.is_some()
                        && let Some(socket) =
                            self.shared.registry.find(socket).filter(|socket| socket.is_shared())
                    {
                        socket.woken.set(true);
                    }
                    self.shared.registry.tell(Event::Ready { socket, readiness: event.readiness });
                }
            },
        }
    }

    /// In a worker: it is asked to quit, once and for all.
    fn report_quit(&self) {
        if let Some(work) = &self.shared.work {
            // It was registered at the start, and is reported for ever.
            let _ = self.shared.sys.poll_delete(work.quit);
            work.tell_leaving();
            self.shared.registry.tell(Event::Signalled(Signal::Quit));
        }
    }

    /// In a worker: its host says something, or is gone.
    fn report_channel(&mut self) {
        let Some(work) = self.shared.work.clone() else { return };
        let heard = work.hear();
        for socket in self.shared.registry.shared() {
            if !socket.watched.get() {
                continue;
            }
            if heard.look {
                // Registering anew is what looks at the queue.
                socket.take_out();
                socket.watched.set(false);
            }
            if heard.look || heard.minds && socket.is_spread() {
                self.watch(socket.id, Interest::READ);
            }
        }
        if !work.is_wanted() {
            self.shared.registry.tell(Event::Signalled(Signal::Quit));
        }
    }

    fn watch(&self, id: SocketId, interest: Interest) {
        let Some(socket) = self.shared.registry.find(id) else { return };
        let sys = &self.shared.sys;
        let answer = if socket.is_spread() {
            socket.watch_lanes(interest)
        } else if socket.watched.get() {
            // It stays registered if this fails.
            sys.poll_modify(socket.handle, id.key(), interest)
        } else {
            if socket.is_shared() && interest == Interest::READ {
                sys.poll_add_shared(socket.handle, id.key())
            } else {
                sys.poll_add(socket.handle, id.key(), interest)
            }
        };
        let answer = answer.inspect(|()| socket.watched.set(true));
        if let Err(errno) = answer {
            self.shared.registry.tell(Event::WatchFailed { socket: id, errno });
        }
    }

    fn call(&mut self, service: ServiceId, callback: Callback) {
        let outcome = self.enter(service, callback, |user, cx| {
            let done = |()| Connected::Yes;
            match callback {
                Callback::Connect => user.connect(cx),
                Callback::Prepare => user.prepare(cx).map(done),
                Callback::Wake => user.wake(cx).map(done),
                Callback::Drain => user.drain(cx).map(|drained| match drained {
                    Drained::Yes => Connected::Yes,
                    Drained::NotYet => Connected::NotYet,
                }),
                Callback::Stop => user.stop(cx).map(done),
                // Only ordered with a socket.
                Callback::Receive => Ok(Connected::Yes),
            }
        });
        let outcome = match outcome {
            Some(Connected::Yes) => Outcome::Done(Activity::Progress),
            Some(Connected::NotYet) => Outcome::NotYet,
            None => Outcome::Failed,
        };
        self.shared.registry.tell(Event::Returned { service, callback, outcome });
    }

    fn receive(&mut self, service: ServiceId, ready: Ready) {
        let socket = self.shared.registry.find(ready.socket);
        if let Some(socket) = &socket {
            socket.done.clear();
        }
        let callback = Callback::Receive;
        let outcome = match self.enter(service, callback, |user, cx| user.receive(cx, ready)) {
            // A socket that is gone is as good as one that was read.
            Some(()) => Outcome::Done(
                socket.map_or(Activity::Progress, |socket| socket.done.activity(ready.readiness)),
            ),
            None => Outcome::Failed,
        };
        self.shared.registry.tell(Event::Returned { service, callback, outcome });
    }

    /// Calls user code; `None` if it failed, and then [`Self::cause`] says how.
    fn enter<T>(
        &mut self,
        service: ServiceId,
        callback: Callback,
        code: impl Fn(&mut dyn Service, &mut Context<'_>) -> crate::error::Result<T>,
    ) -> Option<T> {
        if self.wants_dispatches {
            let name = Rc::clone(&self.shared.names[service.index()]);
            self.tell(Some(&name), Some(service), None, &Notice::Dispatch(callback));
        }
        let sys = Rc::clone(&self.shared.sys);
        sys.beat(self.shared.now, Site::In(service, callback));
        let user = self.services[service.index()].as_mut().expect("a closed service is never called");
        let mut answer = None;
        let panicked = sys.run_user(&mut || {
            answer = Some(code(&mut **user, &mut Context { shared: &mut self.shared, service }));
        });
        self.shared.now = sys.now();
        if let Some(work) = &self.shared.work {
            work.end_extension();
        }
        match (panicked, answer) {
            (Ok(()), Some(Ok(value))) => return Some(value),
            (Ok(()), Some(Err(error))) => self.cause = Some(Cause::Returned(error)),
            (Ok(()), None) => unreachable!("run_user calls its code"),
            (Err(panic), _) => self.cause = Some(Cause::Panicked(panic)),
        }
        None
    }

    fn notify(&mut self, service: ServiceId, callback: Callback, why: Why) {
        let cause = match why {
            Why::Callback => self.cause.take().expect("a callback failed, and its cause was kept"),
            Why::NoProgress { wakes, ended } => Cause::NoProgress { wakes, ended },
            Why::NotWatched { errno } => Cause::NotWatched { errno },
        };
        let id = service;
        let service = self.shared.names[id.index()].to_string();
        let failure = ServiceError { service, callback, cause };
        self.tell_failure(id, &failure);
        if let Some(notifier) = &mut self.notifier {
            // What the notifier itself does wrong must not hide the failure that it is told of.
            if let Err(panic) = self.shared.sys.run_user(&mut || notifier(&failure)) {
                let service = failure.service.clone();
                let cause = Cause::Panicked(panic);
                self.tell_failure(id, &ServiceError { service, callback, cause });
            }
        }
        self.failure.get_or_insert(failure);
    }

    fn close_service(&mut self, service: ServiceId) {
        let mut user = self.services.get_mut(service.index()).and_then(Option::take);
        // Destructors are user code, too, and may hang.
        self.shared.sys.beat(self.shared.sys.now(), Site::In(service, Callback::Stop));
        if let Err(panic) = self.shared.sys.run_user(&mut || drop(user.take())) {
            let name = self.shared.names[service.index()].to_string();
            let cause = Cause::Panicked(panic);
            self.tell_failure(service, &ServiceError { service: name, callback: Callback::Stop, cause });
        }
        self.shared.registry.close_all(service);
    }

    fn tell_failure(&mut self, service: ServiceId, failure: &ServiceError) {
        let notice = Notice::ServiceFailed { callback: failure.callback };
        self.tell(Some(&failure.service), Some(service), Some(failure), &notice);
    }

    fn tell(
        &mut self,
        subject: Option<&str>,
        service: Option<ServiceId>,
        error: Option<&dyn core::error::Error>,
        notice: &Notice,
    ) {
        self.tell_about(subject, service, None, error, notice);
    }

    fn tell_about(
        &mut self,
        subject: Option<&str>,
        service: Option<ServiceId>,
        fleet: Option<FleetId>,
        error: Option<&dyn core::error::Error>,
        notice: &Notice,
    ) {
        let (at, wall) = (self.shared.now, self.shared.sys.wall());
        self.tell_record(&Record { at, wall, subject, service, fleet, error, text: None, notice });
    }

    /// Tells the log, and then everybody else.
    fn tell_record(&mut self, record: &Record<'_>) {
        self.tell_log(record);
        self.tell_people(record);
    }

    fn tell_people(&mut self, record: &Record<'_>) {
        let sys = &self.shared.sys;
        sys.tell(record);
        if let Some(listening) = &mut self.on_notice {
            // An application that cannot read a notice must not be ended by it; the log has it.
            let _ = sys.run_user(&mut || listening(record));
        }
    }

    /// Writes what was recorded, if it is time; and tells if that is not possible any more.
    fn write_recording(&mut self, now: bool) {
        let Some(recorder) = &mut self.shared.recorder else { return };
        if now {
            recorder.write();
        } else {
            recorder.before_wait(self.shared.now);
        }
        if let Some(notice) = recorder.take_notice() {
            self.tell(None, None, None, &notice);
        }
    }

    fn finish(mut self, ending: Ending) -> Result<(), RunError> {
        self.tell_manager_of_the_end();
        if let Some(recorder) = &mut self.shared.recorder {
            recorder.end();
        }
        self.write_recording(true);
        self.shared.recorder = None;
        // The host ended before it heard of these.
        for index in 0..self.services.len() {
            if self.services[index].is_some() {
                self.close_service(ServiceId::new(index as u32));
            }
        }
        let sys = &self.shared.sys;
        self.logs.close();
        signals::disarm(&**sys, self.signals);
        listeners::close(&**sys, &self.shared.listeners);
        if let Some(file) = self.pid_file {
            // The last thing: who sees it gone may start another.
            sys.close(file);
        }
        match ending {
            Ending::Stopped => Ok(()),
            Ending::StoppedAtOnce => Err(RunError::StoppedAtOnce),
            Ending::SystemFailed { call, errno } => Err(RunError::System { call, errno }),
            Ending::Threads { count } => Err(RunError::Threads { count }),
            Ending::FleetGivenUp { fleet } => {
                let status = self.shared.host.fleet(fleet);
                // Those that were asked to end since are no cause.
                let unasked = |death: &&Death| death.intent.is_none_or(Intent::is_fault);
                let last = status.as_ref().and_then(|status| status.deaths.iter().rev().find(unasked));
                let last = last.map(|death| match self.children.reason(death.worker) {
                    Some(reason) => format!("{death}: {reason}"),
                    None => death.to_string(),
                });
                let fleet = self.children.name(fleet).name.clone();
                Err(RunError::FleetGivenUp {
                    fleet,
                    last: last.unwrap_or_else(|| "none is on record".into()),
                })
            }
            Ending::ServiceFailed => {
                let failure = self.failure.take().expect("a failure is told before it ends the host");
                Err(RunError::Service(failure))
            }
        }
    }
}
