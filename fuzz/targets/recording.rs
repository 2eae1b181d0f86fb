//! Bytes as a recording: never a panic, never more memory than some hundred times their length; what can be read is
//! written again as it came. And as the payload of a frame whose checksum is right, since chance finds none.

#![no_main]

use host_core::config::HostConfig;
use host_core::record::reader::{Entry, Reader};
use host_core::record::writer::{Writer, framed};
use host_core::record::{Begin, Text};
use host_core::sys::Pid;
use host_core::time::WallTime;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // As it is.
    if let Ok(mut reader) = Reader::new(bytes) {
        while let Ok(Some(_)) = reader.next_entry() {}
    }
    // As the first frame: settings of every kind.
    let head = head();
    let mut file = head[..12].to_vec();
    file.extend_from_slice(&framed(bytes));
    if let Ok(mut reader) = Reader::new(&file) {
        while let Ok(Some(_)) = reader.next_entry() {}
    }
    // As the second: facts and orders.
    let mut file = head;
    file.extend_from_slice(&framed(bytes));
    let mut reader = Reader::new(&file).expect("the first frame is as it was written");
    let mut writer = Writer::new(Text::Kept, reader.begin());
    writer.frame();
    writer.written();
    while let Ok(Some(entry)) = reader.next_entry() {
        match entry {
            Entry::Event(at, event) => writer.event(at, &event),
            Entry::Action(action) => writer.action(&action),
            Entry::End(end) => writer.end(end),
        }
    }
    // What is empty is no frame.
    let payload = writer.frame().get(framed(&[]).len()..).unwrap_or_default();
    assert!(bytes.starts_with(payload), "what was read is written as it came");
});

fn head() -> Vec<u8> {
    let begin = Begin {
        config: HostConfig::default(),
        app: "fuzz".into(),
        version: String::new(),
        pid: Pid(1),
        wall: WallTime(0),
    };
    Writer::new(Text::Kept, &begin).frame().to_vec()
}
