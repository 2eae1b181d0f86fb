//! The web server, a service: a listener and any number of clients.

use crate::http::{self, Parsed};
use crate::idle::Idle;
use crate::response::Response;
use crate::routes::{self, Reports};
use crate::wire::Wire;
use host_core::id::SocketId;
use host_core::sys::Errno;
use host_core::time::{Duration, Instant};
use host_core::{Connected, Context, Listener, Ready, Result, Service, Stream};
use std::collections::BTreeMap;

/// What the application calls the listener of the web server.
pub const LISTENER: &str = "web";

/// How many connections one callback accepts at most: a burst costs few turns, and nobody waits long.
const ACCEPTS_MAX: usize = 64;
/// How much may wait to be sent to a client before its next request is looked at.
const UNSENT_MAX: usize = 64 * 1024;

/// The web server.
#[derive(Debug)]
pub struct Web {
    listener: Option<Listener>,
    clients: BTreeMap<SocketId, Client>,
    idle: Idle,
    /// The moment that `wake` was asked for.
    alarm: Option<Instant>,
    reports: Reports,
}

impl Web {
    /// A web server that drops a client which asks nothing, and takes nothing, for as long as `idle`.
    pub fn new(idle: Duration) -> Self {
        Self {
            listener: None,
            clients: BTreeMap::new(),
            idle: Idle::new(idle),
            alarm: None,
            reports: Reports::default(),
        }
    }

    fn accept(&mut self, cx: &Context<'_>) -> Result {
        for _ in 0..ACCEPTS_MAX {
            let Some(stream) = self.listener.as_mut().map_or(Ok(None), Listener::accept)? else { break };
            self.idle.touch(stream.id(), cx.now());
            self.clients.insert(stream.id(), Client::new(stream));
        }
        Ok(())
    }
}

impl Service for Web {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener(LISTENER)?);
        Ok(Connected::Yes)
    }

    /// Asks to be woken when a client may have been silent for too long.
    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        if let Some(at) = self.idle.next_deadline() {
            // Deadlines move on with each request. To wake once too early is cheaper than to ask anew
            // each time.
            if self.alarm.is_none_or(|alarm| at < alarm) {
                self.alarm = Some(at);
                cx.wake_at(at);
            }
        }
        Ok(())
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result {
        let id = ready.socket;
        let Some(client) = self.clients.get_mut(&id) else { return self.accept(cx) };
        let progress = client.progress();
        match client.turn(ready, &mut self.reports) {
            Ok(true) if client.progress() == progress => {}
            Ok(true) => self.idle.touch(id, cx.now()),
            // Its end, or its failure: neither is ours.
            Ok(false) | Err(_) => {
                self.idle.forget(id);
                self.clients.remove(&id);
            }
        }
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        self.alarm = None;
        while let Some(client) = self.idle.pop_expired(cx.now()) {
            self.clients.remove(&client);
        }
        Ok(())
    }

    /// What was answered already still goes out, as far as it goes at once.
    fn stop(&mut self, _: &mut Context<'_>) -> Result {
        self.listener = None;
        while let Some((_, client)) = self.clients.pop_first() {
            client.wire.part();
        }
        Ok(())
    }
}

/// One connection to the web server.
#[derive(Debug)]
struct Client {
    wire: Wire,
    /// What came and is not a whole request: at most one portion more than the longest request.
    input: Vec<u8>,
    /// How many requests it made.
    requests: u64,
    /// It was given leave to send the body of the request that has begun.
    was_told_to_continue: bool,
}

impl Client {
    fn new(stream: Stream) -> Self {
        Self { wire: Wire::new(stream), input: Vec::new(), requests: 0, was_told_to_continue: false }
    }

    /// Grows with each whole request and with each byte that the client takes. Bytes that make no
    /// request do not count: a client that sends one a minute is silent.
    fn progress(&self) -> u64 {
        self.requests + self.wire.sent_total()
    }

    /// Reads, answers and sends what can be without waiting; whether the client is still there.
    fn turn(&mut self, ready: Ready, reports: &mut Reports) -> Result<bool, Errno> {
        if ready.readiness.readable {
            self.wire.read(&mut self.input)?;
        }
        self.wire.send()?;
        loop {
            let before = self.requests;
            self.answer(reports);
            self.wire.send()?;
            // Sending makes room for requests that came already, and nobody tells us of those again.
            if self.requests == before || self.wire.unsent() > 0 {
                return self.wire.settle(self.wire.unsent() < UNSENT_MAX, false);
            }
        }
    }

    /// Answers the whole requests that came, as long as the client takes the answers.
    fn answer(&mut self, reports: &mut Reports) {
        let mut start = 0;
        while self.wire.unsent() < UNSENT_MAX {
            match http::parse(&self.input[start..]) {
                Ok(Parsed::Whole { request, length }) => {
                    let response = routes::answer(&request, reports);
                    response.write(self.wire.output(), request.method == "HEAD", request.keep_alive);
                    self.requests += 1;
                    self.was_told_to_continue = false;
                    start += length;
                    if !request.keep_alive {
                        start = self.input.len();
                        self.wire.finish();
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
