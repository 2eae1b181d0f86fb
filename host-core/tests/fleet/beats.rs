//! Signs of life: when they are read, and who is late.

use crate::rig::*;
use host_core::event::Event;
use host_core::fleet::status::Health;
use host_core::sys::Signal;
use host_core::time::Duration;

#[test]
fn s1_a_busy_worker_is_killed_when_it_was_silent_for_longer_than_its_timeout_and_never_before() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (late(30 * MS), ""),
        (busy("a0.1"), ""),
        // What it does next nobody knows at the first look.
        (next(), "look a in 70+"),
        (look(), "read a"),
        (next(), "look a in 30"),
        (all([after(30 * MS - NS), tick()]), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
        (next(), "never"),
    ]);
}

#[test]
fn a_silence_of_exactly_the_timeout_is_none() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (late(100 * MS), ""),
        // Somebody asks for a look at this very moment.
        (extends("a0.1", Duration::ZERO), "read a"),
        (beats("a"), ""),
        (next(), "look a in 0+"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
    ]);
}

#[test]
fn waiting_is_alive_for_ever() {
    let mut rig = Rig::up(workers(2));
    for _ in 0..100 {
        rig.play([(next(), "look a in 100+"), (look(), "read a")]);
    }
    assert_eq!(rig.status().ready(), 2);
}

#[test]
fn the_host_looks_once_for_all_workers_and_not_once_for_each() {
    let mut rig = Rig::up(workers(3));
    let mut looks = 0;
    for turn in 0..300 {
        // Each has a phase of its own.
        let worker = ["a0.1", "a1.1", "a2.1"][turn % 3];
        rig.tell(busy(worker));
        if rig.tell(after(10 * MS)) == "read a" {
            rig.tell(beats("a"));
            looks += 1;
        }
    }
    assert!(looks <= 3_000 / 70, "{looks} looks in three seconds");
    assert_eq!(rig.status().ready(), 3);
}

#[test]
fn a_beat_that_is_read_in_the_wake_of_the_verdict_saves_its_worker() {
    let mut rig = Rig::up(workers(1));
    rig.play([(all([busy("a0.1"), look()]), "read a, late a0.1 100+, signal a0.1 KILL")]);
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (at_deadline(), "read a"),
        // It comes between the order to read and the reading.
        (busy("a0.1"), ""),
        (beats("a"), ""),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn s8_a_worker_that_never_beats_after_it_was_ready_is_killed() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (late(900 * MS), ""),
        (ready("a0.1"), ""),
        (next(), "look a in 100+"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
        (killed("a0.1"), "died a0.1 KILL Hung killed, spawn a0.2"),
    ]);
    assert_eq!(rig.last_death().beat_age, None);
}

#[test]
fn s2_what_a_predecessor_stored_neither_saves_nor_condemns() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (late(90 * MS), ""),
        (born("a0.2"), ""),
        (ready("a0.2"), ""),
        // The old beat is 90 ms old, and reads as none at all.
        (look(), "read a"),
        (next(), "look a in 90"),
        (look(), "read a, late a0.2 100+, signal a0.2 KILL"),
    ]);
}

#[test]
fn a_reading_of_somebody_who_is_gone_changes_nothing() {
    let mut rig = Rig::up(workers(1));
    rig.play([(busy("a0.1"), ""), (at_deadline(), "read a")]);
    let mut old = rig.clone();
    // It dies before the reading comes in.
    old.play([(exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"), (beats("a"), ""), (next(), "never")]);
    assert_eq!(old.status().health, Health::Well);
}

#[test]
fn a_worker_that_is_stopped_while_it_waits_is_judged_from_the_stop_on() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (signal(Signal::Chld), "news"),
        (after(30 * MS), ""),
        (stopped("a0.1"), "stopped a0.1"),
        (stopped("a0.1"), ""),
        // The planned look is earlier than a timeout from here.
        (next(), "look a in 70+"),
        (look(), "read a"),
        (next(), "look a in 30"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
        (killed("a0.1"), "died a0.1 KILL Hung killed, spawn a0.2"),
    ]);
}

#[test]
fn who_ends_an_extension_early_and_hangs_is_found_within_the_timeout() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (extends("a0.1", 900 * MS), "read a"),
        (busy("a0.1"), ""),
        (beats("a"), "extended a0.1 to 900"),
        // It ends that with its next sign of life, and the host is not told.
        (Row::Publish(w("a0.1"), Some(Duration::ZERO), 0), ""),
        (busy("a0.1"), ""),
        (next(), "look a in 100+"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
    ]);
}

