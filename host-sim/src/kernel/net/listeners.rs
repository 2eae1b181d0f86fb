//! Listeners: connections that stand wait in a queue until somebody accepts them.

use super::addresses::PATHS;
use super::{Listener, State};
use crate::choice::Stream;
use crate::kernel::files::Object;
use crate::kernel::net::wire::Segment;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Happening, Index, Kernel, SECOND};
use crate::marks::sometimes;
use crate::trace::Kind;
use host_core::sys::{Errno, Handle, Passed, Place, UnixPath};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// How many times a connection request is repeated when the queue is full (tcp_syn_retries).
const SYN_RETRIES: u32 = 6;

impl Kernel {
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

    /// Listens in the place of hosts to come, and holds the socket for ever.
    pub(crate) fn activate(&mut self, name: &str, address: SocketAddr, backlog: u32) {
        let listener = self.net.listeners.len() as u32;
        let file = self.open_for_ever(Object::Listener(listener));
        let queue = VecDeque::new();
        self.net.listeners.push(Listener { address, backlog, group: None, file: Some(file), queue });
        self.record_world(Kind::Listen, u64::from(address.port()), u64::from(backlog));
        self.addresses.insert(name.to_owned(), address);
        self.activated.push((name.to_owned(), file, address));
    }

    /// What a host that begins was passed.
    pub(crate) fn passed(&mut self, me: Index) -> Vec<Passed> {
        let is_host = Some(me) == self.host;
        let all = self.activated.iter().filter(|_| is_host).cloned().enumerate().collect::<Vec<_>>();
        sometimes!(!all.is_empty(), "a host is started with its sockets");
        let passed = all.into_iter().map(|(place, (name, file, address))| Passed {
            number: 3 + place as u32,
            name,
            listener: Ok((self.pass(me, file), Place::Ip(address))),
        });
        passed.collect()
    }

    /// A Unix socket is a listener at an address of its own that nobody can bind: what is left behind at a path
    /// is one that nobody listens at.
    pub(crate) fn listen_unix(&mut self, me: Index, path: UnixPath, backlog: u32) -> Result<Handle, Errno> {
        let number = self.net.paths.len() as u16 + 1;
        let address = *self.net.paths.entry(path).or_insert_with(|| SocketAddr::new(PATHS, number));
        self.listen(me, address, backlog)
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
            | Object::Child(_)
            | Object::Quit(_)
            | Object::Bell(_)
            | Object::Pipe { .. }
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
}
