//! The rules that need to know what is true on the machine, whatever the host believes.
//!
//! S2: what is read as a sign of life was stored by the same incarnation. S4: the time in which the host
//! itself did not run, as far as it can know of that, is held against nobody. S5: no worker that gives signs
//! of life is killed for hanging. S10: a signal reaches the incarnation
//! that it was ordered for. S14: whoever has died, and can be heard of, is reaped before the host waits
//! again. S23: the host has the descriptors that its workers need, and no more with time. S37: who was asked
//! to quit takes no new work. S38: a host that ends by itself leaves nobody. S42: when the host dies, its
//! workers end as their policy says. Files of their own have S41 (`pid_files`), S50 (`confined`), L2 (`hangs`), L4
//! (`stops`) and S43 (`births`).

mod births;
mod confined;
mod hangs;
pub(crate) mod pauses;
mod pid_files;
mod stops;

use crate::check::Violation;
use crate::check::fleet::ledger::{Known, Stop};
use crate::kernel::process::{Life, Process};
use crate::kernel::slots::{Seat, Seen};
use crate::kernel::{Happening, Index, Kernel, MILLISECOND, Nanos};
use host_core::action::Action;
use host_core::error::exit;
use host_core::event::Event;
use host_core::fleet::death::Intent;
use host_core::fleet::message::FromWorker;
use host_core::fleet::notice::FleetNotice;
use host_core::id::WorkerId;
use host_core::sys::{ExitStatus, Fact, OnHostDeath, Signal};
use pauses::Pauses;

/// What is kept between two moments at which the truth is looked at.
#[derive(Debug, Default)]
pub(crate) struct TruthCheck {
    /// The signal that was ordered last, until it is sent.
    ordered: Option<(WorkerId, Signal)>,
    /// How many descriptors the host had beside those of its workers, when it first waited.
    base: Option<usize>,
    /// The page of its first fleet.
    first_page: u32,
    /// When the host itself did not run.
    pauses: Pauses,
    /// How hard it stops, as far as a bound was set for that.
    stop: Option<Stop>,
}

/// How long a worker may live after its host has died: what the kernel takes to tell it, and to end it.
const DEATH_BOUND: Nanos = 10 * MILLISECOND;

/// How many times a worker that was asked to quit may poll before taking more work is wrong: once it is told,
/// and what it took before that was under way.
const POLLS_MAX: u32 = 2;

impl Kernel {
    /// The host begins; its pages are made.
    fn check_beginning(&mut self, fleets: usize) {
        self.truths.first_page = (self.pages.len() - fleets) as u32;
    }

    /// A fact or an order of the host passes.
    pub(crate) fn check_fact(&mut self, host: Index, fact: &Fact<'_>) {
        if let Fact::Event(_, event) = fact {
            self.truths.pauses.on_event(self.now, event);
        }
        match fact {
            Fact::Begin(config) => self.check_beginning(config.fleets.len()),
            Fact::Event(_, Event::WorkerSaid { worker, message: Ok(FromWorker::Ready) }) => {
                self.check_ready(host, *worker);
            }
            Fact::Action(action) => self.check_order(host, action),
            Fact::Event(..) | Fact::Settled(_) => {}
        }
    }

    /// An order of the host passes.
    #[expect(clippy::wildcard_enum_match_arm, reason = "few orders can be compared with the truth")]
    fn check_order(&mut self, host: Index, action: &Action) {
        match action {
            Action::SignalWorker { worker, signal } => self.truths.ordered = Some((*worker, *signal)),
            Action::Reopen { worker } => self.truths.ordered = Some((*worker, Signal::Usr1)),
            // One that may leave evidence was judged when it was asked for that.
            Action::TellFleet { notice: FleetNotice::Killed { worker, intent: Intent::Hung }, .. }
                if !self.is_softened(*worker) =>
            {
                self.check_verdict(host, *worker);
            }
            Action::TellFleet { notice: FleetNotice::Softened { worker, .. }, .. }
                if self.knows(*worker).is_some_and(|known| known.ready.is_some()) =>
            {
                self.check_verdict(host, *worker);
            }
            _ => {}
        }
    }

    /// The host sends a child a signal.
    pub(crate) fn check_signal(&mut self, host: Index, child: Index, signal: Signal) {
        let Some((worker, ordered)) = self.truths.ordered.take().filter(|_| Some(host) == self.host) else {
            return;
        };
        let meant = self.processes[child as usize].seat.is_some_and(|seat| self.is_seat_of(seat, worker));
        if !meant || ordered != signal {
            let name = self.processes[child as usize].name.clone();
            let detail = format!("{ordered} was ordered for {worker}, and {signal} is sent to `{name}`");
            self.violate(Violation::new("S10", detail));
        }
    }

    fn knows(&self, worker: WorkerId) -> Option<&Known> {
        self.checks.fleet.ledger.workers.get(&worker)
    }

    fn is_softened(&self, worker: WorkerId) -> bool {
        self.knows(worker).is_some_and(|known| known.was_sent_soft(self.checks.fleet.ledger.config(worker)))
    }

