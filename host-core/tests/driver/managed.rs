//! When a service manager is told, and that whatever befalls it is no affair of the host's.

use crate::fake::*;
use host_core::app::App;
use host_core::driver::{Until, run};
use host_core::sys::{Errno, ManagerWants};
use host_core::time::Duration;

/// What a host without workers tells and how it waits, for so many turns.
fn turns(turns: u64, watchdog: Option<u64>, answers: &[Result<usize, Errno>]) -> Vec<String> {
    let sys = Fake::new();
    sys.managed
        .set(Some(ManagerWants { watchdog: watchdog.map(Duration::from_millis), awaits_start: false }));
    sys.answer("notify", answers.iter().copied());
    run(App::new("test").seed(1), sys.clone(), Until::Turns(turns)).expect("it runs its turns");
    sys.lines(&["notify", "wait", "tell the service"])
}

#[test]
fn it_is_told_before_the_first_wait_then_what_is_new_and_of_an_end_that_nobody_asked_for() {
    assert_eq!(
        turns(2, None, &[]),
        ["notify READY=1; STATUS=serving", "wait 5000", "wait 5000", "notify STOPPING=1"]
    );
}

#[test]
fn nobody_is_told_where_there_is_no_manager() {
    let sys = Fake::new();
    run(App::new("test").seed(1), sys.clone(), Until::Turns(2)).unwrap();
    assert_eq!(sys.lines(&["notify"]), [""; 0]);
}

#[test]
fn its_watchdog_is_fed_at_each_half_of_its_time_whatever_else_is_waited_for() {
    let expected = [
        "notify READY=1; STATUS=serving; WATCHDOG=1",
        "wait 2000",
        "notify WATCHDOG=1",
        "wait 2000",
        "notify WATCHDOG=1",
        "wait 1000",
        "notify STOPPING=1",
    ];
    assert_eq!(turns(1, Some(4000), &[]), expected);
}

#[test]
fn one_that_does_not_read_is_told_later() {
    for full in [Errno::AGAIN, Errno::NOBUFS] {
        let expected = [
            "notify READY=1; STATUS=serving",
            "wait 100",
            "notify READY=1; STATUS=serving",
            "wait 100",
            "notify READY=1; STATUS=serving",
            "wait 4800",
            "notify STOPPING=1",
        ];
        assert_eq!(turns(1, None, &[Err(full), Err(full), Ok(0)]), expected, "{full}");
    }
}

#[test]
fn one_that_is_not_there_is_told_of_once_and_never_tried_again() {
    let told = "tell the service manager cannot be told anything: connection refused (ECONNREFUSED); NOTIFY_SOCKET is its address";
    let expected = ["notify READY=1; STATUS=serving; WATCHDOG=1", told, "wait 5000", "wait 5000"];
    assert_eq!(turns(2, Some(1000), &[Err(Errno::CONNREFUSED)]), expected);
}

#[test]
fn one_that_fails_before_it_first_waits_never_served() {
    let sys = Fake::new();
    sys.managed.set(Some(ManagerWants::default()));
    let fails = Hooks::new(&sys, "a").connect(|_, _| Err("nobody is there".into()));
    assert!(run(App::new("test").seed(1).service(fails.hosted()), sys.clone(), Until::Turns(1)).is_err());
    assert_eq!(sys.lines(&["notify"]), [""; 0]);
}
