//! When a recording is written, and that whatever befalls it is no affair of the host's.

use crate::fake::*;
use host_core::Connected;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::event::Event;
use host_core::host::Host;
use host_core::record::reader::{Entry, Reader};
use host_core::record::{End, Recording, RecordingStatus, Text};
use host_core::sys::Errno;
use host_core::time::Duration;
use std::cell::Cell;
use std::rc::Rc;

/// All that was recorded.
fn entries(sys: &Fake) -> Vec<Entry> {
    let file = sys.recorded.borrow();
    let mut reader = Reader::new(&file).expect("it begins");
    std::iter::from_fn(|| reader.next_entry().expect("it is whole")).collect()
}

#[test]
fn what_is_recorded_is_what_the_host_was_told_and_what_it_ordered() {
    let sys = Fake::new();
    let app = App::new("test").seed(7).record("x.rec").service(Hooks::new(&sys, "a").hosted());
    run(app, sys.clone(), Until::Turns(3)).unwrap();
    let file = sys.recorded.borrow();
    let reader = Reader::new(&file).unwrap();
    assert_eq!((reader.begin().app.as_str(), reader.begin().config.seed), ("test", 7));
    assert_eq!(reader.text(), Text::Hashed);
    // A fresh host, told the same facts, gives the same orders.
    let mut host = Host::new(reader.begin().config.clone());
    let (mut facts, mut orders) = (0, 0);
    for entry in entries(&sys) {
        match entry {
            Entry::Event(at, event) => {
                assert_eq!(host.poll_action(), None, "before {event:?}");
                host.handle_event(at, event);
                facts += 1;
            }
            Entry::Action(action) => {
                assert_eq!(host.poll_action(), Some(action));
                orders += 1;
            }
            Entry::End(end) => assert_eq!((end, host.is_ended()), (End::Host, true)),
        }
    }
    assert!(facts > 6 && orders > 6, "{facts} facts, {orders} orders");
}

#[test]
fn its_beginning_is_written_at_once_and_the_rest_no_oftener_than_each_millisecond() {
    let sys = Fake::new();
    let app = App::new("test")
        .seed(1)
        .poll_period(Duration::from_micros(300))
        .record("x.rec")
        .service(Hooks::new(&sys, "a").hosted());
    run(app, sys.clone(), Until::Turns(12)).unwrap();
    let lines = sys.lines(&["record_", "wait"]);
    assert_eq!(lines[0], "record_create x.rec");
    assert!(lines[1].starts_with("record_write"), "{lines:?}");
    let writes = lines.iter().filter(|line| line.starts_with("record_write")).count();
    // The beginning, one each four waits of 0.3 ms, and the end; nothing where nothing waits.
    assert_eq!(writes, 4, "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("record_write")), "{lines:?}");
    assert_eq!(entries(&sys).last(), Some(&Entry::End(End::Host)));
}

#[test]
fn a_file_that_cannot_be_made_is_a_mistake_like_any_other_and_nothing_was_started() {
    let sys = Fake::new();
    sys.fail("record_create", Errno::ACCES);
    let app = App::new("test").burst(0).listen("web", "127.0.0.1:80").record("/nowhere/x.rec");
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Stopped) else {
        panic!("it must not start")
    };
    let mistakes: Vec<_> = error.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "burst is 0, but must be at least 1",
            "record is `/nowhere/x.rec`, but cannot be created: permission denied (EACCES)",
        ]
    );
    assert_eq!(sys.record(), ["listen h1 1024", "record_create /nowhere/x.rec", "close h1"]);
}

#[test]
fn a_start_that_fails_closes_the_file_again() {
    let sys = Fake::new();
    let app = App::new("test").burst(0).record("x.rec");
    assert!(run(app, sys.clone(), Until::Stopped).is_err());
    assert_eq!(sys.record(), ["record_create x.rec", "close h1"]);
}

#[test]
fn what_is_no_path_and_no_size_is_never_asked_of_the_system() {
    let sys = Fake::new();
    let app = App::new("test").record(Recording::to("").size_max(0));
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Stopped) else {
        panic!("it must not start")
    };
    let mistakes: Vec<_> = error.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        ["record is ``, but must be the path of a file", "size_max of record is 0, but must be at least 1"]
    );
    assert_eq!(sys.lines(&["record_"]), [""; 0]);
}

/// Runs some turns with a recording; what the service was told of it in the last.
fn watched(sys: &Rc<Fake>, recording: Recording) -> RecordingStatus {
    let last = Rc::new(Cell::new(RecordingStatus::default()));
    let told = Rc::clone(&last);
    let service = Hooks::new(sys, "a").connect(move |_, cx| {
        told.set(cx.recording().expect("it is recorded"));
        // So it is asked again in each turn.
        Ok(Connected::NotYet)
    });
    let app = App::new("test").seed(1).record(recording).service(service.hosted());
    run(app, sys.clone(), Until::Turns(6)).expect("the host goes on");
    last.get()
}

