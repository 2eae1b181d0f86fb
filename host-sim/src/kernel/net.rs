//! TCP as its users see it: queues, bytes in order, ends, resets.

use crate::choice::Stream;
use crate::kernel::files::{FileId, Object};
use crate::kernel::poller::Holds;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Happening, Index, Kernel, MICROSECOND, MILLISECOND, Nanos, SECOND};
use crate::marks::sometimes;
use crate::story::Aside;
use crate::trace::{Kind, hash_bytes};
use host_core::sys::{Errno, Handle, ShutdownHow, UnixPath};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// What travels.
#[derive(Debug)]
enum Segment {
    Data(Vec<u8>),
    Fin,
    Reset,
    /// The answer to a connection request.
    Established,
    Refused,
}

/// Whether a connection stands, as one side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The request is on its way.
    Connecting,
    Established,
    /// Reset, refused or given up.
    Dead,
}

/// One side of a connection.
#[derive(Debug)]
pub(crate) struct End {
    state: State,
    /// The file that stands for it, while a descriptor names it.
    file: Option<FileId>,
    received: VecDeque<u8>,
    /// The peer has finished sending, and all that it sent has arrived.
    fin_received: bool,
    /// It has said that it reads no more; what comes is read all the same.
    reads_ended: bool,
    /// It never stood, and its own side has given it up.
    given_up: bool,
    fin_sent: bool,
    /// The pending error: told once.
    error: Option<Errno>,
    /// What is on its way to this side, in order.
    incoming: VecDeque<Segment>,
    incoming_bytes: usize,
    /// Nothing that this side sends arrives any more.
    pub(crate) silent: bool,
    /// When the last thing sent to this side arrives: nothing overtakes it.
    last_arrival: Nanos,
}

impl End {
    fn new(state: State) -> Self {
        Self {
            state,
            file: None,
            received: VecDeque::new(),
            fin_received: false,
            reads_ended: false,
            given_up: false,
            fin_sent: false,
            error: None,
            incoming: VecDeque::new(),
            incoming_bytes: 0,
            silent: false,
            last_arrival: 0,
        }
    }

    /// Whether there is a connection: one whose both sides have finished is none (TCP_CLOSE).
    const fn stands(&self) -> bool {
        matches!(self.state, State::Established) && !(self.fin_sent && self.fin_received)
    }
}

/// A connection: side 0 asked for it, side 1 is the listener's.
#[derive(Debug)]
pub(crate) struct Conn {
    ends: [End; 2],
    addresses: [SocketAddr; 2],
    listener: Option<u32>,
    /// Where its request went that found no room: it is repeated there.
    tried: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    backlog: u32,
    /// Those at one address that share its connections out among them (SO_REUSEPORT), by the first.
    group: Option<u32>,
    /// The file that stands for it, while a descriptor names it.
    file: Option<FileId>,
    /// Connections that stand and were not accepted.
    pub(crate) queue: VecDeque<u32>,
}

#[derive(Debug, Default)]
pub(crate) struct Net {
    conns: Vec<Conn>,
    pub(crate) listeners: Vec<Listener>,
    ephemeral: u16,
    /// How many ports after the first were given for port 0.
    bound: u16,
    /// Unix sockets that were ever bound.
    paths: BTreeMap<UnixPath, SocketAddr>,
}

/// How many bytes one direction holds: on their way and arrived, not read.
const WINDOW: usize = 64 * 1024;
/// The first port that port 0 gives.
const FIRST_PORT: u16 = 40_000;
/// How many times a connection request is repeated when the queue is full (tcp_syn_retries).
const SYN_RETRIES: u32 = 6;

impl Net {
    pub(crate) fn end(&mut self, conn: u32, side: u8) -> &mut End {
        &mut self.conns[conn as usize].ends[side as usize]
    }

