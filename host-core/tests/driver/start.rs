//! What happens before the first callback, and what is undone when that fails.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::error::RunError;
use host_core::sys::Errno;
use host_core::time::Duration;

#[test]
fn mistakes_of_binding_are_listed_with_all_others_and_everything_is_closed_again() {
    let sys = Fake::new();
    sys.answer("listen", [Ok(0), Err(Errno::ADDRINUSE), Ok(0), Ok(0)]);
    sys.answer("local_address", [Ok(0), Err(Errno::BADF), Ok(0)]);
    let app = App::new("test")
        .burst(0)
        .backlog(9)
        .listen("web", "127.0.0.1:80")
        .listen("jobs", "127.0.0.1:81")
        .listen("odd", "localhost:82")
        .listen("mail", "127.0.0.1:83")
        .listen("logs", "127.0.0.1:84");
    let Err(RunError::Config(error)) = run(app, sys.clone(), Until::Stopped) else {
        panic!("it must not start")
    };
    let mistakes: Vec<_> = error.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        mistakes,
        [
            "burst is 0, but must be at least 1",
            "listen `odd` is `localhost:82`, but must be an IP address and a port, such as 127.0.0.1:8080 or [::1]:0, or unix: and a path of at most 107 bytes",
            "listen `jobs` is 127.0.0.1:81, but cannot be bound: address already in use (EADDRINUSE)",
            "listen `mail` is 127.0.0.1:83, but cannot be bound: bad or closed descriptor (EBADF)",
        ]
    );
    assert_eq!(
        sys.record(),
        [
            "listen h1 9",
            "listen 9 EADDRINUSE",
            "listen h2 9",
            "close h2",
            "listen h3 9",
            "close h1",
            "close h3"
        ]
    );
}

#[test]
fn a_backlog_of_zero_is_a_mistake_and_never_asked_of_the_system() {
    let sys = Fake::new();
    let app = App::new("test").backlog(0).listen("web", "127.0.0.1:80");
    assert!(matches!(run(app, sys.clone(), Until::Stopped), Err(RunError::Config(_))));
    assert_eq!(sys.record(), ["listen h1 1", "close h1"]);
}

#[test]
fn a_start_that_fails_half_way_undoes_what_it_did_and_nothing_else() {
    let rows: [(&str, &str, &[&str]); 3] = [
        // The kick is another host's: giving it back would take it from that one.
        ("kick_arm", "arming of the kick", &["kick_arm 12000"]),
        ("signals", "signalfd", &["kick_arm 12000", "signals [Int, Quit, Term]", "kick_disarm"]),
        (
            "poll_add",
            "epoll_ctl",
            &[
                "kick_arm 12000",
                "signals [Int, Quit, Term]",
                "poll_add h1 r",
                "poll_delete h1",
                "close h1",
                "kick_disarm",
            ],
        ),
    ];
    for (failing, named, expected) in rows {
        let sys = Fake::new();
        sys.fail(failing, Errno::BUSY);
        let app =
            App::new("test").seed(1).listen("web", "127.0.0.1:80").service(Hooks::new(&sys, "a").hosted());
        let Err(RunError::System { call, errno }) = run(app, sys.clone(), Until::Stopped) else {
            panic!("{failing}: it must not start")
        };
        assert_eq!((call, errno), (named, Errno::BUSY));
        let calls = sys.lines(&["listen", "kick", "signals", "poll", "close", "a: connect"]);
        assert_eq!(calls, expected, "{failing}");
    }
}

#[test]
fn a_host_for_some_turns_leaves_the_signals_of_its_process_alone() {
    let sys = Fake::new();
    sys.report([Report::Key(u64::MAX)]);
    run(App::new("test").seed(1), sys.clone(), Until::Turns(1)).unwrap();
    assert_eq!(sys.lines(&["kick", "signal", "poll", "close"]), [""; 0]);
}

