//! What a worker's body holds: its listeners, its signs of life, and whether it is still wanted.

use crate::app::ListenerError;
use crate::driver::NamedListener;
use crate::error::Result;
use crate::fleet::beat::Pace;
use crate::fleet::config::FleetConfig;
use crate::fleet::lanes::{Lane, Lanes};
use crate::fleet::message::{FromHost, FromWorker, LENGTH_MAX};
use crate::id::WorkerId;
use crate::io::Stream;
use crate::io::queues::Queues;
use crate::io::registry::Socket;
use crate::sys::{Errno, Handle, Interest, Pid, PollEvent, StdStream, Sys};
use crate::time::{Duration, Instant};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;
use core::net::SocketAddr;

/// A forked worker, as its own body sees it.
///
/// The body is plain blocking code. It shows that it is alive by calling [`wanted`](Self::wanted), and by
/// waiting in [`accept`](Self::accept) or in a stream's read or write; a body that does neither for longer
/// than the fleet's heartbeat timeout is killed and replaced.
///
/// ```
/// use host_core::{App, Fleet, Result, Worker};
/// use std::io::Write;
///
/// fn serve(worker: &mut Worker) -> Result {
///     while let Some(mut client) = worker.accept("greet")? {
///         let _gone = client.write_all(b"hello\n");
///     }
///     Ok(()) // the graceful epilogue goes here
/// }
///
/// let app = App::new("greeter")
///     .listen("greet", "127.0.0.1:7000")
///     .fleet(Fleet::new("greeters").workers(4).run(serve));
/// assert!(app.check().is_ok());
/// ```
pub struct Worker {
    pub(crate) link: Rc<Link>,
    listeners: Rc<[NamedListener]>,
    /// Of each of them.
    queues: Vec<Queues>,
    /// The poller reports that it is asked to quit, and what its host says.
    hears: bool,
    /// Which listener is watched.
    watched: Option<usize>,
    /// It was reported, and nobody has looked into its queue since.
    woken: bool,
    events: Vec<PollEvent>,
}

/// A worker's side of what it shares with its host.
pub(crate) struct Link {
    pub(crate) sys: Rc<dyn Sys>,
    pub(crate) id: WorkerId,
    pub(crate) config: Rc<FleetConfig>,
    pub(crate) channel: Handle,
    pub(crate) quit: Handle,
    /// After so many requests it asks to be replaced.
    requests_max: Option<u64>,
    accepted: Cell<u64>,
    /// Connections that were accepted and are not closed.
    in_hand: Cell<u64>,
    done: Cell<u64>,
    ready_told: Cell<bool>,
    enough_told: Cell<bool>,
    extended: Cell<bool>,
    host_gone: Cell<bool>,
    /// Those that it minds, in a fleet whose listeners are spread.
    lanes: Cell<Lanes>,
    leaving_told: Cell<bool>,
    /// A connection was left waiting, and the channel was full.
    left_waiting: Cell<bool>,
    /// The channel was full when something was to be told.
    owes: Cell<bool>,
}

/// What there was to hear.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// To look at the listeners.
    pub(crate) look: bool,
    /// To mind other lanes.
    pub(crate) minds: bool,
}

/// What a worker's connection does when the worker is asked to quit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waits {
    /// One that it accepted: the wait for the next message ends.
    UntilQuit,
    /// One that it made, or that a service of its own has: it belongs to something that was begun.
    ToTheEnd,
}

/// What a wait does when its worker is asked to quit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtQuit {
    /// It ends at once: nothing was begun.
    End,
    /// It goes on for the fleet's `quit_patience`: a message was begun.
    BePatient,
    /// It goes on as if nothing had happened.
    GoOn,
}

/// Poller keys of a worker that waits by itself.
const QUIT: u64 = 0;
const CHANNEL: u64 = 1;
const LISTENER: u64 = 2;

/// How long a worker rests after descriptors or memory ran out at an accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many messages are read at once: a host that floods its worker must not keep it from working.
const MESSAGES_MAX: u32 = 16;

