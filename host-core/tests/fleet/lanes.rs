//! Who minds the lanes of a fleet whose listeners are spread over its workers.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::fleet::config::KillBudget;
use host_core::sys::Signal;

/// One fleet of so many workers, and as many lanes.
fn spread(workers: u32) -> HostConfig {
    with(workers, |fleet| fleet.spread = true)
}

fn serves(worker: &str) -> Row {
    all([waits(worker), ready(worker)])
}

#[test]
fn whoever_is_ready_first_minds_all_lanes_until_the_others_are() {
    let mut rig = Rig::started(spread(3));
    rig.play([
        (all([born("a0.1"), born("a1.1"), born("a2.1")]), ""),
        (serves("a1.1"), "mind a1.1 {0, 1, 2}"),
        (serves("a0.1"), "mind a0.1 {0, 2}, mind a1.1 {1}"),
        (serves("a2.1"), "mind a0.1 {0}"),
        (tick(), ""),
    ]);
}

#[test]
fn the_lane_of_a_dead_worker_is_minded_by_another_until_its_successor_is_ready() {
    let mut rig = Rig::up(spread(3));
    rig.play([
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2, mind a0.1 {0, 1}"),
        (born("a1.2"), ""),
        (serves("a1.2"), "mind a0.1 {0}"),
        // And for as long as its slot rests.
        (killed("a1.2"), "died a1.2 KILL unasked, rest a1 x2, mind a0.1 {0, 1}"),
        (tick(), ""),
        (killed("a0.1"), "died a0.1 KILL unasked, spawn a0.2, mind a2.1 {0, 1, 2}"),
    ]);
}

#[test]
fn the_lane_of_a_worker_that_is_asked_to_quit_goes_to_another_at_once() {
    let mut rig = Rig::up(spread(3));
    rig.play([
        (signal(Signal::Ttou), "wanted a 2, signal a0.1 QUIT, mind a1.1 {0, 1}"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (signal(Signal::Ttin), "wanted a 3, spawn a0.2"),
        (all([born("a0.2"), serves("a0.2")]), "mind a1.1 {1}"),
        // Of more workers than lanes some share one.
        (resize("a", 5), "wanted a 5, spawn a3.1, spawn a4.1"),
        (all([born("a3.1"), serves("a3.1"), born("a4.1"), serves("a4.1")]), ""),
        (signal(Signal::Winch), "wanted a 0, signal a1.1 QUIT, signal a2.1 QUIT, signal a0.2 QUIT, signal a3.1 QUIT, signal a4.1 QUIT"),
    ]);
}

#[test]
fn a_worker_that_is_replaced_in_advance_leaves_its_lane_when_its_replacement_is_there() {
    let mut rig = Rig::up(spread(2));
    rig.play([
        (enough("a1.1"), "spawn a2.1"),
        (born("a2.1"), ""),
        // The replacement shares the lane of slot 0, so one of the two has room for another.
        (serves("a2.1"), "signal a1.1 QUIT, mind a0.1 {0, 1}"),
        (exits("a1.1", 0), "died a1.1 0 ServedEnough"),
        (enough("a0.1"), "spawn a1.2"),
        (all([born("a1.2"), serves("a1.2")]), "signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 ServedEnough"),
    ]);
}

#[test]
fn a_worker_that_was_asked_to_quit_by_somebody_else_says_so_and_its_lane_goes_to_another() {
    let mut rig = Rig::up(spread(2));
    rig.play([
        (leaves("a0.1"), "mind a1.1 {0, 1}"),
        (leaves("a0.1"), ""),
        (leaves("a0.7"), ""),
        (exits("a0.1", 0), "died a0.1 0 unasked, spawn a0.2"),
        (all([born("a0.2"), serves("a0.2")]), "mind a1.1 {1}"),
    ]);
}

#[test]
fn k11_the_lane_of_a_stopped_worker_is_minded_by_another_until_it_is_continued() {
    let mut rig = Rig::up(spread(2));
    rig.play([
        (stopped("a0.1"), "stopped a0.1, mind a1.1 {0, 1}"),
        (continued("a0.1"), "continued a0.1, mind a1.1 {1}"),
        (
            all([stopped("a0.1"), stopped("a1.1")]),
            "stopped a0.1, mind a1.1 {0, 1}, stopped a1.1, mind a1.1 {1}",
        ),
    ]);
}

#[test]
fn the_lane_of_a_silent_worker_is_minded_by_another_from_its_warning_on() {
    let mut rig = Rig::up(with(2, |fleet| {
        fleet.spread = true;
        fleet.late_warning = Some(60 * MS);
    }));
    rig.tell(busy("a0.1"));
    rig.play([
        (at_deadline(), "read a"),
        (beats("a"), "late a0.1 60+, mind a1.1 {0, 1}"),
        (busy("a0.1"), ""),
        (beats("a"), "mind a1.1 {1}"),
    ]);
}

#[test]
fn the_lane_of_a_late_worker_whose_kill_is_held_back_is_minded_by_another() {
    let mut rig = Rig::up(with(2, |fleet| {
        fleet.spread = true;
        fleet.kill_budget = Some(KillBudget { percent: 1, window: 10_000 * MS });
    }));
    rig.tell(all([busy("a0.1"), busy("a1.1")]));
    rig.play([
        (after(101 * MS), "read a"),
        (
            beats("a"),
            "late a0.1 101, signal a0.1 KILL, late a1.1 101, held a1.1 to 10101, outage a, mind a1.1 {0, 1}",
        ),
        (killed("a0.1"), "died a0.1 KILL Hung killed, spawn a0.2"),
        (all([born("a0.2"), serves("a0.2")]), "mind a0.2 {0, 1}"),
    ]);
}

#[test]
fn whoever_cannot_be_told_is_told_again_after_a_while() {
    let mut rig = Rig::up(spread(2));
    rig.play([
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2, mind a0.1 {0, 1}"),
        (unheard("a0.1"), ""),
        (next(), "mind a in 100"),
        (born("a1.2"), ""),
        (after(99 * MS), ""),
        (unheard("a0.1"), ""),
        (at_deadline(), "mind a0.1 {0, 1}"),
        (unheard("a0.1"), ""),
        // What it was to be told has changed meanwhile.
        (serves("a1.2"), ""),
        (after(100 * MS), "read a, mind a0.1 {0}"),
        (unheard("a1.1"), ""),
    ]);
}

#[test]
fn a_fleet_whose_listeners_are_not_spread_is_told_nothing() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2"),
        (all([leaves("a0.1"), stopped("a0.1"), unheard("a0.1")]), "stopped a0.1"),
    ]);
}
