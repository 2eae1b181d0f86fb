//! What a host should hear, decide and tell in some run: marks on facts and orders, so that the decisions themselves
//! know nothing of marks.

use crate::marks::sometimes;
use host_core::action::{Action, Ending, Why};
use host_core::event::{Activity, Event, Outcome};
use host_core::fleet::beat::Pace;
use host_core::fleet::death::{Death, Intent};
use host_core::fleet::message::FromWorker;
use host_core::fleet::notice::FleetNotice;
use host_core::id::{Slot, WorkerId};
use host_core::notice::Notice;
use host_core::service::kick::Callback;
use host_core::sys::{ExitStatus, Fact, ForkError, Signal, SlotReading};
use host_core::time::{Duration, Instant};
use std::collections::BTreeMap;

/// What one host has heard and ordered, as far as it takes to know what is remarkable.
#[derive(Default)]
pub(crate) struct Decisions {
    now: Instant,
    /// Of one report of the poller.
    report: Report,
    /// The last signal that each worker was sent.
    sent: BTreeMap<WorkerId, Signal>,
    stopped: BTreeMap<WorkerId, bool>,
    /// When the last worker of a slot died.
    died: BTreeMap<Slot, Instant>,
    drains: bool,
    stops: u32,
    degraded: bool,
    held: u32,
}

/// What came between two ticks.
#[derive(Default)]
struct Report {
    facts: u32,
    deaths: u32,
    signals: u32,
    births: u32,
    looked: bool,
}

impl Decisions {
    pub(crate) fn on_fact(&mut self, fact: &Fact<'_>) {
        match fact {
            Fact::Begin(_) => *self = Self::default(),
            Fact::Event(now, event) => {
                self.now = *now;
                self.heard(event);
            }
            Fact::Action(action) => self.ordered(action),
            Fact::Settled(_) => {}
        }
    }

    fn heard(&mut self, event: &Event) {
        self.report.facts += 1;
        match event {
            Event::Tick => {
                sometimes!(self.report.facts == 1, "a wait ends, and nothing was reported");
                sometimes!(self.report.facts > 20, "twenty facts come in one report");
                sometimes!(self.report.deaths > 1, "two workers die in one report");
                sometimes!(self.report.deaths > 2, "three workers die in one report");
                sometimes!(self.report.signals > 1, "two signals are read in one report");
                sometimes!(self.report.signals > 3, "four signals are read in one report");
                sometimes!(
                    self.report.deaths > 0 && self.report.signals > 1,
                    "a signal and a death come in one report"
                );
                sometimes!(self.report.births > 2, "three workers are forked between two ticks");
                self.report = Report::default();
            }
            Event::Signalled(signal) => self.signalled(*signal),
            Event::StopAsked => sometimes!("an application asks its host to stop"),
            Event::DrainAsked => sometimes!("an application asks its host to drain"),
            Event::Spawned { worker, .. } => {
                self.report.births += 1;
                let died = self.died.get(&worker.slot);
                sometimes!(
                    died.is_some_and(|at| *at == self.now),
                    "a slot is filled at the moment of its death"
                );
                sometimes!(worker.incarnation > 5, "a slot sees its sixth worker");
                sometimes!(self.stops > 0, "a worker is born while its host stops");
            }
            Event::SpawnFailed { error, .. } => match error {
                ForkError::Threads { .. } => sometimes!("a process with threads is told to fork"),
                ForkError::System { call, .. } => {
                    sometimes!(*call == "fork", "fork fails");
                    sometimes!(*call == "socketpair", "there is no descriptor left for a channel");
                    sometimes!(*call == "pipe2", "there is no descriptor left for a pipe");
                }
            },
            Event::WorkerSaid { worker, message } => self.said(*worker, message.as_ref().ok().copied()),
            Event::WorkerExited { worker, status } => self.exited(*worker, *status),
            Event::MindFailed { .. } => sometimes!("a worker cannot be told of its lanes"),
            Event::ScaleAnswered { .. } => {
                sometimes!("an author's function says how many workers are wanted")
            }
            Event::ExitJudged { .. } => sometimes!("an author's function judges how a worker ended"),
            Event::Memory { readings, .. } => {
                sometimes!(
                    readings.iter().any(|(_, read)| read.is_err()),
                    "a worker's memory cannot be read"
                );
                sometimes!(
                    readings.iter().any(|(_, read)| *read == Ok(0)),
                    "a sample finds a worker that has ended"
                );
            }
            Event::Beats { readings, .. } => self.looked(readings),
            Event::ChildStopped { .. } => sometimes!("the kernel tells that a child was stopped"),
            Event::ChildContinued { .. } => sometimes!("the kernel tells that a child was continued"),
            Event::StrangerReaped { .. } => sometimes!("a child that nobody here has forked is reaped"),
            Event::ResizeAsked { workers, .. } => {
                sometimes!("an application asks for another number of workers");
                sometimes!(*workers == 0, "an application wants no workers");
            }
            Event::StartAbandoned { .. } => sometimes!("a launcher gives up a start that fails"),
            Event::RestoreAsked { .. } => sometimes!("an application takes WINCH back"),
            Event::Ready { readiness, .. } => {
                sometimes!(readiness.ended, "a service hears that its peer has finished");
                sometimes!(readiness.readable && readiness.writable, "a socket is ready for both at once");
            }
            Event::Returned { callback, outcome, .. } => match outcome {
                Outcome::Failed => {
                    sometimes!(*callback == Callback::Connect, "a connect fails");
                    sometimes!(*callback == Callback::Receive, "a receive fails");
                    sometimes!(
                        !matches!(callback, Callback::Connect | Callback::Receive),
                        "another callback fails"
                    );
                }
                Outcome::NotYet => {
                    sometimes!(*callback == Callback::Connect, "there is nothing to connect to yet");
                    sometimes!(*callback == Callback::Drain, "a drain is not finished yet");
                }
                Outcome::Done(Activity::Starved) => sometimes!("a listener is short of descriptors"),
                Outcome::Done(Activity::Nothing) => {
                    sometimes!("a callback leaves its socket as ready as before")
                }
                Outcome::Done(Activity::Progress) => {}
            },
            Event::ReconnectAsked { failed, .. } => {
                sometimes!(*failed, "a service says that its connection has failed");
                sometimes!(!*failed, "a service asks to connect anew");
            }
            Event::WakeAsked { .. } => sometimes!("a service asks to be woken"),
            Event::Added { .. } => sometimes!("a service is added"),
            Event::InterestChanged { interest, .. } => {
                sometimes!(interest.is_none(), "a service leaves a socket alone for a while");
                sometimes!(interest.writable, "a service waits until there is room");
            }
            // No scenario can bring about the failures among these: tables of tests do.
            Event::Started { .. }
            | Event::Opened { .. }
            | Event::Closed { .. }
            | Event::WatchFailed { .. }
            | Event::SystemFailed { .. }
            | Event::SignalFailed { .. } => {}
        }
    }