impl Worker {
    pub(crate) fn new(link: Rc<Link>, listeners: Rc<[NamedListener]>) -> Self {
        let queues = listeners.iter().map(|listener| Queues::new(Rc::clone(&listener.sockets))).collect();
        Self { link, listeners, queues, hears: false, watched: None, woken: false, events: Vec::new() }
    }

    /// Whether the host still wants this worker: false once it was asked to quit (QUIT, or a host that died
    /// and lets its workers drain).
    ///
    /// It is also the sign of life, and costs nanoseconds: no system call. The first call tells the host
    /// that this worker is ready.
    #[inline]
    pub fn wanted(&self) -> bool {
        self.link.wanted()
    }

    /// The next connection to the listener `name`, waiting for it. `None` when the worker is not wanted any more.
    ///
    /// A connection that was aborted before it could be accepted is passed over. While descriptors or memory
    /// are short the worker rests for 100 ms at a time, and the connections stay in the queue for its siblings: if
    /// only this process is at its limit, one that idles is woken for them. Of a
    /// listener that is spread over the fleet ([`Fleet::listen_spread`](crate::Fleet::listen_spread)) a worker takes
    /// those in its own lane, and in lanes that nobody else minds.
    ///
    /// # Errors
    /// If there is no such listener; what accept4(2) answers beside the above.
    pub fn accept(&mut self, name: &str) -> Result<Option<Stream>> {
        let Some(index) = self.listeners.iter().position(|listener| listener.name == name) else {
            let known = self.listeners.iter().map(|listener| listener.name.clone()).collect();
            return Err(ListenerError::Unknown { name: name.into(), known }.into());
        };
        loop {
            if self.listeners[index].spread.is_some() {
                // One whose lane is never empty does not wait, and must hear of another lane all the same.
                self.link.hear();
            }
            if !self.wanted() {
                self.leave_waiting();
                return Ok(None);
            }
            if self.watched != Some(index) {
                self.leave_waiting();
            }
            let link = &self.link;
            let answer = self.queues[index].accept(&*link.sys, self.listeners[index].lanes(link));
            self.woken &= answer.as_ref().is_err_and(|errno| *errno != Errno::AGAIN);
            match answer {
                Ok((handle, _)) => {
                    let socket = link.socket(handle, Waits::UntilQuit);
                    socket.was_accepted();
                    return Ok(Some(Stream::new(socket)));
                }
                Err(Errno::AGAIN) => self.wait_for(index)?,
                Err(errno) if errno.is_shortage() => {
                    if errno.is_own_shortage() {
                        self.leave_waiting();
                    }
                    self.link.rest(ACCEPT_PAUSE)?;
                }
                Err(errno) if errno.is_lost_connection() || errno == Errno::INTR => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Waits until the listener has a connection, or there is something to hear.
    fn wait_for(&mut self, listener: usize) -> Result<(), Errno> {
        self.watch(listener)?;
        let link = &self.link;
        link.sys.pulse(Pace::Waiting);
        let answer = link.sys.poll_wait(&mut self.events, link.wake_at());
        link.sys.pulse(Pace::Busy);
        match answer {
            Ok(()) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        self.woken = self.events.iter().any(|event| event.key == LISTENER);
        if self.events.iter().any(|event| event.key == CHANNEL) {
            // Whatever it says, the next step is to look at the listener.
            link.hear();
        }
        Ok(())
    }

    /// A connection that it was woken for is left to its siblings, if it does not take it.
    fn leave_waiting(&mut self) {
        if core::mem::take(&mut self.woken) {
            self.link.leave_waiting();
        }
    }

    fn watch(&mut self, listener: usize) -> Result<(), Errno> {
        let sys = &self.link.sys;
        if !self.hears {
            sys.poll_add(self.link.quit, QUIT, Interest::READ)?;
            sys.poll_add(self.link.channel, CHANNEL, Interest::READ).inspect_err(|_| {
                // It was registered a moment ago; a body that tries again registers it anew.
                let _ = sys.poll_delete(self.link.quit);
            })?;
            self.hears = true;
        }
        if let Some(watched) = self.watched.take_if(|watched| *watched != listener) {
            self.queues[watched].unwatch(&**sys);
        }
        self.queues[listener].watch(&**sys, self.listeners[listener].lanes(&self.link), LISTENER)?;
        self.watched = Some(listener);
        Ok(())
    }

    /// Where the listener `name` is bound.
    pub fn listener_address(&self, name: &str) -> Option<SocketAddr> {
        self.listeners.iter().find(|listener| listener.name == name)?.address()
    }

    /// Connects to `address`, as a client, waiting at most the fleet's `io_timeout`.
    ///
    /// That this worker is asked to quit cuts nothing of this connection short: what it serves may need it to
    /// the end.
    ///
    /// # Errors
    /// What connect(2) answers; [`Errno::TIMEDOUT`].
    pub fn connect_to(&self, address: SocketAddr) -> Result<Stream, Errno> {
        let handle = self.link.sys.connect(address)?;
        let stream = Stream::new(self.link.socket(handle, Waits::ToTheEnd));
        stream.wait_connected()?;
        Ok(stream)
    }

    /// Waits for `duration`, or until the worker is not wanted any more; whether it still is. It counts as alive.
    pub fn pause(&self, duration: Duration) -> bool {
        // A body that only pauses is ready, too, and says so before it rests.
        if !self.wanted() {
            return false;
        }
        // Nothing can fail but the wait itself, and then it was short.
        let _ = self.link.rest(duration);
        self.wanted()
    }

    /// Asks to be let alone for `duration`, for one long piece of work without signs of life. The next
    /// [`wanted`](Self::wanted) takes it back. The host tells of it.
    pub fn extend(&self, duration: Duration) {
        self.link.extend(duration);
    }

    /// Counts one request, for the fleet's `requests_max`. A body that never calls it is counted by the
    /// connections that it accepts.
    pub fn request_done(&self) {
        self.link.request_done();
    }

    /// Prints `text`, all of it, past the buffers of `print!`. On the real kernel `println!` does as well; in a
    /// simulated run this is the only way, since `println!` cannot be seen there. It is no sign of life.
    ///
    /// With [`Fleet::capture_output`](crate::Fleet::capture_output) it waits while the host has yet to read what
    /// was printed before.
    ///
    /// # Errors
    /// [`Errno::PIPE`] if nobody reads any more; what write(2) answers beside.
    pub fn print(&self, stream: StdStream, text: &str) -> Result<(), Errno> {
        print(&*self.link.sys, stream, text)
    }

    /// Who this worker is.
    pub fn id(&self) -> WorkerId {
        self.link.id
    }

    /// The name of its fleet.
    pub fn fleet(&self) -> &str {
        &self.link.config.name
    }

    /// Its process number.
    pub fn pid(&self) -> Pid {
        self.link.sys.pid()
    }

    /// The moment, on the monotonic clock.
    pub fn now(&self) -> Instant {
        self.link.sys.now()
    }

    /// 64 random bits that a simulated run gives again.
    pub fn random(&self) -> u64 {
        self.link.sys.random()
    }

    /// Declares that what comes next computes for `duration`. Costs nothing on a real kernel; a simulated run,
    /// which cannot see code compute, lets that much time go by.
    pub fn work(&self, duration: Duration) {
        self.link.sys.work(duration);
    }
}

/// Prints all of `text`.
pub(crate) fn print(sys: &dyn Sys, stream: StdStream, text: &str) -> Result<(), Errno> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match sys.print(stream, rest) {
            // A write of something answers nothing only where nothing is taken any more.
            Ok(0) => return Err(Errno::PIPE),
            Ok(length) => rest = &rest[length..],
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("fleet", &self.fleet()).field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Link {
    pub(crate) fn new(
        sys: Rc<dyn Sys>,
        id: WorkerId,
        config: Rc<FleetConfig>,
        channel: Handle,
    ) -> Result<Rc<Self>, Errno> {
        let quit = sys.quit_handle()?;
        let lanes = match config.lanes() {
            0 => Lanes::NONE,
            count => Lanes::only(Lane::of_slot(id.slot, count)),
        };
        let requests_max = config.requests_max.map(|requests| {
            let most = requests.saturating_mul(u64::from(config.requests_jitter_percent)) / 100;
            requests.saturating_add(crate::random::Random::new(sys.random()).below(most.saturating_add(1)))
        });
        Ok(Rc::new(Self {
            sys,
            id,
            config,
            channel,
            quit,
            requests_max,
            accepted: Cell::new(0),
            in_hand: Cell::new(0),
            done: Cell::new(0),
            ready_told: Cell::new(false),
            enough_told: Cell::new(false),
            extended: Cell::new(false),
            host_gone: Cell::new(false),
            lanes: Cell::new(lanes),
            leaving_told: Cell::new(false),
            left_waiting: Cell::new(false),
            owes: Cell::new(false),
        }))
    }

    /// An open connection of this worker.
    fn socket(self: &Rc<Self>, handle: Handle, waits: Waits) -> Rc<Socket> {
        Socket::alone(Rc::clone(&self.sys), handle, self.config.io_timeout, Some((Rc::clone(self), waits)))
    }

    #[inline]
    fn wanted(&self) -> bool {
        if !self.ready_told.get() {
            self.tell_ready();
        }
        self.tell_what_is_owed();
        self.sys.pulse(Pace::Busy);
        self.end_extension();
        let wanted = self.is_wanted();
        if !wanted {
            self.tell_leaving();
        }
        wanted
    }

    /// Whether it was not asked to quit, and its host is there.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.sys.quit_asked() && !self.host_gone.get()
    }

    /// Tells the host, once, that this worker can serve.
    pub(crate) fn tell_ready(&self) {
        if !self.ready_told.replace(true) {
            // Before the host can hear of it: it judges from the first beat on.
            self.sys.pulse(Pace::Busy);
            self.tell(FromWorker::Ready);
        }
    }

    /// Tells the host that a connection waits which this worker was woken for and does not take.
    pub(crate) fn leave_waiting(&self) {
        self.left_waiting.set(!self.tell(FromWorker::LeftWaiting));
        self.owes.set(self.owes.get() | self.left_waiting.get());
    }

    /// A host that was stopped reads nothing, and its channel may have been full: what it was not told then.
    pub(crate) fn tell_what_is_owed(&self) {
        if !self.owes.replace(false) {
            return;
        }
        if self.left_waiting.get() {
            self.leave_waiting();
        }
        self.publish();
    }

    /// Tells the host, once, that others are to mind this worker's lanes: it takes no more connections, and
    /// whoever has asked it to quit need not have been the host.
    pub(crate) fn tell_leaving(&self) {
        if self.config.spread && !self.leaving_told.get() {
            self.leaving_told.set(self.tell(FromWorker::Leaves));
        }
    }

    /// The lanes that it minds.
    pub(crate) fn lanes(&self) -> Lanes {
        self.lanes.get()
    }

    /// A message to the host; whether there is nothing left to do about it. The channel holds some hundred, which
    /// is few for a host that is stopped; one that is gone reads none.
    fn tell(&self, message: FromWorker) -> bool {
        loop {
            match self.sys.write(self.channel, &message.encode()) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return false,
                Ok(_) | Err(_) => return true,
            }
        }
    }

    /// Reads what the host says. Its end is that of the host.
    pub(crate) fn hear(&self) -> Heard {
        let mut heard = Heard::default();
        let mut packet = [0; LENGTH_MAX];
        for _ in 0..MESSAGES_MAX {
            match self.sys.read(self.channel, &mut packet) {
                Ok(0) => {
                    self.host_gone.set(true);
                    // It would be reported for ever.
                    let _ = self.sys.poll_delete(self.channel);
                    break;
                }
                Ok(length) => match FromHost::decode(&packet[..length]) {
                    Ok(FromHost::Look) => heard.look = true,
                    Ok(FromHost::Mind(lanes)) => heard.minds |= self.mind(lanes),
                    // A host of another version; nothing that this one knows how to obey.
                    Err(_) => {}
                },
                // Read on: what was sent before the end is still there (SEQPACKET).
                Err(Errno::INTR | Errno::CONNRESET) => {}
                Err(_) => break,
            }
        }
        heard
    }

    /// Minds other lanes; whether they are others.
    fn mind(&self, lanes: Lanes) -> bool {
        let before = self.lanes.replace(lanes);
        if !before.without(lanes).is_empty() {
            // It may have been woken for a connection in a lane that it leaves, and whoever minds that watches it
            // already: nobody else is woken for it.
            self.leave_waiting();
        }
        before != lanes
    }

    /// When a wait is cut short to beat.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.config.idle_beats.then(|| self.sys.now() + self.config.heartbeat_timeout / 2)
    }

    /// Waits for a socket: alive all the while.
    pub(crate) fn wait(
        &self,
        handle: Handle,
        interest: Interest,
        deadline: Instant,
        at_quit: AtQuit,
    ) -> Result<(), Errno> {
        self.sys.pulse(Pace::Waiting);
        let answer = self.wait_alive(handle, interest, deadline, at_quit);
        self.sys.pulse(Pace::Busy);
        answer
    }

    fn wait_alive(
        &self,
        handle: Handle,
        interest: Interest,
        mut deadline: Instant,
        at_quit: AtQuit,
    ) -> Result<(), Errno> {
        let mut patient = at_quit == AtQuit::GoOn;
        loop {
            let until = self.wake_at().map_or(deadline, |wake_at| wake_at.min(deadline));
            let answer = if patient {
                self.sys.wait(handle, interest, Some(until))
            } else {
                self.sys.wait_or_quit(handle, interest, Some(until))
            };
            match answer {
                Ok(_) => return Ok(()),
                // The next wait begins anew: interrupted often enough, it would not beat at all.
                Err(Errno::INTR) => self.sys.pulse(Pace::Waiting),
                Err(Errno::TIMEDOUT) if until < deadline => self.sys.pulse(Pace::Waiting),
                Err(Errno::CANCELED) if at_quit == AtQuit::BePatient && !patient => {
                    patient = true;
                    deadline = deadline.min(self.sys.now() + self.config.quit_patience);
                }
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Waits for `duration`, or until the worker is asked to quit: alive all the while.
    fn rest(&self, duration: Duration) -> Result<(), Errno> {
        let deadline = self.sys.now() + duration;
        match self.wait(self.quit, Interest::READ, deadline, AtQuit::End) {
            Ok(()) | Err(Errno::TIMEDOUT | Errno::CANCELED) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    pub(crate) fn extend(&self, duration: Duration) {
        self.sys.slot_extend(self.sys.now() + duration);
        self.extended.set(true);
        self.tell(FromWorker::Extended);
    }

    /// It gives a sign of life again: what it asked for is over.
    #[inline]
    pub(crate) fn end_extension(&self) {
        if self.extended.replace(false) {
            self.sys.slot_extend(Instant::ZERO);
        }
    }

    /// A connection was accepted.
    pub(crate) fn accepted(&self) {
        self.accepted.set(self.accepted.get() + 1);
        self.publish();
        self.in_hand.set(self.in_hand.get() + 1);
        self.sys.slot_busy(self.in_hand.get());
    }

    /// And closed.
    pub(crate) fn closed(&self) {
        debug_assert!(self.in_hand.get() > 0, "whoever is closed was accepted");
        self.in_hand.set(self.in_hand.get().saturating_sub(1));
        self.sys.slot_busy(self.in_hand.get());
    }

    /// A request was served.
    pub(crate) fn request_done(&self) {
        self.done.set(self.done.get() + 1);
        self.publish();
    }

    fn publish(&self) {
        let served = if self.done.get() > 0 { self.done.get() } else { self.accepted.get() };
        self.sys.slot_count(served);
        if self.requests_max.is_some_and(|most| served >= most) && !self.enough_told.get() {
            self.enough_told.set(self.tell(FromWorker::ServedEnough));
            self.owes.set(self.owes.get() | !self.enough_told.get());
        }
    }
}
