//! Listeners that are spread over the workers of a fleet: bound, kept, minded.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::sys::Errno;
use host_core::{Connected, Fleet, Interest, Result, Worker};
use std::rc::Rc;

/// The handles, in the order in which they are opened: the signals, three lanes, both ends of the first worker's
/// channel, its process.
const LANES: [u64; 3] = [2, 3, 4];
const OURS: u64 = 5;
const CHANNEL: u64 = 6;
/// In a worker: that it is asked to quit.
const QUIT: u64 = 100;

/// Three workers are wanted, and one can be forked.
fn app(sys: &Fake, fleet: impl FnOnce(Fleet) -> Fleet) -> App {
    sys.answer("fork", [Ok(0), Err(Errno::AGAIN), Err(Errno::AGAIN)]);
    let fleet = fleet(Fleet::new("f").workers(3)).listen_spread("web", "127.0.0.1:0");
    App::new("test").seed(1).poll_period_off().fleet(fleet)
}

/// Runs it until its poller breaks.
fn run_it(sys: &Rc<Fake>, app: App) {
    sys.report([Report::Fails(Errno::BADF)]);
    let ended = run(app, sys.clone(), Until::Stopped);
    assert!(matches!(ended, Err(RunError::System { call: "epoll_wait", errno: Errno::BADF })), "{ended:?}");
}

/// Runs a body in the worker of slot 0, whose system was prepared by `script`; the worker's record.
fn work(script: impl FnOnce(&Fake), fleet: impl FnOnce(Fleet, &Rc<Fake>) -> Fleet) -> Vec<String> {
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    script(&child);
    let app = app(&sys, |plain| fleet(plain, &child));
    run_it(&sys, app);
    assert_eq!(sys.lines(&["body"]), ["body: exit status 0"]);
    child.lines(&["accept", "poll", "read h6", "say"])
}

#[test]
fn the_host_binds_a_socket_for_each_worker_keeps_them_for_all_and_closes_them_at_its_end() {
    let sys = Fake::new();
    let other = Fleet::new("g").workers(1).listen_spread("own", "127.0.0.1:0").run(|_| Ok(()));
    let app = app(&sys, |fleet| fleet.run(|_| Ok(()))).listen("all", "127.0.0.1:0").fleet(other);
    run_it(&sys, app);
    // What is spread is its fleet's alone, and what is not is everybody's.
    let forks = sys.lines(&["fork"]);
    assert!(forks[0].starts_with("fork `f: worker 0 (gen 1)` keep h2 h3 h4 h5 h8 slot"), "{forks:?}");
    assert_eq!(
        sys.lines(&["listen"]),
        ["listen h2 1024", "listen_spread h3 1024 x3", "listen_spread h6 1024 x1"]
    );
    let closed = sys.lines(&["close"]);
    for handle in 2..=6 {
        let count = closed.iter().filter(|line| **line == format!("close h{handle}")).count();
        assert_eq!(count, 1, "h{handle}: {closed:?}");
    }
}

#[test]
fn as_many_sockets_are_bound_as_processors_if_nobody_says_how_many_workers() {
    let sys = Fake::new();
    let fleet = Fleet::new("f").listen_spread("web", "127.0.0.1:0").run(|_| Ok(()));
    run_it(&sys, App::new("test").seed(1).fleet(fleet));
    let processors = host_core::sys::Processes::processors(&*sys);
    assert_eq!(sys.lines(&["listen_spread"]), [format!("listen_spread h2 1024 x{processors}")]);
    assert_eq!(sys.lines(&["fork"]).len(), processors as usize);
}

#[test]
fn what_cannot_be_bound_is_a_mistake_like_any_other() {
    let sys = Fake::new();
    sys.fail("listen_spread", Errno::ADDRINUSE);
    let fleet = |name: &str| Fleet::new(name).workers(3).run(|_| Ok(()));
    let app = App::new("test")
        .listen("web", "127.0.0.1:0")
        .fleet(fleet("f").listen_spread("web", "127.0.0.1:80").listen_spread("unix", "unix:/tmp/x"))
        .fleet(fleet("g").listen_spread("unix", "nowhere").listen_spread("other", "127.0.0.1:81"));
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Stopped) else { panic!("it is refused") };
    let mistakes: Vec<_> = error.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "listen_spread is `web` twice, but each listener needs a name of its own",
            "listen_spread `unix` is `unix:/tmp/x`, but must be an IP address and a port: the kernel spreads no connections of Unix sockets",
            "listen_spread is `unix` twice, but each listener needs a name of its own",
            "listen_spread `unix` is `nowhere`, but must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:0",
            "listen_spread `web` is 127.0.0.1:80, but cannot be bound: address already in use (EADDRINUSE)",
        ]
    );
    assert_eq!(sys.lines(&["close"]), ["close h1", "close h2", "close h3", "close h4"], "nothing stays open");
}

