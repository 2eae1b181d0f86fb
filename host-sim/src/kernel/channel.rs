//! Channels: two ends that keep the bounds of messages (socketpair(2), SOCK_SEQPACKET).

use crate::choice::Stream;
use crate::kernel::files::{FileId, Object};
use crate::kernel::poller::Holds;
use crate::kernel::rules::Rule;
use crate::kernel::{Call, Index, Kernel};
use crate::marks::sometimes;
use crate::story::Aside;
use crate::trace::{Kind, hash_bytes};
use host_core::sys::{Errno, Handle, ShutdownHow};
use std::collections::VecDeque;

/// One end of a channel.
#[derive(Debug, Default)]
struct End {
    /// The file that stands for it; none once its last descriptor is closed.
    file: Option<FileId>,
    /// Messages that were not read yet.
    inbox: VecDeque<Vec<u8>>,
    /// What its own messages, not read yet by the peer, take of its buffer.
    used: usize,
    /// It sends nothing more.
    finished: bool,
    /// The pending error: told once, before the messages that are left.
    error: Option<Errno>,
}

/// A channel. What is written is at the other end at once.
#[derive(Debug, Default)]
pub(crate) struct Channel {
    ends: [End; 2],
}

/// The buffer of one end (`net.core.wmem_default`): 278 small messages.
const BUFFER: usize = 212_992;
/// What is kept free of it for the kernel's own use: one message is at most the rest.
const BUFFER_RESERVE: usize = 32;
/// Errno 90, message too long.
const MSGSIZE: Errno = Errno::from_raw(90);

/// What a message of `length` bytes takes of the buffer: the kernel's record of it, its own head room, and
/// the allocator's rounding. Observed on Linux 6.18: 278 messages of 100 bytes fill the buffer, 167 of 300,
/// 93 of 1000, 26 of 4000, 11 of 20000.
const fn cost(length: usize) -> usize {
    const RECORD: usize = 256;
    const HEAD_ROOM: usize = 320;
    const SMALLEST: usize = 512;
    const PAGE: usize = 4096;
    let bytes = length + HEAD_ROOM;
    let rounded = if bytes <= SMALLEST {
        SMALLEST
    } else if bytes <= 4 * PAGE {
        bytes.next_power_of_two()
    } else {
        bytes.next_multiple_of(PAGE)
    };
    RECORD + rounded
}

impl Kernel {
    pub(crate) fn channel(&mut self, me: Index) -> Result<(Handle, Handle), Errno> {
        if self.laid.descriptors_short && Some(me) == self.host {
            return self.failed(me, Call::Channel, Errno::MFILE);
        }
        let channel = self.channels.len() as u32;
        self.channels.push(Channel::default());
        let Some(first) = self.open(me, Object::Channel { channel, side: 0 }) else {
            return self.failed(me, Call::Channel, Errno::MFILE);
        };
        let Some(second) = self.open(me, Object::Channel { channel, side: 1 }) else {
            self.close(me, first);
            return self.failed(me, Call::Channel, Errno::MFILE);
        };
        for (side, handle) in [(0, first), (1, second)] {
            self.channel_end(channel, side).file = self.file(me, handle);
        }
        self.record(me, Kind::Channel, first.raw(), second.raw());
        self.trace.aside(|| Aside::Channel(channel));
        Ok((first, second))
    }

    fn channel_end(&mut self, channel: u32, side: u8) -> &mut End {
        &mut self.channels[channel as usize].ends[side as usize]
    }

    pub(crate) fn channel_holds(&self, channel: u32, side: u8) -> Holds {
        let ends = &self.channels[channel as usize].ends;
        let (end, peer) = (&ends[side as usize], &ends[1 - side as usize]);
        let gone = peer.file.is_none();
        Holds {
            readable: !end.inbox.is_empty() || end.error.is_some(),
            // A quarter of the buffer must be used at most, so that a writer is not woken for each message
            // (unix_writable).
            writable: end.used * 4 <= BUFFER,
            read_ended: gone || peer.finished,
            hung_up: gone || end.error.is_some() || end.finished && peer.finished,
        }
    }

    /// Takes one message; what of it has no room in `buffer` is lost.
    pub(crate) fn channel_read(
        &mut self,
        me: Index,
        handle: Handle,
        (channel, side): (u32, u8),
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        self.progressed(me, handle, true);
        let end = self.channel_end(channel, side);
        if let Some(errno) = end.error.take() {
            return self.failed(me, Call::Read, errno);
        }
        let Some(message) = end.inbox.pop_front() else {
            let peer = self.channel_end(channel, 1 - side);
            if peer.finished || peer.file.is_none() {
                self.record(me, Kind::Read, handle.raw(), 0);
                return Ok(0);
            }
            return self.failed(me, Call::Read, Errno::AGAIN);
        };
        let mut count = message.len().min(buffer.len());
        buffer[..count].copy_from_slice(&message[..count]);
        if !self.honours(Rule::RestIsLost) && count < message.len() {
            self.channel_end(channel, side).inbox.push_front(message[count..].to_vec());
        }
        if !self.honours(Rule::MessagesHaveBounds)
            && let Some(next) = self.channel_end(channel, side).inbox.pop_front()
        {
            let more = next.len().min(buffer.len() - count);
            buffer[count..count + more].copy_from_slice(&next[..more]);
            count += more;
        }
        self.record(me, Kind::Read, handle.raw(), count as u64);
        self.trace.aside(|| Aside::packet(channel, side, &message));
        let peer = self.channel_end(channel, 1 - side);
        peer.used = peer.used.saturating_sub(cost(message.len()));
        self.notify_channel(channel, 1 - side);
        Ok(count)
    }

