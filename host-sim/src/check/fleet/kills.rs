//! Who may be killed, and when.
//!
//! S1: for hanging only if its last visible beat is older than the threshold at that moment. S4: never on
//! what was read before the host itself had paused. S8: one that boots is judged by its boot timeout. S9:
//! KILL comes no sooner after QUIT, TERM or the soft signal than their grace. S10: signals go to those who
//! live. S11: KILL goes out once.

use super::ledger::{Known, Ledger};
use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::beat::Pace;
use host_core::fleet::config::FleetConfig;
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
use host_core::id::WorkerId;
use host_core::sys::Signal;
use host_core::time::Instant;

#[derive(Default)]
pub(super) struct KillCheck {
    /// The host was continued at this moment: it had not run since some time before.
    continued: Option<Instant>,
}

impl KillCheck {
    pub(super) fn on_event(&mut self, now: Instant, event: &Event) {
        if matches!(event, Event::Signalled(Signal::Cont)) {
            self.continued = Some(now);
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "three orders are about the end of a worker")]
    pub(super) fn on_action(&self, ledger: &Ledger, now: Instant, action: &Action) -> Option<Violation> {
        match action {
            Action::SignalWorker { worker, signal } => {
                let Some(known) = ledger.workers.get(worker) else {
                    return Some(Violation::new("S10", format!("{signal} is sent to {worker}, who is gone")));
                };
                if known.pid.is_none() {
                    return Some(Violation::new(
                        "S10",
                        format!("{signal} is sent to {worker}, who is not born"),
                    ));
                }
                if *signal == Signal::Kill {
                    return too_often(known, *worker).or_else(|| too_early(ledger, known, *worker, now));
                }
                None
            }
            Action::TellFleet { notice: FleetNotice::Killed { worker, intent }, .. } => {
                self.judged(ledger, now, *worker, *intent)
            }
            Action::TellFleet { notice: FleetNotice::Softened { worker, .. }, .. } => {
                let ready = ledger.workers.get(worker).is_some_and(|known| known.ready.is_some());
                self.judged(ledger, now, *worker, if ready { Intent::Hung } else { Intent::NotReady })
            }
            _ => None,
        }
    }

    /// A verdict of lateness: was it right on what could be seen?
    fn judged(&self, ledger: &Ledger, now: Instant, worker: WorkerId, intent: Intent) -> Option<Violation> {
        let known = ledger.workers.get(&worker)?;
        let config = ledger.config(worker);
        match intent {
            Intent::Hung if known.was_sent_soft(config) => None,
            Intent::Hung => self.hung(known, config, now, worker),
            Intent::NotReady => {
                let age = now.since(known.born?);
                let wrong = known.ready.is_some() || age < config.boot_timeout;
                wrong.then(|| {
                    let ready = if known.ready.is_some() { "is ready" } else { "boots" };
                    let timeout = config.boot_timeout;
                    let detail = format!(
                        "{worker} {ready}, and is killed {age:?} after its birth; boot timeout {timeout:?}"
                    );
                    Violation::new("S8", detail)
                })
            }
            Intent::Surplus
            | Intent::ServedEnough
            | Intent::Sibling
            | Intent::FleetStops
            | Intent::Drain
            | Intent::Stop => None,
        }
    }

    fn hung(&self, known: &Known, config: &FleetConfig, now: Instant, worker: WorkerId) -> Option<Violation> {
        let Some(ready) = known.ready else {
            return Some(Violation::new("S8", format!("{worker} boots, and is judged by its heartbeat")));
        };
        let Some((read_at, reading)) = known.read.filter(|(at, _)| *at == now) else {
            let detail = format!("{worker} is killed on beats that were read at another moment than {now}");
            return Some(Violation::new("S4", detail));
        };
        if self.continued == Some(now) && read_at < now {
            return Some(Violation::new("S4", format!("{worker} is killed before its beats were read anew")));
        }
        let since = match reading.beat {
            None => ready,
            Some(beat) if beat.pace == Pace::Busy || config.idle_beats => beat.at,
            Some(beat) => match known.stopped {
                Some(stopped) => stopped.max(beat.at),
                None => {
                    let detail = format!("{worker} waits in the framework, and is killed for hanging");
                    return Some(Violation::new("S1", detail));
                }
            },
        };
        let age = now.since(since);
        let extended = reading.extended_until.is_some_and(|until| until >= now);
        (age <= config.heartbeat_timeout || extended).then(|| {
            let timeout = config.heartbeat_timeout;
            let more = if extended { ", and it has asked for more time" } else { "" };
            let detail = format!(
                "{worker} is killed {age:?} after its last sign of life; threshold {timeout:?}{more}"
            );
            Violation::new("S1", detail)
        })
    }
}

impl Known {
    fn was_sent_soft(&self, config: &FleetConfig) -> bool {
        config.soft_signal.is_some_and(|soft| self.was_sent(soft.signal).is_some())
    }
}

fn too_often(known: &Known, worker: WorkerId) -> Option<Violation> {
    let before = known.was_sent(Signal::Kill)?;
    Some(Violation::new("S11", format!("{worker} is killed, and was killed at {before} before")))
}

fn too_early(ledger: &Ledger, known: &Known, worker: WorkerId, now: Instant) -> Option<Violation> {
    let config = ledger.config(worker);
    // Somebody has asked for it twice, or it would not hear what it was sent.
    if ledger.stops >= 2 || known.stopped.is_some() {
        return None;
    }
    let soft = config.soft_signal.map(|soft| (soft.signal, soft.grace));
    let steps = [(Signal::Quit, config.drain_timeout), (Signal::Term, config.term_timeout)];
    // The last that it was asked by counts.
    let (at, last) = known.signals.last().copied()?;
    let (_, grace) = steps.into_iter().chain(soft).find(|(signal, _)| *signal == last)?;
    // An escalation does not give a drain more time than it had.
    let by_quit = known.was_sent(Signal::Quit).map(|quit| quit + config.drain_timeout);
    let earliest = by_quit.map_or(at + grace, |by_quit| by_quit.min(at + grace));
    (now < earliest).then(|| {
        let detail = format!("{worker} is killed {:?} after {last}, whose grace is {grace:?}", now.since(at));
        Violation::new("S9", detail)
    })
}
