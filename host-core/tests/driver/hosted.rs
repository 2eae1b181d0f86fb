//! A host in a worker: when it is ready, how it drains, what it leaves to its siblings, and how it fails.

use crate::fake::*;
use crate::worker_rig::*;
use host_core::app::App;
use host_core::sys::{Errno, Interest};
use host_core::{Connected, Drained, Fleet, Worker};
use std::cell::Cell;
use std::rc::Rc;

/// Runs an event host in a worker; the records of the worker and of its host.
fn host_in_worker(
    script: impl FnOnce(&Fake),
    app: impl Fn(&Rc<Fake>) -> App + 'static,
) -> (Vec<String>, Vec<String>) {
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    script(&child);
    let inside = Rc::clone(&child);
    host(|fleet| fleet.host(move |_| app(&inside)), &sys);
    (child.record(), sys.lines(&["body"]))
}

#[test]
fn a_host_in_a_worker_is_ready_when_it_waits_and_drains_when_it_is_asked_to_quit() {
    let (record, status) = host_in_worker(
        |sys| sys.report([Report::Quit(QUIT)]),
        |sys| {
            let service = Hooks::new(sys, "a").takes("web").drain(|held, cx| {
                assert!(cx.worker().is_some());
                cx.request_done();
                held.listeners.clear();
                Ok(Drained::NotYet)
            });
            App::new("inside").seed(1).service(service.hosted())
        },
    );
    assert_eq!(
        lines(&record, &["a:", "say", "poll", "wait", "close", "count", "signals", "kick_arm"]),
        [
            "poll_add h100 r",
            "poll_add h5 r",
            "a: connect",
            "poll_add_shared h2",
            "a: prepare",
            "say h5 [1] Ok(1)",
            "wait 5000",
            // Once and for all: it was reported for ever.
            "poll_delete h100",
            "a: drain",
            "count 1",
            "poll_delete h2",
            "a: stop",
            "a: drop",
            "close h2",
            "close h3",
        ]
    );
    assert_eq!(status, ["body: exit status 0"]);
}

#[test]
fn a_host_in_a_worker_drains_when_its_own_host_is_gone() {
    let (record, status) = host_in_worker(
        |sys| {
            sys.says(CHANNEL, [Ok(vec![])]);
            sys.report([Report::Ready(vec![CHANNEL])]);
        },
        |sys| App::new("inside").seed(1).service(Hooks::new(sys, "a").hosted()),
    );
    assert_eq!(
        lines(&record, &["a:", "read", "poll_delete h5"]),
        ["a: connect", "a: prepare", "read h5 Ok([])", "poll_delete h5", "a: drain", "a: stop", "a: drop"]
    );
    assert_eq!(status, ["body: exit status 0"]);
}

#[test]
fn a_host_in_a_worker_that_is_told_to_look_registers_its_listeners_anew() {
    let (record, _) = host_in_worker(
        |sys| {
            sys.says(CHANNEL, [Ok(vec![1])]);
            sys.report([Report::Ready(vec![CHANNEL]), Report::Quit(QUIT)]);
        },
        |sys| {
            // One is left alone on purpose: nobody looks at it.
            let service = Hooks::new(sys, "a").connect(|held, cx| {
                held.listeners.push(cx.listener("web")?);
                let mut other = cx.listener("jobs")?;
                other.set_interest(Interest::NONE);
                held.listeners.push(other);
                Ok(Connected::Yes)
            });
            App::new("inside").seed(1).service(service.hosted())
        },
    );
    let looked = lines(&record, &["read", "poll_delete h2", "poll_add_shared", "poll_delete h3"]);
    let begin = looked.iter().position(|line| line.starts_with("read")).expect("it hears");
    assert_eq!(
        looked[begin..begin + 4],
        ["read h5 Ok([1])", "read h5 Err(EAGAIN)", "poll_delete h2", "poll_add_shared h2"]
    );
}