#[test]
fn a_service_of_the_host_cannot_take_what_is_spread_over_workers() {
    let sys = Fake::new();
    let service = Hooks::new(&sys, "a").connect(|_, cx| {
        let error = cx.listener("web").unwrap_err();
        assert_eq!(
            error.to_string(),
            "listener `web` is spread over the workers of fleet `f`: only they can take it"
        );
        assert!(cx.listener_address("web").is_some(), "it may be told where that is");
        Ok(Connected::NotYet)
    });
    let app = app(&sys, |fleet| fleet.run(|_| Ok(()))).service(service.hosted());
    run_it(&sys, app);
    assert_eq!(sys.lines(&["a:"]).first().map(String::as_str), Some("a: connect"));
}

#[test]
fn a_worker_is_told_its_lanes_and_again_if_its_channel_is_full() {
    let sys = Fake::new();
    sys.says(OURS, [Ok(vec![1])]);
    sys.report([Report::Ready(vec![OURS]), Report::Nothing, Report::Nothing]);
    sys.answer("write", [Err(Errno::INTR), Err(Errno::AGAIN)]);
    let app = app(&sys, |fleet| fleet.run(|_| Ok(())));
    run_it(&sys, app);
    assert_eq!(
        sys.lines(&["say"]),
        ["say h5 [2, 7] Err(EINTR)", "say h5 [2, 7] Err(EAGAIN)", "say h5 [2, 7] Ok(2)"]
    );
}

/// Takes one connection.
fn take(worker: &mut Worker) -> Result {
    worker.accept("web")?.map(drop).ok_or_else(|| "it is not wanted".into())
}

#[test]
fn a_worker_accepts_from_the_lane_of_its_slot_until_it_is_told_to_mind_others() {
    const NONE: core::result::Result<usize, Errno> = Err(Errno::AGAIN);
    let record = work(
        |sys| {
            sys.says(CHANNEL, [Err(Errno::AGAIN)]);
            sys.answer("accept", [NONE, NONE, NONE, NONE, Ok(0)]);
            sys.report([
                Report::Ready(vec![CHANNEL]),
                Report::Ready(vec![CHANNEL]),
                Report::Ready(vec![LANES[2]]),
            ]);
            // The first is heard when it waits, the second before it looks anew.
            sys.says(CHANNEL, [Ok(vec![2, 0b101]), NONE_HEARD, NONE_HEARD, NONE_HEARD, Ok(vec![2, 0b100])]);
        },
        |fleet, _| fleet.run(take),
    );
    let calls: Vec<_> = record.iter().filter(|line| !line.starts_with("say")).collect();
    assert_eq!(
        calls,
        [
            "read h6 Err(EAGAIN)",
            "accept h2 Err(EAGAIN)",
            "poll_add h100 r",
            "poll_add h6 r",
            "poll_add_shared h2",
            "read h6 Ok([2, 5])",
            "read h6 Err(EAGAIN)",
            "read h6 Err(EAGAIN)",
            "accept h2 Err(EAGAIN)",
            "accept h4 Err(EAGAIN)",
            "poll_add_shared h4",
            "read h6 Err(EAGAIN)",
            "read h6 Ok([2, 4])",
            "read h6 Err(EAGAIN)",
            "accept h4 Err(EAGAIN)",
            "poll_delete h2",
            "read h6 Err(EAGAIN)",
            "accept h4 Ok(0)",
        ]
    );
}

const NONE_HEARD: core::result::Result<Vec<u8>, Errno> = Err(Errno::AGAIN);

#[test]
fn one_that_never_has_to_wait_hears_of_its_lanes_and_takes_from_each_in_turn() {
    let record = work(
        |sys| {
            sys.says(CHANNEL, [NONE_HEARD, Ok(vec![2, 0b111])]);
            sys.answer("accept", [Ok(0); 5]);
        },
        |fleet, _| {
            fleet.run(|worker| {
                for _ in 0..5 {
                    take(worker)?;
                }
                Ok(())
            })
        },
    );
    let accepts: Vec<_> = record.iter().filter(|line| line.starts_with("accept")).collect();
    assert_eq!(
        accepts,
        ["accept h2 Ok(0)", "accept h3 Ok(0)", "accept h4 Ok(0)", "accept h2 Ok(0)", "accept h3 Ok(0)"]
    );
}

#[test]
fn a_worker_that_is_asked_to_quit_says_once_that_it_takes_no_more() {
    let record = work(
        |sys| sys.report([Report::Quit(QUIT)]),
        |fleet, _| {
            fleet.run(|worker| {
                assert!(worker.accept("web")?.is_none());
                assert!(worker.accept("web")?.is_none() && !worker.wanted());
                Ok(())
            })
        },
    );
    let said: Vec<_> =
        record.iter().filter(|line| line.starts_with("say") || line.starts_with("accept")).collect();
    assert_eq!(said, ["say h6 [1] Ok(1)", "accept h2 Err(EAGAIN)", "say h6 [5] Ok(1)"]);
}

