//! Children: their birth, their life under a host, and their end. Each in a probe, which forks: a test
//! runner has more than one thread, and so cannot.

use crate::probe::{End, Probe};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::path::PathBuf;

/// A role that finds by itself whether all is as it should be, and what it says.
fn succeeds(role: &str) -> String {
    said_by(Probe::start(role), role)
}

fn said_by(mut probe: Probe, role: &str) -> String {
    let (end, words) = probe.last_words();
    assert_eq!((end, &*words), (End::Exited(0), ""), "{role}");
    probe.rest()
}

/// A directory that is removed whichever way its test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("host-sys-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn how_a_child_ended_is_told_by_its_handle_and_then_by_its_status() {
    succeeds("children-that-end");
}

#[test]
fn k7_k8_a_zombie_takes_signals_and_is_reaped_once() {
    succeeds("child-that-ended-is-reaped-once");
}

#[test]
fn a_core_is_told_where_the_machine_writes_one() {
    let directory = Directory::new("core");
    let probe = Probe::start_in(&directory.0, "child-that-leaves-a-core");
    let said = said_by(probe, "child-that-leaves-a-core");
    assert!(said == "core\n" || said == "no core\n", "{said}");
}

#[test]
fn k22_children_are_reaped_though_chld_was_ignored_by_who_started_the_host() {
    said_by(Probe::start_ignoring("CHLD", "chld-ignored"), "chld-ignored");
}

#[test]
fn k6_a_stopped_or_continued_child_is_news_and_no_end() {
    succeeds("news-of-stops");
}

#[test]
fn k24_strangers_are_reaped_when_asked_and_ones_own_are_left_to_their_handles() {
    succeeds("strangers");
}

#[test]
fn a_process_with_two_threads_does_not_fork() {
    let words = succeeds("two-threads");
    assert!(words.starts_with("this process has 2 threads, and a fork copies only the one"), "{words}");
}

#[test]
fn a_child_without_a_handle_does_not_stay() {
    succeeds("no-room-for-a-pidfd");
}

#[test]
fn a_partial_line_is_printed_once() {
    assert_eq!(succeeds("partial-line"), "parent, child, parent\n");
}

#[test]
fn a_panic_of_a_child_is_told_and_never_runs_what_is_its_parents() {
    let mut probe = Probe::start("panicking-child");
    let (end, words) = probe.last_words();
    assert_eq!(end, End::Exited(0), "{words}");
    assert_eq!(probe.rest(), "reaped\ndropped\n");
    let lines: Vec<_> = words.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[0], "flushed", "before the fork");
    assert_eq!(lines.last(), Some(&"flushed"), "by the child");
    assert!(words.contains("\non purpose\n"), "the hook: {words}");
    assert!(words.contains("\nERROR host: probe: child: panicked: on purpose\n"), "{words}");
}

#[test]
fn a_pollers_set_is_its_parents_alone() {
    succeeds("poller-beside-children");
}

#[test]
fn k17_a_child_holds_open_what_was_kept_for_it_and_what_user_code_opened() {
    succeeds("descriptors-of-a-child");
}

#[test]
fn k21_a_child_begins_with_the_documented_signals() {
    succeeds("signals-of-a-child");
}

#[test]
fn term_and_int_end_a_worker_at_once_whatever_it_does() {
    assert_eq!(succeeds("told-to-stop"), "");
}

#[test]
fn quit_is_remembered_and_wakes_a_worker_that_waits() {
    succeeds("asked-to-quit");
}

#[test]
fn a_worker_does_not_outlive_its_host() {
    let mut probe = Probe::start("leaves-children-that-spin");
    assert_eq!([probe.line(), probe.line()], ["ready", "ready"]);
    probe.go_on();
    assert_eq!(probe.rest(), "");
    assert_eq!(probe.end(), End::Killed(Signal::KILL.as_raw()));
}

#[test]
fn a_worker_that_is_to_drain_is_asked_to_quit_when_its_host_dies() {
    let mut probe = Probe::start("leaves-children-that-quit");
    assert_eq!([probe.line(), probe.line()], ["ready", "ready"]);
    probe.go_on();
    assert_eq!(probe.rest(), "quits\nquits\n");
}

#[test]
fn a_worker_that_does_not_quit_ends_by_its_own_alarm() {
    let mut probe = Probe::start("leaves-children-that-do-not-quit");
    assert_eq!([probe.line(), probe.line()], ["ready", "ready"]);
    probe.go_on();
    assert_eq!(probe.rest(), "stays\nstays\n");
}

#[test]
fn a_host_that_dies_during_a_birth_leaves_nobody() {
    for _ in 0..10 {
        let mut probe = Probe::start("dies-at-once");
        assert_eq!(probe.rest(), "");
    }
}

#[test]
fn a_title_is_seen_by_others_and_changes_nothing_for_the_worker() {
    succeeds("titled");
}

#[test]
fn k26_what_a_worker_stored_is_read_by_its_host_and_outlives_it() {
    succeeds("slots");
}

#[test]
fn a_pulse_is_not_early_and_at_most_two_ticks_late() {
    succeeds("pulses");
}

#[test]
fn k27_a_connection_wakes_one_waiting_worker_at_least_and_is_accepted_by_one() {
    succeeds("shared-listener");
}

#[test]
fn a_shared_registration_is_exclusive_while_it_reads() {
    succeeds("exclusive-while-it-reads");
}

#[test]
fn the_affinity_bounds_the_processors() {
    succeeds("bound-to-one-processor");
}

#[test]
fn what_a_terminal_sends_about_its_window_is_no_signal_to_the_host() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = std::fs::OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut probe = Probe::start_on(side.into(), "signals-of-a-terminal");
    assert_eq!(probe.line(), "ready");
    let go_on = || assert_eq!(rustix::io::write(&terminal, b"\n"), Ok(1));
    for columns in [81, 82] {
        let window = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, window).unwrap();
        go_on();
        assert_eq!(probe.line(), "nothing");
        probe.signal(Signal::WINCH);
        go_on();
        assert_eq!(probe.line(), "a signal");
    }
    assert_eq!(probe.end(), End::Exited(0));
}
