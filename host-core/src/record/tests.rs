//! What is written is read again, and nothing else is; and the numbers of the format stay what they are.

use super::bytes::{In, Out, Wrong};
use super::reader::{Entry, PAYLOAD_MAX, ReadError, Reader};
use super::wire::Wire;
use super::writer::{FRAME, LATER, Writer, framed};
use super::{Begin, End, Text};
use crate::action::{Action, Ending};
use crate::config::HostConfig;
use crate::event::{Activity, Event, Outcome};
use crate::fleet::beat::{Beat, Pace};
use crate::fleet::config::{FleetConfig, Restart};
use crate::fleet::message::{FromWorker, Garbled};
use crate::fleet::notice::FleetNotice;
use crate::fleet::privileges::Privileges;
use crate::id::{FleetId, ServiceId, Slot, SocketId, WorkerId};
use crate::notice::Notice;
use crate::service::kick::Callback;
use crate::service::reconnect::{OnConnectError, Reconnect};
use crate::sys::{
    ConfineError, Errno, ExitStatus, ForkError, Interest, Limit, Pid, Readiness, Signal, SlotReading, Step,
    UnixPath,
};
use crate::time::{Duration, Instant, WallTime};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

const SERVICE: ServiceId = ServiceId::new(3);
const SOCKET: SocketId = SocketId::new(5, 300);
const FLEET: FleetId = FleetId::new(1);
const WORKER: WorkerId = WorkerId { fleet: FLEET, slot: Slot::new(200), incarnation: 9 };

fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Each kind of fact as it stands in a recording.
fn facts() -> Vec<(Event, &'static str)> {
    let beat = Beat { at: at(1_000_000), pace: Pace::Busy };
    let reading =
        SlotReading { beat: Some(beat), extended_until: Some(at(2)), requests: 130, connections: 3 };
    let ms = Duration::from_millis;
    vec![
        (Event::Started { turns_max: Some(5) }, "01 01 05"),
        (
            Event::Added {
                service: SERVICE,
                reconnect: Reconnect::backoff(ms(1), ms(2000)),
                on_connect_error: OnConnectError::Retry,
            },
            "02 03 02 00 c0 84 3d 02 00 02",
        ),
        (Event::Opened { socket: SOCKET, service: SERVICE, interest: Interest::READ }, "03 05 ac 02 03 01"),
        (
            Event::InterestChanged { socket: SOCKET, interest: Interest::READ | Interest::WRITE },
            "04 05 ac 02 03",
        ),
        (Event::Closed { socket: SOCKET }, "05 05 ac 02"),
        (Event::WakeAsked { service: SERVICE, at: None }, "06 03 00"),
        (Event::ReconnectAsked { service: SERVICE, failed: true }, "07 03 01"),
        (
            Event::Returned {
                service: SERVICE,
                callback: Callback::Receive,
                outcome: Outcome::Done(Activity::Starved),
            },
            "08 03 03 01 03",
        ),
        (
            Event::Ready {
                socket: SOCKET,
                readiness: Readiness { readable: true, writable: false, ended: true },
            },
            "09 05 ac 02 05",
        ),
        (Event::WatchFailed { socket: SOCKET, errno: Errno::NOSPC }, "0a 05 ac 02 1c"),
        (Event::SystemFailed { call: "epoll_wait", errno: Errno::from_raw(-1) }, "0b 01 ff ff ff ff 0f"),
        (Event::Signalled(Signal::Winch), "0c 1c"),
        (Event::StopAsked, "0d"),
        (Event::DrainAsked, "0e"),
        (Event::Spawned { worker: WORKER, pid: Pid(7) }, "0f 01 c8 01 09 07"),
        (
            Event::SpawnFailed {
                worker: WORKER,
                error: ForkError::System { call: "fork", errno: Errno::AGAIN },
            },
            "10 01 c8 01 09 02 07 0b",
        ),
        (Event::WorkerSaid { worker: WORKER, message: Ok(FromWorker::LeftWaiting) }, "11 01 c8 01 09 01 04"),
        (
            Event::WorkerSaid {
                worker: WORKER,
                message: Ok(FromWorker::Unconfined(ConfineError {
                    step: Step::Limit(Limit::Stack),
                    errno: Errno::PERM,
                })),
            },
            "11 01 c8 01 09 01 06 01 05 01",
        ),
        (
            Event::WorkerSaid { worker: WORKER, message: Err(Garbled { first: 255, length: 2 }) },
            "11 01 c8 01 09 00 ff 02",
        ),
        (
            Event::WorkerExited { worker: WORKER, status: ExitStatus::by(Signal::Kill) },
            "12 01 c8 01 09 02 09 00",
        ),
        (
            Event::SignalFailed { worker: WORKER, signal: Signal::Term, errno: Errno::SRCH },
            "13 01 c8 01 09 0f 03",
        ),
        (
            Event::Beats { fleet: FLEET, readings: vec![(WORKER, reading)] },
            "14 01 01 01 c8 01 09 01 c0 84 3d 02 01 02 82 01 03",
        ),
        (Event::ChildStopped { pid: Pid(7) }, "15 07"),
        (Event::ChildContinued { pid: Pid(7) }, "16 07"),
        (Event::StrangerReaped { pid: Pid(7) }, "17 07"),
        (Event::ResizeAsked { fleet: FLEET, workers: 8 }, "18 01 08"),
        (Event::RestoreAsked { fleet: FLEET }, "19 01"),
        (Event::Tick, "1a"),
        (Event::MindFailed { worker: WORKER }, "1b 01 c8 01 09"),
        (Event::StartAbandoned { fleet: FLEET }, "1c 01"),
        (
            Event::Memory { fleet: FLEET, readings: vec![(WORKER, Ok(130)), (WORKER, Err(Errno::MFILE))] },
            "1d 01 02 01 c8 01 09 01 82 01 01 c8 01 09 00 18",
        ),
        (Event::ScaleAnswered { fleet: FLEET, workers: 8 }, "1e 01 08"),
        (Event::ExitJudged { worker: WORKER, restart: Restart::Never }, "1f 01 c8 01 09 03"),
    ]
}