#[test]
fn a_lane_that_cannot_be_watched_ends_the_worker_and_nothing_is_half_done() {
    let sys = Fake::new();
    let child = sys.bears(QUIT);
    child.says(CHANNEL, [Ok(vec![2, 0b111])]);
    child.answer("poll_add", [Ok(0), Ok(0), Ok(0), Err(Errno::NOSPC)]);
    let app = app(&sys, |fleet| fleet.run(take));
    run_it(&sys, app);
    assert_eq!(sys.lines(&["body"]), ["body: exit status 70"]);
    assert_eq!(child.lines(&["poll_delete"]), ["poll_delete h2"]);
}

#[test]
fn a_host_in_a_worker_watches_the_lanes_that_it_minds_as_one_listener() {
    let record = work(
        |sys| {
            sys.says(CHANNEL, [Ok(vec![2, 0b11]), NONE_HEARD, Ok(vec![1]), NONE_HEARD, Ok(vec![2, 0b10])]);
            sys.answer("accept", [Err(Errno::AGAIN), Ok(0)]);
            sys.report([
                Report::Ready(vec![CHANNEL]),
                Report::Ready(vec![LANES[1]]),
                Report::Ready(vec![CHANNEL]),
                Report::Ready(vec![CHANNEL]),
                Report::Quit(QUIT),
            ]);
        },
        |fleet, child| {
            let sys = Rc::clone(child);
            fleet.host(move |_| {
                let service = Hooks::new(&sys, "a").takes("web").receive(|held, _, ready| {
                    assert_eq!(ready.socket, held.listeners[0].id());
                    held.streams.extend(held.listeners[0].accept()?);
                    Ok(())
                });
                App::new("inside").seed(1).poll_period_off().service(service.hosted())
            })
        },
    );
    let calls: Vec<_> = record.iter().filter(|line| !line.starts_with("poll_add h")).collect();
    assert_eq!(
        calls,
        [
            "poll_add_shared h2",
            "say h6 [1] Ok(1)",
            "read h6 Ok([2, 3])",
            "read h6 Err(EAGAIN)",
            "poll_add_shared h3",
            "accept h2 Err(EAGAIN)",
            "accept h3 Ok(0)",
            "read h6 Ok([1])",
            "read h6 Err(EAGAIN)",
            "poll_delete h2",
            "poll_delete h3",
            "poll_add_shared h2",
            "poll_add_shared h3",
            "read h6 Ok([2, 2])",
            // Whoever minds the lane that it leaves may not have been woken for what waits there.
            "say h6 [4] Ok(1)",
            "read h6 Err(EAGAIN)",
            "poll_delete h2",
            "poll_delete h100",
            "say h6 [5] Ok(1)",
            "poll_delete h3",
            "poll_delete h101"
        ]
    );
}

#[test]
fn a_listener_that_is_left_alone_for_a_while_comes_back_with_the_lanes_of_that_moment() {
    let record = work(
        |sys| {
            sys.says(CHANNEL, [Ok(vec![2, 0b110])]);
            sys.report([
                Report::Ready(vec![LANES[0]]),
                Report::Ready(vec![CHANNEL]),
                Report::Nothing,
                Report::Quit(QUIT),
            ]);
        },
        |fleet, child| {
            let sys = Rc::clone(child);
            fleet.host(move |_| {
                let service = Hooks::new(&sys, "a")
                    .takes("web")
                    .receive(|held, cx, _| {
                        held.listeners[0].set_interest(Interest::NONE);
                        cx.wake_at(cx.now() + core::time::Duration::from_millis(5));
                        Ok(())
                    })
                    .wake(|held, _| {
                        held.listeners[0].set_interest(Interest::READ);
                        Ok(())
                    });
                App::new("inside").seed(1).poll_period_off().service(service.hosted())
            })
        },
    );
    let calls: Vec<_> = record.iter().filter(|line| !line.starts_with("poll_add h")).collect();
    assert_eq!(
        calls,
        [
            "poll_add_shared h2",
            "say h6 [1] Ok(1)",
            "poll_delete h2",
            "say h6 [4] Ok(1)",
            "read h6 Ok([2, 6])",
            "say h6 [4] Ok(1)",
            "read h6 Err(EAGAIN)",
            "poll_add_shared h3",
            "poll_add_shared h4",
            "poll_delete h100",
            "say h6 [5] Ok(1)",
            "poll_delete h3",
            "poll_delete h4"
        ]
    );
}
