//! What must hold of the machine after every event.

use super::{Step, Turns};
use crate::service::roster::Phase;
use crate::time::Instant;

impl Turns {
    /// What must hold after each event; the first thing that does not.
    pub(crate) fn broken_invariant(&self, now: Instant) -> Option<&'static str> {
        if self.is_ended() {
            return None;
        }
        for service in self.roster.ids() {
            if self.sockets.has_ready(service) != self.rotation.is_ready(service) {
                return Some("a service is marked ready if and only if one of its sockets is");
            }
            if self.sockets.has_ready(service) != (self.sockets.count_ready(service) > 0) {
                return Some("the count of ready sockets is their number");
            }
            if self.sockets.open_count(service) != self.sockets.count_open(service) {
                return Some("the count of open sockets is their number");
            }
        }
        if self.sockets.iter().any(|socket| socket.armed != socket.wanted()) {
            return Some("the poller reports of each socket what is wanted of it");
        }
        if matches!(self.step, Step::Waiting { .. }) {
            if self.rotation.ready_count() > 0 {
                return Some("nobody waits while a socket is ready");
            }
            if !self.todo.is_empty() || !self.wakes.is_empty() {
                return Some("nobody waits while a callback is due");
            }
            if self.roster.ids().any(|service| self.roster.phase(service) == Phase::Connected) {
                return Some("nobody waits before each service that has a connection is prepared");
            }
            if self.next_deadline().is_some_and(|deadline| deadline.at <= now) {
                return Some("a deadline lies ahead of the moment that it was asked for");
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HostConfig;
    use crate::event::{Activity, Outcome};
    use crate::id::{ServiceId, SocketId};
    use crate::random::Random;
    use crate::service::kick::Callback;
    use crate::service::reconnect::{OnConnectError, Reconnect};
    use crate::service::turns::Orders;
    use crate::sys::{Interest, Readiness};
    use crate::time::Duration;

    const A: ServiceId = ServiceId::new(0);
    const B: ServiceId = ServiceId::new(1);
    const S: SocketId = SocketId::new(0, 0);
    const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
    const UNTIL: Instant = Instant::from_nanos(50);

    /// Two services, the first with a socket, that wait until [`UNTIL`].
    fn waiting() -> Turns {
        let config = HostConfig { poll_period: Some(Duration::from_nanos(50)), ..HostConfig::default() };
        let mut random = Random::new(0);
        let (mut turns, mut orders) = (Turns::new(), Orders::new());
        turns.added(Reconnect::EachTurn, OnConnectError::End, &mut orders);
        turns.added(Reconnect::EachTurn, OnConnectError::End, &mut orders);
        turns.started(&config, Instant::ZERO, None, &mut orders);
        turns.opened(S, A, Interest::READ, &mut orders);
        for (service, callback) in
            [A, B].into_iter().flat_map(|id| [(id, Callback::Connect), (id, Callback::Prepare)])
        {
            let outcome = Outcome::Done(Activity::Progress);
            turns.returned(&config, Instant::ZERO, &mut random, service, callback, outcome, &mut orders);
        }
        assert_eq!(turns.step, Step::Waiting { until: Some(UNTIL) });
        turns
    }

    fn report(turns: &mut Turns) {
        turns.sockets.mark_ready(S, READABLE);
        turns.rotation.mark(A);
    }

    /// A name, what breaks the state, the sentence, and whether it holds in a wait only.
    type Row = (&'static str, fn(&mut Turns), &'static str, bool);

    #[test]
    fn each_broken_invariant_is_found_and_named() {
        let rows: [Row; 9] = [
            (
                "marked and not ready",
                |turns| turns.rotation.mark(A),
                "a service is marked ready if and only if one of its sockets is",
                false,
            ),
            (
                "ready and not marked",
                |turns| {
                    turns.sockets.mark_ready(S, READABLE);
                },
                "a service is marked ready if and only if one of its sockets is",
                false,
            ),
            (
                "a ready socket that went to another",
                |turns| {
                    report(turns);
                    turns.sockets.find(S).unwrap().service = B;
                },
                "the count of ready sockets is their number",
                false,
            ),
            (
                "an open socket that went to another",
                |turns| turns.sockets.find(S).unwrap().service = B,
                "the count of open sockets is their number",
                false,
            ),
            (
                "a socket that is watched for something else",
                |turns| turns.sockets.find(S).unwrap().armed = Interest::WRITE,
                "the poller reports of each socket what is wanted of it",
                false,
            ),
            ("a report that nobody serves", report, "nobody waits while a socket is ready", true),
            ("a forgotten call", |turns| turns.todo.push(A), "nobody waits while a callback is due", true),
            (
                "a forgotten wake",
                |turns| turns.wakes.push_back(B),
                "nobody waits while a callback is due",
                true,
            ),
            (
                "a forgotten prepare",
                |turns| turns.roster.member(B).phase = Phase::Connected,
                "nobody waits before each service that has a connection is prepared",
                true,
            ),
        ];
        for (name, damage, sentence, only_in_a_wait) in rows {
            let mut turns = waiting();
            assert_eq!(turns.broken_invariant(Instant::ZERO), None, "{name}");
            damage(&mut turns);
            assert_eq!(turns.broken_invariant(Instant::ZERO), Some(sentence), "{name}");
            for step in [Step::Looking, Step::Hearing { until: None }] {
                turns.step = step;
                let expected = (!only_in_a_wait).then_some(sentence);
                assert_eq!(turns.broken_invariant(Instant::ZERO), expected, "{name}");
            }
            turns.step = Step::Ended;
            assert_eq!(turns.broken_invariant(Instant::ZERO), None, "{name}: nothing is asked of the dead");
        }
    }

    #[test]
    fn a_deadline_that_has_come_is_found_in_a_wait() {
        let turns = waiting();
        let sentence = "a deadline lies ahead of the moment that it was asked for";
        assert_eq!(turns.broken_invariant(UNTIL - Duration::from_nanos(1)), None);
        assert_eq!(turns.broken_invariant(UNTIL), Some(sentence));
        assert_eq!(turns.broken_invariant(UNTIL + Duration::from_nanos(1)), Some(sentence));
    }
}