/// How many numbers of facts and of orders are given out.
const FACTS: u8 = 31;
const ORDERS: u8 = 22;

fn bytes(value: &impl Wire) -> Vec<u8> {
    let mut out = Out::new(Text::Kept);
    value.put(&mut out);
    out.bytes
}

/// The value, if these are the bytes of one and of nothing else.
fn value<T: Wire>(bytes: &[u8]) -> Result<T, Wrong> {
    let mut input = In(bytes);
    let value = T::take(&mut input)?;
    if input.0.is_empty() { Ok(value) } else { Err(Wrong::Ends("test")) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_fact_has_the_bytes_that_it_has_always_had() {
    for (event, expected) in facts() {
        assert_eq!(hex(&bytes(&event)), expected, "{event:?}");
        assert_eq!(value::<Event>(&bytes(&event)), Ok(event));
    }
    let mut numbers: Vec<_> = facts().iter().map(|(event, _)| bytes(event)[0]).collect();
    numbers.dedup();
    assert_eq!(numbers, (1..=FACTS).collect::<Vec<_>>(), "each kind of fact stands in the table");
}

#[test]
fn numbers_that_nobody_has_are_told_with_what_was_wanted() {
    let [event, action] = [format!("{} is no Event", FACTS + 1), format!("{} is no Action", ORDERS + 1)];
    for (found, wanted) in [
        (value::<Event>(&[FACTS + 1]).map(drop), &*event),
        (value::<Event>(&[0]).map(drop), "0 is no Event"),
        (value::<Action>(&[ORDERS + 1]).map(drop), &*action),
        (value::<Signal>(&[4]).map(drop), "4 is no signal"),
        (value::<bool>(&[2]).map(drop), "2 is no yes or no"),
        (value::<Interest>(&[4]).map(drop), "4 is no interest"),
        (value::<&'static str>(&[99]).map(drop), "99 is no call"),
        (value::<u16>(&[0x80, 0x80, 4]).map(drop), "65536 is no u16"),
        (value::<Duration>(&[0, 0x80, 0x94, 0xeb, 0xdc, 3]).map(drop), "1000000000 is no part of a second"),
        (value::<UnixPath>(&[1, 0]).map(drop), "the bytes of a path are no text that it can have"),
        (value::<Event>(&[12]).map(drop), "it ends in the midst of signal"),
        (value::<Vec<u64>>(&[3, 1, 1]).map(drop), "it ends in the midst of list"),
    ] {
        assert_eq!(found.unwrap_err().to_string(), wanted);
    }
}

#[test]
fn a_call_that_has_no_number_is_another_call() {
    let event = Event::SystemFailed { call: "a call that nobody makes", errno: Errno::IO };
    let other = Event::SystemFailed { call: "another call", errno: Errno::IO };
    assert_eq!(value(&bytes(&event)), Ok(other.clone()));
    assert_eq!(bytes(&event), bytes(&other), "an order that repeats it is the same order");
}

/// Small numbers, mostly, so that many of them are numbers of something.
fn small_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => 0..4u8, 2 => 0..32u8, 1 => any::<u8>()];
    proptest::collection::vec(byte, 0..48)
}

/// Whatever can be read is written as it came: so no two values have the same bytes, and no value has two forms.
fn written_as_read<T: Wire>(number: u8, rest: &[u8]) -> bool {
    let all = [&[number], rest].concat();
    let mut input = In(&all);
    let Ok(value) = T::take(&mut input) else { return false };
    let mut out = Out::new(Text::Kept);
    value.put(&mut out);
    assert_eq!(out.bytes, all[..all.len() - input.0.len()]);
    true
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_can_be_read_is_written_as_it_came(rest in small_bytes()) {
        for number in 0..=FACTS {
            written_as_read::<Event>(number, &rest);
        }
        for number in 0..=ORDERS {
            written_as_read::<Action>(number, &rest);
        }
    }
}

#[test]
fn every_number_is_reached_by_the_property_above() {
    let mut random = crate::random::Random::new(1);
    let mut reached = [0; 2];
    for (kind, count) in [FACTS, ORDERS].into_iter().enumerate() {
        for number in 1..=count {
            let found = (0..100_000).any(|_| {
                let rest: Vec<_> = (0..48).map(|_| random.below(4) as u8).collect();
                if kind == 0 {
                    written_as_read::<Event>(number, &rest)
                } else {
                    written_as_read::<Action>(number, &rest)
                }
            });
            reached[kind] += u8::from(found);
        }
    }
    assert_eq!(reached, [FACTS, ORDERS]);
}

// Whole recordings.

fn begin() -> Begin {
    let mut config = HostConfig { seed: 77, ..HostConfig::default() };
    let privileges = Privileges {
        user: Some("nobody".into()),
        group: Some(7.into()),
        supplementary_groups: Some(["audio".into(), 8.into()].into()),
        umask: Some(0o27),
        working_directory: Some("/w".into()),
        chroot: Some("/r".into()),
        limits: Limit::ALL.iter().map(|limit| (*limit, u64::MAX)).collect(),
        nice: Some(-20),
        no_new_privs: true,
    };
    config.fleets.push(FleetConfig { workers: Some(2), privileges, ..FleetConfig::new("echo") });
    Begin { config, app: "test".into(), version: "0.1.0".into(), pid: Pid(42), wall: WallTime(-7) }
}

fn orders() -> Vec<Action> {
    let path = UnixPath::new("/run/secret.sock").unwrap();
    vec![
        Action::Tell { service: None, notice: Notice::ListeningAt { path } },
        Action::TellFleet { fleet: FLEET, notice: FleetNotice::Starting { workers: 2 } },
        Action::Finish(Ending::SystemFailed { call: "waitid", errno: Errno::CHILD }),
    ]
}

/// Every fact, one a millisecond, with every order after it; in frames of this many facts.
fn recording(text: Text, each: usize) -> (Vec<u8>, Vec<Entry>) {
    let mut writer = Writer::new(text, &begin());
    let (mut file, mut entries) = (writer.frame().to_vec(), Vec::new());
    writer.written();
    for (number, (event, _)) in (1..).zip(facts()) {
        // Two at each moment.
        let moment = at(number / 2 * 1_000_000);
        writer.event(moment, &event);
        entries.push(Entry::Event(moment, event));
        for action in orders() {
            writer.action(&action);
            entries.push(Entry::Action(action));
        }
        if (number as usize).is_multiple_of(each) {
            file.extend_from_slice(writer.frame());
            writer.written();
        }
    }
    writer.end(End::Host);
    entries.push(Entry::End(End::Host));
    file.extend_from_slice(writer.frame());
    (file, entries)
}

fn read(file: &[u8]) -> (Vec<Entry>, Option<ReadError>, usize) {
    let mut reader = match Reader::new(file) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error), 0),
    };
    let mut entries = Vec::new();
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => return (entries, None, reader.torn()),
            Err(error) => return (entries, Some(error), reader.torn()),
        }
    }
}

