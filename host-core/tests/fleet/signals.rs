//! Signals to the host, as preforker has them, and calls that say the same exactly.

use crate::rig::*;
use host_core::fleet::config::Strategy;
use host_core::sys::Signal;

#[test]
fn pf_c9_ttin_adds_one_worker() {
    let mut rig = Rig::up(workers(2));
    rig.play([(signal(Signal::Ttin), "wanted a 3, spawn a2.1")]);
}

#[test]
fn pf_c10_ttou_asks_the_oldest_worker_to_quit_and_only_that() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        // The one in slot 0 is the younger one from here on.
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), ""),
        (signal(Signal::Ttou), "wanted a 1, signal a1.1 QUIT"),
        (tick(), ""),
        (exits("a1.1", 0), "died a1.1 0 Surplus"),
        (tick(), ""),
    ]);
}

#[test]
fn pf_c11_winch_asks_all_workers_to_quit_and_the_host_stays() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (signal(Signal::Winch), "wanted a 0, signal a0.1 QUIT, signal a1.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (exits("a1.1", 0), "died a1.1 0 Surplus"),
        (tick(), ""),
    ]);
    assert!(!rig.host.is_ended());
}

#[test]
fn pf_c33_winch_again_or_a_call_returns_to_as_many_as_before() {
    for restoring in [signal(Signal::Winch), restore("a")] {
        let mut rig = Rig::up(workers(2));
        rig.play([
            (signal(Signal::Winch), "wanted a 0, signal a0.1 QUIT, signal a1.1 QUIT"),
            // They still have their slots.
            (restoring, "wanted a 2, spawn a2.1, spawn a3.1"),
            (exits("a0.1", 0), "died a0.1 0 Surplus"),
            (restore("a"), ""),
        ]);
    }
}

#[test]
fn winch_means_all_fleets_and_ttin_and_ttou_the_first() {
    let mut rig = Rig::up(fleets(Strategy::OneForOne, [1, 1]));
    rig.play([
        (signal(Signal::Ttin), "wanted a 2, spawn a1.1"),
        // Who was ordered is asked when it is born.
        (signal(Signal::Ttou), "wanted a 1"),
        (signal(Signal::Winch), "wanted a 0, signal a0.1 QUIT, wanted b 0, signal b0.1 QUIT"),
        (born("a1.1"), "signal a1.1 QUIT"),
        (signal(Signal::Winch), "wanted a 1, spawn a2.1, wanted b 1, spawn b1.1"),
        (resize("b", 2), "wanted b 2, spawn b2.1"),
    ]);
}

#[test]
fn pf_c23_ttou_at_nobody_stays_at_nobody_and_the_next_ttin_is_the_first() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Ttou), "wanted a 0, signal a0.1 QUIT"),
        (signal(Signal::Ttou), ""),
        (signal(Signal::Ttou), ""),
        (signal(Signal::Ttin), "wanted a 1, spawn a1.1"),
    ]);
}

#[test]
fn pf_c26_twenty_calls_for_one_more_add_exactly_twenty() {
    let mut rig = Rig::up(workers(2));
    for count in 3..23 {
        rig.tell(resize("a", count));
    }
    assert_eq!(rig.checker.forking().count(), 20);
    rig.settle();
    assert_eq!(rig.status().ready(), 22);
    // And so do twenty signals, as far as they arrive.
    for _ in 0..20 {
        rig.tell(signal(Signal::Ttin));
    }
    rig.settle();
    assert_eq!(rig.status().ready(), 42);
    // And take away.
    assert_eq!(rig.tell(resize("a", 5)).matches("QUIT").count(), 37);
    assert_eq!(rig.status().ready(), 5);
}

#[test]
fn nobody_is_wanted_beyond_the_most() {
    let mut rig = Rig::up(with(2, |fleet| fleet.workers_max = Some(3)));
    rig.play([(resize("a", 9), "wanted a 3, spawn a2.1"), (signal(Signal::Ttin), ""), (resize("a", 3), "")]);
}

