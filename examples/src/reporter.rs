//! The way to the web server: reports wait here until it has acknowledged them.
//!
//! The connection is opened when there is something to report and kept alive as long as the server likes.
//! What was not acknowledged when it ends is sent again over the next one, under the same key.

use crate::reply::{self, BadReply};
use crate::wire::Wire;
use host_core::id::SocketId;
use host_core::sys::Errno;
use host_core::time::{Duration, Instant};
use host_core::{Context, Ready, Result, Stream};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// How many reports are on their way at most before the oldest is acknowledged.
const WINDOW: usize = 32;
/// How long the web server may take for anything at all.
const PATIENCE: Duration = Duration::from_secs(5);

/// One result on its way to the web server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// 0.., in order of the jobs.
    pub number: u64,
    /// Who waits for it.
    pub client: SocketId,
    /// What to report.
    pub text: String,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The web server has it.
    Taken,
    /// The web server will never take it, and said so with this status.
    Refused(u16),
}

/// Why a connection to the web server ended before an answer came.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It could not be opened, or it broke.
    #[error("no connection to the web server: {0}")]
    Failed(#[from] Errno),
    /// The server closed it.
    #[error("the web server closed the connection without an answer")]
    Closed,
    /// Nothing came in time.
    #[error("the web server did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// This is no web server.
    #[error("the web server answered nonsense: {0}")]
    Nonsense(#[from] BadReply),
    /// An answer to nothing.
    #[error("the web server answered what was not asked")]
    Unasked,
    /// It cannot take reports for the time being.
    #[error("the web server answered with status {0}")]
    Busy(u16),
}

/// The reports that are not acknowledged, and the connection that they go over.
#[derive(Debug, Default)]
pub struct Link {
    state: State,
    /// The web server, as a `Host` header names it.
    host: String,
    /// The oldest first.
    reports: VecDeque<Report>,
    /// How many reports there ever were.
    posted: u64,
    /// How many of `reports` were sent over this connection.
    asked: usize,
    input: Vec<u8>,
    /// An answer came over this connection: to open the next one is no retry.
    is_proved: bool,
    /// Why the last connection came to nothing, until the host was told.
    failure: Option<LinkError>,
    /// When the web server has been silent for too long.
    deadline: Option<Instant>,
    /// Distinguishes the numbers of this worker from those of another one.
    worker: u64,
}

#[derive(Debug, Default)]
enum State {
    /// There is no connection, and nothing to report.
    #[default]
    Absent,
    /// `connect` was asked for and will be called.
    Wanted,
    /// The connection has begun and does not stand yet.
    Connecting(Stream),
    /// The connection stands.
    Standing(Wire),
}

impl Link {
    /// A way without a connection, for the worker that says `worker` of itself in its keys.
    pub fn new(worker: u64) -> Self {
        Self { worker, ..Self::default() }
    }

    /// Takes a report in; the next [`pump`](Self::pump) sends it. Its number.
    pub fn post(&mut self, client: SocketId, text: String) -> u64 {
        let number = self.posted;
        self.posted += 1;
        self.reports.push_back(Report { number, client, text });
        number
    }

    /// Whether this is the socket of the connection.
    pub fn owns(&self, socket: SocketId) -> bool {
        match &self.state {
            State::Absent | State::Wanted => false,
            State::Connecting(stream) => stream.id() == socket,
            State::Standing(wire) => wire.id() == socket,
        }
    }

    /// When [`expire`](Self::expire) is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Opens the connection if it is needed: the part of `connect` that is the link's.
    ///
    /// # Errors
    /// Why it cannot be opened, or why the last one came to nothing. The host then waits before it calls
    /// `connect` again.
    pub fn connect(&mut self, cx: &mut Context<'_>, server: SocketAddr) -> Result<(), LinkError> {
        if !matches!(self.state, State::Wanted) {
            return Ok(());
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        self.state = State::Connecting(cx.start_connect(server)?);
        self.host = server.to_string();
        self.deadline = Some(cx.now() + PATIENCE);
        Ok(())
    }

    /// The connection is ready: moves on, and appends what was decided to `verdicts`.
    pub fn receive(&mut self, cx: &mut Context<'_>, ready: Ready, verdicts: &mut Vec<(Report, Verdict)>) {
        let answer = match std::mem::take(&mut self.state) {
            State::Connecting(stream) => self.stand(stream),
            State::Standing(wire) => self.read(cx.now(), wire, ready, verdicts),
            other @ (State::Absent | State::Wanted) => {
                self.state = other;
                Ok(())
            }
        };
        self.go_on(cx, answer);
    }

    /// Sends reports, and asks the host for a connection if there is none: the part of `prepare` that is the
    /// link's.
    pub fn pump(&mut self, cx: &mut Context<'_>) {
        let State::Standing(wire) = &mut self.state else { return self.go_on(cx, Ok(())) };
        while self.asked < WINDOW.min(self.reports.len()) {
            let Report { number, text, .. } = &self.reports[self.asked];
            let request = format!(
                "POST /reports HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain; charset=utf-8\r\nIdempotency-Key: \"{:016x}-{number}\"\r\nContent-Length: {}\r\n\r\n{text}",
                self.host,
                self.worker,
                text.len(),
            );
            wire.output().extend_from_slice(request.as_bytes());
            self.asked += 1;
        }
        if self.asked > 0 && self.deadline.is_none() {
            self.deadline = Some(cx.now() + PATIENCE);
        }
        let answer = wire.send().and_then(|()| wire.settle(true, true)).map(drop).map_err(LinkError::from);
        self.go_on(cx, answer);
    }

    /// Gives the connection up if the web server was silent for too long.
    pub fn expire(&mut self, cx: &mut Context<'_>) {
        if self.deadline.is_some_and(|deadline| deadline <= cx.now()) {
            self.go_on(cx, Err(LinkError::Silent));
        }
    }

    /// Connected, or not: which of the two is asked here.
    fn stand(&mut self, mut stream: Stream) -> Result<(), LinkError> {
        if !stream.finish_connect()? {
            self.state = State::Connecting(stream);
            return Ok(());
        }
        let mut wire = Wire::new(stream);
        wire.settle(true, true)?;
        self.state = State::Standing(wire);
        self.deadline = None;
        Ok(())
    }

    fn read(
        &mut self,
        now: Instant,
        mut wire: Wire,
        ready: Ready,
        verdicts: &mut Vec<(Report, Verdict)>,
    ) -> Result<(), LinkError> {
        if ready.readiness.readable {
            wire.read(&mut self.input)?;
        }
        while let Some(reply) = reply::parse(&self.input)? {
            self.input.drain(..reply.length);
            let verdict = match reply.status {
                ..200 => continue,
                200..300 => Verdict::Taken,
                // 408 and 429 are about the moment, not about the report.
                status @ (408 | 429 | 500..) => return Err(LinkError::Busy(status)),
                status => Verdict::Refused(status),
            };
            if self.asked == 0 {
                return Err(LinkError::Unasked);
            }
            self.asked -= 1;
            self.is_proved = true;
            self.deadline = (self.asked > 0).then(|| now + PATIENCE);
            verdicts.extend(self.reports.pop_front().map(|report| (report, verdict)));
            if reply.closes {
                return Err(LinkError::Closed);
            }
        }
        wire.send()?;
        if wire.has_ended() {
            return Err(LinkError::Closed);
        }
        wire.settle(true, true)?;
        self.state = State::Standing(wire);
        Ok(())
    }

    /// Drops a connection that came to its end, and asks for one if one is needed.
    fn go_on(&mut self, cx: &mut Context<'_>, answer: Result<(), LinkError>) {
        if let Err(error) = answer {
            self.state = State::Absent;
            self.asked = 0;
            self.input.clear();
            self.deadline = None;
            // A server that never answers is not to be asked without pause. One that answered and then
            // closed has done nothing wrong, and one that closed while nobody asked has not failed.
            let is_retry = !std::mem::take(&mut self.is_proved) && !self.reports.is_empty();
            self.failure = is_retry.then_some(error);
        }
        if matches!(self.state, State::Absent) && !self.reports.is_empty() {
            self.state = State::Wanted;
            cx.reconnect();
        }
    }
}