#[test]
fn a_full_disk_ends_the_recording_with_one_notice_and_not_the_host() {
    let sys = Fake::new();
    // The beginning in two pieces, with an interruption; half of the next frame; nothing more.
    sys.answer("record_write", [Ok(9), Err(Errno::INTR), Ok(usize::MAX), Ok(20), Err(Errno::NOSPC)]);
    let status = watched(&sys, Recording::to("x.rec"));
    assert_eq!(
        sys.lines(&["tell the recording"]),
        ["tell the recording stops after 0 facts: no space left (ENOSPC); the host goes on"]
    );
    assert_eq!(sys.lines(&["record_write"]).len(), 3, "{:?}", sys.record());
    assert_eq!((status.facts, status.failed), (0, Some(Errno::NOSPC)));
    assert!(status.left_out > 10, "{status:?}");
    assert_eq!(status.bytes, sys.recorded.borrow().len() as u64);
    let file = sys.recorded.borrow();
    let mut reader = Reader::new(&file).unwrap();
    assert_eq!((reader.next_entry(), reader.torn()), (Ok(None), 20), "it is read up to what is whole");
}

#[test]
fn a_disk_that_takes_nothing_is_full() {
    let sys = Fake::new();
    sys.answer("record_write", [Ok(0)]);
    assert_eq!(watched(&sys, Recording::to("x.rec")).failed, Some(Errno::NOSPC));
}

#[test]
fn a_recording_that_is_as_large_as_it_may_be_says_so_in_its_last_frame() {
    let sys = Fake::new();
    let status = watched(&sys, Recording::to("x.rec").size_max(150));
    assert_eq!(sys.lines(&["tell the recording"]).len(), 1, "{:?}", sys.record());
    assert!(status.left_out > 0 && status.failed.is_none(), "{status:?}");
    let entries = entries(&sys);
    assert_eq!(entries.last(), Some(&Entry::End(End::Size)));
    let facts = entries.iter().filter(|entry| matches!(entry, Entry::Event(..))).count();
    assert_eq!(facts as u64, status.facts);
    assert!(sys.recorded.borrow().len() <= 150 + 14);
}

#[test]
fn a_recording_that_just_fits_is_whole_and_one_byte_less_is_not() {
    let size = |size_max| {
        let sys = Fake::new();
        let recording = Recording::to("x.rec").size_max(size_max);
        let app = App::new("test").seed(1).record(recording).service(Hooks::new(&sys, "a").hosted());
        run(app, sys.clone(), Until::Turns(6)).expect("the host goes on");
        (sys.recorded.borrow().len() as u64, entries(&sys).pop())
    };
    let (all, _) = size(1 << 20);
    assert_eq!(size(all), (all, Some(Entry::End(End::Host))));
    assert_eq!(size(all - 1).1, Some(Entry::End(End::Size)));
}

#[test]
fn what_is_recorded_in_one_turn_is_written_before_it_is_much() {
    let sys = Fake::new();
    let service = Hooks::new(&sys, "a").connect(|_, cx| {
        for _ in 0..50_000 {
            cx.wake_at(cx.now() + Duration::from_secs(1));
        }
        Ok(Connected::Yes)
    });
    run(App::new("test").seed(1).record("x.rec").service(service.hosted()), sys.clone(), Until::Turns(1))
        .unwrap();
    let writes = sys.lines(&["record_write"]);
    let length = |line: &String| line.rsplit(' ').next().and_then(|length| length.parse().ok());
    let lengths: Vec<usize> = writes.iter().filter_map(length).collect();
    let (all, longest) = (lengths.iter().sum::<usize>(), *lengths.iter().max().unwrap());
    assert!(all > 4 * longest, "{longest} bytes of {all} in one piece");
}

#[test]
fn what_a_host_did_is_written_also_when_it_unwinds() {
    let sys = Fake::new();
    let app = App::new("test").seed(1).record("x.rec").notifier(|_| {});
    sys.report([Report::Nothing]);
    // A host that wants to wait for ever in a system that gives up on it.
    let app = app.poll_period(Duration::from_nanos(1)).service(Hooks::new(&sys, "a").hosted());
    let ended =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(app, sys.clone(), Until::Stopped)));
    assert!(ended.is_err(), "the system gives up after some hundred waits");
    let entries = entries(&sys);
    let ticks = entries.iter().filter(|entry| matches!(entry, Entry::Event(_, Event::Tick))).count();
    assert!(ticks > 150, "{ticks}");
    assert!(!matches!(entries.last(), Some(Entry::End(_))));
}
