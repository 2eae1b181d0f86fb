//! How workers and hosts end.
//!
//! S12: what is kept of a death is what was ordered and what was reaped. S15: news of somebody who is
//! nobody's worker changes nothing. S38: the host ends after its last child was reaped.

use super::ledger::Ledger;
use crate::check::Violation;
use host_core::action::{Action, Ending};
use host_core::event::Event;
use host_core::fleet::notice::FleetNotice;
use host_core::id::WorkerId;
use host_core::sys::{ExitStatus, Pid, Signal};

#[derive(Default)]
pub(super) struct EndCheck {
    /// The death that this fact told: who, how, and what it had been sent.
    reaped: Option<(WorkerId, ExitStatus, Vec<Signal>)>,
    /// This fact was about somebody who is nobody's worker.
    stranger: Option<Pid>,
    killed_all: bool,
}

impl EndCheck {
    #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else tells of an end")]
    pub(super) fn on_event(&mut self, ledger: &Ledger, event: &Event) {
        self.reaped = None;
        self.stranger = None;
        match event {
            Event::WorkerExited { worker, status } => {
                if let Some(known) = ledger.workers.get(worker) {
                    let signals = known.signals.iter().map(|(_, signal)| *signal).collect();
                    self.reaped = Some((*worker, *status, signals));
                }
            }
            Event::StrangerReaped { pid } => self.stranger = Some(*pid),
            Event::ChildStopped { pid } | Event::ChildContinued { pid }
                if ledger.workers.values().all(|known| known.pid != Some(*pid)) =>
            {
                self.stranger = Some(*pid);
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "few orders are about ends")]
    pub(super) fn on_action(&mut self, ledger: &Ledger, action: &Action) -> Option<Violation> {
        match action {
            Action::Spawn { worker } | Action::SignalWorker { worker, .. } => {
                let pid = self.stranger?;
                Some(Violation::new(
                    "S15",
                    format!("news of pid {pid}, a stranger, led to an order about {worker}"),
                ))
            }
            Action::TellFleet { notice: FleetNotice::Died(death), .. } => {
                let Some((worker, status, signals)) = self.reaped.take() else {
                    return Some(Violation::new(
                        "S12",
                        format!("a death is told that was not reaped: {death}"),
                    ));
                };
                let right = death.worker == worker
                    && death.status == status
                    && death.killed == signals.contains(&Signal::Kill)
                    && death.intent.is_some() != signals.is_empty();
                (!right).then(|| {
                    let detail =
                        format!("{worker} was sent {signals:?} and ended with {status}; kept is: {death}");
                    Violation::new("S12", detail)
                })
            }
            Action::KillAll => {
                self.killed_all = true;
                None
            }
            Action::Finish(ending) => {
                let left = ledger.workers.keys().next()?;
                let given_up = self.killed_all && matches!(ending, Ending::SystemFailed { .. });
                (!given_up)
                    .then(|| Violation::new("S38", format!("the host ends, and {left} was not reaped")))
            }
            _ => None,
        }
    }
}
