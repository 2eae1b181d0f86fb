//! Registering and closing sockets, and accepting connections.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::{Cause, RunError};
use host_core::sys::{Errno, Interest, Readiness};
use host_core::{Connected, Listener};
use std::cell::RefCell;
use std::rc::Rc;

fn web(sys: &Rc<Fake>, service: Hooks, turns: u64) -> Result<(), RunError> {
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80").service(service.hosted());
    run(app, sys.clone(), Until::Turns(turns))
}

/// What the record says of handles.
fn handles(sys: &Fake) -> Vec<String> {
    sys.lines(&["poll_", "close", "connect h", "accept"])
}

#[test]
fn a_socket_is_unregistered_before_it_is_closed() {
    // The listener is handle 1 and the connection handle 2.
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").talks().receive(|held, cx, ready| {
        assert_eq!(ready.socket, held.streams[0].id());
        assert!(ready.readiness.readable);
        held.streams.clear();
        cx.stop();
        Ok(())
    });
    sys.report([Report::Ready(vec![2])]);
    web(&sys, a, 9).unwrap();
    assert_eq!(
        handles(&sys),
        ["connect h2", "poll_add h2 w", "poll_modify h2 r", "poll_delete h2", "close h2", "close h1"]
    );
}

#[test]
fn a_socket_that_never_was_registered_is_only_closed() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").connect(|_, cx| {
        drop(cx.start_connect(address())?);
        Ok(Connected::Yes)
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(handles(&sys), ["connect h2", "close h2", "close h1"]);
}

#[test]
fn a_change_of_interest_reaches_the_poller_and_nothing_unregisters() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").talks().prepare(|held, _| {
        let stream = &mut held.streams[0];
        assert_eq!(stream.interest(), Interest::READ);
        for interest in [Interest::READ | Interest::WRITE, Interest::NONE, Interest::NONE, Interest::WRITE] {
            stream.set_interest(interest);
            assert_eq!(stream.interest(), interest);
        }
        Ok(())
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(
        handles(&sys),
        [
            "connect h2",
            "poll_add h2 w",
            "poll_modify h2 r",
            "poll_modify h2 rw",
            "poll_delete h2",
            "poll_add h2 w",
            "poll_delete h2",
            "close h2",
            "close h1",
        ]
    );
}

#[test]
fn a_socket_that_is_left_without_interest_is_closed_without_unregistering_it_twice() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").talks().prepare(|held, _| {
        held.streams[0].set_interest(Interest::NONE);
        Ok(())
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(
        sys.lines(&["poll_", "wait 5000", "close"]),
        ["poll_add h2 w", "poll_modify h2 r", "poll_delete h2", "wait 5000", "close h2", "close h1"]
    );
}

#[test]
fn a_socket_that_the_system_cannot_watch_fails_its_service() {
    let sys = Fake::new();
    sys.fail("poll_add", Errno::NOSPC);
    let a = Hooks::new(&sys, "a").connect(|held, cx| {
        held.streams.push(cx.start_connect(address())?);
        Ok(Connected::Yes)
    });
    let result = web(&sys, a, 9);
    let Err(RunError::Service(error)) = result else { panic!("{result:?}") };
    assert!(matches!(error.cause, Cause::NotWatched { errno: Errno::NOSPC }), "{error}");
    assert_eq!(
        handles(&sys),
        ["connect h2", "poll_add h2 w", "close h2", "close h1"],
        "nothing to unregister"
    );
}

#[test]
fn a_socket_whose_registration_cannot_be_changed_is_unregistered_all_the_same() {
    let sys = Fake::new();
    sys.fail("poll_modify", Errno::NOMEM);
    let result = web(&sys, Hooks::new(&sys, "a").talks(), 9);
    let Err(RunError::Service(error)) = result else { panic!("{result:?}") };
    assert!(matches!(error.cause, Cause::NotWatched { errno: Errno::NOMEM }), "{error}");
    assert_eq!(
        handles(&sys),
        ["connect h2", "poll_add h2 w", "poll_modify h2 r", "poll_delete h2", "close h2", "close h1"]
    );
}