    /// Connections whose both sides are open: the ones that can be harmed.
    pub(crate) fn standing(&self) -> Vec<u32> {
        let stands = |conn: &Conn| {
            conn.ends.iter().all(|end| end.state == State::Established)
                && conn.ends.iter().any(|end| end.file.is_some())
        };
        self.conns
            .iter()
            .enumerate()
            .filter(|(_, conn)| stands(conn))
            .map(|(index, _)| index as u32)
            .collect()
    }

    pub(crate) fn holds(&mut self, conn: u32, side: u8) -> Holds {
        let room = self.room(conn, side);
        let end = self.end(conn, side);
        if end.state == State::Connecting {
            return Holds::default();
        }
        let dead = end.error.is_some() || end.state == State::Dead;
        let read_ended = end.fin_received || end.reads_ended;
        Holds {
            readable: !end.received.is_empty() || read_ended || dead,
            writable: !dead && (room > 0 || end.fin_sent),
            read_ended,
            hung_up: dead || read_ended && end.fin_sent,
        }
    }

    /// How many bytes this side may send now.
    fn room(&mut self, conn: u32, side: u8) -> usize {
        let peer = self.end(conn, 1 - side);
        if peer.file.is_none() && peer.state == State::Dead {
            return WINDOW;
        }
        WINDOW.saturating_sub(peer.incoming_bytes + peer.received.len())
    }

    /// The address that stands for a path.
    pub(crate) fn at_path(&self, path: &UnixPath) -> Option<SocketAddr> {
        self.paths.get(path).copied()
    }

    fn listening(&self, address: SocketAddr) -> Option<u32> {
        let matches = |listener: &Listener| {
            listener.file.is_some()
                && listener.address.port() == address.port()
                && (listener.address.ip() == address.ip() || listener.address.ip().is_unspecified())
        };
        self.listeners.iter().position(matches).map(|index| index as u32)
    }

    /// Whether somebody listens there, or on all addresses, or anywhere if `address` is all of them.
    fn is_taken(&self, address: SocketAddr) -> bool {
        let conflicts = |listener: &Listener| {
            let (theirs, ours) = (listener.address.ip(), address.ip());
            listener.file.is_some()
                && listener.address.port() == address.port()
                && (theirs == ours || theirs.is_unspecified() || ours.is_unspecified())
        };
        self.listeners.iter().any(conflicts)
    }
}

/// Where Unix sockets are, for clients that connect to them by the name of their listener.
const PATHS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 255, 255, 254));

