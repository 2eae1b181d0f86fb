//! The open sockets of a host, as the loop and the user's handles share them.
//!
//! A handle lives in user code and may be dropped at any time, in any callback. The registry turns that
//! into facts for the loop, and keeps the poller from reporting a socket that is gone.

use crate::event::{Activity, Event};
use crate::fleet::lanes::Lanes;
use crate::id::{ServiceId, SocketId};
use crate::io::queues::Queues;
use crate::sys::{Errno, Handle, Interest, Readiness, Sys};
use crate::time::Duration;
use crate::worker::{Link, Waits};
use alloc::collections::VecDeque;
use alloc::rc::{Rc, Weak};
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::net::SocketAddr;

/// What was done with a socket, by direction: a write makes it no less readable.
#[derive(Default)]
pub(crate) struct Done {
    /// Bytes or a connection were taken, or there are none left.
    pub(crate) read: Cell<bool>,
    /// Bytes were put in, or there is no room left.
    pub(crate) wrote: Cell<bool>,
    /// What ran out at an accept: descriptors or memory.
    pub(crate) starved: Cell<Option<Errno>>,
}

impl Done {
    /// Forgets what was done.
    pub(crate) fn clear(&self) {
        self.read.set(false);
        self.wrote.set(false);
        self.starved.set(None);
    }

    /// What that means for a socket that was ready for this.
    pub(crate) fn activity(&self, readiness: Readiness) -> Activity {
        let read = readiness.readable && self.read.get();
        let wrote = readiness.writable && self.wrote.get();
        if self.starved.get().is_some() {
            Activity::Starved
        } else if read || wrote {
            Activity::Progress
        } else {
            Activity::Nothing
        }
    }
}

/// One open socket.
pub(crate) struct Socket {
    pub(crate) sys: Rc<dyn Sys>,
    pub(crate) handle: Handle,
    /// How long a blocking read or write waits for the peer.
    pub(crate) patience: Duration,
    pub(crate) id: SocketId,
    /// What was done with it since somebody last asked.
    pub(crate) done: Done,
    /// Where it is registered; a socket outside a host is in nobody's registry.
    pub(crate) registry: Weak<Registry>,
    pub(crate) service: ServiceId,
    pub(crate) interest: Cell<Interest>,
    /// The poller reports it.
    pub(crate) watched: Cell<bool>,
    open: Cell<bool>,
    /// The host keeps the descriptor when this handle goes: a named listener.
    lent: bool,
    /// Of a listener that is spread: its lanes.
    queues: Option<Queues>,
    /// Of a worker's socket: whose time its waits take, and how long.
    pub(crate) work: Option<(Rc<Link>, Waits)>,
    /// Of a shared listener: it was reported, and nobody has looked into its queue since.
    pub(crate) woken: Cell<bool>,
    /// The last that was done with it was a write: what is waited for next begins a message.
    pub(crate) answered: Cell<bool>,
    /// A connection that its worker has accepted, and not closed.
    in_hand: Cell<bool>,
}

impl Socket {
    /// A socket that belongs to no host: a client in a test, or a worker's connection.
    pub(crate) fn alone(
        sys: Rc<dyn Sys>,
        handle: Handle,
        patience: Duration,
        work: Option<(Rc<Link>, Waits)>,
    ) -> Rc<Self> {
        Rc::new(Self {
            work,
            woken: Cell::new(false),
            answered: Cell::new(false),
            in_hand: Cell::new(false),
            sys,
            handle,
            patience,
            id: SocketId::new(0, 0),
            done: Done::default(),
            registry: Weak::new(),
            service: ServiceId::new(0),
            interest: Cell::new(Interest::NONE),
            watched: Cell::new(false),
            open: Cell::new(true),
            lent: false,
            queues: None,
        })
    }

    /// Whether it was not closed yet.
    pub(crate) fn is_open(&self) -> bool {
        self.open.get()
    }