    /// Sends one message, all of it or none.
    pub(crate) fn channel_write(
        &mut self,
        me: Index,
        handle: Handle,
        (channel, side): (u32, u8),
        bytes: &[u8],
    ) -> Result<usize, Errno> {
        let peer_is_gone = self.channel_end(channel, 1 - side).file.is_none();
        let end = self.channel_end(channel, side);
        if let Some(errno) = end.error.take() {
            return self.failed(me, Call::Write, errno);
        }
        if peer_is_gone || end.finished {
            sometimes!("something is said to one who is gone");
            return self.failed(me, Call::Write, Errno::PIPE);
        }
        if bytes.len() > BUFFER - BUFFER_RESERVE {
            return self.failed(me, Call::Write, MSGSIZE);
        }
        let full = end.used >= BUFFER;
        if !full {
            end.used += cost(bytes.len());
        }
        self.progressed(me, handle, false);
        if full {
            sometimes!("a channel is full");
            return self.failed(me, Call::Write, Errno::AGAIN);
        }
        self.record(me, Kind::Write, handle.raw(), bytes.len() as u64);
        self.trace.aside(|| Aside::packet(channel, side, bytes));
        self.record(me, Kind::Content, hash_bytes(bytes), 0);
        self.channel_end(channel, 1 - side).inbox.push_back(bytes.to_vec());
        self.notify_channel(channel, 1 - side);
        Ok(bytes.len())
    }

    pub(crate) fn channel_shutdown(&mut self, (channel, side): (u32, u8), how: ShutdownHow) {
        if matches!(how, ShutdownHow::Write | ShutdownHow::Both) {
            self.channel_end(channel, side).finished = true;
            self.notify_channel(channel, 1 - side);
        }
        if matches!(how, ShutdownHow::Read | ShutdownHow::Both) {
            self.channel_end(channel, 1 - side).finished = true;
            self.notify_channel(channel, side);
        }
    }

    pub(crate) fn channel_error(&mut self, channel: u32, side: u8) -> Option<Errno> {
        self.channel_end(channel, side).error.take()
    }

    /// K17: the last copy of an end was closed. Whoever left messages unread resets the other end.
    pub(crate) fn close_channel(&mut self, channel: u32, side: u8) {
        let end = self.channel_end(channel, side);
        end.file = None;
        let unread = std::mem::take(&mut end.inbox);
        let nothing = unread.len() == 1 && unread[0].is_empty();
        let missed = if nothing { self.misses_an_empty_message() } else { !unread.is_empty() };
        let peer = self.channel_end(channel, 1 - side);
        peer.used = 0;
        if missed && peer.file.is_some() {
            sometimes!("a channel ends with messages that nobody has read");
            peer.error = Some(Errno::CONNRESET);
        }
        self.notify_channel(channel, 1 - side);
    }

    /// Whether one message of no bytes counts as unread, which is a matter of what kernel this is: older ones count
    /// it; newer ones (some 6.16; observed on 6.18), which look whether the first message has bytes that were not
    /// read, do not (unix_release_sock).
    fn misses_an_empty_message(&mut self) -> bool {
        if self.misses_an_empty_message.is_none() {
            self.misses_an_empty_message = Some(self.choices.choose(Stream::Call, 0, 2) == 1);
        }
        self.misses_an_empty_message == Some(true)
    }

    fn notify_channel(&mut self, channel: u32, side: u8) {
        if let Some(file) = self.channel_end(channel, side).file {
            self.notify(file);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;

    #[test]
    fn whether_an_empty_message_is_missed_is_for_the_seed_to_decide_once() {
        let of_a_seed = |seed| {
            let mut kernel = Kernel::new(Choices::seeded(seed), false);
            let [first, second] = [(); 2].map(|()| kernel.misses_an_empty_message());
            assert_eq!(first, second);
            first
        };
        let missed = (0..8).filter(|seed| of_a_seed(*seed)).count();
        assert!((1..8).contains(&missed), "{missed} of 8 miss it");
    }

    #[test]
    fn a_buffer_holds_as_many_messages_as_were_observed() {
        let rows =
            [(1, 278), (100, 278), (190, 278), (200, 167), (300, 167), (1000, 93), (4000, 26), (20_000, 11)];
        for (length, expected) in rows {
            let (mut used, mut count) = (0, 0);
            while used < BUFFER {
                used += cost(length);
                count += 1;
            }
            assert_eq!(count, expected, "{length}");
        }
    }
}
