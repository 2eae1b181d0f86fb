//! What concerns a whole process: signals, the kick, and running out of descriptors.

use crate::PATIENCE;
use crate::probe::{End, Probe};
use host_core::error::exit;
use rustix::process::Signal;
use std::time::Duration;

const KICKED: End = End::Exited(exit::KICKED as i32);

#[test]
fn ph_c6_a_host_with_a_fresh_beat_survives_a_kick() {
    for role in ["fresh", "fresh-before-its-first-beat"] {
        let mut probe = Probe::ready(role);
        for _ in 0..10 {
            probe.signal(Signal::USR1);
        }
        // The signal is there before the line is: it has struck when the line is read.
        probe.go_on();
        assert_eq!(probe.last_words(), (End::Exited(0), String::new()), "{role}");
    }
}

#[test]
fn ph_c5_ph_c16_a_host_that_hangs_dies_at_a_kick_and_names_the_service_and_the_callback() {
    for (role, place, threshold) in [
        ("hung", "service `jobs` hangs in receive", 50),
        ("hung-between-callbacks", "the host hangs between callbacks", 50),
        ("hung-before-its-first-beat", "the host hangs between callbacks", 0),
        ("hung-and-nameless", "service `?` hangs in wake", 50),
        ("hung-with-usr1-blocked", "service `jobs` hangs in receive", 50),
        ("hung-beside-another-host", "service `jobs` hangs in receive", 50),
        ("armed-again", "service `second` hangs in receive", 50),
    ] {
        let mut probe = Probe::ready(role);
        probe.signal(Signal::USR1);
        let (end, words) = probe.last_words();
        assert_eq!(end, KICKED, "{role}: {words}");
        assert!(words.starts_with(&format!("kicked: {place}: last heartbeat ")), "{role}: {words}");
        assert!(words.ends_with(&format!(" ms ago, threshold {threshold} ms\n")), "{role}: {words}");
        assert_eq!(words.lines().count(), 1, "{role}: {words}");
    }
}

#[test]
fn a_kick_ends_a_host_that_hangs_even_if_nobody_reads_its_last_words() {
    let mut unread = Probe::ready("hung-with-full-stderr");
    unread.signal(Signal::USR1);
    assert_eq!(unread.end(), KICKED);

    let mut left = Probe::ready("hung");
    left.leave_stderr();
    left.signal(Signal::USR1);
    assert_eq!(left.end(), KICKED);
}

#[test]
fn ph_c17_a_host_that_waits_survives_a_kick_whatever_the_age_of_its_beat() {
    let mut probe = Probe::ready("waiting");
    // It says that it is ready before it waits: kicked until one kick finds it there.
    let kicks = PATIENCE.as_millis() / 20;
    let interrupted = (0..kicks).find_map(|_| {
        probe.signal(Signal::USR1);
        probe.line_within(Duration::from_millis(20))
    });
    assert_eq!(interrupted.as_deref(), Some("interrupted"));
    probe.go_on();
    assert_eq!(probe.last_words(), (End::Exited(0), String::new()));
}

#[test]
fn a_disarmed_or_dropped_host_gives_usr1_its_default_back() {
    for role in ["disarmed", "dropped"] {
        let mut probe = Probe::ready(role);
        probe.signal(Signal::USR1);
        assert_eq!(probe.last_words(), (End::Killed(Signal::USR1.as_raw()), String::new()), "{role}");
    }
}

#[test]
fn pending_signals_are_read_once_each_the_lowest_number_first() {
    let mut probe = Probe::ready("two-signals");
    for signal in [Signal::TERM, Signal::INT, Signal::TERM] {
        probe.signal(signal);
    }
    probe.go_on();
    assert_eq!(probe.last_words(), (End::Exited(0), String::new()));
}

#[test]
fn a_second_signal_ends_a_process_that_is_stopping_at_once() {
    let mut probe = Probe::ready("second-signal");
    probe.signal(Signal::TERM);
    assert_eq!(probe.line(), "ready", "the first one is an event");
    probe.signal(Signal::TERM);
    assert_eq!(probe.last_words(), (End::Killed(Signal::TERM.as_raw()), String::new()));
}

#[test]
fn a_second_signal_that_is_pending_strikes_at_once() {
    let mut probe = Probe::ready("second-signal-pending");
    probe.signal(Signal::INT);
    probe.go_on();
    assert_eq!(probe.last_words(), (End::Killed(Signal::INT.as_raw()), String::new()));
}

#[test]
fn signals_are_given_back_unblocked_if_they_were() {
    let mut probe = Probe::ready("signals-given-back");
    probe.signal(Signal::TERM);
    assert_eq!(probe.last_words(), (End::Killed(Signal::TERM.as_raw()), String::new()));
}

#[test]
fn signals_are_given_back_blocked_if_they_were() {
    let mut probe = Probe::ready("mask-given-back");
    probe.signal(Signal::TERM);
    assert_eq!(probe.line(), "still blocked");
    probe.go_on();
    assert_eq!(probe.last_words(), (End::Exited(0), String::new()));
}

#[test]
fn without_descriptors_a_connection_stays_in_the_queue_and_the_listener_readable() {
    let mut probe = Probe::start("short-of-descriptors");
    assert_eq!(probe.last_words(), (End::Exited(0), String::new()));
}
