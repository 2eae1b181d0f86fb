//! What a worker prints: bytes in, lines out, bounded in memory and in number.
//!
//! It decides nothing about a worker, so it is no part of a host's state: no fact is made of it, and no recording
//! holds it.

use crate::sys::StdStream;
use crate::time::{Duration, Instant};
use alloc::string::String;
use alloc::vec::Vec;

/// How many bytes of a line are kept until its end comes; a longer one is told in pieces.
pub const LINE_MAX: usize = 8192;
/// How many lines a worker may print in a second, if nothing else is said: more than anybody reads, and few enough
/// that a log survives a worker that prints in a loop.
pub const LINES_PER_SECOND: u32 = 1000;
/// How often a worker is read in a second whenever there is something: who prints byte by byte wakes the host as often.
const READS_PER_SECOND: u32 = 1000;
/// How long a worker that prints too much is not read: short enough that one which waits for it is not held up for long,
/// and long enough that the host does not wake for each of its lines.
pub const REST: Duration = Duration::from_millis(10);

/// How a line ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LineEnd {
    /// With a newline.
    Newline,
    /// Not yet: it is longer than [`LINE_MAX`], and what follows is the next piece.
    TooLong,
    /// Without one: its writer has closed the stream or has died.
    Unfinished,
}

/// What there is to tell of the output of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A line, or a piece of a long one. Its text is one line, whatever was printed: what is no UTF-8 is replaced,
    /// control characters are escaped.
    Line {
        /// How it ended.
        end: LineEnd,
    },
    /// So many lines, or pieces, were left out: there were more than may be in a second.
    LeftOut {
        /// How many.
        lines: u64,
    },
}

/// The output of one worker.
#[derive(Debug)]
pub struct Output {
    /// By stream: what has come of the next line.
    lines: [Line; 2],
    rate: Rate,
}

impl Output {
    /// Nothing yet, of a worker that may print so many lines in a second.
    pub fn new(lines_per_second: u32) -> Self {
        let rate = Rate { lines_per_second, begun: None, lines: 0, reads: 0, left_out: 0 };
        Self { lines: Default::default(), rate }
    }

    /// The next thing to tell of `bytes`, which were read from `stream` at `now` and are used up by this; `None`
    /// when they are. What a line says is put into `text`.
    pub fn next(
        &mut self,
        now: Instant,
        stream: StdStream,
        bytes: &mut &[u8],
        text: &mut String,
    ) -> Option<Told> {
        if let Some(lines) = self.rate.owes(now) {
            return Some(Told::LeftOut { lines });
        }
        let line = &mut self.lines[stream.index()];
        loop {
            let end = line.next(bytes)?;
            if self.rate.allows(now) {
                make_readable(line.whole(end), text);
                return Some(Told::Line { end });
            }
        }
    }

    /// Nothing more comes from `stream`: the line that has no end, if there is one.
    pub fn end(&mut self, now: Instant, stream: StdStream, text: &mut String) -> Option<Told> {
        let line = core::mem::take(&mut self.lines[stream.index()]);
        let bytes = &line.bytes[line.whole..];
        if bytes.is_empty() || !self.rate.allows(now) {
            return None;
        }
        make_readable(bytes, text);
        Some(Told::Line { end: LineEnd::Unfinished })
    }

    /// What was left out of a second that is over at `now`, or, since the worker has ended, of any.
    pub fn left_out(&mut self, now: Instant, has_ended: bool) -> Option<Told> {
        let all = |rate: &mut Rate| (rate.left_out > 0).then(|| core::mem::take(&mut rate.left_out));
        let lines = if has_ended { all(&mut self.rate) } else { self.rate.owes(now) };
        lines.map(|lines| Told::LeftOut { lines })
    }

    /// It was read at `now`, whatever came. When to read again and to ask for what was [`left_out`](Self::left_out),
    /// if it prints too much to be read whenever there is something.
    pub fn rests_until(&mut self, now: Instant) -> Option<Instant> {
        self.rate.reads_too_often(now).then(|| now + REST)
    }
}

