//! When a dead worker is replaced: at once, after a rest, or slowly.

use crate::rig::*;
use host_core::fleet::config::OnExhausted;
use host_core::fleet::status::Health;
use host_core::sys::Signal;
use host_core::time::Duration;

/// How long until the next deadline.
fn rest(rig: &Rig) -> Duration {
    rig.host.next_deadline().expect("somebody rests").at.since(rig.now)
}

#[test]
fn s17_the_first_young_death_is_replaced_at_once_and_the_following_after_growing_rests() {
    let mut rig = Rig::up(with(1, |fleet| fleet.heartbeat_timeout = 60_000 * MS));
    rig.play([(exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2")]);
    let rows = [(2, 10), (3, 20), (4, 40), (5, 80), (6, 80), (7, 80)];
    for (incarnation, full) in rows {
        let name = format!("a0.{incarnation}");
        rig.tell(born(&name));
        assert_eq!(rig.tell(exits(&name, 1)), format!("died {name} 1 unasked, rest a0 x{incarnation}"));
        assert!(rig.tell(next()).starts_with("respawn a0 in"));
        assert!((full * MS / 2..=full * MS).contains(&rest(&rig)), "{incarnation}: {:?}", rest(&rig));
        let resting: Vec<_> = rig.status().resting.iter().map(|slot| slot.number()).collect();
        assert_eq!(resting, [0]);
        let almost = rest(&rig) - NS;
        assert_eq!(rig.tell(after(almost)), "");
        assert_eq!(rig.tell(after(NS)), format!("spawn a0.{}", incarnation + 1));
    }
}

#[test]
fn pf_c12_a_body_that_returns_at_once_is_started_again_and_again_and_not_in_a_circle() {
    // Two workers whose body is empty: ready is never said, the status is 0.
    let mut rig = Rig::started(workers(2));
    let mut births = 0;
    while rig.now.since(host_core::time::Instant::ZERO) < 300 * MS {
        while let Some(worker) = { rig.checker.forking().next() } {
            births += 1;
            rig.tell(born(&name(worker)));
            rig.tell(exits(&name(worker), 0));
        }
        rig.tell(at_deadline());
    }
    assert!((10..=20).contains(&births), "{births} births in 300 ms");
}

#[test]
fn a_stable_life_is_no_mark_against_its_slot() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), ""),
        (look(), "read a"),
        // To the nanosecond: stable is as long as that, or longer.
        (after(100 * MS - 2 * NS), ""),
    ]);
    let mut young = rig.clone();
    young.play([(exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2")]);
    rig.play([
        (late(NS), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, spawn a0.3"),
        (born("a0.3"), ""),
        // It begins anew.
        (exits("a0.3", 1), "died a0.3 1 unasked, spawn a0.4"),
        (born("a0.4"), ""),
        (exits("a0.4", 1), "died a0.4 1 unasked, rest a0 x2"),
    ]);
}

#[test]
fn a_worker_that_has_lived_long_enough_is_told_so_and_forgives_its_slot() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (late(50 * MS), ""),
        (all([waits("a0.2"), ready("a0.2")]), ""),
        (look(), "read a"),
        (look(), "read a"),
        (next(), "stable a0.2 in 49.999998ms"),
        (at_deadline(), "stable a0.2"),
        (tick(), ""),
        // One without a mark is not told of.
        (exits("a0.2", 1), "died a0.2 1 unasked, spawn a0.3"),
        (all([born("a0.3"), waits("a0.3"), ready("a0.3")]), ""),
        (after(400 * MS), "read a"),
    ]);
}

#[test]
fn who_lived_long_and_was_never_ready_has_died_young() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (after(900 * MS), ""),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (after(900 * MS), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2"),
    ]);
}

#[test]
fn a_worker_that_was_asked_to_leave_is_stable_nevermore() {
    let mut rig = Rig::up(workers(1));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), ""),
        (resize("a", 0), "wanted a 0, signal a0.2 QUIT"),
        (after(300 * MS), "read a"),
        (next(), "grace a0.2 in 200"),
    ]);
}

#[test]
fn each_slot_rests_by_itself() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2"),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
    ]);
    // A new one is not kept waiting for it, and takes a slot of its own.
    rig.play([(resize("a", 3), "wanted a 3, spawn a2.1"), (at_deadline(), "spawn a0.3")]);
}

