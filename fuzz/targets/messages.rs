//! Bytes as a packet of the channel between host and worker: never a panic; a message is one packet and no
//! other; what is none is told as it was.

#![no_main]

use host_core::fleet::message::{FromHost, FromWorker, Garbled, LENGTH_MAX};
use host_core::fleet::reason;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|packet: &[u8]| {
    check(packet, FromWorker::decode(packet).map(FromWorker::encode));
    check(packet, FromHost::decode(packet).map(FromHost::encode));
    if let Some(reason) = reason::decode(packet) {
        assert_eq!(reason::encode(&reason), packet, "what was decoded is encoded as it came");
        assert!(packet.len() < reason::PACKET_MAX && FromWorker::decode(packet).is_err());
    }
});

fn check(packet: &[u8], answer: Result<Vec<u8>, Garbled>) {
    match answer {
        Ok(again) => {
            assert_eq!(again, packet, "what was decoded is encoded as it came");
            // A reader has no room for more, and a packet of no bytes would look like the end.
            assert!((1..=LENGTH_MAX).contains(&packet.len()));
        }
        Err(Garbled { first, length }) => {
            assert_eq!(first, packet.first().copied().unwrap_or(0));
            assert_eq!(length as usize, packet.len());
        }
    }
}