#[test]
fn a_lent_listener_is_closed_at_the_end_and_not_when_it_is_dropped() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").takes("web").prepare(|held, cx| {
        assert_eq!(held.listeners[0].local_address()?, ADDRESS.parse()?);
        held.listeners.clear();
        held.listeners.push(cx.listener("web")?);
        Ok(())
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(
        handles(&sys),
        ["poll_add h1 r", "poll_delete h1", "poll_add h1 r", "poll_delete h1", "close h1"]
    );
}

#[test]
fn a_listener_of_a_services_own_is_closed_when_it_is_dropped() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").connect(|held, cx| {
        held.listeners.push(cx.listen(address(), 5)?);
        Ok(Connected::Yes)
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(sys.lines(&["listen"]), ["listen h1 1024", "listen h2 5"]);
    assert_eq!(handles(&sys), ["poll_add h2 r", "poll_delete h2", "close h2", "close h1"]);
}

#[test]
fn a_listener_may_be_left_alone_for_a_while() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").takes("web").prepare(|held, _| {
        held.listeners[0].set_interest(Interest::NONE);
        Ok(())
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(
        sys.lines(&["poll_", "wait", "close"]),
        ["poll_add h1 r", "poll_delete h1", "wait 5000", "close h1"],
        "it is out of the poller before the host waits"
    );
}

type Script = &'static [Result<usize, Errno>];

/// Accepts once in `receive` what the script answers: whether a connection came, and the activity told.
fn accepts(answers: Script) -> (Result<bool, Errno>, String, usize) {
    let sys = Fake::new();
    sys.answer("accept", answers.iter().copied());
    sys.witnesses.set(true);
    sys.report([Report::Ready(vec![1])]);
    let answer = Rc::new(RefCell::new(None));
    let into = Rc::clone(&answer);
    let a = Hooks::new(&sys, "a").takes("web").receive(move |held, cx, ready| {
        assert_eq!(ready.socket, held.listeners[0].id());
        let accepted = held.listeners[0].accept();
        into.replace(Some(accepted.as_ref().map(Option::is_some).map_err(|errno| *errno)));
        held.streams.extend(accepted.ok().flatten());
        cx.stop();
        Ok(())
    });
    web(&sys, a, 9).expect("it stops in order");
    let told = sys.lines(&["fact: receive"]).remove(0);
    let answer = answer.take().expect("it was called");
    (answer, told, sys.lines(&["accept"]).len())
}

#[test]
fn an_accept_passes_over_connections_that_are_gone_and_says_what_came_of_it() {
    type Row = (&'static str, Script, Result<bool, Errno>, &'static str);
    let rows: [Row; 6] = [
        ("a connection", &[Ok(0)], Ok(true), "Done(Progress)"),
        ("none", &[Err(Errno::AGAIN)], Ok(false), "Done(Progress)"),
        (
            "lost ones first",
            &[Err(Errno::CONNABORTED), Err(Errno::PROTO), Err(Errno::INTR), Ok(0)],
            Ok(true),
            "Done(Progress)",
        ),
        ("out of descriptors", &[Err(Errno::MFILE)], Ok(false), "Done(Starved)"),
        (
            "a lost one, then out of memory",
            &[Err(Errno::CONNABORTED), Err(Errno::NOMEM)],
            Ok(false),
            "Done(Starved)",
        ),
        ("something else", &[Err(Errno::INVAL)], Err(Errno::INVAL), "Done(Nothing)"),
    ];
    for (name, answers, expected, activity) in rows {
        let (answer, told, calls) = accepts(answers);
        assert_eq!(answer, expected, "{name}");
        assert_eq!(told, format!("fact: receive {activity}"), "{name}");
        assert_eq!(calls, answers.len(), "{name}");
    }
}