#[test]
fn who_rests_is_the_first_to_be_wanted_no_more() {
    let mut rig = Rig::up(workers(2));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2"),
        (resize("a", 1), "wanted a 1"),
        (at_deadline(), ""),
        (look(), "read a"),
        (next(), "look a in 100+"),
    ]);
    assert_eq!(rig.status().resting, []);
    let mut rig = Rig::up(workers(2));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, rest a0 x2"),
        (resize("a", 1), "wanted a 1"),
        // One more is another one: the slot that rests is filled no earlier for it.
        (resize("a", 2), "wanted a 2, spawn a2.1"),
        (at_deadline(), ""),
        (resize("a", 3), "wanted a 3, spawn a0.3"),
    ]);
}

#[test]
fn pf_c30_s18_a_fleet_that_cannot_live_is_degraded_once_and_tried_slowly() {
    let mut rig = Rig::up(with(2, |fleet| fleet.restart_budget = budget(2, 60_000 * MS)));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (all([born("a0.2"), born("a1.2")]), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, degraded a, rest a0 x2"),
        (next(), "look a in 100+"),
        (exits("a1.2", 1), "died a1.2 1 unasked, rest a1 x2"),
    ]);
    assert_eq!(rig.status().health, Health::Degraded);
    rig.play([
        (look(), ""),
        (next(), "respawn a0 in 199.999999ms"),
        (at_deadline(), "spawn a0.3, spawn a1.3"),
        (all([born("a0.3"), born("a1.3")]), ""),
        (exits("a0.3", 1), "died a0.3 1 unasked, rest a0 x3"),
        (next(), "respawn a0 in 300"),
        // It recovers as soon as one has lived long enough, and then nobody rests any longer.
        (all([waits("a1.3"), ready("a1.3")]), ""),
        (look(), "read a"),
        (after(100 * MS - NS), "stable a1.3, recovered a, spawn a0.4"),
    ]);
    assert_eq!(rig.status().health, Health::Well);
    rig.play([
        // With a whole budget and unmarked slots.
        (born("a0.4"), ""),
        (exits("a0.4", 1), "died a0.4 1 unasked, spawn a0.5"),
        (born("a0.5"), ""),
        (exits("a0.5", 1), "died a0.5 1 unasked, rest a0 x2"),
        // One that has lived long enough costs nothing.
        (exits("a1.3", 1), "died a1.3 1 unasked, spawn a1.4"),
        (born("a1.4"), ""),
        (exits("a1.4", 1), "died a1.4 1 unasked, degraded a, rest a1 x1"),
    ]);
}

#[test]
fn a_degraded_fleet_recovers_by_a_worker_that_becomes_ready_though_its_slot_has_no_mark() {
    let mut rig = Rig::up(with(2, |fleet| fleet.restart_budget = budget(1, 60_000 * MS)));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, degraded a, rest a0 x2"),
        (resize("a", 3), "wanted a 3, spawn a2.1"),
        (all([born("a2.1"), waits("a2.1"), ready("a2.1")]), ""),
        (look(), "read a"),
        (after(100 * MS - NS), "stable a2.1, recovered a, spawn a0.3"),
    ]);
}

#[test]
fn l6_a_degraded_fleet_recovers_when_those_who_could_not_live_are_wanted_no_longer() {
    let mut rig = Rig::up(with(1, |fleet| fleet.restart_budget = budget(1, 60_000 * MS)));
    rig.play([
        (resize("a", 2), "wanted a 2, spawn a1.1"),
        (born("a1.1"), ""),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2"),
        (born("a1.2"), ""),
        (exits("a1.2", 1), "died a1.2 1 unasked, degraded a, rest a1 x2"),
        // Who is left has lived for long, and nobody else will show that the fleet can.
        (resize("a", 1), "wanted a 1"),
        (waits("a0.1"), ""),
        (Row::Through(199 * MS), ""),
        (Row::Through(MS), "stable a0.1, recovered a"),
    ]);
    assert_eq!(rig.status().health, Health::Well);
}

#[test]
fn deaths_leave_the_budget_when_they_have_left_the_window() {
    let config = || {
        with(1, |fleet| {
            fleet.restart_budget = budget(2, 1_000 * MS);
            fleet.heartbeat_timeout = 60_000 * MS;
        })
    };
    for (gap, words) in [
        (998 * MS, "died a0.3 1 unasked, degraded a, rest a0 x3"),
        (1_000 * MS, "died a0.3 1 unasked, rest a0 x3"),
    ] {
        let mut rig = Rig::up(config());
        rig.tell(exits("a0.1", 1));
        rig.tell(born("a0.2"));
        rig.tell(exits("a0.2", 1));
        rig.tell(at_deadline());
        rig.tell(born("a0.3"));
        let rest = rig.now.since(host_core::time::Instant::ZERO);
        rig.tell(late(gap - rest));
        assert_eq!(rig.tell(exits("a0.3", 1)), words, "{gap:?}");
    }
}

