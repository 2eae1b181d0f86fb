//! What a callback can ask of its host.

use crate::app::{Hosted, ListenerError};
use crate::driver::Shared;
use crate::driver::recorder::Recorder;
use crate::error::ConfigError;
use crate::event::Event;
use crate::fleet::status::FleetStatus;
use crate::id::{ServiceId, WorkerId};
use crate::io::{Listener, Stream};
use crate::record::RecordingStatus;
use crate::status::HostStatus;
use crate::sys::{Errno, Interest, Pid, StdStream};
use crate::time::{Duration, Instant, WallTime};
use alloc::rc::Rc;
use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;

/// The host as one callback of one service sees it.
///
/// What is asked for here takes effect when the callback has come back.
pub struct Context<'a> {
    pub(crate) shared: &'a mut Shared,
    pub(crate) service: ServiceId,
}

impl Context<'_> {
    /// The moment, on the host's monotonic clock.
    pub fn now(&self) -> Instant {
        self.shared.sys.now()
    }

    /// The moment as a wall shows it: for people to read, never to measure with.
    pub fn wall(&self) -> WallTime {
        self.shared.sys.wall()
    }

    /// 64 random bits that a simulated run gives again.
    pub fn random(&mut self) -> u64 {
        self.shared.random.next_u64()
    }

    /// The name of the service that is called.
    pub fn service(&self) -> &str {
        &self.shared.names[self.service.index()]
    }

    /// Takes a listener that [`App::listen`](crate::app::App::listen) named; connections are told from here on.
    ///
    /// # Errors
    /// If there is none of this name, a service has it open, or it is spread over the workers of a fleet and
    /// this is not one of them.
    pub fn listener(&mut self, name: &str) -> Result<Listener, ListenerError> {
        let named = self.shared.listeners.iter().find(|listener| listener.name == name);
        let Some(named) = named else {
            let known = self.shared.listeners.iter().map(|listener| listener.name.clone()).collect();
            return Err(ListenerError::Unknown { name: name.into(), known });
        };
        if let (Some(fleet), None) = (named.spread, &self.shared.work) {
            let fleet = self.shared.host.config().fleets[fleet.index()].name.clone();
            return Err(ListenerError::Spread { name: name.into(), fleet });
        }
        if self.shared.registry.uses(named.first()) {
            return Err(ListenerError::InUse { name: name.into() });
        }
        Ok(Listener::new(if named.spread.is_some() {
            self.shared.registry.open_spread(&named.sockets, self.service)
        } else {
            self.shared.registry.open(named.first(), self.service, Interest::READ, true)
        }))
    }

    /// Where the listener `name` is bound; with port 0 asked for, the port that the kernel chose. Bound to
    /// an unspecified address (`0.0.0.0`), that is what it says, and not an address to connect to.
    pub fn listener_address(&self, name: &str) -> Option<SocketAddr> {
        self.shared.listeners.iter().find(|listener| listener.name == name)?.address()
    }

    /// Binds a listener of the service's own; dropping it closes it.
    ///
    /// # Errors
    /// What socket(2), bind(2) or listen(2) answer.
    pub fn listen(&mut self, address: SocketAddr, backlog: u32) -> Result<Listener, Errno> {
        let handle = self.shared.sys.listen(address, backlog)?;
        Ok(Listener::new(self.shared.registry.open(handle, self.service, Interest::READ, false)))
    }

    /// Connects, and waits until the connection stands, at most `io_timeout`.
    ///
    /// # Errors
    /// What connect(2) answers, such as [`Errno::CONNREFUSED`]; [`Errno::TIMEDOUT`].
    pub fn connect_to(&mut self, address: SocketAddr) -> Result<Stream, Errno> {
        let mut stream = self.start_connect(address)?;
        stream.wait_connected()?;
        stream.set_interest(Interest::READ);
        Ok(stream)
    }

    /// Begins to connect, without waiting. The socket is reported writable when the connection stands
    /// or has failed: [`Stream::finish_connect`] tells which.
    ///
    /// # Errors
    /// What socket(2) or connect(2) answer at once.
    pub fn start_connect(&mut self, address: SocketAddr) -> Result<Stream, Errno> {
        let handle = self.shared.sys.connect(address)?;
        Ok(Stream::new(self.shared.registry.open(handle, self.service, Interest::WRITE, false)))
    }

    /// Calls [`wake`](crate::app::Service::wake) at this moment; replaces an earlier request.
    pub fn wake_at(&mut self, at: Instant) {
        self.shared.registry.tell(Event::WakeAsked { service: self.service, at: Some(at) });
    }

    /// Takes [`wake_at`](Self::wake_at) back.
    pub fn wake_never(&mut self) {
        self.shared.registry.tell(Event::WakeAsked { service: self.service, at: None });
    }

    /// Calls this service's `connect` in the next turn, although it has sockets.
    ///
    /// The sockets are still served until then; `prepare` is called again after `connect` stands.
    pub fn reconnect(&mut self) {
        self.shared.registry.tell(Event::ReconnectAsked { service: self.service, failed: false });
    }

    /// As [`reconnect`](Self::reconnect), after a try that has failed: `connect` is called when the
    /// service's [`Reconnect`](crate::Reconnect) policy says. For a service that keeps other sockets
    /// while one connection of it is made again.
    pub fn reconnect_later(&mut self) {
        self.shared.registry.tell(Event::ReconnectAsked { service: self.service, failed: true });
    }

    /// Adds a service to the running host; its `connect` is called in the next turn.
    ///
    /// # Errors
    /// What is wrong with its name or its policies; nothing was added then.
    pub fn add(&mut self, service: impl Into<Hosted>) -> Result<(), ConfigError> {
        let hosted = service.into();
        let mistakes = hosted.mistakes(self.shared.names.iter().map(|name| &**name));
        if !mistakes.is_empty() {
            return Err(ConfigError { mistakes });
        }
        self.shared.add(hosted);
        Ok(())
    }

    /// Stops the host in order, as TERM does.
    pub fn stop(&mut self) {
        self.shared.registry.tell(Event::StopAsked);
    }

    /// Drains the host, as QUIT does: what was begun is finished, then it stops.
    pub fn drain(&mut self) {
        self.shared.registry.tell(Event::DrainAsked);
    }

    /// How a fleet is; `None` if there is none of this name.
    pub fn fleet(&self, name: &str) -> Option<FleetStatus> {
        self.shared.host.fleet(self.shared.host.find_fleet(name)?)
    }

    /// How the whole host is: its services by name, its fleets, their workers and last deaths, and counters. As far as the host
    /// knows when this callback is called, and what it has asked for itself is not yet part of it. In a worker it is
    /// the worker's own host.
    pub fn status(&self) -> HostStatus {
        let mut status = self.shared.host.status();
        for (service, name) in status.services.iter_mut().zip(&self.shared.names) {
            service.name = Some(String::from(&**name));
        }
        status
    }

    /// Wants exactly `workers` workers in a fleet, or its `workers_max`; whether there is a fleet of this
    /// name. Unlike signals, calls never merge: it is the number that counts, not how often it is said.
    pub fn resize(&mut self, fleet: &str, workers: u32) -> bool {
        let Some(fleet) = self.shared.host.find_fleet(fleet) else { return false };
        self.shared.registry.tell(Event::ResizeAsked { fleet, workers });
        true
    }

    /// Wants as many workers as before WINCH; whether there is a fleet of this name.
    pub fn restore(&mut self, fleet: &str) -> bool {
        let Some(fleet) = self.shared.host.find_fleet(fleet) else { return false };
        self.shared.registry.tell(Event::RestoreAsked { fleet });
        true
    }

    /// In a worker: who it is.
    pub fn worker(&self) -> Option<WorkerId> {
        self.shared.work.as_ref().map(|work| work.id)
    }

    /// In a worker: asks to be let alone for `duration`, for one long piece of work in this callback. The next sign
    /// of life, which the loop gives when the callback has come back, takes it back. The host tells of it. Does
    /// nothing outside a worker: the kick's threshold is the host's.
    pub fn extend(&mut self, duration: Duration) {
        if let Some(work) = &self.shared.work {
            work.extend(duration);
        }
    }

    /// In a worker: counts one request, for the fleet's `requests_max`. One that never calls it is counted by
    /// the connections that it accepts.
    pub fn request_done(&mut self) {
        if let Some(work) = &self.shared.work {
            work.request_done();
        }
    }

    /// How the recording of this host is going; `None` if it is not recorded.
    pub fn recording(&self) -> Option<RecordingStatus> {
        self.shared.recorder.as_ref().map(Recorder::status)
    }

    /// Prints `text` where this process prints. See [`Worker::print`](crate::Worker::print).
    ///
    /// # Errors
    /// [`Errno::PIPE`] if nobody reads any more; what write(2) answers beside.
    pub fn print(&self, stream: StdStream, text: &str) -> Result<(), Errno> {
        crate::worker::print(&*self.shared.sys, stream, text)
    }

    /// The number of this process.
    pub fn pid(&self) -> Pid {
        self.shared.sys.pid()
    }

    /// Declares that what comes next computes for `duration`. Costs nothing on a real kernel; a simulated
    /// run, which cannot see code compute, lets that much time go by.
    pub fn work(&self, duration: Duration) {
        self.shared.sys.work(duration);
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("service", &self.service()).finish_non_exhaustive()
    }
}

impl Shared {
    /// Takes in a service whose mistakes were looked for.
    pub(crate) fn add(&mut self, hosted: Hosted) {
        let service = ServiceId::new(self.names.len() as u32);
        let Hosted { name, service: user, reconnect, on_connect_error } = hosted;
        self.sys.kick_name(service, &name);
        self.names.push(Rc::from(name));
        self.added.push(user);
        self.registry.tell(Event::Added { service, reconnect, on_connect_error });
    }
}