#[test]
fn a_receive_that_touches_nothing_says_so_each_time() {
    let sys = Fake::new();
    sys.witnesses.set(true);
    sys.answer("accept", [Ok(0)]);
    sys.report([Report::Ready(vec![1]), Report::Ready(vec![1])]);
    let mut calls = 0;
    let a = Hooks::new(&sys, "a").takes("web").receive(move |held, _, _| {
        calls += 1;
        if calls == 1 {
            held.streams.extend(held.listeners[0].accept()?);
        }
        Ok(())
    });
    web(&sys, a, 3).unwrap();
    assert_eq!(
        sys.lines(&["fact: receive"]),
        ["fact: receive Done(Progress)", "fact: receive Done(Nothing)"],
        "progress counts for the call in which it was made"
    );
}

#[test]
fn a_socket_that_was_closed_in_its_receive_counts_by_what_was_done_with_it_before() {
    let sys = Fake::new();
    sys.witnesses.set(true);
    sys.report([Report::Ready(vec![2])]);
    let a = Hooks::new(&sys, "a").talks().receive(|held, cx, _| {
        held.streams.clear();
        cx.stop();
        Ok(())
    });
    web(&sys, a, 9).unwrap();
    assert_eq!(sys.lines(&["fact: receive"]), ["fact: receive Done(Nothing)"]);
}

#[test]
fn an_accepted_connection_is_watched_for_reading_and_belongs_to_its_service() {
    let sys = Fake::new();
    sys.answer("accept", [Ok(0)]);
    sys.report([
        Report::Ready(vec![1]),
        Report::As(2, Readiness { readable: true, writable: true, ended: true }),
    ]);
    let a = Hooks::new(&sys, "a").takes("web").receive(|held, _, ready| {
        if let Some(stream) = held.streams.first() {
            assert_eq!(ready.socket, stream.id());
            assert_eq!(ready.readiness, Readiness { readable: true, writable: false, ended: true });
            held.streams.clear();
        } else {
            held.streams.extend(held.listeners[0].accept()?);
        }
        Ok(())
    });
    web(&sys, a, 3).unwrap();
    assert_eq!(
        handles(&sys),
        [
            "poll_add h1 r",
            "accept h1 Ok(0)",
            "poll_add h2 r",
            "poll_delete h2",
            "close h2",
            "poll_delete h1",
            "close h1"
        ]
    );
}

#[test]
fn a_listener_that_outlived_its_host_accepts_nothing() {
    let sys = Fake::new();
    let kept: Rc<RefCell<Vec<Listener>>> = Rc::default();
    let there = Rc::clone(&kept);
    let a = Hooks::new(&sys, "a").connect(move |_, cx| {
        there.borrow_mut().push(cx.listener("web")?);
        Ok(Connected::Yes)
    });
    web(&sys, a, 1).unwrap();
    let mut listener = kept.borrow_mut().pop().unwrap();
    assert_eq!(listener.accept().unwrap_err(), Errno::BADF);
    listener.set_interest(Interest::WRITE);
    assert_eq!(sys.lines(&["accept"]), [""; 0]);
}

#[test]
fn seats_are_used_again_and_old_names_are_not() {
    let sys = Fake::new();
    let ids = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&ids);
    let a = Hooks::new(&sys, "a").connect(move |held, cx| {
        for _ in 0..3 {
            held.streams.push(cx.start_connect(address())?);
            into.borrow_mut()
                .push(held.streams.last().map(|stream| stream.id().to_string()).unwrap_or_default());
        }
        drop(held.streams.remove(1));
        let stream = cx.start_connect(address())?;
        into.borrow_mut().push(stream.id().to_string());
        held.streams.push(stream);
        Ok(Connected::Yes)
    });
    web(&sys, a, 1).unwrap();
    assert_eq!(*ids.borrow(), ["socket 0.0", "socket 1.0", "socket 2.0", "socket 1.1"]);
}
