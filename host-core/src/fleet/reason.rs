//! Why a body has failed, as a packet of the channel between worker and host.
//!
//! Text, and no fact: people are told, and nothing is decided by it. So it is no
//! [`FromWorker`](super::message::FromWorker), and stands in no recording.

use crate::escaped::Escaped;
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use core::fmt::Display;

/// The first byte, which no message has.
const REASON: u8 = 7;

/// What a longer reason ends with.
const CUT: &str = "…";

/// How many bytes of text there are at most; the rest of a reason is left out.
pub const REASON_MAX: usize = 512;

/// A reader that has this much room takes in any packet from a worker: the longest, and one byte by which what is longer
/// is seen.
pub const PACKET_MAX: usize = 1 + REASON_MAX + 1;
const _: () = assert!(super::message::LENGTH_MAX < PACKET_MAX, "a message is no longer than a reason");

/// This error as a packet: one line, control characters as they are written in source code.
pub fn encode(error: &dyn Display) -> Vec<u8> {
    let text = error.to_string();
    let mut line = format!("{}", Escaped(&text));
    if line.len() > REASON_MAX {
        line.truncate(line.floor_char_boundary(REASON_MAX - CUT.len()));
        line.push_str(CUT);
    }
    [&[REASON], line.as_bytes()].concat()
}

/// Whether a packet is one, as far as its beginning says.
pub fn is_one(packet: &[u8]) -> bool {
    packet.first() == Some(&REASON)
}

/// The line in a packet, if it is one.
pub fn decode(packet: &[u8]) -> Option<&str> {
    let [REASON, line @ ..] = packet else { return None };
    let line = core::str::from_utf8(line).ok()?;
    (line.len() <= REASON_MAX && !line.contains(char::is_control)).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::message::FromWorker;

    #[test]
    fn a_reason_is_one_line_that_comes_as_it_went() {
        let long = "é".repeat(400);
        let cut = format!("{}…", "é".repeat(254));
        let whole = "x".repeat(REASON_MAX);
        let longer = format!("{whole}x");
        let rows = [
            ("no database", "no database"),
            ("", ""),
            ("two\nlines\tand \u{1b}[31mred", "two\\nlines\\tand \\u{1b}[31mred"),
            (&*long, &*cut),
            (&*whole, &*whole),
            (&*longer, &*format!("{}…", "x".repeat(REASON_MAX - 3))),
        ];
        for (error, expected) in rows {
            let packet = encode(&error);
            assert_eq!(decode(&packet), Some(expected));
            assert!(packet.len() < PACKET_MAX);
            assert!(FromWorker::decode(&packet).is_err(), "it is no message");
        }
    }

    #[test]
    fn what_no_host_may_print_is_none() {
        let long = [&[REASON][..], &[b'x'; REASON_MAX + 1]].concat();
        for packet in [&[][..], &[1], &[7, 0xff], b"\x07two\nlines", b"\x08text", &long] {
            assert_eq!(decode(packet), None, "{packet:?}");
        }
    }
}
