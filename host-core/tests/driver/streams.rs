//! Reading and writing, with and without waiting, in a host and outside one.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::sys::{Errno, Interest, Readiness, ShutdownHow, Sys};
use host_core::time::Duration;
use host_core::{Connected, Stream};
use std::cell::RefCell;
use std::io::{ErrorKind, Read as _, Write as _};
use std::rc::Rc;

const MS: Duration = Duration::from_millis(1);

/// Does `with` to the readable stream of a service: what came of it, and the activity that the host was told.
fn in_receive<T: 'static>(sys: &Rc<Fake>, with: impl Fn(&mut Stream) -> T + 'static) -> (T, String) {
    in_receive_for(sys, READABLE, with)
}

/// As [`in_receive`], for a stream that is ready for this.
fn in_receive_for<T: 'static>(
    sys: &Rc<Fake>,
    readiness: Readiness,
    with: impl Fn(&mut Stream) -> T + 'static,
) -> (T, String) {
    sys.witnesses.set(true);
    sys.report([Report::As(1, readiness)]);
    let answer = Rc::new(RefCell::new(None));
    let into = Rc::clone(&answer);
    let both = Interest::READ | Interest::WRITE;
    let a = Hooks::new(sys, "a").connect(move |held, cx| {
        let mut stream = cx.connect_to(address())?;
        stream.set_interest(both);
        held.streams.push(stream);
        Ok(Connected::Yes)
    });
    let a = a.receive(move |held, cx, _| {
        into.replace(Some(with(&mut held.streams[0])));
        cx.stop();
        Ok(())
    });
    run(App::new("test").seed(1).io_timeout(40 * MS).service(a.hosted()), sys.clone(), Until::Turns(9))
        .expect("it stops in order");
    let told = sys.lines(&["fact: receive"]).remove(0);
    (answer.take().expect("it was called"), told)
}

