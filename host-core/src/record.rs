//! Recordings: the facts that a host was told and the orders that it gave, as bytes.
//!
//! What it is: a format, and pure code from facts to bytes and back. A [`Reader`](reader::Reader) gives what a
//! [`Writer`](writer::Writer) took; whoever tells those facts to a fresh [`Host`](crate::host::Host) has the
//! same host again. What it is not: access to files. The driver writes through
//! [`Sys::record_write`](crate::sys::Sys::record_write).
//!
//! There is nothing in it of what clients send: facts hold numbers, moments and how calls ended. What text there is
//! – a path – stands there as its length and a hash, unless [`Recording::keep_text`] was asked for. The names
//! that the author gave, of the application, of fleets, and of what their workers may do, are kept: people read them.
//!
//! # The format
//!
//! ```text
//! file    = magic "hostrec\n", version (u16), text (u16: 0 hashed, 1 kept), frame*
//! frame   = length of the payload (u32), checksum (u64), payload
//! payload = entry*
//! entry   = 0x01..0x7e an event, by its number         0x81..0xbf an order, by its number | 0x80
//!         | 0xc0 begin: the recording is of this host   0xc1 so much later than the moment before
//!         | 0xc2 end: nothing follows, and why
//! ```
//!
//! Numbers of fixed width are little-endian, all others are as short as they can be (LEB128). A frame is written in
//! one piece, so that a host that is killed leaves whole frames and at most one torn one; the checksum finds what
//! a disk has changed.
//!
//! Each variant has a number of its own in the tables of `facts`, `orders`, `settings` and `values`. They are
//! append-only: a new variant takes the next number, and one that is gone takes its number with it. The compiler
//! tells of a variant or a field that a table leaves out. A field more in an old variant makes another
//! [`VERSION`].

pub mod reader;
pub mod writer;

mod bytes;
mod facts;
mod orders;
mod settings;
#[cfg(test)]
mod tests;
mod values;
mod wire;

pub use bytes::Wrong;

use crate::config::HostConfig;
use crate::error::Mistake;
use crate::sys::{Errno, Pid};
use crate::time::WallTime;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The first bytes of each recording.
pub const MAGIC: &[u8; 8] = b"hostrec\n";

/// The version of the format that is written here, and the only one that is read.
pub const VERSION: u16 = 2;

/// What becomes of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Text {
    /// Its length and a hash. The default. Who guesses the text can tell that the guess is right.
    #[default]
    Hashed,
    /// It stands there as it is.
    Kept,
}

/// Where a host is recorded, and how: for [`App::record`](crate::App::record).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    pub(crate) path: String,
    pub(crate) text: Text,
    pub(crate) size_max: u64,
}

impl Recording {
    /// How large a recording becomes by default: 256 MiB, some ten million calls of services, or years of a prefork
    /// host.
    pub const SIZE_MAX: u64 = 256 << 20;

    /// A recording in the file at `path`. What another host has recorded there is kept beside it, as `path` and
    /// `.1`.
    pub fn to(path: impl Into<String>) -> Self {
        Self { path: path.into(), text: Text::Hashed, size_max: Self::SIZE_MAX }
    }

    /// Keeps text as it is. By default its length and a hash stand in its place.
    #[must_use]
    pub fn keep_text(mut self) -> Self {
        self.text = Text::Kept;
        self
    }

    /// The recording ends when it has so many bytes; the host goes on. Default [`Self::SIZE_MAX`].
    ///
    /// There is no rotation: a host is replayed from its beginning, or not at all.
    #[must_use]
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = bytes;
        self
    }

    /// The path of the file.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong with it.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.path.is_empty() || self.path.contains('\0') {
            mistakes.push(Mistake {
                field: "record".into(),
                found: format!("`{}`", self.path.escape_debug()),
                wanted: "must be the path of a file".into(),
            });
        }
        if self.size_max == 0 {
            let wanted = "must be at least 1".to_string();
            mistakes.push(Mistake { field: "size_max of record".into(), found: "0".into(), wanted });
        }
        mistakes
    }
}

impl From<&str> for Recording {
    fn from(path: &str) -> Self {
        Self::to(path)
    }
}

impl From<String> for Recording {
    fn from(path: String) -> Self {
        Self::to(path)
    }
}

/// Which host a recording is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begin {
    /// Its settings, the seed among them.
    pub config: HostConfig,
    /// What the application is called.
    pub app: String,
    /// The version of this crate that took the decisions.
    pub version: String,
    /// The number of the process.
    pub pid: Pid,
    /// When it began, as a wall shows it.
    pub wall: WallTime,
}

/// Why a recording ends before its host does not, or with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The host ended.
    Host,
    /// It has reached its size.
    Size,
}

/// How a recording is going: for [`Context::recording`](crate::Context::recording).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordingStatus {
    /// How many facts stand in it, those included that wait in the buffer.
    pub facts: u64,
    /// How many bytes were written.
    pub bytes: u64,
    /// How many facts were left out because it has stopped.
    pub left_out: u64,
    /// What the system answered, if it stopped for that.
    pub failed: Option<Errno>,
}