#[test]
fn a_recording_is_read_as_it_was_written() {
    for each in [1, 7, 1000] {
        let (file, entries) = recording(Text::Kept, each);
        assert_eq!(read(&file), (entries, None, 0));
        let reader = Reader::new(&file).unwrap();
        assert_eq!((reader.begin(), reader.text()), (&begin(), Text::Kept));
    }
}

#[test]
fn text_is_hidden_unless_it_is_to_be_kept() {
    for (text, stands) in [(Text::Hashed, false), (Text::Kept, true)] {
        let (file, _) = recording(text, 1000);
        let contains = |words: &[u8]| file.windows(words.len()).any(|window| window == words);
        assert_eq!(contains(b"secret"), stands, "{text:?}");
        assert!(contains(b"echo"), "the names of fleets are for people to read");
        let action = &orders()[0];
        let bytes = super::writer::order_bytes(text, action);
        let (entries, _, _) = read(&file);
        let Entry::Action(found) = &entries[1] else { panic!("{entries:?}") };
        assert_eq!(super::writer::order_bytes(text, found), bytes, "the same order, byte for byte");
    }
}

#[test]
fn a_recording_that_was_cut_anywhere_is_read_up_to_the_last_whole_frame() {
    let (file, entries) = recording(Text::Kept, 3);
    let mut last = 0;
    for length in 0..file.len() {
        let (found, error, torn) = read(&file[..length]);
        if let Some(error) = error {
            assert_eq!(error, ReadError::NoBeginning { length });
            continue;
        }
        assert_eq!(found[..], entries[..found.len()], "{length}");
        assert!(found.len() >= last && torn < length);
        last = found.len();
    }
    assert!(last > entries.len() / 2, "{last} of {}", entries.len());
}

