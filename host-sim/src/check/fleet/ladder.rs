//! How workers are asked to end, and why they are killed.
//!
//! S9: each signal is harder than the one before; KILL comes no sooner after QUIT, TERM or the soft signal
//! than their grace, and each KILL has a reason that facts and orders tell: the grace of what was asked
//! before is over, the worker was condemned at that moment (S1, S4 and S8 judge that), a stop at once is asked
//! for and it is known to be stopped, or somebody has asked for more than a stop at once. S11: KILL goes out
//! once.

use super::ledger::{Known, Ledger, Stop};
use crate::check::Violation;
use host_core::action::Action;
use host_core::fleet::config::FleetConfig;
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
use host_core::id::WorkerId;
use host_core::sys::Signal;
use host_core::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct LadderCheck {
    /// Who was killed by the last order: the next one tells why.
    killed: Option<WorkerId>,
}

impl LadderCheck {
    pub(super) fn on_action(&mut self, ledger: &Ledger, now: Instant, action: &Action) -> Option<Violation> {
        let killed = self.killed.take();
        if let Action::SignalWorker { worker, signal } = action {
            let known = ledger.workers.get(worker)?;
            if *signal != Signal::Kill {
                return unexplained(killed).or_else(|| too_soft(ledger, known, *worker, *signal));
            }
            if let Some(before) = known.was_sent(Signal::Kill) {
                let detail = format!("{worker} is killed, and was killed at {before} before");
                return Some(Violation::new("S11", detail));
            }
            self.killed = Some(*worker);
            return unexplained(killed).or_else(|| too_early(ledger, known, *worker, now));
        }
        let worker = killed?;
        if let Action::TellFleet { notice: FleetNotice::Killed { worker: told, intent }, .. } = action
            && *told == worker
        {
            return without_reason(ledger, worker, *intent);
        }
        unexplained(killed)
    }

    /// All orders of a fact were given.
    pub(super) fn settled(&mut self) -> Option<Violation> {
        unexplained(self.killed.take())
    }
}

fn unexplained(killed: Option<WorkerId>) -> Option<Violation> {
    killed.map(|worker| Violation::new("S9", format!("{worker} is killed, and nobody says why")))
}

/// The rungs of the ladder.
fn rung(signal: Signal, config: &FleetConfig) -> usize {
    let soft = config.soft_signal.map(|soft| soft.signal);
    let rungs = [Some(Signal::Term), soft, Some(Signal::Kill)];
    // QUIT stands below all of them.
    rungs.iter().rposition(|rung| *rung == Some(signal)).map_or(0, |rung| rung + 1)
}

fn too_soft(ledger: &Ledger, known: &Known, worker: WorkerId, signal: Signal) -> Option<Violation> {
    let config = ledger.config(worker);
    let (at, last) = known.signals.last().copied()?;
    (rung(signal, config) <= rung(last, config)).then(|| {
        Violation::new("S9", format!("{worker} is sent {signal}, and was sent {last} at {at} before"))
    })
}

fn too_early(ledger: &Ledger, known: &Known, worker: WorkerId, now: Instant) -> Option<Violation> {
    let config = ledger.config(worker);
    // Somebody has asked for it, or it would not hear what it is sent.
    if ledger.stops(Stop::Now) || known.stopped.is_some() && ledger.stops(Stop::AtOnce) {
        return None;
    }
    // The last that it was asked by counts.
    let (at, last) = known.signals.last().copied()?;
    let grace = grace(last, config);
    let stopped_at_once = ledger.stop.filter(|(stop, _)| *stop >= Stop::AtOnce).map(|(_, at)| at);
    // An escalation gives nobody more time than it had, and one that leaves evidence keeps no stop waiting.
    let by_quit = known.was_sent(Signal::Quit).map(|quit| quit + config.drain_timeout);
    let by_stop = stopped_at_once.map(|stop| stop + config.term_timeout);
    let earliest = [by_quit, by_stop].into_iter().flatten().fold(at + grace, Instant::min);
    (now < earliest).then(|| {
        let detail = format!("{worker} is killed {:?} after {last}, whose grace is {grace:?}", now.since(at));
        Violation::new("S9", detail)
    })
}

/// How long a worker has after a signal.
fn grace(signal: Signal, config: &FleetConfig) -> Duration {
    match (config.soft_signal.filter(|soft| soft.signal == signal), signal) {
        // One that leaves evidence keeps those who drain waiting no longer than any other.
        (Some(soft), _) => soft.grace.min(config.drain_timeout),
        (None, Signal::Term) => config.term_timeout,
        (None, Signal::Kill) => Duration::ZERO,
        (None, _) => config.drain_timeout,
    }
}

/// Whether what is told as the reason of a KILL is one.
fn without_reason(ledger: &Ledger, worker: WorkerId, intent: Intent) -> Option<Violation> {
    let known = ledger.workers.get(&worker)?;
    let asked = known.signals.len() > 1;
    let at_once = ledger.stops(Stop::AtOnce) && (asked || known.stopped.is_some());
    let right = match intent {
        // Who was asked for another reason has another budget.
        Intent::Hung | Intent::NotReady => !asked || known.was_sent_soft(ledger.config(worker)),
        Intent::Stop => at_once || ledger.stops(Stop::Now),
        Intent::Drain => asked && ledger.stop.is_some(),
        Intent::Surplus | Intent::ServedEnough | Intent::TooLarge | Intent::Sibling | Intent::FleetStops => {
            asked
        }
    };
    (!right).then(|| {
        let before: Vec<_> = known.signals.iter().map(|(_, signal)| *signal).collect();
        let stop = ledger.stop.map(|(stop, _)| stop);
        let detail = format!(
            "{worker} is killed because {intent}; it was sent {before:?}, and the stop asked for is {stop:?}"
        );
        Violation::new("S9", detail)
    })
}
