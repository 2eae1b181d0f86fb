//! The queues of connections behind a named listener, as one worker accepts from them.

use crate::fleet::lanes::{Lane, Lanes};
use crate::sys::{Errno, Handle, Sys};
use alloc::rc::Rc;
use core::cell::Cell;
use core::net::SocketAddr;

/// The sockets of a listener: one, or one for each lane if it is spread. Which of them count is for whoever
/// asks to say, each time anew.
pub(crate) struct Queues {
    sockets: Rc<[Handle]>,
    /// Those that the poller reports.
    watched: Cell<Lanes>,
    /// The lane that an accept looks at first: one that is never empty keeps no other waiting.
    next: Cell<usize>,
}

impl Queues {
    pub(crate) fn new(sockets: Rc<[Handle]>) -> Self {
        Self { sockets, watched: Cell::new(Lanes::NONE), next: Cell::new(0) }
    }

    /// The next connection in one of `lanes`.
    ///
    /// # Errors
    /// [`Errno::AGAIN`] if there is none in any of them; what accept4(2) answers for the first that answers
    /// anything else.
    pub(crate) fn accept(&self, sys: &dyn Sys, lanes: Lanes) -> Result<(Handle, SocketAddr), Errno> {
        let next = self.next.get();
        let from = lanes.iter().filter(|lane| lane.index() >= next);
        let until = lanes.iter().filter(|lane| lane.index() < next);
        for lane in from.chain(until) {
            let Some(socket) = self.socket(lane) else { continue };
            match sys.accept(socket) {
                Err(Errno::AGAIN) => {}
                Err(errno) => return Err(errno),
                Ok(accepted) => {
                    self.next.set(lane.index() + 1);
                    return Ok(accepted);
                }
            }
        }
        Err(Errno::AGAIN)
    }

    /// Lets the poller report `lanes` under `key`, and no others; nothing if that fails.
    ///
    /// # Errors
    /// Whatever epoll_ctl(2) answers.
    pub(crate) fn watch(&self, sys: &dyn Sys, lanes: Lanes, key: u64) -> Result<(), Errno> {
        let before = self.watched.get();
        if before == lanes {
            return Ok(());
        }
        self.take_out(sys, before.without(lanes));
        let mut watched = before.without(before.without(lanes));
        for lane in lanes.without(before).iter() {
            let Some(socket) = self.socket(lane) else { continue };
            if let Err(errno) = sys.poll_add_shared(socket, key) {
                self.take_out(sys, watched);
                self.watched.set(Lanes::NONE);
                return Err(errno);
            }
            watched.insert(lane);
        }
        self.watched.set(lanes);
        Ok(())
    }

    /// Lets the poller report none.
    pub(crate) fn unwatch(&self, sys: &dyn Sys) {
        self.take_out(sys, self.watched.replace(Lanes::NONE));
    }

    fn take_out(&self, sys: &dyn Sys, lanes: Lanes) {
        for socket in lanes.iter().filter_map(|lane| self.socket(lane)) {
            // It can only fail because it is not registered, which is what is wanted.
            let _ = sys.poll_delete(socket);
        }
    }

    /// A host has told nobody of a lane that there is not.
    fn socket(&self, lane: Lane) -> Option<Handle> {
        debug_assert!(lane.index() < self.sockets.len(), "there is no lane {}", lane.index());
        self.sockets.get(lane.index()).copied()
    }
}
