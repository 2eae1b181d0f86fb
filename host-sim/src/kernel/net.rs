//! TCP as its users see it: queues, bytes in order, ends, resets.

mod addresses;
mod listeners;
mod streams;
mod wire;

use crate::kernel::Nanos;
use crate::kernel::files::FileId;
use crate::kernel::poller::Holds;
use host_core::sys::{Errno, UnixPath};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use wire::Segment;

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

    /// Whether both sides have finished and know it of each other (TCP_CLOSE): nothing happens to it any more.
    fn is_over(&self, conn: u32) -> bool {
        self.conns[conn as usize].ends.iter().all(|end| end.fin_received)
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
}
