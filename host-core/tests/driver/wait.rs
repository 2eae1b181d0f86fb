//! What the poller and the signals answer, and what the host is told of it.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::id::SocketId;
use host_core::sys::Errno;
use host_core::time::Duration;

#[test]
fn a_wait_interrupted_by_a_signal_handler_is_harmless() {
    let sys = Fake::new();
    sys.report([Report::Fails(Errno::INTR)]);
    run(App::new("test").seed(1), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(sys.lines(&["wait"]), ["wait 5000", "wait 0", "wait 5000"], "the turn goes on");
}

#[test]
fn what_came_while_a_wait_was_interrupted_is_told_before_a_deadline_that_has_passed() {
    let sys = Fake::new();
    sys.witnesses.set(true);
    sys.report([Report::Fails(Errno::INTR), Report::Ready(vec![1])]);
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80");
    run(app.service(Hooks::new(&sys, "a").takes("web").hosted()), sys.clone(), Until::Turns(1)).unwrap();
    let told = sys.lines(&["fact: 0 Ready", "fact: 0 Tick"]);
    assert!(told[0].starts_with("fact: 0 Ready"), "{told:?}");
}

#[test]
fn a_wait_that_fails_otherwise_ends_the_host_and_closes_everything() {
    let sys = Fake::new();
    sys.report([Report::Fails(Errno::BADF)]);
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80");
    let result = run(app.service(Hooks::new(&sys, "a").takes("web").hosted()), sys.clone(), Until::Stopped);
    assert!(matches!(result, Err(RunError::System { call: "epoll_wait", errno: Errno::BADF })), "{result:?}");
    assert_eq!(
        sys.lines(&["wait", "a: drop", "poll_delete", "close", "kick_disarm"]),
        ["wait 5000", "a: drop", "poll_delete h2", "poll_delete h1", "close h1", "kick_disarm", "close h2"]
    );
}

#[test]
fn a_look_that_fails_ends_the_host_like_a_wait() {
    let sys = Fake::new();
    sys.report([Report::Fails(Errno::BADF)]);
    let result = run(App::new("test").seed(1).poll_period(Duration::ZERO), sys, Until::Stopped);
    assert!(matches!(result, Err(RunError::System { call: "epoll_wait", errno: Errno::BADF })), "{result:?}");
}

#[test]
fn a_report_for_a_key_that_nobody_has_is_ignored() {
    let sys = Fake::new();
    let stale = [SocketId::new(0, 1), SocketId::new(1, 0), SocketId::new(u32::MAX, 0)];
    sys.report(stale.map(|socket| Report::Key(socket.key())));
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80");
    run(app.service(Hooks::new(&sys, "a").takes("web").hosted()), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(sys.lines(&["a: receive"]), [""; 0]);
    assert_eq!(sys.lines(&["wait"]).len(), 4);
}

#[test]
fn all_pending_signals_are_read_and_the_second_ends_at_once() {
    for (name, answers, at_once) in [
        ("one", vec![Ok(15)], false),
        ("one, after an interrupted read", vec![Err(Errno::INTR), Ok(2)], false),
        ("two", vec![Ok(2), Ok(15)], true),
        ("two with an interruption", vec![Ok(2), Err(Errno::INTR), Ok(15)], true),
    ] {
        let sys = Fake::new();
        sys.answer("signal_read", answers);
        sys.report([Report::Ready(vec![1])]);
        let result = run(App::new("test").seed(1), sys.clone(), Until::Stopped);
        assert_eq!(matches!(result, Err(RunError::StoppedAtOnce)), at_once, "{name}: {result:?}");
        assert_eq!(result.is_ok(), !at_once, "{name}: {result:?}");
        assert_eq!(sys.lines(&["wait", "poll_delete", "close", "kick_disarm"]).len(), 4, "{name}");
    }
}

#[test]
fn signals_that_cannot_be_read_or_set_end_the_host() {
    let sys = Fake::new();
    sys.fail("signal_read", Errno::IO);
    sys.report([Report::Ready(vec![1])]);
    let result = run(App::new("test").seed(1), sys, Until::Stopped);
    assert!(
        matches!(result, Err(RunError::System { call: "read of signalfd", errno: Errno::IO })),
        "{result:?}"
    );

    let sys = Fake::new();
    sys.fail("signals_end_process", Errno::INVAL);
    let app = App::new("test").seed(1).service(Hooks::new(&sys, "a").hosted());
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![1])]);
    let result = run(app, sys.clone(), Until::Stopped);
    assert!(matches!(result, Err(RunError::System { call: "sigaction", errno: Errno::INVAL })), "{result:?}");
    assert_eq!(sys.lines(&["a: stop", "a: drop"]), ["a: stop", "a: drop"]);
}

#[test]
fn facts_that_are_read_after_the_deadline_are_told_before_it() {
    let sys = Fake::new();
    // The report is read long after the wake was due: another process had the processor.
    sys.report([Report::After(Duration::from_secs(60), 1)]);
    let a = Hooks::new(&sys, "a")
        .takes("web")
        .prepare(|_, cx| {
            cx.wake_at(cx.now() + Duration::from_millis(10));
            Ok(())
        })
        .receive(|held, cx, _| {
            cx.wake_never();
            cx.stop();
            Ok(held.listeners[0].accept().map(drop)?)
        });
    run(
        App::new("test").seed(1).listen("web", "127.0.0.1:80").service(a.hosted()),
        sys.clone(),
        Until::Turns(9),
    )
    .unwrap();
    assert_eq!(
        sys.lines(&["a:", "wait"]),
        ["a: connect", "a: prepare", "wait 10", "a: receive", "a: stop", "a: drop"]
    );
}

#[test]
fn facts_that_come_after_the_last_order_are_dropped() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").connect(|held, cx| {
        held.streams.push(cx.start_connect(address())?);
        cx.stop();
        Err(Errno::IO.into())
    });
    sys.witnesses.set(true);
    let result = run(App::new("test").seed(1).service(a.hosted()), sys.clone(), Until::Turns(9));
    assert!(matches!(result, Err(RunError::Service(_))), "{result:?}");
    let facts = sys.lines(&["fact"]);
    assert_eq!(facts.last().map(String::as_str), Some("fact: connect Failed"), "{facts:?}");
}