#[test]
fn a_fleet_may_be_given_up_and_the_host_goes_on() {
    let mut config = fleet("a", 2);
    config.restart_budget = budget(1, 60_000 * MS);
    config.on_exhausted = OnExhausted::StopFleet;
    let mut rig = Rig::up(host([config, fleet("b", 1)]));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, given up a, signal a1.1 QUIT"),
        (dies("a1.1", Signal::Segv), "died a1.1 SEGV FleetStops"),
        // For good.
        (resize("a", 5), "wanted a 5"),
        (tick(), ""),
    ]);
    assert_eq!((rig.status().health, rig.status().resting), (Health::GivenUp, vec![]));
    assert!(!rig.host.is_ended());
    rig.play([(exits("b0.1", 1), "died b0.1 1 unasked, spawn b0.2")]);
}

#[test]
fn a_fleet_that_is_given_up_while_it_opens_keeps_no_other_from_starting() {
    let mut config = fleet("a", 2);
    config.restart_budget = budget(1, 60_000 * MS);
    config.on_exhausted = OnExhausted::StopFleet;
    let mut rig = Rig::started(host([config, fleet("b", 1)]));
    rig.play([
        (born("a0.1"), ""),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("a0.2"), ""),
        (exits("a0.2", 1), "died a0.2 1 unasked, given up a, spawn b0.1"),
        // It was ordered before.
        (born("a1.1"), "signal a1.1 QUIT"),
        (exits("a1.1", 1), "died a1.1 1 Surplus"),
    ]);
}

#[test]
fn s19_a_fork_that_fails_is_tried_again_after_growing_rests_and_is_no_death() {
    let mut rig = Rig::started(with(1, |fleet| fleet.restart_budget = budget(1, 60_000 * MS)));
    let mut incarnation = 1;
    for full in [10, 20, 40, 80, 80] {
        let name = format!("a0.{incarnation}");
        assert_eq!(rig.tell(unborn(&name)), format!("unborn {name}"));
        assert!(rig.tell(next()).starts_with("fork a in"));
        assert!((full * MS / 2..=full * MS).contains(&rest(&rig)), "{incarnation}: {:?}", rest(&rig));
        assert_eq!(rig.tell(tick()), "");
        incarnation += 1;
        assert_eq!(rig.tell(at_deadline()), format!("spawn a0.{incarnation}"));
    }
    assert_eq!((rig.status().health, rig.status().deaths), (Health::Well, vec![]));
    // One that succeeds ends the row.
    rig.play([
        (born("a0.6"), ""),
        (exits("a0.6", 1), "died a0.6 1 unasked, spawn a0.7"),
        (unborn("a0.7"), "unborn a0.7"),
    ]);
    assert!((5 * MS..=10 * MS).contains(&rest(&rig)), "{:?}", rest(&rig));
}

#[test]
fn forks_that_fail_together_are_tried_again_together() {
    let mut rig = Rig::started(workers(3));
    rig.play([
        (unborn("a1.1"), "unborn a1.1"),
        (unborn("a0.1"), "unborn a0.1"),
        (born("a2.1"), ""),
        // A death in between waits for the same moment.
        (exits("a2.1", 1), "died a2.1 1 unasked"),
        (at_deadline(), "spawn a0.2, spawn a1.2, spawn a2.2"),
    ]);
}

#[test]
fn each_fork_that_fails_tells_when_it_is_tried_again() {
    let mut rig = Rig::started(workers(2)).loud();
    let first = rig.tell(unborn("a0.1")).replace("unborn a0.1, again ", "");
    assert_eq!(rig.tell(next()), format!("fork a {first}"));
    assert_eq!(rig.tell(unborn("a1.1")), format!("unborn a1.1, again {first}"));
}

#[test]
fn how_many_deaths_are_remembered_is_a_setting() {
    let mut rig = Rig::up(with(3, |fleet| fleet.deaths_kept = 2));
    rig.tell(all([exits("a0.1", 1), exits("a1.1", 2), exits("a2.1", 3)]));
    let kept: Vec<_> = rig.status().deaths.iter().map(|death| name(death.worker)).collect();
    assert_eq!(kept, ["a1.1", "a2.1"]);
}