#[test]
fn a_changed_bit_anywhere_is_found() {
    let (file, entries) = recording(Text::Kept, 9);
    for bit in 0..file.len() * 8 {
        let mut changed = file.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (found, error, torn) = read(&changed);
        // The flag for text is none of a frame, and says how orders are compared.
        let is_flag = bit / 8 == 10 && bit % 8 == 0;
        assert!(error.is_some() || torn > 0 || is_flag, "bit {bit}: {} entries", found.len());
        assert_eq!(found[..], entries[..found.len()], "bit {bit}");
    }
}

#[test]
fn what_is_no_recording_is_told_with_what_was_found_and_wanted() {
    let (file, _) = recording(Text::Kept, 1000);
    let with = |place: usize, byte: u8| {
        let mut changed = file.clone();
        changed[place] = byte;
        changed
    };
    // The checksum is right, and the entry has no meaning.
    let nonsense = |payload: &[u8]| {
        let mut file = file[..12].to_vec();
        file.extend_from_slice(&framed(payload));
        file
    };
    let mut unfit = begin();
    unfit.config.burst = 0;
    let unfit = Writer::new(Text::Kept, &unfit).frame().to_vec();
    let longest = u32::from_le_bytes([file[12], file[13], file[14], 1]);
    let too_long =
        format!("the frame at byte 12 was changed: it has {longest} bytes, but must have at most 16777216");
    let rows: [(Vec<u8>, &str); 8] = [
        (
            b"{\"json\": 1}".to_vec(),
            "this is no recording: it begins with `{\\\"json\\\":`, but must begin with `hostrec\\n`",
        ),
        (with(8, 9), "the recording is of version 9 of the format, but this reads version 2"),
        (
            file[..20].to_vec(),
            "the recording has no beginning: it has 20 bytes, and its first frame is not whole",
        ),
        (Vec::new(), "the recording has no beginning: it has 0 bytes, and its first frame is not whole"),
        (with(10, 7), "the entry at byte 10 cannot be read: 7 is no treatment of text"),
        (with(15, 1), &too_long),
        (nonsense(&[1, 0]), "the entry at byte 24 cannot be read: 1 is no beginning"),
        (unfit, "the settings in the recording are wrong: burst is 0, but must be at least 1"),
    ];
    for (file, expected) in rows {
        assert_eq!(read(&file).1.map(|error| error.to_string()).as_deref(), Some(expected));
    }
    let mut later = Writer::new(Text::Kept, &begin());
    let mut file = later.frame().to_vec();
    let start = file.len();
    file.extend_from_slice(&nonsense(&[0x1a, 0x3f])[12..]);
    let (entries, error, _) = read(&file);
    assert_eq!(entries, [Entry::Event(Instant::ZERO, Event::Tick)]);
    assert_eq!(
        error,
        Some(ReadError::Entry { offset: start + 13, wrong: Wrong::Number { wanted: "Event", found: 0x3f } })
    );
}