/// Where simulated clients come from.
const CLIENTS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Kernel {
    // System calls.

    pub(crate) fn listen(&mut self, me: Index, address: SocketAddr, backlog: u32) -> Result<Handle, Errno> {
        let address = self.free_address(me, address)?;
        self.bind(me, address, backlog, None)
    }

    /// All or nothing: several sockets that share the connections of one address.
    pub(crate) fn listen_spread(
        &mut self,
        me: Index,
        address: SocketAddr,
        backlog: u32,
        count: u32,
    ) -> Result<Vec<Handle>, Errno> {
        let address = self.free_address(me, address)?;
        let group = self.net.listeners.len() as u32;
        let mut handles = Vec::new();
        for _ in 0..count {
            match self.bind(me, address, backlog, Some(group)) {
                Ok(handle) => handles.push(handle),
                Err(errno) => {
                    handles.drain(..).for_each(|handle| self.close(me, handle));
                    return Err(errno);
                }
            }
        }
        Ok(handles)
    }

    /// The address to bind, with a port; nobody else may listen there.
    fn free_address(&mut self, me: Index, mut address: SocketAddr) -> Result<SocketAddr, Errno> {
        // The machine has a loopback interface and no other.
        if !address.ip().is_loopback() && !address.ip().is_unspecified() {
            return self.failed(me, Call::Listen, Errno::ADDRNOTAVAIL);
        }
        if address.port() == 0 {
            // Not one that was just given back: whoever still connects there means somebody else.
            let taken = |port| self.net.is_taken(SocketAddr::new(address.ip(), port));
            let mut ports = (FIRST_PORT + self.net.bound..=u16::MAX).chain(FIRST_PORT..=u16::MAX);
            let port = ports.find(|port| !taken(*port)).expect("fewer listeners than ports");
            self.net.bound = (port - FIRST_PORT + 1) % (u16::MAX - FIRST_PORT);
            address.set_port(port);
        } else if self.net.is_taken(address) && self.honours(Rule::AddressIsTaken) {
            return self.failed(me, Call::Listen, Errno::ADDRINUSE);
        }
        Ok(address)
    }

    fn bind(
        &mut self,
        me: Index,
        address: SocketAddr,
        backlog: u32,
        group: Option<u32>,
    ) -> Result<Handle, Errno> {
        let listener = self.net.listeners.len() as u32;
        let Some(handle) = self.open(me, Object::Listener(listener)) else {
            return self.failed(me, Call::Listen, Errno::MFILE);
        };
        let file = self.file(me, handle);
        self.net.listeners.push(Listener { address, backlog, group, file, queue: VecDeque::new() });
        self.record(me, Kind::Listen, u64::from(address.port()), u64::from(backlog));
        Ok(handle)
    }

    /// A Unix socket is a listener at an address of its own that nobody can bind: what is left behind at a path
    /// is one that nobody listens at.
    pub(crate) fn listen_unix(&mut self, me: Index, path: UnixPath, backlog: u32) -> Result<Handle, Errno> {
        let number = self.net.paths.len() as u16 + 1;
        let address = *self.net.paths.entry(path).or_insert_with(|| SocketAddr::new(PATHS, number));
        self.listen(me, address, backlog)
    }

    pub(crate) fn connect(&mut self, me: Index, address: SocketAddr) -> Result<Handle, Errno> {
        let conn = self.net.conns.len() as u32;
        let Some(handle) = self.open(me, Object::Conn { conn, side: 0 }) else {
            return self.failed(me, Call::Connect, Errno::MFILE);
        };
        self.net.ephemeral = self.net.ephemeral.wrapping_add(1) % 20_000;
        let from = SocketAddr::new(CLIENTS, 10_000 + self.net.ephemeral);
        let mut ends = [End::new(State::Connecting), End::new(State::Connecting)];
        ends[0].file = self.file(me, handle);
        self.net.conns.push(Conn { ends, addresses: [from, address], listener: None, tried: None });
        self.record(me, Kind::Connect, u64::from(address.port()), u64::from(conn));
        let delay = self.latency(conn);
        self.after(delay, Happening::Syn { conn, attempt: 1 });
        Ok(handle)
    }

    pub(crate) fn accept(&mut self, me: Index, handle: Handle) -> Result<(Handle, SocketAddr), Errno> {
        let Some(object) = self.object(me, handle) else {
            return self.failed(me, Call::Accept, Errno::BADF);
        };
        let listener = match object {
            Object::Listener(listener) => listener,
            Object::Conn { .. } | Object::Channel { .. } => {
                return self.failed(me, Call::Accept, Errno::INVAL);
            }
            Object::Signals(_)
            | Object::Pipe { .. }
            | Object::Child(_)
            | Object::Quit(_)
            | Object::Recording(_)
            | Object::PidFile(_) => {
                return self.failed(me, Call::Accept, Errno::NOTSOCK);
            }
        };
        // The descriptor is taken first: at the limit, an empty queue says so too (accept4(2)).
        let full = self.process(me).descriptors.is_full();
        if full || self.laid.descriptors_short && Some(me) == self.host {
            if !self.honours(Rule::LimitKeepsConnection) {
                self.net.listeners[listener as usize].queue.pop_front();
            }
            // K16: the connection stays in the queue, and the listener stays readable.
            sometimes!("an accept finds no descriptor, and the connection stays (K16)");
            return self.failed(me, Call::Accept, Errno::MFILE);
        }
        let Some(conn) = self.net.listeners[listener as usize].queue.front().copied() else {
            self.progressed(me, handle, true);
            sometimes!("an accept finds that others were faster");
            return self.failed(me, Call::Accept, Errno::AGAIN);
        };
        if self.laid.abort_accepts > 0 {
            self.laid.abort_accepts -= 1;
            sometimes!("a connection is aborted before it is accepted");
            self.net.listeners[listener as usize].queue.pop_front();
            self.send_reset(conn, 1);
            self.record_world(Kind::Fault, crate::fault::Class::AbortedAccept as u64, u64::from(conn));
            return self.failed(me, Call::Accept, Errno::CONNABORTED);
        }
        let Some(accepted) = self.open(me, Object::Conn { conn, side: 1 }) else {
            return self.failed(me, Call::Accept, Errno::MFILE);
        };
        self.net.listeners[listener as usize].queue.pop_front();
        // K15: a connection that was reset before it was accepted is accepted all the same.
        sometimes!(
            self.net.end(conn, 1).error.is_some(),
            "a connection is accepted that was reset before (K15)"
        );
        sometimes!(self.net.end(conn, 1).fin_received, "a connection is accepted whose peer has finished");
        self.net.end(conn, 1).file = self.file(me, accepted);
        self.progressed(me, handle, true);
        self.check_accept(me);
        self.record(me, Kind::Accept, u64::from(conn), 0);
        Ok((accepted, self.net.conns[conn as usize].addresses[0]))
    }

    pub(crate) fn read(&mut self, me: Index, handle: Handle, buffer: &mut [u8]) -> Result<usize, Errno> {
        if let Some(Object::Channel { channel, side }) = self.object(me, handle) {
            return self.channel_read(me, handle, (channel, side), buffer);
        }
        let (conn, side) = self.stream(me, handle, Call::Read)?;
        let short = self.laid.short_io;
        let end = self.net.end(conn, side);
        if end.state == State::Connecting {
            return self.failed(me, Call::Read, Errno::AGAIN);
        }
        let available = end.received.len().min(buffer.len());
        // Of what is there, nothing may be read; of nothing, not even that.
        if end.received.is_empty() {
            if let Some(errno) = self.take_pending(conn, side) {
                return self.failed(me, Call::Read, errno);
            }
            let end = self.net.end(conn, side);
            if end.given_up {
                return self.failed(me, Call::Read, Errno::NOTCONN);
            }
            if end.fin_received || end.reads_ended || end.state == State::Dead {
                self.record(me, Kind::Read, handle.raw(), 0);
                self.trace.aside(|| Aside::Stream(conn));
                return Ok(0);
            }
            self.progressed(me, handle, true);
            return self.failed(me, Call::Read, Errno::AGAIN);
        }
        let count = if short { self.shorter(conn, available) } else { available };
        let end = self.net.end(conn, side);
        let before = end.received.len();
        for (slot, byte) in buffer.iter_mut().zip(end.received.drain(..count)) {
            *slot = byte;
        }
        self.record(me, Kind::Read, handle.raw(), count as u64);
        self.trace.aside(|| Aside::Stream(conn));
        self.progressed(me, handle, true);
        if before >= WINDOW / 2 && before - count < WINDOW {
            // The peer may have waited for room.
            self.notify_end(conn, 1 - side);
        }
        Ok(count)
    }

    pub(crate) fn write(&mut self, me: Index, handle: Handle, bytes: &[u8]) -> Result<usize, Errno> {
        if let Some(Object::Channel { channel, side }) = self.object(me, handle) {
            return self.channel_write(me, handle, (channel, side), bytes);
        }
        if let Some(Object::Listener(_)) = self.object(me, handle) {
            return self.failed(me, Call::Write, Errno::PIPE);
        }
        let (conn, side) = self.stream(me, handle, Call::Write)?;
        let end = self.net.end(conn, side);
        if end.state == State::Connecting {
            return self.failed(me, Call::Write, Errno::AGAIN);
        }
        if let Some(errno) = self.take_pending(conn, side) {
            return self.failed(me, Call::Write, errno);
        }
        let writing_ends = self.honours(Rule::WritingEnds);
        let end = self.net.end(conn, side);
        if end.state == State::Dead || end.fin_sent && writing_ends {
            return self.failed(me, Call::Write, Errno::PIPE);
        }
        let room = self.net.room(conn, side).min(bytes.len());
        if room > 0 || !bytes.is_empty() {
            self.progressed(me, handle, false);
        }
        if room == 0 && !bytes.is_empty() {
            sometimes!("a socket has no room");
            return self.failed(me, Call::Write, Errno::AGAIN);
        }
        let count = if self.laid.short_io { self.shorter(conn, room) } else { room };
        self.record(me, Kind::Write, handle.raw(), count as u64);
        self.trace.aside(|| Aside::Stream(conn));
        self.record(me, Kind::Content, hash_bytes(&bytes[..count]), 0);
        self.send(conn, side, Segment::Data(bytes[..count].to_vec()));
        Ok(count)
    }

    pub(crate) fn shutdown(&mut self, me: Index, handle: Handle, how: ShutdownHow) -> Result<(), Errno> {
        if let Some(Object::Listener(_)) = self.object(me, handle) {
            // Linux takes the end of writing on a listener, and nothing comes of it.
            return if how == ShutdownHow::Write {
                Ok(())
            } else {
                self.failed(me, Call::Shutdown, Errno::INVAL)
            };
        }
        if let Some(Object::Channel { channel, side }) = self.object(me, handle) {
            self.record(me, Kind::Shutdown, handle.raw(), 0);
            self.channel_shutdown((channel, side), how);
            return Ok(());
        }
        let (conn, side) = self.stream(me, handle, Call::Shutdown)?;
        let end = self.net.end(conn, side);
        if !end.stands() && end.state != State::Connecting {
            return self.failed(me, Call::Shutdown, Errno::NOTCONN);
        }
        let has_begun = end.state == State::Connecting;
        self.record(me, Kind::Shutdown, handle.raw(), 0);
        self.trace.aside(|| Aside::Stream(conn));
        if has_begun {
            // Whoever does not wait for the connection to stand gives it up, and is told so (tcp_disconnect).
            self.close_begun(conn, side);
            let end = self.net.end(conn, side);
            (end.error, end.given_up) = (Some(Errno::CONNRESET), true);
            self.notify_end(conn, side);
            return Ok(());
        }
        if matches!(how, ShutdownHow::Write | ShutdownHow::Both) {
            self.send_fin(conn, side);
        }
        if matches!(how, ShutdownHow::Read | ShutdownHow::Both) {
            self.net.end(conn, side).reads_ended = true;
            self.notify_end(conn, side);
        }
        Ok(())
    }

    pub(crate) fn take_error(&mut self, me: Index, handle: Handle) -> Result<Option<Errno>, Errno> {
        if let Some(Object::Channel { channel, side }) = self.object(me, handle) {
            return Ok(self.channel_error(channel, side));
        }
        if let Some(Object::Listener(_)) = self.object(me, handle) {
            return Ok(None);
        }
        let (conn, side) = self.stream(me, handle, Call::Read)?;
        Ok(self.take_pending(conn, side))
    }

    /// The pending error of one side, which is told once.
    fn take_pending(&mut self, conn: u32, side: u8) -> Option<Errno> {
        let once = self.honours(Rule::ErrorIsToldOnce);
        let error = &mut self.net.end(conn, side).error;
        if once { error.take() } else { *error }
    }

    pub(crate) fn addresses(
        &mut self,
        me: Index,
        handle: Handle,
    ) -> Result<(SocketAddr, Option<SocketAddr>), Errno> {
        match self.object(me, handle) {
            Some(Object::Listener(listener)) => Ok((self.net.listeners[listener as usize].address, None)),
            Some(Object::Conn { conn, side }) => {
                let addresses = self.net.conns[conn as usize].addresses;
                let stands = self.net.end(conn, side).stands();
                Ok((addresses[side as usize], stands.then_some(addresses[1 - side as usize])))
            }
            // Its addresses are of another family, and have no port.
            Some(Object::Channel { .. }) => Err(Errno::AFNOSUPPORT),
            Some(
                Object::Signals(_)
                | Object::Pipe { .. }
                | Object::Child(_)
                | Object::Quit(_)
                | Object::Recording(_)
                | Object::PidFile(_),
            ) => Err(Errno::NOTSOCK),
            None => Err(Errno::BADF),
        }
    }

    /// K12: with the last holder the queue goes: its clients are reset.
    pub(crate) fn close_listener(&mut self, listener: u32) {
        let listener = &mut self.net.listeners[listener as usize];
        listener.file = None;
        let queue = std::mem::take(&mut listener.queue);
        if !self.honours(Rule::EndOfQueueResets) {
            return;
        }
        for conn in queue {
            self.send_reset(conn, 1);
            self.net.end(conn, 1).state = State::Dead;
        }
    }

    pub(crate) fn close_end(&mut self, conn: u32, side: u8) {
        let end = self.net.end(conn, side);
        end.file = None;
        let (state, unread) = (end.state, !end.received.is_empty());
        match state {
            State::Connecting => self.close_begun(conn, side),
            State::Dead => {}
            // K14: what was not read makes the close a reset.
            State::Established if unread && self.honours(Rule::UnreadIsReset) => self.send_reset(conn, side),
            State::Established if !unread && !self.honours(Rule::ReadIsEnd) => self.send_reset(conn, side),
            State::Established => self.send_fin(conn, side),
        }
    }

    /// Ends a connection that has begun and does not stand yet.
    fn close_begun(&mut self, conn: u32, side: u8) {
        if self.net.conns[conn as usize].listener.is_some() {
            // The other side stands already: it learns that there is nobody (K15).
            self.send_reset(conn, side);
        }
        self.net.end(conn, side).state = State::Dead;
    }

    fn stream(&mut self, me: Index, handle: Handle, call: Call) -> Result<(u32, u8), Errno> {
        match self.object(me, handle) {
            Some(Object::Conn { conn, side }) => Ok((conn, side)),
            Some(Object::Listener(_)) => self.failed(me, call, Errno::NOTCONN),
            Some(
                Object::Channel { .. }
                | Object::Pipe { .. }
                | Object::Signals(_)
                | Object::Child(_)
                | Object::Quit(_)
                | Object::Recording(_)
                | Object::PidFile(_),
            ) => self.failed(me, call, Errno::NOTSOCK),
            None => self.failed(me, call, Errno::BADF),
        }
    }

    // What the network does.

    fn latency(&mut self, conn: u32) -> Nanos {
        if !self.laid.latency {
            return 20 * MICROSECOND;
        }
        match self.choices.choose(Stream::Net, conn, 8) {
            0..=3 => 20 * MICROSECOND,
            4 => 100 * MICROSECOND,
            5 => MILLISECOND,
            6 => 5 * MILLISECOND,
            _ => 40 * MILLISECOND,
        }
    }

    /// Cuts a transfer short; at least one byte goes through.
    pub(crate) fn shorter(&mut self, conn: u32, count: usize) -> usize {
        match self.choices.choose(Stream::Call, conn, 4) {
            0 => count,
            1 => count.min(1),
            2 => count.div_ceil(2),
            _ => count - count.min(1) + usize::from(count == 1),
        }
    }

    /// Sends something from one side to the other; nothing overtakes.
    fn send(&mut self, conn: u32, from: u8, segment: Segment) {
        let delay = self.latency(conn);
        let now = self.now;
        let sender = self.net.end(conn, from);
        if sender.silent {
            return;
        }
        let to = 1 - from;
        let end = self.net.end(conn, to);
        let at = (now + delay).max(end.last_arrival);
        end.last_arrival = at;
        if let Segment::Data(bytes) = &segment {
            end.incoming_bytes += bytes.len();
        }
        end.incoming.push_back(segment);
        self.plan_at(at, Happening::Arrive { conn, side: to });
    }

    fn send_fin(&mut self, conn: u32, side: u8) {
        let end = self.net.end(conn, side);
        if !end.fin_sent {
            end.fin_sent = true;
            self.send(conn, side, Segment::Fin);
        }
    }

    /// Resets a connection from one side; that side is dead at once.
    pub(crate) fn send_reset(&mut self, conn: u32, side: u8) {
        self.net.end(conn, side).state = State::Dead;
        self.send(conn, side, Segment::Reset);
    }

    /// A fault: both sides see a reset.
    pub(crate) fn break_conn(&mut self, conn: u32) {
        for side in [0, 1] {
            self.receive_reset(conn, side);
        }
    }

    /// A fault: nothing that this side sends arrives any more, and nobody is told.
    pub(crate) fn silence(&mut self, conn: u32, side: u8) {
        self.net.end(conn, side).silent = true;
    }

    fn notify_end(&mut self, conn: u32, side: u8) {
        if let Some(file) = self.net.end(conn, side).file {
            self.notify(file);
        }
    }

    fn receive_reset(&mut self, conn: u32, side: u8) {
        let end = self.net.end(conn, side);
        if end.state == State::Dead {
            return;
        }
        // After the peer's end there is nothing to read: what is broken is the way out (tcp_reset).
        end.error = Some(if end.fin_received { Errno::PIPE } else { Errno::CONNRESET });
        end.state = State::Dead;
        self.record_world(Kind::ArriveReset, u64::from(conn), u64::from(side));
        self.notify_end(conn, side);
        if !self.honours(Rule::ResetIsAccepted) {
            self.net
                .listeners
                .iter_mut()
                .for_each(|listener| listener.queue.retain(|queued| *queued != conn));
        }
    }

    /// Something arrives at one side.
    pub(crate) fn arrive(&mut self, conn: u32, side: u8) {
        let end_is_readable = self.honours(Rule::EndIsReadable);
        let end = self.net.end(conn, side);
        let Some(segment) = end.incoming.pop_front() else { return };
        match segment {
            Segment::Data(bytes) => {
                end.incoming_bytes -= bytes.len();
                if end.state == State::Dead {
                    return;
                }
                let accepted =
                    end.file.is_some() || side == 1 && end.state == State::Established && !end.fin_sent;
                if !accepted {
                    sometimes!("bytes come for one who is gone");
                    // The process that would read it is gone: the sender is told.
                    self.send_reset(conn, side);
                    return;
                }
                if end.reads_ended && end.fin_sent {
                    // Nobody will read them, and the connection is over for both (tcp_rcv_state_process).
                    end.error = Some(Errno::CONNRESET);
                    self.send_reset(conn, side);
                    self.notify_end(conn, side);
                    return;
                }
                end.received.extend(&bytes);
                self.record_world(Kind::Arrive, u64::from(conn), bytes.len() as u64);
                self.notify_end(conn, side);
            }
            Segment::Fin => {
                if end.state == State::Dead || !end_is_readable {
                    return;
                }
                end.fin_received = true;
                self.record_world(Kind::ArriveFin, u64::from(conn), u64::from(side));
                self.notify_end(conn, side);
            }
            Segment::Reset => self.receive_reset(conn, side),
            Segment::Established => {
                if end.state == State::Connecting {
                    end.state = State::Established;
                    self.record_world(Kind::Established, u64::from(conn), 0);
                    self.notify_end(conn, side);
                }
            }
            Segment::Refused => self.give_up(conn, Errno::CONNREFUSED),
        }
    }

    /// A connection request failed for good.
    fn give_up(&mut self, conn: u32, errno: Errno) {
        let end = self.net.end(conn, 0);
        if end.state == State::Connecting {
            end.state = State::Dead;
            end.error = Some(errno);
            self.record_world(Kind::Refused, u64::from(conn), 0);
            self.notify_end(conn, 0);
        }
    }

    /// Who listens at an address: of several that share its connections whichever the kernel picks, by a hash of
    /// both addresses that nobody foresees. It is the same one each time a request is repeated.
    fn listening(&mut self, conn: u32, address: SocketAddr) -> Option<u32> {
        let first = self.net.listening(address)?;
        let Some(group) = self.net.listeners[first as usize].group else { return Some(first) };
        let is_open = |listener: &Listener| listener.file.is_some() && listener.group == Some(group);
        let tried = self.net.conns[conn as usize].tried;
        if let Some(tried) = tried.filter(|tried| is_open(&self.net.listeners[*tried as usize])) {
            return Some(tried);
        }
        let open = self.net.listeners.iter().enumerate().filter(|(_, listener)| is_open(listener));
        let open: Vec<_> = open.map(|(index, _)| index as u32).collect();
        let count = if self.honours(Rule::GroupIsSpread) { open.len() as u32 } else { 1 };
        let picked = self.choices.choose(Stream::Net, conn, count);
        sometimes!(picked > 0, "a connection comes to another lane than the first");
        Some(open[picked as usize])
    }

    /// A connection request reaches its address.
    pub(crate) fn syn(&mut self, conn: u32, attempt: u32) {
        let caller = self.net.end(conn, 0);
        if caller.state != State::Connecting || caller.file.is_none() {
            return;
        }
        self.record_world(Kind::Syn, u64::from(conn), u64::from(attempt));
        let address = self.net.conns[conn as usize].addresses[1];
        let refused = self.laid.refuse;
        let Some(listener) = self.listening(conn, address).filter(|_| !refused) else {
            sometimes!(!refused, "nobody listens there");
            self.net.end(conn, 1).state = State::Dead;
            if !self.honours(Rule::NobodyRefuses) {
                return;
            }
            self.send(conn, 1, Segment::Refused);
            return;
        };
        let Listener { file, backlog, queue, .. } = &self.net.listeners[listener as usize];
        // K10: a backlog of n holds n + 1.
        let room = *backlog as usize + usize::from(self.honours(Rule::BacklogOfOneMore));
        let (file, full) = (*file, queue.len() >= room);
        if full {
            self.net.conns[conn as usize].tried = Some(listener);
            sometimes!("a backlog is full, and nobody refuses (K10)");
            sometimes!(attempt > 3, "a backlog is full for the fourth time");
            if !self.honours(Rule::FullBacklogHangs) {
                self.give_up(conn, Errno::CONNREFUSED);
            } else if attempt > SYN_RETRIES {
                self.give_up(conn, Errno::TIMEDOUT);
            } else {
                // K10: nobody refuses; the request is repeated after 1, 2, 4 … seconds.
                self.after(SECOND << (attempt - 1), Happening::Syn { conn, attempt: attempt + 1 });
            }
            return;
        }
        self.net.conns[conn as usize].listener = Some(listener);
        self.net.end(conn, 1).state = State::Established;
        let queue = &mut self.net.listeners[listener as usize].queue;
        queue.push_back(conn);
        if self.broken_rule == Some(Rule::FirstComeFirstAccepted) {
            queue.rotate_right(1);
        }
        self.send(conn, 1, Segment::Established);
        if let Some(file) = file {
            self.notify(file);
        }
    }
}
