//! The sockets of all services: what is wanted of each, and which are ready.

use crate::id::{ServiceId, SocketId};
use crate::service::kick::Callback;
use crate::sys::{Interest, Readiness};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Where a socket comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// The callback that opened it.
    pub(crate) opened_in: Callback,
    /// Which `connect` of its service it belongs to, from 1; 0 if to none.
    pub(crate) connect: u32,
}

/// What the host knows of one open socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Socket {
    /// Its full name; a report for another generation is not for it.
    id: SocketId,
    /// Whose it is.
    pub(crate) service: ServiceId,
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// What its service wants to be told.
    pub(crate) interest: Interest,
    /// What the poller was told to report.
    pub(crate) armed: Interest,
    /// Reported and not yet served.
    ready: Option<Readiness>,
    /// How many times in a row it was served and nothing came of it.
    pub(crate) empty_wakes: u32,
    /// It is a listener that waits for descriptors or memory.
    pub(crate) resting: bool,
}

impl Socket {
    /// What the poller should report.
    pub(crate) const fn wanted(&self) -> Interest {
        if self.resting { Interest::NONE } else { self.interest }
    }
}

/// The open sockets, and for each service those that are ready, the longest waiting first.
///
/// No operation looks at idle sockets: the cost of an event does not depend on how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Sockets {
    /// Indexed by the socket's seat.
    seats: Vec<Option<Socket>>,
    /// Indexed by service.
    queues: Vec<Queue>,
}

/// The ready sockets of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Queue {
    /// Those that are ready, in order of readiness.
    order: VecDeque<SocketId>,
    /// How many sockets are open.
    open: usize,
}

impl Sockets {
    /// Makes room for the next new service.
    pub(crate) fn add_service(&mut self) {
        self.queues.push(Queue::default());
    }

    /// A socket was opened.
    pub(crate) fn open(&mut self, id: SocketId, service: ServiceId, interest: Interest, origin: Origin) {
        let seat = id.index();
        if self.seats.len() <= seat {
            self.seats.resize_with(seat + 1, || None);
        }
        debug_assert!(self.seats[seat].is_none(), "{id} is opened in a taken seat");
        self.seats[seat] = Some(Socket {
            id,
            service,
            origin,
            interest,
            armed: Interest::NONE,
            ready: None,
            empty_wakes: 0,
            resting: false,
        });
        self.queues[service.index()].open += 1;
    }

    /// The socket, if it is still open.
    pub(crate) fn find(&mut self, id: SocketId) -> Option<&mut Socket> {
        self.seats.get_mut(id.index())?.as_mut().filter(|socket| socket.id == id)
    }

    /// A socket was closed; whose it was.
    pub(crate) fn close(&mut self, id: SocketId) -> Option<ServiceId> {
        self.unready(id);
        let service = self.find(id)?.service;
        self.seats[id.index()] = None;
        self.queues[service.index()].open -= 1;
        Some(service)
    }

    /// The poller reported a socket: whose, if there is something to tell that service.
    pub(crate) fn mark_ready(&mut self, id: SocketId, readiness: Readiness) -> Option<ServiceId> {
        let socket = self.find(id)?;
        let told = readiness.within(socket.wanted());
        if told.is_none() {
            return None;
        }
        let service = socket.service;
        let first = socket.ready.is_none();
        socket.ready = Some(told.union(socket.ready.unwrap_or_default()));
        if first {
            self.queues[service.index()].order.push_back(id);
        }
        Some(service)
    }

    /// What was reported of a socket is void: its interest changed, or it is gone.
    pub(crate) fn unready(&mut self, id: SocketId) {
        let Some(socket) = self.find(id) else { return };
        if socket.ready.take().is_some() {
            // The cost is in the number of ready sockets; whoever is served is out of the queue already.
            let service = socket.service;
            self.queues[service.index()].order.retain(|ready| *ready != id);
        }
    }

    /// Takes out the socket of `service` that has been ready the longest.
    pub(crate) fn pop_ready(&mut self, service: ServiceId) -> Option<(SocketId, Readiness)> {
        let id = self.queues[service.index()].order.pop_front()?;
        let readiness = self.find(id)?.ready.take()?;
        Some((id, readiness))
    }