#[test]
fn a_moment_that_is_no_later_is_told_and_a_frame_may_be_as_long_as_is_said() {
    let mut later = Writer::new(Text::Kept, &begin());
    let head = later.frame().to_vec();
    for (by, wrong) in [(1, false), (0, true)] {
        let mut file = head.clone();
        file.extend_from_slice(&framed(&[LATER, by, 0x1a]));
        let error = read(&file).1.map(|error| error.to_string());
        assert_eq!(error.is_some(), wrong, "{by}: {error:?}");
        assert!(error.is_none_or(|words| words.ends_with("0 is no moment")));
    }
    // It is not whole, and that is all that is wrong with the one.
    for (length, too_long) in [(PAYLOAD_MAX, false), (PAYLOAD_MAX + 1, true)] {
        let mut file = head.clone();
        file.extend_from_slice(&(length as u32).to_le_bytes());
        let error = read(&file).1;
        assert_eq!(matches!(error, Some(ReadError::TooLong { .. })), too_long, "{length}: {error:?}");
    }
}

#[test]
fn a_writer_says_when_it_holds_a_frame() {
    let mut writer = Writer::new(Text::Hashed, &begin());
    writer.frame();
    writer.written();
    assert_eq!((writer.waiting(), writer.frame()), (0, &[][..]));
    let mut facts = 0;
    while !writer.is_full() {
        writer.event(at(facts * 700), &Event::Tick);
        facts += 1;
    }
    assert!(writer.waiting() < FRAME + 16);
    assert_eq!(writer.facts_waiting(), facts);
    assert_eq!(writer.frame().len(), writer.waiting());
    writer.written();
    assert_eq!((writer.waiting(), writer.facts_waiting()), (0, 0));
}