    /// Wants to be told something else from here on.
    pub(crate) fn set_interest(&self, interest: Interest) {
        if self.interest.replace(interest) != interest
            && let Some(registry) = self.registry.upgrade()
        {
            registry.tell(Event::InterestChanged { socket: self.id, interest });
        }
    }

    /// A listener that other processes watch as well.
    pub(crate) const fn is_shared(&self) -> bool {
        self.lent && self.work.is_some()
    }

    /// It is watched no longer: a connection that it was woken for is left to its siblings, unless they may not
    /// take it either.
    pub(crate) fn leave_waiting(&self) {
        if self.woken.replace(false)
            && self.done.starved.get().is_none_or(Errno::is_own_shortage)
            && let Some((work, _)) = &self.work
        {
            work.leave_waiting();
        }
    }

    /// A listener that is spread, in a worker that minds some of its lanes.
    pub(crate) const fn is_spread(&self) -> bool {
        self.queues.is_some()
    }

    /// Lets the poller report the lanes that its worker minds now.
    pub(crate) fn watch_lanes(&self, interest: Interest) -> Result<(), Errno> {
        let (Some(queues), Some((work, _))) = (&self.queues, &self.work) else { return Ok(()) };
        let lanes = if interest.readable { work.lanes() } else { Lanes::NONE };
        queues.watch(&*self.sys, lanes, self.id.key())
    }

    /// Takes it out of the poller.
    pub(crate) fn take_out(&self) {
        match &self.queues {
            Some(queues) => queues.unwatch(&*self.sys),
            None => {
                // It can only fail because it is not registered, which is what is wanted.
                let _ = self.sys.poll_delete(self.handle);
            }
        }
    }

    /// The next connection of a listener.
    pub(crate) fn accept(&self) -> Result<(Handle, SocketAddr), Errno> {
        match (&self.queues, &self.work) {
            (Some(queues), Some((work, _))) => queues.accept(&*self.sys, work.lanes()),
            (Some(_) | None, _) => self.sys.accept(self.handle),
        }
    }

    /// It is a connection that a listener of a worker has given: the worker has it in hand until it is closed.
    pub(crate) fn was_accepted(&self) {
        if let Some((work, _)) = &self.work {
            self.in_hand.set(true);
            work.accepted();
        }
    }

    /// Takes it out of the poller, then closes it: in this order, since a closed description that
    /// another process still holds would go on being reported.
    pub(crate) fn close(&self) {
        if !self.open.replace(false) {
            return;
        }
        if self.watched.replace(false) {
            self.take_out();
        }
        self.leave_waiting();
        if self.in_hand.replace(false)
            && let Some((work, _)) = &self.work
        {
            work.closed();
        }
        if !self.lent {
            self.sys.close(self.handle);
        }
        if let Some(registry) = self.registry.upgrade() {
            registry.forget(self.id);
        }
    }
}

/// One seat for a socket.
#[derive(Default)]
struct Seat {
    generation: u32,
    socket: Option<Rc<Socket>>,
}

/// The open sockets of one host, and the facts that user code has made since the loop last looked.
pub(crate) struct Registry {
    pub(crate) sys: Rc<dyn Sys>,
    patience: Duration,
    /// Of a worker's host: the worker.
    work: Option<Rc<Link>>,
    seats: RefCell<Vec<Seat>>,
    free: RefCell<Vec<u32>>,
    facts: RefCell<VecDeque<Event>>,
}

impl Registry {
    pub(crate) fn new(sys: Rc<dyn Sys>, patience: Duration, work: Option<Rc<Link>>) -> Rc<Self> {
        Rc::new(Self {
            work,
            sys,
            patience,
            seats: RefCell::default(),
            free: RefCell::default(),
            facts: RefCell::default(),
        })
    }

