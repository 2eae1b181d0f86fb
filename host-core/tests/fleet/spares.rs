//! Workers that idle so that whoever comes is served: more when there are too few, fewer when there are too many for
//! long. The decision alone has a table of its own, in `fleet/spares.rs`; this is when it is taken, and what follows.

use crate::rig::*;
use host_core::config::HostConfig;
use host_core::fleet::config::{FleetConfig, Restart};
use host_core::fleet::spares::Spares;
use host_core::sys::Signal;

/// One or two of them idle, at most six, looked at each 30 ms; too many for 100 ms are too many.
fn spares(workers: u32, change: impl FnOnce(&mut FleetConfig)) -> HostConfig {
    with(workers, |fleet| {
        fleet.workers_max = Some(6);
        fleet.spares = Spares { min: Some(1), max: Some(2), period: 30 * MS, shrink_after: 100 * MS };
        change(fleet);
    })
}

/// Whoever was ordered is born, ready and waits.
fn settled(rig: &mut Rig) {
    rig.settle();
    rig.tell(tick());
}

#[test]
fn without_spares_nobody_looks_more_often() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (next(), "look a in 100+"),
        (hold(["a0.1", "a1.1"], 1), ""),
        (look(), "read a"),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn a_fleet_grows_as_connections_come_and_shrinks_when_they_have_been_gone_for_a_while() {
    let mut rig = Rig::up(spares(2, |_| {}));
    rig.play([
        (next(), "look a in 30"),
        (look(), "read a"),
        (hold(["a0.1"], 1), ""),
        (look(), "read a"),
        (hold(["a1.1"], 1), ""),
        (look(), "read a, load a 2 to 3 (0 idle, 2 busy), spawn a2.1"),
        // One that boots will be idle.
        (look(), "read a"),
    ]);
    settled(&mut rig);
    rig.play([
        (look(), "read a"),
        (hold(["a2.1"], 2), ""),
        (look(), "read a, load a 3 to 4 (0 idle, 3 busy), spawn a3.1"),
    ]);
    settled(&mut rig);
    rig.play([
        // They come faster than it grows: twice as many.
        (hold(["a3.1"], 1), ""),
        (look(), "read a, load a 4 to 6 (0 idle, 4 busy), spawn a4.1, spawn a5.1"),
    ]);
    settled(&mut rig);
    rig.play([
        (hold(["a4.1", "a5.1"], 1), ""),
        // There may be no more.
        (look(), "read a"),
        (look(), "read a"),
        (hold(["a0.1", "a2.1", "a3.1", "a4.1", "a5.1"], 0), ""),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a, load a 6 to 5 (5 idle, 1 busy), signal a0.1 QUIT"),
        // The one that is served stays, although it is the oldest.
        (look(), "read a, load a 5 to 4 (4 idle, 1 busy), signal a2.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Surplus"),
        (tick(), ""),
        (look(), "read a, load a 4 to 3 (3 idle, 1 busy), signal a3.1 QUIT"),
        (look(), "read a"),
        (look(), "read a"),
    ]);
    assert_eq!(rig.status().wanted, 3);
}

#[test]
fn a_lack_at_the_start_is_made_good_at_the_first_look() {
    let mut rig = Rig::up(spares(1, |fleet| fleet.spares.min = Some(3)));
    rig.play([(look(), "read a, load a 1 to 3 (1 idle, 0 busy), spawn a1.1, spawn a2.1")]);
}

#[test]
fn a_look_for_another_reason_is_no_round_of_its_own() {
    let mut rig = Rig::up(spares(2, |_| {}));
    rig.play([
        (hold(["a0.1", "a1.1"], 1), ""),
        (look(), "read a, load a 2 to 3 (0 idle, 2 busy), spawn a2.1"),
    ]);
    settled(&mut rig);
    rig.play([
        (hold(["a2.1"], 1), ""),
        (after(5 * MS), ""),
        (extends("a0.1", 400 * MS), "read a"),
        (beats("a"), "extended a0.1 to 435"),
        (next(), "look a in 25"),
        (look(), "read a, load a 3 to 5 (0 idle, 3 busy), spawn a3.1, spawn a4.1"),
    ]);
}

#[test]
fn a_look_for_another_reason_that_finds_not_too_many_is_remembered() {
    let mut rig = Rig::up(spares(4, |_| {}));
    // Too many from 30 on, which is too long at 130.
    rig.play([(look(), "read a"), (look(), "read a"), (look(), "read a"), (look(), "read a")]);
    rig.play([
        (after(5 * MS), ""),
        (hold(["a0.1", "a1.1"], 1), ""),
        (extends("a0.1", 400 * MS), "read a"),
        (beats("a"), "extended a0.1 to 525"),
        // And are too many again when it is time to decide.
        (hold(["a0.1", "a1.1"], 0), ""),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a, load a 4 to 3 (4 idle, 0 busy), signal a0.1 QUIT"),
    ]);
}

#[test]
fn whoever_is_stopped_or_silent_is_not_idle() {
    let mut rig = Rig::up(spares(2, |fleet| fleet.late_warning = Some(40 * MS)));
    rig.play([
        (stopped("a0.1"), "stopped a0.1"),
        (look(), "read a"),
        (busy("a1.1"), ""),
        (Row::Through(40 * MS), "late a0.1 40+"),
        (Row::Through(19 * MS), "late a1.1 40+"),
        (look(), "read a, load a 2 to 3 (0 idle, 2 busy), spawn a2.1"),
    ]);
}

