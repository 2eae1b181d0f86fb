//! The web server, a service: a listener and any number of clients. What it answers is its site's business.

use crate::connection::Connection;
use crate::http::Request;
use crate::idle::Idle;
use crate::response::Response;
use host_core::id::SocketId;
use host_core::time::{Duration, Instant};
use host_core::{Connected, Context, Drained, Listener, Ready, Result, Service};
use std::collections::BTreeMap;
use std::fmt;

/// How many connections one callback accepts at most. Each is served at once, so one callback does not take
/// long; and where workers share a listener, one that takes all leaves its siblings idle.
const ACCEPTS_MAX: usize = 4;
/// How long a client that has begun may stand still while the server drains: as long as the rest of a message
/// is waited for in a worker that reads by itself (`quit_patience` of a fleet).
const DRAIN_IDLE: Duration = Duration::from_secs(1);

/// What a web server answers.
pub trait Site {
    /// Answers a request. However long it takes, everything else in the process waits.
    fn answer(&mut self, cx: &mut Context<'_>, request: &Request<'_>) -> Response;
}

/// The web server of a site.
pub struct Web<S> {
    /// The name of its listener.
    name: &'static str,
    listener: Option<Listener>,
    clients: BTreeMap<SocketId, Connection>,
    idle: Idle,
    /// The moment that `wake` was asked for.
    alarm: Option<Instant>,
    is_draining: bool,
    site: S,
}

impl<S: Site> Web<S> {
    /// A web server on the application's listener `name`, which drops a client that asks nothing, and takes
    /// nothing, for as long as `idle`.
    pub fn new(name: &'static str, idle: Duration, site: S) -> Self {
        Self {
            name,
            listener: None,
            clients: BTreeMap::new(),
            idle: Idle::new(idle),
            alarm: None,
            is_draining: false,
            site,
        }
    }

    fn accept(&mut self, cx: &mut Context<'_>) -> Result {
        for _ in 0..ACCEPTS_MAX {
            let Some(stream) = self.listener.as_mut().map_or(Ok(None), Listener::accept)? else { break };
            let id = stream.id();
            self.idle.touch(id, cx.now());
            self.clients.insert(id, Connection::new(stream));
            // Its request is often there already: no need to be told.
            self.serve(cx, id, true);
        }
        Ok(())
    }

    /// A client's turn.
    fn serve(&mut self, cx: &mut Context<'_>, id: SocketId, readable: bool) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let progress = client.progress();
        let site = &mut self.site;
        let stays = client.turn(readable, |request| {
            let response = site.answer(cx, request);
            cx.request_done();
            response
        });
        match stays {
            Ok(true) if self.is_draining && client.is_idle() => self.forget(id),
            Ok(true) if client.progress() == progress => {}
            Ok(true) => self.idle.touch(id, cx.now()),
            // Its end, or its failure: neither is ours.
            Ok(false) | Err(_) => self.forget(id),
        }
    }

    fn forget(&mut self, id: SocketId) {
        self.idle.forget(id);
        self.clients.remove(&id);
    }

    /// Asks to be woken when a client may have been silent for too long.
    fn set_alarm(&mut self, cx: &mut Context<'_>) {
        let Some(at) = self.idle.next_deadline() else { return };
        // Deadlines move on with each request. To wake once too early is cheaper than to ask anew each time.
        if self.alarm.is_none_or(|alarm| at < alarm) {
            self.alarm = Some(at);
            cx.wake_at(at);
        }
    }
}

impl<S: Site> Service for Web<S> {
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        self.listener = Some(cx.listener(self.name)?);
        Ok(Connected::Yes)
    }

    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        self.set_alarm(cx);
        Ok(())
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result {
        if self.clients.contains_key(&ready.socket) {
            self.serve(cx, ready.socket, ready.readiness.readable);
            Ok(())
        } else {
            self.accept(cx)
        }
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        self.alarm = None;
        while let Some(client) = self.idle.pop_expired(cx.now()) {
            self.clients.remove(&client);
        }
        Ok(())
    }

    /// Answers the requests that have begun, and no others: connections that nobody has accepted are left to
    /// whoever shares the listener, those that are kept for a next request are closed.
    fn drain(&mut self, cx: &mut Context<'_>) -> Result<Drained> {
        self.listener = None;
        self.is_draining = true;
        self.idle.set_bound(DRAIN_IDLE);
        for id in self.clients.keys().copied().collect::<Vec<_>>() {
            self.idle.touch(id, cx.now());
            if let Some(client) = self.clients.get_mut(&id) {
                client.end_with_next();
            }
            // What has come and was not looked at has begun, too.
            self.serve(cx, id, true);
        }
        self.set_alarm(cx);
        Ok(if self.clients.is_empty() { Drained::Yes } else { Drained::NotYet })
    }

    /// What was answered already still goes out, as far as it goes at once.
    fn stop(&mut self, _: &mut Context<'_>) -> Result {
        self.listener = None;
        while let Some((_, client)) = self.clients.pop_first() {
            client.part();
        }
        Ok(())
    }
}

impl<S> fmt::Debug for Web<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, clients, is_draining, .. } = self;
        f.debug_struct("Web")
            .field("name", name)
            .field("clients", &clients.len())
            .field("is_draining", is_draining)
            .finish_non_exhaustive()
    }
}