    fn signalled(&mut self, signal: Signal) {
        self.report.signals += 1;
        match signal {
            Signal::Int => sometimes!("INT is read"),
            Signal::Term => {
                sometimes!("TERM is read");
                sometimes!(self.drains, "TERM comes while the host drains");
            }
            Signal::Quit => sometimes!("QUIT is read"),
            Signal::Hup => sometimes!("HUP is read"),
            Signal::Usr2 => sometimes!("USR2 is read"),
            Signal::Cont => sometimes!("a host hears that it was continued"),
            Signal::Ttin => sometimes!("TTIN is read"),
            Signal::Ttou => sometimes!("TTOU is read"),
            Signal::Winch => sometimes!("WINCH is read"),
            Signal::Chld => sometimes!("CHLD is read"),
            Signal::Abrt | Signal::Kill | Signal::Usr1 | Signal::Segv | Signal::Alrm | Signal::Stop => {}
        }
        if matches!(signal, Signal::Int | Signal::Term) {
            self.stops += 1;
            sometimes!(self.stops > 1, "a host is told to stop a second time");
        }
        self.drains |= signal == Signal::Quit;
    }

    fn said(&self, worker: WorkerId, message: Option<FromWorker>) {
        let sent = self.sent.get(&worker);
        match message {
            Some(FromWorker::Ready) => {
                sometimes!(sent.is_some(), "a worker says that it can serve after it was asked to end");
                sometimes!(self.degraded, "a worker of a degraded fleet can serve");
            }
            Some(FromWorker::ServedEnough) => {
                sometimes!("a worker has served enough");
                sometimes!(sent.is_some(), "a worker has served enough and is asked to end already");
            }
            Some(FromWorker::Extended) => sometimes!("a worker asks for more time"),
            Some(FromWorker::LeftWaiting) => sometimes!("a worker leaves a connection that it was woken for"),
            Some(FromWorker::Leaves) => sometimes!("a worker says that it minds its lanes no longer"),
            Some(FromWorker::Unconfined(_)) => sometimes!("a worker says that it cannot be confined"),
            None => {}
        }
    }

    fn exited(&mut self, worker: WorkerId, status: ExitStatus) {
        self.report.deaths += 1;
        self.died.insert(worker.slot, self.now);
        sometimes!(matches!(status, ExitStatus::Signal { core: true, .. }), "a worker leaves a core");
        sometimes!(self.stopped.remove(&worker) == Some(true), "a worker dies while it is stopped");
        self.sent.remove(&worker);
    }

