//! How fleets come up: who is forked, who is waited for, and for how long.

use crate::rig::*;
use host_core::fleet::config::Strategy;
use host_core::fleet::status::{Health, WorkerState};
use host_core::service::kick::Callback::{Connect, Prepare};
use host_core::sys::Signal;

#[test]
fn a_fleet_starts_with_as_many_workers_as_are_wanted() {
    Rig::fresh(workers(3)).loud().play([
        (start(), "started 0, starting a 3, spawn a0.1, spawn a1.1, spawn a2.1"),
        (next(), "never"),
        (born("a0.1"), "created a0.1 10001"),
        (next(), "boot a0.1 in 1000"),
        (born("a1.1"), "created a1.1 10101"),
        (late(5 * MS), ""),
        (ready("a1.1"), "ready a1.1 5"),
        (born("a2.1"), "created a2.1 10201"),
        (all([ready("a0.1"), ready("a2.1")]), "ready a0.1 5, ready a2.1 0"),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn a_fleet_of_nobody_starts_with_nobody() {
    let mut rig = Rig::fresh(workers(0)).loud();
    rig.play([(start(), "started 0, starting a 0"), (next(), "never")]);
    assert!(!rig.host.is_ended(), "somebody may be wanted later");
}

#[test]
fn services_of_the_host_come_beside_its_fleets() {
    Rig::fresh(workers(1)).play([
        (added(), ""),
        (start(), "connect s0, spawn a0.1"),
        (opened(), ""),
        (returns(Connect), "prepare s0"),
        (born("a0.1"), ""),
        (returns(Prepare), ""),
        (next(), "boot a0.1 in 1000"),
    ]);
}

#[test]
fn fleets_start_one_after_the_other() {
    let mut rig = Rig::started(fleets(Strategy::OneForOne, [2, 0, 1])).loud();
    rig.play([
        (born("a0.1"), "created a0.1 10001"),
        (born("a1.1"), "created a1.1 10101"),
        (ready("a1.1"), "ready a1.1 0"),
        (tick(), ""),
        // An empty one in between has nothing to wait for.
        (ready("a0.1"), "ready a0.1 0, starting b 0, starting c 1, spawn c0.1"),
        (born("c0.1"), "created c0.1 30001"),
        (ready("c0.1"), "ready c0.1 0"),
    ]);
}

#[test]
fn whoever_fails_once_keeps_no_other_fleet_from_starting() {
    let two = || fleets(Strategy::OneForOne, [2, 1]);
    for (name, row, words) in [
        ("a death", exits("a1.1", 70), "died a1.1 70 unasked, spawn a1.2, spawn b0.1"),
        ("a fork that fails", unborn("a1.1"), "unborn a1.1, spawn b0.1"),
    ] {
        let mut rig = Rig::started(two());
        rig.tell(born("a0.1"));
        if name == "a death" {
            rig.tell(born("a1.1"));
        }
        rig.tell(ready("a0.1"));
        assert_eq!(rig.tell(row), words, "{name}");
    }
    // One that hangs in its start is waited for no longer than its boot timeout, and its death.
    let mut rig = Rig::started(two());
    rig.play([
        (all([born("a0.1"), born("a1.1"), waits("a0.1"), ready("a0.1")]), ""),
        (Row::Through(1_000 * MS), "signal a1.1 KILL"),
        (killed("a1.1"), "died a1.1 KILL NotReady killed, spawn a1.2, spawn b0.1"),
    ]);
}

#[test]
fn a_fleet_that_is_resized_while_it_opens_lets_the_next_one_start() {
    let mut rig = Rig::started(fleets(Strategy::OneForOne, [2, 1]));
    rig.play([
        (all([born("a0.1"), born("a1.1")]), ""),
        (resize("a", 1), "wanted a 1, signal a1.1 QUIT"),
        (ready("a0.1"), ""),
        (exits("a1.1", 0), "died a1.1 0 Surplus, spawn b0.1"),
    ]);
    // One that comes on top is not waited for.
    let mut rig = Rig::started(fleets(Strategy::OneForOne, [1, 1]));
    rig.play([
        (born("a0.1"), ""),
        (resize("a", 2), "wanted a 2, spawn a1.1"),
        (born("a1.1"), ""),
        (ready("a0.1"), "spawn b0.1"),
    ]);
}

#[test]
fn s8_a_worker_that_is_never_ready_is_killed_at_its_boot_timeout_and_not_before() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (late(7 * MS), ""),
        (born("a0.1"), ""),
        // Its beats are no sign of readiness, nor is their absence one of a hang.
        (busy("a0.1"), ""),
        (next(), "boot a0.1 in 1000"),
        (after(1_000 * MS - NS), ""),
        (after(NS), "signal a0.1 KILL"),
        (next(), "never"),
        (late(2 * MS), ""),
        (killed("a0.1"), "died a0.1 KILL NotReady killed, spawn a0.2"),
    ]);
    let death = rig.last_death();
    assert_eq!((death.lived, death.ready_for, death.beat_age), (1_002 * MS, None, None));
}

