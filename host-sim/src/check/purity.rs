//! S44: the same state, event and moment give the same actions. S45: no deadline lies in the past. H1:
//! the host's own invariants hold.

use crate::check::Violation;
use host_core::event::Event;
use host_core::host::Host;
use host_core::sys::Fact;
use host_core::time::Instant;

/// Runs a second host on the same facts, and compares.
#[derive(Default)]
pub(crate) struct PurityCheck {
    shadow: Option<Host>,
    now: Instant,
    /// The last fact was that all is told: then what is due was done.
    ticked: bool,
    settled: u64,
}

/// How often the two hosts are compared whole, beside their actions: it costs as much as the host is
/// large.
const COMPARE_EACH: u64 = 256;

impl PurityCheck {
    pub(crate) fn on_fact(&mut self, fact: &Fact<'_>) -> Option<Violation> {
        match fact {
            Fact::Begin(config) => self.shadow = Some(Host::new((*config).clone())),
            Fact::Event(now, event) => {
                self.now = *now;
                self.ticked = matches!(event, Event::Tick);
                self.shadow.as_mut()?.handle_event(*now, (*event).clone());
            }
            Fact::Action(action) => {
                let expected = self.shadow.as_mut()?.poll_action();
                if expected.as_ref() != Some(action) {
                    let detail =
                        format!("the host ordered {action:?}; the same facts gave {expected:?} to another");
                    return Some(Violation::new("S44", detail));
                }
            }
            Fact::Settled(host) => return self.settled(host),
        }
        None
    }

    pub(crate) fn shadow(&self) -> Option<&Host> {
        self.shadow.as_ref()
    }

    fn settled(&mut self, host: &Host) -> Option<Violation> {
        let shadow = self.shadow.as_mut()?;
        if let Some(action) = shadow.poll_action() {
            let detail = format!("the host kept back {action:?}, which the same facts gave to another");
            return Some(Violation::new("S44", detail));
        }
        let overdue = host.next_deadline().filter(|deadline| self.ticked && deadline.at <= self.now);
        if let Some(deadline) = overdue {
            let detail =
                format!("at {} the host wants to be woken at {}: {}", self.now, deadline.at, deadline.timer);
            return Some(Violation::new("S45", detail));
        }
        if let Some(sentence) = host.broken_invariant() {
            return Some(Violation::new("H1", sentence.to_owned()));
        }
        self.settled += 1;
        if self.settled.is_multiple_of(COMPARE_EACH) && shadow != host {
            let detail = "two hosts with the same facts and actions differ in what they know".to_owned();
            return Some(Violation::new("S44", detail));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::action::Action;
    use host_core::config::HostConfig;

    #[test]
    fn another_action_than_the_facts_give_is_caught() {
        let mut check = PurityCheck::default();
        assert_eq!(check.on_fact(&Fact::Begin(&HostConfig::default())), None);
        let start = Event::Started { turns_max: None };
        assert_eq!(check.on_fact(&Fact::Event(Instant::ZERO, &start)), None);
        assert_eq!(check.on_fact(&Fact::Action(&Action::Look)).map(|found| found.id), Some("S44"));
    }

    #[test]
    fn an_action_that_is_kept_back_is_caught() {
        let mut check = PurityCheck::default();
        let config = HostConfig::default();
        let mut host = Host::new(config.clone());
        assert_eq!(check.on_fact(&Fact::Begin(&config)), None);
        let start = Event::Started { turns_max: None };
        host.handle_event(Instant::ZERO, start.clone());
        assert_eq!(check.on_fact(&Fact::Event(Instant::ZERO, &start)), None);
        while host.poll_action().is_some() {}
        assert_eq!(check.on_fact(&Fact::Settled(&host)).map(|found| found.id), Some("S44"));
    }

    #[test]
    fn a_deadline_in_the_past_is_caught() {
        use host_core::id::ServiceId;
        use host_core::service::reconnect::{OnConnectError, Reconnect};
        let mut check = PurityCheck::default();
        let config = HostConfig::default();
        let mut host = Host::new(config.clone());
        assert_eq!(check.on_fact(&Fact::Begin(&config)), None);
        let service = ServiceId::new(0);
        let added =
            Event::Added { service, reconnect: Reconnect::EachTurn, on_connect_error: OnConnectError::End };
        let not_yet = Event::Returned {
            service,
            callback: host_core::service::kick::Callback::Connect,
            outcome: host_core::event::Outcome::NotYet,
        };
        // Only a callback may ask for a wake, and none is out: the host takes it as it comes.
        let overdue = Event::WakeAsked { service, at: Some(Instant::ZERO) };
        let facts = [added, Event::Started { turns_max: None }, not_yet, overdue];
        let found = facts.into_iter().find_map(|event| {
            let now = Instant::from_nanos(7);
            host.handle_event(now, event.clone());
            assert_eq!(check.on_fact(&Fact::Event(now, &event)), None);
            while let Some(action) = host.poll_action() {
                assert_eq!(check.on_fact(&Fact::Action(&action)), None);
            }
            // As if it came with a tick, which would have done what is due.
            check.ticked = true;
            check.on_fact(&Fact::Settled(&host))
        });
        assert_eq!(found.map(|found| found.id), Some("S45"));
    }
}
