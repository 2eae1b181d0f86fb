//! The doors of this crate: a whole host from the start to its exit status.

use crate::probe::{End, Probe};
use host_core::App;
use host_core::error::exit;
use rustix::process::Signal;

#[test]
fn a_host_that_is_told_to_stop_exits_well() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut probe = Probe::ready("host");
        probe.signal(signal);
        assert_eq!(probe.last_words(), (End::Exited(exit::STOPPED.into()), String::new()));
    }
}

#[test]
fn what_ends_a_host_is_one_message_and_a_status() {
    for (role, status, words) in [
        ("failing-host", exit::SERVICE_FAILED, "error: service `only` failed in connect: nobody is there\n"),
        (
            "wrong-host",
            exit::CONFIG,
            "error: the application cannot start: 1 mistake\n  backlog is 0, but must be at least 1\n",
        ),
    ] {
        assert_eq!(Probe::start(role).last_words(), (End::Exited(status.into()), words.into()), "{role}");
    }
}

#[test]
fn a_kick_of_a_host_that_hangs_names_the_service() {
    let (end, words) = Probe::ready("hung-host").kick_to_death();
    assert_eq!(end, End::Exited(exit::KICKED.into()), "{words}");
    assert!(words.starts_with("kicked: service `only` hangs in connect: last heartbeat "), "{words}");
}

#[test]
fn a_host_that_hangs_while_stopping_dies_at_the_second_signal() {
    let mut probe = Probe::ready("host-that-hangs-in-stop");
    probe.signal(Signal::TERM);
    assert_eq!(probe.line(), "ready", "it hangs in stop");
    probe.signal(Signal::INT);
    assert_eq!(probe.last_words(), (End::Killed(Signal::INT.as_raw()), String::new()));
}

/// No signal ends process 1 by default, and so a handler must.
#[test]
fn a_first_process_that_hangs_while_stopping_dies_at_the_second_signal_with_its_number() {
    for signal in [Signal::INT, Signal::TERM] {
        let Some(mut probe) = Probe::start_as_first("host-that-hangs-in-stop") else { return };
        assert_eq!(probe.line(), "ready");
        probe.signal_first(Signal::TERM);
        assert_eq!(probe.line(), "ready", "it hangs in stop");
        probe.signal_first(signal);
        assert_eq!(probe.last_words(), (End::Exited(128 + signal.as_raw()), String::new()));
    }
}

#[test]
fn a_first_process_ends_as_any_other() {
    for (role, signal, status) in [
        ("host", Some(Signal::TERM), exit::STOPPED),
        ("host", Some(Signal::INT), exit::STOPPED),
        ("failing-host", None, exit::SERVICE_FAILED),
    ] {
        let Some(mut probe) = Probe::start_as_first(role) else { return };
        if let Some(signal) = signal {
            assert_eq!(probe.line(), "ready");
            probe.signal_first(signal);
        }
        assert_eq!(probe.end(), End::Exited(status.into()), "{role}");
    }
}

#[test]
fn a_host_that_runs_by_turns_leaves_the_signals_alone() {
    for signal in [Signal::USR1, Signal::TERM] {
        let mut probe = Probe::ready("hung-in-its-turns");
        probe.signal(signal);
        assert_eq!(probe.last_words(), (End::Killed(signal.as_raw()), String::new()));
    }
}

#[test]
fn turns_end_by_themselves() {
    let app = || App::new("turns").poll_period(host_core::time::Duration::ZERO);
    for turns in [1, 100] {
        host_sys::run_turns(app(), turns).unwrap();
    }
}

#[test]
fn a_daemon_that_does_not_come_to_serve_is_told_of_by_its_launcher() {
    let threads = "error: this process has 2 threads, and a fork copies only the one that forks";
    for (role, status, words) in [
        (
            "daemon-whose-workers-crash",
            exit::FLEET_GIVEN_UP,
            "error: fleet `broken` is given up: too many of its workers died young; the last of them: ",
        ),
        (
            "daemon-that-is-killed-while-it-starts",
            exit::SYSTEM_FAILED,
            "error: the daemon has ended before it served, and did not say why: look into its log\n",
        ),
        (
            "daemon-that-is-stopped-while-it-starts",
            exit::SYSTEM_FAILED,
            "error: the host was stopped before it served\n",
        ),
        (
            "daemon-that-fails",
            exit::SERVICE_FAILED,
            "error: service `only` failed in connect: nobody is there\n",
        ),
        ("daemon-beside-a-thread", exit::SYSTEM_FAILED, threads),
    ] {
        let (end, told) = Probe::start(role).last_words();
        assert_eq!(end, End::Exited(status.into()), "{role}: {told}");
        assert!(told.starts_with(words), "{role}: {told}");
    }
}
