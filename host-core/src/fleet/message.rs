//! What host and worker say to each other over their channel: a codec of pure bytes.
//!
//! One message is one packet; the channel keeps their bounds. The first byte says which. A packet that is
//! none of them is from another version or from a worker that scribbles: it is told, and nothing else.

use crate::fleet::lanes::Lanes;
use crate::sys::ConfineError;
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
    /// It could not confine itself as its fleet says, and ends: none of its user code has run.
    Unconfined(ConfineError),
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

// Number 0 is nobody's: a packet of zeros is no message.
const READY: u8 = 1;
const SERVED_ENOUGH: u8 = 2;
const EXTENDED: u8 = 3;
const LEFT_WAITING: u8 = 4;
const LEAVES: u8 = 5;
const UNCONFINED: u8 = 6;

const LOOK: u8 = 1;
const MIND: u8 = 2;

impl FromWorker {
    /// The message as a packet.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Self::Ready => [READY].into(),
            Self::ServedEnough => [SERVED_ENOUGH].into(),
            Self::Extended => [EXTENDED].into(),
            Self::LeftWaiting => [LEFT_WAITING].into(),
            Self::Leaves => [LEAVES].into(),
            Self::Unconfined(error) => [&[UNCONFINED], &error.bytes()[..]].concat(),
        }
    }

    /// The message in a packet.
    ///
    /// # Errors
    /// If the packet is none.
    pub fn decode(packet: &[u8]) -> Result<Self, Garbled> {
        let known = match packet {
            [READY] => Some(Self::Ready),
            [SERVED_ENOUGH] => Some(Self::ServedEnough),
            [EXTENDED] => Some(Self::Extended),
            [LEFT_WAITING] => Some(Self::LeftWaiting),
            [LEAVES] => Some(Self::Leaves),
            [UNCONFINED, error @ ..] => ConfineError::of_bytes(error).map(Self::Unconfined),
            _ => None,
        };
        known.ok_or_else(|| garbled(packet))
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
    use crate::sys::{Errno, Limit, Step};

    #[test]
    fn what_is_encoded_is_decoded() {
        let unconfined = [Step::User, Step::Limit(Limit::Core)]
            .map(|step| FromWorker::Unconfined(ConfineError { step, errno: Errno::PERM }));
        let short = [
            FromWorker::Ready,
            FromWorker::ServedEnough,
            FromWorker::Extended,
            FromWorker::LeftWaiting,
            FromWorker::Leaves,
        ];
        for message in short.into_iter().chain(unconfined) {
            assert!(message.encode().len() < LENGTH_MAX);
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
        for packet in [&[][..], &[0], &[6], &[7], &[255], &[1, 1], &[6, 99, 1, 0, 0, 0], &[0; 16]] {
            assert_eq!(FromWorker::decode(packet), Err(expected(packet)), "{packet:?}");
        }
        // No lanes, none in the last byte, more than there can be.
        for packet in [&[][..], &[0], &[3], &[1, 1], &[2], &[2, 0], &[2, 1, 0], &[2; 34], &[2; LENGTH_MAX]] {
            assert_eq!(FromHost::decode(packet), Err(expected(packet)), "{packet:?}");
        }
    }
}