#[test]
fn a_host_in_a_worker_that_closes_a_listener_it_was_woken_for_leaves_that_to_others() {
    // Each: whether it accepts before, and what it says to its host.
    for (accepts, said) in
        [(false, vec!["say h5 [1] Ok(1)", "say h5 [4] Ok(1)"]), (true, vec!["say h5 [1] Ok(1)"])]
    {
        let (record, _) = host_in_worker(
            |sys| sys.report([Report::Ready(vec![LISTENER]), Report::Quit(QUIT)]),
            move |sys| {
                let service = Hooks::new(sys, "a").takes("web").receive(move |held, _, _| {
                    if accepts {
                        assert!(held.listeners[0].accept()?.is_none());
                    }
                    held.listeners.clear();
                    Ok(())
                });
                App::new("inside").seed(1).service(service.hosted())
            },
        );
        assert_eq!(lines(&record, &["say"]), said);
    }
}

#[test]
fn a_listener_that_rests_is_left_to_siblings_if_only_this_process_is_short_of_descriptors() {
    for (errno, left) in [(Errno::MFILE, true), (Errno::NFILE, false), (Errno::NOMEM, false)] {
        let (record, _) = host_in_worker(
            |sys| {
                sys.answer("accept", [Err(errno)]);
                sys.report([Report::Ready(vec![LISTENER]), Report::Quit(QUIT)]);
            },
            |sys| {
                let service = Hooks::new(sys, "a").takes("web").receive(|held, _, _| {
                    assert!(held.listeners[0].accept()?.is_none());
                    Ok(())
                });
                App::new("inside").seed(1).service(service.hosted())
            },
        );
        assert!(lines(&record, &["poll_delete h2"]).len() == 1, "it rests: {record:?}");
        let said: &[_] = if left { &["say h5 [1] Ok(1)", "say h5 [4] Ok(1)"] } else { &["say h5 [1] Ok(1)"] };
        assert_eq!(lines(&record, &["say"]), said, "{errno}");
    }
}

#[test]
fn a_service_in_a_worker_waits_for_its_connections_as_ever_after_a_quit() {
    let (record, _) = host_in_worker(
        |sys| {
            sys.answer("read", [Err(Errno::AGAIN), Ok(1)]);
            sys.report([Report::Quit(QUIT)]);
        },
        |sys| {
            let service = Hooks::new(sys, "a").talks().drain(|held, _| {
                assert_eq!(held.streams[0].read_waiting(&mut [0])?, 1);
                Ok(Drained::Yes)
            });
            App::new("inside").seed(1).service(service.hosted())
        },
    );
    let waits = lines(&record, &["wait_for", "wait_or_quit"]);
    assert_eq!(waits, ["wait_for h101 w 5000", "wait_for h101 r 5000"]);
}

#[test]
fn a_callback_in_a_worker_may_ask_for_time_until_it_has_come_back() {
    let (record, _) = host_in_worker(
        |sys| sys.report([Report::Quit(QUIT)]),
        |sys| {
            let service = Hooks::new(sys, "a").connect(|_, cx| {
                cx.extend(2_000 * MS);
                Ok(Connected::Yes)
            });
            App::new("inside").seed(1).service(service.hosted())
        },
    );
    assert_eq!(
        lines(&record, &["a: connect", "a: prepare", "extend", "say"])[..5],
        ["a: connect", "extend until 2000", "say h5 [3] Ok(1)", "extend until 0", "a: prepare",]
    );
}

#[test]
fn a_drain_in_a_worker_has_the_time_that_its_fleet_gives_unless_it_says_otherwise() {
    for (own, words) in [(None, "wait 630"), (Some(300 * MS), "wait 300")] {
        let sys = Fake::new();
        let child = sys.bears(QUIT);
        child.report([Report::Quit(QUIT), Report::Nothing]);
        let inside = Rc::clone(&child);
        let app = move |_: &Worker| {
            let holds = Hooks::new(&inside, "a").talks().drain(|_, _| Ok(Drained::NotYet));
            let app = App::new("inside").seed(1).service(holds.hosted());
            if let Some(own) = own { app.drain_timeout(own) } else { app }
        };
        host(|fleet| fleet.drain_timeout(700 * MS).host(app), &sys);
        assert_eq!(lines(&child.record(), &["wait "]), ["wait 5000", words]);
    }
}