/// A name, what the system answers, what the caller is answered, and what the host is told.
type Row = (&'static str, &'static [Result<usize, Errno>], Result<Option<usize>, Errno>, &'static str);

#[test]
fn a_read_without_waiting_says_what_was_there_and_whether_anything_changed() {
    let rows: [(Row, usize); 6] = [
        (("bytes", &[Ok(3)], Ok(Some(3)), "Done(Progress)"), 8),
        (("nothing yet", &[Err(Errno::AGAIN)], Ok(None), "Done(Progress)"), 8),
        (("the end is as readable as before", &[Ok(0)], Ok(Some(0)), "Done(Nothing)"), 8),
        (("interrupted", &[Err(Errno::INTR), Err(Errno::INTR), Ok(1)], Ok(Some(1)), "Done(Progress)"), 8),
        (("an error", &[Err(Errno::CONNRESET)], Err(Errno::CONNRESET), "Done(Nothing)"), 8),
        (("one byte of room", &[Ok(3)], Ok(Some(1)), "Done(Progress)"), 1),
    ];
    for ((name, script, expected, activity), room) in rows {
        let sys = Fake::new();
        sys.answer("read", script.iter().copied());
        let (answer, told) = in_receive(&sys, move |stream| stream.try_read(&mut vec![0; room]));
        assert_eq!(answer, expected, "{name}");
        assert_eq!(told, format!("fact: receive {activity}"), "{name}");
        assert_eq!(sys.lines(&["read"]).len(), script.len(), "{name}");
    }
}

#[test]
fn a_write_without_waiting_says_how_much_went_and_whether_anything_changed() {
    let writable = Readiness { readable: false, writable: true, ended: false };
    let rows: [Row; 5] = [
        ("nothing of nothing", &[Ok(0)], Ok(Some(0)), "Done(Nothing)"),
        ("all of it", &[Ok(5)], Ok(Some(5)), "Done(Progress)"),
        ("no room", &[Err(Errno::AGAIN)], Ok(None), "Done(Progress)"),
        ("interrupted", &[Err(Errno::INTR), Ok(2)], Ok(Some(2)), "Done(Progress)"),
        ("an error", &[Err(Errno::PIPE)], Err(Errno::PIPE), "Done(Nothing)"),
    ];
    for (name, script, expected, activity) in rows {
        let sys = Fake::new();
        sys.answer("write", script.iter().copied());
        let (answer, told) = in_receive_for(&sys, writable, |stream| stream.try_write(b"hello"));
        assert_eq!(answer, expected, "{name}");
        assert_eq!(told, format!("fact: receive {activity}"), "{name}");
        assert_eq!(sys.lines(&["write"]).len(), script.len(), "{name}");
    }
}

#[test]
fn what_is_done_in_the_other_direction_leaves_a_socket_as_ready_as_before() {
    let writable = Readiness { readable: false, writable: true, ended: false };
    let both = Readiness { readable: true, ..writable };
    // What it is ready for, whether it is read or written, and whether that is progress.
    let rows = [
        (READABLE, false, "Done(Nothing)"),
        (writable, true, "Done(Nothing)"),
        (both, true, "Done(Progress)"),
        (both, false, "Done(Progress)"),
    ];
    for (readiness, reads, activity) in rows {
        let sys = Fake::new();
        let call = if reads { "read" } else { "write" };
        sys.answer(call, [Err(Errno::AGAIN)]);
        let (_, told) = in_receive_for(&sys, readiness, move |stream| {
            if reads { stream.try_read(&mut [0; 8]) } else { stream.try_write(b"x") }
        });
        assert_eq!(told, format!("fact: receive {activity}"), "{readiness:?} and a {call}");
    }
}

#[test]
fn ending_a_direction_and_setting_options_are_no_progress() {
    let sys = Fake::new();
    let (answer, told) = in_receive(&sys, |stream| stream.shutdown(ShutdownHow::Write));
    assert_eq!((answer, &*told), (Ok(()), "fact: receive Done(Nothing)"));
    assert_eq!(sys.lines(&["shutdown"]), ["shutdown h1 Write"]);

    let sys = Fake::new();
    let (answer, told) = in_receive(&sys, |stream| {
        stream.set_nodelay(true)?;
        stream.set_nodelay(false)?;
        assert_eq!(stream.take_error()?, None);
        Ok::<_, Errno>((stream.peer_address()?, stream.local_address()?))
    });
    assert_eq!(answer, Ok((address(), ADDRESS.parse().unwrap())));
    assert_eq!(told, "fact: receive Done(Nothing)");
    assert_eq!(sys.lines(&["set_nodelay"]), ["set_nodelay h1 true", "set_nodelay h1 false"]);
}

#[test]
fn what_the_system_refuses_reaches_the_caller() {
    let sys = Fake::new();
    for name in ["shutdown", "set_nodelay", "peer_address", "local_address"] {
        sys.fail(name, Errno::NOTCONN);
    }
    let (answers, _) = in_receive(&sys, |stream| {
        (
            stream.shutdown(ShutdownHow::Both),
            stream.set_nodelay(true),
            stream.peer_address().map(drop),
            stream.local_address().map(drop),
        )
    });
    let refused = Err(Errno::NOTCONN);
    assert_eq!(answers, (refused, refused, refused, refused));
}

#[test]
fn a_waiting_read_waits_for_the_peer_as_often_as_it_takes_within_one_patience() {
    let sys = Fake::new();
    sys.answer("read", [Err(Errno::AGAIN), Err(Errno::AGAIN), Ok(4)]);
    // The first wait is that of `connect_to`.
    sys.answer("wait", [Ok(0), Err(Errno::INTR), Ok(0), Ok(0)]);
    let (answer, _) = in_receive(&sys, |stream| stream.read(&mut [0; 8]).unwrap());
    assert_eq!(answer, 4);
    assert_eq!(
        sys.lines(&["wait_for", "read"]),
        [
            "wait_for h1 w 40",
            "read h1 Err(EAGAIN)",
            "wait_for h1 r 40",
            "wait_for h1 r 40",
            "read h1 Err(EAGAIN)",
            "wait_for h1 r 40",
            "read h1 Ok(4)",
        ]
    );
}

#[test]
fn a_waiting_write_waits_for_room_and_a_flush_for_nothing() {
    let sys = Fake::new();
    sys.answer("write", [Err(Errno::AGAIN), Ok(2), Ok(3)]);
    let (answer, _) = in_receive(&sys, |stream| {
        stream.write_all(b"hello").unwrap();
        stream.flush().is_ok()
    });
    assert!(answer);
    assert_eq!(
        sys.lines(&["wait_for", "write"]),
        ["wait_for h1 w 40", "write h1 Err(EAGAIN)", "wait_for h1 w 40", "write h1 Ok(2)", "write h1 Ok(3)"]
    );
}

#[test]
fn a_peer_that_keeps_one_waiting_too_long_is_an_error() {
    let sys = Fake::new();
    sys.answer("write", [Err(Errno::AGAIN)]);
    sys.answer("wait", [Ok(0), Err(Errno::TIMEDOUT), Err(Errno::TIMEDOUT)]);
    let (answer, _) = in_receive(&sys, |stream| {
        let read = stream.read(&mut [0; 8]).unwrap_err().kind();
        let write = stream.write(b"hello").unwrap_err().kind();
        (read, write)
    });
    assert_eq!(answer, (ErrorKind::TimedOut, ErrorKind::TimedOut));
}

#[test]
fn a_connection_that_is_waited_for_stands_or_is_an_error_and_closed() {
    let rows: [(&str, &'static str, Result<usize, Errno>, Errno); 3] = [
        ("refused at once", "connect", Err(Errno::NETUNREACH), Errno::NETUNREACH),
        ("refused later", "take_error", Ok(111), Errno::CONNREFUSED),
        ("never answered", "wait", Err(Errno::TIMEDOUT), Errno::TIMEDOUT),
    ];
    for (name, call, answer, expected) in rows {
        let sys = Fake::new();
        sys.answer(call, [answer]);
        let a = Hooks::new(&sys, "a").connect(move |_, cx| {
            assert_eq!(cx.connect_to(address()).map(drop), Err(expected), "{name}");
            Ok(Connected::NotYet)
        });
        run(App::new("test").seed(1).service(a.hosted()), sys.clone(), Until::Turns(1)).unwrap();
        let closed = if call == "connect" { 0 } else { 1 };
        assert_eq!(sys.lines(&["close"]).len(), closed, "{name}");
        assert_eq!(sys.lines(&["poll_add"]), [""; 0], "{name}");
    }
}

#[test]
fn a_connection_that_was_only_begun_is_told_when_it_stands() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a")
        .connect(|held, cx| {
            held.streams.push(cx.start_connect(address())?);
            assert_eq!(held.streams[0].interest(), Interest::WRITE);
            Ok(Connected::Yes)
        })
        .receive(|held, cx, ready| {
            assert_eq!(ready.readiness, Readiness { readable: false, writable: true, ended: false });
            assert_eq!(held.streams[0].take_error()?, Some(Errno::CONNREFUSED));
            cx.stop();
            Ok(())
        });
    sys.answer("take_error", [Ok(111)]);
    sys.report([Report::As(1, Readiness { readable: true, writable: true, ended: false })]);
    run(App::new("test").seed(1).service(a.hosted()), sys.clone(), Until::Turns(9)).unwrap();
    assert_eq!(sys.lines(&["poll_add", "wait_for", "a: stop"]), ["poll_add h1 w", "a: stop"]);
}

#[test]
fn finishing_a_connection_tells_whether_it_stands_and_then_it_is_watched_for_reading() {
    type Case = (&'static str, &'static str, Result<usize, Errno>, Result<bool, Errno>, Interest);
    let rows: [Case; 5] = [
        ("it stands", "peer_address", Ok(0), Ok(true), Interest::READ),
        ("not decided yet", "peer_address", Err(Errno::NOTCONN), Ok(false), Interest::WRITE),
        ("refused", "take_error", Ok(111), Err(Errno::CONNREFUSED), Interest::WRITE),
        ("closed by the host", "take_error", Err(Errno::BADF), Err(Errno::BADF), Interest::WRITE),
        ("something else", "peer_address", Err(Errno::NOBUFS), Err(Errno::NOBUFS), Interest::WRITE),
    ];
    for (name, call, answer, expected, interest) in rows {
        let sys = Fake::new();
        sys.answer(call, [answer]);
        let a = Hooks::new(&sys, "a").connect(move |_, cx| {
            let mut stream = cx.start_connect(address())?;
            assert_eq!(stream.finish_connect(), expected, "{name}");
            assert_eq!(stream.interest(), interest, "{name}");
            Ok(Connected::NotYet)
        });
        run(App::new("test").seed(1).service(a.hosted()), sys, Until::Turns(1)).unwrap();
    }
}

#[test]
fn a_stream_outside_a_host_waits_reads_and_closes_by_itself() {
    let sys = Fake::new();
    sys.answer("read", [Err(Errno::AGAIN), Ok(2)]);
    let mut stream = Stream::connect(sys.clone(), address(), 9 * MS).unwrap();
    stream.set_interest(Interest::READ);
    assert_eq!(stream.interest(), Interest::READ);
    assert_eq!(stream.write_waiting(b"hey"), Ok(3));
    sys.work(MS);
    assert_eq!(stream.read_waiting(&mut [0; 8]), Ok(2));
    drop(stream);
    assert_eq!(
        sys.record(),
        [
            "connect h1",
            "wait_for h1 w 9",
            "take_error h1",
            "write h1 Ok(3)",
            "read h1 Err(EAGAIN)",
            "wait_for h1 r 9",
            "read h1 Ok(2)",
            "close h1",
        ]
    );
}

#[test]
fn a_stream_outside_a_host_that_cannot_connect_is_closed() {
    let sys = Fake::new();
    sys.answer("take_error", [Ok(111)]);
    assert_eq!(Stream::connect(sys.clone(), address(), MS).map(drop), Err(Errno::CONNREFUSED));
    assert_eq!(sys.lines(&["close"]), ["close h1"]);
}
