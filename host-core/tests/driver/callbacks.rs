//! Callbacks: how they are called, how they fail, and what they can ask of their host.

use crate::fake::*;
use host_core::app::{App, ListenerError};
use host_core::driver::{Until, run};
use host_core::error::{Cause, ConfigError, RunError, ServiceError};
use host_core::random::Random;
use host_core::service::kick::Callback;
use host_core::sys::Errno;
use host_core::time::{Duration, Instant};
use host_core::{Connected, Hosted};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

const MS: Duration = Duration::from_millis(1);

/// An application whose notifier writes into the record.
fn app(sys: &Rc<Fake>) -> App {
    let notes = Rc::clone(sys);
    App::new("test").seed(1).notifier(move |failure| notes.note(format!("notified {failure}")))
}

fn service_error(result: Result<(), RunError>) -> ServiceError {
    match result {
        Err(RunError::Service(error)) => error,
        other => panic!("a service must have failed: {other:?}"),
    }
}

#[test]
fn ph_c2_an_error_is_notified_once_and_comes_out_of_run() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").prepare(|_, _| Err(Errno::PIPE.into()));
    let b = Hooks::new(&sys, "b");
    let error =
        service_error(run(app(&sys).service(a.hosted()).service(b.hosted()), sys.clone(), Until::Turns(9)));
    assert_eq!((&*error.service, error.callback), ("a", Callback::Prepare));
    assert_eq!(error.downcast_ref(), Some(&Errno::PIPE));
    assert_eq!(
        sys.lines(&["a:", "b:", "notified", "tell service `a` failed"]),
        [
            "a: connect",
            "a: prepare",
            "tell service `a` failed in prepare: the connection has ended (EPIPE)",
            "notified service `a` failed in prepare: the connection has ended (EPIPE)",
            "a: drop",
            "b: drop",
        ]
    );
}

#[test]
fn ph_c4_a_notifier_that_panics_is_told_too_and_hides_nothing() {
    let sys = Fake::new();
    let calls = Rc::new(Cell::new(0));
    let count = Rc::clone(&calls);
    let a = Hooks::new(&sys, "a").connect(|_, _| Err(Errno::PIPE.into()));
    let app = App::new("test").seed(1).service(a.hosted()).notifier(move |_| {
        count.set(count.get() + 1);
        panic!("out of paper")
    });
    let error = service_error(run(app, sys.clone(), Until::Turns(9)));
    assert_eq!(error.downcast_ref(), Some(&Errno::PIPE));
    assert_eq!(calls.get(), 1);
    assert_eq!(
        sys.lines(&["tell service `a` failed"]),
        [
            "tell service `a` failed in connect: the connection has ended (EPIPE)",
            "tell service `a` failed in connect: panicked: out of paper",
        ]
    );
}

#[test]
fn a_panic_in_a_callback_is_an_error_of_its_service() {
    for callback in [Callback::Connect, Callback::Prepare, Callback::Wake, Callback::Stop] {
        let sys = Fake::new();
        let oops = move |which| {
            if which == callback {
                panic!("oops");
            }
        };
        let a = Hooks::new(&sys, "a")
            .connect(move |_, cx| {
                cx.wake_at(cx.now() + MS);
                oops(Callback::Connect);
                Ok(Connected::Yes)
            })
            .prepare(move |_, _| {
                oops(Callback::Prepare);
                Ok(())
            })
            .wake(move |_, _| {
                oops(Callback::Wake);
                Ok(())
            })
            .stop(move |_, _| {
                oops(Callback::Stop);
                Ok(())
            });
        let error = service_error(run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(3)));
        assert_eq!(error.callback, callback);
        assert!(matches!(error.cause, Cause::Panicked(panic) if panic.message == "oops"));
    }
}

#[test]
fn a_callback_that_did_much_before_it_failed_still_gives_its_own_error() {
    let sys = Fake::new();
    let inner = Rc::clone(&sys);
    let a = Hooks::new(&sys, "a").connect(move |held, cx| {
        cx.add(Hooks::new(&inner, "b").hosted())?;
        held.streams.push(cx.start_connect(address())?);
        cx.wake_at(Instant::ZERO);
        cx.stop();
        Err(Errno::PIPE.into())
    });
    let error = service_error(run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(3)));
    assert_eq!(error.downcast_ref(), Some(&Errno::PIPE));
    assert_eq!(sys.lines(&["tell service `b`"]), ["tell service `b` added"], "without another's error");
    assert_eq!(sys.lines(&["b:"]), ["b: drop"]);
}

