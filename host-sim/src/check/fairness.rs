//! S35: a readable source is served within a bounded number of turns of all others.

use crate::check::Violation;
use host_core::action::Action;
use host_core::event::Event;
use host_core::id::{ServiceId, SocketId};
use host_core::sys::Fact;
use std::collections::{BTreeMap, VecDeque};

/// What is known of a socket.
struct Known {
    service: ServiceId,
    /// The number of the dispatch before which it was reported.
    waiting_since: Option<u64>,
}

/// Counts dispatches between a report and its service.
#[derive(Default)]
pub(crate) struct FairnessCheck {
    dispatches: u64,
    sockets: BTreeMap<SocketId, Known>,
    /// By service: how many sockets, at most so far; when last served; since when one waits.
    services: Vec<Line>,
}

#[derive(Clone, Default)]
struct Line {
    /// Its waiting sockets with the moments since, the oldest first; some wait no longer.
    queue: VecDeque<(u64, SocketId)>,
    open: u64,
    open_max: u64,
    served: Option<u64>,
    waiting: u64,
    waiting_since: Option<u64>,
}

impl FairnessCheck {
    pub(crate) fn on_fact(&mut self, fact: &Fact<'_>) -> Option<Violation> {
        match fact {
            Fact::Event(_, Event::Added { .. }) => self.services.push(Line::default()),
            Fact::Event(_, Event::Opened { socket, service, .. }) => {
                self.sockets.insert(*socket, Known { service: *service, waiting_since: None });
                let line = &mut self.services[service.index()];
                line.open += 1;
                line.open_max = line.open_max.max(line.open);
            }
            Fact::Event(_, Event::Closed { socket }) => {
                self.stop_waiting(*socket);
                if let Some(known) = self.sockets.remove(socket) {
                    self.services[known.service.index()].open -= 1;
                }
            }
            Fact::Event(_, Event::InterestChanged { socket, .. })
            | Fact::Action(Action::Unwatch { socket }) => {
                self.stop_waiting(*socket);
            }
            Fact::Event(_, Event::Ready { socket, .. }) => {
                let known = self.sockets.get_mut(socket)?;
                if known.waiting_since.is_none() {
                    known.waiting_since = Some(self.dispatches);
                    let line = &mut self.services[known.service.index()];
                    line.queue.push_back((self.dispatches, *socket));
                    line.waiting += 1;
                    line.waiting_since.get_or_insert(self.dispatches);
                }
            }
            Fact::Action(Action::Receive { service, socket, .. }) => return self.served(*service, *socket),
            Fact::Begin(_) | Fact::Event(..) | Fact::Action(_) | Fact::Settled(_) => {}
        }
        None
    }

    fn served(&mut self, service: ServiceId, socket: SocketId) -> Option<Violation> {
        let last = self.services[service.index()].served;
        for (index, line) in self.services.iter().enumerate() {
            let passed_over =
                matches!((line.waiting_since, last), (Some(since), Some(last)) if since <= last);
            if index != service.index() && passed_over {
                let detail = format!("{service} was served twice while service {index} waited");
                return Some(Violation::new("S35", detail));
            }
        }
        let (since, oldest) = self.oldest(service).unwrap_or((self.dispatches, socket));
        let waited = self.dispatches - since;
        // Each socket of its service may go first, and each of those waits for every other service.
        let bound = self.services[service.index()].open_max * self.services.len() as u64;
        self.dispatches += 1;
        self.stop_waiting(socket);
        let line = &mut self.services[service.index()];
        line.served = Some(self.dispatches);
        if line.waiting > 0 {
            // The rest of its sockets begin to wait anew, as the service does.
            line.waiting_since = Some(self.dispatches);
        }
        (waited > bound).then(|| {
            let detail = format!("{oldest} of {service} has waited for {waited} others, allowed are {bound}");
            Violation::new("S35", detail)
        })
    }

    /// The socket of `service` that has waited the longest, and since when.
    fn oldest(&mut self, service: ServiceId) -> Option<(u64, SocketId)> {
        let Self { sockets, services, .. } = self;
        let queue = &mut services[service.index()].queue;
        while let Some((since, socket)) = queue.front() {
            if sockets.get(socket).is_some_and(|known| known.waiting_since == Some(*since)) {
                break;
            }
            queue.pop_front();
        }
        queue.front().copied()
    }

    fn stop_waiting(&mut self, socket: SocketId) {
        let Some(known) = self.sockets.get_mut(&socket) else { return };
        if known.waiting_since.take().is_some() {
            let line = &mut self.services[known.service.index()];
            line.waiting -= 1;
            if line.waiting == 0 {
                line.waiting_since = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_core::service::reconnect::{OnConnectError, Reconnect};
    use host_core::sys::{Interest, Readiness};
    use host_core::time::Instant;

    const READY: Readiness = Readiness { readable: true, writable: false, ended: false };

    struct Rig(FairnessCheck);

    impl Rig {
        /// Two services with two sockets each: 0 and 1, 2 and 3.
        fn new() -> Self {
            let mut rig = Self(FairnessCheck::default());
            for service in [0, 1].map(ServiceId::new) {
                rig.event(Event::Added {
                    service,
                    reconnect: Reconnect::EachTurn,
                    on_connect_error: OnConnectError::End,
                });
            }
            for socket in 0..4 {
                let service = ServiceId::new(socket / 2);
                let socket = SocketId::new(socket, 0);
                rig.event(Event::Opened { socket, service, interest: Interest::READ });
            }
            rig
        }

        fn event(&mut self, event: Event) {
            assert_eq!(self.0.on_fact(&Fact::Event(Instant::ZERO, &event)), None);
        }

        fn ready(&mut self, socket: u32) {
            self.event(Event::Ready { socket: SocketId::new(socket, 0), readiness: READY });
        }

        fn serve(&mut self, socket: u32) -> Option<&'static str> {
            let action = Action::Receive {
                service: ServiceId::new(socket / 2),
                socket: SocketId::new(socket, 0),
                readiness: READY,
            };
            self.0.on_fact(&Fact::Action(&action)).map(|violation| violation.id)
        }
    }

    #[test]
    fn alternation_is_fair() {
        let mut rig = Rig::new();
        for _ in 0..20 {
            (0..4).for_each(|socket| rig.ready(socket));
            assert_eq!([0, 2, 1, 3].map(|socket| rig.serve(socket)), [None; 4]);
        }
    }

    #[test]
    fn a_service_that_is_passed_over_is_reported() {
        let mut rig = Rig::new();
        rig.ready(0);
        rig.ready(1);
        rig.ready(2);
        assert_eq!(rig.serve(0), None);
        assert_eq!(rig.serve(1), Some("S35"));
    }

    #[test]
    fn a_socket_that_is_passed_over_is_reported() {
        let mut rig = Rig::new();
        rig.ready(1);
        let found = (0..20).find_map(|_| {
            rig.ready(0);
            rig.serve(0)
        });
        assert_eq!(found, Some("S35"), "the other one waits, and need not be served to be found");
    }

    #[test]
    fn a_socket_that_was_closed_waits_no_longer() {
        let mut rig = Rig::new();
        rig.ready(0);
        rig.ready(1);
        rig.ready(2);
        assert_eq!(rig.serve(0), None);
        rig.event(Event::Closed { socket: SocketId::new(2, 0) });
        assert_eq!(rig.serve(1), None);
    }
}