    fn looked(&mut self, readings: &[(WorkerId, SlotReading)]) {
        self.report.looked = true;
        for (_, reading) in readings {
            let SlotReading { beat, extended_until, .. } = reading;
            sometimes!(beat.is_none(), "a look finds a worker without any sign of life");
            sometimes!(extended_until.is_some(), "a look finds a worker with more time");
            if let Some(beat) = beat {
                sometimes!(beat.at > self.now, "a sign of life is dated ahead by the coarse clock");
                sometimes!(beat.pace == Pace::Waiting, "a look finds a worker that waits");
                let age = self.now.since(beat.at);
                sometimes!(age > Duration::from_secs(10), "a look finds a sign of life ten seconds old");
            }
        }
        sometimes!(readings.is_empty(), "a look finds nobody");
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few notices of services are remarkable")]
    fn ordered(&mut self, action: &Action) {
        match action {
            Action::SignalWorker { worker, signal } => self.signals(*worker, *signal),
            Action::Nudge { .. } => sometimes!("a worker is told to look for connections"),
            Action::Mind { lanes, .. } => {
                sometimes!(lanes.iter().count() == 1, "a worker is given back to its own lane");
                sometimes!(lanes.iter().count() > 1, "a worker minds the lane of another");
            }
            Action::Reopen { .. } => sometimes!("a worker is told to open files anew"),
            Action::ReopenFiles => sometimes!("files are opened anew"),
            Action::Look => sometimes!("a host looks before it goes on with its turn"),
            Action::NotifyFailure { why, .. } => match why {
                Why::Callback => sometimes!("a failure reaches the notifier"),
                Why::NoProgress { ended, .. } => {
                    sometimes!(*ended, "a service never closes what its peer has ended");
                    sometimes!(!*ended, "a service never reads what is there");
                }
                Why::NotWatched { .. } => {}
            },
            Action::Finish(ending) => match ending {
                Ending::Stopped => sometimes!("a host ends in order"),
                Ending::StoppedAtOnce => sometimes!("a host ends at once"),
                Ending::ServiceFailed => sometimes!("a host ends by the failure of a service"),
                Ending::FleetGivenUp { .. } => sometimes!("a host ends with a fleet that is given up"),
                Ending::Threads { .. } => sometimes!("a host ends since it cannot fork"),
                Ending::SystemFailed { .. } => {}
            },
            Action::Tell { notice, .. } => match notice {
                Notice::ConnectFailed { attempt, .. } => {
                    sometimes!(*attempt > 3, "a service fails to connect four times in a row");
                }
                Notice::AcceptPaused { .. } => sometimes!("a listener rests since descriptors are short"),
                Notice::DrainCutShort { .. } => sometimes!("the time of a drain is over for a service"),
                Notice::SignalIgnored { .. } => sometimes!("a signal that means nothing yet is told of"),
                _ => {}
            },
            Action::TellFleet { notice, .. } => self.told(notice),
            Action::Call { .. }
            | Action::Receive { .. }
            | Action::Watch { .. }
            | Action::Unwatch { .. }
            | Action::EndOnNextSignal
            | Action::CloseService { .. }
            | Action::Spawn { .. }
            | Action::ReadBeats { .. }
            | Action::ReadMemory { .. }
            | Action::AskScale { .. }
            | Action::ReadChildNews { .. }
            | Action::KillAll => {}
        }
    }

    fn signals(&mut self, worker: WorkerId, signal: Signal) {
        let before = self.sent.insert(worker, signal);
        match (before, signal) {
            (None, Signal::Kill) => sometimes!("a worker is killed without having been asked"),
            (Some(Signal::Quit), Signal::Kill) => sometimes!("KILL follows QUIT"),
            (Some(Signal::Term), Signal::Kill) => sometimes!("KILL follows TERM"),
            (Some(_), Signal::Kill) => sometimes!("KILL follows the soft signal"),
            (Some(Signal::Quit), Signal::Term) => sometimes!("TERM follows QUIT"),
            (None, Signal::Abrt | Signal::Usr1) => sometimes!("a late worker is sent the soft signal"),
            _ => {}
        }
        sometimes!(
            signal == Signal::Kill && self.report.looked,
            "a sign of life is read and its worker killed in the same look"
        );
        let stopped = self.stopped.get(&worker) == Some(&true);
        sometimes!(signal == Signal::Kill && stopped, "a worker that is stopped is killed (K5)");
    }

    fn told(&mut self, notice: &FleetNotice) {
        match notice {
            FleetNotice::Died(death) => died(death),
            FleetNotice::Late { .. } => sometimes!("people are warned of a late worker"),
            FleetNotice::Extended { .. } => sometimes!("a worker has more time"),
            FleetNotice::KillHeld { .. } => {
                self.held += 1;
                sometimes!("a kill is held back by the kill budget");
                sometimes!(self.held > 1, "two kills are held back by the kill budget");
            }
            FleetNotice::Outage => sometimes!("a fleet reports an outage"),
            FleetNotice::OutageOver => sometimes!("an outage is over"),
            FleetNotice::Stopped { worker } => {
                self.stopped.insert(*worker, true);
                sometimes!("people hear that a worker was stopped");
            }
            FleetNotice::Continued { worker } => {
                self.stopped.insert(*worker, false);
                sometimes!("people hear that a worker was continued");
            }
            FleetNotice::Resting { failures, .. } => {
                sometimes!("a slot rests after a young death");
                sometimes!(*failures > 3, "a slot rests after its fourth young death in a row");
            }
            FleetNotice::Retired { .. } => sometimes!("a slot stays empty since its worker has finished"),
            FleetNotice::Stable { .. } => sometimes!("a worker has lived long enough to be forgiven"),
            FleetNotice::Degraded { .. } => {
                self.degraded = true;
                sometimes!("a restart budget is used up");
            }
            FleetNotice::Recovered => {
                self.degraded = false;
                sometimes!("a degraded fleet is well again");
            }
            FleetNotice::GivenUp => sometimes!("a fleet is given up"),
            FleetNotice::Resized { workers } => {
                sometimes!(*workers == 0, "a fleet is to be empty");
                sometimes!(*workers > 0, "a fleet is given another size");
            }
            FleetNotice::Scaled { workers, before, idle, .. } => {
                sometimes!(workers > before, "a fleet grows with its load");
                sometimes!(*workers > before + 8, "a fleet grows ever faster");
                sometimes!(workers < before, "a fleet shrinks after its load");
                sometimes!(workers > before && *idle > 0, "a fleet grows before the last is busy");
            }
            FleetNotice::TooLarge { .. } => sometimes!("a worker has too much memory"),
            FleetNotice::MemoryUnread { .. } => sometimes!("people are told that memory cannot be read"),
            FleetNotice::Empty => sometimes!("nobody is left in a fleet"),
            FleetNotice::SpawnFailed { retry_after, .. } => {
                sometimes!(
                    *retry_after > Duration::from_secs(1),
                    "a fork is tried again after more than a second"
                );
            }
            FleetNotice::Ready { after, .. } => {
                sometimes!(*after > Duration::from_secs(1), "a worker takes more than a second to be ready");
            }
            FleetNotice::Starting { .. }
            | FleetNotice::Spawned { .. }
            | FleetNotice::Softened { .. }
            | FleetNotice::Killed { .. }
            | FleetNotice::Asked { .. }
            | FleetNotice::SignalFailed { .. }
            | FleetNotice::Unconfined { .. }
            | FleetNotice::Garbled { .. } => {}
        }
    }
}

/// What was ordered, and what the kernel says became of it.
fn died(death: &Death) {
    let Death { status, intent, killed, ready_for, lived, .. } = death;
    let well = *status == ExitStatus::Code(0);
    match intent {
        None => {
            sometimes!(well, "a worker ends by itself, and well");
            sometimes!(*status == ExitStatus::by(Signal::Kill), "a worker is killed by somebody else");
            sometimes!(matches!(status, ExitStatus::Code(1..)), "a worker ends by itself with an error");
            sometimes!(ready_for.is_none(), "a worker dies before it can serve");
        }
        Some(Intent::Hung) => {
            sometimes!(*killed, "a worker that hangs is killed");
            sometimes!(!*killed, "a worker that hangs ends by the soft signal");
        }
        Some(Intent::NotReady) => sometimes!("a worker that is never ready is killed"),
        Some(Intent::Surplus) => sometimes!("a worker that is too many ends"),
        Some(Intent::ServedEnough) => sometimes!("a worker that has served enough ends"),
        Some(Intent::TooLarge) => sometimes!("a worker that had too much memory ends"),
        Some(Intent::Sibling) => sometimes!("a worker falls with another"),
        Some(Intent::FleetStops) => sometimes!("a worker ends with its fleet's restart budget"),
        Some(Intent::Drain) => {
            sometimes!(*killed, "a worker that drains is killed when its time is over");
            sometimes!(!*killed && well, "a worker drains and ends well");
        }
        Some(Intent::Stop) => {
            sometimes!(*killed, "a worker that does not hear TERM is killed");
            sometimes!(!*killed, "a worker ends by TERM");
        }
    }
    sometimes!(*killed && well, "a KILL loses its race against an exit (K9)");
    sometimes!(*lived < Duration::from_millis(1), "a worker lives for less than a millisecond");
    sometimes!(*lived > Duration::from_secs(20), "a worker lives for more than twenty seconds");
}