#[test]
fn a_failed_connect_that_is_retried_is_told_with_its_error_whatever_else_it_did() {
    let sys = Fake::new();
    let inner = Rc::clone(&sys);
    let a = Hooks::new(&sys, "a").connect(move |_, cx| {
        let _ = cx.add(Hooks::new(&inner, "b").hosted());
        Err(Errno::CONNREFUSED.into())
    });
    run(app(&sys).service(a.hosted().retry_connect_errors()), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(
        sys.lines(&["tell service"]),
        [
            "tell service `a` added",
            "tell service `b` added",
            "tell service `a`: connect failed (try 1): connection refused (ECONNREFUSED); again in the next turn (connection refused (ECONNREFUSED))",
        ]
    );
}

#[test]
fn a_panic_that_is_retried_is_told_as_well() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").connect(|_, _| panic!("oops"));
    run(app(&sys).service(a.hosted().retry_connect_errors()), sys.clone(), Until::Turns(1)).unwrap();
    let told = sys.lines(&["tell service `a`: connect failed"]);
    assert_eq!(
        told,
        ["tell service `a`: connect failed (try 1): panicked: oops; again in the next turn (panicked: oops)"]
    );
}

#[test]
fn services_whose_stop_fails_are_notified_each_and_the_first_comes_out_of_run() {
    let sys = Fake::new();
    let failing = |name| Hooks::new(&sys, name).stop(|_, _| Err(Errno::IO.into())).hosted();
    let app = app(&sys).service(failing("a")).service(Hooks::new(&sys, "b").hosted()).service(failing("c"));
    let error = service_error(run(app, sys.clone(), Until::Turns(0)));
    assert_eq!(error.service, "c");
    assert_eq!(
        sys.lines(&["a:", "b:", "c:", "notified"]),
        [
            "c: stop",
            "notified service `c` failed in stop: input/output error (EIO)",
            "c: drop",
            "b: stop",
            "b: drop",
            "a: stop",
            "notified service `a` failed in stop: input/output error (EIO)",
            "a: drop",
        ]
    );
}

#[test]
fn a_service_whose_drop_panics_is_told_and_its_sockets_are_closed() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").talks().dropped(|| panic!("not like this"));
    run(app(&sys).service(a.hosted()).service(Hooks::new(&sys, "b").hosted()), sys.clone(), Until::Turns(1))
        .unwrap();
    assert_eq!(
        sys.lines(&["b: drop", "a: drop", "tell service `a` failed", "close", "tell host stopped"]),
        [
            "b: drop",
            "a: drop",
            "close h1",
            "tell service `a` failed in stop: panicked: not like this",
            "tell host stopped",
        ]
    );
}

#[test]
fn a_socket_that_a_service_hid_is_closed_with_it() {
    let sys = Fake::new();
    let hidden = Rc::new(RefCell::new(Vec::new()));
    let there = Rc::clone(&hidden);
    let a = Hooks::new(&sys, "a").connect(move |_, cx| {
        there.borrow_mut().push(cx.connect_to(address())?);
        Ok(Connected::Yes)
    });
    let b = Hooks::new(&sys, "b").talks();
    run(app(&sys).service(a.hosted()).service(b.hosted()), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(
        sys.lines(&["a: drop", "b: drop", "poll_delete", "close"]),
        ["b: drop", "poll_delete h2", "close h2", "a: drop", "poll_delete h1", "close h1"]
    );
    let mut stream = hidden.borrow_mut().pop().unwrap();
    assert_eq!(stream.try_read(&mut [0; 4]), Err(Errno::BADF));
    assert_eq!(stream.try_write(b"x"), Err(Errno::BADF));
    let before = sys.record();
    drop(stream);
    assert_eq!(sys.record(), before, "it is closed once");
}

#[test]
fn a_service_that_was_added_too_late_to_be_heard_of_is_dropped_with_the_others() {
    let sys = Fake::new();
    sys.fail("poll_add", Errno::NOSPC);
    let inner = Rc::clone(&sys);
    let a = Hooks::new(&sys, "a")
        .connect(|held, cx| {
            held.streams.push(cx.start_connect(address())?);
            Ok(Connected::Yes)
        })
        // The host hears first that the socket cannot be watched, and ends.
        .prepare(move |_, cx| Ok(cx.add(Hooks::new(&inner, "b").dropped(|| panic!("so soon?")).hosted())?));
    let app = app(&sys).listen("web", "127.0.0.1:80").service(a.hosted());
    let error = service_error(run(app, sys.clone(), Until::Turns(9)));
    assert!(matches!(error.cause, Cause::NotWatched { errno: Errno::NOSPC }), "{error}");
    assert_eq!(
        sys.lines(&["a: drop", "b: ", "tell service `b` failed", "close"]),
        ["a: drop", "close h2", "b: drop", "tell service `b` failed in stop: panicked: so soon?", "close h1",]
    );
}

#[test]
fn ph_c16_each_callback_beats_before_it_is_called_and_each_wait_beats_before_it_waits() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a")
        .connect(|held, cx| {
            held.listeners.push(cx.listener("web")?);
            cx.work(3 * MS);
            cx.wake_at(cx.now() + 20 * MS);
            Ok(Connected::Yes)
        })
        .receive(|held, cx, _| {
            let _ = held.listeners[0].accept()?;
            cx.work(2 * MS);
            Ok(())
        });
    sys.report([Report::Ready(vec![1])]);
    let app = app(&sys).listen("web", "127.0.0.1:80").service(a.hosted());
    run(app, sys.clone(), Until::Turns(2)).unwrap();
    assert_eq!(
        sys.lines(&["beat", "wait", "a:"]),
        [
            "beat connect 0 at 0",
            "a: connect",
            "beat prepare 0 at 3",
            "a: prepare",
            "beat waiting at 3",
            "wait 20",
            "beat loop at 3",
            "beat receive 0 at 3",
            "a: receive",
            "beat prepare 0 at 5",
            "a: prepare",
            "beat waiting at 5",
            "wait 18",
            "beat loop at 23",
            "beat stop 0 at 23",
            "a: stop",
            // A destructor may hang as well.
            "beat stop 0 at 23",
            "a: drop",
        ]
    );
}

