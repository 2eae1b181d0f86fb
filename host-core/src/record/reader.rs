//! From frames to facts.

use super::bytes::{In, Wrong, checksum};
use super::wire::{Numbered, Wire};
use super::writer::{BEGIN, END, FRAME_HEAD, LATER, ORDER};
use super::{Begin, End, MAGIC, Text, VERSION};
use crate::action::Action;
use crate::event::Event;
use crate::time::Instant;

/// No writer makes a longer frame: the settings of four thousand fleets and the beats of as many workers as there
/// can be need a tenth of it.
pub(super) const PAYLOAD_MAX: usize = 16 << 20;

/// One entry of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The host was told this fact at this moment.
    Event(Instant, Event),
    /// It gave this order; the orders that a fact brought about follow it.
    Action(Action),
    /// Nothing follows.
    End(End),
}

/// Why a recording cannot be read, or not further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The file is something else.
    #[error("this is no recording: it begins with `{found}`, but must begin with `{}`", MAGIC.escape_ascii())]
    NoRecording {
        /// Its first bytes.
        found: alloc::string::String,
    },
    /// It is of another version.
    #[error("the recording is of version {found} of the format, but this reads version {VERSION}")]
    Version {
        /// The version of the file.
        found: u16,
    },
    /// Its head or its first frame is not whole: the host was killed before it began.
    #[error("the recording has no beginning: it has {length} bytes, and its first frame is not whole")]
    NoBeginning {
        /// How long it is.
        length: usize,
    },
    /// A frame is not what was written.
    #[error(
        "the frame at byte {offset} was changed: its checksum is {found:016x}, but must be {wanted:016x}"
    )]
    Changed {
        /// Where it begins.
        offset: usize,
        /// The checksum of what is there.
        found: u64,
        /// That of what was written.
        wanted: u64,
    },
    /// A frame is longer than any.
    #[error(
        "the frame at byte {offset} was changed: it has {found} bytes, but must have at most {PAYLOAD_MAX}"
    )]
    TooLong {
        /// Where it begins.
        offset: usize,
        /// Its length.
        found: usize,
    },
    /// An entry makes no sense, although it is as it was written.
    #[error("the entry at byte {offset} cannot be read: {wrong}")]
    Entry {
        /// Where it begins.
        offset: usize,
        /// What is wrong.
        wrong: Wrong,
    },
    /// The settings are none that a host can have.
    #[error("the settings in the recording are wrong: {mistake}")]
    Config {
        /// The first mistake.
        mistake: crate::error::Mistake,
    },
}

/// Reads a recording that lies in memory.
///
/// A tail that is not whole is no error: the host was killed while it wrote, or still writes. [`torn`](Self::torn)
/// tells how long it is.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: Text,
    begin: Begin,
    all: &'a [u8],
    /// What is left of the present frame.
    frame: In<'a>,
    /// Where the next frame begins.
    next: usize,
    at: Instant,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Reads up to the settings.
    ///
    /// # Errors
    /// If this is no recording, or none of this version, or one without a beginning.
    pub fn new(all: &'a [u8]) -> Result<Self, ReadError> {
        let head = MAGIC.len() + 4;
        let seen = &all[..all.len().min(MAGIC.len())];
        if !MAGIC.starts_with(seen) {
            let found = alloc::string::ToString::to_string(&seen.escape_ascii());
            return Err(ReadError::NoRecording { found });
        }
        let no_beginning = ReadError::NoBeginning { length: all.len() };
        let Some([v0, v1, t0, t1]) = all.get(MAGIC.len()..head) else { return Err(no_beginning) };
        let version = u16::from_le_bytes([*v0, *v1]);
        if version != VERSION {
            return Err(ReadError::Version { found: version });
        }
        let wrong = |offset, wrong| ReadError::Entry { offset, wrong };
        let text = match u16::from_le_bytes([*t0, *t1]) {
            0 => Text::Hashed,
            1 => Text::Kept,
            found => {
                let found = found.into();
                return Err(wrong(MAGIC.len() + 2, Wrong::Number { wanted: "treatment of text", found }));
            }
        };
        let Some((mut frame, next)) = frame(all, head)? else { return Err(no_beginning) };
        let offset = head + FRAME_HEAD;
        let begin = frame.byte("entry").and_then(|mark| match mark {
            BEGIN => Begin::take(&mut frame),
            found => Err(Wrong::Number { wanted: "beginning", found: found.into() }),
        });
        let begin = begin.map_err(|error| wrong(offset, error))?;
        if let Some(mistake) = begin.config.mistakes().into_iter().next() {
            return Err(ReadError::Config { mistake });
        }
        Ok(Self { text, begin, all, frame, next, at: Instant::ZERO, ended: false })
    }

    /// Which host it is.
    pub const fn begin(&self) -> &Begin {
        &self.begin
    }

    /// What became of text.
    pub const fn text(&self) -> Text {
        self.text
    }

    /// The next entry; `None` after the last whole one.
    ///
    /// # Errors
    /// If what is there was changed or makes no sense; nothing can be read after that.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        while self.frame.0.is_empty() {
            match frame(self.all, self.next) {
                Ok(Some((frame, next))) => (self.frame, self.next) = (frame, next),
                Ok(None) => {
                    self.ended = true;
                    return Ok(None);
                }
                Err(error) => {
                    self.ended = true;
                    return Err(error);
                }
            }
        }
        let offset = self.next - self.frame.0.len();
        self.entry().map(Some).map_err(|wrong| {
            self.ended = true;
            ReadError::Entry { offset, wrong }
        })
    }

    /// How many bytes at the end are no whole frame; known once the last entry was read.
    pub const fn torn(&self) -> usize {
        self.all.len() - self.next
    }

    fn entry(&mut self) -> Result<Entry, Wrong> {
        let mut first = self.frame.byte("entry")?;
        if first == LATER {
            let later = self.frame.number("moment")?;
            // No time at all is not told.
            let at = self.at.as_nanos().checked_add(later).filter(|_| later > 0);
            self.at = at.map(Instant::from_nanos).ok_or(Wrong::Number { wanted: "moment", found: later })?;
            first = self.frame.byte("entry")?;
            if first >= ORDER {
                return Err(Wrong::Number { wanted: "event", found: first.into() });
            }
        }
        match first {
            END => {
                self.ended = true;
                End::take(&mut self.frame).map(Entry::End)
            }
            ORDER..BEGIN => Action::take_numbered(first & !ORDER, &mut self.frame).map(Entry::Action),
            number => Event::take_numbered(number, &mut self.frame).map(|event| Entry::Event(self.at, event)),
        }
    }
}

/// The payload of the frame that begins at `offset`, and where the next one begins; `None` if it is not whole.
fn frame(all: &[u8], offset: usize) -> Result<Option<(In<'_>, usize)>, ReadError> {
    let Some((length, rest)) = all[offset..].split_first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if length > PAYLOAD_MAX {
        return Err(ReadError::TooLong { offset, found: length });
    }
    let Some((wanted, rest)) = rest.split_first_chunk::<8>() else { return Ok(None) };
    let Some(payload) = rest.get(..length) else { return Ok(None) };
    let (wanted, found) = (u64::from_le_bytes(*wanted), checksum(payload));
    if found != wanted {
        return Err(ReadError::Changed { offset, found, wanted });
    }
    Ok(Some((In(payload), offset + FRAME_HEAD + length)))
}
