//! From facts to frames.

use super::bytes::{Out, checksum};
use super::wire::Wire;
use super::{Begin, End, MAGIC, Text, VERSION};
use crate::action::Action;
use crate::event::Event;
use crate::time::Instant;
use alloc::vec::Vec;

/// Marks of entries that are neither event nor order.
pub(super) const BEGIN: u8 = 0xc0;
pub(super) const LATER: u8 = 0xc1;
pub(super) const END: u8 = 0xc2;
/// Set in the number of an order.
pub(super) const ORDER: u8 = 0x80;

/// What stands before a payload: its length and its checksum.
pub(super) const FRAME_HEAD: usize = 4 + 8;

/// From so many bytes on a frame is to be written: few enough that a host may keep them, and enough that the call
/// that writes them costs nothing beside their making.
pub const FRAME: usize = 32 * 1024;

/// Makes the bytes of a recording.
///
/// Facts go in, one frame at a time comes out. It never holds more than [`FRAME`] bytes and the one entry that
/// reached them, if it is asked after each whether it [`is_full`](Self::is_full).
#[derive(Clone, Debug)]
pub struct Writer {
    out: Out,
    /// Where the frame begins: after the file's own head, in the first one.
    start: usize,
    /// The moment of the last fact.
    at: Instant,
    /// How many facts wait to be written.
    facts: u64,
}

impl Writer {
    /// The recording of this host; its first frame holds nothing else.
    pub fn new(text: Text, begin: &Begin) -> Self {
        let mut out = Out::new(text);
        out.bytes.reserve(2 * FRAME);
        out.bytes.extend_from_slice(MAGIC);
        out.bytes.extend_from_slice(&VERSION.to_le_bytes());
        let kept: u16 = match text {
            Text::Hashed => 0,
            Text::Kept => 1,
        };
        out.bytes.extend_from_slice(&kept.to_le_bytes());
        let start = out.bytes.len();
        out.bytes.extend_from_slice(&[0; FRAME_HEAD]);
        out.byte(BEGIN);
        begin.put(&mut out);
        Self { out, start, at: Instant::ZERO, facts: 0 }
    }

    /// A fact was told at this moment, which is not before that of the last one.
    #[inline]
    pub fn event(&mut self, at: Instant, event: &Event) {
        if at != self.at {
            self.out.byte(LATER);
            self.out.number(at.as_nanos().wrapping_sub(self.at.as_nanos()));
            self.at = at;
        }
        event.put(&mut self.out);
        self.facts += 1;
    }

    /// An order came out.
    #[inline]
    pub fn action(&mut self, action: &Action) {
        let number = self.out.bytes.len();
        action.put(&mut self.out);
        self.out.bytes[number] |= ORDER;
    }

    /// Nothing follows.
    pub fn end(&mut self, end: End) {
        self.out.byte(END);
        end.put(&mut self.out);
    }

    /// How many facts wait to be written.
    pub const fn facts_waiting(&self) -> u64 {
        self.facts
    }

    /// How many bytes wait to be written.
    pub fn waiting(&self) -> usize {
        if self.out.bytes.len() == self.start + FRAME_HEAD { 0 } else { self.out.bytes.len() }
    }

    /// Whether it is time to write.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.out.bytes.len() >= FRAME
    }

    /// What waits, as a whole frame; empty if nothing does. [`written`](Self::written) makes room for the next.
    pub fn frame(&mut self) -> &[u8] {
        if self.waiting() == 0 {
            return &[];
        }
        let (_, frame) = self.out.bytes.split_at_mut(self.start);
        let (head, payload) = frame.split_at_mut(FRAME_HEAD);
        head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&checksum(payload).to_le_bytes());
        &self.out.bytes
    }

    /// The frame was written.
    pub fn written(&mut self) {
        self.start = 0;
        self.facts = 0;
        self.out.bytes.clear();
        self.out.bytes.extend_from_slice(&[0; FRAME_HEAD]);
    }

    /// What waits is not written; only an [`end`](Self::end) may follow.
    pub fn forget(&mut self) {
        self.out.bytes.truncate(self.start + FRAME_HEAD);
    }
}

/// A payload as a frame: for trying what a reader makes of it.
pub fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(FRAME_HEAD + payload.len());
    frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    frame.extend_from_slice(&checksum(payload).to_le_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// An order as it stands in a recording: for comparing orders byte for byte.
pub fn order_bytes(text: Text, action: &Action) -> Vec<u8> {
    let mut out = Out::new(text);
    action.put(&mut out);
    out.bytes
}