#[test]
fn ph_c6_a_host_that_never_waits_beats_whenever_it_looks() {
    let sys = Fake::new();
    run(app(&sys).poll_period(Duration::ZERO), sys.clone(), Until::Turns(3)).unwrap();
    assert_eq!(sys.lines(&["beat", "wait"]), ["wait 0", "beat loop at 0"].repeat(3));
}

#[test]
fn dispatches_are_told_before_each_callback_if_anybody_reads_them() {
    let sys = Fake::new();
    sys.wants_dispatches.set(true);
    run(app(&sys).service(Hooks::new(&sys, "a").hosted()), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(
        sys.lines(&["tell service", "a:"]),
        [
            "tell service `a` added",
            "tell service `a`: connect",
            "a: connect",
            "tell service `a`: prepare",
            "a: prepare",
            "tell service `a`: stop",
            "a: stop",
            "a: drop",
        ]
    );
}

#[test]
fn an_application_reads_each_notice_and_is_not_ended_by_a_panic_in_reading() {
    let sys = Fake::new();
    let notes = Rc::clone(&sys);
    let app = app(&sys).listen("web", "127.0.0.1:80").service(Hooks::new(&sys, "a").hosted()).on_notice(
        move |record| {
            notes.note(format!("read {record} {:?} {:?}", record.subject, record.service));
            panic!("cannot read");
        },
    );
    run(app, sys.clone(), Until::Turns(0)).unwrap();
    assert_eq!(
        sys.lines(&["read"]),
        [
            r#"read listener `web` is bound to 10.0.0.1:7 Some("web") None"#,
            r#"read service `a` added Some("a") Some(ServiceId(0))"#,
            "read host started with 1 services None None",
            "read stopping: the application asked for it None None",
            "read host stopped None None",
        ]
    );
}

#[test]
fn a_service_sees_its_name_the_clocks_and_the_listeners_through_its_context() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").connect(|_, cx| {
        assert_eq!(cx.service(), "a");
        cx.work(7 * MS);
        assert_eq!(cx.now(), Instant::ZERO + 7 * MS);
        assert_eq!(cx.wall().0, 7_001_000);
        assert_eq!(cx.listener_address("web"), Some(ADDRESS.parse()?));
        assert_eq!(cx.listener_address("jobs"), None);
        Ok(Connected::Yes)
    });
    run(app(&sys).listen("web", "127.0.0.1:0").service(a.hosted()), sys.clone(), Until::Turns(1)).unwrap();
}