#[test]
fn a_worker_that_is_continued_in_time_is_alive() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (after(30 * MS), ""),
        (continued("a0.1"), ""),
        (stopped("a0.1"), "stopped a0.1"),
        (after(60 * MS), ""),
        (continued("a0.1"), "continued a0.1"),
        (continued("a0.1"), ""),
        (look(), "read a"),
        (look(), "read a"),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn pf_c25_a_stopped_worker_is_replaced_within_its_timeout() {
    let mut rig = Rig::up(workers(1));
    rig.tell(stopped("a0.1"));
    let begin = rig.now;
    while rig.checker.living().any(|worker| !rig.checker.is_killed(worker)) {
        rig.tell(look());
    }
    assert!(rig.now.since(begin) <= 100 * MS + NS);
}

#[test]
fn k24_s15_a_child_that_is_nobodys_changes_nobody() {
    let mut rig = Rig::up(workers(1));
    let stranger = host_core::sys::Pid(77);
    let before = rig.status();
    rig.play([
        (Row::Fact(Event::ChildStopped { pid: stranger }), ""),
        (Row::Fact(Event::ChildContinued { pid: stranger }), ""),
        (Row::Fact(Event::StrangerReaped { pid: stranger }), "stranger 77"),
        // Nor does the number of one who is gone.
        (exits("a0.1", 0), "died a0.1 0 unasked, spawn a0.2"),
        (stopped("a0.1"), ""),
        (continued("a0.1"), ""),
    ]);
    assert_eq!(before.workers.len(), 1);
}

#[test]
fn idle_workers_owe_beats_where_the_fleet_asks_for_them() {
    let mut rig = Rig::up(with(1, |fleet| fleet.idle_beats = true));
    rig.play([
        (after(60 * MS), ""),
        (waits("a0.1"), ""),
        (look(), "read a"),
        (next(), "look a in 60"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
    ]);
}

#[test]
fn a_worker_that_asked_for_time_has_it_and_no_more() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (after(20 * MS), ""),
        (busy("a0.1"), ""),
        (extends("a0.1", 300 * MS), "read a"),
        (beats("a"), "extended a0.1 to 320"),
        // It may end that early: it is looked at all the same.
        (next(), "look a in 100+"),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a, late a0.1 300+, signal a0.1 KILL"),
    ]);
}

#[test]
fn an_extension_is_told_once_and_may_be_taken_back() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (extends("a0.1", 300 * MS), "read a"),
        (beats("a"), "extended a0.1 to 300"),
        (late(50 * MS), ""),
        (all([Row::Fact(Event::Tick), beats("a")]), ""),
        // The next sign of life ends it.
        (Row::Publish(w("a0.1"), Some(Duration::ZERO), 0), ""),
        (busy("a0.1"), ""),
        (beats("a"), ""),
        (next(), "look a in 100+"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
    ]);
}

#[test]
fn an_extension_that_is_shorter_than_the_timeout_takes_nothing_away() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (extends("a0.1", 20 * MS), "read a"),
        (beats("a"), "extended a0.1 to 20"),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn a_silent_worker_is_warned_of_once_a_silence() {
    let mut rig = Rig::up(with(1, |fleet| fleet.late_warning = Some(40 * MS)));
    rig.play([
        // Who waits may be busy the next moment, and late from then on.
        (next(), "look a in 40+"),
        (look(), "read a"),
        (busy("a0.1"), ""),
        (next(), "look a in 40+"),
        (look(), "read a, late a0.1 40+"),
        (next(), "look a in 60"),
        (after(30 * MS), ""),
        // A beat ends the silence; the next one is warned of again.
        (busy("a0.1"), ""),
        (look(), "read a"),
        (next(), "look a in 10+"),
        (look(), "read a, late a0.1 40+"),
        (look(), "read a, signal a0.1 KILL"),
    ]);
}

#[test]
fn a_worker_that_hangs_as_soon_as_it_is_ready_is_warned_of_before_it_is_killed() {
    let mut rig = Rig::started(with(1, |fleet| fleet.late_warning = Some(40 * MS)));
    rig.play([
        (all([born("a0.1"), busy("a0.1"), ready("a0.1")]), ""),
        (look(), "read a, late a0.1 40+"),
        (look(), "read a, signal a0.1 KILL"),
    ]);
}

