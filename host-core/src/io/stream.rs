//! A connection.

use crate::id::SocketId;
use crate::io::registry::Socket;
use crate::sys::{Errno, Interest, ShutdownHow, Sys};
use crate::time::Duration;
use crate::worker::{AtQuit, Waits};
use alloc::rc::Rc;
use core::fmt;
use core::net::SocketAddr;

/// A TCP connection; closed when it is dropped.
///
/// It reads and writes in two ways. [`try_read`](Self::try_read) and [`try_write`](Self::try_write) never
/// wait. `std::io::Read` and `Write` wait for the peer up to the application's `io_timeout`, and then
/// fail with `TimedOut`: right for plain blocking code, while everything else in the host waits too.
pub struct Stream {
    socket: Rc<Socket>,
}

impl Stream {
    pub(crate) const fn new(socket: Rc<Socket>) -> Self {
        Self { socket }
    }

    /// Connects outside a host, as a client in a test does, and waits up to `patience` for the
    /// connection to stand.
    ///
    /// # Errors
    /// What connect(2) answers; [`Errno::TIMEDOUT`] after `patience`.
    pub fn connect(sys: Rc<dyn Sys>, address: SocketAddr, patience: Duration) -> Result<Self, Errno> {
        let handle = sys.connect(address)?;
        let stream = Self::new(Socket::alone(sys, handle, patience, None));
        stream.wait_connected()?;
        Ok(stream)
    }

    /// Waits until the connection stands.
    pub(crate) fn wait_connected(&self) -> Result<(), Errno> {
        self.wait(Interest::WRITE)?;
        self.take_error()?.map_or(Ok(()), Err)
    }

    /// Which socket this is, as [`Ready`](crate::io::Ready) names it.
    pub fn id(&self) -> SocketId {
        self.socket.id
    }

