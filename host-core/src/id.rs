//! The names of things: small, ordered, never reused for something else.

use core::fmt;

/// A hosted service: 0..n, dense, in order of addition. Never reused within one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId(u32);

impl ServiceId {
    /// The service added as number `index` (0-based).
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// Its place in order of addition, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The same number as it is packed into a heartbeat word.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}", self.0)
    }
}

/// One open socket of one service.
///
/// The index is a seat that is reused; the generation is the nth socket to sit there. So a report of
/// readiness that arrives after the socket was closed names nobody and is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(
    /// The generation above the index, in one word: it is compared in every author's map of sockets, and is
    /// the poller's key.
    u64,
);

impl SocketId {
    /// The `generation`th socket in seat `index`.
    pub const fn new(index: u32, generation: u32) -> Self {
        Self((generation as u64) << 32 | index as u64)
    }

    /// The seat, as an index into a `Vec`.
    pub const fn index(self) -> usize {
        self.0 as u32 as usize
    }

    /// How many sockets sat here before.
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// The id as a poller key.
    pub const fn key(self) -> u64 {
        self.0
    }

    /// The id that [`key`](Self::key) was made from.
    pub const fn from_key(key: u64) -> Self {
        Self(key)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "socket {}.{}", self.index(), self.generation())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_id_survives_the_poller_key() {
        for (index, generation) in [(0, 0), (1, 0), (0, 1), (u32::MAX, 7), (7, u32::MAX)] {
            let id = SocketId::new(index, generation);
            assert_eq!(SocketId::from_key(id.key()), id);
            assert_eq!((id.index(), id.generation()), (index as usize, generation));
        }
    }
}
