//! A listening socket.

use crate::id::SocketId;
use crate::io::Stream;
use crate::io::registry::Socket;
use crate::sys::{Errno, Interest};
use alloc::rc::Rc;
use core::fmt;
use core::net::SocketAddr;

/// A listening TCP socket of one service, or the lanes that this worker minds of one that is spread.
///
/// Dropping it ends the watching; a named listener of the application itself stays bound, and its queue
/// goes on filling, until the host ends.
pub struct Listener {
    socket: Rc<Socket>,
}

impl Listener {
    pub(crate) const fn new(socket: Rc<Socket>) -> Self {
        Self { socket }
    }

    /// Which socket this is, as [`Ready`](crate::io::Ready) names it.
    pub fn id(&self) -> SocketId {
        self.socket.id
    }

    /// The next connection, without waiting; `None` if there is none.
    ///
    /// The connection belongs to the same service and is watched for reading. A connection that was
    /// aborted before it could be accepted is passed over. When descriptors or memory have run out the
    /// answer is `None` too, and the host lets the listener rest for `accept_pause`: the connection stays
    /// in the queue.
    ///
    /// # Errors
    /// What accept4(2) answers beside that.
    pub fn accept(&mut self) -> Result<Option<Stream>, Errno> {
        if !self.socket.is_open() {
            return Err(Errno::BADF);
        }
        loop {
            match self.socket.accept() {
                Ok((handle, _)) => {
                    self.socket.done.read.set(true);
                    self.socket.done.starved.set(None);
                    self.socket.woken.set(false);
                    let Some(registry) = self.socket.registry.upgrade() else {
                        // The host is gone and this handle outlived it.
                        self.socket.sys.close(handle);
                        return Err(Errno::BADF);
                    };
                    let socket = registry.open(handle, self.socket.service, Interest::READ, false);
                    socket.was_accepted();
                    return Ok(Some(Stream::new(socket)));
                }
                Err(Errno::AGAIN) => {
                    self.socket.done.read.set(true);
                    self.socket.woken.set(false);
                    return Ok(None);
                }
                Err(errno) if errno.is_shortage() => {
                    self.socket.done.starved.set(Some(errno));
                    return Ok(None);
                }
                // Each takes a connection out of the queue, or is followed by one that does.
                Err(errno) if errno.is_lost_connection() || errno == Errno::INTR => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Accepts no more for now ([`Interest::NONE`]), or again ([`Interest::READ`]).
    pub fn set_interest(&mut self, interest: Interest) {
        self.socket.set_interest(interest);
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    /// [`Errno::BADF`] if the host closed it.
    pub fn local_address(&self) -> Result<SocketAddr, Errno> {
        self.socket.sys.local_address(self.socket.handle)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.socket.close();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.socket.id)
    }
}
