//! What host and worker say to each other over their channel: a codec of pure bytes.
//!
//! One message is one packet; the channel keeps their bounds. The first byte says which. A packet that is
//! none of them is from another version or from a worker that scribbles: it is told, and nothing else.

use alloc::vec::Vec;

/// What a worker tells its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FromWorker {
    /// It can serve.
    Ready,
    /// It has served its number of requests and asks to be replaced.
    ServedEnough,
    /// It asked for more time for one long piece of work.
    Extended,
    /// It was woken for a connection to a listener that it shares with others, and does not take it: somebody else
    /// has to look.
    LeftWaiting,
}

/// What a host tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FromHost {
    /// Look whether a listener has connections: a sibling that was woken for one has died or does not take it.
    Look,
}

/// Bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{length} bytes that begin with {first} are no message")]
pub struct Garbled {
    /// The first byte.
    pub first: u8,
    /// How many there were.
    pub length: u32,
}

/// A message longer than this is none.
pub const LENGTH_MAX: usize = 16;

impl FromWorker {
    const ALL: [Self; 4] = [Self::Ready, Self::ServedEnough, Self::Extended, Self::LeftWaiting];

    /// The message as a packet.
    pub fn encode(self) -> Vec<u8> {
        [self as u8 + 1].into()
    }

    /// The message in a packet.
    ///
    /// # Errors
    /// If the packet is none.
    pub fn decode(packet: &[u8]) -> Result<Self, Garbled> {
        decode(&Self::ALL, packet)
    }
}

impl FromHost {
    const ALL: [Self; 1] = [Self::Look];

    /// The message as a packet.
    pub fn encode(self) -> Vec<u8> {
        [self as u8 + 1].into()
    }

    /// The message in a packet.
    ///
    /// # Errors
    /// If the packet is none.
    pub fn decode(packet: &[u8]) -> Result<Self, Garbled> {
        decode(&Self::ALL, packet)
    }
}

/// Number 0 is nobody's: a packet of zeros is no message.
fn decode<T: Copy>(all: &[T], packet: &[u8]) -> Result<T, Garbled> {
    let first = packet.first().copied().unwrap_or(0);
    let known = usize::from(first).checked_sub(1).and_then(|index| all.get(index));
    let garbled = Garbled { first, length: packet.len() as u32 };
    if packet.len() == 1 { known.copied().ok_or(garbled) } else { Err(garbled) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for message in FromWorker::ALL {
            assert_eq!(FromWorker::decode(&message.encode()), Ok(message));
        }
        for message in FromHost::ALL {
            assert_eq!(FromHost::decode(&message.encode()), Ok(message));
        }
    }

    #[test]
    fn anything_else_is_garbled() {
        for packet in [&[][..], &[0], &[5], &[255], &[1, 1], &[0; 16]] {
            let expected =
                Garbled { first: packet.first().copied().unwrap_or(0), length: packet.len() as u32 };
            assert_eq!(FromWorker::decode(packet), Err(expected), "{packet:?}");
        }
    }
}