#[test]
fn a_host_that_was_stopped_gives_back_signals_kick_and_listeners() {
    let sys = Fake::new();
    sys.answer("signal_read", [Ok(15)]);
    sys.report([Report::Ready(vec![1])]);
    let app = App::new("test").seed(1).listen("web", "127.0.0.1:80");
    run(app, sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.record(),
        [
            // Until its signals are its own, a kick would end the process.
            "beat loop at 0",
            "kick_arm 12000",
            "signals [Int, Quit, Term]",
            "poll_add h1 r",
            "listen h2 1024",
            "tell listener `web` is bound to 10.0.0.1:7",
            "tell host started with 0 services",
            "beat waiting at 0",
            "wait 5000",
            "beat loop at 0",
            "tell stopping: TERM received",
            "signals_end_process [Int, Term]",
            "tell host stopped",
            "poll_delete h1",
            "close h1",
            "kick_disarm",
            "close h2",
        ]
    );
}

#[test]
fn a_listener_that_cannot_be_bound_gives_the_signals_back() {
    let sys = Fake::new();
    sys.answer("listen", [Ok(0), Err(Errno::ADDRINUSE)]);
    let app = App::new("test").listen("web", "127.0.0.1:80").listen("jobs", "127.0.0.1:81");
    assert!(matches!(run(app, sys.clone(), Until::Stopped), Err(RunError::Config(_))));
    assert_eq!(
        sys.lines(&["listen", "kick", "signals", "poll", "close"]),
        [
            "kick_arm 12000",
            "signals [Int, Quit, Term]",
            "poll_add h1 r",
            "listen h2 1024",
            "listen 1024 EADDRINUSE",
            "close h2",
            "poll_delete h1",
            "close h1",
            "kick_disarm",
        ]
    );
}

#[test]
fn the_seed_is_the_applications_or_the_systems_randomness() {
    for (app, begun, asked) in
        [(App::new("test").seed(7), "begin 7", 0), (App::new("test"), &*format!("begin {}", 0x5eed), 1)]
    {
        let sys = Fake::new();
        sys.witnesses.set(true);
        run(app, sys.clone(), Until::Turns(0)).unwrap();
        assert_eq!(sys.lines(&["begin"]), [begun]);
        assert_eq!(sys.lines(&["random"]).len(), asked);
    }
}

#[test]
fn the_names_of_services_are_known_to_the_kick_before_the_first_callback() {
    let sys = Fake::new();
    let app = App::new("test")
        .seed(1)
        .heartbeat_threshold(Duration::from_secs(9))
        .service(Hooks::new(&sys, "a").hosted())
        .service(Hooks::new(&sys, "b").hosted());
    sys.answer("signal_read", [Ok(2)]);
    sys.report([Report::Ready(vec![1])]);
    run(app, sys.clone(), Until::Stopped).unwrap();
    assert_eq!(
        sys.lines(&["kick", "a: connect"]),
        ["kick_arm 9000", "kick_name 0 a", "kick_name 1 b", "a: connect", "kick_disarm"]
    );
}

#[test]
fn a_witness_sees_facts_and_orders_as_they_pass_and_others_see_none() {
    let sys = Fake::new();
    sys.witnesses.set(true);
    let app = App::new("test").seed(1).service(Hooks::new(&sys, "a").hosted());
    run(app, sys.clone(), Until::Turns(0)).unwrap();
    assert_eq!(
        sys.lines(&["begin", "fact", "order", "settled", "a:"]),
        [
            "begin 1",
            "fact: 0 Added { service: ServiceId(0), reconnect: EachTurn, on_connect_error: End }",
            "order: tell",
            "settled",
            "fact: 0 Started { turns_max: Some(0) }",
            "order: tell",
            "order: tell",
            "order: Call { service: ServiceId(0), callback: Stop }",
            "a: stop",
            "settled",
            "fact: stop Done(Progress)",
            "order: CloseService { service: ServiceId(0) }",
            "a: drop",
            "order: tell",
            "order: Finish(Stopped)",
            "settled",
        ]
    );
    let sys = Fake::new();
    run(App::new("test").seed(1), sys.clone(), Until::Turns(0)).unwrap();
    assert_eq!(sys.lines(&["begin", "fact", "order", "settled"]), [""; 0]);
}
