//! A drain of the host's own services: what was begun is finished, nothing new is begun.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::sys::Errno;
use host_core::time::Duration;
use host_core::{Connected, Drained};

const MS: Duration = Duration::from_millis(1);
const QUIT: usize = 3;
const TERM: usize = 15;

fn app() -> App {
    App::new("test").seed(1)
}

#[test]
fn a_service_is_drained_once_and_then_stopped() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1])]);
    let app = app().service(Hooks::new(&sys, "a").hosted()).service(Hooks::new(&sys, "b").hosted());
    run(app, sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["a:", "b:", "tell dr", "tell st"]),
        [
            "a: connect",
            "a: prepare",
            "b: connect",
            "b: prepare",
            "tell draining: QUIT received",
            "a: drain",
            "b: drain",
            "tell stopping: QUIT received",
            "b: stop",
            "b: drop",
            "a: stop",
            "a: drop",
        ]
    );
}

#[test]
fn a_service_that_is_not_done_is_served_until_its_last_socket_is_closed_and_is_not_connected_again() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1]), Report::Ready(vec![2]), Report::Nothing, Report::Ready(vec![2])]);
    sys.answer("read", [Ok(1), Ok(0)]);
    let talks = Hooks::new(&sys, "a").talks().drain(|_, _| Ok(Drained::NotYet)).receive(|held, _, _| {
        if held.streams[0].try_read(&mut [0])? == Some(0) {
            held.streams.clear();
        }
        Ok(())
    });
    run(app().service(talks.hosted()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["a:"]),
        [
            "a: connect",
            "a: prepare",
            "a: drain",
            "a: prepare",
            "a: receive",
            "a: prepare",
            "a: receive",
            "a: stop",
            "a: drop",
        ]
    );
}

#[test]
fn a_service_that_is_not_done_and_has_no_socket_is_done() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1])]);
    let idle = Hooks::new(&sys, "a").drain(|_, _| Ok(Drained::NotYet));
    run(app().service(idle.hosted()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["wait", "a: stop"]), ["wait 5000", "a: stop"]);
}

#[test]
fn a_service_that_never_connected_is_not_connected_for_a_drain() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1])]);
    let waits = Hooks::new(&sys, "a").connect(|_, _| Ok(Connected::NotYet));
    let holds = Hooks::new(&sys, "b").talks().drain(|_, _| Ok(Drained::NotYet));
    sys.report([Report::Nothing, Report::Nothing, Report::Ready(vec![1])]);
    sys.answer("signal_read", [Err(Errno::AGAIN), Ok(TERM)]);
    run(app().service(waits.hosted()).service(holds.hosted()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["a: connect", "a: drain", "a: stop"]), ["a: connect", "a: drain", "a: stop"]);
}

#[test]
fn a_stop_signal_ends_a_drain_and_the_second_one_ends_it_at_once() {
    for (signals, ends_well) in [(vec![TERM], true), (vec![QUIT], true), (vec![TERM, TERM], false)] {
        let sys = Fake::new();
        sys.answer("signal_read", [Ok(QUIT), Err(Errno::AGAIN)]);
        sys.answer("signal_read", signals.iter().map(|signal| Ok(*signal)));
        sys.report([Report::Ready(vec![1]), Report::Ready(vec![1])]);
        // A second QUIT changes nothing; this one ends the run.
        sys.answer("signal_read", [Err(Errno::AGAIN), Ok(TERM)]);
        sys.report([Report::Ready(vec![1])]);
        let holds = Hooks::new(&sys, "a").talks().drain(|_, _| Ok(Drained::NotYet));
        let result = run(app().service(holds.hosted()), sys.clone(), Until::Stopped);
        assert_eq!(result.is_ok(), ends_well, "{signals:?}");
        let waits = if signals == [QUIT] { 3 } else { 2 };
        assert_eq!(sys.lines(&["wait "]).len(), waits, "{signals:?}");
        assert_eq!(sys.lines(&["a: drain"]).len(), 1, "{signals:?}");
        assert_eq!(sys.lines(&["a: stop"]).len(), usize::from(ends_well), "{signals:?}");
    }
}

#[test]
fn l4_a_drain_that_takes_longer_than_its_timeout_is_cut_short() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1]), Report::Nothing, Report::Nothing]);
    let holds = Hooks::new(&sys, "a").talks().drain(|_, _| Ok(Drained::NotYet));
    let app = app().drain_timeout(7_000 * MS).service(holds.hosted());
    run(app, sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["wait ", "a: stop", "tell the dr"]),
        [
            "wait 5000",
            "wait 5000",
            "wait 2000",
            "tell the drain takes too long: 1 services that have not finished are stopped",
            "a: stop",
        ]
    );
}

#[test]
fn a_drain_that_fails_ends_the_host() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1])]);
    let fails = Hooks::new(&sys, "a").drain(|_, _| Err(Errno::PIPE.into()));
    let result = run(app().service(fails.hosted()), sys.clone(), Until::Stopped);
    assert_eq!(
        result.unwrap_err().to_string(),
        "service `a` failed in drain: the connection has ended (EPIPE)"
    );
    assert_eq!(sys.lines(&["a: stop"]), [""; 0]);
}

#[test]
fn a_service_may_ask_for_the_drain_itself() {
    let sys = Fake::new();
    let asks = Hooks::new(&sys, "a").prepare(|_, cx| {
        cx.drain();
        Ok(())
    });
    let other = Hooks::new(&sys, "b");
    run(app().service(asks.hosted()).service(other.hosted()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["a:", "b:", "tell dr", "tell st"]),
        [
            "a: connect",
            "a: prepare",
            "tell draining: the application asked for it",
            "a: drain",
            "b: drain",
            "tell stopping: the application asked for it",
            "b: stop",
            "b: drop",
            "a: stop",
            "a: drop",
        ]
    );
}

#[test]
fn a_drain_during_a_stop_changes_nothing() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(TERM)]);
    sys.report([Report::Ready(vec![1])]);
    let asks = Hooks::new(&sys, "a").stop(|_, cx| {
        cx.drain();
        Ok(())
    });
    run(app().service(asks.hosted()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["a: drain", "tell dr"]), [""; 0]);
}

#[test]
fn a_service_that_is_added_during_a_drain_is_begun_nevermore() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(QUIT)]);
    sys.report([Report::Ready(vec![1])]);
    let late = std::cell::RefCell::new(Some(Hooks::new(&sys, "b").hosted()));
    let adds = Hooks::new(&sys, "a").drain(move |_, cx| {
        if let Some(late) = late.borrow_mut().take() {
            cx.add(late)?;
        }
        Ok(Drained::Yes)
    });
    run(app().service(adds.hosted()), sys.clone(), Until::Stopped).unwrap();
    assert_eq!(sys.lines(&["b: connect", "b: drain"]), [""; 0]);
    assert_eq!(sys.lines(&["b: drop"]), ["b: drop"]);
}