#[test]
fn the_randomness_of_services_follows_from_the_seed_and_is_not_that_of_the_jitter() {
    let numbers = |seed| {
        let sys = Fake::new();
        let drawn = Rc::new(RefCell::new(Vec::new()));
        let into = Rc::clone(&drawn);
        let a = Hooks::new(&sys, "a").connect(move |_, cx| {
            into.borrow_mut().extend([cx.random(), cx.random()]);
            Ok(Connected::Yes)
        });
        run(App::new("test").seed(seed).service(a.hosted()), sys, Until::Turns(1)).unwrap();
        drawn.take()
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    let mut jitter = Random::new(1);
    assert_ne!(numbers(1), [jitter.next_u64(), jitter.next_u64()]);
    let drawn = numbers(1);
    assert_ne!(drawn[0], drawn[1]);
}

#[test]
fn ph_c13_a_service_can_be_added_by_a_callback_once_under_its_name() {
    let sys = Fake::new();
    let inner = Rc::clone(&sys);
    let refused = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&refused);
    let a = Hooks::new(&sys, "a").connect(move |_, cx| {
        let hooks = |name| Hooks::new(&inner, name);
        cx.add(hooks("b").hosted())?;
        for name in ["a", "b", ""] {
            let ConfigError { mistakes } = cx.add(Hosted::new(name, hooks("refused"))).unwrap_err();
            into.borrow_mut().extend(mistakes.iter().map(ToString::to_string));
        }
        Ok(Connected::Yes)
    });
    run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(2)).unwrap();
    assert_eq!(
        *refused.borrow(),
        [
            "service is `a` twice, but each needs a name of its own: Hosted::new(name, service)",
            "service is `b` twice, but each needs a name of its own: Hosted::new(name, service)",
            "name of service is ``, but must have 1 to 64 bytes and no control characters",
        ]
    );
    assert_eq!(
        sys.lines(&["kick_name", "a:", "b:", "wait"]),
        [
            "kick_name 0 a",
            "a: connect",
            "kick_name 1 b",
            "a: prepare",
            "wait 0",
            "b: connect",
            "b: prepare",
            "wait 5000",
            "b: stop",
            "b: drop",
            "a: stop",
            "a: drop",
        ]
    );
}

#[test]
fn a_service_added_while_the_host_stops_is_dropped_uncalled() {
    let sys = Fake::new();
    let inner = Rc::clone(&sys);
    let a = Hooks::new(&sys, "a").stop(move |_, cx| Ok(cx.add(Hooks::new(&inner, "b").hosted())?));
    run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(0)).unwrap();
    assert_eq!(sys.lines(&["a:", "b:"]), ["a: stop", "b: drop", "a: drop"]);
}

#[test]
fn wakes_reconnects_and_stops_that_a_callback_asks_for_reach_the_host() {
    let sys = Fake::new();
    let connects = Rc::new(Cell::new(0));
    let count = Rc::clone(&connects);
    let a = Hooks::new(&sys, "a")
        .connect(move |_, cx| {
            count.set(count.get() + 1);
            cx.wake_at(cx.now() + 10 * MS);
            Ok(Connected::Yes)
        })
        .wake(move |_, cx| {
            match connects.get() {
                1 => cx.reconnect(),
                2 => {
                    cx.wake_at(cx.now() + MS);
                    cx.wake_never();
                    cx.stop();
                }
                _ => {}
            }
            Ok(())
        });
    run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(100)).unwrap();
    assert_eq!(
        sys.lines(&["a:", "wait"]),
        [
            "a: connect",
            "a: prepare",
            "wait 10",
            "a: wake",
            "wait 0",
            "a: connect",
            "a: prepare",
            "wait 10",
            "a: wake",
            "a: stop",
            "a: drop",
        ]
    );
}

#[test]
fn a_reconnect_after_a_failure_comes_when_the_policy_says_and_not_in_the_next_turn() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a")
        .connect(|_, cx| {
            cx.wake_at(cx.now() + 10 * MS);
            Ok(Connected::Yes)
        })
        .wake(|_, cx| {
            cx.reconnect_later();
            Ok(())
        });
    run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(3)).unwrap();
    assert_eq!(
        sys.lines(&["a: connect", "a: wake", "wait"]),
        ["a: connect", "wait 10", "a: wake", "wait 5000", "a: connect", "wait 10"]
    );
}

#[test]
fn a_wake_that_was_taken_back_never_comes() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").connect(|_, cx| {
        cx.wake_at(cx.now() + MS);
        cx.wake_never();
        Ok(Connected::Yes)
    });
    run(app(&sys).service(a.hosted()), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(sys.lines(&["wait"]), ["wait 5000"]);
}

#[test]
fn a_listener_is_lent_to_one_service_at_a_time_and_unknown_names_are_errors() {
    let sys = Fake::new();
    let a = Hooks::new(&sys, "a").takes("web");
    let b = Hooks::new(&sys, "b").connect(|_, cx| {
        let name = String::from("web");
        assert_eq!(cx.listener("web").unwrap_err(), ListenerError::InUse { name });
        let known = vec!["web".into(), "jobs".into()];
        assert_eq!(cx.listener("wep").unwrap_err(), ListenerError::Unknown { name: "wep".into(), known });
        cx.listener("jobs")?;
        Ok(Connected::Yes)
    });
    let app = app(&sys).listen("web", "127.0.0.1:80").listen("jobs", "127.0.0.1:81");
    run(app.service(a.hosted()).service(b.hosted()), sys.clone(), Until::Turns(1)).unwrap();
}