#[test]
fn of_one_that_is_replaced_its_replacement_counts() {
    let mut rig = Rig::up(spares(2, |_| {}));
    rig.play([
        (hold(["a0.1", "a1.1"], 1), ""),
        (enough("a1.1"), "spawn a2.1"),
        // It will be idle.
        (look(), "read a"),
        (all([born("a2.1"), waits("a2.1"), ready("a2.1"), tick()]), "signal a1.1 QUIT"),
        (look(), "read a"),
        (hold(["a2.1"], 1), ""),
        (look(), "read a, load a 2 to 3 (0 idle, 2 busy), spawn a3.1"),
    ]);
}

#[test]
fn signals_and_calls_say_how_many_are_wanted_now_and_the_load_is_followed_from_there() {
    let mut rig = Rig::up(spares(2, |_| {}));
    rig.play([
        (all([signal(Signal::Ttin), tick()]), "wanted a 3, spawn a2.1"),
        (all([born("a2.1"), waits("a2.1"), ready("a2.1"), tick()]), ""),
        (Row::Through(120 * MS), ""),
        // One more than the load calls for.
        (look(), "read a, load a 3 to 2 (3 idle, 0 busy), signal a0.1 QUIT"),
        (all([exits("a0.1", 0), tick()]), "died a0.1 0 Surplus"),
        (hold(["a1.1"], 1), ""),
        (look(), "read a"),
        (all([signal(Signal::Ttou), tick()]), "wanted a 1, signal a2.1 QUIT"),
        // One less.
        (look(), "read a, load a 1 to 2 (0 idle, 1 busy), spawn a0.2"),
    ]);
}

#[test]
fn whoever_wants_nobody_gets_nobody() {
    for nobody in [signal(Signal::Winch), resize("a", 0)] {
        let mut rig = Rig::up(spares(1, |_| {}));
        rig.play([
            (hold(["a0.1"], 1), ""),
            (all([nobody, tick()]), "wanted a 0, signal a0.1 QUIT"),
            (all([exits("a0.1", 0), tick()]), "died a0.1 0 Surplus"),
            (Row::Through(90_000 * MS), ""),
            (next(), "never"),
            (all([signal(Signal::Ttin), tick()]), "wanted a 1, spawn a0.2"),
            (all([born("a0.2"), waits("a0.2"), ready("a0.2"), tick()]), ""),
            (hold(["a0.2"], 1), ""),
            (look(), "read a, load a 1 to 2 (0 idle, 1 busy), spawn a1.1"),
        ]);
    }
}

#[test]
fn l9_who_comes_to_serve_while_nobody_is_wanted_is_counted_as_soon_as_somebody_is() {
    let mut rig = Rig::up(spares(1, |_| {}));
    rig.play([
        (enough("a0.1"), "spawn a1.1"),
        (all([born("a1.1"), busy("a0.1"), tick()]), ""),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a"),
        (look(), "read a, late a0.1 100+, signal a0.1 KILL"),
        // While it dies, nobody else is asked to leave.
        (all([signal(Signal::Winch), ready("a1.1"), signal(Signal::Ttin), tick()]), "wanted a 0, wanted a 1"),
        (next(), "look a in 19.999999ms"),
    ]);
}

#[test]
fn nobody_is_forked_for_a_fleet_that_stops() {
    let mut rig = Rig::up(spares(2, |_| {}));
    rig.play([
        (hold(["a0.1", "a1.1"], 1), ""),
        (drain(), "draining, signal a0.1 QUIT, signal a1.1 QUIT"),
        (tick(), ""),
        (beats("a"), ""),
    ]);
}

#[test]
fn more_of_those_who_cannot_live_are_not_wanted() {
    let mut rig = Rig::up(spares(2, |fleet| fleet.restart_budget = budget(1, 60_000 * MS)));
    rig.play([
        (hold(["a0.1"], 1), ""),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (born("a1.2"), ""),
        (exits("a1.2", 1), "died a1.2 1 unasked, degraded a, rest a1 x2"),
        (tick(), ""),
        // One that rests will be idle; and it would be no help to fork a third.
        (look(), "read a"),
        (hold(["a0.1"], 1), ""),
        (resize("a", 1), "wanted a 1"),
        (look(), "read a"),
        (look(), "read a"),
    ]);
}

#[test]
fn forks_that_fail_are_no_lack_of_their_own() {
    let mut rig = Rig::up(spares(2, |_| {}));
    rig.play([
        (hold(["a0.1", "a1.1"], 1), ""),
        (look(), "read a, load a 2 to 3 (0 idle, 2 busy), spawn a2.1"),
        (unborn("a2.1"), "unborn a2.1"),
        (hold(["a0.1"], 1), ""),
    ]);
    assert_eq!(rig.status().wanted, 3);
    rig.tell(Row::Through(400 * MS));
    assert_eq!(rig.status().wanted, 3);
}

#[test]
fn a_slot_that_stays_empty_is_no_part_of_what_the_load_has() {
    let mut rig = Rig::up(spares(3, |fleet| {
        fleet.restart = Restart::Transient;
        fleet.spares.min = Some(2);
    }));
    rig.play([
        (exits("a0.1", 0), "died a0.1 0 unasked, retired a0"),
        (tick(), ""),
        (look(), "read a"),
        (hold(["a1.1"], 1), ""),
        (look(), "read a, load a 3 to 4 (1 idle, 1 busy), spawn a3.1"),
    ]);
}
