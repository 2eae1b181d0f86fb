//! The kill budget: when everybody is late, killing everybody makes it worse.

use crate::rig::*;
use host_core::fleet::config::KillBudget;
use host_core::sys::Signal;

fn half(count: u32) -> host_core::config::HostConfig {
    with(count, |fleet| fleet.kill_budget = Some(KillBudget { percent: 50, window: 250 * MS }))
}

/// Everybody is busy from here on.
fn all_busy(rig: &mut Rig) {
    for worker in rig.checker.living().collect::<Vec<_>>() {
        rig.tell(busy(&name(worker)));
    }
}

#[test]
fn kills_beyond_the_share_are_held_back_and_told_once() {
    let mut rig = Rig::up(half(4));
    all_busy(&mut rig);
    rig.play([
        (
            look(),
            "read a, late a0.1 100+, signal a0.1 KILL, late a1.1 100+, signal a1.1 KILL, \
             late a2.1 100+, held a2.1 to 350+, outage a, late a3.1 100+, held a3.1 to 350+",
        ),
        (next(), "look a in 250"),
        (
            all([killed("a0.1"), killed("a1.1")]),
            "died a0.1 KILL Hung killed, spawn a0.2, died a1.1 KILL Hung killed, spawn a1.2",
        ),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), ""),
        (all([born("a1.2"), waits("a1.2"), ready("a1.2")]), ""),
        // A look in between asks again, and tells nothing new.
        (all([after(20 * MS), extends("a0.2", MS), beats("a")]), "read a, extended a0.2 to 121+"),
        (look(), "read a"),
        (at_deadline(), "stable a0.2, stable a1.2"),
        (look(), "read a"),
        (next(), "look a in 29.999998ms"),
        (look(), "read a, signal a2.1 KILL, signal a3.1 KILL, outage over a"),
    ]);
    assert!(!rig.status().outage);
}

#[test]
fn who_is_held_back_for_longest_is_killed_first_whatever_its_slot() {
    let mut rig = Rig::up(half(2));
    all_busy(&mut rig);
    rig.play([
        (look(), "read a, late a0.1 100+, signal a0.1 KILL, late a1.1 100+, held a1.1 to 350+, outage a"),
        (killed("a0.1"), "died a0.1 KILL Hung killed, spawn a0.2"),
        (all([born("a0.2"), busy("a0.2"), ready("a0.2")]), ""),
        // The successor hangs as well, and is late when the window has passed.
        (Row::Through(250 * MS), "late a0.2 100+, held a0.2 to 350+, stable a0.2, signal a1.1 KILL"),
    ]);
}

#[test]
fn an_outage_ends_when_nobody_is_late_any_more() {
    let mut rig = Rig::up(half(2));
    all_busy(&mut rig);
    rig.play([(
        look(),
        "read a, late a0.1 100+, signal a0.1 KILL, late a1.1 100+, held a1.1 to 350+, outage a",
    )]);
    assert!(rig.status().outage);
    rig.play([
        (waits("a1.1"), ""),
        (extends("a1.1", 100 * MS), "read a"),
        (beats("a"), "extended a1.1 to 200+, outage over a"),
        // The next silence is another one.
        (all([killed("a0.1"), busy("a1.1")]), "died a0.1 KILL Hung killed, spawn a0.2"),
    ]);
}

#[test]
fn an_outage_ends_when_whoever_was_late_because_it_was_stopped_is_continued() {
    let mut rig = Rig::up(half(2));
    rig.play([
        (all([stopped("a0.1"), stopped("a1.1")]), "stopped a0.1, stopped a1.1"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL, late a1.1 100+, held a1.1 to 350+, outage a"),
        // It waited then, and does not beat because it is continued: what it waits for has not come.
        (all([continued("a1.1"), tick(), beats("a")]), "continued a1.1, read a, outage over a"),
    ]);
}

#[test]
fn an_outage_ends_with_the_death_of_whose_kill_was_held_back() {
    let mut rig = Rig::up(half(2));
    all_busy(&mut rig);
    rig.tell(look());
    rig.play([(exits("a1.1", 3), "died a1.1 3 unasked, spawn a1.2, outage over a")]);
}

#[test]
fn an_outage_ends_when_whoever_was_late_is_asked_to_leave() {
    for (name, row, words) in [
        ("a drain", signal(Signal::Quit), "draining QUIT, signal a1.1 QUIT, outage over a"),
        ("a stop", signal(Signal::Term), "signal a1.1 TERM, outage over a"),
        ("fewer are wanted", resize("a", 0), "wanted a 0, signal a1.1 QUIT, outage over a"),
    ] {
        let mut rig = Rig::up(half(2));
        all_busy(&mut rig);
        rig.tell(look());
        rig.tell(killed("a0.1"));
        rig.tell(unborn("a0.2"));
        assert_eq!(rig.tell(row), words, "{name}");
    }
}

#[test]
fn workers_that_are_not_ready_in_time_are_within_the_budget_too() {
    let mut rig = Rig::started(half(4));
    rig.play([
        (all([born("a0.1"), born("a1.1"), born("a2.1"), born("a3.1")]), ""),
        (
            after(1_000 * MS),
            "signal a0.1 KILL, signal a1.1 KILL, held a2.1 to 1250, outage a, held a3.1 to 1250",
        ),
        (next(), "boot a2.1 in 250"),
        // One becomes ready after all.
        (all([waits("a3.1"), ready("a3.1")]), ""),
        (look(), "read a"),
        (look(), "read a"),
        (at_deadline(), "signal a2.1 KILL, outage over a"),
    ]);
}

#[test]
fn an_outage_is_over_as_soon_as_the_last_that_booted_too_long_is_ready() {
    let mut rig = Rig::started(half(2));
    rig.play([
        (all([born("a0.1"), born("a1.1")]), ""),
        (after(1_000 * MS), "signal a0.1 KILL, held a1.1 to 1250, outage a"),
        (all([waits("a1.1"), ready("a1.1")]), "outage over a"),
    ]);
}

#[test]
fn one_may_always_be_killed() {
    let mut rig = Rig::up(half(1));
    all_busy(&mut rig);
    rig.play([(look(), "read a, late a0.1 100+, signal a0.1 KILL")]);
}
