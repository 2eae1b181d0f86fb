//! Workers that have served enough: replaced in advance, and asked to leave when their successor is there.

use crate::rig::*;
use host_core::fleet::config::OnExhausted;
use host_core::sys::Signal;

#[test]
fn a_worker_that_has_served_enough_is_asked_to_leave_when_its_replacement_is_ready_and_not_before() {
    let mut rig = Rig::up(workers(2)).loud();
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        (enough("a0.1"), ""),
        (born("a2.1"), "created a2.1 10201"),
        (after(90 * MS), ""),
        (
            all([waits("a2.1"), ready("a2.1")]),
            "ready a2.1 90, signal a0.1 QUIT, asked a0.1 QUIT ServedEnough",
        ),
        (exits("a0.1", 0), "died a0.1 0 ServedEnough"),
        (tick(), "nudge a1.1, nudge a2.1"),
        (tick(), ""),
    ]);
    assert_eq!(rig.status().ready(), 2);
}

#[test]
fn one_who_is_to_go_stays_while_somebody_else_is_missing() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        (born("a2.1"), ""),
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2"),
        (all([waits("a2.1"), ready("a2.1")]), ""),
        (born("a1.2"), ""),
        (all([waits("a1.2"), ready("a1.2")]), "signal a0.1 QUIT"),
    ]);
}

#[test]
fn one_who_is_to_go_and_was_waited_for_goes_when_fewer_are_wanted() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        (born("a2.1"), ""),
        (killed("a1.1"), "died a1.1 KILL unasked, spawn a1.2"),
        (all([waits("a2.1"), ready("a2.1")]), ""),
        (resize("a", 1), "wanted a 1, signal a0.1 QUIT"),
        (born("a1.2"), "signal a1.2 QUIT"),
    ]);
}

#[test]
fn only_as_many_are_replaced_at_once_as_the_surge_allows() {
    let mut rig = Rig::up(with(3, |fleet| fleet.surge_max = 2));
    rig.play([
        (all([enough("a2.1"), enough("a0.1"), enough("a1.1")]), "spawn a3.1, spawn a4.1"),
        (all([born("a3.1"), born("a4.1")]), ""),
        // The first who asked, whatever its slot; its place is free for the third.
        (all([waits("a4.1"), ready("a4.1")]), "signal a0.1 QUIT, spawn a5.1"),
        (all([waits("a3.1"), ready("a3.1")]), "signal a2.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 ServedEnough"),
        (all([born("a5.1"), waits("a5.1"), ready("a5.1")]), "signal a1.1 QUIT"),
    ]);
}

#[test]
fn of_two_who_are_replaced_the_one_goes_whose_replacement_is_ready() {
    let mut rig = Rig::up(with(3, |fleet| fleet.surge_max = 2));
    rig.play([
        (all([enough("a0.1"), enough("a2.1")]), "spawn a3.1, spawn a4.1"),
        (all([born("a3.1"), born("a4.1")]), ""),
        (all([waits("a4.1"), ready("a4.1")]), "signal a2.1 QUIT"),
        (all([waits("a3.1"), ready("a3.1")]), "signal a0.1 QUIT"),
    ]);
}

#[test]
fn nobody_is_replaced_in_advance_while_somebody_is_missing() {
    let mut rig = Rig::up(workers(3));
    rig.play([
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (enough("a0.1"), ""),
        (born("a1.2"), ""),
        (all([waits("a1.2"), ready("a1.2")]), "spawn a3.1"),
    ]);
}

#[test]
fn whoever_waits_for_its_replacement_waits_once() {
    let mut rig = Rig::up(workers(2));
    rig.play([(exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"), (enough("a0.1"), "")]);
    let before = rig.host.clone();
    rig.play([(enough("a0.1"), ""), (enough("a1.1"), "")]);
    assert_eq!(rig.host, before);
}

#[test]
fn nobody_is_replaced_in_advance_in_a_degraded_fleet() {
    let mut rig = Rig::up(with(2, |fleet| fleet.restart_budget = budget(1, 60_000 * MS)));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, degraded a, rest a0 x2"),
        // All that are wanted are there.
        (resize("a", 1), "wanted a 1"),
        (enough("a1.1"), ""),
        (tick(), ""),
    ]);
}

#[test]
fn a_replacement_that_dies_takes_nobody_with_it_and_is_tried_again() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (enough("a0.1"), "spawn a1.1"),
        (born("a1.1"), ""),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (born("a1.2"), ""),
        // As often as any other that cannot start: after a rest.
        (exits("a1.2", 1), "died a1.2 1 unasked, rest a1 x2"),
        (enough("a0.1"), ""),
        (tick(), ""),
        (at_deadline(), "spawn a1.3"),
        (born("a1.3"), ""),
        (all([waits("a1.3"), ready("a1.3")]), "signal a0.1 QUIT"),
    ]);
}

#[test]
fn s17_a_replacement_that_cannot_start_does_not_use_up_the_budget_in_a_circle() {
    let mut rig = Rig::up(with(1, |fleet| {
        fleet.restart_budget = budget(5, 60_000 * MS);
        fleet.on_exhausted = OnExhausted::StopFleet;
    }));
    rig.tell(enough("a0.1"));
    let mut births = 0;
    while rig.now.since(host_core::time::Instant::ZERO) < 30 * MS {
        while let Some(worker) = { rig.checker.forking().next() } {
            births += 1;
            rig.tell(born(&name(worker)));
            rig.tell(exits(&name(worker), 1));
        }
        rig.tell(at_deadline());
    }
    assert!(births <= 4, "{births} births within 30 ms");
}

