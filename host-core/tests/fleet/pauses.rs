//! Time in which the host itself did not run is held against nobody, whatever budget it falls into (S4).

use crate::rig::*;
use host_core::fleet::message::FromWorker;
use host_core::sys::Signal;

#[test]
fn s4_a_cont_that_comes_behind_other_facts_of_its_wake_forgives_the_stop_all_the_same() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (look(), "read a"),
        (all([busy("a0.1"), waits("a1.1")]), ""),
        (after(50 * MS), ""),
        (late(60 * MS), ""),
        // The death is told first, at the same moment.
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2"),
        (signal(Signal::Cont), ""),
        (tick(), "read a"),
        (beats("a"), ""),
    ]);
}

#[test]
fn s4_a_stop_between_a_report_and_its_tick_is_forgiven_from_that_report_on() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (look(), "read a"),
        (all([busy("a0.1"), waits("a1.1")]), ""),
        (after(10 * MS), ""),
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2"),
        // Stopped in the midst of the fork: the tick of that report comes before CONT is read.
        (late(5_000 * MS), ""),
        (born("a1.2"), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (all([signal(Signal::Cont), tick()]), ""),
        (Row::Through(89 * MS), ""),
        (next(), "look a in 1+"),
    ]);
}

#[test]
fn s4_a_look_that_comes_late_condemns_nobody_before_it_had_a_chance_to_go_on() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (look(), "read a"),
        (all([busy("a0.1"), busy("a1.1")]), ""),
        // Host and workers were frozen, and nobody says so.
        (late(5_000 * MS), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (next(), "look a in 10"),
        (busy("a1.1"), ""),
        (look(), "read a, late a0.1 110+, signal a0.1 KILL"),
    ]);
}

#[test]
fn s4_a_look_that_another_worker_asks_for_waits_until_it_is_known_what_was_missed() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (look(), "read a"),
        (all([busy("a0.1"), busy("a1.1")]), ""),
        (late(5_000 * MS), ""),
        // The channel of one is reported first.
        (said("a1.1", Ok(FromWorker::Extended)), ""),
        (signal(Signal::Cont), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn one_that_hangs_is_spared_once_however_late_the_looks_are() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (look(), "read a"),
        (busy("a0.1"), ""),
        (late(200 * MS), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (late(60 * MS), ""),
        (tick(), "read a"),
        (beats("a"), "late a0.1 110+, signal a0.1 KILL"),
    ]);
}

#[test]
fn s4_who_was_frozen_with_its_host_has_its_boot_timeout_all_the_same() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (after(300 * MS), ""),
        (late(5_000 * MS), ""),
        // Whatever else was due, its deadline too.
        (all([signal(Signal::Cont), tick()]), ""),
        (next(), "boot a0.1 in 700"),
        (after(699 * MS), ""),
        (after(MS), "signal a0.1 KILL"),
    ]);
}

#[test]
fn a_boot_timeout_that_comes_late_by_itself_is_over() {
    let mut rig = Rig::started(workers(1));
    rig.play([(born("a0.1"), ""), (after(1_300 * MS), "signal a0.1 KILL")]);
}

#[test]
fn s4_who_drains_and_was_frozen_with_its_host_has_its_drain_timeout_all_the_same() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (after(10 * MS), ""),
        (resize("a", 1), "wanted a 1, signal a0.1 QUIT"),
        (Row::Through(400 * MS), ""),
        (late(3_000 * MS), ""),
        (all([signal(Signal::Cont), tick(), beats("a")]), "read a"),
        (Row::Through(99 * MS), ""),
        (Row::Through(MS), "signal a0.1 KILL"),
    ]);
}

#[test]
fn s4_a_stop_that_was_made_harder_during_a_pause_has_the_rest_of_its_grace() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (Row::Through(20 * MS), ""),
        (all([signal(Signal::Term), tick()]), "signal a0.1 TERM"),
        (Row::Through(20 * MS), ""),
        (late(1_000 * MS), ""),
        (all([signal(Signal::Cont), tick(), beats("a")]), "read a"),
        (next(), "grace a0.1 in 30"),
        (at_deadline(), "signal a0.1 KILL"),
    ]);
}

#[test]
fn a_second_stop_without_news_of_a_continue_is_judged_by_its_own_moment() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (stopped("a0.1"), "stopped a0.1"),
        (after(90 * MS), ""),
        // It was continued in between; the kernel keeps the last news only.
        (stopped("a0.1"), ""),
        (Row::Through(100 * MS), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
    ]);
}

#[test]
fn s4_a_pause_that_only_a_deadline_of_the_services_shows_is_one() {
    let mut config = workers(1);
    config.poll_period = Some(70 * MS);
    let mut rig = Rig::up(config);
    rig.play([
        (after(20 * MS), ""),
        (busy("a0.1"), ""),
        // The turn was to end at 70 ms.
        (late(99 * MS), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (next(), "look a in 50+"),
    ]);
}

#[test]
fn s4_a_pause_that_only_a_deadline_shows_which_its_wake_has_taken_back_is_one() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (busy("a0.1"), ""),
        // It was ready long ago, and is to be ready after 1000 ms at the latest.
        (late(1_200 * MS), ""),
        (all([ready("a0.1"), tick()]), ""),
        // The first look since condemns nobody.
        (look(), "read a"),
        (next(), "look a in 10"),
    ]);
}

#[test]
fn l2_l4_cont_after_cont_puts_off_no_kill_for_ever() {
    let mut rig = Rig::up(workers(2));
    rig.play([(busy("a0.1"), ""), (resize("a", 1), "wanted a 1, signal a0.1 QUIT")]);
    rig.play([(busy("a1.1"), "")]);
    let begin = rig.now;
    // Somebody continues a host that was never stopped, each 90 ms, all the time.
    while rig.checker.living().any(|worker| !rig.checker.is_killed(worker)) {
        assert!(rig.now.since(begin) < 3_000 * MS, "a worker that hangs, or drains, is killed nevermore");
        rig.tell(all([late(90 * MS), signal(Signal::Cont), tick(), beats("a")]));
    }
}

#[test]
fn s4_an_extension_is_longer_by_what_the_host_has_missed_of_it() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (extends("a0.1", 1_000 * MS), "read a"),
        (busy("a0.1"), ""),
        (beats("a"), "extended a0.1 to 1000"),
        (Row::Through(300 * MS), ""),
        // The whole group is stopped, and continued.
        (late(5_000 * MS), ""),
        (all([signal(Signal::Cont), tick(), beats("a")]), "read a"),
        (Row::Through(650 * MS), ""),
        (Row::Through(60 * MS), "late a0.1 1000+, signal a0.1 KILL"),
    ]);
}

#[test]
fn s4_a_stop_that_is_made_harder_in_the_wake_of_a_pause_leaves_what_is_left_of_the_drain() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Quit), "draining QUIT, signal a0.1 QUIT"),
        (Row::Through(20 * MS), ""),
        (late(5_000 * MS), ""),
        (all([signal(Signal::Cont), signal(Signal::Term)]), "signal a0.1 TERM"),
        (all([tick(), beats("a")]), "read a"),
        (next(), "grace a0.1 in 50"),
    ]);
}
