//! S36: an unhandled error takes the documented path, once.
//!
//! The path: the notifier is told, every service that is not closed yet is closed in order of addition,
//! the host ends with that error. While a host stops, the other services are still told.

use crate::check::Violation;
use host_core::action::{Action, Ending};
use host_core::event::{Event, Outcome};
use host_core::id::ServiceId;
use host_core::service::kick::Callback;
use host_core::service::reconnect::OnConnectError;
use host_core::sys::Fact;

/// Follows failures.
#[derive(Default)]
pub(crate) struct FailurePathCheck {
    /// By service: whether a failed connect ends the host, and whether it is closed.
    services: Vec<(OnConnectError, bool)>,
    /// A failure that the notifier was not told of yet.
    untold: Option<ServiceId>,
    /// The notifier was told of a failure outside a stop: only closing may follow.
    failing: bool,
    failed: bool,
    stopping: bool,
    last_closed: Option<ServiceId>,
}

impl FailurePathCheck {
    pub(crate) fn on_fact(&mut self, fact: &Fact<'_>) -> Option<Violation> {
        match fact {
            Fact::Event(_, Event::Added { on_connect_error, .. }) => {
                self.services.push((*on_connect_error, false));
            }
            Fact::Event(_, Event::Returned { service, callback, outcome: Outcome::Failed }) => {
                let retries = self.services[service.index()].0 == OnConnectError::Retry;
                if !(retries && *callback == Callback::Connect) {
                    self.untold = Some(*service);
                }
            }
            Fact::Action(action) => return self.on_action(action).map(|seen| Violation::new("S36", seen)),
            Fact::Settled(_) => {
                if let Some(service) = self.untold {
                    return Some(Violation::new(
                        "S36",
                        format!("the notifier was not told that {service} failed"),
                    ));
                }
            }
            Fact::Begin(_) | Fact::Event(..) => {}
        }
        None
    }

    fn on_action(&mut self, action: &Action) -> Option<String> {
        match action {
            Action::NotifyFailure { service, .. } => {
                self.untold = None;
                self.failed = true;
                if self.failing {
                    return Some(format!("the notifier was told again, of {service}"));
                }
                self.failing = !self.stopping;
            }
            Action::Call { callback: Callback::Stop, .. } => self.stopping = true,
            Action::Call { service, .. } | Action::Receive { service, .. } if self.failing => {
                return Some(format!("{service} was called after a failure"));
            }
            Action::CloseService { service } => {
                let closed = &mut self.services[service.index()].1;
                if std::mem::replace(closed, true) {
                    return Some(format!("{service} was closed twice"));
                }
                if self.failing && self.last_closed.replace(*service) > Some(*service) {
                    return Some(format!("{service} was closed out of order of addition"));
                }
            }
            Action::Finish(ending) => {
                if let Some(open) = self.services.iter().position(|(_, closed)| !closed) {
                    return Some(format!("the host ended with service {open} open"));
                }
                if (*ending == Ending::ServiceFailed) != self.failed && *ending != Ending::StoppedAtOnce {
                    return Some(format!(
                        "a failed service must end as such, and nothing else may: {ending:?}"
                    ));
                }
            }
            Action::Call { .. }
            | Action::Receive { .. }
            | Action::Watch { .. }
            | Action::Unwatch { .. }
            | Action::Look
            | Action::EndOnNextSignal
            | Action::Spawn { .. }
            | Action::SignalWorker { .. }
            | Action::Nudge { .. }
            | Action::Mind { .. }
            | Action::ReadBeats { .. }
            | Action::ReadMemory { .. }
            | Action::AskScale { .. }
            | Action::ReadChildNews { .. }
            | Action::ReopenFiles
            | Action::Reopen { .. }
            | Action::KillAll
            | Action::TellFleet { .. }
            | Action::Tell { .. } => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::action::Why;
    use host_core::config::HostConfig;
    use host_core::host::Host;
    use host_core::service::reconnect::Reconnect;
    use host_core::time::Instant;

    const A: ServiceId = ServiceId::new(0);
    const B: ServiceId = ServiceId::new(1);
    const CALLBACK: Callback = Callback::Receive;
    const NOTIFY: Action = Action::NotifyFailure { service: A, callback: CALLBACK, why: Why::Callback };
    const END: Action = Action::Finish(Ending::ServiceFailed);

    const fn close(service: ServiceId) -> Action {
        Action::CloseService { service }
    }

    /// Whether a failure of A that is followed by these orders is as documented.
    fn is_caught(orders: &[Action]) -> bool {
        let mut check = FailurePathCheck::default();
        for service in [A, B] {
            let (reconnect, on_connect_error) = (Reconnect::EachTurn, OnConnectError::End);
            let event = Event::Added { service, reconnect, on_connect_error };
            assert_eq!(check.on_fact(&Fact::Event(Instant::ZERO, &event)), None);
        }
        let event = Event::Returned { service: A, callback: CALLBACK, outcome: Outcome::Failed };
        assert_eq!(check.on_fact(&Fact::Event(Instant::ZERO, &event)), None);
        let host = Host::new(HostConfig::default());
        let mut found = orders.iter().filter_map(|order| check.on_fact(&Fact::Action(order))).count();
        found += usize::from(check.on_fact(&Fact::Settled(&host)).is_some());
        found > 0
    }

    #[test]
    fn each_departure_from_the_path_is_caught() {
        assert!(!is_caught(&[NOTIFY, close(A), close(B), END]), "the path itself");
        let call = Action::Call { service: B, callback: Callback::Prepare };
        let rows: [(&str, &[Action]); 8] = [
            ("nobody told", &[close(A), close(B), END]),
            ("told twice", &[NOTIFY, NOTIFY, close(A), close(B), END]),
            ("wrong order", &[NOTIFY, close(B), close(A), END]),
            ("one left open", &[NOTIFY, close(A), END]),
            ("closed twice", &[NOTIFY, close(A), close(A), close(B), END]),
            ("another called", &[NOTIFY, call, close(A), close(B), END]),
            ("wrong ending", &[NOTIFY, close(A), close(B), Action::Finish(Ending::Stopped)]),
            ("ended untold", &[close(A), close(B), Action::Finish(Ending::Stopped)]),
        ];
        for (name, orders) in rows {
            assert!(is_caught(orders), "{name}");
        }
    }
}
