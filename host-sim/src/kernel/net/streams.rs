//! Connections as those see them who hold an end: bytes in order, ends, errors.

use super::addresses::CLIENTS;
use super::{Conn, End, State, WINDOW};
use crate::kernel::files::Object;
use crate::kernel::net::wire::Segment;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Happening, Index, Kernel};
use crate::marks::sometimes;
use crate::story::Aside;
use crate::trace::{Kind, hash_bytes};
use host_core::sys::{Errno, Handle, ShutdownHow};
use std::net::SocketAddr;

impl Kernel {
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
            // Of what has ended nothing else is told, whatever came after it (SOCK_DONE): the error stays.
            let is_end = end.fin_received && self.honours(Rule::EndOutlivesReset);
            if !is_end && let Some(errno) = self.take_pending(conn, side) {
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
        // Of no bytes nothing is sent, which would reset one who reads no more.
        if count > 0 || !self.honours(Rule::NothingIsNotSent) {
            self.send(conn, side, Segment::Data(bytes[..count].to_vec()));
        }
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

    pub(crate) fn close_end(&mut self, conn: u32, side: u8) {
        let end = self.net.end(conn, side);
        end.file = None;
        let (state, unread) = (end.state, !end.received.is_empty());
        match state {
            State::Connecting => self.close_begun(conn, side),
            State::Dead => {}
            // Nobody is left who would hear of it.
            State::Established if self.net.is_over(conn) && self.honours(Rule::OverIsOver) => {}
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
                | Object::Signals(_)
                | Object::Child(_)
                | Object::Quit(_)
                | Object::Bell(_)
                | Object::Pipe { .. }
                | Object::Recording(_)
                | Object::PidFile(_),
            ) => self.failed(me, call, Errno::NOTSOCK),
            None => self.failed(me, call, Errno::BADF),
        }
    }
}