    /// Registers an open descriptor as a socket of `service`.
    pub(crate) fn open(
        self: &Rc<Self>,
        handle: Handle,
        service: ServiceId,
        interest: Interest,
        lent: bool,
    ) -> Rc<Socket> {
        self.seat(handle, service, interest, lent, None)
    }

    /// Registers the lanes of a listener that is spread as one socket of `service`.
    pub(crate) fn open_spread(self: &Rc<Self>, lanes: &Rc<[Handle]>, service: ServiceId) -> Rc<Socket> {
        let queues = Queues::new(Rc::clone(lanes));
        self.seat(lanes[0], service, Interest::READ, true, Some(queues))
    }

    fn seat(
        self: &Rc<Self>,
        handle: Handle,
        service: ServiceId,
        interest: Interest,
        lent: bool,
        queues: Option<Queues>,
    ) -> Rc<Socket> {
        let mut seats = self.seats.borrow_mut();
        let index = self.free.borrow_mut().pop().unwrap_or_else(|| {
            seats.push(Seat::default());
            seats.len() as u32 - 1
        });
        let seat = &mut seats[index as usize];
        let id = SocketId::new(index, seat.generation);
        let socket = Rc::new(Socket {
            sys: Rc::clone(&self.sys),
            handle,
            patience: self.patience,
            id,
            done: Done::default(),
            registry: Rc::downgrade(self),
            service,
            interest: Cell::new(interest),
            watched: Cell::new(false),
            open: Cell::new(true),
            lent,
            queues,
            work: self.work.clone().map(|work| (work, Waits::ToTheEnd)),
            woken: Cell::new(false),
            answered: Cell::new(false),
            in_hand: Cell::new(false),
        });
        seat.socket = Some(Rc::clone(&socket));
        drop(seats);
        self.tell(Event::Opened { socket: id, service, interest });
        socket
    }

    /// The socket, if it is still open.
    pub(crate) fn find(&self, id: SocketId) -> Option<Rc<Socket>> {
        let seats = self.seats.borrow();
        let seat = seats.get(id.index()).filter(|seat| seat.generation == id.generation())?;
        seat.socket.clone()
    }

    fn forget(&self, id: SocketId) {
        let mut seats = self.seats.borrow_mut();
        let Some(seat) = seats.get_mut(id.index()).filter(|seat| seat.generation == id.generation()) else {
            return;
        };
        // Dropped after the borrows: it may be the last handle.
        let socket = seat.socket.take();
        seat.generation = seat.generation.wrapping_add(1);
        drop(seats);
        self.free.borrow_mut().push(id.index() as u32);
        self.tell(Event::Closed { socket: id });
        drop(socket);
    }

    /// Whether some open socket of this host is on `handle`.
    pub(crate) fn uses(&self, handle: Handle) -> bool {
        self.seats.borrow().iter().flat_map(|seat| &seat.socket).any(|socket| socket.handle == handle)
    }

    /// The listeners that other processes watch as well.
    pub(crate) fn shared(&self) -> Vec<Rc<Socket>> {
        self.seats
            .borrow()
            .iter()
            .flat_map(|seat| &seat.socket)
            .filter(|socket| socket.is_shared())
            .cloned()
            .collect()
    }

    /// Closes every socket that `service` still has, wherever it hid the handles.
    pub(crate) fn close_all(&self, service: ServiceId) {
        let sockets: Vec<_> = self
            .seats
            .borrow()
            .iter()
            .flat_map(|seat| &seat.socket)
            .filter(|socket| socket.service == service)
            .cloned()
            .collect();
        for socket in sockets {
            socket.close();
        }
    }

    /// Tells the loop a fact; it is taken in when the callback has come back.
    pub(crate) fn tell(&self, event: Event) {
        self.facts.borrow_mut().push_back(event);
    }

    /// Takes out the next fact.
    pub(crate) fn next_fact(&self) -> Option<Event> {
        self.facts.borrow_mut().pop_front()
    }
}
