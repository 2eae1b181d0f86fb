//! What only a story needs to know of a run: kept beside the trace, not hashed.

use crate::kernel::{Index, Nanos};
use host_core::action::Action;
use host_core::event::Event;
use host_core::fleet::message::LENGTH_MAX;
use std::collections::BTreeMap;

/// What belongs to one entry of the trace beside its numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Aside {
    /// The fact that a host was told.
    Fact(Event),
    /// The order that it gave.
    Order(Action),
    /// Which connection was read or written.
    Stream(u32),
    /// What was written or read at one end of a channel; of more bytes than any message has, the first.
    Packet { channel: u32, side: u8, bytes: Vec<u8>, length: usize },
    /// Which channel was made.
    Channel(u32),
    /// What a forked process is called.
    Title(String),
    /// How long a fault lasts.
    Lasts(Nanos),
    /// Whom it strikes.
    Target(Index),
}

impl Aside {
    pub(crate) fn packet(channel: u32, side: u8, bytes: &[u8]) -> Self {
        let kept = &bytes[..bytes.len().min(LENGTH_MAX)];
        Self::Packet { channel, side, bytes: kept.to_vec(), length: bytes.len() }
    }
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    /// By the number of their entry; one may have several.
    pub(crate) asides: Vec<(u64, Aside)>,
    /// What services are called, by process and number.
    pub(crate) services: BTreeMap<(Index, u32), String>,
    /// Why clients ended early.
    pub(crate) endings: BTreeMap<Index, String>,
    /// When nothing was left of a process.
    pub(crate) gone: BTreeMap<Index, Nanos>,
}

impl Book {
    /// What belongs to entry `number`.
    pub(crate) fn of(&self, number: u64) -> &[(u64, Aside)] {
        let from = self.asides.partition_point(|(of, _)| *of < number);
        let count = self.asides[from..].iter().take_while(|(of, _)| *of == number).count();
        &self.asides[from..from + count]
    }
}
