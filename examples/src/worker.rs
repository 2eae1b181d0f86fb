//! The worker, a service: a listener, any number of clients, and the way to the web server.

use crate::client::Client;
use crate::idle::Idle;
use crate::options::{WEB_LISTENER, reachable};
use crate::reporter::Link;
use host_core::app::error;
use host_core::id::SocketId;
use host_core::time::{Duration, Instant};
use host_core::{Connected, Context, Listener, Ready, Result, Service};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;

/// What the application calls the listener of the worker.
pub const LISTENER: &str = "jobs";

/// How many connections one callback accepts at most: a burst costs few turns, and nobody waits long.
const ACCEPTS_MAX: usize = 64;

/// The worker.
#[derive(Debug)]
pub struct Worker {
    /// Where to report; `None` is the web server of the same application.
    report_to: Option<SocketAddr>,
    /// How long after the start to hang.
    hang_after: Option<Duration>,
    hang_at: Option<Instant>,
    listener: Option<Listener>,
    clients: BTreeMap<SocketId, Client>,
    idle: Idle,
    /// The moment that `wake` was asked for.
    alarm: Option<Instant>,
    link: Link,
}

impl Worker {
    /// A worker that drops a client which asks nothing, and is owed nothing, for as long as `idle`.
    pub fn new(idle: Duration) -> Self {
        Self {
            report_to: None,
            hang_after: None,
            hang_at: None,
            listener: None,
            clients: BTreeMap::new(),
            idle: Idle::new(idle),
            alarm: None,
            link: Link::default(),
        }
    }

    /// Reports to this web server; by default to that of the same application.
    #[must_use]
    pub fn report_to(mut self, server: Option<SocketAddr>) -> Self {
        self.report_to = server;
        self
    }

    /// Hangs for ever so long after the start, to try the kick; by default never.
    #[must_use]
    pub fn hang_after(mut self, after: Option<Duration>) -> Self {
        self.hang_after = after;
        self
    }

    fn accept(&mut self, cx: &Context<'_>) -> Result {
        for _ in 0..ACCEPTS_MAX {
            let Some(stream) = self.listener.as_mut().map_or(Ok(None), Listener::accept)? else { break };
            self.idle.touch(stream.id(), cx.now());
            self.clients.insert(stream.id(), Client::new(stream));
        }
        Ok(())
    }

    /// A client's turn: because its socket is ready, or because it can be told something.
    fn serve(&mut self, cx: &Context<'_>, id: SocketId, ready: Option<Ready>) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        let progress = client.progress();
        let link = &mut self.link;
        let read = ready.map_or(Ok(()), |ready| client.read(ready));
        match read.and_then(|()| client.turn(|text| link.post(id, text))) {
            Ok(true) if client.progress() == progress => {}
            Ok(true) => self.idle.touch(id, cx.now()),
            // Its end, or its failure: neither is ours.
            Ok(false) | Err(_) => {
                self.idle.forget(id);
                self.clients.remove(&id);
            }
        }
    }

    /// Asks to be woken when something is due next.
    fn set_alarm(&mut self, cx: &mut Context<'_>) {
        let moments = [self.hang_at, self.idle.next_deadline(), self.link.deadline()];
        let Some(at) = moments.into_iter().flatten().min() else { return };
        // Deadlines move on all the time. To wake once too early is cheaper than to ask anew each time.
        if self.alarm.is_none_or(|alarm| at < alarm) {
            self.alarm = Some(at);
            cx.wake_at(at);
        }
    }
}

impl Service for Worker {
    /// Called once at the start, and again each time that the link needs a connection.
    fn connect(&mut self, cx: &mut Context<'_>) -> Result<Connected> {
        if self.listener.is_none() {
            self.listener = Some(cx.listener(LISTENER)?);
            self.link = Link::new(cx.random());
            self.hang_at = self.hang_after.map(|after| cx.now() + after);
        }
        let own = || cx.listener_address(WEB_LISTENER).map(reachable);
        let server =
            self.report_to.or_else(own).ok_or_else(|| error("there is no web server to report to"))?;
        self.link.connect(cx, server)?;
        self.set_alarm(cx);
        Ok(Connected::Yes)
    }

    /// Sends the reports of the jobs that were just done.
    fn prepare(&mut self, cx: &mut Context<'_>) -> Result {
        self.link.pump(cx);
        self.set_alarm(cx);
        Ok(())
    }

    fn receive(&mut self, cx: &mut Context<'_>, ready: Ready) -> Result {
        if self.link.owns(ready.socket) {
            let mut verdicts = Vec::new();
            self.link.receive(cx, ready, &mut verdicts);
            for (report, verdict) in verdicts {
                if let Some(client) = self.clients.get_mut(&report.client) {
                    client.told(report.number, verdict);
                    self.serve(cx, report.client, None);
                }
            }
        } else if self.clients.contains_key(&ready.socket) {
            self.serve(cx, ready.socket, Some(ready));
        } else {
            self.accept(cx)?;
        }
        // While the link waits for its next try there is no `prepare` that could do it.
        self.set_alarm(cx);
        Ok(())
    }

    fn wake(&mut self, cx: &mut Context<'_>) -> Result {
        self.alarm = None;
        let now = cx.now();
        if self.hang_at.is_some_and(|at| at <= now) {
            hang(cx);
        }
        self.link.expire(cx);
        while let Some(id) = self.idle.pop_expired(now) {
            // Who waits for an answer is silent with good reason.
            if self.clients.get(&id).is_some_and(Client::is_owed) {
                self.idle.touch(id, now);
            } else {
                self.clients.remove(&id);
            }
        }
        self.set_alarm(cx);
        Ok(())
    }

    /// Each job that still waits for its report is answered with an error, as far as that goes at once.
    fn stop(&mut self, _: &mut Context<'_>) -> Result {
        self.listener = None;
        while let Some((_, client)) = self.clients.pop_first() {
            client.part();
        }
        Ok(())
    }
}

/// What a service must never do: nothing else in the host runs from here on, until a kick ends it.
fn hang(cx: &Context<'_>) -> ! {
    // Nobody may be reading; it hangs all the same.
    let _ = writeln!(std::io::stderr(), "worker hangs now");
    loop {
        // Nothing on a real kernel; a simulated one lets the time go by in which this hangs.
        cx.work(Duration::from_millis(1));
        std::hint::spin_loop();
    }
}
