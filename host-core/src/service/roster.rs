//! How far each service has come.

use crate::id::ServiceId;
use crate::random::Random;
use crate::service::reconnect::{OnConnectError, Reconnect};
use crate::status::ServiceStatus;
use crate::time::Duration;
use alloc::vec::Vec;

/// How far a service has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    /// The service has no connection; `connect` is called when it is due.
    Unconnected,
    /// The service has a connection, and `prepare` is due before the next wait.
    Connected,
    /// The service waits for its sockets.
    Prepared,
    /// The service was closed for good.
    Closed,
}

/// What the host knows of one service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    /// How far it has come.
    pub(crate) phase: Phase,
    /// Its policy.
    reconnect: Reconnect,
    /// Its policy.
    pub(crate) on_connect_error: OnConnectError,
    /// How many times `connect` came to stand.
    pub(crate) connects: u32,
    /// How many tries in a row did not connect, or connected and ended before anything came through.
    pub(crate) attempt: u32,
    /// Something came through since the last connect, so that the next one is no retry.
    pub(crate) proved: bool,
    /// Its last socket was closed since `connect` was last called.
    pub(crate) lost: bool,
    /// How many times it was served since the look of this number.
    served: (u64, u32),
    /// It is in the list of those whose `connect` or `prepare` is due in the next turn.
    due: bool,
}

impl Member {
    /// How many times it was served since look number `looks`.
    pub(crate) fn served_since(&self, looks: u64) -> u32 {
        let (since, count) = self.served;
        if since == looks { count } else { 0 }
    }

    /// It is served once more.
    pub(crate) fn count_served(&mut self, looks: u64) {
        self.served = (looks, self.served_since(looks).saturating_add(1));
    }

    /// `connect` has come to stand.
    pub(crate) fn count_connect(&mut self) {
        self.connects = self.connects.saturating_add(1);
    }

    /// One more try failed: how long to wait; `None` is the next turn.
    pub(crate) fn failed_try(&mut self, random: &mut Random) -> Option<Duration> {
        self.attempt = self.attempt.saturating_add(1);
        self.reconnect.delay(self.attempt, random)
    }
}

/// All services, and those that have a callback due at the next turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Roster {
    /// Indexed by service.
    members: Vec<Member>,
    /// Those whose flag is up.
    due: Vec<ServiceId>,
}

impl Roster {
    /// The next new service; its `connect` is due.
    pub(crate) fn add(&mut self, reconnect: Reconnect, on_connect_error: OnConnectError) -> ServiceId {
        let service = ServiceId::new(self.members.len() as u32);
        self.members.push(Member {
            phase: Phase::Unconnected,
            reconnect,
            on_connect_error,
            connects: 0,
            attempt: 0,
            proved: false,
            lost: false,
            served: (0, 0),
            due: false,
        });
        self.mark_due(service);
        service
    }

    /// A service, by id.
    pub(crate) fn member(&mut self, service: ServiceId) -> &mut Member {
        &mut self.members[service.index()]
    }

    /// A service's phase.
    pub(crate) fn phase(&self, service: ServiceId) -> Phase {
        self.members[service.index()].phase
    }

    /// In the next turn, `connect` or `prepare` of this service is due, whichever its phase asks for.
    pub(crate) fn mark_due(&mut self, service: ServiceId) {
        let member = &mut self.members[service.index()];
        if !member.due {
            member.due = true;
            self.due.push(service);
        }
    }

    /// Nothing of this service is due in the next turn.
    pub(crate) fn unmark_due(&mut self, service: ServiceId) {
        let member = &mut self.members[service.index()];
        if core::mem::take(&mut member.due) {
            self.due.retain(|due| *due != service);
        }
    }

    /// Moves those that are due into `todo`, which is empty.
    pub(crate) fn take_due(&mut self, todo: &mut Vec<ServiceId>) {
        debug_assert!(todo.is_empty(), "the last turn left something undone");
        core::mem::swap(&mut self.due, todo);
        for service in todo {
            self.members[service.index()].due = false;
        }
    }

    /// All services, in order of addition.
    pub(crate) fn ids(&self) -> impl DoubleEndedIterator<Item = ServiceId> + use<> {
        (0..self.members.len() as u32).map(ServiceId::new)
    }

    /// A snapshot of all, without the names that others know.
    pub(crate) fn status(&self) -> Vec<ServiceStatus> {
        let status = |(service, member): (ServiceId, &Member)| ServiceStatus {
            service,
            name: None,
            state: member.phase.into(),
            connects: member.connects,
            attempt: member.attempt,
        };
        self.ids().zip(&self.members).map(status).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_due_once_however_often_it_was_marked() {
        let mut roster = Roster::default();
        let [a, b] = [0, 1].map(|_| roster.add(Reconnect::EachTurn, OnConnectError::End));
        roster.mark_due(a);
        let mut todo = Vec::new();
        roster.take_due(&mut todo);
        assert_eq!(todo, [a, b]);
        todo.clear();
        roster.mark_due(b);
        roster.mark_due(b);
        roster.take_due(&mut todo);
        assert_eq!(todo, [b], "the flag went down with the first turn");
    }

    #[test]
    fn only_the_service_that_was_taken_back_is_due_no_longer() {
        let mut roster = Roster::default();
        let [a, b] = [0, 1].map(|_| roster.add(Reconnect::EachTurn, OnConnectError::End));
        roster.unmark_due(a);
        roster.unmark_due(a);
        let mut todo = Vec::new();
        roster.take_due(&mut todo);
        assert_eq!(todo, [b]);
        todo.clear();
        roster.mark_due(a);
        roster.take_due(&mut todo);
        assert_eq!(todo, [a], "it can be due again");
    }

    #[test]
    fn tries_are_counted_without_overflow() {
        let mut roster = Roster::default();
        let a = roster.add(Reconnect::EachTurn, OnConnectError::Retry);
        let member = roster.member(a);
        member.attempt = u32::MAX;
        assert_eq!(member.failed_try(&mut Random::new(0)), None);
        assert_eq!(member.attempt, u32::MAX);
    }
}
