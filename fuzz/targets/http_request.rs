//! Bytes as a request, and as an answer: never a panic, and the same answer whatever portions they come in.

#![no_main]

use examples::http::{self, BODY_MAX, HEAD_MAX, Parsed};
use examples::reply::{self, REPLY_MAX};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    request(bytes);
    answer(bytes);
});

fn request(bytes: &[u8]) {
    let answer = http::parse(bytes);
    match answer {
        Ok(Parsed::Whole { request, length }) => {
            assert!(length <= bytes.len());
            assert!(request.body.len() <= BODY_MAX);
            assert_eq!(http::parse(&bytes[..length]), answer, "what follows is not looked at");
        }
        Ok(Parsed::Partial { .. }) => {
            assert!(bytes.len() < HEAD_MAX + BODY_MAX, "nobody need hold more than that");
        }
        Err(refusal) => assert!((400..600).contains(&refusal.status())),
    }
    // The first portion that is enough decides, and must decide the same.
    for end in portions(bytes) {
        match http::parse(&bytes[..end]) {
            Ok(Parsed::Partial { .. }) => {}
            decided => {
                assert_eq!(decided, answer, "decided after {end} bytes");
                return;
            }
        }
    }
}

fn answer(bytes: &[u8]) {
    let answer = reply::parse(bytes);
    match answer {
        Ok(Some(reply)) => assert!(reply.length <= bytes.len().min(REPLY_MAX)),
        Ok(None) => assert!(bytes.len() < REPLY_MAX, "nobody need hold more than that"),
        Err(_) => {}
    }
    for end in portions(bytes) {
        match reply::parse(&bytes[..end]) {
            Ok(None) => {}
            decided => {
                assert_eq!(decided, answer, "decided after {end} bytes");
                return;
            }
        }
    }
}

/// Where portions end: everywhere in what is short, and in some places of what is long.
fn portions(bytes: &[u8]) -> impl Iterator<Item = usize> {
    (0..=bytes.len()).step_by(1 + bytes.len() / 512)
}
