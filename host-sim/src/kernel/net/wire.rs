//! What the network does: it carries things from one side to the other, in order and in its own time.

use super::State;
use crate::choice::Stream;
use crate::kernel::rules::Rule;
use crate::kernel::{Happening, Kernel, MICROSECOND, MILLISECOND, Nanos};
use crate::marks::sometimes;
use crate::trace::Kind;
use host_core::sys::Errno;

/// What travels.
#[derive(Debug)]
pub(super) enum Segment {
    Data(Vec<u8>),
    Fin,
    Reset,
    /// The answer to a connection request.
    Established,
    Refused,
}

impl Kernel {
    pub(super) fn latency(&mut self, conn: u32) -> Nanos {
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
    pub(super) fn send(&mut self, conn: u32, from: u8, segment: Segment) {
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

    pub(super) fn send_fin(&mut self, conn: u32, side: u8) {
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

    pub(super) fn notify_end(&mut self, conn: u32, side: u8) {
        if let Some(file) = self.net.end(conn, side).file {
            self.notify(file);
        }
    }

    fn receive_reset(&mut self, conn: u32, side: u8) {
        let over = self.net.is_over(conn) && self.honours(Rule::OverIsOver);
        let end = self.net.end(conn, side);
        if end.state == State::Dead || over {
            return;
        }
        // After the peer's end there is nothing to read: what is broken is the way out, if it was open
        // (tcp_reset).
        let way_out = end.fin_received && !end.fin_sent;
        end.error = Some(if way_out { Errno::PIPE } else { Errno::CONNRESET });
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
    pub(super) fn give_up(&mut self, conn: u32, errno: Errno) {
        let end = self.net.end(conn, 0);
        if end.state == State::Connecting {
            end.state = State::Dead;
            end.error = Some(errno);
            self.record_world(Kind::Refused, u64::from(conn), 0);
            self.notify_end(conn, 0);
        }
    }
}