/// What has come of one line.
#[derive(Debug, Default)]
struct Line {
    /// At most [`LINE_MAX`] bytes, without the newline.
    bytes: Vec<u8>,
    /// So many of them are what was found last.
    whole: usize,
}

impl Line {
    /// Takes from `bytes` until a line is whole, or one piece of it; `None` if it needs more bytes.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<LineEnd> {
        self.forget_whole();
        let room = LINE_MAX - self.bytes.len();
        // One more: the newline of a line that just fits.
        let seen = &bytes[..bytes.len().min(room + 1)];
        let newline = seen.iter().position(|byte| *byte == b'\n');
        let taken = newline.unwrap_or_else(|| seen.len().min(room));
        self.bytes.extend_from_slice(&seen[..taken]);
        *bytes = &bytes[taken + usize::from(newline.is_some())..];
        if newline.is_some() {
            self.whole = self.bytes.len();
            Some(LineEnd::Newline)
        } else if bytes.is_empty() {
            None
        } else {
            self.whole = self.bytes.len() - begun_character(&self.bytes);
            Some(LineEnd::TooLong)
        }
    }

    /// What was found last.
    fn whole(&self, end: LineEnd) -> &[u8] {
        let whole = &self.bytes[..self.whole];
        // Some end their lines as terminals want it.
        whole.strip_suffix(b"\r").filter(|_| end == LineEnd::Newline).unwrap_or(whole)
    }

    fn forget_whole(&mut self) {
        self.bytes.drain(..core::mem::take(&mut self.whole));
    }
}

/// How many bytes at the end of `bytes` are the beginning of a character whose rest has not come.
fn begun_character(bytes: &[u8]) -> usize {
    let is_inner = |byte: &u8| byte & 0xc0 == 0x80;
    let inner = bytes.iter().rev().take(3).take_while(|byte| is_inner(byte)).count();
    let first = bytes.len().checked_sub(inner + 1).map_or(0, |place| bytes[place]);
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    if inner + 1 < length { inner + 1 } else { 0 }
}

/// Makes one line of text of what was printed, whatever that was; at most six times as long.
fn make_readable(bytes: &[u8], text: &mut String) {
    text.clear();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            // These two end lines as well, for some who read them.
            let ends_line = matches!(character, '\u{2028}' | '\u{2029}');
            if ends_line || character.is_control() && character != '\t' {
                text.extend(character.escape_debug());
            } else {
                text.push(character);
            }
        }
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// How many lines are told.
///
/// A second begins with its first line or read. What is above in it is left out to its end, so that one finds what was
/// printed in stretches, and not one line in a hundred.
#[derive(Debug)]
struct Rate {
    lines_per_second: u32,
    /// When the present second began.
    begun: Option<Instant>,
    /// How many lines were told in it.
    lines: u32,
    /// How many times it was read in it.
    reads: u32,
    /// How many lines were not told, and this was not told yet.
    left_out: u64,
}

const SECOND: Duration = Duration::from_secs(1);

impl Rate {
    /// Whether one more line may be told; counts it either way.
    fn allows(&mut self, now: Instant) -> bool {
        self.begin(now);
        let allows = self.lines < self.lines_per_second;
        self.lines += u32::from(allows);
        self.left_out += u64::from(!allows);
        allows
    }

    /// Whether there is more of it than may be, in lines or in reads; counts one read.
    fn reads_too_often(&mut self, now: Instant) -> bool {
        self.begin(now);
        self.reads = self.reads.saturating_add(1);
        self.left_out > 0 || self.reads > READS_PER_SECOND
    }

    /// Begins another second, if the last one is over.
    fn begin(&mut self, now: Instant) {
        if self.is_over(now) {
            (self.begun, self.lines, self.reads) = (Some(now), 0, 0);
        }
    }

    /// How many were left out of a second that is over.
    fn owes(&mut self, now: Instant) -> Option<u64> {
        (self.left_out > 0 && self.is_over(now)).then(|| core::mem::take(&mut self.left_out))
    }

    fn is_over(&self, now: Instant) -> bool {
        self.begun.is_none_or(|begun| now >= begun + SECOND)
    }
}

#[cfg(test)]
mod tests;