    /// A worker is condemned for hanging.
    fn check_verdict(&mut self, host: Index, worker: WorkerId) {
        let threshold =
            match self.checks.host().and_then(|host| host.config().fleets.get(worker.fleet.index())) {
                Some(config) => config.heartbeat_timeout.as_nanos() as Nanos,
                None => return,
            };
        let of_host = |process: &Process| {
            process.parent == Some(host) && process.seat.is_some_and(|seat| self.is_seat_of(seat, worker))
        };
        let Some(killed) = self.processes.iter().rposition(of_host) else { return };
        let Some(seat) = self.processes[killed].seat else { return };
        let Some(Seen { at: read_at, stored: pulsed, before }) =
            self.words(seat).and_then(|words| words.seen(seat))
        else {
            return;
        };
        let age = read_at - pulsed;
        let paused = self.truths.pauses.halted(pulsed, read_at, before);
        if paused > 0 && age < threshold + paused {
            let (age, paused) = (age / MILLISECOND, paused / MILLISECOND);
            let detail = format!(
                "{worker} gave a sign of life {age} ms before its slot was read, the host did not run for {paused} ms of that, and kills it"
            );
            self.violate(Violation::new("S4", detail));
            return;
        }
        let killed = &self.processes[killed];
        let halted = killed
            .truth
            .halted
            .iter()
            .any(|(_, until)| until.is_none_or(|until| until + threshold > read_at));
        if !halted && age < threshold {
            let age = age / MILLISECOND;
            let detail =
                format!("{worker} gave a sign of life {age} ms before its slot was read, and is killed");
            self.violate(Violation::new("S5", detail));
        }
    }

    /// The host is about to wait.
    pub(crate) fn check_before_wait(&mut self, host: Index) {
        let process = &self.processes[host as usize];
        let mut links = 0;
        for child in process.children.iter().map(|child| &self.processes[*child as usize]) {
            if child.stranger {
                continue;
            }
            links += 1;
            if child.life == Life::Zombie && child.announced {
                let detail = format!("`{}` is dead, its handle says so, and the host waits", child.name);
                self.violate(Violation::new("S14", detail));
                return;
            }
        }
        if self.checks.opened_sockets() {
            return;
        }
        // Of what a worker prints the host reads both streams, until they end.
        let pipes = self.pipes_of(host);
        if pipes > 2 * links {
            let detail = format!("{pipes} pipes, and two for each of {links} workers at most");
            self.violate(Violation::new("S23", detail));
            return;
        }
        let beside = self.processes[host as usize].descriptors.count().saturating_sub(2 * links + pipes);
        let base = *self.truths.base.get_or_insert(beside);
        if beside != base {
            let detail =
                format!("{beside} descriptors beside two for each of {links} workers, and {base} at first");
            self.violate(Violation::new("S23", detail));
        }
    }

    /// A worker takes a connection.
    pub(crate) fn check_accept(&mut self, me: Index) {
        let process = &self.processes[me as usize];
        if process.quit_asked && process.truth.polls_since_quit > POLLS_MAX {
            let detail =
                format!("`{}` was asked to quit, has heard of it, and accepts a connection", process.name);
            self.violate(Violation::new("S37", detail));
        }
    }

    /// The host process has ended.
    pub(crate) fn check_end_of_host(&mut self, host: Index, status: ExitStatus) {
        self.truths = TruthCheck::default();
        let process = &self.processes[host as usize];
        let by_itself =
            matches!(status, ExitStatus::Code(code) if code != exit::KICKED && code != exit::PANICKED);
        let children: Vec<_> = process.children.iter().copied().collect();
        for child in children {
            let child_process = &self.processes[child as usize];
            if child_process.stranger {
                continue;
            }
            if by_itself {
                let detail =
                    format!("the host ended with {status}, and `{}` was not reaped", child_process.name);
                self.violate(Violation::new("S38", detail));
                return;
            }
            let Some(orphanage) = child_process.orphanage else { continue };
            let bound = match orphanage.policy {
                OnHostDeath::Exit => DEATH_BOUND,
                OnHostDeath::Drain => DEATH_BOUND + orphanage.drain_timeout,
            };
            self.after(bound, Happening::OrphanDue { index: child });
        }
    }

    /// The moment at which an orphan must have ended.
    pub(crate) fn check_orphan(&mut self, index: Index) {
        let process = &self.processes[index as usize];
        let drains = process.orphanage.is_some_and(|orphanage| orphanage.policy == OnHostDeath::Drain);
        // One that is stopped takes no signal but KILL (K5): it drains when it is continued.
        if process.is_living() && !(drains && process.is_halted()) {
            let detail = format!("`{}` lives on, its host is dead", process.name);
            self.violate(Violation::new("S42", detail));
        }
    }

    fn is_seat_of(&self, seat: Seat, worker: WorkerId) -> bool {
        self.worker_of(seat) == Some(worker)
    }
}
