//! What host and worker say to each other over their channel: a codec of pure bytes.
//!
//! One message is one packet; the channel keeps their bounds. The first byte says which. A packet that is
//! none of them is from another version or from a worker that scribbles: it is told, and nothing else.

use crate::fleet::lanes::Lanes;
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
    /// It was asked to quit, by whomever, and takes no more connections. Only told where its lanes wait for
    /// somebody else then.
    Leaves,
}

/// What a host tells a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FromHost {
    /// Look whether a listener has connections: a sibling that was woken for one has died or does not take it.
    Look,
    /// Mind these lanes, at least one, and no others. The last such message says it all: it may be said
    /// twice, and one before it may be lost.
    Mind(Lanes),
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

/// A message as long as this is none: whoever reads has room for it, so that no longer packet that was cut off
/// looks like a message.
pub const LENGTH_MAX: usize = 40;
const _: () = assert!(1 + Lanes::BYTES_MAX < LENGTH_MAX, "the longest message is shorter");

const LOOK: u8 = 1;
const MIND: u8 = 2;

impl FromWorker {
    const ALL: [Self; 5] = [Self::Ready, Self::ServedEnough, Self::Extended, Self::LeftWaiting, Self::Leaves];

    /// The message as a packet.
    pub fn encode(self) -> Vec<u8> {
        // Number 0 is nobody's: a packet of zeros is no message.
        [self as u8 + 1].into()
    }

    /// The message in a packet.
    ///
    /// # Errors
    /// If the packet is none.
    pub fn decode(packet: &[u8]) -> Result<Self, Garbled> {
        let known = match packet {
            [number] => usize::from(*number).checked_sub(1).and_then(|index| Self::ALL.get(index)),
            _ => None,
        };
        known.copied().ok_or_else(|| garbled(packet))
    }
}

impl FromHost {
    /// The message as a packet.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Look => [LOOK].into(),
            Self::Mind(lanes) => [&[MIND], &*lanes.bytes()].concat(),
        }
    }

    /// The message in a packet.
    ///
    /// # Errors
    /// If the packet is none.
    pub fn decode(packet: &[u8]) -> Result<Self, Garbled> {
        let known = match packet {
            [LOOK] => Some(Self::Look),
            [MIND, lanes @ ..] => Lanes::of_bytes(lanes).filter(|lanes| !lanes.is_empty()).map(Self::Mind),
            _ => None,
        };
        known.ok_or_else(|| garbled(packet))
    }
}

fn garbled(packet: &[u8]) -> Garbled {
    Garbled { first: packet.first().copied().unwrap_or(0), length: packet.len() as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::lanes::Lane;

    #[test]
    fn what_is_encoded_is_decoded() {
        for message in FromWorker::ALL {
            assert_eq!(FromWorker::decode(&message.encode()), Ok(message));
        }
        let minds = (1..=Lane::COUNT_MAX).map(|count| FromHost::Mind(Lanes::all(count)));
        for message in [FromHost::Look].into_iter().chain(minds) {
            let packet = message.encode();
            assert!(packet.len() < LENGTH_MAX);
            assert_eq!(FromHost::decode(&packet), Ok(message));
        }
        assert_eq!(FromHost::Mind(Lanes::all(3)).encode(), [2, 7]);
    }

    #[test]
    fn anything_else_is_garbled() {
        let expected = |packet: &[u8]| Garbled {
            first: packet.first().copied().unwrap_or(0),
            length: packet.len() as u32,
        };
        for packet in [&[][..], &[0], &[6], &[255], &[1, 1], &[0; 16]] {
            assert_eq!(FromWorker::decode(packet), Err(expected(packet)), "{packet:?}");
        }
        // No lanes, none in the last byte, more than there can be.
        for packet in [&[][..], &[0], &[3], &[1, 1], &[2], &[2, 0], &[2, 1, 0], &[2; 34], &[2; LENGTH_MAX]] {
            assert_eq!(FromHost::decode(packet), Err(expected(packet)), "{packet:?}");
        }
    }
}
