//! A connection that never waits: what could not be sent yet, and how it comes to its end.

use host_core::id::SocketId;
use host_core::sys::{Errno, ShutdownHow};
use host_core::{Interest, Stream};

/// How much one callback reads at most: enough for a busy client, and the others wait for no more.
const PORTION: usize = 8 * 1024;
/// How much of what a client sends after its last answer is read and thrown away.
const DISCARDED_MAX: usize = 1024 * 1024;

/// A connection with what is still to be sent over it.
///
/// The owner reads when it is told to, appends answers, [`send`](Self::send)s, and lets it
/// [`settle`](Self::settle) after each callback. A client that reads slowly costs memory up to the bound
/// that its owner keeps, and no time.
#[derive(Debug)]
pub struct Wire {
    stream: Stream,
    output: Vec<u8>,
    /// How much of `output` was sent.
    sent: usize,
    /// How much was ever sent.
    sent_total: u64,
    /// The peer has finished sending.
    has_ended: bool,
    /// Nothing more will be read or appended.
    is_finishing: bool,
    /// The peer expects the end: nothing more of it is waited for.
    ends_at_once: bool,
    /// The peer was told that all has been sent.
    is_shut: bool,
    /// How much was read since `finish`.
    discarded: usize,
}

impl Wire {
    /// A connection that stands.
    pub fn new(stream: Stream) -> Self {
        // Without it the second of two small answers waits for the acknowledgement of the first. A
        // connection that refuses is broken, and the next read says how.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            output: Vec::new(),
            sent: 0,
            sent_total: 0,
            has_ended: false,
            is_finishing: false,
            ends_at_once: false,
            is_shut: false,
            discarded: 0,
        }
    }

    /// Which socket this is.
    pub fn id(&self) -> SocketId {
        self.stream.id()
    }

    /// Whether the peer has finished sending.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// How many bytes are still to be sent.
    pub fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// How many bytes were sent since it stands.
    pub fn sent_total(&self) -> u64 {
        self.sent_total
    }

    /// Where to append what is to be sent.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Appends one portion of what came to `input`.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn read(&mut self, input: &mut Vec<u8>) -> Result<(), Errno> {
        let mut portion = [0; PORTION];
        match self.stream.try_read(&mut portion)? {
            None => {}
            Some(0) => self.has_ended = true,
            Some(count) if self.is_finishing => self.discarded += count,
            Some(count) => input.extend_from_slice(&portion[..count]),
        }
        Ok(())
    }

    /// What was appended so far is the last: the connection ends when it has been sent.
    pub fn finish(&mut self) {
        self.is_finishing = true;
    }

    /// As [`finish`](Self::finish), when the peer has said that it sends nothing more.
    pub fn finish_at_once(&mut self) {
        self.is_finishing = true;
        self.ends_at_once = true;
    }

    /// Whether what was appended so far is the last.
    pub fn is_finishing(&self) -> bool {
        self.is_finishing
    }

    /// Sends what can be sent without waiting.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn send(&mut self) -> Result<(), Errno> {
        while self.unsent() > 0 {
            let Some(count) = self.stream.try_write(&self.output[self.sent..])? else { return Ok(()) };
            self.sent += count;
            self.sent_total += count as u64;
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }

    /// Declares what to be told of next, or comes to the end; false if it has: drop it then.
    ///
    /// `wants` says that the owner would read more, `owes` that it will append more.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn settle(&mut self, wants: bool, owes: bool) -> Result<bool, Errno> {
        // To close while unread bytes are there is a reset, which may overtake the last answer: it is
        // read on until the peer, who has the answer then, ends it too.
        let drains =
            self.is_finishing && !self.ends_at_once && !self.has_ended && self.discarded < DISCARDED_MAX;
        if self.unsent() == 0 {
            if drains && !self.is_shut {
                self.stream.shutdown(ShutdownHow::Write)?;
                self.is_shut = true;
            }
            let is_over = if self.is_finishing { !drains } else { self.has_ended && !owes };
            if is_over {
                return Ok(false);
            }
        }
        let readable = if self.is_finishing { drains } else { wants && !self.has_ended };
        self.stream.set_interest(Interest { readable, writable: self.unsent() > 0 });
        Ok(true)
    }

    /// Sends what goes at once and ends the connection, when there is no time for more.
    pub fn part(mut self) {
        self.finish();
        // Whatever fails here, the peer cannot be told any more.
        let _ = self.send();
        while let Ok(true) = self.settle(false, false) {
            let before = self.discarded;
            if self.read(&mut Vec::new()).is_err() || self.discarded == before {
                return;
            }
        }
    }
}