#[test]
fn a_host_in_a_worker_that_is_described_wrongly_says_so() {
    type Inside = fn(&Rc<Fake>) -> App;
    let rows: [(Inside, &str); 4] = [
        (
            |_| App::new("inside").record("x.rec"),
            "record is in a worker, but must be in the application that is started: all workers would write into one file",
        ),
        (
            |_| App::new("inside").fleet(Fleet::new("g").run(|_| Ok(()))),
            "fleet `g` is in a worker, but must be in the application that is started: workers have no workers",
        ),
        (
            |_| App::new("inside").listen("web", "127.0.0.1:90"),
            "listen `web` is that of the host, too, but needs a name of its own; the host's listeners are there by their names",
        ),
        (|_| App::new("inside").burst(0), "burst is 0, but must be at least 1"),
    ];
    for (app, words) in rows {
        let (record, status) = host_in_worker(|_| {}, app);
        assert_eq!(status, ["body: exit status 78"], "{words}");
        assert!(lines(&record, &["say h5 failed"]).iter().any(|line| line.contains(words)), "{record:?}");
    }
}

#[test]
fn a_host_in_a_worker_whose_handles_cannot_be_watched_fails() {
    let (record, status) =
        host_in_worker(|sys| sys.fail("poll_add", Errno::NOSPC), |_| App::new("inside").seed(1));
    assert_eq!(status, ["body: exit status 71"]);
    assert!(lines(&record, &["say h5 failed"])[0].contains("epoll_ctl failed"), "{record:?}");
}

#[test]
fn a_host_in_a_worker_whose_service_fails_ends_with_the_status_of_that() {
    let (_, status) = host_in_worker(
        |_| {},
        |sys| {
            let fails = Hooks::new(sys, "a").connect(|_, _| Err(Errno::PIPE.into()));
            // A listener of its own is allowed.
            App::new("inside").seed(1).listen("own", "127.0.0.1:90").service(fails.hosted())
        },
    );
    assert_eq!(status, ["body: exit status 70"]);
}

#[test]
fn signs_of_life_come_while_a_host_in_a_worker_runs_callbacks() {
    let calls = Rc::new(Cell::new(0));
    let seen = Rc::clone(&calls);
    let (record, _) = host_in_worker(
        |sys| sys.report([Report::Nothing, Report::Nothing, Report::Quit(QUIT)]),
        move |sys| {
            let seen = Rc::clone(&seen);
            let service = Hooks::new(sys, "a").prepare(move |_, _| {
                seen.set(seen.get() + 1);
                Ok(())
            });
            App::new("inside").seed(1).service(service.hosted())
        },
    );
    assert!(calls.get() >= 1);
    assert_eq!(lines(&record, &["say"]), ["say h5 [1] Ok(1)"]);
    assert!(!lines(&record, &["beat waiting"]).is_empty());
}

#[test]
fn what_a_host_in_a_worker_accepts_is_in_hand_until_it_is_closed_and_no_socket_else_is() {
    let (record, _) = host_in_worker(
        |sys| {
            sys.answer("accept", [Ok(0), Ok(0)]);
            sys.report([Report::Ready(vec![LISTENER]), Report::Quit(QUIT)]);
        },
        |sys| {
            let service = Hooks::new(sys, "a")
                .takes("web")
                .receive(|held, _, _| {
                    while let Some(stream) = held.listeners[0].accept()? {
                        held.streams.push(stream);
                    }
                    held.streams.pop();
                    Ok(())
                })
                .drain(|held, _| {
                    held.listeners.clear();
                    Ok(Drained::Yes)
                });
            App::new("inside").seed(1).service(service.hosted())
        },
    );
    // The last is closed with its service.
    assert_eq!(lines(&record, &["in hand"]), ["in hand 1", "in hand 2", "in hand 1", "in hand 0"]);
}