#[test]
fn the_death_of_another_does_not_wait_for_the_rest_of_a_replacement() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        (born("a2.1"), ""),
        (exits("a2.1", 1), "died a2.1 1 unasked, spawn a2.2"),
        (born("a2.2"), ""),
        (exits("a2.2", 1), "died a2.2 1 unasked, rest a2 x2"),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        // Nor does that of the one that was to be replaced.
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (at_deadline(), ""),
    ]);
    assert_eq!(rig.status().resting, []);
}

#[test]
fn a_replacement_that_cannot_be_forked_is_tried_again() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (enough("a0.1"), "spawn a1.1"),
        (unborn("a1.1"), "unborn a1.1"),
        (tick(), ""),
        (at_deadline(), "spawn a1.2"),
        (all([born("a1.2"), waits("a1.2"), ready("a1.2")]), "signal a0.1 QUIT"),
    ]);
}

#[test]
fn a_replacement_that_is_not_ready_in_time_is_tried_again_and_the_old_one_stays() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (enough("a0.1"), "spawn a1.1"),
        (born("a1.1"), ""),
        (Row::Through(1_000 * MS), "signal a1.1 KILL"),
        (killed("a1.1"), "died a1.1 KILL NotReady killed, spawn a1.2"),
    ]);
    assert_eq!(rig.status().ready(), 1);
}

#[test]
fn an_old_one_that_dies_meanwhile_is_replaced_by_whoever_was_on_its_way() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        (born("a2.1"), ""),
        (exits("a0.1", 0), "died a0.1 0 unasked"),
        (all([waits("a2.1"), ready("a2.1")]), ""),
        (tick(), ""),
    ]);
    assert_eq!(rig.status().ready(), 2);
}

#[test]
fn a_birth_that_was_ordered_for_one_who_died_replaces_nobody_else() {
    let mut rig = Rig::up(with(2, |fleet| fleet.surge_max = 2));
    rig.play([
        (enough("a0.1"), "spawn a2.1"),
        // It dies before the fork has come back; the order stands, for its place.
        (exits("a0.1", 0), "died a0.1 0 unasked"),
        (exits("a1.1", 0), "died a1.1 0 unasked, spawn a0.2"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), ""),
        (born("a2.1"), ""),
        (enough("a0.2"), ""),
        (all([waits("a2.1"), ready("a2.1")]), "spawn a1.2"),
        (tick(), ""),
    ]);
    assert_eq!(
        rig.status().ready(),
        2,
        "the one in the dead one's slot stays until its own replacement is ready"
    );
}

#[test]
fn an_old_one_that_hangs_meanwhile_is_killed_and_its_replacement_takes_its_place() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (enough("a0.1"), "spawn a1.1"),
        (born("a1.1"), ""),
        (busy("a0.1"), ""),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
        (all([waits("a1.1"), ready("a1.1")]), ""),
        (killed("a0.1"), "died a0.1 KILL Hung killed"),
        (tick(), ""),
    ]);
    assert_eq!(rig.status().ready(), 1);
}

#[test]
fn fewer_that_are_wanted_meanwhile_are_exactly_as_many() {
    let mut rig = Rig::up(workers(3));
    rig.play([
        (enough("a1.1"), "spawn a3.1"),
        (born("a3.1"), ""),
        // The oldest goes; the one that is being replaced stays until it is.
        (resize("a", 2), "wanted a 2, signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (all([waits("a3.1"), ready("a3.1")]), "signal a1.1 QUIT"),
    ]);
    // If the oldest is the one that is being replaced, nobody needs its replacement, and those who serve stay.
    let mut rig = Rig::up(workers(3));
    rig.play([
        (enough("a0.1"), "spawn a3.1"),
        (born("a3.1"), ""),
        (resize("a", 2), "wanted a 2, signal a0.1 QUIT, signal a3.1 QUIT"),
        (tick(), ""),
        (all([waits("a3.1"), ready("a3.1")]), ""),
    ]);
    assert_eq!(rig.status().ready(), 2);
    // Before the birth, too.
    let mut rig = Rig::up(workers(2));
    rig.play([
        (enough("a1.1"), "spawn a2.1"),
        (signal(Signal::Winch), "wanted a 0, signal a0.1 QUIT, signal a1.1 QUIT"),
        (born("a2.1"), "signal a2.1 QUIT"),
    ]);
}

#[test]
fn whoever_asks_after_it_was_asked_to_leave_is_not_replaced() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (resize("a", 1), "wanted a 1, signal a0.1 QUIT"),
        (enough("a0.1"), ""),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (tick(), ""),
    ]);
}

#[test]
fn whoever_has_asked_and_died_is_not_replaced_twice() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (all([enough("a0.1"), enough("a1.1")]), "spawn a2.1"),
        // It was waiting for its turn.
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (all([born("a1.2"), waits("a1.2"), ready("a1.2")]), ""),
        (all([born("a2.1"), waits("a2.1"), ready("a2.1")]), "signal a0.1 QUIT"),
        (tick(), ""),
    ]);
}
