//! What authors decide by functions of their own: their answers are facts.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::fleet::config::Restart;
use host_core::sys::Signal;

/// The function is asked each 30 ms; at most six may live.
fn asked(workers: u32) -> HostConfig {
    with(workers, |fleet| (fleet.workers_max, fleet.scale_each) = (Some(6), Some(30 * MS)))
}

#[test]
fn how_many_the_function_wants_are_wanted_within_the_bounds() {
    let mut rig = Rig::up(asked(2));
    rig.play([
        (next(), "look a in 30"),
        // It is asked of what a look has just found.
        (look(), "read a, ask a"),
        (answers(3), "load a 2 to 3 (2 idle, 0 busy), spawn a2.1"),
        (look(), "read a, ask a"),
        (answers(3), ""),
        (look(), "read a, ask a"),
        (answers(99), "load a 3 to 6 (2 idle, 0 busy), spawn a3.1, spawn a4.1, spawn a5.1"),
    ]);
    rig.settle();
    rig.play([
        (tick(), ""),
        (hold(["a0.1"], 1), ""),
        (look(), "read a, ask a"),
        // The oldest that is idle goes; and somebody is always wanted.
        (answers(5), "load a 6 to 5 (5 idle, 1 busy), signal a1.1 QUIT"),
        (look(), "read a, ask a"),
        (
            answers(0),
            "load a 5 to 1 (4 idle, 1 busy), signal a2.1 QUIT, signal a3.1 QUIT, signal a4.1 QUIT, signal a5.1 QUIT",
        ),
    ]);
}

#[test]
fn slots_that_stay_empty_are_none_of_those_that_it_wants() {
    let mut rig = Rig::up(asked(3));
    rig.play([
        (judged("a1.1", Restart::Never), ""),
        (all([exits("a1.1", 9), tick()]), "died a1.1 9 unasked, retired a1"),
        (look(), "read a, ask a"),
        (answers(2), ""),
        (look(), "read a, ask a"),
        (answers(3), "load a 3 to 4 (2 idle, 0 busy), spawn a3.1"),
    ]);
}

#[test]
fn a_function_that_does_not_answer_changes_nothing_and_is_asked_again() {
    let mut rig = Rig::up(asked(2));
    rig.play([(look(), "read a, ask a"), (look(), "read a, ask a"), (next(), "look a in 30")]);
}

#[test]
fn an_answer_that_comes_after_the_end_of_what_it_was_asked_for_changes_nothing() {
    let ends: [(Row, &str); 2] = [
        (all([signal(Signal::Winch), tick()]), "wanted a 0, signal a0.1 QUIT"),
        (drain(), "draining, signal a0.1 QUIT"),
    ];
    for end in ends {
        let mut rig = Rig::up(asked(1));
        rig.play([(look(), "read a, ask a"), end, (answers(3), "")]);
    }
}

#[test]
fn whether_one_that_ended_unasked_gets_a_successor_is_as_the_function_says() {
    // The settings say always.
    let rows = [
        (Restart::Permanent, 0, "spawn a0.2"),
        (Restart::Transient, 0, "retired a0"),
        (Restart::Transient, 1, "spawn a0.2"),
        (Restart::Never, 1, "retired a0"),
    ];
    for (restart, status, then) in rows {
        let mut rig = Rig::up(workers(2));
        let expected = format!("died a0.1 {status} unasked, {then}");
        assert_eq!(rig.tell(judged("a0.1", restart)), "", "{restart:?}");
        assert_eq!(rig.tell(exits("a0.1", status)), expected, "{restart:?}");
    }
}

#[test]
fn of_one_that_was_killed_for_hanging_only_never_is_heard_and_of_one_that_was_asked_to_go_nothing() {
    for (restart, then) in [(Restart::Transient, "spawn a0.2"), (Restart::Never, "retired a0")] {
        let mut rig = Rig::up(workers(1));
        rig.play([(busy("a0.1"), ""), (look(), "read a, late a0.1 100+, signal a0.1 KILL")]);
        assert_eq!(rig.tell(judged("a0.1", restart)), "");
        assert_eq!(rig.tell(killed("a0.1")), format!("died a0.1 KILL Hung killed, {then}"));
    }
    let mut rig = Rig::up(workers(2));
    rig.play([
        (all([signal(Signal::Ttou), tick()]), "wanted a 1, signal a0.1 QUIT"),
        (judged("a0.1", Restart::Never), ""),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (all([signal(Signal::Ttin), tick()]), "wanted a 2, spawn a0.2"),
    ]);
}

#[test]
fn a_verdict_on_nobody_changes_nothing() {
    let mut rig = Rig::up(workers(1));
    rig.play([(judged("a0.9", Restart::Never), ""), (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2")]);
}
