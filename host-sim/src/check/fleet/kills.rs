//! Who may be killed, and when.
//!
//! S1: for hanging only if its last visible beat is older than the threshold at that moment. S4: only by the
//! look that has read that beat, never on what was read before; `truth` knows of the host's own pauses. S8:
//! one that boots is judged by its boot timeout. S10: signals go to those who live.

use super::ledger::{Known, Ledger};
use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::beat::Pace;
use host_core::fleet::config::FleetConfig;
use host_core::fleet::death::Intent;
use host_core::fleet::notice::FleetNotice;
use host_core::id::{FleetId, WorkerId};
use host_core::time::Instant;

#[derive(Default)]
pub(super) struct KillCheck {
    /// The fleet whose beats are the present fact.
    looks_at: Option<FleetId>,
}

impl KillCheck {
    pub(super) fn on_event(&mut self, event: &Event) {
        self.looks_at = if let Event::Beats { fleet, .. } = event { Some(*fleet) } else { None };
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
                None
            }
            Action::TellFleet { notice: FleetNotice::Killed { worker, intent }, .. } => {
                // One that may leave evidence was judged when it was asked for that.
                let judged = ledger.workers.get(worker)?.was_sent_soft(ledger.config(*worker));
                if judged { None } else { self.judged(ledger, now, *worker, *intent) }
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
            | Intent::TooLarge
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
        let fresh = self.looks_at == Some(worker.fleet);
        let Some((_, reading)) = known.read.filter(|(at, _)| fresh && *at == now) else {
            let detail = format!("{worker} is condemned at {now}, and not by what was read for that");
            return Some(Violation::new("S4", detail));
        };
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
    pub(in crate::check) fn was_sent_soft(&self, config: &FleetConfig) -> bool {
        config.soft_signal.is_some_and(|soft| self.was_sent(soft.signal).is_some())
    }
}