#[test]
fn who_asked_for_time_is_warned_of_as_long_before_its_end() {
    let mut rig = Rig::up(with(2, |fleet| fleet.late_warning = Some(40 * MS)));
    rig.play([
        (busy("a0.1"), ""),
        (extends("a0.1", 500 * MS), "read a"),
        (beats("a"), "extended a0.1 to 500"),
    ]);
    // The other waits, so that there are looks all the while.
    let mut told = String::new();
    while told.is_empty() {
        told = rig.tell(look()).replace("read a", "");
    }
    assert_eq!(told, ", late a0.1 440+");
}

#[test]
fn s4_a_host_that_was_stopped_reads_fresh_beats_and_forgives_what_it_missed() {
    // It finds a look long overdue: nobody is judged by that time.
    let mut rig = Rig::up(workers(2));
    rig.play([
        (all([busy("a0.1"), busy("a1.1")]), ""),
        (after(50 * MS), ""),
        (busy("a1.1"), ""),
        (late(5_000 * MS), ""),
        (tick(), "read a"),
        // From 100 ms and a bit to 5050 ms nobody was there; both beat within 100 ms of the host's time.
        (beats("a"), ""),
        (look(), "read a, late a0.1 110+, signal a0.1 KILL"),
    ]);
}

#[test]
fn pf_c24_healthy_workers_survive_a_host_that_was_stopped_for_longer_than_the_timeout() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (look(), "read a"),
        (all([busy("a0.1"), waits("a1.1")]), ""),
        (late(250 * MS), ""),
        // CONT is read in the same wake in which the look is overdue.
        (signal(Signal::Cont), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (next(), "look a in 100+"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
    ]);
}

#[test]
fn a_host_that_runs_a_little_late_forgives_nothing() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (late(105 * MS + NS), ""),
        (tick(), "read a"),
        (beats("a"), "late a0.1 105+, signal a0.1 KILL"),
    ]);
    // And by more than that it was not running.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (late(105 * MS + 2 * NS), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (look(), "read a, late a0.1 110+, signal a0.1 KILL"),
    ]);
    // A short stop that was continued is the ordinary course, too.
    let mut rig = Rig::up(workers(1));
    rig.play([
        (after(95 * MS), ""),
        (busy("a0.1"), ""),
        (late(5 * MS), ""),
        (signal(Signal::Cont), ""),
        (all([late(NS), tick(), beats("a")]), "read a"),
        (next(), "look a in 95"),
    ]);
}

#[test]
fn the_restart_of_a_host_that_was_stopped_is_not_held_against_waiting_workers_that_are_stopped_too() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (stopped("a0.1"), "stopped a0.1"),
        (late(400 * MS), ""),
        (tick(), "read a"),
        (beats("a"), ""),
        (look(), "read a, late a0.1 110+, signal a0.1 KILL"),
    ]);
}

#[test]
fn a_look_at_nobody_is_not_ordered() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (resize("a", 0), "wanted a 0, signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (next(), "look a in 100+"),
        (look(), ""),
        (next(), "never"),
    ]);
}

#[test]
fn l2_a_worker_whose_slot_was_not_read_is_looked_at_again() {
    let mut rig = Rig::up(workers(2));
    let nobody = Row::Fact(Event::Beats { fleet: A, readings: vec![] });
    rig.play([
        (all([busy("a0.1"), busy("a1.1"), at_deadline()]), "read a"),
        (nobody, ""),
        (next(), "look a in 100+"),
        (
            look(),
            "read a, late a0.1 200.000002ms, signal a0.1 KILL, late a1.1 200.000002ms, signal a1.1 KILL",
        ),
    ]);
}

#[test]
fn workers_that_leave_are_not_judged_by_their_beats() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (busy("a0.1"), ""),
        (resize("a", 0), "wanted a 0, signal a0.1 QUIT"),
        (look(), "read a"),
        (next(), "grace a0.1 in 399.999999ms"),
    ]);
}

#[test]
fn garbled_messages_are_told_and_obeyed_by_nobody() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (scribbles("a0.1"), "garbled a0.1 9x3"),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (scribbles("a0.1"), ""),
        (next(), "look a in 100+"),
    ]);
}