#[test]
fn s16_whoever_drains_keeps_its_slot_until_it_is_reaped() {
    // Room for two, twice over, and one on top: five slots.
    let mut rig = Rig::up(with(2, |fleet| fleet.workers_max = Some(2)));
    rig.play([
        (signal(Signal::Winch), "wanted a 0, signal a0.1 QUIT, signal a1.1 QUIT"),
        (signal(Signal::Winch), "wanted a 2, spawn a2.1, spawn a3.1"),
        (all([born("a2.1"), born("a3.1")]), ""),
        (signal(Signal::Winch), "wanted a 0, signal a3.1 QUIT, signal a2.1 QUIT"),
        // One slot is left, and one worker has to wait for another.
        (signal(Signal::Winch), "wanted a 2, spawn a4.1"),
        (born("a4.1"), ""),
        (exits("a3.1", 0), "died a3.1 0 Surplus, spawn a3.2"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
    ]);
}

#[test]
fn pf_c22_signals_without_a_meaning_are_told_and_end_nobody() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Hup), "ignored HUP"),
        (signal(Signal::Usr2), "ignored USR2"),
        (signal(Signal::Alrm), ""),
        (tick(), ""),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn news_of_children_is_read_when_chld_tells_that_there_is_some() {
    let mut rig = Rig::up(workers(1));
    rig.play([(signal(Signal::Chld), "news")]);
    let config = host_core::config::HostConfig { reap_strangers: true, ..workers(1) };
    let mut rig = Rig::up(config);
    rig.play([(signal(Signal::Chld), "news and strangers")]);
}

#[test]
fn pf_c6_quit_lets_workers_finish_and_pf_c7_c8_term_and_int_do_not() {
    for (sent, words) in [
        (Signal::Quit, "draining QUIT, signal a0.1 QUIT"),
        (Signal::Term, "signal a0.1 TERM"),
        (Signal::Int, "signal a0.1 TERM"),
    ] {
        let mut rig = Rig::up(workers(1));
        assert_eq!(rig.tell(signal(sent)), words);
        assert_eq!(
            rig.tell(next()),
            if sent == Signal::Quit { "look a in 100+" } else { "grace a0.1 in 50" }
        );
    }
}

#[test]
fn pf_c21_quit_to_one_worker_makes_it_leave_and_be_replaced() {
    // The host hears only of its end.
    let mut rig = Rig::up(workers(2));
    rig.play([(exits("a1.1", 0), "died a1.1 0 unasked, spawn a1.2")]);
}

#[test]
fn pf_c29_k_deaths_in_one_wake_are_k_births_in_the_same_wake() {
    let mut rig = Rig::up(workers(4));
    rig.play([(
        all([killed("a2.1"), killed("a0.1"), killed("a3.1")]),
        "died a2.1 KILL unasked, spawn a2.2, died a0.1 KILL unasked, spawn a0.2, died a3.1 KILL unasked, spawn a3.2",
    )]);
}

#[test]
fn a_resize_that_changes_nothing_is_not_told() {
    let mut rig = Rig::up(workers(2));
    rig.play([(resize("a", 2), ""), (restore("a"), "")]);
}

#[test]
fn usr1_opens_files_anew_in_the_host_first_and_then_in_each_worker() {
    let mut rig = Rig::up(workers(3));
    rig.play([
        (signal(Signal::Usr1), "reopen files, reopen a0.1, reopen a1.1, reopen a2.1"),
        // One that is to leave may print to the end.
        (signal(Signal::Ttou), "wanted a 2, signal a0.1 QUIT"),
        (signal(Signal::Usr1), "reopen files, reopen a0.1, reopen a1.1, reopen a2.1"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (signal(Signal::Usr1), "reopen files, reopen a1.1, reopen a2.1"),
    ]);
}

#[test]
fn a_worker_that_was_ordered_before_usr1_was_heard_may_have_been_born_with_the_files_before() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (signal(Signal::Usr1), "reopen files"),
        (born("a0.2"), "reopen a0.2"),
        (signal(Signal::Usr1), "reopen files, reopen a0.2"),
        (born("a1.2"), "reopen a1.2"),
        // Whoever is ordered after that has the new ones.
        (signal(Signal::Ttin), "wanted a 3, spawn a2.1"),
        (born("a2.1"), ""),
    ]);
}
