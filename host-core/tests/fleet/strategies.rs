//! Who falls with whom when a worker dies unasked, as OTP's supervisors have it.

use crate::rig::*;
use host_core::fleet::config::{Restart, Strategy};
use host_core::sys::Signal;

#[test]
fn one_for_one_replaces_the_dead_and_nobody_else() {
    let mut rig = Rig::up(fleets(Strategy::OneForOne, [1, 1, 1]));
    rig.play([(exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"), (tick(), "")]);
}

#[test]
fn rest_for_one_stops_the_fleets_after_it_in_reverse_order_and_starts_them_in_order() {
    let mut rig = Rig::up(fleets(Strategy::RestForOne, [2, 1, 2])).loud();
    rig.play([(
        exits("a0.1", 1),
        "died a0.1 1 unasked, spawn a0.2, \
             signal c0.1 QUIT, asked c0.1 QUIT Sibling, signal c1.1 QUIT, asked c1.1 QUIT Sibling",
    )]);
}

#[test]
fn rest_for_one_goes_on_when_one_fleet_after_the_other_is_empty() {
    let mut rig = Rig::up(fleets(Strategy::RestForOne, [1, 1, 1]));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2, signal c0.1 QUIT"),
        (exits("c0.1", 0), "died c0.1 0 Sibling, signal b0.1 QUIT"),
        (born("a0.2"), ""),
        // They open again in order, behind those before them.
        (exits("b0.1", 0), "died b0.1 0 Sibling"),
        (all([waits("a0.2"), ready("a0.2")]), "spawn b0.2"),
        (all([born("b0.2"), waits("b0.2"), ready("b0.2")]), "spawn c0.2"),
        (all([born("c0.2"), waits("c0.2"), ready("c0.2")]), ""),
    ]);
    // The last has nobody behind it.
    rig.play([(exits("c0.2", 1), "died c0.2 1 unasked, spawn c0.3"), (tick(), "")]);
}

#[test]
fn a_death_in_the_midst_of_a_restart_takes_those_behind_it_along() {
    let mut rig = Rig::up(fleets(Strategy::RestForOne, [1, 1, 1]));
    rig.play([
        (exits("b0.1", 1), "died b0.1 1 unasked, spawn b0.2, signal c0.1 QUIT"),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2"),
        (born("b0.2"), ""),
        (born("a0.2"), ""),
        (exits("c0.1", 0), "died c0.1 0 Sibling, signal b0.2 QUIT"),
        // One that dies while it is asked to leave, and one whose fleet is closed, bring nobody down.
        (dies("b0.2", Signal::Segv), "died b0.2 SEGV Sibling"),
        (all([waits("a0.2"), ready("a0.2")]), "spawn b0.3"),
    ]);
}

#[test]
fn one_for_all_restarts_all_fleets() {
    let mut rig = Rig::up(fleets(Strategy::OneForAll, [1, 1]));
    rig.play([
        (exits("b0.1", 1), "died b0.1 1 unasked, spawn b0.2"),
        (born("b0.2"), "signal b0.2 QUIT"),
        (exits("b0.2", 0), "died b0.2 0 Surplus, signal a0.1 QUIT"),
        (exits("a0.1", 0), "died a0.1 0 Sibling, spawn a0.2"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), "spawn b0.3"),
    ]);
}

#[test]
fn s17_a_worker_that_cannot_start_restarts_all_fleets_no_faster_than_its_rests() {
    let mut rig = Rig::up(fleets(Strategy::OneForAll, [1, 1]));
    rig.tell(exits("a0.1", 1));
    let mut births = 0;
    while rig.now.since(host_core::time::Instant::ZERO) < 30 * MS {
        let mut goes_on = true;
        while goes_on {
            goes_on = false;
            for worker in rig.checker.forking().collect::<Vec<_>>() {
                goes_on = true;
                rig.tell(born(&name(worker)));
                if name(worker).starts_with('a') {
                    births += 1;
                    assert!(births < 50, "a circle without any pause");
                    rig.tell(exits(&name(worker), 1));
                } else {
                    rig.tell(all([waits(&name(worker)), ready(&name(worker))]));
                }
            }
            // The others obey at once.
            for worker in
                rig.checker.living().filter(|worker| rig.checker.is_asked(*worker)).collect::<Vec<_>>()
            {
                goes_on = true;
                rig.tell(exits(&name(worker), 0));
            }
        }
        rig.tell(at_deadline());
    }
    assert!(births <= 4, "{births} births within 30 ms");
}

#[test]
fn a_worker_that_was_asked_or_has_done_its_work_brings_nobody_down() {
    let mut rig = Rig::up(fleets(Strategy::OneForAll, [2, 1]));
    rig.play([
        (signal(Signal::Ttou), "wanted a 1, signal a0.1 QUIT"),
        (exits("a0.1", 1), "died a0.1 1 Surplus"),
        (tick(), ""),
    ]);
    // Whoever gets no successor needs no others to start anew with.
    let mut config = fleets(Strategy::OneForAll, [2, 1]);
    config.fleets[0].restart = Restart::Transient;
    let mut rig = Rig::up(config);
    rig.play([
        (exits("a0.1", 0), "died a0.1 0 unasked, retired a0"),
        (exits("a1.1", 1), "died a1.1 1 unasked, spawn a1.2, signal b0.1 QUIT"),
    ]);
}

#[test]
fn a_worker_that_hung_brings_the_others_down_when_it_is_dead() {
    let mut rig = Rig::up(fleets(Strategy::RestForOne, [1, 1]));
    rig.play([
        (busy("a0.1"), ""),
        (all([at_deadline(), beats("a"), beats("b")]), "read a, read b, late a0.1 100+, signal a0.1 KILL"),
        (killed("a0.1"), "died a0.1 KILL Hung killed, spawn a0.2, signal b0.1 QUIT"),
    ]);
}

#[test]
fn a_stop_ends_a_restart() {
    let mut rig = Rig::up(fleets(Strategy::OneForAll, [1, 1]));
    rig.play([
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2, signal b0.1 QUIT"),
        (born("a0.2"), ""),
        (signal(Signal::Term), "signal a0.2 TERM, signal b0.1 TERM"),
        (exits("b0.1", 0), "died b0.1 0 Stop, empty b"),
        (exits("a0.2", 0), "died a0.2 0 Stop, empty a"),
        (tick(), "stopping TERM, end on signal, stopped, finish Stopped"),
    ]);
}

#[test]
fn a_fleet_that_loses_a_slot_for_good_while_it_starts_anew_is_not_done() {
    let mut rig = Rig::up(fleets(Strategy::RestForOne, [1, 2]));
    rig.play([
        (busy("b0.1"), ""),
        (all([Row::Deadline, beats("a"), beats("b")]), "read a, read b, late b0.1 100+, signal b0.1 KILL"),
        (exits("a0.1", 1), "died a0.1 1 unasked, spawn a0.2, signal b1.1 QUIT"),
        (judged("b0.1", Restart::Never), ""),
        (killed("b0.1"), "died b0.1 KILL Hung killed, retired b0"),
        (exits("b1.1", 0), "died b1.1 0 Sibling"),
        (all([born("a0.2"), waits("a0.2"), ready("a0.2")]), "spawn b1.2"),
        (judged("a0.2", Restart::Never), ""),
        (exits("a0.2", 0), "died a0.2 0 unasked, retired a0"),
        // Nobody lives, and one is wanted.
        (unborn("b1.2"), "unborn b1.2"),
        (tick(), ""),
    ]);
    assert!(!rig.host.is_ended());
}
