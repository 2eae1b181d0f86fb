//! Who is told to look for connections that nobody was woken for.

use crate::rig::*;
use host_core::sys::Signal;

#[test]
fn the_siblings_of_a_worker_that_died_are_told_to_look_once_all_is_told() {
    let mut rig = Rig::up(workers(3)).loud();
    rig.play([
        // Its successor looks as soon as it is ready; until then the others do.
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (tick(), "nudge a1.1, nudge a2.1"),
        (tick(), ""),
        (born("a0.2"), "created a0.2 10002"),
        // One that was never ready has taken none.
        (exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2"),
        (tick(), ""),
    ]);
}

#[test]
fn many_deaths_at_once_tell_each_that_is_left_once() {
    let mut rig = Rig::up(workers(4)).loud();
    rig.play([
        (
            all([killed("a0.1"), killed("a1.1"), killed("a3.1")]),
            "died a0.1 KILL unasked, spawn a0.2, died a1.1 KILL unasked, spawn a1.2, died a3.1 KILL unasked, spawn a3.2",
        ),
        (tick(), "nudge a2.1"),
    ]);
}

#[test]
fn whoever_leaves_is_not_told_to_look_and_whoever_has_ended_in_order_is_followed_by_others() {
    let mut rig = Rig::up(workers(3)).loud();
    rig.tell(resize("a", 2));
    rig.play([
        (left_waiting("a0.1"), ""),
        (tick(), "nudge a1.1, nudge a2.1"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (tick(), "nudge a1.1, nudge a2.1"),
    ]);
    rig.tell(signal(Signal::Quit));
    rig.play([(exits("a1.1", 0), "died a1.1 0 Drain"), (tick(), "")]);
}

#[test]
fn a_connection_that_a_busy_worker_leaves_waiting_is_looked_for_by_all_others_and_itself() {
    let mut rig = Rig::up(workers(2)).loud();
    rig.play([(left_waiting("a0.1"), ""), (tick(), "nudge a0.1, nudge a1.1"), (tick(), "")]);
}