    /// Reads what is there, without waiting. `Some(0)` is the end; `None` is nothing yet.
    ///
    /// # Errors
    /// What recv(2) answers, such as [`Errno::CONNRESET`].
    pub fn try_read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Errno> {
        if !self.socket.is_open() {
            return Err(Errno::BADF);
        }
        loop {
            match self.socket.sys.read(self.socket.handle, buffer) {
                Ok(count) => {
                    // The end is no progress, nor is a buffer without room: it stays readable.
                    if count > 0 {
                        self.socket.done.read.set(true);
                        self.socket.answered.set(false);
                    }
                    return Ok(Some(count));
                }
                Err(Errno::AGAIN) => {
                    self.socket.done.read.set(true);
                    return Ok(None);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Writes a prefix of `bytes`, without waiting, and says how long it was: often shorter than
    /// `bytes`. `None` is no room yet; declare [`Interest::WRITE`] to be told when there is.
    ///
    /// # Errors
    /// What send(2) answers, such as [`Errno::PIPE`].
    pub fn try_write(&mut self, bytes: &[u8]) -> Result<Option<usize>, Errno> {
        if !self.socket.is_open() {
            return Err(Errno::BADF);
        }
        loop {
            match self.socket.sys.write(self.socket.handle, bytes) {
                Ok(count) => {
                    if count > 0 {
                        self.socket.done.wrote.set(true);
                        self.socket.answered.set(true);
                    }
                    return Ok(Some(count));
                }
                Err(Errno::AGAIN) => {
                    self.socket.done.wrote.set(true);
                    return Ok(None);
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Reads at least one byte, or the end (0), waiting for it.
    ///
    /// A worker that waits so counts as alive. When it is asked to quit, a wait between two messages of a
    /// connection that [`Worker::accept`](crate::Worker::accept) gave – the last that was done with the stream was
    /// a write – ends at once, and one within a message goes on for the fleet's `quit_patience`. Connections
    /// that the worker made itself, and those of a service that it hosts, are waited for as ever.
    ///
    /// # Errors
    /// As [`try_read`](Self::try_read); [`Errno::TIMEDOUT`] if nothing came in time; [`Errno::CANCELED`] if
    /// this worker was asked to quit.
    pub fn read_waiting(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            match self.try_read(buffer)? {
                Some(count) => return Ok(count),
                None => self.wait(Interest::READ)?,
            }
        }
    }

    /// Writes at least one byte of `bytes`, waiting for room.
    ///
    /// # Errors
    /// As [`try_write`](Self::try_write); [`Errno::TIMEDOUT`] if the peer made no room in time.
    pub fn write_waiting(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        loop {
            match self.try_write(bytes)? {
                Some(count) => return Ok(count),
                None => self.wait(Interest::WRITE)?,
            }
        }
    }

    fn wait(&self, interest: Interest) -> Result<(), Errno> {
        let sys = &self.socket.sys;
        let deadline = sys.now() + self.socket.patience;
        if let Some((work, waits)) = &self.socket.work {
            let within_message = interest.writable || !self.socket.answered.get();
            let at_quit = match waits {
                Waits::ToTheEnd => AtQuit::GoOn,
                Waits::UntilQuit if within_message => AtQuit::BePatient,
                Waits::UntilQuit => AtQuit::End,
            };
            return work.wait(self.socket.handle, interest, deadline, at_quit);
        }
        loop {
            match sys.wait(self.socket.handle, interest, Some(deadline)) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// What to be told of from here on; [`Interest::READ`] at first.
    ///
    /// With [`Interest::NONE`] it is left alone, even when the peer ends it.
    pub fn set_interest(&mut self, interest: Interest) {
        self.socket.set_interest(interest);
    }

    /// What it is told of.
    pub fn interest(&self) -> Interest {
        self.socket.interest.get()
    }

    /// How a connection that was begun with [`Context::start_connect`](crate::driver::Context::start_connect)
    /// ended: `true` if it stands, and is watched for reading from here on; `false` if that is not
    /// decided yet.
    ///
    /// # Errors
    /// Why it failed, such as [`Errno::CONNREFUSED`].
    pub fn finish_connect(&mut self) -> Result<bool, Errno> {
        if let Some(errno) = self.take_error()? {
            return Err(errno);
        }
        match self.peer_address() {
            Ok(_) => {
                self.set_interest(Interest::READ);
                Ok(true)
            }
            Err(Errno::NOTCONN) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// The pending error of the socket, cleared by asking (SO_ERROR).
    ///
    /// # Errors
    /// [`Errno::BADF`] if the host closed it.
    pub fn take_error(&self) -> Result<Option<Errno>, Errno> {
        self.socket.sys.take_error(self.socket.handle)
    }

    /// Sends small writes at once (TCP_NODELAY).
    ///
    /// # Errors
    /// What setsockopt(2) answers.
    pub fn set_nodelay(&self, on: bool) -> Result<(), Errno> {
        self.socket.sys.set_nodelay(self.socket.handle, on)
    }

    /// Ends one or both directions; the peer reads the end.
    ///
    /// # Errors
    /// What shutdown(2) answers.
    pub fn shutdown(&mut self, how: ShutdownHow) -> Result<(), Errno> {
        self.socket.sys.shutdown(self.socket.handle, how)
    }

    /// The address at the other end.
    ///
    /// # Errors
    /// [`Errno::NOTCONN`] if there is no connection.
    pub fn peer_address(&self) -> Result<SocketAddr, Errno> {
        self.socket.sys.peer_address(self.socket.handle)
    }

    /// The address at this end.
    ///
    /// # Errors
    /// [`Errno::BADF`] if the host closed it.
    pub fn local_address(&self) -> Result<SocketAddr, Errno> {
        self.socket.sys.local_address(self.socket.handle)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.socket.close();
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({})", self.socket.id)
    }
}

#[cfg(feature = "std")]
mod blocking {
    //! `std::io`, for code that was written for any stream.

    use super::Stream;
    use std::io::{Read, Result, Write};

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            Ok(self.read_waiting(buffer)?)
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            Ok(self.write_waiting(bytes)?)
        }

        /// Does nothing: nothing is buffered here.
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }
}