#[test]
fn a_worker_that_is_ready_in_the_wake_of_its_boot_timeout_is_spared() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (late(1_000 * MS), ""),
        (all([waits("a0.1"), ready("a0.1")]), ""),
        (tick(), ""),
        (next(), "look a in 100+"),
    ]);
}

#[test]
fn a_worker_that_is_ready_after_it_was_killed_is_nobodys_replacement_and_stays_killed() {
    let mut rig = Rig::started(workers(1)).loud();
    rig.play([
        (born("a0.1"), "created a0.1 10001"),
        (after(1_000 * MS), "signal a0.1 KILL, killed a0.1 NotReady"),
        (ready("a0.1"), "ready a0.1 1000"),
        (ready("a0.1"), ""),
        (killed("a0.1"), "died a0.1 KILL NotReady killed, spawn a0.2"),
    ]);
    assert!(rig.last_death().ready_for.is_some());
}

#[test]
fn a_boot_that_times_out_is_a_young_death() {
    let mut rig = Rig::started(workers(1));
    rig.play([
        (born("a0.1"), ""),
        (after(1_000 * MS), "signal a0.1 KILL"),
        (killed("a0.1"), "died a0.1 KILL NotReady killed, spawn a0.2"),
        (born("a0.2"), ""),
        (after(1_000 * MS), "signal a0.2 KILL"),
        (killed("a0.2"), "died a0.2 KILL NotReady killed, rest a0 x2"),
    ]);
}

#[test]
fn ready_is_heard_once() {
    let mut rig = Rig::up(workers(1)).loud();
    rig.play([(after(50 * MS), ""), (ready("a0.1"), ""), (next(), "look a in 50+")]);
}

#[test]
fn the_status_tells_how_each_worker_is() {
    let mut rig = Rig::started(workers(3));
    rig.play([
        (all([born("a0.1"), born("a1.1"), born("a2.1")]), ""),
        (late(10 * MS), ""),
        (all([waits("a1.1"), ready("a1.1"), served("a1.1", 8), stopped("a2.1")]), "stopped a2.1"),
        (after(100 * MS + NS), "read a"),
        (beats("a"), ""),
        (resize("a", 2), "wanted a 2, signal a2.1 QUIT"),
    ]);
    let status = rig.status();
    assert_eq!((&*status.name, status.wanted, status.health), ("a", 2, Health::Well));
    assert_eq!((status.ready(), status.outage), (1, false));
    let states: Vec<_> = status.workers.iter().map(|worker| worker.state).collect();
    let leaving = WorkerState::Leaving { intent: host_core::fleet::death::Intent::Surplus, killed: false };
    assert_eq!(states, [WorkerState::Booting, WorkerState::Ready, leaving]);
    let one = status.workers[1];
    assert_eq!((one.worker, one.pid, one.born), (w("a1.1"), pid(w("a1.1")), host_core::time::Instant::ZERO));
    assert_eq!((one.requests, one.extended_until, one.stopped), (8, None, false));
    assert_eq!(one.beat.unwrap().at, host_core::time::Instant::ZERO + 10 * MS);
    assert!(status.workers[2].stopped);
    assert_eq!((status.resting, status.retired, status.deaths), (vec![], vec![], vec![]));
}

#[test]
fn fleets_are_found_by_their_names() {
    let rig = Rig::up(fleets(Strategy::OneForOne, [1, 1]));
    assert_eq!(rig.host.find_fleet("b"), Some(w("b0.1").fleet));
    assert_eq!(rig.host.find_fleet("c"), None);
    assert!(rig.host.fleet(w("c0.1").fleet).is_none());
    assert_eq!(rig.host.fleet(w("b0.1").fleet).unwrap().name, "b");
}

#[test]
fn a_resize_of_a_fleet_that_is_not_there_changes_nothing() {
    let mut rig = Rig::up(workers(1));
    rig.play([(resize("b", 3), ""), (restore("b"), "")]);
    // And TTIN means the first fleet, if there is one.
    let mut rig = Rig::started(host([]));
    rig.play([(signal(Signal::Ttin), ""), (signal(Signal::Ttou), ""), (signal(Signal::Winch), "")]);
}