    /// Whether `service` has a socket that is ready.
    pub(crate) fn has_ready(&self, service: ServiceId) -> bool {
        !self.queues[service.index()].order.is_empty()
    }

    /// How many sockets `service` has open.
    pub(crate) fn open_count(&self, service: ServiceId) -> usize {
        self.queues[service.index()].open
    }

    /// The ready sockets of all services, counted one by one; for checking.
    pub(crate) fn count_ready(&self, service: ServiceId) -> usize {
        self.iter().filter(|socket| socket.service == service && socket.ready.is_some()).count()
    }

    /// The open sockets of a service, counted one by one; for checking.
    pub(crate) fn count_open(&self, service: ServiceId) -> usize {
        self.iter().filter(|socket| socket.service == service).count()
    }

    /// All open sockets, by seat.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Socket> {
        self.seats.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: ServiceId = ServiceId::new(0);
    const ORIGIN: Origin = Origin { opened_in: Callback::Connect, connect: 1 };
    const READABLE: Readiness = Readiness { readable: true, writable: false, ended: false };
    const WRITABLE: Readiness = Readiness { readable: false, writable: true, ended: false };

    fn id(seat: u32) -> SocketId {
        SocketId::new(seat, 0)
    }

    fn with_sockets(count: u32) -> Sockets {
        let mut sockets = Sockets::default();
        sockets.add_service();
        for seat in 0..count {
            sockets.open(id(seat), S, Interest::READ, ORIGIN);
        }
        sockets
    }

    #[test]
    fn sockets_of_one_service_are_served_in_order_of_readiness() {
        let mut sockets = with_sockets(3);
        for seat in [2, 0, 1, 0] {
            assert_eq!(sockets.mark_ready(id(seat), READABLE), Some(S));
        }
        let order: Vec<_> = core::iter::from_fn(|| sockets.pop_ready(S)).map(|(id, _)| id).collect();
        assert_eq!(order, [id(2), id(0), id(1)], "each once");
        assert!(!sockets.has_ready(S));
    }

    #[test]
    fn a_report_that_comes_after_the_close_is_for_nobody() {
        let mut sockets = with_sockets(1);
        assert_eq!(sockets.close(id(0)), Some(S));
        assert_eq!(sockets.mark_ready(id(0), READABLE), None);
        assert_eq!(sockets.close(id(0)), None);
        sockets.open(SocketId::new(0, 1), S, Interest::READ, ORIGIN);
        assert_eq!(sockets.mark_ready(id(0), READABLE), None, "the next one in the seat is another");
        assert_eq!(sockets.mark_ready(SocketId::new(0, 1), READABLE), Some(S));
        assert_eq!(sockets.mark_ready(SocketId::new(9, 0), READABLE), None);
    }

    #[test]
    fn only_what_is_wanted_is_told() {
        let mut sockets = with_sockets(1);
        assert_eq!(sockets.mark_ready(id(0), WRITABLE), None);
        sockets.find(id(0)).unwrap().resting = true;
        assert_eq!(sockets.mark_ready(id(0), READABLE), None, "a resting listener is left alone");
    }

    #[test]
    fn a_closed_socket_is_skipped_and_counted_out() {
        let mut sockets = with_sockets(3);
        for seat in 0..3 {
            sockets.mark_ready(id(seat), READABLE);
        }
        sockets.close(id(0));
        sockets.unready(id(1));
        sockets.unready(id(1));
        assert_eq!(sockets.count_ready(S), 1);
        assert_eq!(sockets.pop_ready(S), Some((id(2), READABLE)));
        assert_eq!(sockets.pop_ready(S), None);
        assert_eq!((sockets.open_count(S), sockets.count_open(S)), (2, 2));
    }

    #[test]
    fn two_reports_of_one_socket_are_told_as_one() {
        let mut sockets = with_sockets(1);
        sockets.find(id(0)).unwrap().interest = Interest::READ | Interest::WRITE;
        sockets.mark_ready(id(0), READABLE);
        sockets.mark_ready(id(0), WRITABLE);
        let both = Readiness { readable: true, writable: true, ended: false };
        assert_eq!(sockets.pop_ready(S), Some((id(0), both)));
        assert_eq!(sockets.pop_ready(S), None);
    }
}
