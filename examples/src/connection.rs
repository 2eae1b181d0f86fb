//! One connection to the web server: the requests that came, and the answers that go.

use crate::http::{self, Parsed, Request};
use crate::response::Response;
use crate::wire::Wire;
use host_core::Stream;
use host_core::sys::Errno;

/// How much may wait to be sent to a client before its next request is looked at.
const UNSENT_MAX: usize = 64 * 1024;

/// A client of the web server.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    /// What came and is not a whole request: at most one portion more than the longest request.
    input: Vec<u8>,
    /// How many requests it made.
    requests: u64,
    /// It was given leave to send the body of the request that has begun.
    was_told_to_continue: bool,
    /// Its next answer is the last.
    is_ending: bool,
}

impl Connection {
    /// A client that has just come.
    pub fn new(stream: Stream) -> Self {
        Self {
            wire: Wire::new(stream),
            input: Vec::new(),
            requests: 0,
            was_told_to_continue: false,
            is_ending: false,
        }
    }

    /// Grows with each whole request and with each byte that the client takes. Bytes that make no
    /// request do not count: a client that sends one a minute is silent.
    pub fn progress(&self) -> u64 {
        self.requests + self.wire.sent_total()
    }

    /// Whether it is kept for a request that has not begun. A client that has asked nothing yet is about
    /// to: closed now, its first request would fail, and it could not know that it may ask again.
    pub fn is_idle(&self) -> bool {
        self.requests > 0 && self.input.is_empty() && self.wire.unsent() == 0 && !self.wire.is_finishing()
    }

    /// The answer to the next request, or to the one that has begun, says that it is the last.
    pub fn end_with_next(&mut self) {
        self.is_ending = true;
    }

    /// Reads if there is something to read, answers and sends what can be without waiting; whether the client
    /// is still there.
    ///
    /// # Errors
    /// How the connection failed.
    pub fn turn(
        &mut self,
        readable: bool,
        mut answer: impl FnMut(&Request<'_>) -> Response,
    ) -> Result<bool, Errno> {
        if readable {
            self.wire.read(&mut self.input)?;
        }
        self.wire.send()?;
        loop {
            let before = self.requests;
            self.answer(&mut answer);
            self.wire.send()?;
            // Sending makes room for requests that came already, and nobody tells us of those again.
            if self.requests == before || self.wire.unsent() > 0 {
                return self.wire.settle(self.wire.unsent() < UNSENT_MAX, false);
            }
        }
    }

    /// What was answered already still goes out, as far as it goes at once.
    pub fn part(self) {
        self.wire.part();
    }

    /// Answers the whole requests that came, as long as the client takes the answers.
    fn answer(&mut self, answer: &mut impl FnMut(&Request<'_>) -> Response) {
        let mut start = 0;
        while start < self.input.len() && self.wire.unsent() < UNSENT_MAX {
            match http::parse(&self.input[start..]) {
                Ok(Parsed::Whole { request, length }) => {
                    let response = answer(&request);
                    let keep_alive = request.keep_alive && !self.is_ending;
                    response.write(self.wire.output(), request.method == "HEAD", keep_alive);
                    self.requests += 1;
                    self.was_told_to_continue = false;
                    start += length;
                    if !keep_alive {
                        // Who has announced that nothing follows waits for the end, not for what it says.
                        let is_last = !request.keep_alive && start == self.input.len();
                        if is_last {
                            self.wire.finish_at_once()
                        } else {
                            self.wire.finish()
                        }
                        start = self.input.len();
                        break;
                    }
                }
                Ok(Parsed::Partial { expects_continue }) => {
                    if expects_continue && !self.was_told_to_continue {
                        self.was_told_to_continue = true;
                        self.wire.output().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
                    }
                    break;
                }
                Err(refusal) => {
                    Response::from(refusal).write(self.wire.output(), false, false);
                    self.requests += 1;
                    start = self.input.len();
                    self.wire.finish();
                    break;
                }
            }
        }
        self.input.drain(..start);
    }
}
